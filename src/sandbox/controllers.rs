//! The controllers of a cluster, simulated: stepped with the time, never running by themselves.

use std::time::Duration;

use jiff::Timestamp;

use super::store::Store;

/// How fast things happen.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// From a pod's placement until it runs and is ready.
    pub start: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { start: Duration::from_secs(1) }
    }
}

/// All of them.
#[derive(Debug)]
pub struct Controllers {
    pace: Pace,
}

impl Controllers {
    /// None of them has seen anything yet.
    pub fn new(pace: Pace) -> Controllers {
        Controllers { pace }
    }

    /// Does what is due, and says when something is due again.
    pub fn step(&mut self, store: &mut Store, now: Timestamp) -> Option<Timestamp> {
        drop(store.take_touched());
        now.checked_add(self.pace.start).ok()
    }
}
