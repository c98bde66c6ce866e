//! The patches that the API server takes beside apply: JSON patch, merge patch, strategic merge patch. No clock, no
//! IO.

mod pointer;
mod strategic;

use serde_json::Value;

use super::schema::{Cause, Rejection, ResourceType, Schemas};

/// How many operations a JSON patch may have, as the API server limits it.
const OPERATION_LIMIT: usize = 10_000;

/// Why a patch is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatchError {
    /// As the decoding of an object: 400 or 422.
    Rejected(Rejection),
    /// 422 `Invalid` with this message and empty details: the patch does not fit the object.
    Unprocessable(String),
    /// 415: this kind takes no such patch.
    Unsupported(String),
    /// 500 with this message.
    Internal(String),
}

/// RFC 6902, with the habits of the API server's library.
pub fn json_patch(live: &Value, patch: &Value) -> Result<Value, PatchError> {
    let Value::Array(operations) = patch else {
        return Err(bad_request(format!(
            "error decoding patch: json: cannot unmarshal {} into Go value of type []handlers.jsonPatchOp",
            kind(patch)
        )));
    };
    if operations.len() > OPERATION_LIMIT {
        return Err(PatchError::Unprocessable(format!(
            "The allowed maximum operations in a JSON patch is {OPERATION_LIMIT}, got {}",
            operations.len()
        )));
    }
    let mut object = live.clone();
    for operation in operations {
        pointer::operate(&mut object, operation).ok_or_else(|| {
            PatchError::Unprocessable(
                "the server rejected our request due to an error in our request".to_owned(),
            )
        })?;
    }
    Ok(object)
}

/// RFC 7386.
pub fn merge_patch(live: &Value, patch: &Value) -> Result<Value, PatchError> {
    if !patch.is_object() {
        return Err(bad_request(format!(
            "error decoding patch: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            kind(patch)
        )));
    }
    let mut object = live.clone();
    merge(&mut object, patch);
    Ok(object)
}

fn merge(object: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = Value::Object(serde_json::Map::new());
    }
    let Some(map) = object.as_object_mut() else { return };
    for (key, value) in patch {
        if value.is_null() {
            map.shift_remove(key);
        } else {
            merge(map.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Kubernetes' own: lists merge by the keys that the schema names.
pub fn strategic_merge_patch(
    schemas: &Schemas,
    resource: &ResourceType,
    live: &Value,
    patch: &Value,
) -> Result<Value, PatchError> {
    let Value::Object(changes) = patch else {
        return Err(bad_request(format!(
            "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            kind(patch)
        )));
    };
    if schemas.is_custom(resource) {
        return Err(PatchError::Unsupported(
            "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
                .to_owned(),
        ));
    }
    let Some((arena, shape)) = schemas.typed(&resource.api_version(), &resource.kind) else {
        return merge_patch(live, patch);
    };
    let original = live.as_object().cloned().unwrap_or_default();
    let merged = strategic::merge_maps(strategic::Scope::new(arena, Some(shape)), original, changes.clone())
        .map_err(PatchError::Internal)?;
    let merged = Value::Object(merged);
    if let Err(why) = strategic::fits(strategic::Scope::new(arena, Some(shape)), &merged) {
        return Err(PatchError::Rejected(undecodable(&strategic::shown(patch), &why)));
    }
    Ok(merged)
}

/// The refusal of a patch whose outcome is no object of its kind.
pub fn undecodable(value: &str, why: &str) -> Rejection {
    Rejection::Invalid(vec![Cause {
        reason: "FieldValueInvalid",
        field: "patch".to_owned(),
        message: format!("Invalid value: {value:?}: {why}"),
    }])
}

fn bad_request(message: String) -> PatchError {
    PatchError::Rejected(Rejection::BadRequest(message))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
#[path = "patch/tests.rs"]
mod tests;
