//! The controllers of a cluster, simulated: stepped with the time, never running by themselves.
//!
//! Each file holds one: a function that looks at one object, does what is missing, and says when it wants to look
//! again. A write makes the store note the object and its owners as touched; whoever may care is asked.

mod actions;
mod budget;
mod claim;
mod cron_job;
mod custom;
mod daemon_set;
mod deployment;
mod event;
mod garbage;
mod job;
mod namespace;
mod pod;
mod quota;
mod replica_set;
mod revision;
mod schedule;
mod service;
mod stateful_set;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::object::Fields;
use super::selector::LabelSelector;
use super::store::{Place, Store};
pub(crate) use pod::life::Life;

/// How fast things happen.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// From a pod's placement until it runs and is ready.
    pub start: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { start: Duration::from_secs(1) }
    }
}

type Reconcile = fn(&mut Store, &Place, Timestamp, &Pace) -> Option<Timestamp>;

/// Whose objects are looked at by whom.
const TABLE: &[(&str, Reconcile)] = &[
    ("pods", pod::reconcile),
    ("replicasets.apps", replica_set::reconcile),
    ("replicationcontrollers", replica_set::reconcile),
    ("deployments.apps", deployment::reconcile),
    ("statefulsets.apps", stateful_set::reconcile),
    ("daemonsets.apps", daemon_set::reconcile),
    ("jobs.batch", job::reconcile),
    ("cronjobs.batch", cron_job::reconcile),
    ("services", service::reconcile),
    ("persistentvolumeclaims", claim::reconcile),
    ("persistentvolumes", claim::reconcile_volume),
    ("namespaces", namespace::reconcile),
    ("resourcequotas", quota::reconcile),
    ("poddisruptionbudgets.policy", budget::reconcile),
    ("customresourcedefinitions.apiextensions.k8s.io", custom::reconcile),
    ("events", event::reconcile),
];

/// The most that one step does: an endless dispute between controllers ends in a next step.
const MOST: usize = 5_000;

/// The rest after that, in which others get their turn.
const REST: Duration = Duration::from_millis(100);

/// All of them, with what each wants to look at and when.
#[derive(Debug)]
pub struct Controllers {
    pace: Pace,
    queue: BTreeSet<Place>,
    timers: BTreeSet<(Timestamp, Place)>,
    timer_of: BTreeMap<Place, Timestamp>,
}

impl Controllers {
    /// None of them has seen anything yet.
    pub fn new(pace: Pace) -> Controllers {
        Controllers { pace, queue: BTreeSet::new(), timers: BTreeSet::new(), timer_of: BTreeMap::new() }
    }

    /// Does what is due, and says when something is due again.
    pub fn step(&mut self, store: &mut Store, now: Timestamp) -> Option<Timestamp> {
        while let Some((due, place)) = self.timers.first().cloned().filter(|(due, _)| *due <= now) {
            self.timers.remove(&(due, place.clone()));
            self.timer_of.remove(&place);
            self.queue.insert(place);
        }
        self.take(store);
        for _ in 0..MOST {
            let Some(place) = self.queue.pop_first() else { break };
            self.look(store, &place, now);
            self.take(store);
        }
        if self.queue.is_empty() {
            return self.timers.first().map(|(due, _)| *due);
        }
        Some(actions::later(now, REST))
    }

    /// Takes what was written since, and what depends on it without being named by it.
    fn take(&mut self, store: &mut Store) {
        for (place, states) in store.take_touched() {
            if place.collection == "pods" {
                self.queue_selecting(store, &place.namespace, &states);
            }
            if place.collection != "resourcequotas" && place.collection != "events" {
                self.queue_all(store, "resourcequotas", &place.namespace);
            }
            if place.collection == "resourcequotas" {
                // What was refused may be allowed now.
                store.refused.retain(|refused, _| refused.namespace != place.namespace);
                for collection in ["replicasets.apps", "statefulsets.apps", "daemonsets.apps", "jobs.batch"] {
                    self.queue_all(store, collection, &place.namespace);
                }
            }
            let furniture = [("configmaps", "kube-root-ca.crt"), ("serviceaccounts", "default")];
            if furniture.contains(&(place.collection.as_str(), place.name.as_str())) {
                self.queue.insert(Place::new("namespaces", "", &place.namespace));
            }
            if place.collection == "nodes" {
                let waiting = store.list("pods", None).filter(|pod| pod.pointer("/spec/nodeName").is_none());
                let places: Vec<Place> = waiting.map(|pod| actions::place("pods", pod)).collect();
                self.queue.extend(places);
            }
            if !place.namespace.is_empty() && namespace::is_ending(store, &place.namespace) {
                self.queue.insert(Place::new("namespaces", "", &place.namespace));
            }
            claim::interested(store, &place, &mut self.queue);
            self.queue.insert(place);
        }
    }

    /// Queues the services and budgets that select a pod in one of these states.
    fn queue_selecting(&mut self, store: &Store, namespace: &str, states: &[Arc<Value>]) {
        for service in store.list("services", Some(namespace)) {
            let selector = service.map("/spec/selector").filter(|labels| !labels.is_empty());
            let Some(selector) = selector.map(LabelSelector::of_labels) else { continue };
            if states.iter().any(|pod| selector.matches(pod)) {
                self.queue.insert(actions::place("services", service));
            }
        }
        for budget in store.list("poddisruptionbudgets.policy", Some(namespace)) {
            let Some(selector) = budget.pointer("/spec/selector").map(LabelSelector::of) else { continue };
            if states.iter().any(|pod| selector.matches(pod)) {
                self.queue.insert(actions::place("poddisruptionbudgets.policy", budget));
            }
        }
    }

    fn queue_all(&mut self, store: &Store, collection: &str, namespace: &str) {
        if namespace.is_empty() {
            return;
        }
        let places: Vec<Place> = store
            .list(collection, Some(namespace))
            .map(|object| actions::place(collection, object))
            .collect();
        self.queue.extend(places);
    }

    fn look(&mut self, store: &mut Store, place: &Place, now: Timestamp) {
        if store.at(place).is_none() {
            return;
        }
        garbage::reconcile(store, place, now);
        let found = TABLE.iter().find(|(collection, _)| *collection == place.collection);
        let Some((_, reconcile)) = found else { return };
        if store.at(place).is_none() {
            return;
        }
        let due = reconcile(store, place, now, &self.pace);
        self.remind(place, due);
    }

    /// Keeps one timer for each object: the latest wish counts.
    fn remind(&mut self, place: &Place, due: Option<Timestamp>) {
        if let Some(old) = self.timer_of.remove(place) {
            self.timers.remove(&(old, place.clone()));
        }
        if let Some(due) = due {
            self.timers.insert((due, place.clone()));
            self.timer_of.insert(place.clone(), due);
        }
    }
}
