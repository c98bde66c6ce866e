//! What a newcomer gets wrong on the command line.

use std::process::Command;

use crate::shop::{Output, Shop};

fn program(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_moorline"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MOORLINE_")) {
        command.env_remove(name);
    }
    Output::of(command.args(arguments).env_remove("KUBECONFIG"))
}

#[test]
#[ignore = "needs the real parts: tests/run"]
#[expect(clippy::too_many_lines, reason = "a table of mistakes")]
fn each_mistake_gets_its_error_and_nothing_is_written() {
    let shop = Shop::new("mistakes");
    let folder = shop.folder();
    let plain = folder.join("plain");
    std::fs::create_dir(&plain).unwrap();
    let (plain, nowhere) = (plain.to_str().unwrap().to_owned(), folder.join("nowhere"));
    let dead = folder.join("dead-kubeconfig");
    std::fs::write(&dead, "apiVersion: v1\nkind: Config\ncurrent-context: dead\nclusters: [{name: dead, cluster: {server: \"http://127.0.0.1:9\"}}]\nusers: [{name: dead, user: {}}]\ncontexts: [{name: dead, context: {cluster: dead, user: dead}}]\n").unwrap();
    let (config, data) = (folder.join("config.git"), folder.join("data"));
    let (config, data) = (config.to_str().unwrap(), data.to_str().unwrap());
    let kubeconfig = shop.kubeconfig();
    let kubeconfig = kubeconfig.to_str().unwrap();
    let (nowhere, dead) = (nowhere.to_str().unwrap(), dead.to_str().unwrap());
    let own = format!("{}-moorline", shop.name());
    let with = |arguments: &[&str], config: &str, kubeconfig: &str| {
        let common =
            ["--config", config, "--kubeconfig", kubeconfig, "--data-dir", data, "--own-namespace", &own];
        let arguments: Vec<&str> = arguments.iter().copied().chain(common).collect();
        program(&arguments)
    };
    let once = ["run", "--once"];
    let cases: Vec<(&str, Output, i32, Vec<&str>)> = vec![
        (
            "no --config",
            program(&["run", "--once", "--data-dir", data]),
            1,
            vec!["no config repository", "hint: ", "--config"],
        ),
        ("no repository", with(&once, &plain, kubeconfig), 1, vec![&plain]),
        ("no folder", with(&once, nowhere, kubeconfig), 1, vec![nowhere]),
        (
            "wrong --poll",
            with(&["run", "--poll", "soon"], config, kubeconfig),
            1,
            vec!["--poll", "soon", "hint: "],
        ),
        ("short --poll", with(&["run", "--poll", "1ms"], config, kubeconfig), 1, vec!["--poll", "1s"]),
        (
            "unknown environment",
            with(&["run", "--once", "--environment", "def"], config, kubeconfig),
            1,
            vec!["def", "dev"],
        ),
        (
            "unknown environment in status",
            with(&["status", "def"], config, kubeconfig),
            1,
            vec!["def", "dev"],
        ),
        ("unknown environment in plan", with(&["plan", "def"], config, kubeconfig), 1, vec!["def", "dev"]),
        (
            "unknown service in status",
            with(&["status", "dev", "wep"], config, kubeconfig),
            1,
            vec!["wep", "web"],
        ),
        (
            "unknown environment in suspend",
            with(&["suspend", "def", "--reason", "x"], config, kubeconfig),
            1,
            vec!["def", "dev"],
        ),
        (
            "unknown service in suspend",
            with(&["suspend", "dev", "wep", "--reason", "x"], config, kubeconfig),
            1,
            vec!["wep", "web"],
        ),
        (
            "wrong --for",
            with(&["suspend", "dev", "--reason", "x", "--for", "long"], config, kubeconfig),
            1,
            vec!["--for", "long", "hint: "],
        ),
        ("no kubeconfig", with(&once, config, nowhere), 1, vec![nowhere]),
        (
            "no such context",
            with(&["run", "--once", "--context", "elsewhere"], config, kubeconfig),
            1,
            vec!["elsewhere"],
        ),
        ("a dead cluster", with(&once, config, dead), 1, vec!["127.0.0.1:9", "Connection refused"]),
        (
            "a dead cluster, asked for its state",
            with(&["status"], config, dead),
            1,
            vec!["127.0.0.1:9", "Connection refused"],
        ),
        (
            "a dead cluster, compared",
            with(&["diff", "dev"], config, dead),
            2,
            vec!["127.0.0.1:9", "Connection refused"],
        ),
        (
            "no such settings file",
            with(&["status", "--settings", nowhere], config, kubeconfig),
            1,
            vec![nowhere],
        ),
        ("no such branch", with(&["status", "--config-branch", "mian"], config, kubeconfig), 1, vec!["mian"]),
        ("no such digest", with(&["confirm", "dev", "api", "yes"], config, kubeconfig), 1, vec!["digest"]),
    ];
    let mut wrong = Vec::new();
    for (what, output, code, words) in cases {
        let missing: Vec<&str> = words.into_iter().filter(|word| !output.stderr().contains(word)).collect();
        if output.code != code || !missing.is_empty() || output.stderr().contains("panicked") {
            wrong.push(format!("=== {what}: wanted exit {code}, missing {missing:?}\n{}", output.all()));
        }
    }
    let writes: Vec<String> = shop
        .audit_of_instance()
        .into_iter()
        .filter(crate::parts::control_plane::Request::mutates)
        .map(|request| format!("{} {}", request.verb, request.uri))
        .collect();
    assert!(wrong.is_empty(), "{} mistakes, writes {writes:?}\n{}", wrong.len(), wrong.join("\n"));
    assert!(writes.is_empty(), "{writes:?}");
}
