//! How long a watch that failed waits until it is tried again.
//!
//! Like client-go's reflector (0.8 s, doubled up to 30 s, from the start again after two good minutes), but without
//! chance: the spread comes from what is watched, so that watches do not all return at once and a simulated day can be
//! repeated.

use std::hash::{Hash as _, Hasher as _};
use std::time::Duration;

use kube::runtime::utils::Backoff;
use rustc_hash::FxHasher;
use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(800);
const LONGEST: Duration = Duration::from_secs(30);
const GOOD: Duration = Duration::from_mins(2);

/// The pauses of one watch.
pub(super) struct Patience {
    next: Duration,
    failed: Option<Instant>,
    /// What is added to each pause, in hundredths of it.
    spread: u32,
}

impl Patience {
    /// The pauses of the watch of a place.
    pub(super) fn of(place: &str) -> Self {
        let mut hasher = FxHasher::default();
        place.hash(&mut hasher);
        // Below 50, so it fits.
        let spread = u32::try_from(hasher.finish() % 50).unwrap_or_default();
        Self { next: FIRST, failed: None, spread }
    }
}

impl Iterator for Patience {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let now = Instant::now();
        if self.failed.is_some_and(|failed| now.duration_since(failed) > GOOD) {
            self.next = FIRST;
        }
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST);
        self.failed = Some(now + pause);
        Some(pause + pause * self.spread / 100)
    }
}

impl Backoff for Patience {
    /// Every list begins with a good event: one is no sign that the next request will do. Time is.
    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_double_and_start_again_after_two_good_minutes() {
        let mut patience = Patience { spread: 0, ..Patience::of("Pod in all namespaces") };
        let pauses: Vec<u128> = patience.by_ref().take(7).map(|pause| pause.as_millis()).collect();
        assert_eq!(pauses, [800, 1600, 3200, 6400, 12_800, 25_600, 30_000]);
        tokio::time::sleep(GOOD * 2).await;
        patience.reset();
        assert_eq!(patience.next(), Some(FIRST));
    }

    #[test]
    fn the_spread_is_that_of_the_place() {
        let spread = |place: &str| Patience::of(place).spread;
        assert_eq!(spread("Pod in web"), spread("Pod in web"));
        assert!((0..20).map(|number| spread(&number.to_string())).any(|one| one != spread("0")));
    }
}
