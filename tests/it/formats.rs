//! What moorline writes and a later moorline must still read: one fixture of each format, as it was written when the
//! format was new. Never write a fixture anew: a new format gets a new number and a fixture of its own.

use std::path::Path;

use moorline::cluster::commands::Commands;
use moorline::inventory::{decode_head, decode_key, decode_sets, encode_head, encode_key, encode_set};
use moorline::ledger;
use moorline::model::inventory::{PendingProgress, Phase, Slot};
use moorline::model::name::ApplicationId;
use moorline::model::record::RecordOutcome;
use serde_json::Value;

fn text(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/formats").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn object(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap()
}

fn web() -> ApplicationId {
    ApplicationId::new("dev".parse().unwrap(), "web".parse().unwrap())
}

#[test]
fn a_head_of_format_1_is_read_and_written_as_it_was() {
    let fixture = object("head-1.json");
    let stored = decode_head(&fixture).unwrap();
    let head = &stored.head;
    assert_eq!((head.rollout, head.slot), (12, Some(Slot::B)));
    assert_eq!(head.deployed.as_ref().unwrap().label(), "01234567");
    assert_eq!(head.blocked.as_ref().unwrap().diagnosis, "pod web-1: exit code 1");
    assert_eq!((head.objects.len(), head.created.len(), head.pending.len()), (2, 1, 1));
    let version = Some(stored.resource_version.as_str());
    let written = encode_head(&"moorline".parse().unwrap(), &web(), head, version).unwrap();
    assert_eq!(written, fixture);
}

#[test]
fn a_set_of_format_1_is_read_and_written_as_it_was() {
    let fixture = object("set-1.json");
    let sets = decode_sets(std::slice::from_ref(&fixture));
    let (stored, packed) = &sets[0];
    assert_eq!((stored.rollout, stored.slot, stored.objects.len()), (13, Slot::A, 1));
    let created = [("|ConfigMap|shop-dev|web".parse().unwrap(), "uid-3".to_owned())];
    let progress =
        PendingProgress { phase: Phase::Sync, wave: 2, used_seconds: 150, created: created.into() };
    assert_eq!(stored.progress, progress);
    let set = packed.unpack().unwrap();
    assert_eq!(set.manifests[0].object["data"]["colour"], "red");
    let mut written = encode_set(&"moorline".parse().unwrap(), &"shop".parse().unwrap(), stored, packed);
    written[0]["metadata"]["resourceVersion"] = fixture["metadata"]["resourceVersion"].clone();
    assert_eq!(written, [fixture]);
}

#[test]
fn a_set_from_before_rollouts_noted_their_progress_is_read() {
    let sets = decode_sets(&[object("set-1-without-progress.json")]);
    assert_eq!(sets[0].0.progress, PendingProgress::default());
    assert_eq!(sets[0].1.unpack().unwrap().manifests.len(), 1);
}

#[test]
fn a_key_is_read_and_written_as_it_was() {
    let fixture = object("key-1.json");
    let key = decode_key(&fixture).unwrap();
    assert_eq!(encode_key(&"moorline".parse().unwrap(), &"shop".parse().unwrap(), &key), fixture);
}

#[test]
fn commands_of_format_1_and_from_before_formats_are_read() {
    for name in ["commands-1.json", "commands-without-format.json"] {
        let commands = Commands::read(&object(name));
        assert_eq!(commands.newer(), None, "{name}");
        let suspension = commands.suspension(&web(), "2026-06-01T00:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(suspension.reason, "maintenance");
        assert_eq!(commands.confirmations(&web()).plans.len(), 1, "{name}");
    }
}

#[test]
fn commands_of_a_newer_format_are_not_taken_for_ours() {
    let mut object = object("commands-1.json");
    object["metadata"]["annotations"]["moorline.dev/format"] = Value::from("2");
    assert!(Commands::read(&object).newer().is_some());
}

#[test]
fn a_record_of_format_1_is_read_and_a_newer_one_is_not_written_over() {
    let fixture = text("record-1.yaml");
    assert!(!ledger::is_newer(&fixture));
    let record = ledger::read(&fixture).unwrap().into_record();
    assert_eq!((record.rollout, record.outcome), (12, RecordOutcome::Blocked));
    let entry = ledger::Entry { application: web(), record };
    let written = ledger::commit(&"shop".parse().unwrap(), std::slice::from_ref(&entry), &|_| None).unwrap();
    assert_eq!(written.edits[0].content, fixture);
    let newer = fixture.replace("version: 1\n", "version: 2\n");
    assert!(ledger::is_newer(&newer));
    assert!(ledger::commit(&"shop".parse().unwrap(), &[entry], &|_| Some(newer.clone())).is_none());
}
