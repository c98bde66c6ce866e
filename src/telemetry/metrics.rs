//! The metrics and their registry. Label values are names or words of an enum, never the text of an error: what an
//! outsider writes must not make a new series.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::{
    Encoder as _, Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::model::name::EnvironmentName;
use crate::model::record::RecordOutcome;
use crate::report::status::Board;

/// Upper bounds of the buckets of a reconcile, in seconds: from one that finds nothing to do to a slow cluster.
const RECONCILE_BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_meta])* $variant),+ }

        impl $name {
            /// Every variant.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word used as label.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

words! {
    /// What was asked of the API server.
    ApiVerb {
        /// One object.
        Get = "get",
        /// A list.
        List = "list",
        /// A watch.
        Watch = "watch",
        /// A new object.
        Create = "create",
        /// A server-side apply.
        Apply = "apply",
        /// A server-side apply that changes nothing.
        DryRun = "dry_run",
        /// Another patch.
        Patch = "patch",
        /// A replacement.
        Update = "update",
        /// A removal.
        Delete = "delete",
        /// Kinds and schemas.
        Discover = "discover",
    }
}

words! {
    /// What the API server answered.
    ApiResult {
        /// It did it.
        Ok = "ok",
        /// No such object (404, 410).
        NotFound = "not_found",
        /// Somebody else was faster, or owns the field (409).
        Conflict = "conflict",
        /// Not for us (401, 403).
        Forbidden = "forbidden",
        /// Not a valid object (400, 422).
        Invalid = "invalid",
        /// Too many requests (429).
        Throttled = "throttled",
        /// It failed (5xx).
        ServerError = "server_error",
        /// It did not answer.
        Unreachable = "unreachable",
    }
}

impl ApiResult {
    /// The word for an HTTP status.
    pub fn of_status(status: u16) -> Self {
        match status {
            200..=399 => Self::Ok,
            404 | 410 => Self::NotFound,
            409 => Self::Conflict,
            401 | 403 => Self::Forbidden,
            429 => Self::Throttled,
            400..=499 => Self::Invalid,
            _ => Self::ServerError,
        }
    }
}

words! {
    /// What was asked of a Git repository.
    GitOperation {
        /// Its branches and tags.
        ListReferences = "list_references",
        /// Objects.
        Fetch = "fetch",
        /// A commit of ours.
        Push = "push",
    }
}

words! {
    /// How a request ended.
    RequestResult {
        /// Well.
        Ok = "ok",
        /// Not.
        Error = "error",
    }
}

/// Every metric of the process. One value, shared.
pub struct Metrics {
    registry: Registry,
    /// Held while gauges are set from a board and while they are read: a scrape never sees half of a board.
    whole: Mutex<()>,
    application_info: IntGaugeVec,
    holds: IntGaugeVec,
    config_info: IntGaugeVec,
    reconcile_duration: Histogram,
    renders: IntCounterVec,
    rollouts: IntCounterVec,
    heals: IntCounterVec,
    api_requests: IntCounterVec,
    git_requests: IntCounterVec,
    objects: IntGauge,
    watches: IntGauge,
    records_waiting: IntGauge,
    task_restarts: IntCounterVec,
}

impl Metrics {
    /// Registers everything in a registry of its own.
    ///
    /// # Errors
    /// Two metrics with one name: a mistake in this file.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let new = Register(&registry);
        let build_info =
            new.gauges("moorline_build_info", "Always 1; says which version runs.", &["version"])?;
        build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(Self {
            application_info: new.gauges(
                "moorline_application_info",
                "Always 1, one series for each application; its sync status and health are labels.",
                &["environment", "service", "sync", "health"],
            )?,
            holds: new.gauges(
                "moorline_holds",
                "Steps that are not taken, by reason.",
                &["reason", "class"],
            )?,
            config_info: new.gauges(
                "moorline_config_info",
                "Always 1; says which revision of the config repository was read.",
                &["commit"],
            )?,
            reconcile_duration: new.histogram(
                "moorline_reconcile_duration_seconds",
                "Time of one pass over one application: observe, decide, act, record.",
                RECONCILE_BUCKETS,
            )?,
            renders: new.counters(
                "moorline_renders_total",
                "Applications that were rendered, because something that they are rendered from changed.",
                &["environment"],
            )?,
            rollouts: new.counters(
                "moorline_rollouts_total",
                "Rollouts that ended.",
                &["environment", "outcome"],
            )?,
            heals: new.counters(
                "moorline_heals_total",
                "Objects brought back to what is deployed.",
                &["environment"],
            )?,
            api_requests: new.counters(
                "moorline_api_requests_total",
                "Requests to Kubernetes API servers.",
                &["verb", "result"],
            )?,
            git_requests: new.counters(
                "moorline_git_requests_total",
                "Requests to Git repositories.",
                &["operation", "result"],
            )?,
            objects: new.gauge("moorline_objects", "Live objects that are kept in mind.")?,
            watches: new.gauge("moorline_watches", "Open watches.")?,
            records_waiting: new
                .gauge("moorline_records_waiting", "Records that are not in the state repository yet.")?,
            task_restarts: new.counters(
                "moorline_task_restarts_total",
                "Tasks that ended though they run for ever, and were started again.",
                &["task"],
            )?,
            whole: Mutex::new(()),
            registry,
        })
    }

    /// Sets the gauges that tell of applications.
    pub fn show(&self, board: &Board) {
        let _whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        self.set(board);
    }

    /// The text for a scrape, with the gauges set from a board.
    pub fn text_of(&self, board: &Board) -> Result<String, prometheus::Error> {
        let _whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        self.set(board);
        self.encode()
    }

    /// The text for a scrape.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        let _whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        self.encode()
    }

    /// Counts the time of one pass over one application.
    pub fn reconciled(&self, duration: Duration) {
        self.reconcile_duration.observe(duration.as_secs_f64());
    }

    /// Counts an application that was rendered.
    pub fn rendered(&self, environment: &EnvironmentName) {
        self.renders.with_label_values(&[environment.as_str()]).inc();
    }

    /// How many applications were rendered since the start.
    pub fn rendered_in_all(&self) -> u64 {
        total(&self.renders)
    }

    /// Counts a rollout that ended.
    pub fn rolled_out(&self, environment: &EnvironmentName, outcome: RecordOutcome) {
        self.rollouts.with_label_values(&[environment.as_str(), outcome.as_str()]).inc();
    }

    /// Counts objects brought back.
    pub fn healed(&self, environment: &EnvironmentName, objects: usize) {
        let objects = u64::try_from(objects).unwrap_or(u64::MAX);
        self.heals.with_label_values(&[environment.as_str()]).inc_by(objects);
    }

    /// How many objects were healed since the start.
    pub fn healed_in_all(&self) -> u64 {
        total(&self.heals)
    }

    /// Counts a request to an API server.
    pub fn asked_api(&self, verb: ApiVerb, result: ApiResult) {
        self.api_requests.with_label_values(&[verb.as_str(), result.as_str()]).inc();
    }

    /// Counts a request to a Git repository.
    pub fn asked_git(&self, operation: GitOperation, result: RequestResult) {
        self.git_requests.with_label_values(&[operation.as_str(), result.as_str()]).inc();
    }

    /// Says how many live objects are kept in mind.
    pub fn set_objects(&self, number: usize) {
        self.objects.set(gauge_value(number));
    }

    /// Says how many watches are open.
    pub fn set_watches(&self, number: usize) {
        self.watches.set(gauge_value(number));
    }

    /// Counts a task that was started again.
    pub fn task_restarted(&self, task: &'static str) {
        self.task_restarts.with_label_values(&[task]).inc();
    }

    /// Says how many records wait.
    pub fn set_records_waiting(&self, number: usize) {
        self.records_waiting.set(gauge_value(number));
    }

    fn set(&self, board: &Board) {
        self.application_info.reset();
        self.holds.reset();
        self.config_info.reset();
        for application in &board.applications {
            let labels = [
                application.environment.as_str(),
                application.service.as_str(),
                application.sync.as_str(),
                application.health.as_str(),
            ];
            self.application_info.with_label_values(&labels).set(1);
            for hold in &application.holds {
                self.holds.with_label_values(&[hold.reason, hold.class.as_str()]).inc();
            }
        }
        if let Some(commit) = &board.config {
            self.config_info.with_label_values(&[commit.as_str()]).set(1);
        }
    }

    fn encode(&self) -> Result<String, prometheus::Error> {
        let mut bytes = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The sum of all series of a counter.
fn total(counters: &IntCounterVec) -> u64 {
    use prometheus::core::Collector as _;
    let families = counters.collect();
    let series = families.iter().flat_map(prometheus::proto::MetricFamily::get_metric);
    let sum: f64 = series.map(|metric| metric.get_counter().get_value()).sum();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let sum = sum as u64;
    sum
}

fn gauge_value(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

struct Register<'a>(&'a Registry);

impl Register<'_> {
    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        let gauge = IntGauge::new(name, help)?;
        self.0.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(gauges.clone()))?;
        Ok(gauges)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
        let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(counters.clone()))?;
        Ok(counters)
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, prometheus::Error> {
        let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?;
        self.0.register(Box::new(histogram.clone()))?;
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests;
