//! Deleting: preconditions, grace, finalizers and what becomes of dependents.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::catalog::Resource;
use super::super::failure::{Cause, Failure, Named};
use super::super::object::Fields;
use super::super::objects::Change;
use super::super::request::{Body, List, Payload, Response};
use super::super::selector::{FieldSelector, LabelSelector};
use super::super::store::Store;
use super::decode::body_of;
use super::write::{is_released, time};
use super::{Call, Caller, deletion_details, success};

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

/// What becomes of the objects that name a deleted one as their owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They are deleted afterwards.
    Background,
    /// They are deleted first.
    Foreground,
    /// They stay.
    Orphan,
}

/// How an object is to be deleted.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Seconds that a pod is given.
    pub grace: Option<i64>,
    /// What becomes of dependents.
    pub propagation: Option<Propagation>,
    /// It must be this one.
    pub uid: Option<String>,
    /// It must be as it was then.
    pub resource_version: Option<String>,
    /// Nothing is to be kept.
    pub dry_run: bool,
}

impl DeleteOptions {
    fn read(call: &Call<'_>) -> Result<DeleteOptions, Failure> {
        let sent = match &call.request.body {
            Payload::Empty => json!({}),
            Payload::Bytes(bytes) if bytes.is_empty() => json!({}),
            _ => body_of(call.request, ("", "v1", "DeleteOptions"))?,
        };
        let query = &call.request.query;
        let text = |pointer: &str| Some(sent.text(pointer).to_owned()).filter(|text| !text.is_empty());
        let policy = match query.text("propagationPolicy") {
            "" => sent.text("/propagationPolicy").to_owned(),
            policy => policy.to_owned(),
        };
        let orphan = sent.pointer("/orphanDependents").and_then(Value::as_bool);
        let orphan =
            orphan.or_else(|| query.has("orphanDependents").then(|| query.holds("orphanDependents")));
        let propagation = match (policy.as_str(), orphan) {
            ("Background", _) | ("", Some(false)) => Some(Propagation::Background),
            ("Foreground", _) => Some(Propagation::Foreground),
            ("Orphan", _) | ("", Some(true)) => Some(Propagation::Orphan),
            ("", None) => None,
            (other, _) => {
                let message = format!(
                    "Unsupported value: {other:?}: supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
                );
                let cause = Cause {
                    reason: "FieldValueNotSupported",
                    field: "propagationPolicy".to_owned(),
                    message,
                };
                return Err(Failure::invalid(&Named::new("meta.k8s.io", "DeleteOptions"), "", &[cause]));
            }
        };
        let dry_run = call.caller()?.dry_run || sent.items("/dryRun").iter().any(|one| one == "All");
        Ok(DeleteOptions {
            grace: query.number("gracePeriodSeconds").or_else(|| sent.number("/gracePeriodSeconds")),
            propagation,
            uid: text("/preconditions/uid"),
            resource_version: text("/preconditions/resourceVersion"),
            dry_run,
        })
    }
}

/// What a deletion made.
#[derive(Clone, Debug)]
pub struct Deleted {
    /// The object, as it is or last was.
    pub object: Arc<Value>,
    /// Whether it is gone.
    pub gone: bool,
}

impl Store {
    pub(super) fn delete_one(&mut self, call: &Call<'_>) -> Result<Response, Failure> {
        let options = DeleteOptions::read(call)?;
        let caller = call.caller()?;
        let deleted = self.delete(&call.resource, &call.namespace, &call.name, &options, &caller)?;
        let mut response = if deleted.gone && !returns_object(&call.resource) {
            success(deletion_details(&call.resource, &deleted.object))
        } else {
            call.answer(200, &deleted.object)
        };
        let orphans = call.resource.collection == "jobs.batch" && options.propagation.is_none();
        if orphans && !deleted.object.is_null() {
            let warning = "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning";
            response.warnings.push(warning.to_owned());
        }
        Ok(response)
    }

    pub(super) fn delete_many(&mut self, call: &Call<'_>) -> Result<Response, Failure> {
        let options = DeleteOptions::read(call)?;
        let caller = call.caller()?;
        let query = &call.request.query;
        let labels = LabelSelector::parse(query.text("labelSelector"))?;
        let named = call.resource.named.to_string();
        let fields = FieldSelector::parse(query.text("fieldSelector"), &named, &[])?;
        let namespace = Some(call.namespace.as_str()).filter(|namespace| !namespace.is_empty());
        let chosen: Vec<Arc<Value>> = self
            .list(&call.resource.collection, namespace)
            .filter(|object| labels.matches(object) && fields.matches(object))
            .cloned()
            .collect();
        let mut items = Vec::new();
        for object in chosen {
            match self.delete(&call.resource, object.namespace(), object.name(), &options, &caller) {
                Ok(deleted) => items.push(deleted.object),
                Err(failure) if failure.code == 404 => {}
                Err(failure) => return Err(failure),
            }
        }
        let head = json!({"kind": format!("{}List", call.resource.kind.kind),
            "apiVersion": call.resource.api_version,
            "metadata": {"resourceVersion": self.version().to_string()}});
        let list = List { head, items, typed: call.resource.custom };
        Ok(Response::new(200, Body::List(list)))
    }

    /// Deletes an object, or begins to.
    pub fn delete(
        &mut self,
        resource: &Arc<Resource>,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
        caller: &Caller,
    ) -> Result<Deleted, Failure> {
        let live = self.get(&resource.collection, namespace, name).cloned();
        let live = live.ok_or_else(|| Failure::not_found(&resource.named, name))?;
        let immortal = ["default", "kube-system", "kube-public"];
        if resource.collection == "namespaces" && immortal.contains(&name) {
            return Err(Failure::forbidden(&resource.named, name, "this namespace may not be deleted"));
        }
        check_preconditions(resource, &live, options)?;
        let mut object = live.as_ref().clone();
        let grace = grace(resource, &live, options);
        let finalizers = finalizers(resource, &live, options);
        if !live.is_terminating() {
            object.put("/metadata/deletionTimestamp", json!(time(later(caller.now, grace))));
            // These two are deleted by code of their own, which knows no grace.
            let apart = ["namespaces", "customresourcedefinitions.apiextensions.k8s.io"];
            if !apart.contains(&resource.collection.as_str()) {
                object.put("/metadata/deletionGracePeriodSeconds", json!(grace));
                if let Some(generation) = live.number("/metadata/generation") {
                    object.put("/metadata/generation", json!(generation + 1));
                }
            }
            if resource.collection == "customresourcedefinitions.apiextensions.k8s.io" {
                mark_for_deletion(&mut object, caller);
            }
        } else if grace < live.number("/metadata/deletionGracePeriodSeconds").unwrap_or_default() {
            object.put("/metadata/deletionTimestamp", json!(time(later(caller.now, grace))));
            object.put("/metadata/deletionGracePeriodSeconds", json!(grace));
        }
        if resource.collection == "namespaces" {
            object.put("/status/phase", json!("Terminating"));
        }
        if finalizers.is_empty() {
            object.take_out("/metadata/finalizers");
        } else {
            object.put("/metadata/finalizers", json!(finalizers));
        }
        let gone = is_released(resource, &object);
        if options.dry_run {
            let object = if gone { live } else { Arc::new(object) };
            return Ok(Deleted { object, gone });
        }
        if gone {
            // An object that goes at once shows no sign of having been about to.
            let shows = live.is_terminating() || resource.collection == "pods";
            let last = if shows { object } else { live.as_ref().clone() };
            let object = self.commit(resource, last, Change::Deleted);
            return Ok(Deleted { object, gone });
        }
        if object == *live {
            return Ok(Deleted { object: live, gone: false });
        }
        Ok(Deleted { object: self.commit(resource, object, Change::Modified), gone: false })
    }
}

fn mark_for_deletion(object: &mut Value, caller: &Caller) {
    let condition = json!({"type": "Terminating", "status": "True", "reason": "InstanceDeletionPending",
        "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
        "lastTransitionTime": time(caller.now)});
    if let Some(conditions) = object.pointer_mut("/status/conditions").and_then(Value::as_array_mut) {
        conditions.push(condition);
    }
}

fn later(now: jiff::Timestamp, seconds: i64) -> jiff::Timestamp {
    now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(now)
}

fn check_preconditions(resource: &Resource, live: &Value, options: &DeleteOptions) -> Result<(), Failure> {
    // The API server names the kind here, where all other conflicts name the resource.
    let kind = &resource.named_kind;
    if let Some(uid) = options.uid.as_deref().filter(|uid| *uid != live.uid()) {
        let why = format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been deleted and then recreated",
            live.uid()
        );
        return Err(Failure::conflict(kind, live.name(), &why));
    }
    let version = live.text("/metadata/resourceVersion");
    if let Some(wanted) = options.resource_version.as_deref().filter(|wanted| *wanted != version) {
        let why = format!(
            "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({version}). The object might have been modified"
        );
        return Err(Failure::conflict(kind, live.name(), &why));
    }
    Ok(())
}

/// Seconds until the object may go: only pods that run somewhere are given any.
fn grace(resource: &Resource, live: &Value, options: &DeleteOptions) -> i64 {
    if resource.collection != "pods" {
        return 0;
    }
    if live.text("/spec/nodeName").is_empty()
        || matches!(live.text("/status/phase"), "Succeeded" | "Failed") && !live.is_terminating()
    {
        return 0;
    }
    let own = live.number("/spec/terminationGracePeriodSeconds").unwrap_or(30);
    match options.grace {
        Some(grace) if grace < 0 => 1,
        Some(grace) => grace,
        None => own,
    }
}

fn finalizers(resource: &Resource, live: &Value, options: &DeleteOptions) -> Vec<String> {
    let held = live.items("/metadata/finalizers").iter().filter_map(Value::as_str);
    let has = |name: &str| live.items("/metadata/finalizers").iter().any(|one| one.as_str() == Some(name));
    let propagation = options.propagation.unwrap_or_else(|| match () {
        () if has(ORPHAN) => Propagation::Orphan,
        () if has(FOREGROUND) => Propagation::Foreground,
        // The first version of these kinds knew no garbage collection.
        () if ["jobs.batch", "replicationcontrollers"].contains(&resource.collection.as_str()) => {
            Propagation::Orphan
        }
        () => Propagation::Background,
    });
    let mut finalizers: Vec<String> =
        held.filter(|name| ![ORPHAN, FOREGROUND].contains(name)).map(str::to_owned).collect();
    match propagation {
        Propagation::Background => {}
        Propagation::Foreground => finalizers.push(FOREGROUND.to_owned()),
        Propagation::Orphan => finalizers.push(ORPHAN.to_owned()),
    }
    finalizers
}

/// Kinds whose deletion is answered with the object, even when it is gone.
fn returns_object(resource: &Resource) -> bool {
    [
        "pods",
        "services",
        "serviceaccounts",
        "resourcequotas",
        "persistentvolumes",
        "persistentvolumeclaims",
        "namespaces",
        "podtemplates",
        "storageclasses.storage.k8s.io",
        "csidrivers.storage.k8s.io",
        "csinodes.storage.k8s.io",
        "volumeattachments.storage.k8s.io",
        "volumeattributesclasses.storage.k8s.io",
        "resourceclaims.resource.k8s.io",
        "resourceclaimtemplates.resource.k8s.io",
        "resourceslices.resource.k8s.io",
        "deviceclasses.resource.k8s.io",
        "devicetaintrules.resource.k8s.io",
    ]
    .contains(&resource.collection.as_str())
}
