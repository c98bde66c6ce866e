//! Who may write where (RULES §1): what was reviewed in the config repository may write anywhere but
//! moorline's own namespace; what comes from code stays in its own namespace unless `allow` says otherwise.

use super::{RenderError, RenderInput};
use crate::model::manifest::Manifest;

pub(super) fn check(input: &RenderInput<'_>, manifest: &Manifest) -> Result<(), RenderError> {
    let id = &manifest.id;
    let own = id.namespace.as_deref() == Some(input.own_namespace.as_str());
    let own_kind = &*id.kind.group == "moorline.dev" || id.kind.group.ends_with(".moorline.dev");
    let own_type = manifest.is_secret()
        && manifest
            .object
            .get("type")
            .and_then(serde_json::Value::as_str)
            .is_some_and(|text| text.starts_with("moorline.dev/"));
    if own || own_kind || own_type {
        let message =
            format!("{}: {id} lies in moorline's own namespace or is of a type of its own", manifest.source);
        let hint = Some("moorline's namespace belongs to moorline alone: choose another".to_owned());
        return Err(RenderError::Broken { message, hint });
    }
    if !input.application.origin.is_code() {
        return Ok(());
    }
    let allow = &input.application.allow;
    let line = match id.namespace.as_deref() {
        Some(namespace) if namespace == input.application.namespace.as_str() => return Ok(()),
        Some(namespace) if allow.namespaces.iter().any(|one| one == namespace) => return Ok(()),
        Some(namespace) => format!("allow: {{namespaces: [{namespace}]}}"),
        None if allow.cluster_kinds.iter().any(|kind| *kind == *id.kind.kind) => return Ok(()),
        None => format!("allow: {{clusterKinds: [{}]}}", id.kind.kind),
    };
    Err(RenderError::NotAllowed { object: id.clone(), line })
}
