//! The way from client-side to server-side apply: the manager `kubectl` may take what the last-applied annotation
//! names, and keeps that annotation up to date.

use serde_json::Value;

use super::walk::{self, Scope};
use super::{Clashes, Task};

const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// More than this and an object's annotations are too large (apimachinery: `TotalAnnotationSizeLimitB`).
const SIZE_LIMIT: usize = 256 * 1024;

/// The conflicts that the last-applied annotation does not excuse.
pub(super) fn not_ours(task: &Task<'_>, before: &Value, clashes: Clashes) -> Clashes {
    let Some(last) = annotation(before).and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
        return clashes;
    };
    if last.get("apiVersion").and_then(Value::as_str) != Some(task.api_version.as_str()) {
        return clashes;
    }
    let scope: Scope<'_> = task.scope;
    if walk::check(scope, &last, false).is_err() {
        return clashes;
    }
    let compared = walk::compare(scope, &last, before);
    let set = walk::covered(scope, &last).1;
    let allowed =
        set.difference(&compared.modified).difference(&compared.added).difference(&compared.removed);
    clashes.into_iter().filter(|(_, path)| !allowed.has_path(path)).collect()
}

/// Brings the annotation up to what is applied, where there is one.
pub(super) fn refresh(result: &mut Value, applied: &Value) {
    if annotation(result).is_none() {
        return;
    }
    let mut applied = applied.clone();
    if let Some(annotations) = applied.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.shift_remove(ANNOTATION);
    }
    let text = sorted(&applied).to_string() + "\n";
    let Some(annotations) = result.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) else {
        return;
    };
    annotations.insert(ANNOTATION.to_owned(), Value::String(text));
    let size: usize =
        annotations.iter().map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
    if size > SIZE_LIMIT {
        annotations.shift_remove(ANNOTATION);
    }
}

fn annotation(object: &Value) -> Option<&str> {
    let annotations = object.pointer("/metadata/annotations")?;
    annotations.get(ANNOTATION).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// With the keys in order, as Go writes maps.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}
