//! What goes wrong between a chart repository and us, said of that repository.

use reqwest::header::RETRY_AFTER;
use reqwest::{Response, StatusCode};

use super::ChartSourceError;
use crate::adapters::web::{WebError, place};
use crate::model::chart::ChartRepository;

/// An error of HTTP as one of this repository.
pub(super) fn of_web(repository: &ChartRepository) -> impl Fn(WebError) -> ChartSourceError {
    |error| match error {
        WebError::Unreachable(message) => unreachable(repository, message),
        WebError::Denied(message) => denied(repository, message),
        WebError::Unusable(message) => unusable(repository, message),
    }
}

/// The error for an answer that is no success; `what` was asked for.
pub(super) fn refused(repository: &ChartRepository, answer: &Response, what: &str) -> ChartSourceError {
    let (status, host) = (answer.status(), place(answer.url()));
    let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            ChartSourceError::Missing { repository: repository.clone(), what: what.to_owned() }
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            let after = after.map(|after| format!(", to be tried again after {after} s")).unwrap_or_default();
            unreachable(repository, format!("{host} answered {status} for {what}{after}"))
        }
        _ if status.is_server_error() => {
            unreachable(repository, format!("{host} answered {status} for {what}"))
        }
        _ => denied(repository, format!("{host} answered {status} for {what}")),
    }
}

pub(super) fn unreachable(repository: &ChartRepository, message: impl Into<String>) -> ChartSourceError {
    ChartSourceError::Unreachable { repository: repository.clone(), message: message.into() }
}

pub(super) fn denied(repository: &ChartRepository, message: impl Into<String>) -> ChartSourceError {
    ChartSourceError::Denied { repository: repository.clone(), message: message.into() }
}

pub(super) fn unusable(repository: &ChartRepository, message: impl Into<String>) -> ChartSourceError {
    ChartSourceError::Unusable { repository: repository.clone(), message: message.into() }
}
