//! One conversation with a Git server, whatever carries it: requests go out, packets come back.

use std::time::Duration;

use bytes::Bytes;

use super::failure::{denied, missing, unreachable};
use super::http::Http;
use super::packet::{Band, Decoder, Packet, band};
use super::protocol::{Advertisement, Dialect, UnexpectedLine, other_object_format};
use super::ssh::Ssh;
use crate::adapters::sources::SourceError;
use crate::model::source::RepositoryUrl;

/// A server that says nothing for so long is gone.
pub(super) const SILENCE: Duration = Duration::from_secs(30);
/// A server that does not take a connection for so long is not there.
pub(super) const CONNECTING: Duration = Duration::from_secs(10);
/// Lists of references above this size are refused.
const LIST_LIMIT: usize = 64 << 20;

/// The side of Git that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// References and objects come to us.
    UploadPack,
    /// Objects go to the server.
    ReceivePack,
}

impl Service {
    /// The program's name, as every transport spells it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }
}

/// What carries the conversation.
#[derive(Debug)]
pub(super) enum Wire {
    /// A request and an answer each.
    Http(Box<Http>),
    /// A channel both ways.
    Ssh(Box<Ssh>),
}

/// A conversation in progress.
#[derive(Debug)]
pub(super) struct Conversation {
    repository: RepositoryUrl,
    wire: Wire,
    decoder: Decoder,
    received: usize,
    limit: usize,
}

impl Conversation {
    /// Begins with the server's first words still to be read.
    pub(super) fn new(repository: &RepositoryUrl, wire: Wire) -> Self {
        Self {
            repository: repository.clone(),
            wire,
            decoder: Decoder::default(),
            received: 0,
            limit: LIST_LIMIT,
        }
    }

    /// Where the server has led us, if it is one of HTTP.
    pub(super) fn base(&self) -> Option<&reqwest::Url> {
        match &self.wire {
            Wire::Http(http) => Some(http.base()),
            Wire::Ssh(_) => None,
        }
    }

    /// Sends a request; what follows is its answer, of which so many bytes are taken.
    pub(super) async fn send(&mut self, request: Vec<u8>, limit: usize) -> Result<(), SourceError> {
        self.received = 0;
        self.limit = limit;
        match &mut self.wire {
            Wire::Http(http) => {
                self.decoder = Decoder::default();
                http.send(request).await
            }
            Wire::Ssh(ssh) => ssh.send(request).await,
        }
    }

    /// Sends a request whose answer is a list.
    pub(super) async fn send_for_list(&mut self, request: Vec<u8>) -> Result<(), SourceError> {
        self.send(request, LIST_LIMIT).await
    }

    /// The next packet; an answer that ends before it is a failure. A server's refusal is one too.
    pub(super) async fn packet(&mut self) -> Result<Packet, SourceError> {
        loop {
            if let Some(packet) = self.decoder.next().map_err(|error| denied(&self.repository, error))? {
                return match packet.line().strip_prefix("ERR ") {
                    Some(refusal) => Err(self.refusal(refusal)),
                    None => Ok(packet),
                };
            }
            let piece = match &mut self.wire {
                Wire::Http(http) => http.chunk().await?,
                Wire::Ssh(ssh) => ssh.chunk().await?,
            };
            let piece = piece.ok_or_else(|| unreachable(&self.repository, "the answer ended too early"))?;
            self.received = self.received.saturating_add(piece.len());
            if self.received > self.limit {
                let limit = self.limit >> 20;
                return Err(denied(&self.repository, format!("the answer passes the limit of {limit} MiB")));
            }
            self.decoder.feed(&piece);
        }
    }

    /// The next packet of a stream with bands: content, or nothing at its end.
    pub(super) async fn content(&mut self, said: &mut String) -> Result<Option<Bytes>, SourceError> {
        loop {
            let Packet::Data(packet) = self.packet().await? else {
                return Ok(None);
            };
            match band(packet).map_err(|error| denied(&self.repository, error))? {
                Band::Content(content) => return Ok(Some(content)),
                Band::Progress(text) => said.push_str(&text),
                Band::Fatal(reason) => return Err(self.refusal(&reason)),
            }
        }
    }

    /// Reads the server's first words.
    pub(super) async fn greeting(&mut self) -> Result<Dialect, SourceError> {
        let mut packet = self.packet().await?;
        if packet.line().starts_with("# service=") {
            // HTTP puts the service's name and the end of a list before it.
            self.packet().await?;
            packet = self.packet().await?;
        }
        let dialect = if packet.line() == "version 2" {
            let mut capabilities = Vec::new();
            while let Packet::Data(_) = {
                packet = self.packet().await?;
                &packet
            } {
                capabilities.push(packet.line().to_owned());
            }
            Dialect::Version2(capabilities)
        } else {
            Dialect::Version0(self.advertisement(packet).await?)
        };
        let capabilities = match &dialect {
            Dialect::Version0(advertisement) => &advertisement.capabilities,
            Dialect::Version2(capabilities) => capabilities,
        };
        if let Some(format) = other_object_format(capabilities) {
            return Err(denied(&self.repository, format!("the object format {format} is not supported")));
        }
        Ok(dialect)
    }

    async fn advertisement(&mut self, first: Packet) -> Result<Advertisement, SourceError> {
        let mut advertisement = Advertisement::default();
        let mut packet = first;
        while packet != Packet::Flush {
            if packet.line() != "version 1" {
                advertisement.add(packet.line()).map_err(|error| self.misunderstood(error))?;
            }
            packet = self.packet().await?;
        }
        Ok(advertisement)
    }

    /// A line that makes no sense.
    pub(super) fn misunderstood(&self, error: UnexpectedLine) -> SourceError {
        denied(&self.repository, error)
    }

    fn refusal(&self, reason: &str) -> SourceError {
        if reason.contains("not our ref") {
            missing(&self.repository, reason.rsplit(' ').next().unwrap_or(reason))
        } else if absent(reason) {
            crate::adapters::sources::SourceError::Absent { repository: self.repository.clone() }
        } else {
            denied(&self.repository, reason)
        }
    }
}

/// Whether a server's words mean that there is no such repository.
pub(super) fn absent(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    ["not found", "does not exist", "does not appear to be a git repository", "no such file or directory"]
        .iter()
        .any(|words| reason.contains(words))
}
