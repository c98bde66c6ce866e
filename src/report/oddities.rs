//! What is not as usual about an application, in few words.

use super::status::ApplicationStatus;
use crate::model::drift::SyncStatus;
use crate::model::health::HealthStatus;

/// Everything about an application that is not as usual, the worst first.
pub fn oddities(application: &ApplicationStatus) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for hold in &application.holds {
        if !words.iter().any(|word| word == hold.reason) {
            words.push(hold.reason.to_owned());
        }
    }
    if application.suspended.is_some() {
        words.push("suspended".to_owned());
    }
    if application.never_promoted {
        words.push("never promoted".to_owned());
        return words;
    }
    words.extend(odd_states(application.sync, application.health).into_iter().map(str::to_owned));
    words
}

fn odd_states(sync: SyncStatus, health: HealthStatus) -> Vec<&'static str> {
    if (sync, health) == (SyncStatus::Unknown, HealthStatus::Unknown) {
        return vec!["nothing known"];
    }
    let health = match health {
        HealthStatus::Healthy => None,
        HealthStatus::Unknown => Some("health unknown"),
        odd => Some(odd.as_str()),
    };
    let sync = match sync {
        SyncStatus::Synced => None,
        SyncStatus::Unknown => Some("sync unknown"),
        SyncStatus::OutOfSync => Some(sync.as_str()),
    };
    health.into_iter().chain(sync).collect()
}

/// Whether an application is not as it should be. Suspended and never promoted are wanted by somebody; what is still
/// on its way is no problem yet.
pub fn is_problem(application: &ApplicationStatus) -> bool {
    let rests = application.suspended.is_some() || application.never_promoted;
    let is_odd =
        matches!(application.health, HealthStatus::Degraded | HealthStatus::Missing | HealthStatus::Unknown)
            || application.sync != SyncStatus::Synced;
    !application.holds.is_empty() || is_odd && !rests
}

/// How many fields of others stand on an application's objects.
pub fn extras(application: &ApplicationStatus) -> usize {
    application.resources.iter().map(|object| object.extras.len()).sum()
}
