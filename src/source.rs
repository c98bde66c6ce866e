//! Repositories, chart repositories and image registries, each looked after by tasks of its own: they poll, fetch and back off, keep what
//! came last, and ring when something is new. Whoever reads waits for nobody longer than a moment; what has not come
//! by then holds only its readers, and rings when it comes.
//!
//! [`Repositories`] and [`ChartRepositories`] are the [`Sources`](crate::adapters::sources::Sources) and
//! [`Charts`](crate::adapters::charts::Charts) that the reconciler reads; they decide nothing.

mod charts;
mod desk;
mod poll;
mod registries;
mod repositories;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

pub use charts::ChartRepositories;
pub use registries::ImageRegistries;
pub use repositories::Repositories;

/// How long a reading waits for answers that are not there yet, all of them together.
const MOMENT: Duration = Duration::from_secs(1);
/// Who has not answered for so long is called silent.
const SILENT: Duration = Duration::from_secs(10);
/// A remote that did not answer is asked again after so long at most.
const AGAIN: Duration = Duration::from_secs(5);

/// Rings when something new can be read.
pub type Ring = Arc<dyn Fn() + Send + Sync>;

/// Until when the reading that is under way waits for answers. Cheap to clone.
#[derive(Clone)]
pub struct Moment(Arc<Mutex<Instant>>);

impl Moment {
    /// A reading begins.
    pub fn begin(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + MOMENT;
    }

    fn end(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Moment {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Instant::now() + MOMENT)))
    }
}

/// How repositories are looked after.
#[derive(Clone)]
pub struct Looks {
    /// How often a repository whose branches are followed is asked; absent for a single look.
    pub poll: Option<Duration>,
    /// How long readers wait.
    pub moment: Moment,
    /// Rings when something new can be read.
    pub ring: Ring,
}
