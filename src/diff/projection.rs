//! A live object → the record that decisions need: the hash of the fields that we own, its health, its labels.

use jiff::Timestamp;
use serde_json::Value;

use super::adoption::{is_adoptable, tracked_by};
use super::managed::{own_entry, owners_of_replicas, visit};
use crate::health;
use crate::model::digest::HashKey;
use crate::model::live::{LiveRecord, Observed, Projection, Replicas, ResourceVersion};
use crate::model::manifest::{APPLICATION_LABEL, INSTANCE_LABEL, label};
use crate::model::name::ApplicationId;
use crate::model::resource::ResourceId;

const REPLICAS: &str = "/spec/replicas";

/// Reads a live object; absent where it has no identity. Bodies and foreign fields are not kept.
pub fn observe(object: &Value, key: &HashKey, now: Timestamp) -> Option<Observed> {
    let id = ResourceId::of(object)?;
    let metadata = object.get("metadata")?;
    let text = |key: &str| metadata.get(key).and_then(Value::as_str);
    let own = own_entry(object);
    let finalizers = || {
        let list = metadata.get("finalizers").and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let record = LiveRecord {
        uid: text("uid").unwrap_or("").into(),
        resource_version: ResourceVersion::new(text("resourceVersion").unwrap_or("")),
        generation: metadata.get("generation").and_then(Value::as_i64),
        projection: own.as_ref().map(|_| projection(object, key)),
        replicas: replicas(object),
        owned_version: own.as_ref().map(|entry| entry.api_version.into()),
        health: health::assess(&id.kind, object, now),
        application: label(object, APPLICATION_LABEL).and_then(ApplicationId::from_label),
        instance: label(object, INSTANCE_LABEL).map(Into::into),
        tool: tracked_by(object),
        adoptable: is_adoptable(object),
        terminating: text("deletionTimestamp").map(|_| finalizers()),
        extras: Vec::new(),
        body: None,
    };
    Some(Observed { id, record })
}

/// The replicas of an object that has them.
fn replicas(object: &Value) -> Option<Replicas> {
    let wanted = object.pointer(REPLICAS)?.as_i64()?;
    let (ours, others) = owners_of_replicas(object);
    Some(Replicas { wanted, ours, others })
}

/// The keyed hashes of our managedFields entry and the values it names.
fn projection(object: &Value, key: &HashKey) -> Projection {
    let Some(own) = own_entry(object) else { return Projection::default() };
    let mut fields: Vec<(String, Option<&Value>)> = Vec::new();
    visit(own.fields, Some(object), &mut String::new(), &mut |path, value| {
        fields.push((path.to_owned(), value))
    });
    fields.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    let hash = |with_replicas: bool| {
        let mut hasher = key.hasher();
        hasher.bytes(b'v', own.api_version.as_bytes());
        for (path, value) in fields.iter().filter(|(path, _)| with_replicas || path != REPLICAS) {
            hasher.bytes(b'p', path.as_bytes());
            match value {
                Some(value) => hasher.value(value),
                None => hasher.bytes(b'-', b""),
            }
        }
        hasher.finish()
    };
    Projection { full: hash(true), without_replicas: object.pointer(REPLICAS).map(|_| hash(false)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(image: &str, fields: Value) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "7",
                "labels": {"moorline.dev/application": "dev.web"},
                "managedFields": [{"manager": "moorline", "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": fields}]},
            "spec": {"template": {"spec": {"containers": [{"name": "web", "image": image, "imagePullPolicy": "Always"}]}}}
        })
    }

    fn fields() -> Value {
        json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:image": {}}}}}}})
    }

    fn hash(object: &Value) -> crate::model::digest::KeyedHash {
        let key = HashKey::new([1; 32]);
        observe(object, &key, Timestamp::UNIX_EPOCH).unwrap().record.projection.unwrap().full
    }

    #[test]
    fn only_our_fields_and_their_values_count() {
        let before = object("web:1", fields());
        let mut extra = before.clone();
        extra["spec"]["replicas"] = json!(3);
        extra["metadata"]["annotations"] = json!({"a": "b"});
        assert_eq!(hash(&before), hash(&extra));
        assert_ne!(hash(&before), hash(&object("web:2", fields())));
        let fewer = json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:name": {}}}}}}});
        assert_ne!(hash(&before), hash(&object("web:1", fewer)));
    }

    #[test]
    fn an_object_that_others_made_has_no_projection() {
        let foreign = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a",
            "managedFields": [{"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:data": {}}}]}});
        assert_eq!(
            observe(&foreign, &HashKey::new([1; 32]), Timestamp::UNIX_EPOCH).unwrap().record.projection,
            None
        );
    }
}
