//! The state repository: commits made straight from edits of files, pushed without force. When the branch moved, the
//! same edits are made on its new head; when an answer was lost, the branch itself tells whether the commit arrived.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use git2::build::TreeUpdateBuilder;
use git2::{ErrorCode, FileMode, ObjectType, Oid, Repository, Signature, Time, Tree};

use super::conversation::{Conversation, Service};
use super::failure::{denied, mirror, missing};
use super::local;
use super::mirror::{commit_sha, oid};
use super::packet::{Decoder, Packet};
use super::protocol::{self, Advertisement, Depth, Dialect};
use super::remote::blocking;
use super::{Git, failure};
use crate::adapters::address::Address;
use crate::adapters::sources::{CommitRequest, Prepare, SourceError, Sources, StateStore};
use crate::model::source::{CommitSha, FileTree, References, RepositoryPath, RepositoryUrl};

/// Others may push between our look and our push so often.
const MOST_ATTEMPTS: u32 = 20;
/// Reports of a push are short.
const REPORT_LIMIT: usize = 1 << 20;

/// One branch of the state repository.
#[derive(Debug)]
pub struct GitState {
    git: Git,
    repository: RepositoryUrl,
    branch: String,
    /// The files of the last head that was read, to share those that did not change.
    last: Mutex<Option<(CommitSha, Arc<FileTree>)>>,
}

/// What came of one push.
#[derive(Debug)]
enum Pushed {
    Accepted,
    /// The branch had moved, or the server does not allow it.
    Refused(String),
}

/// A commit that exists here, ready to be sent.
struct Prepared {
    commit: CommitSha,
    pack: Vec<u8>,
}

impl GitState {
    pub(super) fn new(git: Git, repository: RepositoryUrl, branch: &str) -> Self {
        Self { git, repository, branch: branch.to_owned(), last: Mutex::default() }
    }

    /// The newest head of the branch; none if the repository is empty. A branch that is gone is not empty.
    fn head(&self, references: &References) -> Result<Option<CommitSha>, SourceError> {
        match references.branches.get(&self.branch) {
            Some(head) => Ok(Some(*head)),
            None if references.branches.is_empty() => Ok(None),
            None => Err(missing(&self.repository, format!("the branch {}", self.branch))),
        }
    }

    async fn files_at(
        &self,
        address: &Address,
        head: Option<CommitSha>,
    ) -> Result<Arc<FileTree>, SourceError> {
        let Some(head) = head else {
            return Ok(Arc::default());
        };
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let previous = match last {
            Some((commit, files)) if commit == head => return Ok(files),
            Some((_, files)) => Some(files),
            None => None,
        };
        if !matches!(address, Address::Local(_)) {
            let reference = format!("refs/heads/{}", self.branch);
            let mirror = self.git.mirror(&self.repository);
            self.git
                .ensure(&self.repository, address, &mirror, (Some(&reference), head), Depth::Files)
                .await?;
        }
        let root = RepositoryPath::default();
        let files = self.git.read(&self.repository, address, head, &root, previous.as_deref()).await?;
        let files = Arc::new(files);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((head, Arc::clone(&files)));
        Ok(files)
    }

    /// Makes the commit in the mirror, or in the repository itself if it is on this machine.
    async fn prepare(
        &self,
        address: &Address,
        head: Option<CommitSha>,
        request: CommitRequest,
    ) -> Result<Prepared, SourceError> {
        let (address, repository) = (address.clone(), self.repository.clone());
        let mirror = self.git.mirror(&self.repository);
        blocking(&self.repository, move || {
            let objects = match &address {
                Address::Local(path) => local::open(&repository, path)?,
                _ => mirror.open()?,
            };
            write_commit(&objects, head, &request)
                .map_err(|error| failure::mirror(&repository, error.message()))
        })
        .await
    }

    async fn push_local(
        &self,
        path: &std::path::Path,
        head: Option<CommitSha>,
        new: CommitSha,
    ) -> Result<Pushed, SourceError> {
        let (path, repository, branch) = (path.to_owned(), self.repository.clone(), self.branch.clone());
        blocking(&self.repository, move || {
            let objects = local::open(&repository, &path)?;
            let name = format!("refs/heads/{branch}");
            let checked_out = objects
                .find_reference("HEAD")
                .is_ok_and(|head| head.symbolic_target_bytes() == Some(name.as_bytes()));
            if checked_out && !objects.is_bare() {
                let message = format!("the branch {branch} is checked out there: use a bare repository");
                return Err(denied(&repository, message));
            }
            let moved = match head {
                Some(head) => {
                    objects.reference_matching(&name, oid(new), true, oid(head), "moorline: record")
                }
                None => objects.reference(&name, oid(new), false, "moorline: record"),
            };
            match moved {
                Ok(_) => Ok(Pushed::Accepted),
                Err(error) => match error.code() {
                    ErrorCode::Modified | ErrorCode::Exists | ErrorCode::Locked | ErrorCode::NotFound => {
                        Ok(Pushed::Refused(error.message().to_owned()))
                    }
                    _ => Err(mirror(&repository, error.message())),
                },
            }
        })
        .await
    }

    async fn push(
        &self,
        conversation: &mut Conversation,
        server: &Advertisement,
        head: Option<CommitSha>,
        prepared: &Prepared,
    ) -> Result<Pushed, SourceError> {
        let request = protocol::push_request(&self.branch, head, prepared.commit, server, &prepared.pack);
        conversation.send(request, REPORT_LIMIT).await?;
        let mut said = String::new();
        let report = if server.can("side-band-64k") {
            let mut decoder = Decoder::default();
            let mut report = Vec::new();
            'report: while let Some(content) = conversation.content(&mut said).await? {
                decoder.feed(&content);
                while let Some(packet) = decoder.next().map_err(|error| denied(&self.repository, error))? {
                    if packet == Packet::Flush {
                        break 'report;
                    }
                    report.push(packet.line().to_owned());
                }
            }
            report
        } else {
            let mut report = Vec::new();
            loop {
                match conversation.packet().await? {
                    Packet::Flush => break report,
                    packet => report.push(packet.line().to_owned()),
                }
            }
        };
        Ok(match protocol::push_verdict(&report) {
            Ok(()) => Pushed::Accepted,
            Err(why) if said.trim().is_empty() => Pushed::Refused(why),
            Err(why) => Pushed::Refused(format!("{why}: {}", said.trim())),
        })
    }
}

/// How the server is met for one attempt: the head that it names, and the conversation to push in.
enum Meeting {
    Local,
    Remote(Box<Conversation>, Advertisement),
}

impl GitState {
    async fn meet(&self, address: &Address) -> Result<(Option<CommitSha>, Meeting), SourceError> {
        if let Address::Local(path) = address {
            let (url, path) = (self.repository.clone(), path.clone());
            let references = blocking(&self.repository, move || local::references(&url, &path)).await?;
            return Ok((self.head(&references)?, Meeting::Local));
        }
        let mut conversation =
            self.git.shared.network.open(&self.repository, address, Service::ReceivePack).await?;
        let Dialect::Version0(server) = conversation.greeting().await? else {
            return Err(denied(&self.repository, "the server takes pushes in no way that we know"));
        };
        Ok((self.head(&server.to_references())?, Meeting::Remote(Box::new(conversation), server)))
    }
}

#[async_trait]
impl StateStore for GitState {
    async fn files(&self) -> Result<Arc<FileTree>, SourceError> {
        let address = Git::address(&self.repository)?;
        let head = self.head(&self.git.references(&self.repository).await?)?;
        self.files_at(&address, head).await
    }

    async fn commit(&self, prepare: &Prepare<'_>) -> Result<Option<CommitSha>, SourceError> {
        let address = Git::address(&self.repository)?;
        let mut lost: Option<CommitSha> = None;
        let mut refused: Option<(Option<CommitSha>, String)> = None;
        for attempt in 1..=MOST_ATTEMPTS {
            let (head, mut meeting) = self.meet(&address).await?;
            if lost.is_some() && lost == head {
                return Ok(head);
            }
            if let Some((base, why)) = refused.take()
                && base == head
            {
                // Nobody was in the way: the server does not want it.
                return Err(denied(&self.repository, why));
            }
            let files = self.files_at(&address, head).await?;
            let Some(request) = prepare(&files) else {
                return Ok(None);
            };
            if self.is_head(&address, head, &request).await? {
                return Ok(head);
            }
            let prepared = self.prepare(&address, head, request).await?;
            let pushed = match (&address, &mut meeting) {
                (Address::Local(path), _) => self.push_local(path, head, prepared.commit).await,
                (_, Meeting::Remote(conversation, server)) => {
                    self.push(conversation, server, head, &prepared).await
                }
                (_, Meeting::Local) => {
                    Err(denied(&self.repository, "a remote repository was met as a local one"))
                }
            };
            match pushed {
                Ok(Pushed::Accepted) => return Ok(Some(prepared.commit)),
                Ok(Pushed::Refused(why)) => refused = Some((head, why)),
                // The answer did not come; the branch's next head tells whether the commit did.
                Err(SourceError::Unreachable { .. }) if attempt < MOST_ATTEMPTS => {
                    lost = Some(prepared.commit);
                }
                Err(error) => return Err(error),
            }
        }
        Err(SourceError::PushRaced {
            repository: self.repository.clone(),
            branch: self.branch.clone(),
            attempts: MOST_ATTEMPTS,
        })
    }
}

impl GitState {
    /// Whether the head is the very commit that is asked for, by its trailers.
    async fn is_head(
        &self,
        address: &Address,
        head: Option<CommitSha>,
        request: &CommitRequest,
    ) -> Result<bool, SourceError> {
        let (Some(head), false) = (head, request.trailers.is_empty()) else {
            return Ok(false);
        };
        let trailers = trailers(&request.trailers);
        let (address, repository) = (address.clone(), self.repository.clone());
        let mirror = self.git.mirror(&self.repository);
        blocking(&self.repository, move || {
            let objects = match &address {
                Address::Local(path) => local::open(&repository, path)?,
                _ => mirror.open()?,
            };
            let commit = objects
                .find_commit(oid(head))
                .map_err(|error| failure::mirror(&repository, error.message()))?;
            let message = String::from_utf8_lossy(commit.message_raw_bytes()).into_owned();
            Ok(message.trim_end().ends_with(&format!("\n\n{}", trailers.trim_end())))
        })
        .await
    }
}

fn trailers(trailers: &[(String, String)]) -> String {
    trailers.iter().fold(String::new(), |text, (name, value)| text + &format!("{name}: {value}\n"))
}

fn write_commit(
    objects: &Repository,
    head: Option<CommitSha>,
    request: &CommitRequest,
) -> Result<Prepared, git2::Error> {
    let parent = head.map(|head| objects.find_commit(oid(head))).transpose()?;
    let old = match &parent {
        Some(parent) => parent.tree()?,
        None => objects.find_tree(objects.treebuilder(None)?.write()?)?,
    };
    let mut update = TreeUpdateBuilder::new();
    for edit in &request.edits {
        match &edit.content {
            Some(content) => {
                update.upsert(edit.path.as_str(), objects.blob(content.as_bytes())?, FileMode::Blob);
            }
            None if old.get_path(std::path::Path::new(&edit.path)).is_ok() => {
                update.remove(edit.path.as_str());
            }
            None => {}
        }
    }
    let new = objects.find_tree(update.create_updated(objects, &old)?)?;
    let signature = Signature::new(&request.author.name, &request.author.email, &Time::new(request.time, 0))?;
    let message = format!("{}\n\n{}", request.message.trim_end(), trailers(&request.trailers));
    let message = format!("{}\n", message.trim_end());
    let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
    let commit = objects.commit(None, &signature, &signature, &message, &new, &parents)?;
    let mut new_objects = vec![commit];
    collect_new(objects, &new, parent.is_some().then_some(&old), &mut new_objects)?;
    let mut builder = objects.packbuilder()?;
    for object in new_objects {
        builder.insert_object(object, None)?;
    }
    let mut pack = git2::Buf::new();
    builder.write_buf(&mut pack)?;
    Ok(Prepared { commit: commit_sha(commit), pack: pack.to_vec() })
}

/// The trees and files that the old tree does not have: what the server lacks.
fn collect_new(
    objects: &Repository,
    new: &Tree<'_>,
    old: Option<&Tree<'_>>,
    found: &mut Vec<Oid>,
) -> Result<(), git2::Error> {
    found.push(new.id());
    for entry in new {
        let before = old.and_then(|old| old.iter().find(|before| before.name_bytes() == entry.name_bytes()));
        if before.as_ref().is_some_and(|before| before.id() == entry.id()) {
            continue;
        }
        match entry.kind() {
            Some(ObjectType::Tree) => {
                let before = before.filter(|before| before.kind() == Some(ObjectType::Tree));
                let before = before.map(|before| objects.find_tree(before.id())).transpose()?;
                collect_new(objects, &objects.find_tree(entry.id())?, before.as_ref(), found)?;
            }
            Some(ObjectType::Blob) => found.push(entry.id()),
            _ => {}
        }
    }
    Ok(())
}
