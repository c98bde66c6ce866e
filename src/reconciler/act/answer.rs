//! What is sent and what an answer means, without sending anything.

use std::time::Duration;

use serde_json::{Value, json};

use crate::adapters::cluster::{ClusterError, FieldOwner};
use crate::cluster::live::LiveIndex;
use crate::diff;
use crate::model::digest::KeyedHash;
use crate::model::hold::HoldReason;
use crate::model::resource::ResourceId;
use crate::sync::{FailureKind, ReplicasRule};

/// What becomes of an error (RULES §5).
pub(super) fn sort(error: &ClusterError, object: Option<&ResourceId>) -> (FailureKind, Option<Duration>) {
    let kind = match error {
        ClusterError::Unavailable { retry_after, .. } => return (FailureKind::Unavailable, *retry_after),
        ClusterError::Garbled { .. } | ClusterError::Unconfigured { .. } => FailureKind::Unavailable,
        ClusterError::NotLeader { holder } => {
            FailureKind::Held(HoldReason::Standby { holder: Some(holder.clone()) })
        }
        ClusterError::Forbidden { message } => {
            FailureKind::Held(HoldReason::Forbidden { message: message.clone() })
        }
        ClusterError::Quota { .. }
        | ClusterError::Changed { .. }
        | ClusterError::Missing { .. }
        | ClusterError::KindUnknown { .. } => FailureKind::UntilTimeout,
        ClusterError::Rejected { .. } => FailureKind::Final,
        ClusterError::Conflict { owners, .. } => match (object, owners.first()) {
            (Some(object), Some(owner)) => FailureKind::Held(HoldReason::FieldConflict {
                object: object.clone(),
                field: owner.field.clone(),
                manager: owner.manager.clone(),
            }),
            _ => FailureKind::UntilTimeout,
        },
    };
    (kind, None)
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
pub(super) fn signature(
    manifest: &Value,
    live: &Value,
    index: &LiveIndex,
) -> Option<(String, String, KeyedHash)> {
    let field = diff::changed_fields(manifest, live).into_iter().next()?;
    // A field that nobody else has was changed by our own hand: by another daemon of this instance.
    let manager =
        diff::owner_of(live, &field).map_or_else(|| diff::FIELD_MANAGER.to_owned(), |owner| owner.manager);
    let value = live.pointer(&field).cloned().unwrap_or(Value::Null);
    Some((manager, field, index.key().of_value(&value)))
}
