//! Repositories on this machine, as the rest of moorline reads and writes them; `tests/real` has the servers.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use git2::{ObjectType, Oid, Repository, RepositoryInitOptions, Signature, Time};

use super::*;
use crate::adapters::sources::{Author, CommitRequest, FileEdit, StateStore};
use crate::model::source::FileContent;

fn git(data_directory: &Path, limits: Limits) -> Git {
    let data_directory = data_directory.to_owned();
    Git::new(GitSettings { data_directory, credentials: Vec::new(), limits }).unwrap()
}

fn bare(path: &Path) -> Repository {
    Repository::init_opts(path, RepositoryInitOptions::new().bare(true).initial_head("main")).unwrap()
}

fn url(path: &Path) -> RepositoryUrl {
    format!("file://{}", path.display()).parse().unwrap()
}

/// Commits entries of mode, name and content; folders are made of slashes by git's own index.
fn commit(repository: &Repository, branch: &str, entries: &[(u32, &str, &[u8])]) -> CommitSha {
    let mut index = git2::Index::new().unwrap();
    for (mode, path, content) in entries {
        let id = match mode {
            0o160_000 => Oid::from_bytes(&[7; 20]).unwrap(),
            _ => repository.blob(content).unwrap(),
        };
        let zero = git2::IndexTime::new(0, 0);
        let path = path.as_bytes().to_vec();
        let (mode, file_size) = (*mode, 0);
        let (dev, ino, uid, gid, flags, flags_extended) = (0, 0, 0, 0, 0, 0);
        let entry = git2::IndexEntry {
            ctime: zero,
            mtime: zero,
            dev,
            ino,
            mode,
            uid,
            gid,
            file_size,
            id,
            flags,
            flags_extended,
            path,
        };
        index.add(&entry).unwrap();
    }
    let tree = index.write_tree_to(repository).unwrap();
    commit_tree(repository, branch, tree)
}

fn commit_tree(repository: &Repository, branch: &str, tree: Oid) -> CommitSha {
    let name = format!("refs/heads/{branch}");
    let parent = repository.find_reference(&name).ok().map(|head| head.peel_to_commit().unwrap());
    let signature = Signature::new("A", "a@example.com", &Time::new(0, 0)).unwrap();
    let tree = repository.find_tree(tree).unwrap();
    let parents: Vec<_> = parent.iter().collect();
    let id = repository.commit(Some(&name), &signature, &signature, "change", &tree, &parents).unwrap();
    mirror::commit_sha(id)
}

const FILE: u32 = 0o100_644;

#[tokio::test]
async fn a_folder_is_read_with_what_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let repository = bare(&folder.path().join("a.git"));
    let large = vec![b'x'; 300];
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    let first = commit(
        &repository,
        "main",
        &[
            (FILE, "README", b"hello"),
            (FILE, "chart/values.yaml", b"a: 1\n"),
            (FILE, "chart/large.bin", &large),
            (FILE, "chart/pointer.tgz", pointer),
            (0o120_000, "chart/link", b"../../etc/passwd"),
            (0o160_000, "chart/module", b""),
            (0o120_000, "linked", b"chart"),
        ],
    );
    let git = git(folder.path(), Limits { file_bytes: 200, ..Limits::default() });
    let url = url(&folder.path().join("a.git"));
    let path: RepositoryPath = "chart".parse().unwrap();
    let tree = git.tree(&url, None, first, &path, None).await.unwrap();
    let seen: Vec<_> = tree.iter().map(|(path, file)| format!("{path} {:?}", file.content)).collect();
    expect_test::expect![[r#"
        [
            "large.bin TooLarge(300)",
            "link Symlink",
            "module Submodule",
            "pointer.tgz LfsPointer",
            "values.yaml Bytes(5)",
        ]
    "#]]
    .assert_debug_eq(&seen);

    let second =
        commit(&repository, "main", &[(FILE, "chart/values.yaml", b"a: 1\n"), (FILE, "chart/new", b"n")]);
    let next = git.tree(&url, None, second, &path, Some(&tree)).await.unwrap();
    let bytes = |tree: &FileTree| match &tree.get("values.yaml").unwrap().content {
        FileContent::Bytes(bytes) => Arc::clone(bytes),
        other => panic!("{other:?}"),
    };
    assert!(Arc::ptr_eq(&bytes(&tree), &bytes(&next)));

    for (folder, message) in [
        ("nothing", "the folder nothing at "),
        ("README", "(it is a file)"),
        ("linked", "(a link is not followed)"),
        ("chart/module", "(a submodule is not followed)"),
    ] {
        let missing = git.tree(&url, None, first, &folder.parse().unwrap(), None).await.unwrap_err();
        assert!(missing.to_string().contains(message), "{missing}");
    }
}

#[tokio::test]
async fn references_are_branches_peeled_tags_and_head() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.git");
    let repository = bare(&path);
    let git = git(folder.path(), Limits::default());
    let empty = git.references(&url(&path)).await.unwrap();
    assert_eq!(empty, References { head_branch: Some("main".to_owned()), ..References::default() });

    let first = commit(&repository, "main", &[(FILE, "a", b"1")]);
    let second = commit(&repository, "team/x", &[(FILE, "a", b"2")]);
    let signature = Signature::new("A", "a@example.com", &Time::new(0, 0)).unwrap();
    let object = repository.find_object(mirror::oid(first), None).unwrap();
    repository.tag("v1", &object, &signature, "annotated", false).unwrap();
    repository.tag_lightweight("v2", &object, false).unwrap();
    let references = git.references(&url(&path)).await.unwrap();
    assert_eq!(references.branches, [("main".to_owned(), first), ("team/x".to_owned(), second)].into());
    assert_eq!(references.tags, [("v1".to_owned(), first), ("v2".to_owned(), first)].into());

    let nowhere = git.references(&url(&folder.path().join("b.git"))).await.unwrap_err();
    assert!(matches!(nowhere, SourceError::Absent { .. }), "{nowhere}");
}

#[tokio::test]
async fn limits_hold_with_a_message_that_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.git");
    let repository = bare(&path);
    let commit = commit(&repository, "main", &[(FILE, "a/b/c/d", b"12345"), (FILE, "e", b"67890")]);
    let limits = Limits::default();
    for (limits, message) in [
        (Limits { files: 1, ..limits }, "more than 1 files"),
        (Limits { depth: 2, ..limits }, "more than 2 folders inside each other"),
        (Limits { total_bytes: 9, ..limits }, "the files together have more than 0 MiB"),
        (Limits { path_bytes: 4, ..limits }, "a path is longer than 4 bytes"),
    ] {
        let git = git(folder.path(), limits);
        let error = git.tree(&url(&path), None, commit, &RepositoryPath::default(), None).await.unwrap_err();
        assert!(matches!(&error, SourceError::Limit { message: said, .. } if said == message), "{error}");
    }
}

#[tokio::test]
async fn names_that_lead_out_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.git");
    let repository = bare(&path);
    let blob = repository.blob(b"x").unwrap();
    for name in ["..", ".", "a/b", "a\\b"] {
        let entry = [b"100644 ", name.as_bytes(), b"\0", blob.as_bytes()].concat();
        let tree = repository.odb().unwrap().write(ObjectType::Tree, &entry).unwrap();
        let commit = commit_tree(&repository, "main", tree);
        let git = git(folder.path(), Limits::default());
        let error = git.tree(&url(&path), None, commit, &RepositoryPath::default(), None).await.unwrap_err();
        assert!(error.to_string().contains("which leads out of its folder"), "{name}: {error}");
    }
}

fn text<'a>(files: &'a FileTree, path: &str) -> Option<&'a str> {
    files.get(path).map(|file| std::str::from_utf8(file.content.bytes().unwrap()).unwrap())
}

fn edit(path: &str, content: Option<&str>) -> FileEdit {
    FileEdit { path: path.to_owned(), content: content.map(str::to_owned) }
}

fn request(operation: &str, edits: Vec<FileEdit>) -> CommitRequest {
    let trailers = vec![("Moorline-Operation".to_owned(), operation.to_owned())];
    CommitRequest {
        author: Author::default(),
        message: format!("record {operation}"),
        trailers,
        edits,
        time: 1_700_000_000,
    }
}

fn paths(repository: &Repository) -> Vec<String> {
    let tree = repository.find_reference("refs/heads/main").unwrap().peel_to_tree().unwrap();
    let mut paths = Vec::new();
    tree.walk(git2::TreeWalkMode::PreOrder, |folder, entry| {
        paths.push(format!("{folder}{}", String::from_utf8_lossy(entry.name_bytes())));
        git2::TreeWalkResult::Ok
    })
    .unwrap();
    paths
}

#[tokio::test]
async fn records_are_committed_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.git");
    let repository = bare(&path);
    let state = git(folder.path(), Limits::default()).state(url(&path), "main");
    assert!(state.files().await.unwrap().is_empty());

    let first =
        request("shop/dev.web/1", vec![edit("a/web.yaml", Some("1\n")), edit("a/api.yaml", Some("1\n"))]);
    state.commit(&|_| Some(first.clone())).await.unwrap().unwrap();
    assert_eq!(text(&state.files().await.unwrap(), "a/web.yaml"), Some("1\n"));
    let edits = vec![edit("b/web.yaml", Some("2\n")), edit("a/web.yaml", None), edit("never.yaml", None)];
    let second = request("shop/dev.web/2", edits);
    let id = state.commit(&|_| Some(second.clone())).await.unwrap().unwrap();
    assert_eq!(paths(&repository), ["a", "a/api.yaml", "b", "b/web.yaml"]);
    let commit = repository.find_commit(mirror::oid(id)).unwrap();
    assert_eq!(
        String::from_utf8_lossy(commit.message_raw_bytes()),
        "record shop/dev.web/2\n\nMoorline-Operation: shop/dev.web/2\n"
    );
    assert_eq!((commit.parent_count(), commit.time().seconds()), (1, 1_700_000_000));

    // The same operation again: it is the head already.
    assert_eq!(state.commit(&|_| Some(second.clone())).await.unwrap(), Some(id));
    assert_eq!(state.commit(&|_| None).await.unwrap(), None);
    let removal = request("shop/dev.web/3", vec![edit("b/web.yaml", None), edit("a/api.yaml", None)]);
    state.commit(&|_| Some(removal.clone())).await.unwrap();
    assert_eq!(paths(&repository), Vec::<String>::new());
}

#[tokio::test]
async fn a_moved_branch_keeps_both_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.git");
    let repository = bare(&path);
    commit(&repository, "main", &[(FILE, "README", b"records")]);
    let state = git(folder.path(), Limits::default()).state(url(&path), "main");
    let calls = AtomicU32::new(0);
    let racing = |files: &FileTree| {
        if calls.fetch_add(1, Ordering::Relaxed) == 0 {
            assert_eq!(text(files, "other"), None);
            let repository = Repository::open(&path).unwrap();
            commit(&repository, "main", &[(FILE, "README", b"records"), (FILE, "other", b"theirs")]);
        } else {
            assert_eq!(text(files, "other"), Some("theirs"));
        }
        Some(request("shop/dev.web/1", vec![edit("web.yaml", Some("1\n"))]))
    };
    state.commit(&racing).await.unwrap().unwrap();
    assert_eq!(paths(&repository), ["README", "other", "web.yaml"]);
    assert_eq!(calls.into_inner(), 2);

    let count = AtomicU32::new(0);
    let always = |_: &FileTree| {
        let text = count.fetch_add(1, Ordering::Relaxed).to_string();
        commit(&Repository::open(&path).unwrap(), "main", &[(FILE, "other", text.as_bytes())]);
        Some(request("shop/dev.web/2", vec![edit("web.yaml", Some("2\n"))]))
    };
    let error = state.commit(&always).await.unwrap_err();
    assert!(matches!(error, SourceError::PushRaced { .. }), "{error}");
}

#[tokio::test]
async fn a_vanished_branch_is_not_an_empty_repository() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.git");
    let repository = bare(&path);
    commit(&repository, "other", &[(FILE, "README", b"")]);
    let state = git(folder.path(), Limits::default()).state(url(&path), "main");
    let write = || Some(request("shop/dev.web/1", vec![edit("web.yaml", Some("1\n"))]));
    for error in [state.files().await.unwrap_err(), state.commit(&|_| write()).await.unwrap_err()] {
        assert!(
            matches!(&error, SourceError::Missing { revision, .. } if revision == "the branch main"),
            "{error}"
        );
    }
    assert!(repository.find_reference("refs/heads/main").is_err());
}

#[tokio::test]
async fn a_branch_that_is_checked_out_is_not_moved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("work");
    let repository = Repository::init_opts(&path, RepositoryInitOptions::new().initial_head("main")).unwrap();
    let head = commit(&repository, "main", &[(FILE, "README", b"")]);
    let state = git(folder.path(), Limits::default()).state(url(&path), "main");
    let write = request("shop/dev.web/1", vec![edit("web.yaml", Some("1\n"))]);
    let error = state.commit(&|_| Some(write.clone())).await.unwrap_err();
    assert!(error.to_string().contains("checked out"), "{error}");
    assert_eq!(mirror::commit_sha(repository.refname_to_id("refs/heads/main").unwrap()), head);
}

#[test]
fn a_mirror_takes_only_whole_packs_and_can_be_made_by_many_at_once() {
    use crate::adapters::git::mirror::PackPart;

    let folder = tempfile::tempdir().unwrap();
    let mirror = Mirror::new(folder.path(), &"https://git.example.com/team/shop.git".parse().unwrap());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| mirror.open().map(drop).unwrap());
        }
    });
    let names: Vec<_> = std::fs::read_dir(folder.path().join("mirrors")).unwrap().flatten().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    assert!(names[0].file_name().to_string_lossy().starts_with("shop-"));

    let (commit, pack) = packed(&folder.path().join("source.git"));
    let take = |parts: Vec<PackPart>| {
        let (sender, receiver) = tokio::sync::mpsc::channel(8);
        for part in parts {
            sender.try_send(part).unwrap();
        }
        drop(sender);
        mirror.take_pack(receiver)
    };
    let half = bytes::Bytes::copy_from_slice(&pack[..pack.len() / 2]);
    take(vec![PackPart::Bytes(half.clone())]).unwrap();
    assert!(matches!(take(vec![PackPart::Bytes(half), PackPart::End]), Err(SourceError::Mirror { .. })));
    assert!(!mirror.has(commit).unwrap());
    take(vec![PackPart::Bytes(pack.into()), PackPart::End]).unwrap();
    assert!(mirror.has(commit).unwrap());
    mirror.note_complete(commit).unwrap();
    mirror.note_complete(CommitSha::from_bytes([9; 20])).unwrap();
    assert_eq!(mirror.complete_commits().unwrap(), [commit]);
    mirror.remove();
    assert!(!mirror.has(commit).unwrap());
}

fn packed(path: &Path) -> (CommitSha, Vec<u8>) {
    let repository = bare(path);
    let commit = commit(&repository, "main", &[(FILE, "a", b"1")]);
    let mut builder = repository.packbuilder().unwrap();
    builder.insert_commit(mirror::oid(commit)).unwrap();
    let mut pack = git2::Buf::new();
    builder.write_buf(&mut pack).unwrap();
    (commit, pack.to_vec())
}
