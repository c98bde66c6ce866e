//! The state repository is written on real servers: nothing is lost, nothing is written twice.

use std::path::Path;

use moorline::adapters::sources::{CommitRequest, FileEdit, SourceError, StateStore};
use moorline::model::source::FileTree;

use crate::git_sources::{git, password, ssh_key};
use crate::parts::git_http::{GitHttp, Mishap};
use crate::parts::git_repository::BareRepository;
use crate::parts::git_ssh::GitSsh;

/// A record that is written unless it is there.
fn record(path: &str, rollout: u32) -> impl Fn(&FileTree) -> Option<CommitRequest> + Send + Sync {
    let (path, content) = (path.to_owned(), format!("rollout: {rollout}\n"));
    move |files| {
        let there = files.get(&path).map(|file| file.content.bytes().unwrap().to_vec());
        (there.as_deref() != Some(content.as_bytes())).then(|| CommitRequest {
            author: moorline::adapters::sources::Author::default(),
            message: format!("{path}: rollout {rollout}"),
            trailers: vec![("Moorline-Operation".to_owned(), format!("shop/{path}/{rollout}"))],
            edits: vec![FileEdit { path: path.clone(), content: Some(content.clone()) }],
            time: 1_700_000_000,
        })
    }
}

fn commits(repository: &BareRepository) -> usize {
    repository.git(&["rev-list", "--count", "main"]).parse().unwrap()
}

#[tokio::test]
#[ignore = "needs the real parts: tests/run"]
async fn over_http_with_a_token_and_over_ssh() {
    let folder = tempfile::tempdir().unwrap();
    let repository = BareRepository::create(&folder.path().join("state.git"));
    let http = GitHttp::start_with_token(folder.path(), "robot", "secret");
    let ssh = GitSsh::start();
    let credentials =
        vec![password(folder.path(), &http.url("state.git"), "secret"), ssh_key(&ssh, repository.path())];
    let git = git(folder.path(), credentials);
    let over_http = git.state(http.url("state.git").parse().unwrap(), "main");
    let over_ssh = git.state(ssh.url(repository.path()).parse().unwrap(), "main");
    assert!(over_http.files().await.unwrap().is_empty());

    let mut rollout = 0;
    for state in [&over_http, &over_ssh, &over_http, &over_ssh] {
        rollout += 1;
        let written = state.commit(&record("dev/web.yaml", rollout)).await.unwrap().unwrap();
        assert_eq!(repository.git(&["rev-parse", "main"]), written.to_string());
        assert_eq!(state.commit(&record("dev/web.yaml", rollout)).await.unwrap(), None);
        state.commit(&record(&format!("rc/{rollout}.yaml"), 1)).await.unwrap().unwrap();
    }
    assert_eq!(commits(&repository), 8);
    assert_eq!(repository.git(&["show", "main:dev/web.yaml"]), "rollout: 4");
    assert_eq!(repository.git(&["ls-tree", "-r", "--name-only", "main"]).lines().count(), 5);
    let trailer =
        repository.git(&["log", "-1", "--format=%(trailers:key=Moorline-Operation,valueonly)", "main"]);
    assert_eq!(trailer, "shop/rc/4.yaml/1");
    repository.git(&["fsck", "--strict"]);
    // Both have seen what the other wrote.
    assert_eq!(over_http.files().await.unwrap().digest(), over_ssh.files().await.unwrap().digest());
}

#[tokio::test]
#[ignore = "needs the real parts: tests/run"]
async fn a_lost_answer_writes_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let repository = BareRepository::create(&folder.path().join("state.git"));
    repository.commit("main", &[("README", "records")]);
    let server = GitHttp::start(folder.path());
    let git = git(folder.path(), vec![]);
    let state = git.state(server.url("state.git").parse().unwrap(), "main");

    server.prepare("/git-receive-pack", Mishap::LostAnswer);
    let written = state.commit(&record("web.yaml", 1)).await.unwrap().unwrap();
    assert_eq!((commits(&repository), repository.git(&["rev-parse", "main"])), (2, written.to_string()));

    // Lost before it was done.
    server.prepare("/git-receive-pack", Mishap::Unavailable);
    state.commit(&record("web.yaml", 2)).await.unwrap().unwrap();
    assert_eq!(commits(&repository), 3);

    // Lost together with the look afterwards: the next call finds it done.
    server.prepare("/git-receive-pack", Mishap::LostAnswer);
    server.prepare("service=git-receive-pack", Mishap::Pass);
    server.prepare("service=git-receive-pack", Mishap::Unavailable);
    let failed = state.commit(&record("web.yaml", 3)).await;
    assert!(matches!(failed, Err(SourceError::Unreachable { .. })), "{failed:?}");
    assert_eq!(state.commit(&record("web.yaml", 3)).await.unwrap(), None);
    assert_eq!(repository.git(&["log", "--format=%s", "main"]).lines().count(), 4);
    assert_eq!(repository.git(&["show", "main:web.yaml"]), "rollout: 3");
}

#[tokio::test]
#[ignore = "needs the real parts: tests/run"]
async fn writers_that_race_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let repository = BareRepository::create(&folder.path().join("state.git"));
    let server = GitHttp::start(folder.path());
    let address = server.url("state.git");
    let writers = (0..2).map(|writer| {
        let state =
            git(&folder.path().join(writer.to_string()), vec![]).state(address.parse().unwrap(), "main");
        async move {
            for rollout in 1..=8 {
                state.commit(&record(&format!("{writer}/{rollout}.yaml"), rollout)).await.unwrap();
            }
        }
    });
    futures::future::join_all(writers).await;
    assert_eq!(commits(&repository), 16);
    assert_eq!(repository.git(&["ls-tree", "-r", "--name-only", "main"]).lines().count(), 16);
    assert_eq!(repository.git(&["rev-list", "--merges", "main"]), "");
}

#[tokio::test]
#[ignore = "needs the real parts: tests/run"]
async fn a_refusal_says_what_the_server_says() {
    let folder = tempfile::tempdir().unwrap();
    let repository = BareRepository::create(&folder.path().join("state.git"));
    let head = repository.commit("main", &[("README", "records")]);
    let hook = repository.path().join("hooks/pre-receive");
    std::fs::write(&hook, "#!/bin/sh\necho 'main is frozen until Monday' >&2\nexit 1\n").unwrap();
    make_executable(&hook);
    let http = GitHttp::start(folder.path());
    let ssh = GitSsh::start();
    let git = git(folder.path(), vec![ssh_key(&ssh, repository.path())]);
    for address in [http.url("state.git"), ssh.url(repository.path())] {
        let error =
            git.state(address.parse().unwrap(), "main").commit(&record("web.yaml", 1)).await.unwrap_err();
        assert!(matches!(&error, SourceError::Denied { .. }), "{error}");
        assert!(error.to_string().contains("frozen until Monday"), "{error}");
    }
    assert_eq!(repository.git(&["rev-parse", "main"]), head);
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
