//! Repositories are read from real servers, over HTTP and SSH.

use std::path::Path;

use moorline::adapters::credentials::CredentialEntry;
use moorline::adapters::git::{Git, GitSettings, Limits};
use moorline::adapters::sources::{SourceError, Sources};
use moorline::model::source::{CommitSha, FileTree, RepositoryPath, RepositoryUrl};

use crate::parts::git_http::{GitHttp, Mishap};
use crate::parts::git_repository::BareRepository;
use crate::parts::git_ssh::GitSsh;

pub(crate) fn git(data_directory: &Path, credentials: Vec<CredentialEntry>) -> Git {
    let data_directory = data_directory.join("data");
    Git::new(GitSettings { data_directory, credentials, limits: Limits::default() }).unwrap()
}

pub(crate) fn password(folder: &Path, prefix: &str, token: &str) -> CredentialEntry {
    let file = folder.join(format!("token-{token}"));
    std::fs::write(&file, format!("{token}\n")).unwrap();
    CredentialEntry {
        prefix: prefix.to_owned(),
        username: Some("robot".to_owned()),
        password_file: Some(file),
        ..CredentialEntry::default()
    }
}

pub(crate) fn ssh_key(server: &GitSsh, repository: &Path) -> CredentialEntry {
    CredentialEntry {
        prefix: server.url(repository),
        ssh_key_file: Some(server.user_key()),
        known_hosts_file: Some(server.known_hosts()),
        ..CredentialEntry::default()
    }
}

fn url(text: &str) -> RepositoryUrl {
    text.parse().unwrap()
}

fn sha(text: &str) -> CommitSha {
    text.parse().unwrap()
}

async fn tree(
    git: &Git,
    repository: &str,
    reference: Option<&str>,
    commit: &str,
) -> Result<FileTree, SourceError> {
    git.tree(&url(repository), reference, sha(commit), &RepositoryPath::default(), None).await
}

fn paths(tree: &FileTree) -> Vec<&str> {
    tree.iter().map(|(path, _)| path).collect()
}

/// How many objects the only mirror has.
fn mirrored_objects(folder: &Path) -> usize {
    let mirror = std::fs::read_dir(folder.join("data/mirrors")).unwrap().next().unwrap().unwrap().path();
    let counted = std::process::Command::new("git")
        .arg("-C")
        .arg(mirror)
        .args(["count-objects", "-v"])
        .output()
        .unwrap();
    let counted = String::from_utf8(counted.stdout).unwrap();
    counted.lines().find_map(|line| line.strip_prefix("in-pack: ")).unwrap().parse().unwrap()
}

#[tokio::test]
#[ignore = "needs the real parts: tests/run"]
async fn over_http_only_what_moved_is_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let repository = BareRepository::create(&folder.path().join("shop.git"));
    let files: Vec<(String, String)> = (0..40).map(|n| (format!("d/{n}"), format!("content {n}"))).collect();
    let files: Vec<_> = files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
    let first = repository.commit("main", &files);
    repository.commit("main", &[("d/0", "changed")]);
    let third = repository.commit("main", &[("d/0", "again")]);
    repository.git(&["tag", "-a", "v1", &first, "-m", "one"]);
    repository.git(&["update-ref", "refs/pull/1/head", &first]);
    let server = GitHttp::start(folder.path());
    let git = git(folder.path(), vec![]);
    let remote = server.url("shop.git");

    let references = git.references(&url(&remote)).await.unwrap();
    assert_eq!(references.head_branch.as_deref(), Some("main"));
    assert_eq!(references.branches, [("main".to_owned(), sha(&third))].into());
    assert_eq!(references.tags, [("v1".to_owned(), sha(&first))].into());
    let listing = ["GET /shop.git/info/refs?service=git-upload-pack", "POST /shop.git/git-upload-pack"];
    assert_eq!(server.requests(), listing);
    git.references(&url(&remote)).await.unwrap();
    assert_eq!(server.requests()[2..], listing[1..], "one request from then on");

    assert_eq!(tree(&git, &remote, None, &third).await.unwrap().len(), 40);
    // One commit, two folders, forty files: no history.
    assert_eq!(mirrored_objects(folder.path()), 43);
    let asked = server.requests().len();
    tree(&git, &remote, None, &third).await.unwrap();
    assert_eq!(server.requests().len(), asked, "what is there is not asked for again");

    let fourth = repository.commit("main", &[("d/1", "new")]);
    tree(&git, &remote, None, &fourth).await.unwrap();
    // A commit, two folders and a file, and perhaps what they are built on.
    let added = mirrored_objects(folder.path()) - 43;
    assert!((4..=8).contains(&added), "{added}");

    // A commit that is no branch's head any more: a pin.
    assert_eq!(
        tree(&git, &remote, None, &first).await.unwrap().get("d/0").unwrap().content.bytes().unwrap()[..],
        *b"content 0"
    );
}

#[tokio::test]
#[ignore = "needs the real parts: tests/run"]
async fn branches_may_be_forced_and_vanish() {
    let folder = tempfile::tempdir().unwrap();
    let repository = BareRepository::create(&folder.path().join("shop.git"));
    let first = repository.commit("main", &[("a", "1")]);
    let server = GitHttp::start(folder.path());
    let git = git(folder.path(), vec![]);
    let remote = server.url("shop.git");
    tree(&git, &remote, None, &first).await.unwrap();

    repository.commit("unrelated", &[("b", "2")]);
    let unrelated = repository.commit("unrelated", &[("b", "3")]);
    repository.git(&["update-ref", "refs/heads/main", &unrelated]);
    assert_eq!(git.references(&url(&remote)).await.unwrap().branches["main"], sha(&unrelated));
    assert_eq!(paths(&tree(&git, &remote, None, &unrelated).await.unwrap()), ["b"]);

    repository.git(&["update-ref", "-d", "refs/heads/unrelated"]);
    assert_eq!(git.references(&url(&remote)).await.unwrap().branches.len(), 1);
    let never = "0123456789012345678901234567890123456789";
    let error = tree(&git, &remote, Some("refs/heads/main"), never).await.unwrap_err();
    assert!(matches!(&error, SourceError::Missing { revision, .. } if revision == never), "{error}");

    std::fs::remove_dir_all(repository.path()).unwrap();
    let error = git.references(&url(&remote)).await.unwrap_err();
    assert!(matches!(&error, SourceError::Absent { .. }), "{error}");
    // What was fetched is still there.
    assert_eq!(paths(&tree(&git, &remote, None, &first).await.unwrap()), ["a"]);
}

#[tokio::test]
#[ignore = "needs the real parts: tests/run"]
async fn an_empty_repository_has_no_branch() {
    let folder = tempfile::tempdir().unwrap();
    let repository = BareRepository::create(&folder.path().join("empty.git"));
    let http = GitHttp::start(folder.path());
    let ssh = GitSsh::start_with_old_protocol();
    let git = git(folder.path(), vec![ssh_key(&ssh, repository.path())]);
    for remote in [http.url("empty.git"), ssh.url(repository.path())] {
        assert!(git.references(&url(&remote)).await.unwrap().branches.is_empty(), "{remote}");
    }
}

#[tokio::test]
#[ignore = "needs the real parts: tests/run"]
async fn a_token_goes_to_its_prefix_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["team/shop.git", "other/shop.git", "team/moved/team/shop.git", "elsewhere/team/shop.git"] {
        BareRepository::create(&folder.path().join(name)).commit("main", &[("a", "1")]);
    }
    let server = GitHttp::start_with_token(folder.path(), "robot", "secret");
    let git_with =
        |prefix: &str, token: &str| git(folder.path(), vec![password(folder.path(), prefix, token)]);
    let team = git_with(&server.url("team"), "secret");
    let shop = url(&server.url("team/shop.git"));
    assert!(team.references(&shop).await.is_ok());
    // The user may stand in the address; the password never does.
    let unnamed =
        CredentialEntry { username: None, ..password(folder.path(), &server.url("team"), "secret") };
    let named = url(&server.url("team/shop.git").replace("://", "://robot@"));
    assert!(git(folder.path(), vec![unnamed]).references(&named).await.is_ok());
    for (git, repository) in [
        (&team, "other/shop.git"),
        (&git_with(&server.url("team"), "wrong"), "team/shop.git"),
        (&git(folder.path(), vec![]), "team/shop.git"),
    ] {
        let error = git.references(&url(&server.url(repository))).await.unwrap_err();
        assert!(matches!(&error, SourceError::Denied { .. }), "{error}");
        assert!(error.to_string().contains("401") && !error.to_string().contains("secret"), "{error}");
    }

    // The same host may name another path, which then has the credentials of that path.
    server.prepare("/team/shop.git/info/refs", Mishap::Redirect("/team/moved".to_owned()));
    assert!(git_with(&server.url("team"), "secret").references(&shop).await.is_ok());
    let requests = server.requests();
    assert_eq!(requests.last().unwrap(), "POST /team/moved/team/shop.git/git-upload-pack");
    server.prepare("/team/shop.git/info/refs", Mishap::Redirect("/elsewhere".to_owned()));
    let fresh = git_with(&server.url("team"), "secret");
    let error = fresh.references(&shop).await.unwrap_err();
    assert!(error.to_string().contains("401"), "{error}");

    // Another host gets nothing at all.
    let stranger = GitHttp::start(folder.path());
    let elsewhere = stranger.url("");
    server.prepare("/team/shop.git/info/refs", Mishap::Redirect(elsewhere.trim_end_matches('/').to_owned()));
    let error = fresh.references(&shop).await.unwrap_err();
    assert!(error.to_string().contains("redirects to http://127.0.0.1:"), "{error}");
    assert_eq!(stranger.requests(), Vec::<String>::new());
}

#[tokio::test]
#[ignore = "needs the real parts: tests/run"]
async fn passing_failures_are_told_from_lasting_ones() {
    let folder = tempfile::tempdir().unwrap();
    let repository = BareRepository::create(&folder.path().join("shop.git"));
    let commit = repository.commit("main", &[("a", "1")]);
    let server = GitHttp::start(folder.path());
    let git = git(folder.path(), vec![]);
    let remote = url(&server.url("shop.git"));
    for mishap in [Mishap::Unavailable, Mishap::TooManyRequests, Mishap::LostAnswer] {
        server.prepare("upload-pack", mishap.clone());
        let error = git.references(&remote).await.unwrap_err();
        assert!(matches!(error, SourceError::Unreachable { .. }), "{mishap:?}: {error}");
    }
    server.prepare("POST", Mishap::Unavailable);
    server.prepare("/git-upload-pack", Mishap::Unavailable);
    assert!(tree(&git, remote.as_str(), None, &commit).await.is_err());
    assert_eq!(paths(&tree(&git, remote.as_str(), None, &commit).await.unwrap()), ["a"]);

    let nothing = url(&server.url("nothing.git"));
    assert!(matches!(git.references(&nothing).await.unwrap_err(), SourceError::Absent { .. }));
    let gone = url(&server.url("shop.git"));
    drop(server);
    assert!(matches!(git.references(&gone).await.unwrap_err(), SourceError::Unreachable { .. }));
}

#[tokio::test]
#[ignore = "needs the real parts: tests/run"]
async fn a_broken_mirror_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let repository = BareRepository::create(&folder.path().join("shop.git"));
    let commit = repository.commit("main", &[("a", "1")]);
    let server = GitHttp::start(folder.path());
    let git = git(folder.path(), vec![]);
    let remote = server.url("shop.git");
    tree(&git, &remote, None, &commit).await.unwrap();
    let mirrors = folder.path().join("data/mirrors");
    let mirror = std::fs::read_dir(&mirrors).unwrap().next().unwrap().unwrap().path();
    std::fs::write(mirror.join("HEAD"), "").unwrap();
    assert_eq!(paths(&tree(&git, &remote, None, &commit).await.unwrap()), ["a"]);
    std::fs::remove_dir_all(&mirrors).unwrap();
    assert_eq!(paths(&tree(&git, &remote, None, &commit).await.unwrap()), ["a"]);
    assert_eq!(std::fs::read_dir(&mirrors).unwrap().count(), 1, "nothing unfinished is left");
}

#[tokio::test]
#[ignore = "needs the real parts: tests/run"]
async fn many_readers_share_one_fetch_and_one_data_directory() {
    let folder = tempfile::tempdir().unwrap();
    let repository = BareRepository::create(&folder.path().join("shop.git"));
    let commit = repository.commit("main", &[("a", "1")]);
    let server = GitHttp::start(folder.path());
    let (one, other) = (git(folder.path(), vec![]), git(folder.path(), vec![]));
    let remote = server.url("shop.git");
    let readers = (0..20).map(|n| tree(if n % 2 == 0 { &one } else { &other }, &remote, None, &commit));
    for read in futures::future::join_all(readers).await {
        assert_eq!(paths(&read.unwrap()), ["a"]);
    }
    let fetches = server.requests().iter().filter(|request| request.starts_with("POST")).count();
    assert!(fetches <= 2, "one for each of the two: {fetches}");
}

#[tokio::test]
#[ignore = "needs the real parts: tests/run"]
async fn over_http_with_the_old_protocol() {
    let folder = tempfile::tempdir().unwrap();
    let repository = BareRepository::create(&folder.path().join("shop.git"));
    let first = repository.commit("main", &[("a", "1")]);
    let second = repository.commit("main", &[("a", "2")]);
    let third = repository.commit("main", &[("a", "3")]);
    let server = GitHttp::start_with_old_protocol(folder.path());
    let git = git(folder.path(), vec![]);
    let remote = server.url("shop.git");
    assert_eq!(git.references(&url(&remote)).await.unwrap().branches["main"], sha(&third));
    tree(&git, &remote, Some("refs/heads/main"), &third).await.unwrap();
    assert_eq!(mirrored_objects(folder.path()), 3);
    let fourth = repository.commit("main", &[("a", "4"), ("b", "5")]);
    assert_eq!(paths(&tree(&git, &remote, Some("refs/heads/main"), &fourth).await.unwrap()), ["a", "b"]);
    // Only what a reference points to is served; the rest comes with all of its history.
    tree(&git, &remote, Some("refs/heads/main"), &first).await.unwrap();
    tree(&git, &remote, None, &second).await.unwrap();
    assert!(tree(&git, &remote, Some("refs/heads/gone"), &"0".repeat(40)).await.is_err());
}

#[tokio::test]
#[ignore = "needs the real parts: tests/run"]
async fn over_ssh_with_either_protocol() {
    let folder = tempfile::tempdir().unwrap();
    let repository = BareRepository::create(&folder.path().join("it's-a-shop.git"));
    let first = repository.commit("main", &[("a", "1")]);
    let second = repository.commit("main", &[("a", "2")]);
    for (name, server) in [("2", GitSsh::start()), ("0", GitSsh::start_with_old_protocol())] {
        let data = folder.path().join(name);
        let git = git(&data, vec![ssh_key(&server, repository.path())]);
        let remote = server.url(repository.path());
        let references = git.references(&url(&remote)).await.unwrap();
        assert_eq!(references.branches["main"], sha(&second));
        assert_eq!(references.head_branch.as_deref(), Some("main"));
        assert_eq!(paths(&tree(&git, &remote, Some("refs/heads/main"), &second).await.unwrap()), ["a"]);
        assert_eq!(mirrored_objects(&data), 3, "version {name}: no history");
        let pinned = tree(&git, &remote, Some("refs/heads/main"), &first).await.unwrap();
        assert_eq!(pinned.get("a").unwrap().content.bytes().unwrap()[..], *b"1");
        let absent = server.url(&folder.path().join("absent.git"));
        let entry = ssh_key(&server, &folder.path().join("absent.git"));
        let error = self::git(&data, vec![entry]).references(&url(&absent)).await.unwrap_err();
        assert!(matches!(&error, SourceError::Absent { .. }), "{error}");
    }
}

#[tokio::test]
#[ignore = "needs the real parts: tests/run"]
async fn ssh_trusts_only_known_hosts_and_its_own_key() {
    let folder = tempfile::tempdir().unwrap();
    let repository = BareRepository::create(&folder.path().join("shop.git"));
    let server = GitSsh::start();
    let remote = url(&server.url(repository.path()));
    let good = ssh_key(&server, repository.path());
    let nobody = folder.path().join("nobody");
    std::fs::write(&nobody, "").unwrap();
    for (entries, message) in [
        (vec![], "no entry of `credentials` has a key"),
        (vec![CredentialEntry { ssh_key_file: Some(server.stranger_key()), ..good.clone() }], "does not let"),
        (
            vec![CredentialEntry { known_hosts_file: Some(server.other_known_hosts()), ..good.clone() }],
            "somebody may be in between",
        ),
        (
            vec![CredentialEntry { known_hosts_file: Some(nobody), ..good.clone() }],
            "is not known: add its key",
        ),
        (
            vec![CredentialEntry { ssh_key_file: Some("/nonexistent".into()), ..good.clone() }],
            "the key /nonexistent cannot be used",
        ),
    ] {
        let error = git(folder.path(), entries).references(&remote).await.unwrap_err();
        assert!(
            matches!(&error, SourceError::Denied { .. }) && error.to_string().contains(message),
            "{error}"
        );
    }
    assert!(git(folder.path(), vec![good]).references(&remote).await.is_ok());
}
