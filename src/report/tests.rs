//! Marks, oddities and versions of applications in many states.

use super::hold::{HoldStatus, outlook};
use super::mark::Mark;
use super::oddities::{extras, is_problem, oddities};
use super::status::{ApplicationStatus, ResourceStatus};
use super::version::{cell, coming, wanted};
use crate::model::digest::Digest;
use crate::model::drift::{ExtraField, SyncStatus};
use crate::model::facts::Version;
use crate::model::health::HealthStatus;
use crate::model::hold::{HoldClass, HoldReason};
use crate::model::inventory::Suspension;

/// A version of a commit, by its config revision and what it renders to.
fn version(commit: Option<char>, config: char, set: &str) -> Version {
    Version {
        commit: commit.map(|digit| digit.to_string().repeat(40).parse().unwrap()),
        chart: Some("web-1.2.3".to_owned()),
        image: None,
        images: Vec::new(),
        config: config.to_string().repeat(40).parse().unwrap(),
        digest: Digest::of(set.as_bytes()),
    }
}

fn healthy() -> ApplicationStatus {
    ApplicationStatus {
        environment: "dev".to_owned(),
        service: "web".to_owned(),
        namespace: "shop-dev".to_owned(),
        wanted: Some(version(Some('a'), 'c', "one")),
        deployed: Some(version(Some('a'), 'c', "one")),
        previous: None,
        blocked: None,
        sync: SyncStatus::Synced,
        health: HealthStatus::Healthy,
        holds: Vec::new(),
        resources: Vec::new(),
        suspended: None,
        awaiting: None,
        never_promoted: false,
        notices: Vec::new(),
    }
}

fn standing(sync: SyncStatus, health: HealthStatus) -> ApplicationStatus {
    ApplicationStatus { sync, health, ..healthy() }
}

/// Not deployed yet.
fn new() -> ApplicationStatus {
    ApplicationStatus { deployed: None, ..standing(SyncStatus::OutOfSync, HealthStatus::Missing) }
}

fn never_promoted() -> ApplicationStatus {
    ApplicationStatus {
        wanted: None,
        deployed: None,
        never_promoted: true,
        ..standing(SyncStatus::Unknown, HealthStatus::Missing)
    }
}

fn suspended(application: ApplicationStatus) -> ApplicationStatus {
    let suspension = Suspension { reason: "stock-taking".to_owned(), until: None, actor: None };
    ApplicationStatus { suspended: Some(suspension), ..application }
}

fn waiting(application: ApplicationStatus) -> ApplicationStatus {
    held(application, &HoldReason::ApiUnavailable { message: "timed out".to_owned() })
}

fn faulty(application: ApplicationStatus) -> ApplicationStatus {
    held(application, &HoldReason::Blocked { diagnosis: "pod web-1: OOMKilled".to_owned() })
}

fn held(mut application: ApplicationStatus, reason: &HoldReason) -> ApplicationStatus {
    application.holds.push(HoldStatus::from(reason));
    application
}

/// An application, its mark, what is odd about it, and whether it is a problem.
type Row = (ApplicationStatus, Mark, &'static [&'static str], bool);

#[test]
fn each_state_has_a_mark_and_is_said_in_few_words() {
    use HealthStatus::{Degraded, Healthy, Missing, Progressing, Suspended, Unknown};
    use SyncStatus::{OutOfSync, Synced};
    let rows: Vec<Row> = vec![
        (healthy(), Mark::Fine, &[], false),
        (standing(Synced, Progressing), Mark::Busy, &["Progressing"], false),
        (standing(Synced, Suspended), Mark::Resting, &["Suspended"], false),
        (standing(Synced, Degraded), Mark::Bad, &["Degraded"], true),
        (standing(Synced, Unknown), Mark::Unclear, &["health unknown"], true),
        (standing(OutOfSync, Healthy), Mark::Busy, &["OutOfSync"], true),
        (standing(OutOfSync, Missing), Mark::Bad, &["Missing", "OutOfSync"], true),
        (standing(SyncStatus::Unknown, Healthy), Mark::Unclear, &["sync unknown"], true),
        (standing(SyncStatus::Unknown, Unknown), Mark::Unclear, &["nothing known"], true),
        (new(), Mark::Busy, &["Missing", "OutOfSync"], true),
        (never_promoted(), Mark::Resting, &["never promoted"], false),
        (suspended(healthy()), Mark::Resting, &["suspended"], false),
        (
            suspended(standing(OutOfSync, Progressing)),
            Mark::Resting,
            &["suspended", "Progressing", "OutOfSync"],
            false,
        ),
        (suspended(standing(OutOfSync, Degraded)), Mark::Bad, &["suspended", "Degraded", "OutOfSync"], false),
        (suspended(new()), Mark::Resting, &["suspended", "Missing", "OutOfSync"], false),
        (waiting(healthy()), Mark::Busy, &["ApiUnavailable"], true),
        (waiting(waiting(healthy())), Mark::Busy, &["ApiUnavailable"], true),
        (waiting(suspended(healthy())), Mark::Resting, &["ApiUnavailable", "suspended"], true),
        (faulty(waiting(healthy())), Mark::Bad, &["ApiUnavailable", "Blocked"], true),
        (faulty(new()), Mark::Bad, &["Blocked", "Missing", "OutOfSync"], true),
        (faulty(never_promoted()), Mark::Bad, &["Blocked", "never promoted"], true),
    ];
    for (application, mark, odd, problem) in rows {
        assert_eq!(Mark::of(&application), mark, "{application:#?}");
        assert_eq!(oddities(&application), odd, "{application:#?}");
        assert_eq!(is_problem(&application), problem, "{application:#?}");
    }
}

#[test]
fn marks_have_names_and_meanings_and_some_are_settled() {
    for (mark, name, meaning, settled) in [
        (Mark::Bad, "bad", "needs a person", false),
        (Mark::Busy, "busy", "on its way or waiting", false),
        (Mark::Unclear, "unclear", "cannot be told", false),
        (Mark::Resting, "resting", "suspended or never promoted", true),
        (Mark::Fine, "fine", "synced and healthy", true),
    ] {
        assert_eq!((mark.as_str(), mark.meaning(), mark.is_settled()), (name, meaning, settled));
    }
    for (class, mark, words) in
        [(HoldClass::Fault, Mark::Bad, "needs a person"), (HoldClass::Waiting, Mark::Busy, "ends by itself")]
    {
        assert_eq!((Mark::of_hold(class), outlook(class)), (mark, words));
    }
}

#[test]
fn what_is_to_come_is_called_by_what_differs() {
    let with = |wanted: Version, deployed: Version| ApplicationStatus {
        wanted: Some(wanted),
        deployed: Some(deployed),
        ..healthy()
    };
    let commit = |digit, set| version(Some(digit), 'c', set);
    let chart = |config, set| version(None, config, set);
    for (application, next, shown) in [
        (healthy(), None, "aaaaaaaa"),
        (with(commit('b', "two"), commit('a', "one")), Some("bbbbbbbb"), "bbbbbbbb"),
        // The same set of another commit is nothing to come.
        (with(commit('b', "one"), commit('a', "one")), None, "bbbbbbbb"),
        (with(chart('d', "two"), chart('c', "one")), Some("config dddddddd"), "config dddddddd"),
        (with(chart('d', "one"), chart('c', "one")), None, "web-1.2.3"),
        (new(), Some("aaaaaaaa"), "aaaaaaaa"),
        (never_promoted(), None, "never promoted"),
        (ApplicationStatus { wanted: None, ..healthy() }, None, "-"),
    ] {
        assert_eq!(coming(&application).as_deref(), next, "{application:#?}");
        assert_eq!(wanted(&application), shown, "{application:#?}");
    }
    assert_eq!(cell(None), "-");
    assert_eq!(cell(healthy().deployed.as_ref()), "aaaaaaaa");
}

#[test]
fn fields_of_others_are_counted_over_all_objects() {
    let field = ExtraField { field: "/spec/replicas".to_owned(), manager: "kubectl".to_owned(), time: None };
    let object = |number| ResourceStatus {
        group: "apps".to_owned(),
        kind: "Deployment".to_owned(),
        namespace: "shop-dev".to_owned(),
        name: "web".to_owned(),
        sync: SyncStatus::Synced,
        health: HealthStatus::Healthy,
        message: String::new(),
        extras: vec![field.clone(); number],
        changes: Vec::new(),
    };
    let application = ApplicationStatus { resources: vec![object(2), object(0), object(1)], ..healthy() };
    assert_eq!(extras(&application), 3);
}
