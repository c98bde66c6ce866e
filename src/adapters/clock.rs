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

/// Beats in the background, ten times a second, until it is dropped: for work that may not read the clock itself and
/// must end all the same.
pub struct Beating {
    stop: std::sync::mpsc::Sender<()>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Beating {
    /// Starts. Where no thread can be had, nothing beats.
    pub fn start(beat: impl Fn() + Send + 'static) -> Self {
        let (stop, stopped) = std::sync::mpsc::channel();
        let work = move || {
            while stopped
                .recv_timeout(std::time::Duration::from_millis(100))
                .is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                beat();
            }
        };
        let thread = std::thread::Builder::new().name("pulse".to_owned()).spawn(work).ok();
        Self { stop, thread }
    }
}

impl Drop for Beating {
    fn drop(&mut self) {
        let _ = self.stop.send(());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
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
