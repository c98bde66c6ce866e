//! What would change from one object to another, field by field with both values: for people, redacted before it
//! comes here.

use serde_json::Value;

use super::compare::{ITEM_KEYS, same_scalar};
use crate::model::drift::FieldChange;

/// Deeper than this nothing is told apart.
const DEPTH_LIMIT: usize = 64;
/// So many fields of one object are shown.
const FIELDS: usize = 60;
/// A value is cut to so many characters.
const VALUE: usize = 240;

/// Which fields count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those that the second object has: a live object has more than anyone asked for.
    Asked,
    /// All of both.
    All,
}

/// The fields in which two objects differ, at most 60. A value that is absent on one side is absent here.
pub fn changes(before: &Value, after: &Value, scope: Scope) -> Vec<FieldChange> {
    let mut walk = Walk { scope, path: String::new(), found: Vec::new() };
    walk.compare(Some(before), Some(after), 0);
    walk.found
}

struct Walk {
    scope: Scope,
    path: String,
    found: Vec<FieldChange>,
}

impl Walk {
    fn compare(&mut self, before: Option<&Value>, after: Option<&Value>, depth: usize) {
        if self.found.len() >= FIELDS || (after.is_none() && self.scope == Scope::Asked) {
            return;
        }
        match (before, after) {
            _ if depth > DEPTH_LIMIT => self.note(before, after),
            (Some(before), Some(after)) if same_scalar(before, after) => {}
            (Some(Value::Object(_)) | None, Some(Value::Object(_))) | (Some(Value::Object(_)), None) => {
                self.compare_maps(before, after, depth)
            }
            (Some(Value::Array(one)), Some(Value::Array(other))) => {
                self.compare_lists(one, other, before, after, depth);
            }
            _ => self.note(before, after),
        }
    }

    fn compare_maps(&mut self, before: Option<&Value>, after: Option<&Value>, depth: usize) {
        let names = |value: Option<&Value>| -> Vec<String> {
            value.and_then(Value::as_object).map(|map| map.keys().cloned().collect()).unwrap_or_default()
        };
        let mut all = names(after);
        all.extend(
            names(before).into_iter().filter(|name| after.is_none_or(|after| after.get(name).is_none())),
        );
        if all.is_empty() && (before.is_none() || after.is_none()) {
            return self.note(before, after);
        }
        for name in all {
            let part = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            let inner = |value: Option<&Value>| value.and_then(|value| value.get(&name)).cloned();
            self.below(&part, inner(before).as_ref(), inner(after).as_ref(), depth);
        }
    }

    fn compare_lists(
        &mut self,
        one: &[Value],
        other: &[Value],
        before: Option<&Value>,
        after: Option<&Value>,
        depth: usize,
    ) {
        let named = |items: &[Value], key: &str| items.iter().all(|item| item.get(key).is_some());
        let key = ITEM_KEYS.into_iter().find(|key| named(one, key) && named(other, key));
        let Some(key) = key else {
            if one != other {
                self.note(before, after);
            }
            return;
        };
        let find =
            |items: &[Value], name: &Value| items.iter().find(|item| item.get(key) == Some(name)).cloned();
        let gone = one.iter().filter(|item| find(other, &item[key]).is_none());
        for item in other.iter().chain(gone) {
            let name = &item[key];
            let part = format!("[{}]", name.as_str().map_or_else(|| name.to_string(), str::to_owned));
            self.below(&part, find(one, name).as_ref(), find(other, name).as_ref(), depth);
        }
    }

    fn below(&mut self, part: &str, before: Option<&Value>, after: Option<&Value>, depth: usize) {
        let length = self.path.len();
        self.path.push_str(part);
        self.compare(before, after, depth + 1);
        self.path.truncate(length);
    }

    fn note(&mut self, before: Option<&Value>, after: Option<&Value>) {
        if self.found.len() < FIELDS {
            let field = self.path.clone();
            self.found.push(FieldChange { field, before: before.map(text), after: after.map(text) });
        }
    }
}

fn text(value: &Value) -> String {
    let whole = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match whole.char_indices().nth(VALUE) {
        None => whole,
        Some((end, _)) => format!("{}…", &whole[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lines(before: &Value, after: &Value, scope: Scope) -> Vec<String> {
        let line = |change: FieldChange| {
            let side = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
            format!("{} {} → {}", change.field, side(change.before), side(change.after))
        };
        changes(before, after, scope).into_iter().map(line).collect()
    }

    #[test]
    fn both_values_are_told_and_items_of_lists_by_their_names() {
        let object = |image: &str, replicas: u32, more: Value| json!({"spec": {"replicas": replicas, "limits": more, "containers": [{"name": "web", "image": image}]}});
        let (one, other) = (object("a:1", 2, json!({"cpu": "500m"})), object("a:2", 2, json!({"cpu": 0.5})));
        assert_eq!(lines(&one, &other, Scope::All), ["/spec/containers[web]/image a:1 → a:2"]);
        let other = object("a:1", 3, json!({}));
        assert_eq!(lines(&one, &other, Scope::All), ["/spec/replicas 2 → 3", "/spec/limits/cpu 500m → -"]);
        assert_eq!(lines(&one, &other, Scope::Asked), ["/spec/replicas 2 → 3"]);
    }

    #[test]
    fn long_values_and_many_fields_are_cut() {
        let many: serde_json::Map<String, Value> =
            (0..200).map(|index| (format!("k{index}"), json!("x".repeat(1000)))).collect();
        let changes = changes(&json!({}), &Value::Object(many), Scope::All);
        assert_eq!(changes.len(), FIELDS);
        assert!(changes[0].after.as_ref().unwrap().chars().count() == VALUE + 1);
    }
}
