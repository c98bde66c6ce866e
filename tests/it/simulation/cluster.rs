//! The sandbox cluster as a daemon's client reaches it, with every write judged on its way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline::adapters::kube::OneKubeCluster;
use moorline::model::inventory::Head;
use moorline::sandbox::front::{Answer, Reset, Served};
use moorline::telemetry::Metrics;
use moorline_doubles::Mishaps;
use moorline_doubles::sandbox::{self, Asked, converse, look};

use super::book::{Book, Write, application_of, head_of};

/// More calls than any schedule needs: daemons fight without end.
const CALLS: u64 = 6_000;

/// A lock that outlives a panic of a test.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A client of the cluster whose writes are judged.
pub(crate) fn client(
    served: &Served,
    book: &Arc<Mutex<Book>>,
    mishaps: &Arc<Mishaps>,
    metrics: &Arc<Metrics>,
) -> OneKubeCluster {
    let (served, book, mishaps) = (served.clone(), book.clone(), mishaps.clone());
    let answer = move |request| answer(served.clone(), book.clone(), mishaps.clone(), request);
    sandbox::client(answer, metrics)
}

async fn answer(
    served: Served,
    book: Arc<Mutex<Book>>,
    mishaps: Arc<Mishaps>,
    request: Asked,
) -> Result<Answer, Reset> {
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
    converse(served.clone(), &mishaps, request, |write| {
        // A lost answer is a write all the same.
        if write.changed && !upkeep {
            judge(&served, &book, write);
        }
    })
    .await
}

/// Whether a call belongs to what a daemon does for ever: the lease of the instance, and the probe.
fn is_upkeep(path: &str) -> bool {
    path.contains("/leases") || path == "/api/v1/namespaces/kube-system"
}

fn judge(served: &Served, book: &Mutex<Book>, write: &sandbox::Write<'_>) {
    let sandbox::Write { method, path, .. } = *write;
    let (before, after) = (write.before.as_ref(), write.after.as_ref());
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
