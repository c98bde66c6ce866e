//! The patches that the API server takes beside apply: JSON patch, merge patch, strategic merge patch. No clock, no
//! IO.

use serde_json::Value;

use super::schema::{Rejection, ResourceType, Schemas};

/// Why a patch is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatchError {
    /// As the decoding of an object: 400 or 422.
    Rejected(Rejection),
    /// 422 `Invalid` with this message and no causes: the patch does not fit the object.
    Unprocessable(String),
    /// 415: this kind takes no such patch.
    Unsupported(String),
    /// 500 with this message.
    Internal(String),
}

/// RFC 6902.
pub fn json_patch(live: &Value, _patch: &Value) -> Result<Value, PatchError> {
    Ok(live.clone())
}

/// RFC 7386.
pub fn merge_patch(live: &Value, _patch: &Value) -> Result<Value, PatchError> {
    Ok(live.clone())
}

/// Kubernetes' own: lists merge by the keys that the schema names.
pub fn strategic_merge_patch(
    _schemas: &Schemas,
    _resource: &ResourceType,
    live: &Value,
    _patch: &Value,
) -> Result<Value, PatchError> {
    Ok(live.clone())
}
