//! Steps on the application's own objects: dry runs, applies, heals, deletes.

use std::sync::Arc;

use futures::{FutureExt as _, StreamExt as _};
use serde_json::{Value, json};

use super::answer::{names_field, signature, with_replicas};
use super::{Execution, Stop};
use crate::adapters::cluster::{Applied, ApplyOptions, ClusterError, FieldOwner};
use crate::cluster::live::LiveIndex;
use crate::cluster::writer::Writer;
use crate::diff;
use crate::model::hold::HoldReason;
use crate::model::manifest::RenderedSet;
use crate::model::resource::ResourceId;
use crate::sync::{AppliedObject, ApplyObject, ApplyReason, DeleteObject, Failure, FailureKind, Wanted};

/// So many objects of one step are applied at once.
const PARALLEL: usize = 16;

impl Execution<'_> {
    pub(super) async fn dry_run(&mut self, objects: &[ResourceId]) -> Result<(), Stop> {
        let Some(rendered) = self.rendered else {
            return Err(Stop::Waiting);
        };
        self.begin();
        let options = ApplyOptions { force: true, dry_run: true };
        let writer = self.writer;
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
        if let Some(rollout) = &mut self.progress.rollout {
            rollout.rehearsed = true;
        }
        Ok(())
    }

    /// Makes sure that the progress is about the wanted version: after a restart the intent is there already.
    fn begin(&mut self) {
        if let (Wanted::Version(wanted), Some(intent)) = (self.wanted, &self.intent) {
            self.progress.begin(wanted.version.digest, intent.rollout, self.now);
        }
    }

    pub(super) async fn apply_all(&mut self, objects: &[ApplyObject]) -> Result<(), Stop> {
        if objects.iter().any(|object| object.reason == ApplyReason::Rollout) {
            self.begin();
        }
        let deployed = self.deployed_set(objects)?;
        let (writer, live) = (self.writer, self.live);
        let before = deployed.as_ref();
        let mut calls = Vec::new();
        for object in objects {
            let from = if object.reason == ApplyReason::Rollout { self.rendered } else { before };
            let Some(manifest) = from.and_then(|set| set.get(&object.id)).cloned() else {
                continue;
            };
            let sent = with_replicas(&manifest.object, object.replicas);
            let last = self.last_applied(&object.id, before, &manifest.object);
            let call = async move {
                let answer = apply_one(writer, object, &sent, &last).await;
                (object, manifest, answer)
            };
            calls.push(call.boxed());
        }
        let answers: Vec<_> = futures::stream::iter(calls).buffer_unordered(PARALLEL).collect().await;
        self.writes += answers.len();
        let mut failure = None;
        for (object, manifest, answer) in answers {
            match answer {
                Ok(applied) => self.note_applied(object, &manifest.object, applied, live),
                Err(error) => failure = Some((object.id.clone(), error)),
            }
        }
        match failure {
            None => {
                self.progress.clear_failure();
                Ok(())
            }
            Some((id, error)) => Err(self.fail(Some(id), &error)),
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
        let here = self.progress.has_applied(id, self.wanted);
        let before = deployed.is_none() && self.live.get(id).is_some_and(|live| live.projection.is_some());
        deployed.into_iter().chain((here || before).then(|| wanted.clone())).collect()
    }

    fn deployed_set(&mut self, objects: &[ApplyObject]) -> Result<Option<RenderedSet>, Stop> {
        let needed = objects.iter().any(|object| object.reason != ApplyReason::Rollout);
        let Some(packed) = self.deployed.as_ref() else {
            if !needed {
                return Ok(None);
            }
            let digest =
                self.head.as_ref().and_then(|head| head.head.deployed.as_ref()).map(|one| one.digest);
            if let Some(digest) = digest {
                let reason = HoldReason::SetMissing { digest };
                let failure =
                    Failure { kind: FailureKind::Held(reason), object: None, message: String::new() };
                self.progress.fail(failure, None, self.now);
            }
            return Err(Stop::Failed);
        };
        match packed.unpack() {
            Ok(set) => Ok(Some(set)),
            Err(_) if !needed => Ok(None),
            Err(error) => {
                let reason = HoldReason::InventoryUnreadable { message: error.to_string() };
                let failure =
                    Failure { kind: FailureKind::Held(reason), object: None, message: String::new() };
                self.progress.fail(failure, None, self.now);
                Err(Stop::Failed)
            }
        }
    }

    fn note_applied(&mut self, object: &ApplyObject, manifest: &Value, applied: Applied, live: &LiveIndex) {
        let before = live.get(&object.id);
        let Some(record) = live.learn(&applied.object) else {
            return;
        };
        let projection = record.projection.unwrap_or_default();
        live.expect(&object.id, projection);
        let version = applied.object.get("apiVersion").and_then(Value::as_str).unwrap_or("");
        match object.reason {
            ApplyReason::Rollout => {
                let entry = AppliedObject {
                    desired: live.key().of_value(manifest),
                    projection,
                    uid: record.uid.to_string(),
                    api_version: version.to_owned(),
                    created: applied.created,
                };
                if let Some(rollout) = &mut self.progress.rollout {
                    let created = rollout.applied.get(&object.id).is_some_and(|earlier| earlier.created);
                    let entry = AppliedObject { created: entry.created || created, ..entry };
                    rollout.applied.insert(object.id.clone(), entry);
                }
            }
            ApplyReason::Heal | ApplyReason::Restore => {
                self.heals.push(object.id.clone());
                self.progress.healed.insert(object.id.clone(), projection);
                let body = before.and_then(|record| record.body);
                let signature = body.and_then(|body| signature(manifest, &body, live));
                self.progress.note_heal(&object.id, signature, self.now);
            }
        }
    }

    pub(super) async fn remove_extras(&mut self, objects: &[(ResourceId, Vec<String>)]) -> Result<(), Stop> {
        for (id, fields) in objects {
            let Some(live) = self.live.get(id) else { continue };
            // Only from the object as it was seen: somebody may have changed it since.
            let version = json!({"op": "replace", "path": "/metadata/resourceVersion", "value": live.resource_version.as_str()});
            let removals = fields.iter().map(|field| json!({"op": "remove", "path": field}));
            let patch: Vec<Value> = std::iter::once(version).chain(removals).collect();
            self.writes += 1;
            match self.writer.patch(id, None, &Value::Array(patch)).await {
                Ok(object) => {
                    self.live.learn(&object);
                }
                Err(error) => return Err(self.fail(Some(id.clone()), &error)),
            }
        }
        Ok(())
    }

    pub(super) async fn delete_all(&mut self, objects: &[DeleteObject]) -> Result<(), Stop> {
        for object in objects {
            self.writes += 1;
            match self.writer.delete(&object.id, None, &object.uid).await {
                // Of an object that took its name since, or of a kind that is gone, nothing is ours to delete.
                Ok(_) | Err(ClusterError::Changed { .. } | ClusterError::KindUnknown { .. }) => {}
                Err(error) => return Err(self.fail(Some(object.id.clone()), &error)),
            }
        }
        Ok(())
    }
}

async fn apply_one(
    writer: &Writer,
    object: &ApplyObject,
    manifest: &Value,
    last: &[Arc<Value>],
) -> Result<Applied, ClusterError> {
    if object.adopt {
        adopt(writer, &object.id, manifest).await?;
    }
    let options = ApplyOptions { force: object.force, dry_run: false };
    match writer.apply(manifest, options).await {
        Err(ClusterError::Conflict { owners, message }) => {
            let ours = |owner: &FieldOwner| last.iter().any(|object| names_field(object, owner));
            if !owners.iter().all(ours) {
                return Err(ClusterError::Conflict { owners, message });
            }
            // Somebody took fields that we had applied: take them back, but only from the object as it is now.
            let live = writer.reader().get(&object.id, None).await?;
            let mut manifest = manifest.clone();
            if let Some(version) = live.as_ref().and_then(|live| live.pointer("/metadata/resourceVersion")) {
                manifest["metadata"]["resourceVersion"] = version.clone();
            }
            writer.apply(&manifest, ApplyOptions { force: true, dry_run: false }).await
        }
        other => other,
    }
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
