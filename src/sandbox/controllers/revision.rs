//! Controller revisions: the templates that stateful sets and daemon sets have had.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::ids::encoded;
use super::super::object::{Fields, controlled_by};
use super::super::store::Store;
use super::actions::{change, create, delete, hash_of, place as place_of};

const REVISIONS: &str = "controllerrevisions.apps";

/// The name of the revision that stands for the template as it is; made if it is new.
pub(super) fn current(store: &mut Store, owner: &Value, now: Timestamp) -> Option<String> {
    let mut template = owner.pointer("/spec/template")?.clone();
    let hash = encoded(hash_of(&template));
    let name = format!("{}-{hash}", owner.name());
    template.put("/$patch", json!("replace"));
    let data = json!({"spec": {"template": template}});
    let known: Vec<_> = store.controlled(owner.uid(), REVISIONS).cloned().collect();
    let latest = known.iter().filter_map(|one| one.number("/revision")).max().unwrap_or_default();
    if let Some(found) = known.iter().find(|one| one.name() == name) {
        if found.number("/revision").unwrap_or_default() < latest {
            change(store, &place_of(REVISIONS, found), now, |one| one.put("/revision", json!(latest + 1)));
        }
        return Some(name);
    }
    let mut labels = owner.pointer("/spec/template/metadata/labels").cloned().unwrap_or_else(|| json!({}));
    labels.put("/controller-revision-hash", json!(label(owner, &hash)));
    let mut revision = json!({"metadata": {"name": name, "labels": labels,
            "ownerReferences": [controlled_by(owner, owner.text("/apiVersion"), owner.text("/kind"))]},
        "data": data, "revision": latest + 1});
    if let Some(annotations) = owner.pointer("/metadata/annotations") {
        revision.put("/metadata/annotations", annotations.clone());
    }
    create(store, REVISIONS, owner.namespace(), revision, now).ok()?;
    Some(name)
}

/// How pods are labelled with their revision: stateful sets use its name, daemon sets its hash.
fn label(owner: &Value, hash: &str) -> String {
    if owner.text("/kind") == "StatefulSet" { format!("{}-{hash}", owner.name()) } else { hash.to_owned() }
}

/// The label of the pods of a revision.
pub(super) fn pod_label(owner: &Value, revision: &str) -> String {
    let hash = revision.strip_prefix(&format!("{}-", owner.name())).unwrap_or(revision);
    label(owner, hash)
}

/// The template of a revision.
pub(super) fn template(store: &Store, owner: &Value, revision: &str) -> Option<Value> {
    let found = store.get(REVISIONS, owner.namespace(), revision)?;
    let mut template = found.pointer("/data/spec/template")?.clone();
    template.take_out("/$patch");
    Some(template)
}

/// Deletes what is older than the history's limit and not in use.
pub(super) fn forget(store: &mut Store, owner: &Value, used: &[&str], now: Timestamp) {
    let limit = usize::try_from(owner.number("/spec/revisionHistoryLimit").unwrap_or(10)).unwrap_or(10);
    let mut old: Vec<_> =
        store.controlled(owner.uid(), REVISIONS).filter(|one| !used.contains(&one.name())).cloned().collect();
    old.sort_by_key(|one| one.number("/revision"));
    let surplus = old.len().saturating_sub(limit);
    for one in old.iter().take(surplus) {
        delete(store, &place_of(REVISIONS, one), None, now);
    }
}
