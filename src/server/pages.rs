//! The pages: what every one of them shares. They work without the script, which only draws them anew.

mod application;
mod markup;
mod matrix;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use maud::{DOCTYPE, Markup, html};

use super::filter::Filter;
use super::{Shared, assets, probes};
use crate::report::status::Board;
use crate::report::words;

/// The first page: services × environments.
pub(super) async fn matrix(State(shared): State<Shared>, uri: Uri) -> Response {
    let board = shared.board();
    let filter = Filter::of_query(uri.query());
    page(&board, None, StatusCode::OK, &matrix::draw(&board, &filter))
}

/// One application.
pub(super) async fn application(
    State(shared): State<Shared>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Response {
    let board = shared.board();
    let Ok(Path((environment, service))) = path else {
        return missing(&board, "There is no such application.");
    };
    let same_service = board.applications.iter().filter(|one| one.service == service);
    match same_service.clone().find(|one| one.environment == environment) {
        Some(found) => {
            let title = format!("{service} in {environment}");
            let siblings: Vec<_> = markup::in_order(&board, same_service);
            page(&board, Some(&title), StatusCode::OK, &application::draw(&board, found, &siblings))
        }
        None => missing(&board, "There is no such application."),
    }
}

/// Nothing there.
pub(super) fn missing(board: &Board, sentence: &str) -> Response {
    let content = html! {
        section.empty {
            h1 { (sentence) }
            p { a href="/" { "All applications" } }
        }
    };
    page(board, Some("Not found"), StatusCode::NOT_FOUND, &content)
}

fn page(board: &Board, title: Option<&str>, status: StatusCode, content: &Markup) -> Response {
    let instance = if board.instance.is_empty() { "moorline" } else { &board.instance };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { @if let Some(title) = title { (title) " · " } (instance) }
                link rel="icon" type="image/svg+xml" href=(assets::icon_address());
                link rel="stylesheet" href=(assets::style_address());
                script src=(assets::live_address()) defer {}
            }
            body {
                (bar(board, instance))
                main {
                    @if let Some(why) = probes::unready(board) {
                        p.banner id="unready" role="status" { "Getting ready: " (why) "." }
                    }
                    (content)
                }
                (footer())
            }
        }
    };
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (status, kind, page.into_string()).into_response()
}

fn bar(board: &Board, instance: &str) -> Markup {
    html! {
        header.bar id="bar" {
            a.brand href="/" {
                img src=(assets::icon_address()) alt="" width="22" height="22";
                strong { bdi { (instance) } }
            }
            dl.now {
                @if let Some(config) = &board.config {
                    div { dt { "config" } dd { code title=(config) { (words::short(config)) } } }
                }
                @if let Some(time) = board.time {
                    div { dt { "as of" } dd { (markup::moment(time)) } }
                }
            }
        }
    }
}

fn footer() -> Markup {
    html! {
        footer {
            span { "moorline " (env!("CARGO_PKG_VERSION")) ", read-only" }
            nav aria-label="Data" {
                a href="/api/v1/board" { "JSON" }
                a href="/metrics" { "metrics" }
                a href="/readyz" { "readiness" }
            }
        }
    }
}
