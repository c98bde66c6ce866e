//! The sandbox on the clock of a test, reached through the real adapter for Kubernetes and without a socket: what the
//! cluster of these doubles and the simulation share.

use std::future::Future;
use std::sync::Arc;

use moorline::adapters::clock::Clock as _;
use moorline::adapters::kube::OneKubeCluster;
use moorline::sandbox::cluster::Cluster;
use moorline::sandbox::controllers::Pace;
use moorline::sandbox::faults::Faults;
use moorline::sandbox::front::{Answer, Reset, Served, carry_out, deliver};
use moorline::sandbox::request::{Request, Response};
use moorline::telemetry::Metrics;
use serde_json::Value;

use crate::{MemoryClock, Mishaps, Moment};

/// A request as a client sends it.
pub type Asked = http::Request<kube::client::Body>;

/// A cluster that a seed and the time make. Its controllers rest until somebody awaits `control`.
pub fn served(seed: u64, clock: &Arc<MemoryClock>) -> Served {
    let clock = clock.clone();
    let cluster = Cluster::new(seed, Pace::default(), clock.steady());
    Served::with_clock(cluster, Arc::new(move || clock.steady()))
}

/// The real adapter, over a function that answers its requests. Needs a runtime.
pub fn client<Answering>(
    answer: impl Fn(Asked) -> Answering + Send + 'static,
    metrics: &Arc<Metrics>,
) -> OneKubeCluster
where
    Answering: Future<Output = Result<Answer, Reset>> + Send + 'static,
{
    OneKubeCluster::new(kube::Client::new(tower::service_fn(answer), "default"), metrics.clone())
}

/// A write that was carried out or refused.
pub struct Write<'a> {
    /// `PATCH`, `DELETE`, …
    pub method: &'a str,
    /// The path.
    pub path: &'a str,
    /// The media type of what was sent.
    pub media: &'a str,
    /// The object that the path names, before.
    pub before: Option<Value>,
    /// The same afterwards.
    pub after: Option<Value>,
    /// Whether anything in the cluster is another than before.
    pub changed: bool,
    /// What the API server says; whether somebody hears it is another question.
    pub response: &'a Response,
}

/// Carries out one request under the plan of mishaps, and tells of it if it is a write and no dry run. It first lets
/// others run, as a network would.
///
/// # Errors
///
/// A fault of the sandbox breaks the connection.
pub async fn converse(
    served: Served,
    mishaps: &Mishaps,
    request: Asked,
    told: impl FnOnce(&Write<'_>),
) -> Result<Answer, Reset> {
    let moment = mishaps.moment();
    tokio::task::yield_now().await;
    if moment == Moment::Before {
        mishaps.stop().await;
    }
    let answer = answer_and_tell(served, request, told).await;
    if moment == Moment::After {
        mishaps.stop().await;
    }
    answer
}

async fn answer_and_tell(
    served: Served,
    request: Asked,
    told: impl FnOnce(&Write<'_>),
) -> Result<Answer, Reset> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let dry = request.uri().query().is_some_and(|query| query.contains("dryRun"));
    let media = request.headers().get(http::header::CONTENT_TYPE).and_then(|media| media.to_str().ok());
    let media = media.unwrap_or_default().to_owned();
    let writes = method != http::Method::GET && !dry;
    let before = writes.then(|| look(&served, &path)).flatten();
    let version = served.cluster().store.version();
    let done = match carry_out(&served, request).await {
        Ok(done) => done,
        Err(too_large) => return Ok(too_large),
    };
    if writes {
        let changed = served.cluster().store.version() != version;
        let (method, after, response) = (method.as_str(), look(&served, &path), done.response());
        told(&Write { method, path: &path, media: &media, before, after, changed, response });
    }
    deliver(served, done).await
}

/// Reads one object by its path, as the administrator, without any fault.
pub fn look(served: &Served, path: &str) -> Option<Value> {
    let steps: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (group, rest) = match steps.as_slice() {
        ["api", _, rest @ ..] => ("", rest),
        ["apis", group, _, rest @ ..] => (*group, rest),
        _ => return None,
    };
    let (namespace, plural, name) = match rest {
        ["namespaces", namespace, plural, name, ..] => (*namespace, *plural, *name),
        [plural, name] => ("", *plural, *name),
        _ => return None,
    };
    let collection = if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") };
    served.cluster().store.get(&collection, namespace, name).map(|object| (**object).clone())
}

/// Carries out what a person asks for: no fault and no mishap befalls people.
pub fn by_hand(served: &Served, request: &Request) -> Response {
    let now = served.now();
    let mut cluster = served.cluster();
    let faults = std::mem::replace(&mut cluster.store.faults, Faults::new(0));
    let response = cluster.handle(request, now);
    cluster.store.faults = faults;
    response
}
