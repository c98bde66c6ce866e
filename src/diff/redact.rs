//! Secret values never leave: they are replaced by keyed fingerprints, from which one can see that a value
//! changed, not what it is. So are values that a chart looked up from Secrets, wherever it put them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

use crate::model::digest::HashKey;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A looked-up value shorter than this is hidden only where it is a whole value: replacing it inside of others
/// would make most texts unreadable.
const SHORT: usize = 6;

/// Values that a chart looked up from Secrets (RULES §2), or drew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookedUp(BTreeSet<String>);

impl LookedUp {
    /// The values of the Secrets among objects and lists of objects, as stored and decoded.
    pub fn from_secrets<'a>(answers: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut values = BTreeSet::new();
        for answer in answers {
            let list = answer.get("kind").and_then(Value::as_str) == Some("SecretList");
            let items = answer.get("items").and_then(Value::as_array).filter(|_| list);
            let objects = items.map_or_else(|| vec![answer], |items| items.iter().collect());
            for secret in objects.into_iter().filter(|object| list || is_secret(object)) {
                for data in secret.get("data").and_then(Value::as_object).into_iter().flat_map(Map::values) {
                    let Some(stored) = data.as_str().filter(|stored| !stored.is_empty()) else { continue };
                    let decoded = BASE64.decode(stored).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                    values.extend(decoded.filter(|text| !text.trim().is_empty()));
                    values.insert(stored.to_owned());
                }
            }
        }
        Self(values)
    }

    /// Adds a text that a chart drew, as it is and as Secrets store it.
    pub fn add(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.0.insert(text.to_owned());
            self.0.insert(BASE64.encode(text));
        }
    }

    /// Adds those of another chart.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A text with every looked-up value replaced, by its fingerprint where there is a secret key for one.
    pub fn hidden_in(&self, text: &str, key: Option<&HashKey>) -> String {
        let mut text = text.to_owned();
        // Longer ones first: a value may be part of another.
        let mut values: Vec<&String> = self.0.iter().collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        for value in values {
            let whole = text == *value;
            let within = value.len() >= SHORT && text.contains(value.as_str());
            if whole || within {
                let mark =
                    key.map_or_else(|| "(hidden)".to_owned(), |key| mark(&Value::String(value.clone()), key));
                text = if whole { mark } else { text.replace(value.as_str(), &mark) };
            }
        }
        text
    }

    /// The same for every text of an object, keys included.
    pub fn hide(&self, value: &mut Value, key: Option<&HashKey>) {
        match value {
            Value::String(text) => *text = self.hidden_in(text, key),
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide(item, key)),
            Value::Object(map) => {
                let entries = std::mem::take(map);
                for (name, mut inner) in entries {
                    self.hide(&mut inner, key);
                    map.insert(self.hidden_in(&name, key), inner);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// A manifest as the API server stores it: the `stringData` of a Secret is write-only and becomes `data`. What is no
/// text there is left for the API server to refuse.
pub fn as_stored(object: &Value) -> Cow<'_, Value> {
    let texts = object.get("stringData").and_then(Value::as_object).filter(|_| is_secret(object));
    let encoded =
        |(name, text): (&String, &Value)| Some((name.clone(), Value::String(BASE64.encode(text.as_str()?))));
    let Some(stored) = texts.and_then(|texts| texts.iter().map(encoded).collect::<Option<Map<_, _>>>())
    else {
        return Cow::Borrowed(object);
    };
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.shift_remove("stringData");
    }
    match object.get_mut("data").and_then(Value::as_object_mut) {
        Some(data) => data.extend(stored),
        None => object["data"] = Value::Object(stored),
    }
    Cow::Owned(object)
}

fn is_secret(object: &Value) -> bool {
    object.get("kind").and_then(Value::as_str) == Some("Secret")
        && object.get("apiVersion").and_then(Value::as_str) == Some("v1")
}

/// An object as it may be shown: managedFields gone, and the values of a Secret replaced. Whether it is a Secret
/// is told by its group and kind; a copy of its values in the last-applied annotation goes too.
pub fn redacted(object: &Value, key: &HashKey, looked_up: &LookedUp) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.shift_remove(LAST_APPLIED);
        }
    }
    if is_secret(&object) {
        for field in ["data", "stringData"] {
            if let Some(values) = object.get_mut(field) {
                hide(values, key);
            }
        }
    }
    if !looked_up.is_empty() {
        looked_up.hide(&mut object, Some(key));
    }
    object
}

fn hide(value: &mut Value, key: &HashKey) {
    match value {
        Value::Object(map) => map.values_mut().for_each(|value| hide(value, key)),
        other => *other = Value::String(mark(other, key)),
    }
}

fn mark(value: &Value, key: &HashKey) -> String {
    format!("(hidden, fingerprint {})", key.of_value(value).short())
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
        let shown = |value: &str| redacted(&secret(value), &key, &LookedUp::default());
        let (one, other) = (shown("canary-one"), shown("canary-two"));
        assert!(!one.to_string().contains("canary"), "{one}");
        assert_ne!(one, other);
        assert_eq!(one, shown("canary-one"));
    }

    #[test]
    fn texts_of_a_secret_become_data_unless_the_api_server_would_refuse_them() {
        let secret = |data: Value, texts: Value| json!({"apiVersion": "v1", "kind": "Secret", "data": data, "stringData": texts});
        let stored = secret(json!({"a": "YQ==", "b": "YQ=="}), json!({"b": "b"}));
        let expected = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "YQ==", "b": "Yg=="}});
        assert_eq!(*as_stored(&stored), expected);
        assert_eq!(as_stored(&secret(Value::Null, json!({"b": "b"})))["data"], json!({"b": "Yg=="}));
        let wrong = secret(json!({}), json!({"port": 80}));
        assert_eq!(*as_stored(&wrong), wrong);
    }

    #[test]
    fn a_looked_up_value_is_hidden_wherever_a_chart_put_it() {
        let key = HashKey::new([3; 32]);
        let secret = json!({"apiVersion": "v1", "kind": "Secret",
            "data": {"url": BASE64.encode("postgres://canary@db"), "pin": BASE64.encode("42")}});
        let list = json!({"apiVersion": "v1", "kind": "SecretList",
            "items": [{"data": {"token": BASE64.encode("canary-token")}}]});
        let looked_up =
            LookedUp::from_secrets([&secret, &list, &json!({"kind": "ConfigMap", "data": {"a": "plain"}})]);
        let object = json!({"kind": "ConfigMap", "data": {
            "whole": "postgres://canary@db", "within": "url=postgres://canary@db;x", "stored": BASE64.encode("canary-token"),
            "pin": "42", "port": "4242", "plain": "plain", "canary-token": "a key"}});
        let shown = redacted(&object, &key, &looked_up);
        assert!(!shown.to_string().contains("canary"), "{shown}");
        assert_eq!(shown["data"]["port"], "4242");
        assert_eq!(shown["data"]["plain"], "plain");
        assert_ne!(shown["data"]["pin"], "42");
    }
}
