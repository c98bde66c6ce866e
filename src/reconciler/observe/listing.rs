//! Which applications an environment has, and what holds those that cannot be prepared.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{ConfigState, Desired, Reading, fault_hold};
use crate::desired::{Application, ConfigRepository};
use crate::model::fault::{Fault, FaultScope};
use crate::model::hold::HoldReason;
use crate::model::name::{ApplicationId, EnvironmentName, ServiceName};

/// Lists the applications of one environment, and what holds those that cannot be prepared.
pub(super) fn list_environment(
    config: &Arc<ConfigState>,
    name: &EnvironmentName,
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
        let holds: Vec<HoldReason> =
            repository.faults.iter().filter(|fault| fault.holds(name, &service)).map(fault_hold).collect();
        let id = ApplicationId::new(name.clone(), service.clone());
        let application = applications.iter().find(|application| application.id == id);
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
