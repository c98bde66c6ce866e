//! Where work is done that takes the processor: threads beside those of the runtime, as many at once as there are
//! cores. Work that takes long gives its place to others and goes on beside them, so that it holds nobody up.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::panics;

/// Work that has run for so long gives its place away.
const LONG: Duration = Duration::from_millis(500);
/// So much long work goes on beside the rest; more of it keeps its place.
const MOST_LONG: usize = 32;

/// The threads. Cheap to clone.
#[derive(Clone)]
pub struct Workers(Option<Arc<Places>>);

struct Places {
    usual: Arc<Semaphore>,
    long: Arc<Semaphore>,
}

/// What became of a piece of work.
pub enum Work<T> {
    /// It is done; or it panicked, with the place.
    Done(Result<T, String>),
    /// It goes on.
    Long(LongWork<T>),
}

/// Work that goes on beside the rest; ends unheard when this is dropped.
pub struct LongWork<T> {
    running: JoinHandle<Result<T, String>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl<T> LongWork<T> {
    /// Its end.
    pub async fn end(self) -> Result<T, String> {
        self.running.await.unwrap_or_else(|error| Err(error.to_string()))
    }
}

impl Workers {
    /// As many places as there are cores.
    pub fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let semaphore = |places| Arc::new(Semaphore::new(places));
        Self(Some(Arc::new(Places { usual: semaphore(cores), long: semaphore(MOST_LONG) })))
    }

    /// No threads: work is done where it is asked for, one piece after the other. For simulations, which must come out
    /// the same each time.
    pub fn in_place() -> Self {
        Self(None)
    }

    /// Does a piece of work; what takes long is handed back while it goes on.
    pub async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Work<T> {
        let Some(places) = &self.0 else {
            return Work::Done(panics::caught_here(work));
        };
        // The semaphore is never closed.
        let place = places.usual.clone().acquire_owned().await.ok();
        let mut running = tokio::task::spawn_blocking(move || panics::caught_here(work));
        match tokio::time::timeout(LONG, &mut running).await {
            Ok(end) => Work::Done(end.unwrap_or_else(|error| Err(error.to_string()))),
            Err(_) => {
                let place = places.long.clone().try_acquire_owned().ok().or(place);
                Work::Long(LongWork { running, _place: place })
            }
        }
    }

    /// Does a piece of work, however long it takes.
    pub async fn finish<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        match self.work(work).await {
            Work::Done(end) => end,
            Work::Long(long) => long.end().await,
        }
    }
}

impl Default for Workers {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn long_work_gives_its_place_away_and_a_panic_is_a_result() {
        let workers = Workers(Some(Arc::new(Places {
            usual: Arc::new(Semaphore::new(1)),
            long: Arc::new(Semaphore::new(1)),
        })));
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let long = workers.work(move || ended.recv().is_ok()).await;
        let Work::Long(long) = long else { panic!("it cannot be done yet") };
        // The one place is free for others meanwhile.
        assert_eq!(workers.finish(|| 2).await, Ok(2));
        assert!(workers.finish(|| panic!("no")).await.is_err());
        end.send(()).unwrap();
        assert_eq!(long.end().await, Ok(true));
    }
}
