//! Steps on the application's own objects: dry runs, applies, heals, deletes.

use std::sync::Arc;

use futures::{FutureExt as _, StreamExt as _};
use serde_json::{Value, json};

use super::answer::{names_field, signature, with_replicas};
use super::{Execution, Stop, failure};
use crate::adapters::cluster::{Applied, ApplyOptions, ClusterError};
use crate::cluster::writer::Writer;
use crate::diff;
use crate::inventory::PackedSet;
use crate::model::drift::FieldOwner;
use crate::model::live::LiveRecord;
use crate::model::manifest::{Manifest, RenderedSet};
use crate::model::resource::ResourceId;
use crate::sync::{
    Action, AppliedObject, ApplyObject, ApplyReason, DeleteObject, Effect, Failure, FailureCause, Force,
};

/// So many objects of one step are applied at once.
const PARALLEL: usize = 16;

impl Execution<'_> {
    pub(super) async fn dry_run(&mut self, objects: &[ResourceId]) -> Result<(), Stop> {
        let rendered = self.bodies.rendered.ok_or(Stop)?;
        let options = ApplyOptions { force: true, dry_run: true };
        let writer = self.site.writer;
        let mut calls = Vec::new();
        for manifest in objects.iter().filter_map(|id| rendered.get(id)) {
            let call = async move { (manifest.id.clone(), writer.apply(&manifest.object, options).await) };
            calls.push(call.boxed());
        }
        let answers: Vec<_> = futures::stream::iter(calls).buffered(PARALLEL).collect().await;
        for (id, answer) in answers {
            match answer {
                // A kind or namespace that this very rollout brings is not there yet.
                Ok(_) | Err(ClusterError::KindUnknown { .. } | ClusterError::Missing { .. }) => {}
                Err(error) => return Err(self.fail(Some(id), &error)),
            }
        }
        self.effect(Effect::Rehearsed);
        Ok(())
    }

    pub(super) async fn apply_all(&mut self, objects: &[ApplyObject]) -> Result<(), Stop> {
        let deployed = self.deployed_set(objects)?;
        let writer = self.site.writer;
        let mut calls = Vec::new();
        for object in objects {
            let from =
                if object.reason == ApplyReason::Rollout { self.bodies.rendered } else { deployed.as_ref() };
            let Some(manifest) = from.and_then(|set| set.get(&object.id)) else {
                continue;
            };
            let sent = with_replicas(&manifest.object, object.replicas);
            let call = async move { (object, manifest, apply_one(writer, object, sent).await) };
            calls.push(call.boxed());
        }
        let answers: Vec<_> = futures::stream::iter(calls).buffer_unordered(PARALLEL).collect().await;
        self.outcome.writes += answers.len();
        let mut failed = None;
        for (object, manifest, answer) in answers {
            match answer {
                Ok(applied) => self.note_applied(object, &manifest.object, applied),
                Err(error) => failed = Some((object.id.clone(), manifest, error)),
            }
        }
        let Some((id, manifest, error)) = failed else {
            self.effect(Effect::GroupApplied);
            return Ok(());
        };
        let failure = self.explained(id, manifest, deployed.as_ref(), &error).await;
        self.effect(Effect::Failed(failure));
        Err(Stop)
    }

    /// The failure of an apply; of a conflict also whether the fields were ours, and what version the object has.
    async fn explained(
        &self,
        id: ResourceId,
        manifest: &Manifest,
        deployed: Option<&RenderedSet>,
        error: &ClusterError,
    ) -> Failure {
        let told = failure(Some(id.clone()), error);
        let ClusterError::Conflict { owners, .. } = error else { return told };
        let last = self.last_applied(&id, deployed, &manifest.object);
        let ours =
            |owner: &FieldOwner| last.iter().any(|object| names_field(&diff::as_stored(object), owner));
        if !owners.iter().all(ours) {
            return told;
        }
        match self.site.writer.reader().get(&id, None).await {
            Ok(live) => {
                let version = live.as_ref().and_then(|live| live.pointer("/metadata/resourceVersion"));
                let version = version.and_then(Value::as_str).map(str::to_owned);
                Failure {
                    cause: FailureCause::Conflict { owners: owners.clone(), taken: true, version },
                    ..told
                }
            }
            Err(error) => failure(Some(id), &error),
        }
    }

    /// What we applied of an object before: as deployed, and as wanted if this rollout applied it already, in this
    /// process or in one before it.
    fn last_applied(
        &self,
        id: &ResourceId,
        deployed: Option<&RenderedSet>,
        wanted: &Arc<Value>,
    ) -> Vec<Arc<Value>> {
        let deployed = deployed.and_then(|set| set.get(id)).map(|manifest| manifest.object.clone());
        let here = self.observation.progress.has_applied(id, &self.observation.wanted);
        let before =
            deployed.is_none() && self.site.live.get(id).is_some_and(|live| live.projection.is_some());
        deployed.into_iter().chain((here || before).then(|| wanted.clone())).collect()
    }

    /// The deployed set. A rollout needs it only to know what it takes back.
    fn deployed_set(&mut self, objects: &[ApplyObject]) -> Result<Option<RenderedSet>, Stop> {
        let needed = objects.iter().any(|object| object.reason != ApplyReason::Rollout);
        let head = self.observation.head();
        let digest = head.and_then(|head| head.deployed.as_ref()).map(|version| version.digest);
        let found = self.bodies.deployed.map(PackedSet::unpack);
        let (cause, message) = match (found, digest) {
            (Some(Ok(set)), _) => return Ok(Some(set)),
            (None | Some(Err(_)), _) if !needed => return Ok(None),
            (Some(Err(error)), _) => (FailureCause::SetUnreadable, error.to_string()),
            (None, Some(digest)) => (FailureCause::SetMissing { digest }, String::new()),
            (None, None) => return Err(Stop),
        };
        self.effect(Effect::Failed(Failure { cause, object: None, message, retry_after: None }));
        Err(Stop)
    }

    fn note_applied(&mut self, object: &ApplyObject, manifest: &Value, applied: Applied) {
        let live = self.site.live;
        let before = live.get(&object.id);
        let Some(record) = live.learn(&applied.object) else {
            return;
        };
        let projection = record.projection.unwrap_or_default();
        live.expect(&object.id, projection);
        self.changed(object.id.clone(), action(applied.created, before.as_ref(), &record));
        let version = applied.object.get("apiVersion").and_then(Value::as_str).unwrap_or("");
        let healed = object.reason != ApplyReason::Rollout;
        let body = before.and_then(|record| record.body).filter(|_| healed);
        let answer = AppliedObject {
            desired: live.key().of_value(manifest),
            projection,
            uid: record.uid.to_string(),
            api_version: version.to_owned(),
            created: applied.created,
        };
        self.effect(Effect::Applied {
            object: object.id.clone(),
            reason: object.reason,
            answer,
            before: body.and_then(|body| signature(manifest, &body, live)),
        });
    }

    pub(super) async fn remove_extras(&mut self, objects: &[(ResourceId, Vec<String>)]) -> Result<(), Stop> {
        for (id, fields) in objects {
            let Some(live) = self.site.live.get(id) else { continue };
            // Only from the object as it was seen: somebody may have changed it since.
            let version = json!({"op": "replace", "path": "/metadata/resourceVersion", "value": live.resource_version.as_str()});
            let removals = fields.iter().map(|field| json!({"op": "remove", "path": field}));
            let patch: Vec<Value> = std::iter::once(version).chain(removals).collect();
            self.outcome.writes += 1;
            match self.site.writer.patch(id, None, &Value::Array(patch)).await {
                Ok(object) => {
                    self.site.live.learn(&object);
                    self.changed(id.clone(), Action::Configured);
                }
                Err(error) => return Err(self.fail(Some(id.clone()), &error)),
            }
        }
        Ok(())
    }

    pub(super) async fn delete_all(&mut self, objects: &[DeleteObject]) -> Result<(), Stop> {
        for object in objects {
            self.outcome.writes += 1;
            match self.site.writer.delete(&object.id, None, &object.uid).await {
                Ok(true) => self.changed(object.id.clone(), Action::Deleted),
                // Of an object that took its name since, or of a kind that is gone, nothing is ours to delete.
                Ok(false) | Err(ClusterError::Changed { .. } | ClusterError::KindUnknown { .. }) => {}
                Err(error) => return Err(self.fail(Some(object.id.clone()), &error)),
            }
        }
        Ok(())
    }
}

fn action(created: bool, before: Option<&LiveRecord>, after: &LiveRecord) -> Action {
    match before {
        _ if created => Action::Created,
        Some(before) if before.resource_version == after.resource_version => Action::Unchanged,
        _ => Action::Configured,
    }
}

async fn apply_one(
    writer: &Writer,
    object: &ApplyObject,
    mut manifest: Value,
) -> Result<Applied, ClusterError> {
    if object.adopt {
        adopt(writer, &object.id, &manifest).await?;
    }
    if let Force::FromVersion(version) = &object.force {
        manifest["metadata"]["resourceVersion"] = json!(version);
    }
    writer.apply(&manifest, ApplyOptions { force: object.force != Force::Never, dry_run: false }).await
}

/// Takes over the fields of `kubectl apply`, with the one write that it needs.
async fn adopt(writer: &Writer, id: &ResourceId, manifest: &Value) -> Result<(), ClusterError> {
    let Some(live) = writer.reader().get(id, None).await? else {
        return Ok(());
    };
    let version = manifest.get("apiVersion").and_then(Value::as_str).unwrap_or("");
    if let Some(adoption) = diff::adoption(&live, version) {
        writer.patch(id, None, &adoption.patch).await?;
    }
    Ok(())
}
