//! Watches as bodies that end when the client, the time or a fault wants it.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::time::Instant;

use super::super::watch::{Next, Watch};
use super::Served;
use super::changes::Listener;

/// How often bookmarks are written.
const BOOKMARKS: Duration = Duration::from_mins(1);
/// How long a watch lasts that the client does not limit.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(45);
/// About how much is written at once.
const CHUNK: usize = 64 * 1024;

struct State {
    served: Served,
    watch: Watch,
    writes: Listener,
    ends: Instant,
    bookmark: Instant,
}

/// The lines of a watch.
pub(super) fn of(served: Served, watch: Watch) -> UnsyncBoxBody<Bytes, Infallible> {
    let now = Instant::now();
    let lasts = watch.timeout_seconds.map_or(DEFAULT_TIMEOUT, Duration::from_secs);
    let state = State {
        writes: served.changes.listener(),
        served,
        watch,
        ends: now + lasts.min(DEFAULT_TIMEOUT * 4),
        bookmark: now + BOOKMARKS,
    };
    let lines = futures::stream::unfold(state, next).map(|chunk| Ok(Frame::data(chunk)));
    StreamBody::new(lines).boxed_unsync()
}

async fn next(mut state: State) -> Option<(Bytes, State)> {
    loop {
        state.writes.mark_seen();
        let (text, ended) = state.collect();
        if !text.is_empty() {
            return Some((Bytes::from(text), state));
        }
        if ended || Instant::now() >= state.ends {
            return None;
        }
        let (ends, bookmark) = (state.ends, state.bookmark);
        tokio::select! {
            biased;
            () = state.writes.changed() => {}
            () = tokio::time::sleep_until(ends) => {}
            () = tokio::time::sleep_until(bookmark) => {
                state.bookmark = Instant::now() + BOOKMARKS;
                let said = state.watch.bookmark(&state.served.cluster().store);
                if let Some(event) = said {
                    return Some((Bytes::from(event.line()), state));
                }
            }
        }
    }
}

impl State {
    /// What is there to be told now, and whether that was the last.
    fn collect(&mut self) -> (String, bool) {
        let now = self.served.now();
        let cluster = self.served.cluster();
        let mut text = String::new();
        while text.len() < CHUNK {
            match self.watch.next(&cluster.store, now) {
                Next::Event(event) => text.push_str(&event.line()),
                Next::Pending => return (text, false),
                Next::Ended => return (text, true),
            }
        }
        (text, false)
    }
}
