//! Reading from a remote repository: its references, and the commits that a mirror lacks.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::conversation::{Conversation, Service, Wire};
use super::failure::{denied, missing, unreachable};
use super::http::Http;
use super::mirror::{Mirror, PackPart};
use super::packet::Packet;
use super::protocol::{self, Advertisement, Depth, Dialect, Fetch};
use super::ssh::Ssh;
use super::tree::Limits;
use crate::adapters::address::Address;
use crate::adapters::credentials::Credentials;
use crate::adapters::sources::SourceError;
use crate::model::source::{CommitSha, References, RepositoryUrl};

/// No list of references takes longer.
const LONGEST_LISTING: Duration = Duration::from_mins(2);
/// No fetch takes longer.
const LONGEST_FETCH: Duration = Duration::from_mins(20);

/// What it takes to talk to any server.
#[derive(Debug)]
pub(super) struct Network {
    client: reqwest::Client,
    credentials: Credentials,
    pub(super) limits: Limits,
    /// Servers that take commands at once: the first words, asked for once, are left out from then on.
    known: Mutex<HashMap<RepositoryUrl, Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    base: reqwest::Url,
    capabilities: Vec<String>,
}

/// A conversation that has begun: what the server can do is known.
struct Begun {
    conversation: Conversation,
    dialect: Dialect,
    resumed: bool,
}

impl Network {
    pub(super) fn new(client: reqwest::Client, credentials: Credentials, limits: Limits) -> Self {
        Self { client, credentials, limits, known: Mutex::default() }
    }

    /// Begins a conversation in which the server speaks first.
    pub(super) async fn open(
        &self,
        repository: &RepositoryUrl,
        address: &Address,
        service: Service,
    ) -> Result<Conversation, SourceError> {
        let wire = match address {
            Address::Local(_) => return Err(denied(repository, "a local repository is read in place")),
            Address::Http(base) => {
                let http = Http::open(&self.client, &self.credentials, repository, base, service).await?;
                Wire::Http(Box::new(http))
            }
            Address::Ssh(address) => {
                Wire::Ssh(Box::new(Ssh::open(&self.credentials, repository, address, service).await?))
            }
        };
        Ok(Conversation::new(repository, wire))
    }

    async fn begin(&self, repository: &RepositoryUrl, address: &Address) -> Result<Begun, SourceError> {
        let service = Service::UploadPack;
        if let Some(known) = self.known().get(repository).cloned() {
            let http = Http::resume(&self.client, &self.credentials, repository, &known.base, service);
            let conversation = Conversation::new(repository, Wire::Http(Box::new(http)));
            return Ok(Begun { conversation, dialect: Dialect::Version2(known.capabilities), resumed: true });
        }
        let mut conversation = self.open(repository, address, service).await?;
        let dialect = conversation.greeting().await?;
        if let (Some(base), Dialect::Version2(capabilities)) = (conversation.base(), &dialect) {
            let known = Known { base: base.clone(), capabilities: capabilities.clone() };
            self.known().insert(repository.clone(), known);
        }
        Ok(Begun { conversation, dialect, resumed: false })
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<RepositoryUrl, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a failure may come of what we remember of the server; it is forgotten then.
    fn forgets(&self, repository: &RepositoryUrl, resumed: bool, error: &SourceError) -> bool {
        let to_blame = resumed && matches!(error, SourceError::Denied { .. } | SourceError::Missing { .. });
        if to_blame {
            self.known().remove(repository);
        }
        to_blame
    }

    /// Branches and tags.
    pub(super) async fn references(
        &self,
        repository: &RepositoryUrl,
        address: &Address,
    ) -> Result<References, SourceError> {
        let listing = async {
            let begun = self.begin(repository, address).await?;
            let resumed = begun.resumed;
            match list(begun).await {
                Err(error) if self.forgets(repository, resumed, &error) => {
                    list(self.begin(repository, address).await?).await
                }
                listed => listed,
            }
        };
        in_time(repository, LONGEST_LISTING, listing).await
    }

    /// Brings a commit with its files, or with all of its history, into the mirror.
    pub(super) async fn fetch(
        &self,
        repository: &RepositoryUrl,
        address: &Address,
        mirror: &Mirror,
        wanted: (Option<&str>, CommitSha),
        depth: Depth,
    ) -> Result<(), SourceError> {
        let (reference, commit) = wanted;
        let have = {
            let mirror = mirror.clone();
            blocking(repository, move || mirror.complete_commits()).await?
        };
        let fetch = Fetch { want: commit, have: &have, depth };
        let fetching = async {
            let begun = self.begin(repository, address).await?;
            let resumed = begun.resumed;
            match self.receive(begun, repository, mirror, reference, fetch).await {
                Err(error) if self.forgets(repository, resumed, &error) => {
                    let begun = self.begin(repository, address).await?;
                    self.receive(begun, repository, mirror, reference, fetch).await
                }
                received => received,
            }
        };
        in_time(repository, LONGEST_FETCH, fetching).await?;
        let (mirror, url) = (mirror.clone(), repository.clone());
        blocking(repository, move || {
            if !mirror.has(commit)? {
                return Err(missing(&url, commit));
            }
            mirror.note_complete(commit)
        })
        .await
    }

    async fn receive(
        &self,
        mut begun: Begun,
        repository: &RepositoryUrl,
        mirror: &Mirror,
        reference: Option<&str>,
        fetch: Fetch<'_>,
    ) -> Result<(), SourceError> {
        let request = match &begun.dialect {
            Dialect::Version2(capabilities) => protocol::fetch_request(fetch, capabilities),
            Dialect::Version0(server) => {
                let fetch = version_0_fetch(repository, server, reference, fetch)?;
                protocol::fetch_request_version_0(fetch, server)
            }
        };
        begun.conversation.send(request, self.limits.fetch_bytes).await?;
        receive(&mut begun.conversation, repository, mirror).await
    }
}

async fn list(begun: Begun) -> Result<References, SourceError> {
    let Begun { mut conversation, dialect, .. } = begun;
    let capabilities = match dialect {
        Dialect::Version0(advertisement) => return Ok(advertisement.to_references()),
        Dialect::Version2(capabilities) => capabilities,
    };
    conversation.send_for_list(protocol::list_request(&capabilities)).await?;
    let mut references = References::default();
    loop {
        let packet = conversation.packet().await?;
        if packet == Packet::Flush {
            return Ok(references);
        }
        let added = protocol::add_listed(&mut references, packet.line());
        added.map_err(|error| conversation.misunderstood(error))?;
    }
}

async fn in_time<T>(
    repository: &RepositoryUrl,
    longest: Duration,
    work: impl Future<Output = Result<T, SourceError>>,
) -> Result<T, SourceError> {
    let ended = tokio::time::timeout(longest, work).await;
    ended.map_err(|_| unreachable(repository, format!("no end after {} minutes", longest.as_secs() / 60)))?
}

/// What to ask a server of version 0 for: it may serve only what its references point to.
fn version_0_fetch<'a>(
    repository: &RepositoryUrl,
    server: &Advertisement,
    reference: Option<&str>,
    fetch: Fetch<'a>,
) -> Result<Fetch<'a>, SourceError> {
    if !server.can("side-band-64k") {
        return Err(denied(repository, "the server is too old: it cannot send a pack in bands"));
    }
    let served = ["allow-tip-sha1-in-want", "allow-reachable-sha1-in-want", "allow-any-sha1-in-want"];
    if server.references.values().any(|object| *object == fetch.want)
        || served.iter().any(|word| server.can(word))
    {
        return Ok(fetch);
    }
    // The commit is somewhere in a reference's history, which has to come in full then.
    let tip = reference
        .and_then(|name| server.references.get(name))
        .ok_or_else(|| missing(repository, fetch.want))?;
    let depth = if fetch.depth == Depth::History { Depth::History } else { Depth::Everything };
    let have = if depth == Depth::History { fetch.have } else { &[] };
    Ok(Fetch { want: *tip, have, depth })
}

/// Passes the pack on to the mirror while it arrives.
async fn receive(
    conversation: &mut Conversation,
    repository: &RepositoryUrl,
    mirror: &Mirror,
) -> Result<(), SourceError> {
    let first = pack_beginning(conversation).await?;
    let (sender, receiver) = mpsc::channel(16);
    let writing = {
        let mirror = mirror.clone();
        spawn_blocking(move || mirror.take_pack(receiver))
    };
    let passed = pass_on(conversation, first, &sender).await;
    drop(sender);
    let written = writing.await.map_err(|error| super::failure::mirror(repository, error))?;
    // A writer that failed is why the passing on did, too.
    written?;
    passed
}

async fn pass_on(
    conversation: &mut Conversation,
    first: bytes::Bytes,
    sender: &mpsc::Sender<PackPart>,
) -> Result<(), SourceError> {
    let mut said = String::new();
    let mut content = Some(first);
    while let Some(bytes) = content {
        if sender.send(PackPart::Bytes(bytes)).await.is_err() {
            return Ok(());
        }
        content = conversation.content(&mut said).await?;
    }
    // Nobody listens any more only if the writer failed, which it tells itself.
    drop(sender.send(PackPart::End).await);
    Ok(())
}

/// Reads up to the first content of the pack: cut-off points of history, acknowledgements and headings come before.
async fn pack_beginning(conversation: &mut Conversation) -> Result<bytes::Bytes, SourceError> {
    loop {
        let packet = conversation.packet().await?;
        let Packet::Data(content) = &packet else { continue };
        let heading =
            ["shallow", "unshallow", "NAK", "ACK", "acknowledgments", "packfile", "wanted-refs", "ready"];
        if heading.iter().any(|word| packet.line().starts_with(word)) {
            continue;
        }
        if content.first() == Some(&1) {
            return Ok(content.slice(1..));
        }
        if content.first() == Some(&2) {
            continue;
        }
        return Err(conversation.misunderstood(protocol::UnexpectedLine));
    }
}

/// Runs what blocks on a thread that may.
pub(super) async fn blocking<T: Send + 'static>(
    repository: &RepositoryUrl,
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    spawn_blocking(work).await.map_err(|error| unreachable(repository, error))?
}
