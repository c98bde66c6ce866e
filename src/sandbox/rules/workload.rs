//! Jobs and daemon sets: what the API server fills in for them.

use serde_json::{Value, json};

use super::super::object::Fields;

/// A job selects its pods by its own identity, unless it is told otherwise.
pub(super) fn prepare_job(object: &mut Value) {
    if object.holds("/spec/manualSelector") {
        return;
    }
    let (uid, name) = (object.uid().to_owned(), object.name().to_owned());
    let labels = [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ];
    // Labels that were taken from the template are the template's still.
    let shared = object.map("/metadata/labels").is_none_or(serde_json::Map::is_empty)
        || object.pointer("/metadata/labels") == object.pointer("/spec/template/metadata/labels");
    for (label, value) in labels {
        object.put(&format!("/spec/template/metadata/labels/{}", label.replace('/', "~1")), json!(value));
    }
    // A job without labels is given its template's.
    if object.map("/metadata/labels").is_none_or(serde_json::Map::is_empty)
        && let Some(labels) = object.pointer("/spec/template/metadata/labels").cloned()
    {
        object.put("/metadata/labels", labels);
    }
    if let Some(labels) = object.pointer("/spec/template/metadata/labels").filter(|_| shared).cloned() {
        object.put("/metadata/labels", labels);
    }
    object.put("/spec/selector", json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}));
}

/// A daemon set counts the changes of its template in an annotation of old.
pub(super) fn count_templates(live: &Value, object: &mut Value) {
    let name = "deprecated.daemonset.template.generation";
    let counted: i64 = live.annotation(name).and_then(|text| text.parse().ok()).unwrap_or(1);
    let changed = live.pointer("/spec/template") != object.pointer("/spec/template");
    object.put(&format!("/metadata/annotations/{name}"), json!((counted + i64::from(changed)).to_string()));
}
