//! The watches of one cluster, one task for each place. One that ends is started again; when a cluster that was silent
//! answers again, all of them are, for their connections may be dead.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use futures::StreamExt as _;
use tokio::sync::watch;

use super::guard::Silence;
use super::live::{LiveIndex, Place};
use super::{ClusterEvent, Tell};
use crate::adapters::cluster::{ClusterError, ClusterRead, WatchEvent};
use crate::adapters::tasks::Tasks;
use crate::telemetry::Metrics;

/// The watches; they end with this value.
pub struct Watches {
    watch: Watch,
    running: HashSet<Place>,
    tasks: Tasks,
}

/// What every watch of a cluster needs.
#[derive(Clone)]
struct Watch {
    index: LiveIndex,
    cluster: Arc<dyn ClusterRead>,
    silence: watch::Receiver<Silence>,
    selector: Arc<str>,
    tell: Tell,
}

impl Watches {
    /// No watch yet.
    pub(super) fn new(
        index: LiveIndex,
        cluster: Arc<dyn ClusterRead>,
        silence: watch::Receiver<Silence>,
        selector: String,
        tell: Tell,
        metrics: Arc<Metrics>,
    ) -> Self {
        let watch = Watch { index, cluster, silence, selector: selector.into(), tell };
        Self { watch, running: HashSet::new(), tasks: Tasks::new(metrics) }
    }

    /// Starts the watch of a place, unless it runs.
    pub fn ensure(&mut self, place: Place, namespaced: bool) {
        if !self.running.insert(place.clone()) {
            return;
        }
        let watch = self.watch.clone();
        self.tasks.supervise("watch", move || watch.clone().run(place.clone(), namespaced));
    }

    /// How many places are watched.
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Whether nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }
}

impl Watch {
    /// Watches until the stream ends, or until a cluster that was silent answers again.
    async fn run(mut self, place: Place, namespaced: bool) -> ControlFlow<()> {
        loop {
            let mut stream =
                self.cluster.watch(&place.kind, None, place.namespace.as_deref(), &self.selector);
            loop {
                let event = tokio::select! {
                    biased;
                    () = answers_again(&mut self.silence) => break,
                    event = stream.next() => event,
                };
                let Some(event) = event else { return ControlFlow::Continue(()) };
                let listed = matches!(event, WatchEvent::Listed | WatchEvent::Failed(_));
                let refused = namespaced
                    && place.namespace.is_none()
                    && matches!(event, WatchEvent::Failed(ClusterError::Forbidden { .. }));
                self.index
                    .take(&place, event)
                    .into_iter()
                    .for_each(|one| (self.tell)(ClusterEvent::Live(one)));
                if listed {
                    (self.tell)(ClusterEvent::Listed { refused });
                }
                // The namespaces are watched one by one instead.
                if refused {
                    return ControlFlow::Break(());
                }
            }
        }
    }
}

/// Ends when a cluster that was silent answers again.
pub(super) async fn answers_again(silence: &mut watch::Receiver<Silence>) {
    let again = async {
        silence.wait_for(Option::is_some).await.ok()?;
        silence.wait_for(Option::is_none).await.ok()?;
        Some(())
    };
    if again.await.is_none() {
        std::future::pending().await
    }
}
