//! What goes wrong: single calls that fail, and the moment at which everything stops.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// It is refused before anything happens, as by a connection that cannot be made.
    Refused,
    /// It is carried out, and the answer is lost.
    LostAnswer,
}

/// The plan of mishaps of one world.
#[derive(Default)]
pub struct Mishaps {
    calls: AtomicU64,
    /// Calls left until everything stops; negative means never.
    fuse: AtomicI64,
    armed: std::sync::atomic::AtomicBool,
    stopped: Notify,
    planned: Mutex<VecDeque<(&'static str, Mishap)>>,
}

impl Mishaps {
    /// Everything stops at the `calls`th call from now: before it is carried out if `calls` is even, after it if
    /// odd. The call never returns, as for a process that is killed.
    pub fn kill_after(&self, calls: u32) {
        self.fuse.store(i64::from(calls), Ordering::SeqCst);
        self.armed.store(true, Ordering::SeqCst);
    }

    /// Nothing stops any more.
    pub fn disarm(&self) {
        self.armed.store(false, Ordering::SeqCst);
    }

    /// Returns when everything stopped.
    pub async fn stopped(&self) {
        self.stopped.notified().await;
    }

    /// The next call of an operation meets this mishap.
    pub fn plan(&self, operation: &'static str, mishap: Mishap) {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner).push_back((operation, mishap));
    }

    /// Forgets all planned mishaps.
    pub fn clear(&self) {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// How many calls were made.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Carries out one call under the plan. Every call first lets others run, as a network would.
    pub(super) async fn around<T, E>(
        &self,
        operation: &'static str,
        call: impl FnOnce() -> Result<T, E>,
        refused: impl Fn() -> E,
    ) -> Result<T, E> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        let left = if self.armed.load(Ordering::SeqCst) {
            self.fuse.fetch_sub(1, Ordering::SeqCst)
        } else {
            i64::MAX
        };
        if left <= 1 {
            let odd = self.calls() % 2 == 1;
            if left == 1 && odd {
                let _ = call();
            }
            self.stopped.notify_one();
            return std::future::pending().await;
        }
        match self.take(operation) {
            None => call(),
            Some(Mishap::Refused) => Err(refused()),
            Some(Mishap::LostAnswer) => {
                let _ = call();
                Err(refused())
            }
        }
    }

    fn take(&self, operation: &str) -> Option<Mishap> {
        let mut planned = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
        let index = planned.iter().position(|(name, _)| *name == operation || *name == "any")?;
        planned.remove(index).map(|(_, mishap)| mishap)
    }
}
