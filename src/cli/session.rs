//! What commands share: settings → the world, and one look at everything without acting.

use std::sync::Arc;
use std::time::Duration;

use super::output::Failure;
use crate::adapters::World;
use crate::adapters::charts::{CAPACITY, ChartRepositories, ChartSettings};
use crate::adapters::clock::{SystemClock, SystemEntropy};
use crate::adapters::git::{Git, GitSettings, Limits};
use crate::adapters::kube::KubeClusters;
use crate::adapters::registry::{ImageRegistries, Remembered};
use crate::adapters::workers::Workers;
use crate::desired::nearest;
use crate::model::error::chain;
use crate::model::name::EnvironmentName;
use crate::reconciler::observe::Observer;
use crate::reconciler::{Options, Outcome, RunMode};
use crate::settings::{CommonArguments, Settings};
use crate::telemetry::Metrics;

/// Settings with the world that they describe.
pub(super) struct Session {
    pub(super) settings: Settings,
    pub(super) world: World,
    /// For what only commands do: comparing commits, and commits of people.
    pub(super) git: Git,
}

impl Session {
    /// Reads the settings and sets up clients; contacts nothing yet.
    pub(super) fn open(common: &CommonArguments) -> Result<Self, Failure> {
        let settings = common.resolve().map_err(|error| Failure::new(chain(&error)))?;
        let git = Git::new(GitSettings {
            data_directory: settings.data_directory.clone(),
            credentials: settings.credentials.clone(),
            limits: Limits::default(),
        })
        .map_err(|error| Failure::new(chain(&error)))?;
        let state = settings.state.clone().map(|url| {
            Arc::new(git.state(url, &settings.state_branch)) as Arc<dyn crate::adapters::sources::StateStore>
        });
        let metrics = Arc::new(Metrics::new().map_err(|error| Failure::new(chain(&error)))?);
        let charts = ChartRepositories::new(ChartSettings {
            data_directory: settings.data_directory.clone(),
            credentials: settings.credentials.clone(),
            capacity: CAPACITY,
        })
        .map_err(|error| Failure::new(chain(&error)))?;
        let registries =
            ImageRegistries::new(settings.image_registries()).map_err(|error| Failure::new(chain(&error)))?;
        let clock = Arc::new(SystemClock);
        let world = World {
            sources: Arc::new(git.clone()),
            charts: Arc::new(charts),
            registries: Arc::new(Remembered::new(registries, clock.clone())),
            clusters: Arc::new(KubeClusters::new(
                settings.kubeconfig.clone(),
                settings.context.clone(),
                metrics.clone(),
            )),
            state,
            clock,
            entropy: Arc::new(SystemEntropy),
            workers: Workers::new(),
            metrics: metrics.clone(),
        };
        Ok(Self { settings, world, git })
    }

    /// Refuses environments that the config repository does not name, before anything is written for them. Where
    /// it cannot be read, the run itself says so.
    pub(super) async fn insist_on(&self, names: &[EnvironmentName]) -> Result<(), Failure> {
        if names.is_empty() {
            return Ok(());
        }
        let mut observer = Observer::new(self.world.clone(), self.options(Vec::new(), true)?);
        if observer.read_config(None).await.is_err() {
            return Ok(());
        }
        let Some(configuration) =
            observer.config().and_then(|config| config.repository.configuration.as_ref())
        else {
            return Ok(());
        };
        let known: Vec<&str> = configuration.environments.keys().map(EnvironmentName::as_str).collect();
        let stranger = names.iter().find(|name| !configuration.environments.contains_key(*name));
        stranger.map_or(Ok(()), |name| Err(unknown("environment", name.as_str(), &known)))
    }

    /// The options of the reconciler.
    pub(super) fn options(
        &self,
        environments: Vec<EnvironmentName>,
        dry_run: bool,
    ) -> Result<Options, Failure> {
        let config = self.settings.config.clone().ok_or_else(|| {
            Failure::new("no config repository was named")
                .hint("give --config URL|PATH, or set MOORLINE_CONFIG")
        })?;
        Ok(Options {
            config,
            config_branch: self.settings.config_branch.clone(),
            own_namespace: self.settings.own_namespace.clone(),
            environments,
            poll: Duration::from_mins(1),
            dry_run,
            revision: None,
            random: false,
            as_helm: false,
            leader_election: true,
        })
    }

    /// Observes and decides once, and writes nothing.
    pub(super) async fn look(&self, environments: Vec<EnvironmentName>) -> Result<Outcome, Failure> {
        self.look_at(environments, None).await
    }

    /// The same for a revision of the config repository.
    pub(super) async fn look_at(
        &self,
        environments: Vec<EnvironmentName>,
        revision: Option<String>,
    ) -> Result<Outcome, Failure> {
        let mut options = self.options(environments, true)?;
        options.revision = revision;
        let (board, _) = tokio::sync::watch::channel(Arc::default());
        let world = World { state: None, ..self.world.clone() };
        Ok(crate::reconciler::run(world, options, RunMode::Once, board, std::future::pending()).await)
    }
}

/// Refuses names that neither Git nor the inventory knows; says nothing where Git could not be read.
pub(super) fn insist_known(
    outcome: &Outcome,
    environment: Option<&str>,
    service: Option<&str>,
) -> Result<(), Failure> {
    let board = &outcome.board;
    let Some(environment) = environment else { return Ok(()) };
    if board.config.is_none() || board.environments.is_empty() {
        return Ok(());
    }
    let of_environment = board.applications.iter().filter(|one| one.environment == environment);
    let services: Vec<&str> = of_environment.map(|one| one.service.as_str()).collect();
    if services.is_empty() && !board.environments.iter().any(|one| one == environment) {
        let known: Vec<&str> = board.environments.iter().map(String::as_str).collect();
        return Err(unknown("environment", environment, &known));
    }
    match service {
        Some(service) if outcome.failures.is_empty() && !services.contains(&service) => {
            Err(unknown(&format!("service in {environment}"), service, &services))
        }
        _ => Ok(()),
    }
}

/// The error for a name that is not among those known.
pub(super) fn unknown(what: &str, name: &str, known: &[&str]) -> Failure {
    let hint = nearest(name, known)
        .map_or_else(|| format!("known: {}", known.join(", ")), |near| format!("did you mean {near}?"));
    Failure::new(format!("there is no {what} named {name:?}")).hint(hint)
}

/// A runtime for commands; the daemon uses one too. What needs one may live long, and each of its threads has a heap:
/// it does without huge pages, which spare a short render many page faults, and holds half the memory.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    // A kernel that refuses this costs memory and nothing else.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("failed to start: {error}")))
}

/// Parses the ENV argument.
pub(super) fn environment(text: &str) -> Result<EnvironmentName, Failure> {
    text.parse().map_err(|error| Failure::new(format!("{error}")))
}
