//! The state of a cluster: objects, the counter of their versions, and what is derived from them. Every write goes
//! through `commit`; the rules of requests live in `rest`, those of kinds in `rules`.
//!
//! There is no clock and no chance in here: times are arguments, identities come from a seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::catalog::{Catalog, Resource};
use super::faults::Faults;
use super::ids::Ids;
use super::object::Fields;
use super::objects::{Change, Collection};
use super::schema::Schemas;

/// Where an object is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The collection: `pods`, `deployments.apps`.
    pub collection: String,
    /// The namespace; empty for objects of the cluster.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Place {
    /// A place.
    pub fn new(collection: &str, namespace: &str, name: &str) -> Place {
        Place { collection: collection.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// Places that were written or are concerned, with the states that were written there.
pub(super) type Touched = BTreeMap<Place, Vec<Arc<Value>>>;

/// Called after every write, so that somebody who waits looks again.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// How many changes of each resource are kept for watches.
const HISTORY: usize = 10_000;

/// A cluster's state.
pub struct Store {
    pub(super) schemas: Schemas,
    pub(super) catalog: Catalog,
    pub(super) ids: Ids,
    /// What is to go wrong.
    pub faults: Faults,
    /// What the simulated kubelet remembers of pods, by their uid.
    pub(super) lives: BTreeMap<String, super::controllers::Life>,
    /// When controllers whose writes were refused try again. A refusal names what it refuses, by a name made up each
    /// time: without this each one would be news, and a reason to try at once.
    pub(super) refused: BTreeMap<Place, jiff::Timestamp>,
    pods_started: u32,
    pub(super) logs: BTreeMap<Place, Vec<super::logs::Line>>,
    collections: BTreeMap<String, Collection>,
    version: u64,
    dependents: BTreeMap<String, BTreeSet<Place>>,
    touched: Touched,
    wake: Option<Wake>,
    history: usize,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Store").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Store {
    /// An empty store: not even the namespaces are there that a cluster begins with.
    pub fn empty(seed: u64) -> Store {
        let schemas = Schemas::built_in();
        Store {
            catalog: Catalog::of(&schemas, std::iter::empty()),
            schemas,
            ids: Ids::new(seed),
            faults: Faults::new(seed),
            lives: BTreeMap::new(),
            refused: BTreeMap::new(),
            pods_started: 0,
            logs: BTreeMap::new(),
            collections: BTreeMap::new(),
            version: 0,
            dependents: BTreeMap::new(),
            touched: Touched::new(),
            wake: None,
            history: HISTORY,
        }
    }

    /// Has something called after every write.
    pub fn on_change(&mut self, wake: Wake) {
        self.wake = Some(wake);
    }

    /// Keeps that many changes of each resource for watches.
    pub fn keep_history(&mut self, changes: usize) {
        self.history = changes;
    }

    /// The version that the latest write made.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The resources that are served.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// What is known of the kinds.
    pub fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    /// The objects of one resource, if there ever were any.
    pub fn collection(&self, collection: &str) -> Option<&Collection> {
        self.collections.get(collection)
    }

    /// One object.
    pub fn get(&self, collection: &str, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        self.collections.get(collection)?.get(namespace, name)
    }

    /// The object at a place.
    pub fn at(&self, place: &Place) -> Option<&Arc<Value>> {
        self.get(&place.collection, &place.namespace, &place.name)
    }

    /// The objects of one namespace, or of all.
    pub fn list<'a>(
        &'a self,
        collection: &str,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Arc<Value>> + 'a {
        self.collections.get(collection).into_iter().flat_map(move |known| known.iter(namespace, None))
    }

    /// The objects that name this one as an owner.
    pub fn dependents(&self, uid: &str) -> impl Iterator<Item = &Place> {
        self.dependents.get(uid).into_iter().flatten()
    }

    /// The objects of a collection that this one controls.
    pub fn controlled<'a>(
        &'a self,
        uid: &'a str,
        collection: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Value>> + 'a {
        self.dependents(uid)
            .filter(move |place| place.collection == collection)
            .filter_map(|place| self.at(place))
            .filter(move |object| {
                super::object::controller_of(object).is_some_and(|owner| owner.text("/uid") == uid)
            })
    }

    /// An address of the pods' range, each a little later than the last.
    pub(super) fn next_pod_address(&mut self) -> String {
        self.pods_started = self.pods_started % 65_000 + 1;
        let number = self.pods_started + 1;
        format!("10.244.{}.{}", number >> 8, number & 0xff)
    }

    /// Takes the places that were written since this was last asked: what controllers look at.
    pub(super) fn take_touched(&mut self) -> Touched {
        std::mem::take(&mut self.touched)
    }

    /// Forgets all changes up to now: watches and pages that began before are told so.
    pub fn compact(&mut self) {
        for collection in self.collections.values_mut() {
            collection.compact(self.version);
        }
    }

    /// Writes an object: numbers the change, indexes it, and has those told who wait.
    pub(super) fn commit(&mut self, resource: &Resource, mut object: Value, change: Change) -> Arc<Value> {
        self.version += 1;
        object.put("/metadata/resourceVersion", json!(self.version.to_string()));
        let place = Place::new(&resource.collection, object.namespace(), object.name());
        let before = self.at(&place).cloned();
        let object = Arc::new(object);
        self.index_owners(&place, before.as_deref(), Some(&object).filter(|_| change != Change::Deleted));
        let collection = self.collections.entry(place.collection.clone()).or_default();
        collection.commit(&place.namespace, &place.name, change, object.clone(), self.version, self.history);
        if change == Change::Deleted {
            self.logs.remove(&place);
        }
        if place.collection == "customresourcedefinitions.apiextensions.k8s.io" {
            self.redefine(&place.name, Some(&object).filter(|_| change != Change::Deleted));
        }
        self.touch(&place, &object, before.as_ref(), change);
        if let Some(wake) = &self.wake {
            wake();
        }
        object
    }

    /// Notes what controllers are to look at: the object, who owns or owned it, and, once it is gone, who named it.
    fn touch(&mut self, place: &Place, object: &Arc<Value>, before: Option<&Arc<Value>>, change: Change) {
        for state in [Some(object), before].into_iter().flatten() {
            for owner in state.items("/metadata/ownerReferences") {
                let found = self.catalog.of_kind(owner.text("/apiVersion"), owner.text("/kind"));
                if let Some(resource) = found {
                    let namespace = if resource.kind.namespaced { place.namespace.as_str() } else { "" };
                    let owner = Place::new(&resource.collection, namespace, owner.text("/name"));
                    self.touched.entry(owner).or_default();
                }
            }
        }
        if change == Change::Deleted {
            let named: Vec<Place> = self.dependents(object.uid()).cloned().collect();
            self.touched.extend(named.into_iter().map(|place| (place, Vec::new())));
        }
        let states = self.touched.entry(place.clone()).or_default();
        states.extend(before.into_iter().chain([object]).cloned());
    }

    fn index_owners(&mut self, place: &Place, before: Option<&Value>, after: Option<&Arc<Value>>) {
        let owners = |object: Option<&Value>| -> BTreeSet<String> {
            let owners = object.map(|object| object.items("/metadata/ownerReferences")).unwrap_or_default();
            owners.iter().map(|owner| owner.text("/uid").to_owned()).collect()
        };
        let (old, new) = (owners(before), owners(after.map(AsRef::as_ref)));
        for uid in old.difference(&new) {
            if let Some(places) = self.dependents.get_mut(uid) {
                places.remove(place);
                if places.is_empty() {
                    self.dependents.remove(uid);
                }
            }
        }
        for uid in new.difference(&old) {
            self.dependents.entry(uid.clone()).or_default().insert(place.clone());
        }
    }

    /// Serves, changes or forgets the kind of a CustomResourceDefinition.
    fn redefine(&mut self, name: &str, definition: Option<&Arc<Value>>) {
        match definition {
            // What cannot be defined was refused before it came here.
            Some(definition) => drop(self.schemas.define(definition)),
            None => self.schemas.undefine(name),
        }
        let definitions = self.list("customresourcedefinitions.apiextensions.k8s.io", None);
        self.catalog = Catalog::of(&self.schemas, definitions.map(AsRef::as_ref));
    }
}
