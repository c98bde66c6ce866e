//! A head as the ConfigMap that keeps it.

use serde_json::{Value, json};

use super::{Role, Unreadable, metadata};
use crate::model::inventory::{HEAD_FORMAT, Head, StoredHead, head_name};
use crate::model::name::{ApplicationId, NamespaceName};

/// Reads the ConfigMap of a head.
///
/// # Errors
/// It holds no head, or one that a newer moorline wrote.
pub fn decode_head(object: &Value) -> Result<StoredHead, Unreadable> {
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("?");
    let named = || format!("ConfigMap {name}");
    let broken = |why: String| Unreadable::Broken { object: named(), why };
    let text = object.pointer("/data/head").and_then(Value::as_str);
    let text = text.ok_or_else(|| broken("it has no key `head`".to_owned()))?;
    let value: Value = serde_json::from_str(text).map_err(|error| broken(error.to_string()))?;
    // The number comes first: a newer format may not even have the fields of this one.
    let format = value.get("format").and_then(Value::as_u64).unwrap_or(0);
    if format > u64::from(HEAD_FORMAT) {
        return Err(Unreadable::Newer { object: named(), format, known: u64::from(HEAD_FORMAT) });
    }
    let head: Head = serde_json::from_value(value).map_err(|error| broken(error.to_string()))?;
    let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or("");
    Ok(StoredHead { head, resource_version: version.to_owned() })
}

/// The ConfigMap of a head: a new one without a resourceVersion, else one that replaces exactly that version.
///
/// # Errors
/// The head cannot be written as JSON.
pub fn encode_head(
    namespace: &NamespaceName,
    application: &ApplicationId,
    head: &Head,
    resource_version: Option<&str>,
) -> Result<Value, serde_json::Error> {
    let name = head_name(&head.instance, application);
    let mut metadata = metadata(name, namespace, &head.instance, Some(application), Role::Head);
    if let Some(version) = resource_version {
        metadata["resourceVersion"] = json!(version);
    }
    let text = serde_json::to_string(head)?;
    Ok(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"head": text}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(head: &str) -> Value {
        json!({"metadata": {"name": "shop.dev.web", "resourceVersion": "7"}, "data": {"head": head}})
    }

    #[test]
    fn a_head_of_a_newer_format_is_told_apart_from_a_broken_one() {
        let newer = decode_head(&stored(r#"{"format": 99, "nothing": "that we know"}"#)).unwrap_err();
        assert!(matches!(newer, Unreadable::Newer { format: 99, .. }), "{newer}");
        for broken in ["{", r#"{"format": 1}"#, "[]"] {
            let error = decode_head(&stored(broken)).unwrap_err();
            assert!(matches!(error, Unreadable::Broken { .. }), "{broken}: {error}");
        }
        assert!(decode_head(&json!({})).is_err());
    }
}
