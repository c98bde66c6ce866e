//! `moorline promote` and `moorline rollback`: one commit of the config repository that moves pins, proved before it is
//! pushed.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::pending::of_environment;
use super::{ERROR, Picture, author, pin_of, proof};
use crate::adapters::sources::{CommitRequest, FileEdit, StateStore as _};
use crate::cli::output::{Failure, print};
use crate::cli::session::{Session, runtime, unknown};
use crate::model::digest::DigestBuilder;
use crate::model::error::chain;
use crate::model::facts::Version;
use crate::model::image::{ImageDigest, ImageReference};
use crate::model::name::{ApplicationId, EnvironmentName, ServiceName};
use crate::model::source::{CommitSha, File, FileTree};
use crate::promotion::{PinEdit, edit_pins};
use crate::settings::CommonArguments;

/// Exit codes: 0 done, or nothing to do · 2 an error.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  moorline promote prod web api --push\n  moorline promote prod --all --dry-run\n  moorline promote prod web --commit 4be1c0d2a7f95e836b0cd1e4f2a8b7c6d5e4f302 --push"
)]
pub(in crate::cli) struct PromoteArguments {
    /// Environment
    environment: String,
    /// Services
    services: Vec<String>,
    /// Every service that can be promoted
    #[arg(long, conflicts_with = "services")]
    all: bool,
    /// Take versions from this environment instead of the one that `from:` names
    #[arg(long, value_name = "ENVIRONMENT")]
    from: Option<String>,
    /// Pin this commit instead of what is deployed there
    #[arg(long, value_name = "COMMIT")]
    commit: Option<CommitSha>,
    /// Pin the very image that is deployed there, too
    #[arg(long)]
    digest: bool,
    /// Take the pins away
    #[arg(long, conflicts_with_all = ["commit", "digest", "all"])]
    unpin: bool,
    #[command(flatten)]
    writing: Writing,
}

/// Exit codes: 0 done, or nothing to do · 2 an error.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  moorline rollback prod web --push\n  moorline rollback prod web --to 4be1c0d2a7f95e836b0cd1e4f2a8b7c6d5e4f302 --push"
)]
pub(in crate::cli) struct RollbackArguments {
    /// Environment
    environment: String,
    /// Services
    #[arg(required = true)]
    services: Vec<String>,
    /// The commit to go back to, instead of the version deployed before
    #[arg(long, value_name = "COMMIT")]
    to: Option<CommitSha>,
    #[command(flatten)]
    writing: Writing,
}

/// How the commit is written.
#[derive(Args, Debug)]
struct Writing {
    /// Why, for the commit's message
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Push onto the branch of the config repository
    #[arg(long)]
    push: bool,
    /// Show what would be written
    #[arg(long, conflicts_with = "push")]
    dry_run: bool,
    /// How to print
    #[arg(short, long, value_enum)]
    output: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
}

/// What was written; the shape is a contract (docs/json-api.md).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    commit: Option<CommitSha>,
    branch: Option<String>,
    pull_request: Option<String>,
    services: Vec<Moved>,
}

/// One service that moves.
#[derive(Clone, Debug, Serialize)]
struct Moved {
    service: String,
    before: Option<CommitSha>,
    after: Option<CommitSha>,
}

/// What one command wants to write.
struct Move {
    verb: &'static str,
    environment: EnvironmentName,
    edits: BTreeMap<ServiceName, PinEdit>,
    moved: Vec<Moved>,
}

pub(in crate::cli) fn promote(
    common: &CommonArguments,
    arguments: &PromoteArguments,
) -> Result<ExitCode, Failure> {
    if arguments.services.is_empty() && !arguments.all {
        return Err(Failure::new("name services, or give --all").code(ERROR));
    }
    carry_out(common, &arguments.writing, async |session, picture| {
        let environment = picture.environment(&arguments.environment)?;
        promotion(session, picture, &environment, arguments).await
    })
}

pub(in crate::cli) fn rollback(
    common: &CommonArguments,
    arguments: &RollbackArguments,
) -> Result<ExitCode, Failure> {
    carry_out(common, &arguments.writing, async |_, picture| {
        let environment = picture.environment(&arguments.environment)?;
        way_back(picture, &environment, arguments)
    })
}

fn carry_out(
    common: &CommonArguments,
    writing: &Writing,
    decide: impl AsyncFnOnce(&Session, &Picture) -> Result<Move, Failure>,
) -> Result<ExitCode, Failure> {
    let session = Session::open(common).map_err(|failure| failure.code(ERROR))?;
    if !writing.push && !writing.dry_run {
        return Err(Failure::new("pull requests are not opened yet")
            .hint("give --push to push onto the config branch, or --dry-run to see the commit")
            .code(ERROR));
    }
    let done = runtime()?.block_on(async {
        let picture = Picture::take(&session).await?;
        let wanted = decide(&session, &picture).await?;
        write(&session, &picture, wanted, writing).await
    });
    let written = done.map_err(|failure| failure.code(ERROR))?;
    if writing.output == Some(Format::Json) {
        let text = serde_json::to_string_pretty(&written).map_err(|error| Failure::new(error.to_string()))?;
        print(&format!("{text}\n"))?;
    } else {
        print(&told(&written, writing))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn promotion(
    session: &Session,
    picture: &Picture,
    environment: &EnvironmentName,
    arguments: &PromoteArguments,
) -> Result<Move, Failure> {
    let mut wanted =
        Move { verb: "promote", environment: environment.clone(), edits: BTreeMap::new(), moved: Vec::new() };
    let applications = picture.applications(environment);
    if arguments.unpin {
        for name in &arguments.services {
            let service = known(&applications.keys().collect::<Vec<_>>(), environment, name)?;
            wanted.add(&service, applications.get(&service).and_then(pin_of), None, BTreeMap::new());
        }
        return Ok(wanted);
    }
    let from = picture.from(environment, arguments.from.as_deref())?;
    let rows = of_environment(session, picture, environment, &from, &arguments.services).await?;
    for row in rows {
        let service: ServiceName = row.service.parse().map_err(|error| Failure::new(format!("{error}")))?;
        let deployed = row.candidate.as_ref().and_then(|side| side.commit);
        let commit = arguments.commit.or(deployed.filter(|_| row.promotable || !arguments.all));
        let Some(commit) = commit else {
            if arguments.all {
                continue;
            }
            let why = row.reason.unwrap_or_else(|| format!("nothing of it is deployed in {from}"));
            return Err(Failure::new(format!("{service} cannot be promoted to {environment}: {why}")));
        };
        let status = picture.status(&from, &service);
        let references = status.and_then(|status| status.deployed.as_ref()).map(Version::references);
        let digests =
            if arguments.digest { digests(references.unwrap_or_default()) } else { BTreeMap::new() };
        wanted.add(&service, row.current.and_then(|side| side.commit), Some(commit), digests);
    }
    Ok(wanted)
}

/// The version deployed before, for services that are pinned.
fn way_back(
    picture: &Picture,
    environment: &EnvironmentName,
    arguments: &RollbackArguments,
) -> Result<Move, Failure> {
    let mut wanted = Move {
        verb: "rollback",
        environment: environment.clone(),
        edits: BTreeMap::new(),
        moved: Vec::new(),
    };
    let applications = picture.applications(environment);
    for name in &arguments.services {
        let service = known(&applications.keys().collect::<Vec<_>>(), environment, name)?;
        let pin = applications.get(&service).and_then(pin_of);
        let status = picture.status(environment, &service);
        // Where a version is blocked, what runs is what to go back to; else what ran before.
        let versions = status.map(|status| [status.deployed.clone(), status.previous.clone()]);
        let mut versions = versions.into_iter().flatten().flatten();
        let before = versions.find(|version| version.commit.is_some() && version.commit != pin);
        let commit =
            arguments.to.or(before.as_ref().and_then(|version| version.commit)).ok_or_else(|| {
                Failure::new(format!("nothing else of {service} was deployed in {environment}"))
                    .hint("give --to COMMIT, or revert the commit of the config repository")
            })?;
        let recorded = before.filter(|version| version.commit == Some(commit));
        let digests = recorded.map(|version| digests(version.references())).unwrap_or_default();
        wanted.add(&service, pin, Some(commit), digests);
    }
    Ok(wanted)
}

fn known(
    services: &[&ServiceName],
    environment: &EnvironmentName,
    name: &str,
) -> Result<ServiceName, Failure> {
    let found = services.iter().find(|service| service.as_str() == name);
    let names: Vec<&str> = services.iter().map(|service| service.as_str()).collect();
    found
        .map(|service| (*service).clone())
        .ok_or_else(|| unknown(&format!("service in {environment}"), name, &names))
}

/// The digests of images, by repository where there are several.
fn digests(references: &[String]) -> BTreeMap<String, ImageDigest> {
    let parsed: Vec<ImageReference> = references.iter().filter_map(|text| text.parse().ok()).collect();
    let several = parsed.len() > 1;
    let name =
        |reference: &ImageReference| if several { reference.repository.to_string() } else { String::new() };
    parsed.iter().filter_map(|reference| Some((name(reference), reference.digest?))).collect()
}

impl Move {
    fn add(
        &mut self,
        service: &ServiceName,
        before: Option<CommitSha>,
        after: Option<CommitSha>,
        digests: BTreeMap<String, ImageDigest>,
    ) {
        let edit = after.map_or(PinEdit::Unpin, |commit| PinEdit::Pin { commit, digests });
        self.edits.insert(service.clone(), edit);
        self.moved.push(Moved { service: service.to_string(), before, after });
    }

    fn path(&self) -> String {
        format!("environments/{}/versions.yaml", self.environment)
    }

    /// The message with its trailers.
    fn message(&self, reason: Option<&str>) -> (String, Vec<(String, String)>) {
        let name =
            |commit: Option<CommitSha>| commit.map_or_else(|| "no pin".to_owned(), |commit| commit.short());
        let line =
            |moved: &Moved| format!("{}: {} → {}", moved.service, name(moved.before), name(moved.after));
        let lines: Vec<String> = self.moved.iter().map(line).collect();
        let subject = match self.moved.as_slice() {
            [one] => format!("{} {} in {} to {}", self.verb, one.service, self.environment, name(one.after)),
            many => format!("{} {} services in {}", self.verb, many.len(), self.environment),
        };
        let reason = reason.map(|reason| format!("\n\n{}", reason.trim())).unwrap_or_default();
        let key = if self.verb == "rollback" { "Moorline-Rollback" } else { "Moorline-Promote" };
        let of = |service: &ServiceName| ApplicationId::new(self.environment.clone(), service.clone());
        let services = self.edits.keys().map(|service| (key.to_owned(), of(service).to_string()));
        // What the commit is, for who finds it after a lost answer: another one of the same services is not this one.
        let mut builder = DigestBuilder::default();
        builder.add(format!("{:?}", self.edits).as_bytes()).add(lines.join("\n").as_bytes());
        let operation = format!("{}/{}/{}", self.verb, self.environment, builder.finish().short());
        let trailers = services.chain([("Moorline-Operation".to_owned(), operation)]).collect();
        (format!("{subject}{reason}\n\n{}", lines.join("\n")), trailers)
    }
}

/// Pushes the commit, after everything that it changes was proved on the newest files.
async fn write(
    session: &Session,
    picture: &Picture,
    wanted: Move,
    writing: &Writing,
) -> Result<Written, Failure> {
    let mut written =
        Written { commit: None, branch: None, pull_request: None, services: wanted.moved.clone() };
    let edited = edited(&picture.config.tree, &wanted)?;
    if edited.is_none() {
        written.services.clear();
        return Ok(written);
    }
    if let Some(tree) = edited {
        let services: BTreeSet<ServiceName> = wanted.edits.keys().cloned().collect();
        let faults = proof::faults(session, &tree, &wanted.environment, &services).await;
        if !faults.is_empty() {
            return Err(Failure::new(format!("nothing is written: {}", faults.join("; "))));
        }
    }
    if writing.dry_run {
        return Ok(written);
    }
    let branch = branch(session).await?;
    let config =
        session.settings.config.clone().ok_or_else(|| Failure::new("no config repository was named"))?;
    let store = session.git.state(config, &branch);
    let failed: Arc<Mutex<Option<Failure>>> = Arc::default();
    let time = session.world.clock.now().as_second();
    let (message, trailers) = wanted.message(writing.reason.as_deref());
    let (author, proved) = (author(), picture.config.tree.clone());
    let prepare = {
        let failed = failed.clone();
        move |files: &FileTree| {
            // On a moved branch the edits are made anew; what they were proved against has to be as it was.
            let request = request(files, &proved, &wanted);
            match request {
                Ok(content) => content.map(|content| CommitRequest {
                    author: author.clone(),
                    message: message.clone(),
                    trailers: trailers.clone(),
                    edits: vec![FileEdit { path: wanted.path(), content: Some(content) }],
                    time,
                }),
                Err(failure) => {
                    *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
                    None
                }
            }
        }
    };
    let commit = store.commit(&prepare).await.map_err(|error| Failure::new(chain(&error)))?;
    if let Some(failure) = failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(failure);
    }
    written.commit = commit;
    written.branch = Some(branch);
    Ok(written)
}

/// The new text of the pins on the newest files; nothing if they are so already.
fn request(files: &FileTree, proved: &FileTree, wanted: &Move) -> Result<Option<String>, Failure> {
    let folder = format!("environments/{}", wanted.environment);
    let moved = files.subtree(&folder).digest() != proved.subtree(&folder).digest()
        || files.subtree("services").digest() != proved.subtree("services").digest();
    if moved {
        return Err(Failure::new(format!("{folder} or services changed meanwhile in the config repository"))
            .hint("nothing is written: run the command again"));
    }
    let before = text(files, &wanted.path())?;
    let after = pins(&before, wanted)?;
    Ok((after != before).then_some(after))
}

fn text(files: &FileTree, path: &str) -> Result<String, Failure> {
    let Some(file) = files.get(path) else { return Ok(String::new()) };
    let bytes = file.content.bytes().map_err(|why| Failure::new(format!("{path} {why}")))?;
    String::from_utf8(bytes.to_vec()).map_err(|_| Failure::new(format!("{path} is not UTF-8")))
}

fn pins(before: &str, wanted: &Move) -> Result<String, Failure> {
    edit_pins(&wanted.path(), before, &wanted.edits).map_err(|error| Failure::new(error.to_string()))
}

/// The whole tree with the edits; nothing if they change nothing.
fn edited(tree: &FileTree, wanted: &Move) -> Result<Option<FileTree>, Failure> {
    let before = text(tree, &wanted.path())?;
    let after = pins(&before, wanted)?;
    if after == before {
        return Ok(None);
    }
    let mut tree = tree.clone();
    tree.insert(wanted.path(), File::of_bytes(after.as_bytes()));
    Ok(Some(tree))
}

/// The branch that is pushed onto: as given, else the one that the remote's HEAD names.
async fn branch(session: &Session) -> Result<String, Failure> {
    if let Some(branch) = &session.settings.config_branch {
        return Ok(branch.clone());
    }
    let config =
        session.settings.config.clone().ok_or_else(|| Failure::new("no config repository was named"))?;
    let references =
        session.world.sources.references(&config).await.map_err(|error| Failure::new(chain(&error)))?;
    references.head_branch.ok_or_else(|| {
        Failure::new(format!("{config} names no branch of its own")).hint("give --config-branch")
    })
}

fn told(written: &Written, writing: &Writing) -> String {
    if written.services.is_empty() {
        return "nothing to do: it is pinned so already\n".to_owned();
    }
    let name =
        |commit: Option<CommitSha>| commit.map_or_else(|| "no pin".to_owned(), |commit| commit.short());
    let mut text = String::new();
    for moved in &written.services {
        text.push_str(&format!("{}: {} → {}\n", moved.service, name(moved.before), name(moved.after)));
    }
    text.push_str(&match (written.commit, &written.branch) {
        (Some(commit), Some(branch)) => format!("pushed {} onto {branch}\n", commit.short()),
        _ if writing.dry_run => "nothing is written (--dry-run)\n".to_owned(),
        _ => "nothing to do: it is pinned so already\n".to_owned(),
    });
    text
}
