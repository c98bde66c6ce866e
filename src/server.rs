//! The dashboard, the JSON API, probes and `/metrics`. Read-only by construction: it sees a [`Board`] and the
//! metrics, and names neither adapters nor the reconciler, so that no request can reach a cluster or a repository.

mod api;
mod assets;
mod events;
mod filter;
mod guard;
mod listener;
mod pages;
mod probes;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::report::status::Board;
use crate::telemetry::Metrics;

/// What requests are answered from.
#[derive(Clone)]
struct Shared {
    board: watch::Receiver<Arc<Board>>,
    metrics: Arc<Metrics>,
    /// Where the process listens; decides which `Host` is believed.
    address: SocketAddr,
    /// Turns true when the process is asked to end: long answers end then.
    closing: watch::Receiver<bool>,
    viewers: events::Viewers,
}

impl Shared {
    fn board(&self) -> Arc<Board> {
        self.board.borrow().clone()
    }
}

/// Serves until `shutdown` is done; requests in hand are answered first, streams of events are ended.
pub async fn serve(
    listener: TcpListener,
    board: watch::Receiver<Arc<Board>>,
    metrics: Arc<Metrics>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (close, closing) = watch::channel(false);
    let shared = Shared {
        board,
        metrics,
        address: listener.local_addr()?,
        closing,
        viewers: events::Viewers::default(),
    };
    let ending = async move {
        shutdown.await;
        // Nobody listening any more is as good as told.
        let _ = close.send(true);
    };
    axum::serve(listener::Bounded::new(listener), router(shared)).with_graceful_shutdown(ending).await
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/", get(pages::matrix))
        .route("/applications/{environment}/{service}", get(pages::application))
        .route("/api/v1/board", get(api::board))
        .route("/api/v1/applications", get(api::applications))
        .route("/api/v1/applications/{environment}/{service}", get(api::application))
        .route("/api/v1/events", get(events::stream))
        .route("/healthz", get(probes::healthz))
        .route("/readyz", get(probes::readyz))
        .route("/metrics", get(probes::metrics))
        .route(assets::STYLE_PATH, get(assets::style))
        .route(assets::LIVE_PATH, get(assets::live))
        .route(assets::ICON_PATH, get(assets::icon))
        .fallback(guard::not_found)
        .layer(middleware::from_fn_with_state(shared.clone(), guard::guard))
        .with_state(shared)
}
