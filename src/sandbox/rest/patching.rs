//! Patches and server-side apply: which one a request asks for, and what a refusal is called.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::apply::{self, ApplyError};
use super::super::catalog::Resource;
use super::super::failure::{Cause, Failure, Named, invalid, required};
use super::super::object::Fields;
use super::super::patch::{self, PatchError};
use super::super::request::Response;
use super::super::store::Store;
use super::super::versions;
use super::decode::{body, typed};
use super::write::Tracking;
use super::{Call, Caller, Written};

const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

fn media_of<'a>(call: &'a Call<'_>) -> Result<&'a str, Failure> {
    let media = call.request.content_type.split(';').next().unwrap_or_default().trim();
    let known: &[&str] = if call.resource.custom {
        &[JSON, MERGE, APPLY]
    } else {
        &[JSON, MERGE, STRATEGIC, APPLY]
    };
    match known.iter().find(|one| **one == media) {
        Some(_) => Ok(media),
        None => Err(Failure::unsupported_media_type(&known.join(", "))),
    }
}

impl Store {
    pub(super) fn patch(&mut self, call: &Call<'_>) -> Result<Response, Failure> {
        let media = media_of(call)?;
        let caller = call.caller()?;
        let patch = body(call.request, &call.resource.kind.kind)?;
        let written = if media == APPLY {
            self.apply(call, patch, &caller)?
        } else {
            self.patch_live(call, media, &patch, &caller)?
        };
        Ok(call.written(written))
    }

    fn patch_live(
        &mut self,
        call: &Call<'_>,
        media: &str,
        patch: &Value,
        caller: &Caller,
    ) -> Result<Written, Failure> {
        let resource = &call.resource;
        let live = self.get(&resource.collection, &call.namespace, &call.name).cloned();
        let live = live.ok_or_else(|| Failure::not_found(&resource.named, &call.name))?;
        let shown = versions::read_as(&live, resource);
        let mut object = self
            .patched(resource, media, &shown, patch)
            .map_err(|error| refusal(resource, &call.name, error))?;
        let result = if resource.custom { None } else { Some(object.clone()) };
        let warnings = self.decode(resource, &mut object, caller).map_err(|failure| match result {
            Some(result) if failure.code == 400 => misfit(media, &result, patch, failure),
            _ => failure,
        })?;
        object.put("/metadata/name", json!(call.name));
        let mut written =
            self.replace(resource, &live, object, &call.subresource, caller, Tracking::Update)?;
        written.warnings.splice(0..0, warnings);
        Ok(written)
    }

    pub(super) fn patched(
        &self,
        resource: &Resource,
        media: &str,
        live: &Value,
        patch: &Value,
    ) -> Result<Value, PatchError> {
        match media {
            JSON => patch::json_patch(live, patch),
            STRATEGIC => patch::strategic_merge_patch(&self.schemas, &resource.kind, live, patch),
            _ => patch::merge_patch(live, patch),
        }
    }

    /// Patches an object on behalf of the cluster, by a merge patch.
    pub fn merge(
        &mut self,
        resource: &Arc<Resource>,
        live: &Arc<Value>,
        patch: &Value,
        subresource: &str,
        caller: &Caller,
    ) -> Result<Written, Failure> {
        let object =
            patch::merge_patch(live, patch).map_err(|error| refusal(resource, live.name(), error))?;
        self.replace(resource, live, object, subresource, caller, Tracking::Update)
    }

    fn apply(&mut self, call: &Call<'_>, mut applied: Value, caller: &Caller) -> Result<Written, Failure> {
        let resource = &call.resource;
        let query = &call.request.query;
        if query.text("fieldManager").is_empty() {
            let options = Named::new("meta.k8s.io", "PatchOptions");
            return Err(Failure::invalid(&options, "", &[required("fieldManager", "is required for apply patch")]));
        }
        if !applied.is_object() || applied.text("/kind").is_empty() {
            let message = "error decoding YAML: Object 'Kind' is missing";
            return Err(Failure::bad_request(message));
        }
        typed(resource, &mut applied)?;
        if !applied.name().is_empty() && applied.name() != call.name {
            let message = format!(
                "the name of the object ({}) does not match the name on the URL ({})",
                applied.name(),
                call.name
            );
            return Err(Failure::bad_request(message));
        }
        applied.put("/metadata/name", json!(call.name));
        if !call.namespace.is_empty() && applied.namespace().is_empty() {
            applied.put("/metadata/namespace", json!(call.namespace));
        }
        if !applied.items("/metadata/managedFields").is_empty() {
            return Err(Failure::bad_request("metadata.managedFields must be nil"));
        }
        if call.subresource.is_empty() && resource.has_status() {
            applied.take_out("/status");
        }
        let live = self.get(&resource.collection, &call.namespace, &call.name).cloned();
        if live.is_none() {
            Self::check_new_apply(call, &applied)?;
        }
        // What is unknown is reported or refused here: the merge itself only drops it.
        let warnings = self.decode(resource, &mut applied.clone(), caller)?;
        let part = Some(call.subresource.as_str()).filter(|part| !part.is_empty());
        let shown = live.as_ref().map(|live| versions::read_as(live, resource));
        let merged = apply::apply(
            &self.schemas,
            &resource.kind,
            shown.as_deref(),
            &applied,
            query.text("fieldManager"),
            query.holds("force"),
            part,
            &call.now,
        );
        let mut object = merged.map_err(|error| apply_refusal(resource, &call.name, error))?;
        versions::keep_as(&mut object, resource);
        let mut written = match &live {
            Some(live) => {
                self.replace(resource, live, object, &call.subresource, caller, Tracking::Done)?
            }
            None => self.insert(resource, &call.namespace, object, caller, Tracking::Done)?,
        };
        written.warnings.splice(0..0, warnings);
        Ok(written)
    }

    fn check_new_apply(call: &Call<'_>, applied: &Value) -> Result<(), Failure> {
        let resource = &call.resource;
        if !call.subresource.is_empty() {
            return Err(Failure::not_found(&resource.named, &call.name));
        }
        let uid = applied.uid();
        if !uid.is_empty() {
            let why = format!(
                "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            );
            return Err(Failure::conflict(&resource.named, &call.name, &why));
        }
        if !applied.text("/metadata/resourceVersion").is_empty() {
            let why = "the object has been modified; please apply your changes to the latest version and try again";
            return Err(Failure::conflict(&resource.named, &call.name, why));
        }
        Ok(())
    }
}

/// What a patch is told whose result does not fit the kind: the result, or the patch itself, and why.
fn misfit(media: &str, result: &Value, patch: &Value, failure: Failure) -> Failure {
    let Some((_, why)) = failure.message.split_once(": json: ") else { return failure };
    let shown = if media == STRATEGIC { json!(go_text(patch)) } else { json!(result.to_string()) };
    let cause = invalid("patch", &shown, &format!("json: {why}"));
    Failure::invalid(&Named::new("", ""), "", &[cause])
}

/// A value as Go prints it.
fn go_text(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_text).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(map) => {
            let mut fields: Vec<String> =
                map.iter().map(|(key, value)| format!("{key}:{}", go_text(value))).collect();
            fields.sort();
            format!("map[{}]", fields.join(" "))
        }
        other => other.to_string(),
    }
}

pub(super) fn refusal(resource: &Resource, name: &str, error: PatchError) -> Failure {
    match error {
        PatchError::Rejected(rejection) => Failure::rejected(&resource.named_kind, name, rejection),
        PatchError::Unprocessable(message) => {
            let mut failure = Failure::bad_request(message);
            (failure.code, failure.reason) = (422, "Invalid");
            failure.details = json!({});
            failure
        }
        PatchError::Unsupported(message) => {
            let mut failure = Failure::bad_request(message);
            (failure.code, failure.reason) = (415, "UnsupportedMediaType");
            failure
        }
        PatchError::Internal(message) => internal(message),
    }
}

fn apply_refusal(resource: &Resource, name: &str, error: ApplyError) -> Failure {
    match error {
        ApplyError::Conflicts { message, conflicts } => {
            let causes: Vec<Cause> = conflicts
                .into_iter()
                .map(|one| Cause { reason: "FieldManagerConflict", field: one.field, message: one.message })
                .collect();
            Failure::field_conflicts(message, &causes)
        }
        ApplyError::Rejected(rejection) => Failure::rejected(&resource.named_kind, name, rejection),
        ApplyError::Internal(message) => internal(message),
    }
}

fn internal(message: String) -> Failure {
    let mut failure = Failure::bad_request(message);
    (failure.code, failure.reason) = (500, "InternalError");
    failure
}
