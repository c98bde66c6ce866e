//! Probes and the scrape.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::Shared;
use crate::report::status::Board;

/// The process answers.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether every application was judged once.
pub(super) async fn readyz(State(shared): State<Shared>) -> Response {
    match unready(&shared.board()) {
        None => "ok\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

/// Why not everything is known yet.
pub(super) fn unready(board: &Board) -> Option<&'static str> {
    match (board.ready, &board.config) {
        (true, _) => None,
        (false, None) => Some("the config repository has not been read yet"),
        (false, Some(_)) => {
            Some("not every application has been judged yet: the clusters' objects are being listed")
        }
    }
}

/// Prometheus' text format.
pub(super) async fn metrics(State(shared): State<Shared>) -> Response {
    match shared.metrics.text_of(&shared.board()) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!({ crate::telemetry::field::ERROR } = %error, "Failed to write the metrics");
            (StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written; the log says why\n")
                .into_response()
        }
    }
}
