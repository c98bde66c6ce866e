//! Every step as JSON, and the page that documents them.

use serde_json::{Value, json};

use super::*;
use crate::model::inventory::{Phase, Slot};

fn web() -> ResourceId {
    "apps|Deployment|shop-dev|web".parse().unwrap()
}

fn reader() -> ResourceId {
    "rbac.authorization.k8s.io|ClusterRole||reader".parse().unwrap()
}

fn web_json() -> Value {
    json!({"group": "apps", "kind": "Deployment", "namespace": "shop-dev", "name": "web"})
}

fn reader_json() -> Value {
    json!({"group": "rbac.authorization.k8s.io", "kind": "ClusterRole", "namespace": "", "name": "reader"})
}

/// The deployment with more keys.
fn web_with(more: Value) -> Value {
    let mut object = web_json();
    object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    object
}

fn applied(reason: ApplyReason, replicas: ReplicasRule) -> ApplyObject {
    ApplyObject { id: web(), reason, force: Force::Never, adopt: false, replicas }
}

/// The steps that change nothing of what runs, with their JSON.
fn of_the_inventory() -> Vec<(Step, Value)> {
    vec![
        (
            Step::WriteSet { slot: Slot::A, rollout: 3, carried: vec![web()] },
            json!({
                "step": "writeSet", "rollout": 3, "carried": [web_json()],
                "text": ["write the rendered set of rollout 3"],
            }),
        ),
        (
            Step::NoteProgress { phase: Phase::Sync, wave: 2 },
            json!({"step": "noteProgress", "wave": 2, "text": ["note that wave 2 is under way"]}),
        ),
        (
            Step::SwitchHead { rollout: 3, leaving: vec![reader()] },
            json!({
                "step": "switchHead", "rollout": 3, "leaving": [reader_json()],
                "text": [
                    "note rollout 3 as deployed",
                    "keep ClusterRole.rbac.authorization.k8s.io reader until its deletion is confirmed",
                ],
            }),
        ),
        (
            Step::Block { rollout: 3, diagnosis: "pod web-1: OOMKilled".to_owned(), suspects: vec![web()] },
            json!({
                "step": "block", "rollout": 3, "diagnosis": "pod web-1: OOMKilled", "suspects": [web_json()],
                "text": ["block this version: pod web-1: OOMKilled"],
            }),
        ),
        (Step::Unblock, json!({"step": "unblock", "text": ["lift the block"]})),
        (
            Step::Forget { objects: vec![web()] },
            json!({
                "step": "forget", "objects": [web_json()],
                "text": ["let go of Deployment.apps shop-dev/web"],
            }),
        ),
        (
            Step::NoteRemoved { rollout: 4, leaving: vec![web()] },
            json!({
                "step": "noteRemoved", "rollout": 4, "leaving": [web_json()],
                "text": ["note that the application is gone"],
            }),
        ),
        (Step::RemoveHead, json!({"step": "removeHead", "text": ["remove its inventory"]})),
    ]
}

/// The steps that look at objects or change them, with their JSON.
fn of_objects() -> Vec<(Step, Value)> {
    let labels = BTreeMap::from([("team".to_owned(), "shop".to_owned())]);
    vec![
        (
            Step::CreateNamespace { namespace: "shop-dev".parse().unwrap(), labels },
            json!({
                "step": "createNamespace", "namespace": "shop-dev", "labels": {"team": "shop"},
                "text": ["create namespace shop-dev"],
            }),
        ),
        (
            Step::DryRun { objects: vec![web(), reader()] },
            json!({
                "step": "dryRun", "objects": [web_json(), reader_json()],
                "text": ["try 2 changes without writing"],
            }),
        ),
        apply_step(),
        (
            Step::AwaitHealth { wave: 2, waiting: vec![(web(), "0 of 2 replicas are ready".to_owned())] },
            json!({
                "step": "awaitHealth", "wave": 2,
                "waiting": [web_with(json!({"message": "0 of 2 replicas are ready"}))],
                "text": ["wait for the health of wave 2"],
            }),
        ),
        (
            Step::RemoveExtras { objects: vec![(web(), vec!["/data/a".to_owned(), "/data/b".to_owned()])] },
            json!({
                "step": "removeExtras", "objects": [web_with(json!({"fields": ["/data/a", "/data/b"]}))],
                "text": ["remove /data/a, /data/b from Deployment.apps shop-dev/web"],
            }),
        ),
        (
            Step::Delete { objects: vec![DeleteObject { id: web(), uid: "u-1".to_owned() }] },
            json!({
                "step": "delete", "objects": [web_with(json!({"uid": "u-1"}))],
                "text": ["delete Deployment.apps shop-dev/web"],
            }),
        ),
    ]
}

fn apply_step() -> (Step, Value) {
    let restored = ApplyObject {
        force: Force::Always,
        adopt: true,
        ..applied(ApplyReason::Restore, ReplicasRule::LeftOut)
    };
    let objects = vec![
        applied(ApplyReason::Rollout, ReplicasRule::AsWritten),
        applied(ApplyReason::Heal, ReplicasRule::Live(4)),
        restored,
    ];
    let expected = json!({
        "step": "apply", "wave": -1,
        "objects": [
            web_with(json!({"reason": "rollout", "force": false, "adopt": false})),
            web_with(json!({
                "reason": "heal", "force": false, "adopt": false,
                "replicas": {"rule": "live", "number": 4},
            })),
            web_with(json!({"reason": "restore", "force": true, "adopt": true, "replicas": {"rule": "leftOut"}})),
        ],
        "text": [
            "apply Deployment.apps shop-dev/web (wave -1, rollout)",
            "apply Deployment.apps shop-dev/web (wave -1, heal)",
            "apply Deployment.apps shop-dev/web (wave -1, restore, taking over the fields of kubectl apply)",
        ],
    });
    (Step::Apply { wave: -1, objects }, expected)
}

#[test]
fn each_step_has_a_name_its_keys_and_its_sentences() {
    for (step, expected) in of_the_inventory().into_iter().chain(of_objects()) {
        assert_eq!(serde_json::to_value(StepReport::from(&step)).unwrap(), expected, "{step:?}");
    }
}

#[test]
fn the_documentation_names_each_step_with_its_keys() {
    let page = include_str!("../../../docs/json-api.md");
    for (step, expected) in of_the_inventory().into_iter().chain(of_objects()) {
        let row = format!("| `{}` |", expected["step"].as_str().unwrap());
        let row = page.lines().find(|line| line.starts_with(&row));
        let row = row.unwrap_or_else(|| panic!("docs/json-api.md has no row of {step:?}"));
        for key in expected.as_object().unwrap().keys().filter(|key| !matches!(&***key, "step" | "text")) {
            assert!(row.contains(&format!("`{key}`")), "docs/json-api.md: {key} is missing in {row}");
        }
    }
}
