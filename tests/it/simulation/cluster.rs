//! The sandbox cluster as a daemon's client reaches it: through the real adapter, without a socket, with every write
//! judged on its way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline::adapters::kube::OneKubeCluster;
use moorline::model::inventory::Head;
use moorline::sandbox::front::{Answer, Reset, Served, carry_out, deliver};
use moorline::telemetry::Metrics;
use moorline_doubles::{Mishaps, Moment};
use serde_json::Value;

use super::book::{Book, Write, application_of, head_of};

/// More calls than any schedule needs: daemons fight without end.
const CALLS: u64 = 6_000;

/// A lock that outlives a panic of a test.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads one object by its path, as the administrator, without any fault.
pub(crate) fn look(served: &Served, path: &str) -> Option<Value> {
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

/// A client of the cluster whose writes are judged.
pub(crate) fn client(
    served: &Served,
    book: &Arc<Mutex<Book>>,
    mishaps: &Arc<Mishaps>,
    metrics: &Arc<Metrics>,
) -> OneKubeCluster {
    let (served, book, mishaps) = (served.clone(), book.clone(), mishaps.clone());
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        converse(served.clone(), book.clone(), mishaps.clone(), request)
    });
    OneKubeCluster::new(kube::Client::new(service, "default"), metrics.clone())
}

async fn converse(
    served: Served,
    book: Arc<Mutex<Book>>,
    mishaps: Arc<Mishaps>,
    request: http::Request<kube::client::Body>,
) -> Result<Answer, Reset> {
    let moment = mishaps.moment();
    tokio::task::yield_now().await;
    if moment == Moment::Before {
        mishaps.stop().await;
    }
    // The probe and the lease go on for ever; all else comes to rest.
    let upkeep = is_upkeep(request.uri().path());
    locked(&book).upkeep += u64::from(upkeep);
    let upkeeps = locked(&book).upkeep;
    if mishaps.calls() > CALLS + upkeeps {
        let last: Vec<String> = locked(&book).writes.iter().rev().take(6).cloned().collect();
        locked(&book)
            .violations
            .push(format!("it runs away: {CALLS} calls, the last writes {}", last.join(", ")));
        mishaps.stop().await;
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let dry = request.uri().query().is_some_and(|query| query.contains("dryRun"));
    let judged = method != http::Method::GET && !dry && !upkeep;
    let before = judged.then(|| look(&served, &path)).flatten();
    let version = served.cluster().store.version();
    let done = carry_out(&served, request).await;
    // A lost answer is a write all the same.
    if judged && served.cluster().store.version() != version {
        let after = look(&served, &path);
        judge(&served, &book, method.as_str(), &path, (before.as_ref(), after.as_ref()));
    }
    let answer = match done {
        Ok(done) => deliver(served, done).await,
        Err(too_large) => Ok(too_large),
    };
    if moment == Moment::After {
        mishaps.stop().await;
    }
    answer
}

/// Whether a call belongs to what a daemon does for ever: the lease of the instance, and the probe.
fn is_upkeep(path: &str) -> bool {
    path.contains("/leases") || path == "/api/v1/namespaces/kube-system"
}

fn judge(
    served: &Served,
    book: &Mutex<Book>,
    method: &str,
    path: &str,
    objects: (Option<&Value>, Option<&Value>),
) {
    let (before, after) = objects;
    let application = after.or(before).and_then(application_of);
    let head = application.and_then(|(environment, service)| head(served, &environment, &service));
    let of_head = path.rsplit('/').next().and_then(|name| name.strip_prefix("sim.")?.split_once('.'));
    let workload = of_head.and_then(|(environment, service)| {
        look(served, &format!("/apis/apps/v1/namespaces/blue-{environment}/deployments/{service}"))
    });
    let (head, workload) = (head.as_ref(), workload.as_ref());
    locked(book).judge(&Write { method, path, before, after, head, workload, now: served.now() });
}

/// The head of an application.
pub(crate) fn head(served: &Served, environment: &str, service: &str) -> Option<Head> {
    let path = format!("/api/v1/namespaces/moorline/configmaps/sim.{environment}.{service}");
    head_of(&look(served, &path)?)
}
