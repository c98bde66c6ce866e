//! managedFields: which manager owns which fields (Kubernetes' structured-merge-diff, `fieldsV1`).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::manifest::INSTANCE_LABEL;

/// The name under which moorline applies.
pub const FIELD_MANAGER: &str = "moorline";

/// How deep field sets may nest.
const DEPTH_LIMIT: usize = 64;

/// One entry of managedFields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) manager: &'a str,
    pub(super) operation: &'a str,
    pub(super) api_version: &'a str,
    pub(super) subresource: Option<&'a str>,
    pub(super) time: Option<&'a str>,
    pub(super) fields: &'a Map<String, Value>,
}

impl Entry<'_> {
    pub(super) fn is_ours(&self) -> bool {
        self.manager == FIELD_MANAGER && self.operation == "Apply" && self.subresource.is_none()
    }
}

/// All entries of an object that can be understood.
pub(super) fn entries(object: &Value) -> impl Iterator<Item = Entry<'_>> {
    let list = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|entry| {
        let text = |key: &str| entry.get(key).and_then(Value::as_str);
        Some(Entry {
            manager: text("manager").unwrap_or("unknown"),
            operation: text("operation").unwrap_or(""),
            api_version: text("apiVersion").unwrap_or(""),
            subresource: text("subresource").filter(|name| !name.is_empty()),
            time: text("time"),
            fields: entry.get("fieldsV1")?.as_object()?,
        })
    })
}

/// Our own entry.
pub(super) fn own_entry(object: &Value) -> Option<Entry<'_>> {
    entries(object).find(Entry::is_ours)
}

/// One step of a path in `fieldsV1`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step<'a> {
    /// `f:name`: a field of a map.
    Field(&'a str),
    /// `k:{…}`: an item of a list, by its keys.
    Key(Value, &'a str),
    /// `v:…`: a member of a set.
    Member(Value, &'a str),
    /// `i:0`: an item of a list, by its place.
    Index(usize),
}

pub(super) fn step(key: &str) -> Option<Step<'_>> {
    let (tag, rest) = key.split_once(':')?;
    match tag {
        "f" => Some(Step::Field(rest)),
        "k" => Some(Step::Key(serde_json::from_str(rest).ok()?, rest)),
        "v" => Some(Step::Member(serde_json::from_str(rest).ok()?, rest)),
        "i" => Some(Step::Index(rest.parse().ok()?)),
        _ => None,
    }
}

/// The value that a step leads to.
pub(super) fn descend<'a>(value: &'a Value, step: &Step<'_>) -> Option<&'a Value> {
    match step {
        Step::Field(name) => value.get(*name),
        Step::Key(keys, _) => {
            let keys = keys.as_object()?;
            value
                .as_array()?
                .iter()
                .find(|item| keys.iter().all(|(key, wanted)| key_matches(item, key, wanted)))
        }
        Step::Member(member, _) => value.as_array()?.iter().find(|item| *item == member),
        Step::Index(index) => value.as_array()?.get(*index),
    }
}

/// A key that an item leaves out has its default: the protocol of a port is TCP (Kubernetes' OpenAPI schema).
fn key_matches(item: &Value, key: &str, wanted: &Value) -> bool {
    match item.get(key) {
        Some(value) => value == wanted,
        None => key == "protocol" && wanted == "TCP",
    }
}

/// Visits every field of a field set with its path and the value there; a field without children is a leaf.
/// Items of lists that the set names themselves (`.`) are visited too.
pub(super) fn visit<'a>(
    fields: &'a Map<String, Value>,
    value: Option<&'a Value>,
    path: &mut String,
    found: &mut dyn FnMut(&str, Option<&'a Value>),
) {
    visit_level(fields, value, path, 0, found);
}

fn visit_level<'a>(
    fields: &'a Map<String, Value>,
    value: Option<&'a Value>,
    path: &mut String,
    depth: usize,
    found: &mut dyn FnMut(&str, Option<&'a Value>),
) {
    if depth > DEPTH_LIMIT {
        return;
    }
    for (key, inner) in fields {
        let Some(step) = step(key) else { continue };
        let length = path.len();
        push_step(path, &step);
        let here = value.and_then(|value| descend(value, &step));
        match inner.as_object().filter(|inner| inner.keys().any(|key| key != ".")) {
            Some(inner) => visit_level(inner, here, path, depth + 1, found),
            None => found(path, here),
        }
        path.truncate(length);
    }
}

/// Paths for people and for comparing: JSON pointers, with list items as `[keys]`.
fn push_step(path: &mut String, step: &Step<'_>) {
    match step {
        Step::Field(name) => {
            path.push('/');
            path.push_str(&name.replace('~', "~0").replace('/', "~1"));
        }
        Step::Key(_, text) | Step::Member(_, text) => {
            path.push('[');
            path.push_str(text);
            path.push(']');
        }
        Step::Index(index) => path.push_str(&format!("[{index}]")),
    }
}

/// Who owns `/spec/replicas` of an object that has the field: we, and anybody else.
pub(super) fn owners_of_replicas(object: &Value) -> (bool, bool) {
    let owns =
        |entry: &Entry<'_>| entry.fields.get("f:spec").is_some_and(|spec| spec.get("f:replicas").is_some());
    let (mut ours, mut others) = (false, false);
    for entry in entries(object).filter(owns) {
        if entry.is_ours() {
            ours = true;
        } else {
            others = true;
        }
    }
    (ours, others)
}

/// All leaf paths of a field set.
pub(super) fn leaves(fields: &Map<String, Value>) -> Vec<String> {
    let mut all = Vec::new();
    visit(fields, None, &mut String::new(), &mut |path, _| all.push(path.to_owned()));
    all
}

/// Who holds a field now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The manager.
    pub manager: String,
    /// When it last wrote, as the API server recorded it.
    pub time: Option<String>,
}

/// The labels that moorline gave an object, whether it applied or created it. The instance's own is left out.
pub fn labels_of_ours(object: &Value) -> BTreeMap<String, String> {
    let ours = entries(object).filter(|entry| entry.manager == FIELD_MANAGER);
    let fields = ours.filter_map(|entry| entry.fields.get("f:metadata")?.get("f:labels")?.as_object());
    let keys = fields.flatten().filter_map(|(key, _)| key.strip_prefix("f:"));
    let labels = object.pointer("/metadata/labels");
    let value = |key: &str| Some((key.to_owned(), labels?.get(key)?.as_str()?.to_owned()));
    keys.filter(|key| *key != INSTANCE_LABEL).filter_map(value).collect()
}

/// The manager that holds a field, other than us, where managedFields tell. The path is one of
/// [`super::changed_fields`].
pub fn owner_of(object: &Value, path: &str) -> Option<Owner> {
    let holds = |entry: &Entry<'_>| {
        leaves(entry.fields)
            .iter()
            .any(|leaf| leaf == path || leaf.starts_with(path) || path.starts_with(leaf.as_str()))
    };
    let mut others: Vec<_> = entries(object).filter(|entry| !entry.is_ours() && holds(entry)).collect();
    others.sort_by_key(|entry| entry.time);
    let last = others.last()?;
    Some(Owner { manager: last.manager.to_owned(), time: last.time.map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_that_we_gave_are_told_from_those_of_others() {
        let entry = |manager: &str, operation: &str, labels: Value| json!({"manager": manager, "operation": operation, "fieldsV1": {"f:metadata": {"f:labels": labels}}});
        let namespace = json!({"metadata": {
            "labels": {"tier": "all", "moorline.dev/team": "blue", "moorline.dev/instance": "shop", "theirs": "x"},
            "managedFields": [
                entry("moorline", "Update", json!({".": {}, "f:tier": {}, "f:moorline.dev/team": {}, "f:moorline.dev/instance": {}, "f:gone": {}})),
                entry("kubectl", "Update", json!({"f:theirs": {}})),
            ],
        }});
        let expected = [("moorline.dev/team", "blue"), ("tier", "all")];
        let expected: BTreeMap<String, String> =
            expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        assert_eq!(labels_of_ours(&namespace), expected);
        assert_eq!(labels_of_ours(&json!({"metadata": {"labels": {"a": "b"}}})), BTreeMap::new());
    }
}
