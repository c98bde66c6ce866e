//! Reading from a remote repository: its references, and the commits that a mirror lacks.

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::address::Address;
use super::conversation::{Conversation, Service, Wire};
use super::credentials::Credentials;
use super::failure::{denied, missing, unreachable};
use super::http::Http;
use super::mirror::{Mirror, PackPart};
use super::packet::Packet;
use super::protocol::{self, Advertisement, Dialect, Fetch};
use super::ssh::Ssh;
use super::tree::Limits;
use crate::adapters::sources::SourceError;
use crate::model::source::{CommitSha, References, RepositoryUrl};

/// What it takes to talk to any server.
#[derive(Debug, Clone)]
pub(super) struct Network {
    pub(super) client: reqwest::Client,
    pub(super) credentials: Credentials,
    pub(super) limits: Limits,
}

impl Network {
    /// Begins a conversation.
    pub(super) async fn open(
        &self,
        repository: &RepositoryUrl,
        address: &Address,
        service: Service,
    ) -> Result<Conversation, SourceError> {
        let wire = match address {
            Address::Local(_) => return Err(denied(repository, "a local repository is read in place")),
            Address::Http(base) => Wire::Http(Box::new(
                Http::open(&self.client, &self.credentials, repository, base, service).await?,
            )),
            Address::Ssh(address) => Wire::Ssh(Box::new(
                Ssh::open(&self.credentials, repository, address, service).await?,
            )),
        };
        Ok(Conversation::new(repository, wire))
    }

    /// Branches and tags.
    pub(super) async fn references(
        &self,
        repository: &RepositoryUrl,
        address: &Address,
    ) -> Result<References, SourceError> {
        let mut conversation = self.open(repository, address, Service::UploadPack).await?;
        match conversation.greeting().await? {
            Dialect::Version0(advertisement) => Ok(advertisement.to_references()),
            Dialect::Version2(capabilities) => {
                conversation
                    .send_for_list(protocol::list_request(&capabilities))
                    .await?;
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
        }
    }

    /// Brings a commit with its files into the mirror.
    pub(super) async fn fetch(
        &self,
        repository: &RepositoryUrl,
        address: &Address,
        mirror: &Mirror,
        reference: Option<&str>,
        commit: CommitSha,
    ) -> Result<(), SourceError> {
        let have = {
            let mirror = mirror.clone();
            blocking(repository, move || mirror.complete_commits()).await?
        };
        let mut conversation = self.open(repository, address, Service::UploadPack).await?;
        let fetch = Fetch {
            want: commit,
            have: &have,
            shallow: true,
        };
        let request = match conversation.greeting().await? {
            Dialect::Version2(capabilities) => protocol::fetch_request(fetch, &capabilities),
            Dialect::Version0(server) => {
                let fetch = version_0_fetch(repository, &server, reference, fetch)?;
                protocol::fetch_request_version_0(fetch, &server)
            }
        };
        conversation.send(request, self.limits.fetch_bytes).await?;
        receive(&mut conversation, repository, mirror).await?;
        let mirror = mirror.clone();
        let repository = repository.clone();
        blocking(&repository.clone(), move || {
            if !mirror.has(commit)? {
                return Err(missing(&repository, commit));
            }
            mirror.note_complete(commit)
        })
        .await
    }
}

/// What to ask a server of version 0 for: it may serve only what its references point to.
fn version_0_fetch<'a>(
    repository: &RepositoryUrl,
    server: &Advertisement,
    reference: Option<&str>,
    fetch: Fetch<'a>,
) -> Result<Fetch<'a>, SourceError> {
    if !server.can("side-band-64k") {
        return Err(denied(
            repository,
            "the server is too old: it cannot send a pack in bands",
        ));
    }
    let served = [
        "allow-tip-sha1-in-want",
        "allow-reachable-sha1-in-want",
        "allow-any-sha1-in-want",
    ];
    if server.references.values().any(|object| *object == fetch.want)
        || served.iter().any(|word| server.can(word))
    {
        return Ok(fetch);
    }
    // The commit is somewhere in a reference's history, which has to come in full then.
    let tip = reference
        .and_then(|name| server.references.get(name))
        .ok_or_else(|| missing(repository, fetch.want))?;
    Ok(Fetch {
        want: *tip,
        have: &[],
        shallow: false,
    })
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
    let written = writing
        .await
        .map_err(|error| super::failure::mirror(repository, error))?;
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
        let heading = [
            "shallow",
            "unshallow",
            "NAK",
            "ACK",
            "acknowledgments",
            "packfile",
            "wanted-refs",
            "ready",
        ];
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
    spawn_blocking(work)
        .await
        .map_err(|error| unreachable(repository, error))?
}
