//! The only readers of the clock and of the operating system's entropy.

use std::sync::LazyLock;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

use crate::model::digest::HashKey;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// What the machine's clock says: for records, and for comparing with times that others wrote. Somebody may set
    /// it, forwards or backwards.
    fn now(&self) -> Timestamp;

    /// A time that goes on evenly whatever becomes of the machine's clock: for waiting, and for what takes too long.
    fn steady(&self) -> Timestamp;
}

/// The machine's clock.
pub struct SystemClock;

/// When the process first asked: what the machine's clock said, and the same moment on the even one.
#[expect(clippy::disallowed_methods, reason = "this is the place that reads the clock")]
static START: LazyLock<(Timestamp, Instant)> = LazyLock::new(|| (Timestamp::now(), Instant::now()));

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the place that reads the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn steady(&self) -> Timestamp {
        let (time, moment) = *START;
        let elapsed = SignedDuration::try_from(moment.elapsed()).unwrap_or(SignedDuration::MAX);
        time.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }
}

/// Makes keys that nobody can guess.
pub trait Entropy: Send + Sync {
    /// A new key; fails where the operating system has no entropy to give.
    fn key(&self) -> Result<HashKey, std::io::Error>;
}

/// The operating system's entropy.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn key(&self) -> Result<HashKey, std::io::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(HashKey::new(bytes))
    }
}
