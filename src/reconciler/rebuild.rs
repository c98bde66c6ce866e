//! Heads that somebody deleted: looks for what is left of their applications in the cluster.

use std::collections::{BTreeMap, BTreeSet};

use super::cluster::{ClusterState, namespace_id};
use super::inventory::ROLE_LABEL;
use crate::adapters::cluster::ClusterError;
use crate::diff;
use crate::model::inventory::{StoredHead, StoredSet};
use crate::model::manifest::INSTANCE_LABEL;
use crate::model::name::{ApplicationId, InstanceName};
use crate::model::record::Record;
use crate::model::resource::GroupKind;
use crate::sync::{FoundObject, Remains, rebuild};

/// The applications to look for, and what is known of them.
pub(super) struct Search<'a> {
    pub(super) instance: &'a InstanceName,
    pub(super) config: &'a str,
    pub(super) lost: &'a BTreeSet<ApplicationId>,
    pub(super) recorded: &'a BTreeMap<ApplicationId, Record>,
}

/// The heads as far as they can be known. One list of each kind that the cluster serves; kinds that may not be
/// read hold nothing that we applied.
pub(super) async fn heads(
    state: &ClusterState,
    search: &Search<'_>,
) -> Result<BTreeMap<ApplicationId, StoredHead>, ClusterError> {
    let mut found = find(state, search).await?;
    let mut heads = BTreeMap::new();
    for application in search.lost {
        let remains = Remains {
            instance: search.instance,
            config: search.config,
            cluster: &state.identity.uid,
            found: found.remove(application).unwrap_or_default(),
            recorded: search.recorded.get(application),
            sets: state.stored_sets(application).collect::<Vec<&StoredSet>>(),
        };
        if let Some(mut head) = rebuild(remains) {
            let namespace = state.cluster.get(&namespace_id(&head.namespace), None).await;
            head.namespace_labels = match namespace {
                Err(ClusterError::Forbidden { .. }) => BTreeMap::new(),
                answer => answer?.as_ref().map(diff::labels_of_ours).unwrap_or_default(),
            };
            tracing::warn!(application.name = %application, objects.count = head.objects.len(), "The inventory of {application} is lost: it is put together from what is left, and nothing is pruned until the next complete sync");
            heads.insert(application.clone(), StoredHead { head, resource_version: String::new() });
        }
    }
    Ok(heads)
}

async fn find(
    state: &ClusterState,
    search: &Search<'_>,
) -> Result<BTreeMap<ApplicationId, Vec<FoundObject>>, ClusterError> {
    let selector = format!("{INSTANCE_LABEL}={},!{ROLE_LABEL}", search.instance);
    let mut found: BTreeMap<ApplicationId, Vec<FoundObject>> = BTreeMap::new();
    let kinds: Vec<GroupKind> = state.kinds.watchable().cloned().collect();
    for kind in kinds {
        let objects = match state.cluster.list(&kind, None, None, Some(&selector)).await {
            Err(
                ClusterError::Forbidden { .. }
                | ClusterError::KindUnknown { .. }
                | ClusterError::Missing { .. },
            ) => continue,
            other => other?,
        };
        for object in &objects {
            let observed = diff::observe(object, state.live.key(), state.live.now());
            let ours = observed.and_then(|observed| FoundObject::of(object, observed.id, &observed.record));
            if let Some((application, object)) = ours {
                found.entry(application).or_default().push(object);
            }
        }
    }
    Ok(found)
}
