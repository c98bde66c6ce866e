//! Heads that somebody deleted: looks for what is left of their applications in the cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ClusterEvent;
use super::live::LiveIndex;
use super::state::{ClusterState, namespace_id};
use crate::adapters::cluster::{ClusterError, ClusterRead};
use crate::diff;
use crate::inventory::ROLE_LABEL;
use crate::model::inventory::{StoredHead, StoredSet};
use crate::model::kinds::KindTable;
use crate::model::manifest::INSTANCE_LABEL;
use crate::model::name::{ApplicationId, InstanceName};
use crate::model::record::Record;
use crate::model::resource::GroupKind;
use crate::sync::{FoundObject, Remains, rebuild};

/// One application to look for, and what is known of it.
pub struct Lost {
    /// The application.
    pub application: ApplicationId,
    /// Its last record in the state repository.
    pub recorded: Option<Record>,
}

/// What a search needs, apart from the loop's own state: it goes on while that changes.
struct Search {
    cluster: Arc<dyn ClusterRead>,
    kinds: Arc<KindTable>,
    live: LiveIndex,
    identity: String,
    instance: InstanceName,
    config: String,
    lost: Vec<(Lost, Vec<StoredSet>)>,
}

/// Looks for these applications in a task of the cluster, which tells of the end.
pub fn search(state: &mut ClusterState, instance: &InstanceName, config: &str, lost: Vec<Lost>) {
    let with_sets = lost.into_iter().map(|one| {
        let sets = state.stored_sets(&one.application).to_vec();
        (one, sets)
    });
    let search = Search {
        lost: with_sets.collect(),
        cluster: state.cluster.clone(),
        kinds: state.kinds.clone(),
        live: state.live.clone(),
        identity: state.identity.uid.clone(),
        instance: instance.clone(),
        config: config.to_owned(),
    };
    let tell = state.tell();
    state.spawn(async move {
        let applications = search.lost.iter().map(|(one, _)| one.application.clone()).collect();
        let found = search.heads().await;
        tell(ClusterEvent::Searched { applications, found });
    });
}

impl Search {
    /// The heads as far as they can be known. One list of each kind that the cluster serves; kinds that may not be
    /// read hold nothing that we applied.
    async fn heads(&self) -> Result<BTreeMap<ApplicationId, StoredHead>, ClusterError> {
        let mut found = self.find().await?;
        let mut heads = BTreeMap::new();
        for (Lost { application, recorded }, sets) in &self.lost {
            let remains = Remains {
                instance: &self.instance,
                config: &self.config,
                cluster: &self.identity,
                found: found.remove(application).unwrap_or_default(),
                recorded: recorded.as_ref(),
                sets: sets.iter().collect(),
            };
            if let Some(mut head) = rebuild(remains) {
                let namespace = self.cluster.get(&namespace_id(&head.namespace), None).await;
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

    async fn find(&self) -> Result<BTreeMap<ApplicationId, Vec<FoundObject>>, ClusterError> {
        let selector = format!("{INSTANCE_LABEL}={},!{ROLE_LABEL}", self.instance);
        let mut found: BTreeMap<ApplicationId, Vec<FoundObject>> = BTreeMap::new();
        let kinds: Vec<GroupKind> = self.kinds.watchable().cloned().collect();
        for kind in kinds {
            let objects = match self.cluster.list(&kind, None, None, Some(&selector)).await {
                Err(
                    ClusterError::Forbidden { .. }
                    | ClusterError::KindUnknown { .. }
                    | ClusterError::Missing { .. },
                ) => continue,
                other => other?,
            };
            for object in &objects {
                let observed = diff::observe(object, self.live.key(), self.live.now());
                let ours =
                    observed.and_then(|observed| FoundObject::of(object, observed.id, &observed.record));
                if let Some((application, object)) = ours {
                    found.entry(application).or_default().push(object);
                }
            }
        }
        Ok(found)
    }
}
