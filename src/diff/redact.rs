//! Secret values never leave: they are replaced by keyed fingerprints, from which one can see that a value
//! changed, not what it is.

use serde_json::Value;

use crate::model::digest::HashKey;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An object as it may be shown: managedFields gone, and the values of a Secret replaced. Whether it is a Secret
/// is told by its group and kind; a copy of its values in the last-applied annotation goes too.
pub fn redacted(object: &Value, key: &HashKey) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.shift_remove(LAST_APPLIED);
        }
    }
    let secret = object.get("kind").and_then(Value::as_str) == Some("Secret")
        && object.get("apiVersion").and_then(Value::as_str) == Some("v1");
    if secret {
        for field in ["data", "stringData"] {
            if let Some(values) = object.get_mut(field) {
                hide(values, key);
            }
        }
    }
    object
}

fn hide(value: &mut Value, key: &HashKey) {
    match value {
        Value::Object(map) => map.values_mut().for_each(|value| hide(value, key)),
        other => *other = Value::String(format!("(hidden, fingerprint {})", key.of_value(other).short())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_secret_shows_that_it_changed_and_nothing_more() {
        let key = HashKey::new([3; 32]);
        let secret = |value: &str| {
            json!({"apiVersion": "v1", "kind": "Secret", "data": {"password": value}, "stringData": [value],
            "metadata": {"annotations": {LAST_APPLIED: value}, "managedFields": [{"x": value}]}})
        };
        let (one, other) = (redacted(&secret("canary-one"), &key), redacted(&secret("canary-two"), &key));
        assert!(!one.to_string().contains("canary"), "{one}");
        assert_ne!(one, other);
        assert_eq!(one, redacted(&secret("canary-one"), &key));
    }
}
