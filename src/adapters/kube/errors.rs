//! The API server's answers → [`ClusterError`].

use std::time::Duration;

use kube::core::Status;

use crate::adapters::cluster::ClusterError;
use crate::model::drift::FieldOwner;
use crate::model::error::chain;

/// The longest message that we keep.
const MESSAGE_LIMIT: usize = 2000;

/// Sorts an error by what it means for us; `address` is that of the server.
pub(super) fn sort(error: kube::Error, address: &str) -> ClusterError {
    match error {
        kube::Error::Api(status) => sort_status(&status),
        kube::Error::SerdeError(error) => ClusterError::Garbled { message: error.to_string() },
        other => {
            let message = format!("{address}: {}", chain(&other));
            ClusterError::Unavailable { message: cut(&message), retry_after: None }
        }
    }
}

fn sort_status(status: &Status) -> ClusterError {
    let message = cut(&status.message);
    let retry =
        status.details.as_ref().map(|details| details.retry_after_seconds).filter(|seconds| *seconds > 0);
    let retry_after = retry.map(|seconds| Duration::from_secs(u64::from(seconds)));
    let denied = message.contains("admission webhook") || message.contains("ValidatingAdmissionPolicy");
    match status.code {
        403 if message.contains("exceeded quota") => ClusterError::Quota { message },
        // A namespace that is being deleted refuses new objects for a while.
        403 if message.contains("being terminated") => ClusterError::Unavailable { message, retry_after },
        403 if denied || message.contains("violates PodSecurity") => ClusterError::Rejected { message },
        401 | 403 => ClusterError::Forbidden { message },
        404 => ClusterError::Missing { message },
        409 if !owners(status).is_empty() => ClusterError::Conflict { owners: owners(status), message },
        409 => ClusterError::Changed { message },
        408 | 429 | 500.. => ClusterError::Unavailable { message, retry_after },
        _ => ClusterError::Rejected { message },
    }
}

/// The owners that a conflict of server-side apply names.
fn owners(status: &Status) -> Vec<FieldOwner> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes
        .filter(|cause| cause.reason == "FieldManagerConflict")
        .map(|cause| FieldOwner {
            field: cause.field.clone(),
            manager: manager_of(&cause.message).to_owned(),
        })
        .collect()
}

/// `conflict with "kubectl" using apps/v1` → `kubectl`.
fn manager_of(message: &str) -> &str {
    message.split('"').nth(1).unwrap_or(message)
}

fn cut(message: &str) -> String {
    message.chars().take(MESSAGE_LIMIT).collect()
}
