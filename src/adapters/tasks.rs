//! Tasks that have to run for as long as the process does: one that ends or panics is started again, with a pause that
//! grows, and counted. They end when their owner drops its [`Tasks`].

use std::future::Future;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::panics;
use crate::telemetry::Metrics;

/// How long after its end a task is started again, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// A group of tasks; they end with it.
pub struct Tasks {
    set: JoinSet<()>,
    metrics: Arc<Metrics>,
}

impl Tasks {
    /// An empty group.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { set: JoinSet::new(), metrics }
    }

    /// Runs what ends by itself: a single question, an errand.
    pub fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.set.spawn(task);
        // Whatever ended is let go of.
        while self.set.try_join_next().is_some() {}
    }

    /// Runs a task again and again until it says that it is done for good. `name` is a word of the program, never of
    /// its input: it becomes the label of a metric.
    pub fn supervise<F>(&mut self, name: &'static str, make: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = ControlFlow<()>> + Send + 'static,
    {
        let metrics = self.metrics.clone();
        self.spawn(async move {
            let mut pause = PAUSES.0;
            loop {
                match panics::caught(make()).await {
                    Ok(ControlFlow::Break(())) => return,
                    Ok(ControlFlow::Continue(())) => {}
                    Err(place) => tracing::error!(task = name, panic.place = %place, "A task broke off"),
                }
                metrics.task_restarted(name);
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(PAUSES.1);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test(start_paused = true)]
    async fn a_task_that_ends_or_panics_is_started_again_until_it_is_done() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let mut tasks = Tasks::new(metrics.clone());
        let runs = Arc::new(AtomicU32::new(0));
        let (sender, mut done) = tokio::sync::mpsc::unbounded_channel();
        let counted = runs.clone();
        tasks.supervise("test", move || {
            let (run, sender) = (counted.fetch_add(1, Ordering::SeqCst), sender.clone());
            async move {
                assert_ne!(run, 0, "the first run breaks off");
                if run == 1 {
                    return ControlFlow::Continue(());
                }
                let _ = sender.send(());
                ControlFlow::Break(())
            }
        });
        done.recv().await.unwrap();
        assert_eq!(runs.load(Ordering::SeqCst), 3);
        assert!(metrics.text().unwrap().contains("moorline_task_restarts_total{task=\"test\"} 2"));
    }
}
