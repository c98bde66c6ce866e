//! Server-sent events: a bell for open pages. An event carries no data beyond the revision; a page that hears it
//! reads itself anew, so there is one way to draw it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::{Shared, api};
use crate::report::status::Board;

/// How many pages may listen at once.
const VIEWERS: usize = 128;
/// The shortest time between two events.
const PAUSE: Duration = Duration::from_secs(1);

/// The places of those who listen.
#[derive(Clone)]
pub(super) struct Viewers(Arc<Semaphore>);

impl Default for Viewers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(VIEWERS)))
    }
}

struct Listening {
    board: watch::Receiver<Arc<Board>>,
    closing: watch::Receiver<bool>,
    seen: Arc<Board>,
    /// Whether an event was sent already, and the next has to keep its distance.
    told: bool,
    _place: OwnedSemaphorePermit,
}

/// One event whenever the board tells something new, until the process ends.
pub(super) async fn stream(State(shared): State<Shared>) -> Response {
    let Ok(place) = shared.viewers.0.clone().try_acquire_owned() else {
        return api::problem(StatusCode::SERVICE_UNAVAILABLE, "too many pages are listening: reload by hand");
    };
    let mut board = shared.board.clone();
    let seen = board.borrow_and_update().clone();
    let listening = Listening { seen, board, closing: shared.closing.clone(), told: false, _place: place };
    let events = stream::unfold(listening, |mut listening| async move {
        let revision = listening.next().await?;
        let event = Event::default().event("board").data(revision);
        Some((Ok::<_, Infallible>(event), listening))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

impl Listening {
    /// The revision of the next board that differs; nothing when the process ends.
    async fn next(&mut self) -> Option<String> {
        let Self { board, closing, seen, told, .. } = self;
        let news = async {
            if std::mem::replace(told, true) {
                tokio::time::sleep(PAUSE).await;
            }
            loop {
                board.changed().await.ok()?;
                let now = board.borrow_and_update().clone();
                if is_news(seen, &now) {
                    *seen = now;
                    return Some(seen.config.clone().unwrap_or_default());
                }
            }
        };
        tokio::select! {
            revision = news => revision,
            _ = closing.wait_for(|closing| *closing) => None,
        }
    }
}

/// Whether a page would look different, apart from its clock.
fn is_news(seen: &Board, now: &Board) -> bool {
    (seen.ready, &seen.config, &seen.environments, &seen.applications)
        != (now.ready, &now.config, &now.environments, &now.applications)
}
