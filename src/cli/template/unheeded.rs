//! Flags of `helm template` that no template sees: taken, so that commands written for Helm run as they are, and not
//! heeded. Their values are not looked at, but for `--dry-run=server`, which would ask a cluster. They are defined
//! for who gives one: putting together twenty flags is a twentieth of the instructions of a small chart's render.

use clap::{Arg, Command};

/// Both helms' switches for the installation that `template` never makes.
const SWITCHES: [&str; 14] = [
    "atomic",
    "create-namespace",
    "disable-openapi-validation",
    "force",
    "force-conflicts",
    "force-replace",
    "hide-notes",
    "render-subchart-notes",
    "replace",
    "rollback-on-failure",
    "server-side",
    "skip-crds",
    "take-ownership",
    "wait-for-jobs",
];

/// Defines the flags for `moorline template`.
pub(in crate::cli) fn define(command: Command) -> Command {
    let named = |name| Arg::new(name).long(name).hide(true);
    let optional =
        |name, value| named(name).num_args(0..=1).require_equals(true).default_missing_value(value);
    let switch = |name: &'static str| optional(name, "true");
    command.args(SWITCHES.map(switch)).args([
        named("description"),
        optional("dry-run", "client").value_parser(offline),
        named("labels").short('l'),
        named("timeout"),
        optional("wait", "watcher"),
    ])
}

fn offline(mode: &str) -> Result<String, &'static str> {
    match mode {
        "server" => Err("it would ask a cluster: --validate takes from one what templates see"),
        _ => Ok(mode.to_owned()),
    }
}
