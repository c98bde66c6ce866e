//! What another daemon of this instance did meanwhile: noticed before anything is begun or deleted, read again, and
//! left alone while it works. It decides nothing about objects; that is `sync`.

use std::sync::Arc;
use std::time::Duration;

use super::{Seen, Tick};
use crate::diff;
use crate::model::hold::HoldReason;
use crate::model::inventory::{StoredHead, StoredSet};
use crate::reconciler::inventory::{self, PackedSet};
use crate::sync::{ApplyReason, Failure, FailureKind, Step, SyncPlan, Wanted};

/// How long another daemon's rollout of another version is left alone.
const STAND_BACK: Duration = Duration::from_secs(10);

impl Tick {
    /// Whether what is there may be the work of another daemon of this instance: objects that are gone, or whose
    /// difference is in nobody's hand but ours; and whatever begins a rollout or deletes.
    pub(super) fn smells_of_a_rival(&self, plan: &SyncPlan, seen: &Seen) -> bool {
        let deployed = self.deployed.as_ref();
        let mut bodies = None;
        plan.steps.iter().any(|step| match step {
            Step::WriteSet { .. } => self.head.is_some(),
            Step::Delete { .. } => true,
            Step::Apply { objects, .. } => objects.iter().any(|object| {
                if object.reason == ApplyReason::Rollout {
                    // What this rollout applied already and has to apply again, somebody changed meanwhile.
                    return self.progress.has_applied(&object.id, &self.wanted);
                }
                let Some(live) = seen.live.get(&object.id).and_then(|record| record.body.as_ref()) else {
                    return true;
                };
                let bodies = bodies.get_or_insert_with(|| deployed.and_then(|packed| packed.unpack().ok()));
                let applied = bodies.as_ref().and_then(|set| set.get(&object.id));
                applied.is_none_or(|applied| {
                    let changed = diff::changed_fields(&applied.object, live);
                    changed.iter().all(|field| diff::owner_of(live, field).is_none())
                })
            }),
            _ => false,
        })
    }

    /// Reads the inventory of the application again. True if it is another than we knew. A rollout that another
    /// daemon began is joined if it is of the version that we want; else it gets time to end, and Git to be asked.
    pub(super) async fn reread(&mut self, sets: &mut Vec<PackedSet>) -> bool {
        let (namespace, instance) = (&self.options.own_namespace, &self.instance);
        let read = inventory::read_one(&*self.cluster, namespace, instance, &self.application).await;
        let Ok(kept) = read else { return false };
        if self.is_outdated(kept.head.as_ref()) {
            return false;
        }
        if std::mem::take(&mut self.progress.head_in_doubt) {
            self.progress.clear_failure();
        }
        let version = |head: &Option<StoredHead>| head.as_ref().map(|stored| stored.resource_version.clone());
        // A head that is gone is known here, and written again.
        if let (None, Some(ours)) = (&kept.head, &mut self.head) {
            ours.resource_version.clear();
        }
        let is_new = kept.head.is_some() && version(&kept.head) != version(&self.head);
        if is_new {
            self.head = kept.head;
            self.progress.end();
        }
        let head = self.head.as_ref().map(|stored| &stored.head);
        let mut sets_kept = kept.sets.iter().map(|(stored, _)| stored);
        let begun = sets_kept.find(|stored| inventory::is_begun(stored, head)).cloned();
        let theirs = begun.as_ref().is_some_and(|begun| self.intent.as_ref() != Some(begun));
        let deployed =
            self.head.as_ref().and_then(|stored| stored.head.deployed.as_ref()).map(|version| version.digest);
        for (_, packed) in kept.sets {
            if Some(packed.digest) == deployed {
                self.deployed = Some(packed.clone());
                sets.push(packed);
            }
        }
        for (id, object) in self.head.iter().flat_map(|stored| &stored.head.objects) {
            self.live.expect(id, object.projection);
        }
        let same = match (&begun, &*self.wanted) {
            (Some(begun), Wanted::Version(wanted)) => begun.digest == wanted.version.digest,
            _ => false,
        };
        if is_new {
            self.fall_behind();
        }
        match begun {
            Some(begun) if theirs && !same => self.stand_back(&begun),
            begun => self.intent = begun,
        }
        is_new || theirs && same
    }

    /// Whether a head that was read is older than the one that we know, and not to be believed.
    fn is_outdated(&mut self, read: Option<&StoredHead>) -> bool {
        let outdated = self.head.as_ref().zip(read).is_some_and(|(known, read)| known.is_newer_than(read));
        if !outdated {
            self.progress.is_up_to_date();
        }
        outdated && !self.progress.is_set_back(self.clock.steady())
    }

    /// What another daemon deployed may be of a newer Git than ours: nothing is begun before Git was asked again.
    fn fall_behind(&mut self) {
        self.behind = true;
        if matches!(&*self.wanted, Wanted::Version(_)) {
            self.wanted = Arc::new(Wanted::Held(vec![behind(self.clock.steady())]));
            self.packed = None;
        }
    }

    /// Leaves another daemon's rollout alone for as long as it may take.
    fn stand_back(&mut self, begun: &StoredSet) {
        let now = self.clock.steady();
        let timeout = self.head.as_ref().map_or(STAND_BACK, |stored| stored.head.sync.timeout);
        let first = self.progress.stand_back(begun.rollout, begun.digest, now);
        let patience = first.checked_add(timeout + STAND_BACK).unwrap_or(now);
        self.behind = true;
        if patience <= now {
            self.intent = Some(begun.clone());
            return;
        }
        self.wait_for_the_other();
    }

    /// Tries again a little later.
    pub(super) fn wait_for_the_other(&mut self) {
        let now = self.clock.steady();
        let until = now.checked_add(STAND_BACK).unwrap_or(now);
        let message = "another moorline of this instance rolls out another version".to_owned();
        let kind = FailureKind::Held(HoldReason::Retrying { message: message.clone(), until });
        let failure = Failure { kind, object: None, message };
        self.progress.fail(failure, Some(STAND_BACK), now);
    }
}

/// Why nothing is begun where another daemon was at work.
pub(in crate::reconciler) fn behind(now: jiff::Timestamp) -> HoldReason {
    let message = "another moorline of this instance was at work: Git is asked again first".to_owned();
    HoldReason::Retrying { message, until: now }
}
