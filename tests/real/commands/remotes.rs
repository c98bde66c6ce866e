//! Repositories over HTTP and SSH, with credentials from a settings file, through the program itself.

use std::path::Path;
use std::process::Command;

use crate::commands::base64;
use crate::parts::git_http::GitHttp;
use crate::parts::git_ssh::GitSsh;
use crate::shop::{Output, Shop};

const TOKEN: &str = "canary-token-of-the-robot";

fn run(shop: &Shop, settings: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_moorline"));
    command.args(arguments).arg("--settings").arg(settings).env("MOORLINE_LOG", "moorline=trace,info");
    command.arg("--kubeconfig").arg(shop.kubeconfig()).arg("--data-dir").arg(shop.data_folder());
    command.args(["--own-namespace", &format!("{}-moorline", shop.name())]);
    Output::of(&mut command)
}

/// The services of other repositories are named by paths, which only a local config repository may do.
fn without_local_repositories(shop: &Shop) {
    shop.remove(|path| {
        path.contains("web.yaml") || path.contains("worker") || path.ends_with("versions.yaml")
    });
}

fn files_below(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, found) } else { found.push(path) }
    }
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn over_http_with_a_token_that_is_seen_nowhere() {
    let shop = Shop::new("http");
    without_local_repositories(&shop);
    let server = GitHttp::start_with_token(shop.folder(), "robot", TOKEN);
    for repository in ["config.git", "state.git"] {
        let path = shop.folder().join(repository);
        Command::new("git")
            .arg("-C")
            .arg(path)
            .args(["config", "http.receivepack", "true"])
            .status()
            .unwrap();
    }
    let (token, settings) = (shop.folder().join("token"), shop.folder().join("settings.yaml"));
    std::fs::write(&token, format!("{TOKEN}\n")).unwrap();
    let write = |prefix: &str| {
        let text = format!(
            "config: {}\nstate: {}\ncredentials:\n  - {{prefix: \"{prefix}\", username: robot, passwordFile: {}}}\n",
            server.url("config.git"),
            server.url("state.git"),
            token.display()
        );
        std::fs::write(&settings, text).unwrap();
    };
    write(server.url("").trim_end_matches('/'));
    let mut outputs = vec![
        run(&shop, &settings, &["run", "--once", "--environment", "dev", "--log-format", "json"]),
        run(&shop, &settings, &["run", "--once", "--environment", "dev"]),
        run(&shop, &settings, &["status", "dev", "-o", "json"]),
        run(&shop, &settings, &["diff", "dev"]),
    ];
    for output in &outputs {
        assert_eq!(output.code, 0, "{}", output.all());
    }
    assert!(shop.state_file("environments/dev/api.yaml").contains("outcome: deployed"));
    // The credentials of another folder are not these.
    write(&server.url("other"));
    let refused = run(&shop, &settings, &["run", "--once", "--environment", "dev"]);
    assert_eq!(refused.code, 1, "{}", refused.all());
    assert!(refused.stderr().contains("config.git"), "{}", refused.all());
    outputs.push(refused);
    let coded = base64(&format!("robot:{TOKEN}"));
    for output in &outputs {
        assert!(!output.all().contains(TOKEN) && !output.all().contains(&coded), "{}", output.all());
    }
    let mut files = Vec::new();
    files_below(&shop.data_folder(), &mut files);
    assert!(files.len() > 5, "{files:?}");
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(!holds(TOKEN) && !holds(&coded), "{}", file.display());
    }
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn over_ssh_with_a_key_and_known_hosts() {
    let shop = Shop::new("ssh");
    without_local_repositories(&shop);
    let server = GitSsh::start();
    let url = |name: &str| server.url(&shop.folder().join(name));
    let settings = shop.folder().join("settings.yaml");
    let write = |key: &Path, known_hosts: &Path| {
        let text = format!(
            "config: {}\nstate: {}\ncredentials:\n  - {{prefix: \"{}\", sshKeyFile: {}, knownHostsFile: {}}}\n",
            url("config.git"),
            url("state.git"),
            server.url(shop.folder()),
            key.display(),
            known_hosts.display()
        );
        std::fs::write(&settings, text).unwrap();
    };
    let once = ["run", "--once", "--environment", "dev"];
    // An impostor, then a stranger: neither gets anywhere, and each is told what to do.
    write(&server.user_key(), &server.other_known_hosts());
    let impostor = run(&shop, &settings, &once);
    assert_eq!(impostor.code, 1, "{}", impostor.all());
    assert!(impostor.stderr().contains("host's key"), "{}", impostor.all());
    write(&server.stranger_key(), &server.known_hosts());
    let stranger = run(&shop, &settings, &once);
    assert_eq!(stranger.code, 1, "{}", stranger.all());
    assert!(stranger.stderr().contains("key"), "{}", stranger.all());
    assert!(shop.audit_of_instance().iter().all(|request| !request.mutates()));

    write(&server.user_key(), &server.known_hosts());
    let output = run(&shop, &settings, &once);
    assert_eq!(output.code, 0, "{}", output.all());
    assert!(shop.state_file("environments/dev/api.yaml").contains("outcome: deployed"));
    let again = run(&shop, &settings, &once);
    assert_eq!(again.code, 0, "{}", again.all());
}
