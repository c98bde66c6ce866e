//! Which applications an environment has, and what holds those that cannot be prepared.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::shelf::Shelf;
use super::{ConfigState, Desired, Reading, fault_hold};
use crate::desired::{Application, ConfigRepository, Origin};
use crate::model::fault::{Fault, FaultScope};
use crate::model::hold::{HoldClass, HoldReason};
use crate::model::name::{ApplicationId, EnvironmentName, ServiceName};

/// Lists the applications of one environment, and what holds those that cannot be prepared.
pub(super) fn list_environment(
    config: &Arc<ConfigState>,
    name: &EnvironmentName,
    shelf: &Shelf,
    reading: &mut Reading,
    all: &mut Vec<(Application, Arc<ConfigState>)>,
) {
    let repository = &config.repository;
    let own = |fault: &&Fault| match &fault.scope {
        FaultScope::Everything => true,
        FaultScope::Environment(environment) => environment == name,
        _ => false,
    };
    let faults: Vec<HoldReason> = repository.faults.iter().filter(own).map(fault_hold).collect();
    let members = repository.environments.get(name).map(|one| one.members.clone()).unwrap_or_default();
    if !faults.is_empty() {
        for service in &members {
            let id = ApplicationId::new(name.clone(), service.clone());
            reading.desired.insert(id, Desired::Held(faults.clone()));
        }
        reading.held_environments.insert(name.clone(), faults);
        return;
    }
    let (applications, _) = repository.applications(&config.tree, name);
    for service in members_and_faulty(repository, name, &members) {
        let faults = repository.faults.iter().filter(|fault| fault.holds(name, &service));
        let mut holds: Vec<HoldReason> = faults.map(fault_hold).collect();
        let id = ApplicationId::new(name.clone(), service.clone());
        let application = applications.iter().find(|application| application.id == id);
        if let Some(application) = application.filter(|_| holds.is_empty()) {
            holds = chart_holds(repository, application, shelf);
            let passing = holds.iter().filter(|hold| hold.class() == HoldClass::Waiting);
            reading.failures.extend(passing.cloned());
        }
        match application.filter(|_| holds.is_empty()) {
            Some(application) => all.push((application.clone(), config.clone())),
            None => {
                reading.desired.insert(id, Desired::Held(holds));
            }
        }
        reading.members.entry(name.clone()).or_default().insert(service);
    }
    reading.members.entry(name.clone()).or_default();
}

/// What holds an application whose umbrella waits for charts: its own chart is not there, or one that may be a
/// library, whose templates and values every chart of the umbrella sees.
fn chart_holds(repository: &ConfigRepository, application: &Application, shelf: &Shelf) -> Vec<HoldReason> {
    let Some(environment) = repository.environments.get(&application.id.environment) else {
        return Vec::new();
    };
    let Some(umbrella) = environment.umbrella.as_ref().filter(|_| application.origin.is_chart()) else {
        return Vec::new();
    };
    let own = |key: &str| matches!(&application.origin, Origin::Dependency { key: own } if own == key);
    let concerns = |key: &str| own(key) || !environment.is_known_application(key, &repository.services);
    let needed = umbrella.needed().iter().filter(|(key, _)| concerns(key));
    needed.map(|(key, need)| shelf.hold(need, &environment.place_of_dependency(key))).collect()
}

/// Services that are in an environment, and those that a fault keeps from being in it.
fn members_and_faulty(
    repository: &ConfigRepository,
    environment: &EnvironmentName,
    members: &BTreeSet<ServiceName>,
) -> BTreeSet<ServiceName> {
    let mut all = members.clone();
    for fault in &repository.faults {
        if let FaultScope::Application(stage, service) = &fault.scope
            && stage == environment
        {
            all.insert(service.clone());
        }
    }
    all
}
