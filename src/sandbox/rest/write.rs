//! Creating and replacing objects: metadata, versions, generations, and who wrote what.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::apply;
use super::super::catalog::Resource;
use super::super::failure::{Failure, Named, invalid};
use super::super::object::{Fields, equal_but_for_bookkeeping};
use super::super::objects::Change;
use super::super::request::Response;
use super::super::rules;
use super::super::store::Store;
use super::patching::check_name;
use super::{Call, Caller};

/// What a write made.
#[derive(Clone, Debug)]
pub struct Written {
    /// The object, as it is kept now.
    pub object: Arc<Value>,
    /// Whether it is new.
    pub created: bool,
    /// Texts for people.
    pub warnings: Vec<String>,
}

/// How fields are noted as owned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tracking {
    /// By comparing with what was there.
    Update,
    /// They are noted in the object already.
    Done,
}

/// How often a generated name is tried.
const NAME_ATTEMPTS: usize = 8;

impl Store {
    pub(super) fn post(&mut self, call: &Call<'_>) -> Result<Response, Failure> {
        let caller = call.caller()?;
        let object = call.body()?;
        let duplicates = call.duplicates(&caller)?;
        let mut written = self.create(&call.resource, &call.namespace, object, &caller)?;
        written.warnings.splice(0..0, duplicates);
        Ok(call.written(written))
    }

    pub(super) fn put(&mut self, call: &Call<'_>) -> Result<Response, Failure> {
        let caller = call.caller()?;
        let object = call.body()?;
        check_name(&object, &call.name)?;
        let duplicates = call.duplicates(&caller)?;
        let mut written =
            self.update(&call.resource, &call.namespace, &call.name, &call.subresource, object, &caller)?;
        written.warnings.splice(0..0, duplicates);
        Ok(call.written(written))
    }

    /// Creates an object as it was sent.
    pub fn create(
        &mut self,
        resource: &Arc<Resource>,
        namespace: &str,
        mut object: Value,
        caller: &Caller,
    ) -> Result<Written, Failure> {
        if rules::begins_without_status(resource) {
            object.take_out("/status");
        }
        let warnings = self.decode(resource, &mut object, caller)?;
        let mut written = self.insert(resource, namespace, object, caller, Tracking::Update)?;
        written.warnings.splice(0..0, warnings);
        Ok(written)
    }

    /// Keeps a new object that has been decoded.
    pub(super) fn insert(
        &mut self,
        resource: &Arc<Resource>,
        namespace: &str,
        mut object: Value,
        caller: &Caller,
        tracking: Tracking,
    ) -> Result<Written, Failure> {
        place(resource, namespace, &mut object)?;
        self.check_namespace(resource, namespace, &object)?;
        if !matches!(object.text("/metadata/resourceVersion"), "" | "0") {
            let message = "resourceVersion should not be set on objects to be created";
            let mut failure = Failure::bad_request(message);
            (failure.code, failure.reason) = (500, "");
            return Err(failure);
        }
        self.name(resource, &mut object)?;
        for field in ["resourceVersion", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds"] {
            object.take_out(&format!("/metadata/{field}"));
        }
        object.put("/metadata/uid", json!(self.ids.uid()));
        object.put("/metadata/creationTimestamp", json!(time(caller.now)));
        if rules::has_generation(resource) {
            object.put("/metadata/generation", json!(1));
        }
        let mut warnings = rules::prepare_create(self, resource, &mut object, caller)?;
        let kept = self.kept(resource, &object);
        let name = object.name().to_owned();
        self.schemas
            .validate(&kept.kind, &object, None)
            .map_err(|rejection| Failure::rejected(&resource.named_kind, &name, rejection))?;
        rules::admit_create(self, resource, &object)?;
        if self.get(&resource.collection, object.namespace(), object.name()).is_some() {
            let mut failure = Failure::already_exists(&resource.named, object.name());
            let there = self.get(&resource.collection, object.namespace(), object.name());
            if there.is_some_and(|there| there.is_terminating()) {
                failure.message = format!("object is being deleted: {}", failure.message);
            }
            return Err(failure);
        }
        if tracking == Tracking::Update {
            let manager = caller.manager.as_str();
            apply::track_update(&self.schemas, &kept.kind, None, &mut object, manager, None, &caller.now);
        }
        if caller.dry_run {
            return Ok(Written { object: Arc::new(object), created: true, warnings });
        }
        let object = self.commit(resource, object, Change::Added);
        let object = rules::after_create(self, resource, object, caller, &mut warnings);
        Ok(Written { object, created: true, warnings })
    }

    /// Replaces an object, or a part of it, as it was sent.
    pub fn update(
        &mut self,
        resource: &Arc<Resource>,
        namespace: &str,
        name: &str,
        subresource: &str,
        mut object: Value,
        caller: &Caller,
    ) -> Result<Written, Failure> {
        let live = self.get(&resource.collection, namespace, name).cloned();
        let live = live.ok_or_else(|| Failure::not_found(&resource.named, name))?;
        let warnings = self.decode(resource, &mut object, caller)?;
        place(resource, namespace, &mut object)?;
        object.put("/metadata/name", json!(name));
        if resource.custom && object.text("/metadata/resourceVersion").is_empty() && !caller.system {
            let message = "Invalid value: 0: must be specified for an update".to_owned();
            let mut cause = invalid("metadata.resourceVersion", &json!(0), "");
            cause.message = message;
            return Err(Failure::invalid(&resource.named, name, &[cause]));
        }
        let mut written = self.replace(resource, &live, object, subresource, caller, Tracking::Update)?;
        written.warnings.splice(0..0, warnings);
        Ok(written)
    }

    /// Keeps a changed object that has been decoded.
    pub(super) fn replace(
        &mut self,
        resource: &Arc<Resource>,
        live: &Arc<Value>,
        mut object: Value,
        subresource: &str,
        caller: &Caller,
        tracking: Tracking,
    ) -> Result<Written, Failure> {
        Self::check_versions(resource, live, &object)?;
        Self::restore(resource, live, &mut object, subresource);
        let warnings = rules::prepare_update(self, resource, live, &mut object, subresource, caller)?;
        if subresource != "status" && rules::bumps_generation(resource, live, &object) {
            let generation = live.number("/metadata/generation").unwrap_or_default();
            object.put("/metadata/generation", json!(generation + 1));
        }
        let kept = self.kept(resource, &object);
        if !caller.system {
            self.schemas
                .validate(&kept.kind, &object, Some(live))
                .map_err(|rejection| Failure::rejected(&resource.named_kind, live.name(), rejection))?;
        }
        if tracking == Tracking::Update {
            let part = Some(subresource).filter(|part| !part.is_empty());
            let manager = caller.manager.as_str();
            apply::track_update(
                &self.schemas,
                &kept.kind,
                Some(live),
                &mut object,
                manager,
                part,
                &caller.now,
            );
        }
        let written = |object| Written { object, created: false, warnings };
        let unchanged = equal_but_for_bookkeeping(live, &object) && owners_equal(live, &object);
        if unchanged {
            return Ok(written(live.clone()));
        }
        if caller.dry_run {
            let version = live.text("/metadata/resourceVersion");
            object.put("/metadata/resourceVersion", json!(version));
            return Ok(written(Arc::new(object)));
        }
        if is_released(resource, &object) {
            return Ok(written(self.commit(resource, object, Change::Deleted)));
        }
        let object = self.commit(resource, object, Change::Modified);
        rules::after_update(self, resource, live, &object, caller);
        Ok(written(object))
    }

    /// Replaces an object, or a part of it, on behalf of the cluster.
    pub(crate) fn rewrite(
        &mut self,
        resource: &Arc<Resource>,
        live: &Arc<Value>,
        object: Value,
        subresource: &str,
        caller: &Caller,
    ) -> Result<Arc<Value>, Failure> {
        let written = self.replace(resource, live, object, subresource, caller, Tracking::Update)?;
        Ok(written.object)
    }

    fn check_versions(resource: &Resource, live: &Value, object: &Value) -> Result<(), Failure> {
        let version = object.text("/metadata/resourceVersion");
        let (uid, live_uid) = (object.uid(), live.uid());
        if !uid.is_empty() && uid != live_uid {
            let key = match live.namespace() {
                "" => live.name().to_owned(),
                namespace => format!("{namespace}/{}", live.name()),
            };
            let why = format!(
                "StorageError: invalid object, Code: 4, Key: /registry/{}/{key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {live_uid}",
                resource.kind.plural
            );
            return Err(Failure::conflict(&resource.named, live.name(), &why));
        }
        if !version.is_empty() && version != "0" && version != live.text("/metadata/resourceVersion") {
            return Err(Failure::modified(&resource.named, live.name()));
        }
        Ok(())
    }

    /// Puts back what a write of this part may not change.
    fn restore(resource: &Resource, live: &Value, object: &mut Value, subresource: &str) {
        if subresource == "status" {
            let status = object.get("status").cloned();
            let metadata = object.get("metadata").cloned().unwrap_or_default();
            object.clone_from(live);
            put_or_take(object, "/status", status);
            for field in written_with_status(resource) {
                put_or_take(object, &format!("/metadata/{field}"), metadata.get(*field).cloned());
            }
        } else if resource.has_status() {
            put_or_take(object, "/status", live.get("status").cloned());
        }
        for field in [
            "name",
            "namespace",
            "uid",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generation",
            "generateName",
        ] {
            let pointer = format!("/metadata/{field}");
            put_or_take(object, &pointer, live.pointer(&pointer).cloned());
        }
        object.take_out("/metadata/selfLink");
    }

    fn name(&mut self, resource: &Resource, object: &mut Value) -> Result<(), Failure> {
        let base = object.text("/metadata/generateName").to_owned();
        if !object.name().is_empty() || base.is_empty() {
            return Ok(());
        }
        let base: String = base.chars().take(58).collect();
        for _ in 0..NAME_ATTEMPTS {
            let name = format!("{base}{}", self.ids.suffix(5));
            if self.get(&resource.collection, object.namespace(), &name).is_none() {
                object.put("/metadata/name", json!(name));
                return Ok(());
            }
        }
        Err(Failure::no_free_name(&resource.named, &base))
    }

    /// Objects are created in namespaces that are there and not on their way out.
    pub(super) fn check_namespace(
        &self,
        resource: &Resource,
        namespace: &str,
        object: &Value,
    ) -> Result<(), Failure> {
        if namespace.is_empty() {
            return Ok(());
        }
        let Some(found) = self.get("namespaces", "", namespace) else {
            return Err(Failure::not_found(&Named::new("", "namespaces"), namespace));
        };
        if found.text("/status/phase") != "Terminating" {
            return Ok(());
        }
        let why =
            format!("unable to create new content in namespace {namespace} because it is being terminated");
        let terminating = format!("namespace {namespace} is being terminated");
        Err(Failure::forbidden(&resource.named, object.name(), &why).with_cause(
            "NamespaceTerminating",
            &terminating,
            "metadata.namespace",
        ))
    }
}

/// A time as objects carry it.
pub(crate) fn time(now: jiff::Timestamp) -> String {
    let second = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now);
    second.to_string()
}

/// Which metadata a write of the status may change.
fn written_with_status(resource: &Resource) -> &'static [&'static str] {
    let group = resource.kind.group.as_str();
    let apart = ["flowcontrol.apiserver.k8s.io", "admissionregistration.k8s.io", "apiregistration.k8s.io"];
    match resource.collection.as_str() {
        _ if resource.custom || apart.contains(&group) => &["managedFields", "resourceVersion"],
        "deployments.apps" => {
            &["managedFields", "resourceVersion", "annotations", "finalizers", "ownerReferences"]
        }
        "pods" => &["managedFields", "resourceVersion", "labels", "annotations", "finalizers"],
        _ => &["managedFields", "resourceVersion", "labels", "annotations", "finalizers", "ownerReferences"],
    }
}

fn put_or_take(object: &mut Value, pointer: &str, value: Option<Value>) {
    match value {
        Some(value) => object.put(pointer, value),
        None => drop(object.take_out(pointer)),
    }
}

/// Puts an object into the namespace of its path.
fn place(resource: &Resource, namespace: &str, object: &mut Value) -> Result<(), Failure> {
    let said = object.namespace().to_owned();
    let wanted = if resource.kind.namespaced { namespace } else { "" };
    if !said.is_empty() && said != wanted {
        let message = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Failure::bad_request(message));
    }
    if wanted.is_empty() {
        object.take_out("/metadata/namespace");
    } else {
        object.put("/metadata/namespace", json!(wanted));
    }
    Ok(())
}

fn owners_equal(live: &Value, object: &Value) -> bool {
    let entries = |object: &Value| -> Vec<Value> {
        let mut entries = object.items("/metadata/managedFields").to_vec();
        for entry in &mut entries {
            entry.take_out("/time");
        }
        entries
    };
    entries(live) == entries(object)
}

/// Whether a terminating object waits for nothing more.
pub(super) fn is_released(resource: &Resource, object: &Value) -> bool {
    object.is_terminating()
        && object.items("/metadata/finalizers").is_empty()
        && object.number("/metadata/deletionGracePeriodSeconds").unwrap_or_default() == 0
        && (resource.collection != "namespaces" || object.items("/spec/finalizers").is_empty())
}
