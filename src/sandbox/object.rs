//! Reading and writing fields of Kubernetes objects as JSON, by pointer and without panics. Knows no kinds.

use serde_json::{Map, Value, json};

/// Short ways to the fields of an object.
pub trait Fields {
    /// The text at a JSON pointer; empty when it is not there.
    fn text(&self, pointer: &str) -> &str;
    /// The number at a JSON pointer.
    fn number(&self, pointer: &str) -> Option<i64>;
    /// Whether the value at a JSON pointer is true.
    fn holds(&self, pointer: &str) -> bool;
    /// The items of the list at a JSON pointer; none when it is not there.
    fn items(&self, pointer: &str) -> &[Value];
    /// The map at a JSON pointer.
    fn map(&self, pointer: &str) -> Option<&Map<String, Value>>;
    /// Sets the value at a JSON pointer, and makes the maps on the way to it.
    fn put(&mut self, pointer: &str, value: Value);
    /// Takes the value at a JSON pointer out of its map.
    fn take_out(&mut self, pointer: &str) -> Option<Value>;
    /// `metadata.name`.
    fn name(&self) -> &str {
        self.text("/metadata/name")
    }
    /// `metadata.namespace`; empty for an object of the cluster.
    fn namespace(&self) -> &str {
        self.text("/metadata/namespace")
    }
    /// `metadata.uid`.
    fn uid(&self) -> &str {
        self.text("/metadata/uid")
    }
    /// One annotation.
    fn annotation(&self, name: &str) -> Option<&str>;
    /// Whether a deletion has begun.
    fn is_terminating(&self) -> bool {
        !self.text("/metadata/deletionTimestamp").is_empty()
    }
}

/// The value at a JSON pointer, found without copying its steps: most requests take many such looks.
fn find<'a>(value: &'a Value, pointer: &str) -> Option<&'a Value> {
    let mut at = value;
    for step in pointer.split('/').skip(1) {
        at = match at {
            Value::Object(map) if step.contains('~') => {
                map.get(&step.replace("~1", "/").replace("~0", "~"))?
            }
            Value::Object(map) => map.get(step)?,
            Value::Array(items) => items.get(step.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(at)
}

impl Fields for Value {
    fn text(&self, pointer: &str) -> &str {
        find(self, pointer).and_then(Value::as_str).unwrap_or_default()
    }

    fn number(&self, pointer: &str) -> Option<i64> {
        find(self, pointer).and_then(Value::as_i64)
    }

    fn holds(&self, pointer: &str) -> bool {
        find(self, pointer).and_then(Value::as_bool).unwrap_or_default()
    }

    fn items(&self, pointer: &str) -> &[Value] {
        find(self, pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    fn map(&self, pointer: &str) -> Option<&Map<String, Value>> {
        find(self, pointer).and_then(Value::as_object)
    }

    fn put(&mut self, pointer: &str, value: Value) {
        let mut at = self;
        for step in pointer.split('/').skip(1) {
            if !at.is_object() {
                *at = json!({});
            }
            let Some(map) = at.as_object_mut() else { return };
            at = map.entry(step.replace("~1", "/").replace("~0", "~")).or_insert(Value::Null);
        }
        *at = value;
    }

    fn take_out(&mut self, pointer: &str) -> Option<Value> {
        let (parent, key) = pointer.rsplit_once('/')?;
        let key = key.replace("~1", "/").replace("~0", "~");
        self.pointer_mut(parent)?.as_object_mut()?.shift_remove(&key)
    }

    fn annotation(&self, name: &str) -> Option<&str> {
        find(self, "/metadata/annotations")?.get(name)?.as_str()
    }
}

/// The reference among an object's owners that says it controls the object.
pub fn controller_of(object: &Value) -> Option<&Value> {
    object.items("/metadata/ownerReferences").iter().find(|owner| owner.holds("/controller"))
}

/// A reference that makes `owner` the controller of another object.
pub fn controlled_by(owner: &Value, api_version: &str, kind: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "name": owner.name(), "uid": owner.uid(),
        "controller": true, "blockOwnerDeletion": true})
}

/// Whether two objects are equal but for what the server writes about each write.
pub fn equal_but_for_bookkeeping(one: &Value, other: &Value) -> bool {
    let (Some(one), Some(other)) = (one.as_object(), other.as_object()) else {
        return one == other;
    };
    let bookkeeping = |key: &String| key == "managedFields" || key == "resourceVersion";
    let metadata = |object: &Map<String, Value>| -> Vec<(String, Value)> {
        let mut fields: Vec<(String, Value)> = object
            .get("metadata")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter(|(key, _)| !bookkeeping(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        fields.sort_by(|one, other| one.0.cmp(&other.0));
        fields
    };
    let rest = |object: &Map<String, Value>| object.keys().filter(|key| *key != "metadata").count();
    rest(one) == rest(other)
        && one.iter().filter(|(key, _)| *key != "metadata").all(|(key, value)| other.get(key) == Some(value))
        && metadata(one) == metadata(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_made_and_taken() {
        let mut object = json!({"metadata": {"name": "web"}});
        object.put("/status/replicas", json!(3));
        object.put("/metadata/annotations/a~1b", json!("c"));
        assert_eq!(object.number("/status/replicas"), Some(3));
        assert_eq!(object.annotation("a/b"), Some("c"));
        assert_eq!(object.take_out("/metadata/annotations/a~1b"), Some(json!("c")));
        assert_eq!(object.take_out("/spec/none"), None);
        assert_eq!(object.name(), "web");
    }

    #[test]
    fn bookkeeping_alone_makes_no_difference() {
        let one = json!({"metadata": {"name": "a", "resourceVersion": "1", "managedFields": []}, "spec": {}});
        let two = json!({"spec": {}, "metadata": {"resourceVersion": "2", "name": "a"}});
        assert!(equal_but_for_bookkeeping(&one, &two));
        assert!(!equal_but_for_bookkeeping(&one, &json!({"metadata": {"name": "b"}, "spec": {}})));
        assert!(!equal_but_for_bookkeeping(&one, &json!({"metadata": {"name": "a"}})));
    }
}
