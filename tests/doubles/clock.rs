//! A clock that tokio's paused time moves, and entropy that can be counted.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use moorline::adapters::clock::{Clock, Entropy};
use moorline::model::digest::HashKey;

/// A clock that follows tokio's, so that paused time moves both, until somebody sets it.
#[derive(Default)]
pub struct MemoryClock {
    origin: Mutex<Option<tokio::time::Instant>>,
    ahead: AtomicI64,
}

impl MemoryClock {
    /// Somebody sets the clock: it is so many seconds ahead of the true time from now on, or behind it.
    pub fn set_ahead(&self, seconds: i64) {
        self.ahead.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for MemoryClock {
    fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_secs(self.ahead.load(Ordering::SeqCst));
        self.steady().saturating_add(ahead).unwrap_or_default()
    }

    fn steady(&self) -> Timestamp {
        let now = tokio::time::Instant::now();
        let mut origin = self.origin.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = now.saturating_duration_since(*origin.get_or_insert(now));
        let elapsed = SignedDuration::try_from(elapsed).unwrap_or_default();
        // 2026-01-01T00:00:00Z, so that what is printed looks like a time of today.
        Timestamp::from_second(1_767_225_600).unwrap_or_default().saturating_add(elapsed).unwrap_or_default()
    }
}

/// Keys that are the same in every play, and no two of which are the same in one.
#[derive(Default)]
pub struct CountingEntropy(AtomicU32);

impl Entropy for CountingEntropy {
    fn key(&self) -> Result<HashKey, std::io::Error> {
        let mut bytes = [42; 32];
        bytes[..4].copy_from_slice(&self.0.fetch_add(1, Ordering::SeqCst).to_le_bytes());
        Ok(HashKey::new(bytes))
    }
}
