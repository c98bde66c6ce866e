//! A manifest against a live object, field by field: which of the fields that we ask for differ there. For
//! explanations; the verdict is the projection's.

use serde_json::Value;

use super::redact::as_stored;
use crate::model::policy::IgnoreRule;
use crate::model::resource::ResourceId;

/// How deep manifests are compared.
const DEPTH_LIMIT: usize = 64;

/// The keys by which items of Kubernetes' lists are told apart, most telling first.
pub(super) const ITEM_KEYS: [&str; 8] =
    ["name", "containerPort", "port", "mountPath", "devicePath", "key", "ip", "type"];

/// Paths of the manifest's leaves, as they are stored, whose live value is absent or another. Quantities that mean the
/// same are the same.
pub fn changed_fields(desired: &Value, live: &Value) -> Vec<String> {
    let mut changed = Vec::new();
    compare(&as_stored(desired), Some(live), &mut String::new(), 0, &mut changed);
    changed
}

fn compare(
    desired: &Value,
    live: Option<&Value>,
    path: &mut String,
    depth: usize,
    changed: &mut Vec<String>,
) {
    if depth > DEPTH_LIMIT {
        return;
    }
    match (desired, live) {
        (Value::Null, _) => {}
        (Value::Object(wanted), Some(Value::Object(_)) | None) if !wanted.is_empty() => {
            for (key, value) in wanted {
                let length = path.len();
                path.push('/');
                path.push_str(&key.replace('~', "~0").replace('/', "~1"));
                compare(value, live.and_then(|live| live.get(key)), path, depth + 1, changed);
                path.truncate(length);
            }
        }
        (Value::Object(wanted), None) if wanted.is_empty() => {}
        (Value::Array(wanted), Some(Value::Array(there))) => {
            compare_lists(wanted, there, path, depth, changed)
        }
        (_, Some(live)) if same_scalar(desired, live) => {}
        _ => changed.push(path.clone()),
    }
}

fn compare_lists(
    wanted: &[Value],
    there: &[Value],
    path: &mut String,
    depth: usize,
    changed: &mut Vec<String>,
) {
    let key = ITEM_KEYS
        .into_iter()
        .find(|key| !wanted.is_empty() && wanted.iter().all(|item| item.get(*key).is_some()));
    let Some(key) = key else {
        let same = wanted.len() == there.len()
            && wanted.iter().zip(there).all(|(wanted, there)| {
                let mut inner = Vec::new();
                compare(wanted, Some(there), &mut String::new(), depth + 1, &mut inner);
                inner.is_empty()
            });
        if !same {
            changed.push(path.clone());
        }
        return;
    };
    for item in wanted {
        let length = path.len();
        let name = &item[key];
        path.push_str(&format!("[{{\"{key}\":{name}}}]"));
        let other = there.iter().find(|other| other.get(key) == Some(name));
        compare(item, other, path, depth + 1, changed);
        path.truncate(length);
    }
}

pub(super) fn same_scalar(desired: &Value, live: &Value) -> bool {
    if desired == live {
        return true;
    }
    let number = |value: &Value| match value {
        Value::String(text) => quantity(text),
        Value::Number(number) => number.as_f64(),
        _ => None,
    };
    matches!((number(desired), number(live)), (Some(one), Some(other)) if (one - other).abs() <= f64::EPSILON * one.abs().max(other.abs()))
}

/// The number of a Kubernetes quantity (apimachinery/pkg/api/resource): `500m`, `1.5Gi`, `2e3`.
fn quantity(text: &str) -> Option<f64> {
    const SUFFIXES: [(&str, f64); 15] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
    ];
    if !text.starts_with(|char: char| char.is_ascii_digit() || matches!(char, '+' | '-' | '.')) {
        return None;
    }
    let (digits, factor) = SUFFIXES
        .iter()
        .find_map(|(suffix, factor)| text.strip_suffix(suffix).map(|digits| (digits, *factor)))
        .unwrap_or((text, 1.0));
    digits.parse::<f64>().ok().map(|number| number * factor)
}

/// A manifest without the fields that rules leave out of the apply.
pub fn without_ignored(id: &ResourceId, object: &Value, rules: &[IgnoreRule]) -> Value {
    let mut object = object.clone();
    for pointer in rules.iter().filter(|rule| rule.matches(id)).flat_map(|rule| &rule.fields) {
        remove(&mut object, pointer);
    }
    object
}

fn remove(object: &mut Value, pointer: &str) {
    let Some((parent, last)) = pointer.rsplit_once('/') else {
        return;
    };
    let key = last.replace("~1", "/").replace("~0", "~");
    match object.pointer_mut(parent) {
        Some(Value::Object(map)) => {
            map.shift_remove(&key);
        }
        Some(Value::Array(items)) => {
            if let Some(index) = key.parse::<usize>().ok().filter(|index| *index < items.len()) {
                items.remove(index);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_we_ask_for_is_compared() {
        let desired = json!({"spec": {"replicas": 2, "template": {"containers": [{"name": "a", "image": "x:1", "resources": {"limits": {"cpu": "1000m", "memory": "1Gi"}}}]}}});
        let live = json!({"spec": {"replicas": 3, "paused": false, "template": {"containers": [
            {"name": "sidecar"}, {"name": "a", "image": "x:1", "imagePullPolicy": "Always", "resources": {"limits": {"cpu": 1, "memory": "1024Mi"}}}]}}});
        assert_eq!(changed_fields(&desired, &live), ["/spec/replicas"]);
    }

    #[test]
    fn lists_without_keys_are_compared_whole() {
        assert_eq!(changed_fields(&json!({"args": ["a", "b"]}), &json!({"args": ["b", "a"]})), ["/args"]);
        assert!(changed_fields(&json!({"a": null, "b": {}}), &json!({})).is_empty());
        assert_eq!(changed_fields(&json!({"a": {"b": 1}}), &json!({"a": 3})), ["/a"]);
    }

    #[test]
    fn ignored_fields_are_left_out() {
        let id =
            ResourceId::of(&json!({"apiVersion": "v1", "kind": "X", "metadata": {"name": "n"}})).unwrap();
        let rule = IgnoreRule {
            kind: "X".into(),
            name: None,
            fields: vec!["/spec/a~1b".into(), "/spec/list/0".into(), "/nope/x".into()],
        };
        let object = without_ignored(&id, &json!({"spec": {"a/b": 1, "c": 2, "list": [1, 2]}}), &[rule]);
        assert_eq!(object, json!({"spec": {"c": 2, "list": [2]}}));
    }
}
