//! What `lookup` of charts is answered from the cluster, and why some questions are not.

use serde_json::{Value, json};

use super::rendering::LOOKUP_ROUNDS;
use crate::adapters::cluster::{ClusterError, ClusterRead};
use crate::helm::Lookup;
use crate::model::hold::HoldReason;
use crate::model::name::NamespaceName;
use crate::model::resource::{ApiVersion, GroupKind, ResourceId};

/// One answer, as Helm's `lookup` gives it: nothing found is an empty object, a list is the API server's list.
pub(super) async fn answer(
    cluster: &dyn ClusterRead,
    question: &Lookup,
    own: &NamespaceName,
) -> Result<Value, ClusterError> {
    let unknown = || ClusterError::KindUnknown {
        kind: GroupKind::new("", &question.kind),
        version: question.api_version.clone(),
    };
    let version = ApiVersion::parse(&question.api_version).ok_or_else(unknown)?;
    let kind = GroupKind { group: version.group.clone(), kind: question.kind.as_str().into() };
    let namespaced = cluster.kinds(false).await?.is_namespaced(&kind).unwrap_or(true);
    let namespace = Some(question.namespace.as_str()).filter(|name| namespaced && !name.is_empty());
    if !question.name.is_empty() {
        if namespaced && namespace.is_none() {
            return Ok(json!({}));
        }
        let id =
            ResourceId { kind, namespace: namespace.map(Into::into), name: question.name.as_str().into() };
        return Ok(cluster.get(&id, Some(&version)).await?.unwrap_or_else(|| json!({})));
    }
    let mut items = cluster.list(&kind, Some(&version), namespace, None).await?;
    // What lies in moorline's own namespace is nobody else's (RULES §2).
    items.retain(|item| item.pointer("/metadata/namespace").and_then(Value::as_str) != Some(own.as_str()));
    let kind = format!("{}List", question.kind);
    Ok(json!({"apiVersion": question.api_version, "kind": kind, "metadata": {}, "items": items}))
}

pub(super) fn unanswered(question: &Lookup, error: &ClusterError) -> HoldReason {
    let what = format!("lookup {:?} {:?}", question.api_version, question.kind);
    match error {
        ClusterError::KindUnknown { .. } => HoldReason::RenderFailed {
            message: format!("{what}: the cluster does not serve that kind"),
            hint: Some("ask .Capabilities.APIVersions.Has first".to_owned()),
        },
        ClusterError::Forbidden { message } => {
            HoldReason::Forbidden { message: format!("{what}: {message}") }
        }
        other => HoldReason::ApiUnavailable { message: format!("{what}: {other}") },
    }
}

pub(super) fn endless() -> HoldReason {
    HoldReason::RenderFailed {
        message: format!("the chart looks up something new {LOOKUP_ROUNDS} times over"),
        hint: Some("look things up by names that do not depend on other lookups".to_owned()),
    }
}

pub(super) fn too_much(what: &str) -> HoldReason {
    HoldReason::RenderFailed { message: format!("the chart looks up {what}"), hint: None }
}
