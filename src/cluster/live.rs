//! The live objects that carry our labels, kept as small records by watches: one per kind and cluster, shared by
//! all applications; where rights do not suffice for that, one per kind and namespace (RULES §8).

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::Value;

use crate::adapters::clock::Clock;
use crate::adapters::cluster::{ClusterError, WatchEvent};
use crate::diff;
use crate::model::digest::HashKey;
use crate::model::live::{LiveRecord, Projection, ResourceVersion};
use crate::model::name::ApplicationId;
use crate::model::resource::{GroupKind, ResourceId};

/// How many ends of objects are remembered: more than there are writes on their way at once.
const GONE: usize = 512;

/// What a watch covers: a kind everywhere, or in one namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The kind.
    pub kind: GroupKind,
    /// The namespace; absent means all of the cluster.
    pub namespace: Option<Arc<str>>,
}

impl Place {
    /// The kind everywhere.
    pub fn everywhere(kind: &GroupKind) -> Self {
        Self { kind: kind.clone(), namespace: None }
    }

    fn covers(&self, id: &ResourceId) -> bool {
        id.kind == self.kind && (self.namespace.is_none() || id.namespace == self.namespace)
    }
}

/// What the index knows of one watched place.
#[derive(Debug, Default)]
struct PlaceState {
    /// Whether a list was read in full.
    listed: bool,
    /// The number of its last list; records of older lists are gone when that ends.
    round: u64,
    /// The last failure, until something succeeds.
    failure: Option<ClusterError>,
}

#[derive(Debug)]
struct Entry {
    record: LiveRecord,
    round: u64,
}

#[derive(Default)]
struct Inner {
    objects: HashMap<ResourceId, Entry>,
    places: HashMap<Place, PlaceState>,
    /// Counts the lists of all places.
    rounds: u64,
    /// The uids of the last objects that went, with the newest version that was seen of them: what loses our label goes
    /// as well, and comes back.
    gone: VecDeque<(Arc<str>, ResourceVersion)>,
    /// What the last apply of each object answered: an object that differs keeps its body, to explain it.
    expected: HashMap<ResourceId, Projection>,
}

/// What is remembered of an object that went: not its body.
fn end_of(record: &LiveRecord) -> (Arc<str>, ResourceVersion) {
    (record.uid.clone(), record.resource_version.clone())
}

impl Inner {
    /// Remembers an object's end for as long as an answer about it may be on its way.
    fn note_gone(&mut self, ends: impl IntoIterator<Item = (Arc<str>, ResourceVersion)>) {
        self.gone.extend(ends);
        let surplus = self.gone.len().saturating_sub(GONE);
        self.gone.drain(..surplus);
    }
}

/// The index of one cluster. Cheap to clone.
#[derive(Clone)]
pub struct LiveIndex {
    inner: Arc<Mutex<Inner>>,
    key: HashKey,
    clock: Arc<dyn Clock>,
    keeps_bodies: bool,
}

impl LiveIndex {
    /// An empty index.
    pub fn new(key: HashKey, clock: Arc<dyn Clock>) -> Self {
        Self { inner: Arc::default(), key, clock, keeps_bodies: false }
    }

    /// One that keeps every object whole, to compare fields.
    pub fn keeping_bodies(self) -> Self {
        Self { keeps_bodies: true, ..self }
    }

    /// The key of the fingerprints.
    pub fn key(&self) -> &HashKey {
        &self.key
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves whole records: each change is one insertion or removal.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record of an object.
    pub fn get(&self, id: &ResourceId) -> Option<LiveRecord> {
        self.lock().objects.get(id).map(|entry| entry.record.clone())
    }

    /// Whether a place was read in full; the failure that keeps it from being read.
    pub fn readiness(&self, place: &Place) -> Result<bool, ClusterError> {
        let inner = self.lock();
        let ready = |state: &PlaceState| match &state.failure {
            Some(failure) if !state.listed => Err(failure.clone()),
            _ => Ok(state.listed),
        };
        let everywhere = inner.places.get(&Place::everywhere(&place.kind)).map_or(Ok(false), ready);
        match (everywhere, &place.namespace) {
            (Err(ClusterError::Forbidden { .. }), Some(_)) => {
                inner.places.get(place).map_or(Ok(false), ready)
            }
            (everywhere, _) => everywhere,
        }
    }

    /// The places to watch one by one: those of objects whose kinds may not be watched in all of the cluster.
    pub fn refused_places(&self, ids: &[&ResourceId]) -> BTreeSet<Place> {
        let inner = self.lock();
        let refused = |(place, state): (&Place, &PlaceState)| {
            let forbidden = matches!(state.failure, Some(ClusterError::Forbidden { .. })) && !state.listed;
            (place.namespace.is_none() && forbidden).then(|| place.kind.clone())
        };
        let refused: HashSet<GroupKind> = inner.places.iter().filter_map(refused).collect();
        let in_them = ids.iter().filter(|id| id.namespace.is_some() && refused.contains(&id.kind));
        in_them.map(|id| Place { kind: id.kind.clone(), namespace: id.namespace.clone() }).collect()
    }

    /// How many objects are known.
    pub fn len(&self) -> usize {
        self.lock().objects.len()
    }

    /// Whether no object is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Notes what an object is expected to look like.
    pub fn expect(&self, id: &ResourceId, projection: Projection) {
        self.lock().expected.insert(id.clone(), projection);
    }

    /// Takes the answer of our own write, unless an event brought something newer meanwhile; an older event that comes
    /// later does not replace it.
    pub fn learn(&self, object: &Value) -> Option<LiveRecord> {
        let mut observed = diff::observe(object, &self.key, self.clock.now())?;
        observed.record.extras = diff::extra_fields(object);
        let mut inner = self.lock();
        let round = inner.rounds;
        let record = observed.record.clone();
        let went = inner
            .gone
            .iter()
            .any(|(uid, version)| *uid == record.uid && record.resource_version.is_not_newer_than(version));
        let overtaken = inner.objects.get(&observed.id).is_some_and(|entry| {
            let known = &entry.record;
            known.uid == record.uid && known.resource_version.is_newer_than(&record.resource_version)
        });
        if !(overtaken || went) {
            inner.objects.insert(observed.id, Entry { record: observed.record, round });
        }
        Some(record)
    }

    /// Takes an event of a watch. Returns the applications to look at again.
    pub(super) fn take(&self, place: &Place, event: WatchEvent) -> Vec<ApplicationId> {
        match event {
            WatchEvent::Started => {
                let mut inner = self.lock();
                inner.rounds += 1;
                let round = inner.rounds;
                inner.places.entry(place.clone()).or_default().round = round;
                Vec::new()
            }
            WatchEvent::Object(object) => self.take_object(place, &object).into_iter().collect(),
            WatchEvent::Listed => self.end_list(place),
            WatchEvent::Gone(id) => {
                let mut inner = self.lock();
                let gone = inner.objects.remove(&id);
                inner.note_gone(gone.as_ref().map(|entry| end_of(&entry.record)));
                gone.and_then(|entry| entry.record.application).into_iter().collect()
            }
            WatchEvent::Failed(error) => {
                self.lock().places.entry(place.clone()).or_default().failure = Some(error);
                Vec::new()
            }
        }
    }

    fn take_object(&self, place: &Place, object: &Arc<Value>) -> Option<ApplicationId> {
        let observed = diff::observe(object, &self.key, self.clock.now())?;
        let (id, mut record) = (observed.id, observed.record);
        let mut inner = self.lock();
        inner.places.entry(place.clone()).or_default().failure = None;
        let round = inner.rounds;
        let differs =
            inner.expected.get(&id).is_some_and(|expected| record.projection.as_ref() != Some(expected));
        record.extras = diff::extra_fields(object);
        if differs || self.keeps_bodies {
            record.body = Some(object.clone());
        }
        if let Some(entry) = inner.objects.get_mut(&id) {
            entry.round = round;
            // Our own write's echo, or an event from before it.
            let old = record.resource_version.is_not_newer_than(&entry.record.resource_version);
            if old && record.uid == entry.record.uid {
                return None;
            }
            let quiet = entry.record.projection == record.projection
                && entry.record.health == record.health
                && entry.record.replicas == record.replicas
                && entry.record.extras == record.extras
                && entry.record.uid == record.uid
                && entry.record.terminating == record.terminating
                && entry.record.application == record.application;
            let before = entry.record.application.clone();
            entry.record = record;
            return if quiet { None } else { entry.record.application.clone().or(before) };
        }
        let application = record.application.clone();
        inner.objects.insert(id, Entry { record, round });
        application
    }

    fn end_list(&self, place: &Place) -> Vec<ApplicationId> {
        let mut inner = self.lock();
        let state = inner.places.entry(place.clone()).or_default();
        let (first, round) = (!state.listed, state.round);
        state.listed = true;
        state.failure = None;
        let (mut changed, mut gone) = (BTreeSet::new(), Vec::new());
        inner.objects.retain(|id, entry| {
            let keep = !place.covers(id) || entry.round >= round;
            if !keep {
                changed.extend(entry.record.application.clone());
                gone.push(end_of(&entry.record));
            }
            keep
        });
        inner.note_gone(gone);
        if first {
            changed.extend(inner.objects.values().filter_map(|entry| entry.record.application.clone()));
        }
        changed.into_iter().collect()
    }

    /// The time, as the index knows it.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
