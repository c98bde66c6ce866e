//! Patches and server-side apply: which one a request asks for, and what a refusal is called.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::apply::{self, ApplyError};
use super::super::catalog::Resource;
use super::super::failure::{Cause, Failure, Named, required};
use super::super::object::Fields;
use super::super::patch::{self, PatchError};
use super::super::request::Response;
use super::super::schema::Rejection;
use super::super::store::Store;
use super::super::versions;
use super::decode::body;
use super::write::Tracking;
use super::{Call, Caller, Written};

const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

fn media_of<'a>(call: &'a Call<'_>) -> Result<&'a str, Failure> {
    let media = call.request.content_type.split(';').next().unwrap_or_default().trim();
    let known: &[&str] =
        if call.resource.custom { &[JSON, MERGE, APPLY] } else { &[JSON, MERGE, STRATEGIC, APPLY] };
    match known.iter().find(|one| **one == media) {
        Some(_) if media != "application/apply-patch+cbor" => Ok(media),
        _ if [JSON, MERGE, STRATEGIC].contains(&media) => {
            Err(Failure::unsupported_media_type(&[JSON, MERGE, APPLY].join(", ")))
        }
        _ => {
            let mut failure = Failure::unsupported_media_type("");
            "415: Unsupported Media Type".clone_into(&mut failure.message);
            failure.details = json!({});
            Err(failure)
        }
    }
}

impl Store {
    pub(super) fn patch(&mut self, call: &Call<'_>) -> Result<Response, Failure> {
        let media = media_of(call)?;
        let caller = call.caller()?;
        let patch = body(call.request, &call.resource.kind.kind).map_err(|failure| match media {
            APPLY => failure,
            _ => Failure::bad_request("invalid JSON patch"),
        })?;
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
        check_name(&object, &call.name)?;
        let said = object.to_string();
        let warnings =
            self.decode(resource, &mut object, caller).map_err(|failure| undecodable(failure, &said))?;
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

    fn apply(&mut self, call: &Call<'_>, applied: Value, caller: &Caller) -> Result<Written, Failure> {
        let resource = &call.resource;
        let query = &call.request.query;
        if query.text("fieldManager").is_empty() {
            let options = Named::new("meta.k8s.io", "PatchOptions");
            return Err(Failure::invalid(
                &options,
                "",
                &[required("fieldManager", "is required for apply patch")],
            ));
        }
        check_kind(resource, &applied)?;
        if !applied.name().is_empty() && applied.name() != call.name {
            let message = format!(
                "the name of the object ({}) does not match the name on the URL ({})",
                applied.name(),
                call.name
            );
            return Err(Failure::bad_request(message));
        }
        let live = self.get(&resource.collection, &call.namespace, &call.name).cloned();
        if live.is_none() {
            Self::check_new_apply(call, &applied)?;
        }
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
        object.put("/metadata/name", json!(call.name));
        if !call.namespace.is_empty() && object.namespace().is_empty() {
            object.put("/metadata/namespace", json!(call.namespace));
        }
        if live.is_none() {
            object.take_out("/metadata/resourceVersion");
        }
        versions::keep_as(&mut object, resource);
        match &live {
            Some(live) => self.replace(resource, live, object, &call.subresource, caller, Tracking::Done),
            None => self.insert(resource, &call.namespace, object, caller, Tracking::Done),
        }
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
        Ok(())
    }
}

/// Whether an object says the name under which it is written.
pub(super) fn check_name(object: &Value, name: &str) -> Result<(), Failure> {
    if object.name() == name {
        return Ok(());
    }
    Err(Failure::bad_request(match object.name() {
        "" => {
            format!("the name of the object ({name} based on URL) was undeterminable: name must be provided")
        }
        other => format!("the name of the object ({other}) does not match the name on the URL ({name})"),
    }))
}

fn check_kind(resource: &Resource, applied: &Value) -> Result<(), Failure> {
    let (kind, api_version) = (applied.text("/kind"), applied.text("/apiVersion"));
    if kind == resource.kind.kind && api_version == resource.api_version {
        return Ok(());
    }
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    Err(Failure::bad_request(format!("invalid object type: {group}/{version}, Kind={kind}")))
}

/// What a patch makes of an object and nobody can read is the patch's fault.
fn undecodable(failure: Failure, said: &str) -> Failure {
    match failure.message.find("json: ").filter(|_| failure.code == 400) {
        Some(place) => {
            let rejection = patch::undecodable(said, failure.message.get(place..).unwrap_or_default());
            Failure::rejected(&Named::new("", ""), "", rejection)
        }
        None => failure,
    }
}

pub(super) fn refusal(resource: &Resource, name: &str, error: PatchError) -> Failure {
    match error {
        // The API server names no object in these.
        PatchError::Rejected(rejection @ Rejection::Invalid(_)) => {
            Failure::rejected(&Named::new("", ""), "", rejection)
        }
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
    (failure.code, failure.reason) = (500, "");
    failure
}
