//! What is sent and what an answer says, without sending anything.

use std::time::Duration;

use serde_json::{Value, json};

use crate::adapters::cluster::ClusterError;
use crate::cluster::live::LiveIndex;
use crate::diff;
use crate::model::drift::FieldOwner;
use crate::sync::{FailureCause, ReplicasRule, Signature};

/// What an error says, and how long it asks us to wait.
pub(super) fn cause(error: &ClusterError) -> (FailureCause, Option<Duration>) {
    let cause = match error {
        ClusterError::Unavailable { retry_after, .. } => return (FailureCause::Unavailable, *retry_after),
        ClusterError::Garbled { .. } | ClusterError::Unconfigured { .. } => FailureCause::Unavailable,
        ClusterError::NotLeader { holder } => FailureCause::Standby { holder: holder.clone() },
        ClusterError::Forbidden { .. } => FailureCause::Forbidden,
        ClusterError::Quota { .. } => FailureCause::Quota,
        ClusterError::Changed { .. } => FailureCause::Changed,
        ClusterError::Missing { .. } | ClusterError::KindUnknown { .. } => FailureCause::Missing,
        ClusterError::Rejected { .. } => FailureCause::Rejected,
        ClusterError::Conflict { owners, .. } => {
            FailureCause::Conflict { owners: owners.clone(), taken: false, version: None }
        }
    };
    (cause, None)
}

/// The manifest with its replicas as the plan says.
pub(super) fn with_replicas(manifest: &Value, rule: ReplicasRule) -> Value {
    let mut manifest = manifest.clone();
    if let Some(spec) = manifest.get_mut("spec").and_then(Value::as_object_mut) {
        match rule {
            ReplicasRule::AsWritten => {}
            ReplicasRule::Live(number) => {
                spec.insert("replicas".to_owned(), json!(number));
            }
            ReplicasRule::LeftOut => {
                spec.shift_remove("replicas");
            }
        }
    }
    manifest
}

/// Whether a manifest sets a field that the API server names as `.spec.template.spec.containers[name="web"].image`.
pub(super) fn names_field(manifest: &Value, owner: &FieldOwner) -> bool {
    let mut here = manifest;
    for part in owner.field.split('.').filter(|part| !part.is_empty()) {
        let (name, item) = part.split_once('[').map_or((part, None), |(name, rest)| (name, Some(rest)));
        let Some(inner) = here.get(name) else { return false };
        here = inner;
        if let Some(item) = item {
            let quoted = item.split('"').nth(1);
            let found = here.as_array().into_iter().flatten().find(|one| {
                quoted.is_some_and(|quoted| {
                    one.as_object().is_some_and(|map| map.values().any(|value| value == quoted))
                })
            });
            let Some(found) = found else { return false };
            here = found;
        }
    }
    true
}

/// Which field was changed, by whom, to which value: tells edits from a contest.
pub(super) fn signature(manifest: &Value, live: &Value, index: &LiveIndex) -> Option<Signature> {
    let field = diff::changed_fields(manifest, live).into_iter().next()?;
    // A field that nobody else has was changed by our own hand: by another daemon of this instance.
    let manager =
        diff::owner_of(live, &field).map_or_else(|| diff::FIELD_MANAGER.to_owned(), |owner| owner.manager);
    let value = live.pointer(&field).cloned().unwrap_or(Value::Null);
    Some((manager, field, index.key().of_value(&value)))
}
