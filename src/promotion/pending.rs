//! What an environment lacks of the one that it is promoted from (RULES §10): the left side is what is deployed there,
//! the right side what Git pins here.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::history::{Comparison, Relation};
use crate::model::source::CommitSha;

/// How one service stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PendingState {
    /// Both have the same.
    Same,
    /// There is something to promote.
    Ahead,
    /// What is pinned is newer than what runs there.
    Behind,
    /// Each has commits that the other lacks.
    Diverged,
    /// Nothing is pinned yet.
    New,
    /// It cannot be told.
    Unknown,
}

/// One version of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Side {
    /// The commit.
    pub commit: Option<CommitSha>,
    /// The chart's version, where the service has no code of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chart: Option<String>,
    /// The image as `repository:tag@digest`.
    pub image: Option<String>,
}

/// One commit that would be promoted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// The commit.
    pub commit: CommitSha,
    /// Who made it.
    pub author: String,
    /// When.
    pub time: Timestamp,
    /// The first line of its message.
    pub subject: String,
    /// The pull request that brought it, as its message tells: `#12` or `!12`.
    pub pull_request: Option<String>,
    /// Whether the same change is there already under another commit.
    pub equivalent: bool,
}

/// One row of `moorline pending`; the shape is a contract (docs/json-api.md).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingRow {
    /// The service.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// The environment that it is promoted from.
    pub from: String,
    /// How it stands.
    pub state: PendingState,
    /// What is pinned here.
    pub current: Option<Side>,
    /// What is deployed there.
    pub candidate: Option<Side>,
    /// The commits between, newest first.
    pub commits: Vec<Candidate>,
    /// Migrations that a promotion would run; nothing while there are none.
    pub migration: Option<String>,
    /// Whether another image would run.
    pub images_differ: bool,
    /// Files of the config repository in which the two environments' layers of the service differ.
    pub config: Vec<String>,
    /// When the candidate was deployed there, as far as that is known.
    pub since: Option<Timestamp>,
    /// Whether it can be promoted now.
    pub promotable: bool,
    /// Why not, or what is to be known first.
    pub reason: Option<String>,
}

/// The row of a service with code. `compared` is what Git says of the two commits, or why it cannot be told.
pub fn pending_row(mut row: PendingRow, compared: Option<Result<&Comparison, String>>) -> PendingRow {
    let commit = |side: &Option<Side>| side.as_ref().and_then(|side| side.commit);
    let (current, candidate) = (commit(&row.current), commit(&row.candidate));
    row.images_differ = row.current.as_ref().and_then(|side| side.image.as_ref())
        != row.candidate.as_ref().and_then(|side| side.image.as_ref());
    (row.state, row.reason) = match (current, candidate, &compared) {
        (_, None, _) => (PendingState::Unknown, Some(format!("nothing is deployed in {}", row.from))),
        (None, Some(_), _) => (PendingState::New, None),
        (Some(here), Some(there), _) if here == there => (PendingState::Same, None),
        (_, _, Some(Ok(compared))) => told(compared, &row.from),
        (_, _, Some(Err(why))) => (PendingState::Unknown, Some(why.clone())),
        (_, _, None) => (PendingState::Unknown, None),
    };
    if let Some(Ok(compared)) = compared {
        row.commits = compared.commits.iter().map(Candidate::from).collect();
    }
    row.promotable = matches!(row.state, PendingState::Ahead | PendingState::Diverged | PendingState::New);
    row
}

fn told(compared: &Comparison, from: &str) -> (PendingState, Option<String>) {
    let same = "both have the same content under different commits".to_owned();
    match compared.relation {
        Relation::Ahead => (PendingState::Ahead, compared.same_content.then_some(same)),
        Relation::Behind => {
            (PendingState::Behind, Some(format!("{from} runs an older commit than is pinned here")))
        }
        Relation::Diverged => {
            let reason = if compared.same_content {
                same
            } else {
                format!("what is pinned here has {} commits that {from} lacks", compared.lacking)
            };
            (PendingState::Diverged, Some(reason))
        }
    }
}

impl From<&crate::model::history::ComparedCommit> for Candidate {
    fn from(compared: &crate::model::history::ComparedCommit) -> Self {
        let commit = &compared.commit;
        Self {
            commit: commit.id,
            author: commit.author.clone(),
            time: commit.time,
            subject: commit.subject.clone(),
            pull_request: compared.pull_request.clone(),
            equivalent: compared.equivalent,
        }
    }
}
