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

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It is carried out.
    Go,
    /// Everything stops before it.
    Before,
    /// Everything stops before its answer is heard.
    After,
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

    /// Counts a call, and says whether everything stops at it.
    pub fn moment(&self) -> Moment {
        let calls = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let left = if self.armed.load(Ordering::SeqCst) {
            self.fuse.fetch_sub(1, Ordering::SeqCst)
        } else {
            i64::MAX
        };
        match left {
            1 if calls % 2 == 1 => Moment::After,
            ..=1 => Moment::Before,
            _ => Moment::Go,
        }
    }

    /// Everything stops here: the call never returns.
    pub async fn stop(&self) -> ! {
        self.stopped.notify_one();
        std::future::pending().await
    }

    /// Carries out one call under the plan. Every call first lets others run, as a network would.
    pub(super) async fn around<T, E>(
        &self,
        operation: &'static str,
        call: impl FnOnce() -> Result<T, E>,
        refused: impl Fn() -> E,
    ) -> Result<T, E> {
        let moment = self.moment();
        tokio::task::yield_now().await;
        match moment {
            Moment::Go => {}
            Moment::Before => self.stop().await,
            Moment::After => {
                let _ = call();
                self.stop().await
            }
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
