//! The style sheet, the script and the icon, inside the binary. Pages name them with their digest, so that a
//! browser may keep them for good.

use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use std::sync::LazyLock;

use crate::model::digest::Digest;

pub(super) const STYLE_PATH: &str = "/style.css";
pub(super) const LIVE_PATH: &str = "/live.js";
pub(super) const ICON_PATH: &str = "/icon.svg";

const STYLE: &str = include_str!("assets/style.css");
const LIVE: &str = include_str!("assets/live.js");
const ICON: &str = include_str!("assets/icon.svg");

static STYLE_ADDRESS: LazyLock<String> = LazyLock::new(|| address(STYLE_PATH, STYLE));
static LIVE_ADDRESS: LazyLock<String> = LazyLock::new(|| address(LIVE_PATH, LIVE));
static ICON_ADDRESS: LazyLock<String> = LazyLock::new(|| address(ICON_PATH, ICON));

fn address(path: &str, content: &str) -> String {
    format!("{path}?{}", Digest::of(content.as_bytes()).short())
}

/// Where pages find the style sheet.
pub(super) fn style_address() -> &'static str {
    &STYLE_ADDRESS
}

/// Where pages find the script.
pub(super) fn live_address() -> &'static str {
    &LIVE_ADDRESS
}

/// Where pages find the icon.
pub(super) fn icon_address() -> &'static str {
    &ICON_ADDRESS
}

pub(super) async fn style() -> Response {
    asset("text/css; charset=utf-8", STYLE)
}

pub(super) async fn live() -> Response {
    asset("text/javascript; charset=utf-8", LIVE)
}

pub(super) async fn icon() -> Response {
    asset("image/svg+xml", ICON)
}

fn asset(kind: &'static str, content: &'static str) -> Response {
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "max-age=31536000, immutable")];
    (headers, content).into_response()
}
