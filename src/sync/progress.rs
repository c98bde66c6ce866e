//! What this process did: objects applied in the running rollout, failures with their backoff, heals for
//! telling edits from contests. Lost with the process, and rebuilt by doing again what cannot be told.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::failure::{Failure, Fate};
use super::wanted::Wanted;
use crate::model::digest::{Digest, KeyedHash};
use crate::model::inventory::StoredSet;
use crate::model::live::Projection;
use crate::model::resource::ResourceId;

/// For how long an older head than the known one is read until it is believed.
const SET_BACK: Duration = Duration::from_mins(2);
/// The first and the longest wait after a failure.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));
/// A change within this time after our heal may be a contest.
const CONTEST_WINDOW: Duration = Duration::from_secs(10);
/// So many times running make it one.
const CONTEST_COUNT: u32 = 5;
/// How long a contested object is left alone, rising.
const CONTEST_PAUSES: [Duration; 3] =
    [Duration::from_mins(1), Duration::from_mins(5), Duration::from_mins(30)];

/// An object as the API server answered our apply.
#[derive(Clone, Debug, PartialEq)]
pub struct AppliedObject {
    /// The keyed hash of the manifest.
    pub desired: KeyedHash,
    /// The keyed hash of the fields that we own.
    pub projection: Projection,
    /// The uid.
    pub uid: String,
    /// The apiVersion.
    pub api_version: String,
    /// Whether this rollout created it.
    pub created: bool,
}

/// Which field somebody changed, who, and to which value: tells edits from a contest.
pub type Signature = (String, String, KeyedHash);

/// The running rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct RolloutProgress {
    /// Which set.
    pub digest: Digest,
    /// Its number.
    pub number: u64,
    /// When it began, as if it had run without a break since; moved on while the API was unavailable.
    pub started: Timestamp,
    /// What was applied, also by rollouts before this one that did not end.
    pub applied: BTreeMap<ResourceId, AppliedObject>,
    /// Whether the dry run passed.
    pub rehearsed: bool,
}

impl RolloutProgress {
    /// How much of its time it has used.
    pub fn used(&self, now: Timestamp) -> Duration {
        Duration::try_from(now.duration_since(self.started)).unwrap_or_default()
    }
}

/// One object's history of heals.
#[derive(Clone, Debug, PartialEq)]
struct Heals {
    last: Timestamp,
    count: u32,
    signature: Option<Signature>,
    pauses: usize,
    until: Option<Timestamp>,
}

/// What this process did for one application.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// The running rollout.
    pub rollout: Option<RolloutProgress>,
    /// What the API server answered to heals: what we expect from then on.
    pub healed: BTreeMap<ResourceId, Projection>,
    /// The last failure.
    pub failure: Option<Failure>,
    /// How often it failed running.
    attempts: u32,
    /// No try before this.
    pub retry_at: Option<Timestamp>,
    heals: BTreeMap<ResourceId, Heals>,
    /// Whether the answer to a write of the head was lost: it may have been carried out.
    pub head_in_doubt: bool,
    /// Since when an older head is read than the one that we know.
    outdated_since: Option<Timestamp>,
}

impl Progress {
    /// Begins a rollout, or goes on with one that another process began, unless this one runs already. What an
    /// unfinished one applied stands there all the same, and what is equal in this one is not applied again.
    pub fn begin(&mut self, pending: &StoredSet, now: Timestamp) {
        if self.rollout.as_ref().is_none_or(|rollout| rollout.digest != pending.digest) {
            self.clear_failure();
            let applied = self.rollout.take().map(|unfinished| unfinished.applied).unwrap_or_default();
            let used = Duration::from_secs(pending.progress.used_seconds);
            let started = now.checked_sub(used).unwrap_or(now);
            let (digest, number) = (pending.digest, pending.rollout);
            self.rollout = Some(RolloutProgress { digest, number, started, applied, rehearsed: false });
        }
    }

    /// Whether the running rollout applied an object already, as it is wanted now.
    pub fn has_applied(&self, id: &ResourceId, wanted: &Wanted) -> bool {
        let Wanted::Version(wanted) = wanted else { return false };
        let applied = self.rollout.as_ref().and_then(|rollout| rollout.applied.get(id));
        let object = wanted.set.get(id);
        applied.zip(object).is_some_and(|(applied, object)| applied.desired == object.desired)
    }

    /// Ends the rollout; what was applied is expected from now on by the head.
    pub fn end(&mut self) {
        self.rollout = None;
        self.healed.clear();
        self.clear_failure();
    }

    /// Notes that an older head was read than the one that we know. Once is a stale read; whether it has been so for
    /// so long that the cluster must have been set back to an earlier time.
    pub fn is_set_back(&mut self, now: Timestamp) -> bool {
        later(*self.outdated_since.get_or_insert(now), SET_BACK) <= now
    }

    /// Notes that no older head was read.
    pub fn is_up_to_date(&mut self) {
        self.outdated_since = None;
    }

    /// Notes a failure and when to try again. Waiting for the API does not use up the rollout's time.
    pub(super) fn fail(&mut self, failure: Failure, now: Timestamp) {
        let fate = failure.fate();
        if fate == Fate::TakeBack {
            self.retry_at = None;
            self.failure = Some(failure);
            return;
        }
        let doubled = BACKOFF.0.saturating_mul(1 << self.attempts.min(16)).min(BACKOFF.1);
        let wait = failure.retry_after.unwrap_or(doubled).min(BACKOFF.1);
        self.attempts = self.attempts.saturating_add(1);
        if fate == Fate::Wait
            && let Some(rollout) = &mut self.rollout
        {
            rollout.started = later(rollout.started, wait);
        }
        self.failure = Some(failure);
        self.retry_at = Some(later(now, wait));
    }

    /// Forgets failures after a success.
    pub fn clear_failure(&mut self) {
        self.failure = None;
        self.attempts = 0;
        self.retry_at = None;
    }

    /// Whether more can be tried at once: nothing failed, or fields are to be taken back.
    pub fn goes_on(&self) -> bool {
        self.failure.as_ref().is_none_or(|failure| failure.fate() == Fate::TakeBack)
    }

    /// Whether a step may be tried now.
    pub fn may_try(&self, now: Timestamp) -> bool {
        self.retry_at.is_none_or(|at| at <= now)
    }

    /// Notes a heal. The same manager with the same value on the same field soon after our last heal counts
    /// towards a contest; anything else is an edit and starts anew.
    pub fn note_heal(&mut self, id: &ResourceId, signature: Option<Signature>, now: Timestamp) {
        let entry = self.heals.entry(id.clone()).or_insert_with(|| Heals {
            last: now,
            count: 0,
            signature: signature.clone(),
            pauses: 0,
            until: None,
        });
        let soon = now <= later(entry.last, CONTEST_WINDOW) || entry.until.is_some();
        if soon && signature.is_some() && entry.signature == signature {
            entry.count += 1;
        } else {
            *entry = Heals { last: now, count: 1, signature, pauses: 0, until: None };
        }
        entry.last = now;
        if entry.count >= CONTEST_COUNT {
            let pause = CONTEST_PAUSES[entry.pauses.min(CONTEST_PAUSES.len() - 1)];
            entry.until = Some(later(now, pause));
            entry.pauses += 1;
            // After the pause one more loss is enough to be left alone again.
            entry.count = CONTEST_COUNT - 1;
        }
    }

    /// The field, manager and end of the pause of an object that is contested now.
    pub fn contested(&self, id: &ResourceId, now: Timestamp) -> Option<(&str, &str, Timestamp)> {
        let heals = self.heals.get(id)?;
        let until = heals.until.filter(|until| *until > now)?;
        let (manager, field, _) = heals.signature.as_ref()?;
        Some((field, manager, until))
    }
}

/// A time later by a duration; the latest possible time on overflow.
pub(super) fn later(time: Timestamp, duration: Duration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::failure::FailureCause;
    use super::*;
    use crate::model::digest::HashKey;
    use crate::model::inventory::{PendingProgress, Slot};
    use crate::model::name::ApplicationId;
    use serde_json::json;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn id() -> ResourceId {
        "|ConfigMap|a|b".parse().unwrap()
    }

    fn pending(used_seconds: u64) -> StoredSet {
        StoredSet {
            application: ApplicationId::from_label("dev.web").unwrap(),
            slot: Slot::A,
            rollout: 1,
            digest: Digest::of(b"a"),
            objects: Vec::new(),
            progress: PendingProgress { used_seconds, ..PendingProgress::default() },
            resource_version: String::new(),
        }
    }

    #[test]
    fn a_rollout_goes_on_with_the_time_that_another_process_used() {
        let mut progress = Progress::default();
        progress.begin(&pending(90), at(1000));
        let rollout = progress.rollout.as_ref().unwrap();
        assert_eq!(rollout.used(at(1000)), Duration::from_secs(90));
        assert_eq!(rollout.used(at(1010)), Duration::from_secs(100));
        // It runs already: what the cluster keeps is older.
        progress.begin(&pending(90), at(2000));
        assert_eq!(progress.rollout.as_ref().unwrap().used(at(1010)), Duration::from_secs(100));
    }

    fn signature(value: &str) -> Option<(String, String, KeyedHash)> {
        Some(("other".into(), "/data/a".into(), HashKey::new([0; 32]).of_value(&json!(value))))
    }

    #[test]
    fn an_older_head_is_believed_when_it_stays() {
        let mut progress = Progress::default();
        assert!(!progress.is_set_back(at(0)));
        assert!(!progress.is_set_back(at(119)));
        progress.is_up_to_date();
        assert!(!progress.is_set_back(at(120)));
        assert!(progress.is_set_back(at(240)));
    }

    #[test]
    fn the_same_value_five_times_running_is_a_contest() {
        let mut progress = Progress::default();
        for round in 0..5 {
            assert!(progress.contested(&id(), at(round)).is_none(), "{round}");
            progress.note_heal(&id(), signature("x"), at(round));
        }
        assert_eq!(progress.contested(&id(), at(5)), Some(("/data/a", "other", at(64))));
        assert!(progress.contested(&id(), at(64)).is_none());
        progress.note_heal(&id(), signature("x"), at(64));
        assert_eq!(progress.contested(&id(), at(65)).unwrap().2, at(64 + 300));
    }

    #[test]
    fn edits_are_no_contest() {
        let mut progress = Progress::default();
        for round in 0..20 {
            progress.note_heal(&id(), signature(&format!("{round}")), at(round));
            assert!(progress.contested(&id(), at(round)).is_none());
        }
        for round in 0..20 {
            progress.note_heal(&id(), signature("x"), at(100 + round * 11));
            assert!(progress.contested(&id(), at(100 + round * 11)).is_none());
        }
    }

    #[test]
    fn failures_back_off_and_unavailability_stops_the_clock() {
        let mut progress = Progress::default();
        progress.begin(&pending(0), at(0));
        let failure = |cause| Failure { cause, object: None, message: String::new(), retry_after: None };
        progress.fail(failure(FailureCause::Quota), at(10));
        assert_eq!(progress.retry_at, Some(at(11)));
        progress.fail(failure(FailureCause::Unavailable), at(11));
        assert_eq!(progress.retry_at, Some(at(13)));
        assert_eq!(progress.rollout.as_ref().unwrap().started, at(2));
        for _ in 0..40 {
            progress.fail(failure(FailureCause::Quota), at(20));
        }
        assert_eq!(progress.retry_at, Some(at(320)));
        progress.clear_failure();
        assert!(progress.may_try(at(0)));
    }
}
