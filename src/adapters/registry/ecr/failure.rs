//! What AWS says when it does not answer: told apart by its codes, with what a person can do about each.

use std::error::Error;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ecr::config::http::HttpResponse;
use aws_sdk_ecr::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_ecr::operation::batch_get_image::BatchGetImageError;

use super::super::RegistryError;
use super::Question;
use crate::model::error::chain;

/// Why there is no answer about a repository.
pub(super) enum Failure {
    /// There is no such repository.
    NoRepository,
    /// Anything else.
    Error(RegistryError),
}

/// Codes that ask for a pause.
const THROTTLES: [&str; 5] = [
    "ThrottlingException",
    "Throttling",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "LimitExceededException",
];

/// Codes of credentials that AWS does not take.
const STRANGERS: [&str; 6] = [
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "MissingAuthenticationTokenException",
];

/// Codes of credentials whose time is over.
const EXPIRED: [&str; 3] = ["ExpiredTokenException", "ExpiredToken", "RequestExpired"];

/// What a failed question means.
pub(super) fn classify(
    question: &Question<'_>,
    error: &SdkError<BatchGetImageError, HttpResponse>,
) -> Failure {
    let host = question.host.to_owned();
    Failure::Error(match error {
        SdkError::ServiceError(service) => return of_service(question, service.err(), service.raw()),
        SdkError::ResponseError(answer) => of_status(question, answer.raw(), "an answer that is not understood"),
        SdkError::TimeoutError(_) => {
            RegistryError::Unreachable { host, message: "no answer within the time".to_owned() }
        }
        _ if without_credentials(error) => RegistryError::NoCredentials {
            host,
            message: first_line(&chain(error)),
            remedy: "give moorline credentials of AWS: a role for its pod or machine, a profile, or AWS_ACCESS_KEY_ID; check `roleArn` under `registries` in the settings, if it is named there".to_owned(),
        },
        SdkError::ConstructionFailure(_) => {
            RegistryError::Unusable { host, message: first_line(&chain(error)) }
        }
        _ => RegistryError::Unreachable { host, message: first_line(&chain(error)) },
    })
}

/// Whether it failed before anything was asked, because no credentials could be had.
fn without_credentials(error: &(dyn Error + 'static)) -> bool {
    let mut source = Some(error);
    while let Some(inner) = source {
        if inner.is::<CredentialsError>() {
            return true;
        }
        source = inner.source();
    }
    false
}

fn of_service(question: &Question<'_>, error: &BatchGetImageError, answer: &HttpResponse) -> Failure {
    let code = error.code().unwrap_or_default();
    if error.is_repository_not_found_exception() || code == "RepositoryNotFoundException" {
        return Failure::NoRepository;
    }
    let host = question.host.to_owned();
    let message = format!("{code}: {}", first_line(error.message().unwrap_or_default()));
    let denied =
        |remedy: String| RegistryError::Denied { host: host.clone(), message: message.clone(), remedy };
    Failure::Error(match code {
        code if THROTTLES.contains(&code) => {
            RegistryError::Throttled { host, retry_after: retry_after(answer) }
        }
        code if EXPIRED.contains(&code) => denied(
            "the credentials have expired: sign in again (`aws sso login`), or renew what moorline was given"
                .to_owned(),
        ),
        code if STRANGERS.contains(&code) => {
            denied("check the credentials of AWS that moorline is given: AWS does not take them".to_owned())
        }
        "AccessDeniedException" | "AccessDenied" | "OptInRequired" => denied(access(question)),
        "InvalidParameterException" => RegistryError::Unusable { host, message },
        _ => of_status(question, answer, &message),
    })
}

/// What is missing where AWS knows who asks and refuses.
fn access(question: &Question<'_>) -> String {
    format!(
        "allow ecr:BatchGetImage on repository {} of account {} to whom moorline is; from another account the repository's own policy has to allow it too, or name a role of that account as `roleArn` under `registries` in the settings",
        question.path, question.account
    )
}

fn of_status(question: &Question<'_>, answer: &HttpResponse, message: &str) -> RegistryError {
    let host = question.host.to_owned();
    let status = answer.status().as_u16();
    let message = format!("{status}, {message}");
    match status {
        429 => RegistryError::Throttled { host, retry_after: retry_after(answer) },
        401 | 403 => RegistryError::Denied { host, message, remedy: access(question) },
        408 | 500.. => RegistryError::Unreachable { host, message },
        _ => RegistryError::Unusable { host, message },
    }
}

fn retry_after(answer: &HttpResponse) -> Option<Duration> {
    answer.headers().get("retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

/// The failure of one image of an answer that is none of absence.
pub(super) fn of_image(host: &str, image: &str, code: &str, reason: &str) -> RegistryError {
    let host = host.to_owned();
    let message = format!("{image}: {code}: {}", first_line(reason));
    match code {
        "UpstreamTooManyRequests" => RegistryError::Throttled { host, retry_after: None },
        "UpstreamUnavailable" => RegistryError::Unreachable { host, message },
        "UpstreamAccessDenied" => RegistryError::Denied {
            host,
            message,
            remedy: "check the credentials of the repository's pull-through cache rule in AWS".to_owned(),
        },
        "KmsError" | "ImageInaccessible" => RegistryError::Denied {
            host,
            message,
            remedy: "check the key that the repository is encrypted with, and the image itself, in AWS"
                .to_owned(),
        },
        _ => RegistryError::Unusable { host, message },
    }
}

/// The first line of what AWS says: behind it, it may repeat the request with the session's token.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(500).collect()
}
