//! The only readers of the clock and of the operating system's entropy.

use jiff::Timestamp;

use crate::model::digest::HashKey;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the place that reads the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
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
