//! Who waits for writes is woken in the order of waiting.
//!
//! A `tokio::sync::watch` wakes in an order of chance, and a simulation that is played twice must go the same way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counts the writes of a cluster.
#[derive(Default)]
pub(super) struct Changes {
    count: AtomicU64,
    waiting: Notify,
}

impl Changes {
    /// Something was written.
    pub(super) fn tell(&self) {
        self.count.fetch_add(1, Ordering::Release);
        self.waiting.notify_waiters();
    }

    /// One that has seen everything up to now.
    pub(super) fn listener(self: &Arc<Self>) -> Listener {
        let mut listener = Listener { changes: self.clone(), seen: 0 };
        listener.mark_seen();
        listener
    }
}

/// Waits for changes.
pub(super) struct Listener {
    changes: Arc<Changes>,
    seen: u64,
}

impl Listener {
    /// What was written so far is known.
    pub(super) fn mark_seen(&mut self) {
        self.seen = self.changes.count.load(Ordering::Acquire);
    }

    /// Ends at once if something was written since the last look. May be dropped while it waits.
    pub(super) async fn changed(&self) {
        let told = self.changes.waiting.notified();
        tokio::pin!(told);
        // Before the look, so that nothing is told in between.
        told.as_mut().enable();
        if self.changes.count.load(Ordering::Acquire) == self.seen {
            told.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_write_before_the_wait_is_not_missed() {
        let changes = Arc::new(Changes::default());
        let mut listener = changes.listener();
        changes.tell();
        listener.changed().await;
        listener.mark_seen();
        let waits = tokio::time::timeout(std::time::Duration::from_millis(1), listener.changed());
        assert!(waits.await.is_err());
    }

    #[tokio::test]
    async fn all_are_woken_in_the_order_of_waiting() {
        let changes = Arc::new(Changes::default());
        let (sender, mut order) = tokio::sync::mpsc::unbounded_channel();
        for number in 0..40 {
            let (listener, sender) = (changes.listener(), sender.clone());
            tokio::spawn(async move {
                listener.changed().await;
                sender.send(number).unwrap();
            });
        }
        tokio::task::yield_now().await;
        changes.tell();
        for number in 0..40 {
            assert_eq!(order.recv().await, Some(number));
        }
    }
}
