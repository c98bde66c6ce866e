//! Server-side apply and the tracking of who wrote which fields, by the rules of structured-merge-diff. No clock, no
//! IO.

mod last_applied;
mod managers;
mod set;
mod walk;

use std::sync::LazyLock;

use jiff::Timestamp;
use serde_json::{Value, json};

use self::managers::{Entry, Identity};
use self::set::{Element, Set};
use self::walk::{Comparison, Scope};
use super::schema::{Rejection, ResourceType, Schemas};

/// One field that another manager owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The cause's message: `conflict with "kubectl-edit" using apps/v1`.
    pub message: String,
    /// The path: `.spec.replicas`.
    pub field: String,
}

/// Why an apply is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyError {
    /// 409: others own fields; the status' message and its causes.
    Conflicts {
        /// `Apply failed with 1 conflict: …`
        message: String,
        /// One per field.
        conflicts: Vec<Conflict>,
    },
    /// 400 or 422.
    Rejected(Rejection),
    /// 500 with this message, as the API server answers where an object does not fit its schema.
    Internal(String),
}

/// What an apply works on.
struct Task<'a> {
    schemas: &'a Schemas,
    resource: &'a ResourceType,
    scope: Scope<'a>,
    api_version: String,
    subresource: &'a str,
    /// What a request to this resource or subresource does not own.
    reset: Set,
    now: String,
}

/// Conflicts while they are still paths.
type Clashes = Vec<(Identity, Vec<Element>)>;

/// Server-side apply: the object that results, with its managedFields. Equal to `live` if nothing changes. The
/// result is decoded and has defaults; the store validates it.
#[expect(clippy::too_many_arguments, reason = "an apply has that many parts")]
pub fn apply(
    schemas: &Schemas,
    resource: &ResourceType,
    live: Option<&Value>,
    applied: &Value,
    manager: &str,
    force: bool,
    subresource: Option<&str>,
    now: &Timestamp,
) -> Result<Value, ApplyError> {
    let task = Task::new(schemas, resource, subresource, now)?;
    task.check_applied(applied)?;
    let empty = schemas.empty(resource);
    let known = live.unwrap_or(&empty);
    let mut entries = managers::decode(known);
    let before = without_entries(known);
    if entries.is_empty() {
        let compared = task.compare(&task.api_version, &empty, &before);
        task.take(&mut entries, &compared, "before-first-apply");
    }
    let outcome = task.apply(&before, applied, &entries, manager, force);
    let (merged, mut entries) = match outcome {
        Err(clashes) if manager == "kubectl" => {
            let left = last_applied::not_ours(&task, &before, clashes);
            if !left.is_empty() {
                return Err(conflicts(&left));
            }
            task.apply(&before, applied, &entries, manager, true).map_err(|clashes| conflicts(&clashes))?
        }
        other => other.map_err(|clashes| conflicts(&clashes))?,
    };
    let identity = task.identity(manager, true);
    let mut result = match merged {
        Some(merged) => {
            if let Some(entry) = entries.iter_mut().find(|entry| entry.identity == identity) {
                entry.time = Some(task.now.clone());
            }
            let mut result = merged;
            schemas
                .settle(resource, &mut result)
                .map_err(|error| ApplyError::Internal(task.misfit(&error)))?;
            result
        }
        None => before.clone(),
    };
    managers::encode(entries, &mut result);
    if manager == "kubectl" {
        last_applied::refresh(&mut result, applied);
    }
    schemas.store_form(resource, &mut result);
    Ok(match live {
        Some(live) if same_but_times(live, &result) => live.clone(),
        _ => result,
    })
}

/// Notes in `after`'s managedFields what a POST, PUT or PATCH changed. Both objects are decoded and have defaults.
pub fn track_update(
    schemas: &Schemas,
    resource: &ResourceType,
    before: Option<&Value>,
    after: &mut Value,
    manager: &str,
    subresource: Option<&str>,
    now: &Timestamp,
) {
    let Ok(task) = Task::new(schemas, resource, subresource, now) else { return };
    let empty = schemas.empty(resource);
    let before = before.unwrap_or(&empty);
    let given = std::mem::take(after);
    let mut entries = if task.subresource.is_empty() && managers::is_reset(&given) {
        Vec::new()
    } else {
        let own = if task.subresource.is_empty() { managers::decode(&given) } else { Vec::new() };
        if own.is_empty() { managers::decode(before) } else { own }
    };
    let mut result = without_entries(&given);
    let created = before.pointer("/metadata/uid").is_none();
    if created || !entries.is_empty() {
        let old = without_entries(before);
        let compared = task.compare(&task.api_version, &old, &result);
        task.yield_fields(&mut entries, &compared, &old, &result, None);
        task.take(&mut entries, &compared, manager);
        managers::cap(&mut entries);
        managers::encode(entries, &mut result);
    }
    schemas.store_form(resource, &mut result);
    *after = if same_but_times(before, &result) { before.clone() } else { result };
}

impl<'a> Task<'a> {
    fn new(
        schemas: &'a Schemas,
        resource: &'a ResourceType,
        subresource: Option<&'a str>,
        now: &Timestamp,
    ) -> Result<Task<'a>, ApplyError> {
        let api_version = resource.api_version();
        let Some((arena, shape)) = schemas.typed(&api_version, &resource.kind) else {
            let message = format!("no corresponding type for {api_version}, Kind={}", resource.kind);
            return Err(ApplyError::Internal(message));
        };
        let subresource = subresource.unwrap_or("");
        Ok(Task {
            schemas,
            resource,
            scope: Scope::new(arena, shape),
            api_version,
            subresource,
            reset: reset_fields(schemas, resource, subresource),
            now: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        })
    }

    fn identity(&self, manager: &str, applied: bool) -> Identity {
        Identity {
            manager: if manager.is_empty() { "unknown".to_owned() } else { manager.to_owned() },
            applied,
            api_version: if applied { String::new() } else { self.api_version.clone() },
            subresource: self.subresource.to_owned(),
        }
    }

    fn check_applied(&self, applied: &Value) -> Result<(), ApplyError> {
        let part = |pointer: &str| applied.pointer(pointer).and_then(Value::as_str).unwrap_or("");
        if part("/apiVersion") != self.api_version {
            return Err(ApplyError::Rejected(Rejection::BadRequest(format!(
                "Incorrect version specified in apply patch. Specified patch version: {}, expected: {}",
                part("/apiVersion"),
                self.api_version
            ))));
        }
        if applied.pointer("/metadata/managedFields").is_some_and(|fields| !fields.is_null()) {
            let message = "metadata.managedFields must be nil".to_owned();
            return Err(ApplyError::Rejected(Rejection::BadRequest(message)));
        }
        walk::check(self.scope, applied, false).map_err(|error| {
            ApplyError::Internal(format!(
                "failed to create typed patch object ({}/{}; {}/{}, Kind={}): {error}",
                part("/metadata/namespace"),
                part("/metadata/name"),
                self.resource.group,
                self.resource.version,
                self.resource.kind
            ))
        })
    }

    fn misfit(&self, error: &str) -> String {
        let kind = &self.resource.kind;
        format!("unable to convert unstructured object to {}, Kind={kind}: {error}", self.api_version)
    }

    /// The object that results, if it differs, and whose its fields are then.
    fn apply(
        &self,
        before: &Value,
        applied: &Value,
        entries: &[Entry],
        manager: &str,
        force: bool,
    ) -> Result<(Option<Value>, Vec<Entry>), Clashes> {
        let mut merged = walk::merge(self.scope, before, applied);
        let identity = self.identity(manager, true);
        let last = entries.iter().find(|entry| entry.identity == identity);
        let others = entries.iter().filter(|entry| entry.identity != identity).cloned();
        let mut entries: Vec<Entry> = others.collect();
        entries.push(Entry {
            identity: identity.clone(),
            api_version: self.api_version.clone(),
            time: last.and_then(|entry| entry.time.clone()),
            set: walk::covered(self.scope, applied).1.without(&self.reset),
        });
        // Most applies give nothing up.
        let own = entries.last().map(|entry| &entry.set);
        let given_up = |last: &&Entry| own.is_none_or(|own| !last.set.difference(own).is_empty());
        if let Some(last) = last.filter(given_up) {
            merged = self.prune(merged, &entries, last);
        }
        let compared = self.compare(&self.api_version, before, &merged);
        let clashes = self.yield_fields(&mut entries, &compared, before, &merged, Some(&identity));
        if !force && !clashes.is_empty() {
            return Err(clashes);
        }
        if let Some(entry) = entries.iter_mut().find(|entry| entry.identity == identity) {
            entry.set = entry.set.difference(&stripped());
        }
        entries.retain(|entry| !entry.set.is_empty());
        Ok(((*before != merged).then_some(merged), entries))
    }

    /// Removes what the manager applied last time, does not now, and nobody else has.
    fn prune(&self, merged: Value, entries: &[Entry], last: &Entry) -> Value {
        let Some((arena, shape)) = self.schemas.typed(&last.api_version, &self.resource.kind) else {
            return merged;
        };
        let scope = Scope::new(arena, shape);
        let named = |set: &Set| set.with_named(scope, &Scope::named);
        let last = named(&last.set);
        let managed = named(&entries.iter().fold(Set::default(), |all, entry| all.union(&entry.set)));
        let merged_set = named(&walk::covered(scope, &merged).1);
        // What others have comes back, with the items and maps around it.
        let pruned = walk::remove(scope, &merged, &last);
        let kept = named(&walk::covered(scope, &pruned).1).union(&managed);
        let pruned = walk::remove(scope, &merged, &merged_set.difference(&kept));
        // And so does what the manager never had.
        let pruned_set = named(&walk::covered(scope, &pruned).1);
        walk::remove(scope, &merged, &merged_set.difference(&pruned_set).intersection(&last))
    }

    fn compare(&self, version: &str, before: &Value, after: &Value) -> Comparison {
        let scope = match self.schemas.typed(version, &self.resource.kind) {
            Some((arena, shape)) => Scope::new(arena, shape),
            None => self.scope,
        };
        let compared = walk::compare(scope, before, after);
        Comparison {
            removed: compared.removed.without(&self.reset),
            modified: compared.modified.without(&self.reset),
            added: compared.added.without(&self.reset),
        }
    }

    /// Takes from all managers but one what a change modifies, adds or removes; says what they lose of the first two.
    fn yield_fields(
        &self,
        entries: &mut Vec<Entry>,
        compared: &Comparison,
        before: &Value,
        after: &Value,
        workflow: Option<&Identity>,
    ) -> Clashes {
        let mut clashes = Vec::new();
        entries.retain(|entry| self.schemas.typed(&entry.api_version, &self.resource.kind).is_some());
        for entry in entries.iter_mut().filter(|entry| Some(&entry.identity) != workflow) {
            let other;
            let compared = if entry.api_version == self.api_version {
                compared
            } else {
                other = self.compare(&entry.api_version, before, after);
                &other
            };
            let lost = entry.set.intersection(&compared.modified.union(&compared.added));
            clashes.extend(lost.paths().into_iter().map(|path| (entry.identity.clone(), path)));
            entry.set = entry.set.difference(&lost).difference(&compared.removed);
        }
        entries.retain(|entry| !entry.set.is_empty());
        clashes
    }

    /// Gives what a change modified and added to a manager that updates.
    fn take(&self, entries: &mut Vec<Entry>, compared: &Comparison, manager: &str) {
        let taken = compared.modified.union(&compared.added).difference(&stripped());
        if taken.is_empty() {
            return;
        }
        let identity = self.identity(manager, false);
        // What comes by way of a scale has no time.
        let time = (self.subresource != "scale").then(|| self.now.clone());
        match entries.iter_mut().find(|entry| entry.identity == identity) {
            Some(entry) => {
                entry.set = entry.set.union(&taken);
                entry.time = time;
            }
            None => entries.push(Entry { identity, api_version: self.api_version.clone(), time, set: taken }),
        }
    }
}

fn conflicts(clashes: &Clashes) -> ApplyError {
    let mut sorted: Vec<_> = clashes.iter().collect();
    sorted.sort_by_key(|(identity, _)| identity.sort_text());
    let shown = |path: &[Element]| path.iter().map(Element::shown).collect::<String>();
    let conflicts: Vec<Conflict> = sorted
        .iter()
        .map(|(identity, path)| Conflict {
            message: format!("conflict with {}", identity.shown()),
            field: shown(path),
        })
        .collect();
    let message = match sorted.as_slice() {
        [(identity, path)] => {
            format!("Apply failed with 1 conflict: conflict with {}: {}", identity.shown(), shown(path))
        }
        _ => {
            let mut lines: Vec<String> = Vec::new();
            let mut last = None;
            for (identity, path) in &sorted {
                if last != Some(identity) {
                    lines.push(format!("conflicts with {}:", identity.shown()));
                    last = Some(identity);
                }
                lines.push(format!("- {}", shown(path)));
            }
            format!("Apply failed with {} conflicts: {}", sorted.len(), lines.join("\n"))
        }
    };
    ApplyError::Conflicts { message, conflicts }
}

/// What is in every object and never owned.
fn stripped() -> Set {
    static STRIPPED: LazyLock<Set> = LazyLock::new(|| {
        let mut set = Set::default();
        for name in ["apiVersion", "kind", "metadata"] {
            set.insert(&[Element::field(name)]);
        }
        for name in [
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "clusterName",
            "generation",
            "managedFields",
            "resourceVersion",
        ] {
            set.insert(&[Element::field("metadata"), Element::field(name)]);
        }
        set
    });
    STRIPPED.clone()
}

/// The fields that requests to a resource or one of its subresources cannot write, and so do not own.
fn reset_fields(schemas: &Schemas, resource: &ResourceType, subresource: &str) -> Set {
    let has_status = resource.subresources.iter().any(|known| known.name == "status");
    let paths: &[&[&str]] = match (resource.group.as_str(), resource.plural.as_str(), subresource) {
        _ if !has_status => &[],
        ("certificates.k8s.io", "certificatesigningrequests", "") => &[&["spec"], &["status"]],
        ("certificates.k8s.io", "certificatesigningrequests", "status") => {
            &[&["spec"], &["status", "conditions"]]
        }
        ("certificates.k8s.io", "certificatesigningrequests", "approval") => {
            &[&["spec"], &["status", "certificate"]]
        }
        ("apps", "deployments", "status") => &[&["spec"], &["metadata", "labels"]],
        ("", "pods", "status") => {
            &[&["spec"], &["metadata", "deletionTimestamp"], &["metadata", "ownerReferences"]]
        }
        (
            "flowcontrol.apiserver.k8s.io"
            | "admissionregistration.k8s.io"
            | "storagemigration.k8s.io"
            | "apiregistration.k8s.io",
            _,
            "status",
        )
        | ("networking.k8s.io", "servicecidrs", "status")
        | ("storage.k8s.io", "volumeattachments", "status") => &[&["metadata"], &["spec"]],
        (_, _, "status") if schemas.is_custom(resource) => &[&["metadata"], &["spec"]],
        (_, _, "status") => &[&["spec"]],
        _ => &[&["status"]],
    };
    let mut set = Set::default();
    for path in paths {
        let path: Vec<Element> = path.iter().map(|name| Element::field(name)).collect();
        set.insert(&path);
    }
    set
}

fn without_entries(object: &Value) -> Value {
    let Some(map) = object.as_object() else { return object.clone() };
    let parts = map.iter().map(|(key, value)| {
        let value = match value {
            Value::Object(metadata) if key == "metadata" => {
                let kept = metadata.iter().filter(|(key, _)| *key != "managedFields");
                Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
            }
            other => other.clone(),
        };
        (key.clone(), value)
    });
    let mut object = Value::Object(parts.collect());
    if object.get("metadata").is_none() {
        object["metadata"] = json!({});
    }
    object
}

/// Whether two objects differ in nothing but the times of their managers.
fn same_but_times(one: &Value, other: &Value) -> bool {
    let (Some(ours), Some(theirs)) = (entries_of(one), entries_of(other)) else { return false };
    let timeless = |one: &Value, other: &Value| same_but(one, other, "time", &|_, _| true);
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|(one, other)| timeless(one, other))
        && same_but(one, other, "metadata", &|one, other| same_but(one, other, "managedFields", &|_, _| true))
}

fn entries_of(object: &Value) -> Option<&Vec<Value>> {
    object.pointer("/metadata/managedFields").and_then(Value::as_array)
}

/// Whether two maps are the same in all keys but one, which is compared otherwise.
fn same_but(one: &Value, other: &Value, apart: &str, compare: &dyn Fn(&Value, &Value) -> bool) -> bool {
    let (Some(ours), Some(theirs)) = (one.as_object(), other.as_object()) else { return one == other };
    let count = |map: &serde_json::Map<String, Value>| map.len() - usize::from(map.contains_key(apart));
    let null = Value::Null;
    let (one, other) = (ours.get(apart).unwrap_or(&null), theirs.get(apart).unwrap_or(&null));
    count(ours) == count(theirs)
        && compare(one, other)
        && ours.iter().filter(|(key, _)| *key != apart).all(|(key, value)| theirs.get(key) == Some(value))
}

#[cfg(test)]
#[path = "apply/tests.rs"]
mod tests;
