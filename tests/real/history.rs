//! Histories are told as git itself tells them: `pending` counts the commits of `git log right..left`, and calls those
//! equivalent that `git cherry` does; a branch is walked as `git log --first-parent`.

use std::path::Path;
use std::process::Command;

use moorline::adapters::sources::Sources as _;
use moorline::model::history::{Comparison, ComparisonQuestion, MainlineQuestion, Relation};
use moorline::model::source::{CommitSha, RepositoryUrl};

use crate::git_sources::git;

/// A repository with a work tree, made by git itself.
struct Work(tempfile::TempDir);

impl Work {
    fn new() -> Self {
        let work = Self(tempfile::tempdir().unwrap());
        work.git(&["init", "-q", "-b", "main"]);
        work.git(&["config", "user.name", "Ann"]);
        work.git(&["config", "user.email", "ann@example.com"]);
        work.change("a", "1", "first");
        work
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(self.path()).env("GIT_EDITOR", "true");
        let output = command.output().unwrap();
        let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {out}{error}");
        out.trim().to_owned()
    }

    fn change(&self, path: &str, content: &str, subject: &str) {
        let file = self.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, format!("{content}\n")).unwrap();
        self.git(&["add", "."]);
        self.git(&["commit", "-q", "-m", subject]);
    }

    fn branch(&self, name: &str, at: &str) {
        self.git(&["checkout", "-q", "-b", name, at]);
    }

    fn on(&self, name: &str) {
        self.git(&["checkout", "-q", name]);
    }

    fn commit(&self, revision: &str) -> CommitSha {
        self.git(&["rev-parse", &format!("{revision}^{{commit}}")]).parse().unwrap()
    }

    fn url(&self) -> RepositoryUrl {
        self.path().to_str().unwrap().parse().unwrap()
    }

    async fn compare(&self, left: &str, right: &str, paths: &[&str]) -> Comparison {
        let folder = tempfile::tempdir().unwrap();
        let paths = paths.iter().map(|path| path.parse().unwrap()).collect();
        let question = ComparisonQuestion { left: self.commit(left), right: self.commit(right), paths };
        git(folder.path(), Vec::new()).compare(&self.url(), &question).await.unwrap()
    }

    /// What moorline says is what git says.
    async fn agrees(&self, left: &str, right: &str, paths: &[&str]) -> Comparison {
        let compared = self.compare(left, right, paths).await;
        let range = format!("{right}..{left}");
        let mut log = vec!["log", "--format=%H", &range];
        if !paths.is_empty() {
            log.push("--full-history");
            log.push("--");
            log.extend(paths);
        }
        let lines = |text: String| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let mut expected = lines(self.git(&log));
        let mut told: Vec<String> = compared.commits.iter().map(|one| one.commit.id.to_string()).collect();
        expected.sort();
        told.sort();
        assert_eq!(told, expected, "{range} {paths:?}");
        let cherry = lines(self.git(&["cherry", right, left]));
        for commit in compared.commits.iter().filter(|_| paths.is_empty()) {
            let same = cherry.contains(&format!("- {}", commit.commit.id));
            assert_eq!(commit.equivalent, same, "{range}: {}", commit.commit.subject);
        }
        compared
    }
}

#[tokio::test]
#[ignore = "needs git: tests/run"]
async fn merges_squashes_rebases_and_picks_are_told_as_git_tells_them() {
    let work = Work::new();
    work.branch("feature", "main");
    work.change("b", "1", "feature one");
    work.change("b", "2", "feature two");
    work.on("main");
    work.change("a", "2", "main two");
    work.git(&["tag", "before"]);
    // A merge.
    work.branch("merged", "main");
    work.git(&["merge", "-q", "--no-ff", "-m", "Merge pull request #12 from ann/feature", "feature"]);
    let compared = work.agrees("merged", "before", &[]).await;
    assert_eq!(compared.relation, Relation::Ahead);
    assert!(compared.commits.iter().any(|one| one.pull_request.as_deref() == Some("#12")));
    assert_eq!(work.agrees("before", "merged", &[]).await.relation, Relation::Behind);
    // The same by a squash, which has the same content and no common commits.
    work.branch("squashed", "before");
    work.git(&["merge", "-q", "--squash", "feature"]);
    work.git(&["commit", "-q", "-m", "feature (#13)"]);
    let compared = work.agrees("merged", "squashed", &[]).await;
    assert!(compared.same_content && compared.relation == Relation::Diverged);
    // Rebased commits are equivalent to those they were.
    work.branch("rebased", "feature");
    work.git(&["rebase", "-q", "before"]);
    let compared = work.agrees("rebased", "merged", &[]).await;
    assert!(compared.commits.iter().all(|one| one.equivalent), "{:?}", compared.commits);
    // A pick of one of two.
    work.branch("picked", "before");
    work.git(&["cherry-pick", "feature~1"]);
    let compared = work.agrees("feature", "picked", &[]).await;
    let equivalent: Vec<bool> = compared.commits.iter().map(|one| one.equivalent).collect();
    assert_eq!(equivalent, [false, true], "newest first");
    // A revert, and the revert of the revert.
    work.branch("reverted", "merged");
    work.git(&["revert", "--no-edit", "-m", "1", "HEAD"]);
    work.agrees("reverted", "merged", &[]).await;
    work.git(&["revert", "--no-edit", "HEAD"]);
    let compared = work.agrees("reverted", "merged", &[]).await;
    assert!(compared.same_content && compared.commits.len() == 2);
}

#[tokio::test]
#[ignore = "needs git: tests/run"]
async fn an_octopus_a_force_push_and_a_monorepo_are_told_as_git_tells_them() {
    let work = Work::new();
    for name in ["one", "two", "three"] {
        work.branch(name, "main");
        work.change(&format!("services/{name}/file"), name, name);
    }
    work.branch("octopus", "main");
    work.git(&["merge", "-q", "-m", "octopus", "one", "two", "three"]);
    assert_eq!(work.agrees("octopus", "main", &[]).await.commits.len(), 4);
    // Only what changes the service counts, and the merge changes nothing by itself.
    let compared = work.compare("octopus", "main", &["services/two"]).await;
    let subjects: Vec<&str> = compared.commits.iter().map(|one| one.commit.subject.as_str()).collect();
    assert_eq!(subjects, ["two"]);
    // A rewritten branch has lost what is deployed.
    work.branch("rewritten", "main");
    work.git(&["commit", "-q", "--amend", "-m", "first again"]);
    let compared = work.agrees("rewritten", "octopus", &[]).await;
    assert_eq!((compared.relation, compared.lacking), (Relation::Diverged, 5));
}

#[tokio::test]
#[ignore = "needs git: tests/run"]
async fn a_branch_is_walked_along_its_first_parents_down_to_what_is_deployed() {
    let work = Work::new();
    work.change("services/pay/file", "1", "pay one");
    work.git(&["tag", "deployed"]);
    work.branch("feature", "main");
    work.change("services/pay/file", "2", "pay two");
    work.git(&["tag", "inside"]);
    work.on("main");
    work.change("services/other/file", "1", "other");
    work.git(&["merge", "-q", "--no-ff", "-m", "merge", "feature"]);
    work.change("services/other/file", "2", "other again");
    let folder = tempfile::tempdir().unwrap();
    let git = git(folder.path(), Vec::new());
    let walk = async |base: &str, paths: &[&str]| {
        let question = MainlineQuestion {
            reference: "refs/heads/main".to_owned(),
            head: work.commit("main"),
            paths: paths.iter().map(|path| path.parse().unwrap()).collect(),
            base: Some(work.commit(base)),
        };
        let mainline = git.mainline(&work.url(), &question).await.unwrap();
        let told = |commit: &moorline::model::history::MainlineCommit| {
            format!("{}{}", commit.commit.subject, if commit.changes { "!" } else { "" })
        };
        (mainline.commits.iter().map(told).collect::<Vec<_>>(), mainline.contains_base)
    };
    let (told, contains) = walk("deployed", &["services/pay"]).await;
    assert_eq!(
        (told, contains),
        (["other again", "merge!", "other", "pay one!"].map(str::to_owned).to_vec(), true)
    );
    // Deployed from inside of the merged branch: what is below the merge does not contain it.
    let (told, contains) = walk("inside", &[]).await;
    assert_eq!((told, contains), (["other again!", "merge!"].map(str::to_owned).to_vec(), true));
    work.branch("elsewhere", "deployed");
    work.change("c", "1", "elsewhere");
    assert!(!walk("elsewhere", &[]).await.1, "a rewritten branch does not contain what is deployed");
}
