//! The key of an instance's fingerprints as the Secret that keeps it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::{Role, Unreadable, metadata};
use crate::model::digest::HashKey;
use crate::model::name::{InstanceName, NamespaceName};

/// The name of the Secret.
pub fn key_name(instance: &InstanceName) -> String {
    format!("{instance}.keys")
}

/// The Secret of a new key.
pub fn encode_key(namespace: &NamespaceName, instance: &InstanceName, key: &HashKey) -> Value {
    let metadata = metadata(key_name(instance), namespace, instance, None, Role::Keys);
    let data = json!({"fingerprints": BASE64.encode(key.expose())});
    json!({"apiVersion": "v1", "kind": "Secret", "type": "moorline.dev/keys", "metadata": metadata, "data": data})
}

/// Reads the key.
///
/// # Errors
/// The Secret does not hold 32 bytes.
pub fn decode_key(object: &Value) -> Result<HashKey, Unreadable> {
    let text = object.pointer("/data/fingerprints").and_then(Value::as_str).unwrap_or("");
    let bytes = BASE64.decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let text = |at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or("?").to_owned();
    bytes.map(HashKey::new).ok_or_else(|| Unreadable::Broken {
        object: format!("Secret {}/{}", text("/metadata/namespace"), text("/metadata/name")),
        why: "its key `fingerprints` has not 32 bytes".to_owned(),
    })
}
