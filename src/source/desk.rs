//! Questions to one remote, answered one after the other by a task of their own. An answer waits until somebody fetches
//! it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::{AGAIN, Looks, Moment, Ring};
use crate::adapters::panics;

/// Where questions are left and answers fetched; ends with its task.
pub(super) struct Desk<Q, A> {
    questions: UnboundedSender<Q>,
    shared: Arc<Shared<Q, A>>,
    moment: Moment,
    task: AbortHandle,
}

struct Shared<Q, A> {
    slips: Mutex<HashMap<Q, Slip<A>>>,
    answered: watch::Sender<u64>,
    ring: Ring,
}

enum Slip<A> {
    /// It is on its way; whether somebody gave up waiting.
    Asked {
        given_up: bool,
    },
    Answered(A),
}

/// What the desk has to know of answers.
pub(super) trait Answer: Clone + Send + 'static {
    /// The answer where answering broke off.
    fn broken(place: &str) -> Self;

    /// Whether the remote did not answer, so that it is worth asking again soon.
    fn is_passing(&self) -> bool;
}

impl<Q: Clone + Eq + Hash + Send + 'static, A: Answer> Desk<Q, A> {
    /// Opens it; `answer` may take as long as it needs.
    pub(super) fn open(answer: impl Fn(Q) -> BoxFuture<'static, A> + Send + 'static, looks: &Looks) -> Self {
        let (questions, mut asked) = unbounded_channel::<Q>();
        let (answered, _) = watch::channel(0);
        let ring = looks.ring.clone();
        let shared = Arc::new(Shared { slips: Mutex::default(), answered, ring });
        let desk = shared.clone();
        let task = tokio::spawn(async move {
            while let Some(question) = asked.recv().await {
                let answer = panics::caught(answer(question.clone())).await;
                let answer = answer.unwrap_or_else(|place| A::broken(&place));
                desk.put(question, answer);
            }
        });
        Self { questions, shared, moment: looks.moment.clone(), task: task.abort_handle() }
    }

    /// The answer, if it comes before the reading's moment is over; else it rings when it comes. An answer is given
    /// once.
    pub(super) async fn ask(&self, question: &Q) -> Option<A> {
        let mut answered = self.shared.answered.subscribe();
        if self.shared.is_new(question) {
            // The task lives as long as the desk.
            let _ = self.questions.send(question.clone());
        }
        loop {
            if let Some(answer) = self.shared.fetch(question) {
                if answer.is_passing() {
                    self.shared.ring_later();
                }
                return Some(answer);
            }
            if tokio::time::timeout_at(self.moment.end(), answered.changed()).await.is_err() {
                self.shared.give_up(question);
                return None;
            }
        }
    }

    /// Whether an answer is still on its way.
    pub(super) fn is_waiting(&self) -> bool {
        self.shared.lock().values().any(|slip| matches!(slip, Slip::Asked { .. }))
    }
}

impl<Q, A> Drop for Desk<Q, A> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<Q: Clone + Eq + Hash, A: Answer> Shared<Q, A> {
    fn lock(&self) -> MutexGuard<'_, HashMap<Q, Slip<A>>> {
        self.slips.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a question. Whether it is not on its way yet.
    fn is_new(&self, question: &Q) -> bool {
        let mut slips = self.lock();
        let is_new = !slips.contains_key(question);
        if is_new {
            slips.insert(question.clone(), Slip::Asked { given_up: false });
        }
        is_new
    }

    fn give_up(&self, question: &Q) {
        if let Some(Slip::Asked { given_up }) = self.lock().get_mut(question) {
            *given_up = true;
        }
    }

    fn fetch(&self, question: &Q) -> Option<A> {
        let mut slips = self.lock();
        match slips.remove(question)? {
            Slip::Answered(answer) => Some(answer),
            asked @ Slip::Asked { .. } => {
                slips.insert(question.clone(), asked);
                None
            }
        }
    }

    fn put(&self, question: Q, answer: A) {
        let before = self.lock().insert(question, Slip::Answered(answer));
        self.answered.send_modify(|count| *count += 1);
        if matches!(before, Some(Slip::Asked { given_up: true })) {
            (self.ring)();
        }
    }

    fn ring_later(&self) {
        let ring = self.ring.clone();
        tokio::spawn(async move {
            tokio::time::sleep(AGAIN).await;
            ring();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;
    use tokio::time::Instant;

    impl Answer for Result<u64, String> {
        fn broken(place: &str) -> Self {
            Err(place.to_owned())
        }

        fn is_passing(&self) -> bool {
            self.as_ref().is_err_and(|error| error == "away")
        }
    }

    fn desk() -> (Desk<u64, Result<u64, String>>, Arc<AtomicUsize>) {
        let rings = Arc::new(AtomicUsize::new(0));
        let counted = rings.clone();
        let ring: Ring = Arc::new(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        let answer = |seconds: u64| {
            async move {
                assert_ne!(seconds, 13, "a bug");
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                if seconds == 0 { Err("away".to_owned()) } else { Ok(seconds) }
            }
            .boxed()
        };
        let looks = Looks { poll: None, moment: Moment::default(), ring };
        (Desk::open(answer, &looks), rings)
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_rings_and_is_there_the_next_time() {
        let (desk, rings) = desk();
        assert_eq!(desk.ask(&3).await, None);
        // Nobody waits twice for the same.
        let before = Instant::now();
        assert_eq!(desk.ask(&3).await, None);
        assert_eq!(before.elapsed(), Duration::ZERO);
        assert!(desk.is_waiting());
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(rings.load(Ordering::SeqCst), 1);
        assert_eq!(desk.ask(&3).await, Some(Ok(3)));
        assert!(!desk.is_waiting());
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_that_passes_rings_again_and_a_panic_is_an_answer() {
        let (desk, rings) = desk();
        assert_eq!(desk.ask(&0).await, Some(Err("away".to_owned())));
        tokio::time::sleep(AGAIN * 2).await;
        assert_eq!(rings.load(Ordering::SeqCst), 1);
        desk.moment.begin();
        assert!(desk.ask(&13).await.unwrap().unwrap_err().contains("a bug"));
    }
}
