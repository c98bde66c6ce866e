//! The JSON API: the same values as the pages, in the shapes of `moorline status -o json`.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::Shared;
use super::filter::Filter;
use crate::report::status::ApplicationStatus;

/// An answer that is no data.
#[derive(Serialize)]
struct Problem<'a> {
    error: &'a str,
}

/// Any failure as JSON.
pub(super) fn problem(status: StatusCode, error: &str) -> Response {
    (status, Json(Problem { error })).into_response()
}

/// The whole board.
pub(super) async fn board(State(shared): State<Shared>) -> Response {
    Json(&*shared.board()).into_response()
}

/// The applications, filtered as on the first page.
pub(super) async fn applications(State(shared): State<Shared>, uri: Uri) -> Response {
    let board = shared.board();
    let filter = Filter::of_query(uri.query());
    let shown: Vec<&ApplicationStatus> = board.applications.iter().filter(|one| filter.shows(one)).collect();
    Json(shown).into_response()
}

/// One application.
pub(super) async fn application(
    State(shared): State<Shared>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Response {
    let board = shared.board();
    let found = path.ok().and_then(|Path((environment, service))| {
        board.applications.iter().find(|one| one.environment == environment && one.service == service)
    });
    match found {
        Some(application) => Json(application).into_response(),
        None => problem(StatusCode::NOT_FOUND, "there is no such application"),
    }
}
