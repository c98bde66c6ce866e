//! The parts themselves do what the other tests count on.

use std::path::Path;
use std::process::Command;

use crate::parts::control_plane;
use crate::parts::git_http::{GitHttp, Mishap};
use crate::parts::git_ssh::GitSsh;
use crate::parts::kubectl::{Output, output};

#[test]
#[ignore = "needs the real parts: tests/run"]
fn a_deployment_becomes_ready() {
    let plane = control_plane::shared();
    let kubectl = plane.kubectl();
    let namespace = control_plane::unique_name("ready");
    let audit = plane.audit_from_now();
    kubectl.succeed(&["create", "namespace", &namespace]);
    kubectl.succeed(&[
        "-n",
        &namespace,
        "create",
        "deployment",
        "web",
        "--image=example.com/web:1",
        "--replicas=3",
    ]);
    kubectl.succeed(&["-n", &namespace, "rollout", "status", "deployment/web", "--timeout=60s"]);
    let sets = kubectl.succeed(&[
        "-n",
        &namespace,
        "get",
        "replicasets",
        "-o",
        "jsonpath={.items[*].status.readyReplicas}",
    ]);
    assert_eq!(sets, "3");

    kubectl.succeed(&["-n", &namespace, "delete", "deployment", "web"]);
    kubectl.succeed(&["-n", &namespace, "wait", "--for=delete", "pods", "--all", "--timeout=60s"]);
    kubectl.succeed(&["delete", "namespace", &namespace, "--timeout=60s"]);

    let of_kubectl = audit.requests_of("kubectl");
    let of_deployments: Vec<_> = of_kubectl
        .iter()
        .filter(|request| {
            request.mutates() && request.resource == "deployments" && request.namespace == namespace
        })
        .map(|request| (request.verb.as_str(), request.code))
        .collect();
    assert_eq!(of_deployments, [("create", 201), ("delete", 200)]);
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn pods_fail_as_their_tags_say() {
    let plane = control_plane::shared();
    let kubectl = plane.kubectl();
    let namespace = control_plane::unique_name("fail");
    kubectl.succeed(&["create", "namespace", &namespace]);
    let cases = [
        ("missing", "{.status.containerStatuses[0].state.waiting.reason}", "ImagePullBackOff"),
        ("crash", "{.status.containerStatuses[0].state.waiting.reason}", "CrashLoopBackOff"),
        ("crash-exit", "{.status.containerStatuses[0].lastState.terminated.exitCode}", "1"),
        ("unschedulable", "{.status.conditions[?(@.type=='PodScheduled')].reason}", "Unschedulable"),
        ("unready", "{.status.phase}", "Running"),
    ];
    for (tag, path, expected) in cases {
        kubectl.succeed(&["-n", &namespace, "run", tag, &format!("--image=registry:5000/web:1-{tag}")]);
        let wait = format!("--for=jsonpath={path}={expected}");
        kubectl.succeed(&["-n", &namespace, "wait", "pod", tag, &wait, "--timeout=60s"]);
    }
    let ready = "{.items[?(@.status.containerStatuses[0].ready==true)].metadata.name}";
    assert_eq!(kubectl.succeed(&["-n", &namespace, "get", "pods", "-o", &format!("jsonpath={ready}")]), "");
    kubectl.succeed(&["delete", "namespace", &namespace, "--wait=false"]);
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn jobs_daemon_sets_and_claims_work() {
    let plane = control_plane::shared();
    let kubectl = plane.kubectl();
    let namespace = control_plane::unique_name("kinds");
    kubectl.succeed(&["create", "namespace", &namespace]);
    kubectl.succeed_with_input(&["-n", &namespace, "apply", "-f", "-"], KINDS);
    kubectl.succeed(&["-n", &namespace, "wait", "--for=condition=Complete", "job/migrate", "--timeout=60s"]);
    kubectl.succeed(&[
        "-n",
        &namespace,
        "wait",
        "--for=condition=Failed",
        "job/broken-crash",
        "--timeout=60s",
    ]);
    kubectl.succeed(&["-n", &namespace, "rollout", "status", "daemonset/agent", "--timeout=60s"]);
    kubectl.succeed(&["-n", &namespace, "rollout", "status", "statefulset/database", "--timeout=60s"]);
    let phases =
        kubectl.succeed(&["-n", &namespace, "get", "pvc", "-o", "jsonpath={.items[*].status.phase}"]);
    assert_eq!(phases, "Bound Bound");
    kubectl.succeed(&["delete", "namespace", &namespace, "--wait=false"]);
}

const KINDS: &str = r#"
apiVersion: batch/v1
kind: Job
metadata: {name: migrate}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: migrate, image: "web:1"}]}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: broken-crash}
spec: {backoffLimit: 0, template: {spec: {restartPolicy: Never, containers: [{name: migrate, image: "web:crash"}]}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {agent: a}}
  template: {metadata: {labels: {agent: a}}, spec: {containers: [{name: agent, image: "agent:1"}]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: database}
spec:
  replicas: 2
  serviceName: database
  selector: {matchLabels: {database: d}}
  template: {metadata: {labels: {database: d}}, spec: {containers: [{name: database, image: "database:1"}]}}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"#;

#[test]
#[ignore = "needs the real parts: tests/run"]
fn the_developer_may_do_nothing() {
    let kubectl = control_plane::shared().kubectl();
    let listing = kubectl.run(&["--context", "moorline-test-developer", "get", "pods"]);
    assert_eq!(listing.code, Some(1));
    assert!(listing.stderr.contains("Forbidden"), "{}", listing.stderr);
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn git_clones_and_pushes_over_http() {
    let folder = tempfile::tempdir().unwrap();
    bare_repository(&folder.path().join("open.git"));
    let server = GitHttp::start(folder.path());
    clone_and_push(&folder.path().join("clone"), &server.url("open.git"), "");
    assert!(
        server.requests().contains(&"POST /open.git/git-receive-pack".to_owned()),
        "{:?}",
        server.requests()
    );

    server.prepare("info/refs", Mishap::Unavailable);
    assert_ne!(git(folder.path(), &["ls-remote", &server.url("open.git")]).code, Some(0));
    assert_eq!(git(folder.path(), &["ls-remote", &server.url("open.git")]).code, Some(0));
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn git_over_http_asks_for_the_token() {
    let folder = tempfile::tempdir().unwrap();
    bare_repository(&folder.path().join("closed.git"));
    let server = GitHttp::start_with_token(folder.path(), "robot", "secret");
    let url = server.url("closed.git");
    assert_ne!(git(folder.path(), &["ls-remote", &url]).code, Some(0));
    clone_and_push(&folder.path().join("clone"), &url.replace("://", "://robot:secret@"), "");
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn git_clones_and_pushes_over_ssh() {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("open.git");
    bare_repository(&repository);
    let server = GitSsh::start();
    let ssh = |key: &Path, hosts: &Path| {
        let (key, hosts) = (key.display(), hosts.display());
        format!("ssh -i {key} -o IdentitiesOnly=yes -o UserKnownHostsFile={hosts} -o BatchMode=yes -F none")
    };
    let url = server.url(&repository);
    clone_and_push(&folder.path().join("clone"), &url, &ssh(&server.user_key(), &server.known_hosts()));
    for (key, hosts) in
        [(server.stranger_key(), server.known_hosts()), (server.user_key(), server.other_known_hosts())]
    {
        assert_ne!(git_with(folder.path(), &["ls-remote", &url], &ssh(&key, &hosts)).code, Some(0));
    }
}

fn bare_repository(path: &Path) {
    let path = path.to_str().unwrap();
    assert_eq!(git(Path::new("/"), &["init", "-q", "--bare", "-b", "main", path]).code, Some(0));
}

fn clone_and_push(folder: &Path, url: &str, ssh: &str) {
    let clone = git_with(Path::new("/"), &["clone", "-q", url, folder.to_str().unwrap()], ssh);
    assert_eq!(clone.code, Some(0), "{}", clone.stderr);
    std::fs::write(folder.join("file"), "content").unwrap();
    for arguments in
        [&["add", "file"][..], &["commit", "-q", "-m", "first"], &["push", "-q", "origin", "HEAD:main"]]
    {
        let step = git_with(folder, arguments, ssh);
        assert_eq!(step.code, Some(0), "git {arguments:?}: {}", step.stderr);
    }
    assert!(git_with(folder, &["ls-remote", "origin", "main"], ssh).stdout.ends_with("\trefs/heads/main\n"));
}

fn git(folder: &Path, arguments: &[&str]) -> Output {
    git_with(folder, arguments, "")
}

fn git_with(folder: &Path, arguments: &[&str], ssh: &str) -> Output {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(folder)
        .args(["-c", "user.name=A", "-c", "user.email=a@example.com"])
        .args(arguments);
    command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_SSH_COMMAND", ssh);
    output(&mut command, "")
}
