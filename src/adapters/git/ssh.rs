//! Git over SSH: one connection and one command each time, to a host whose key is known beforehand.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use russh::client::{self, Handle, Msg};
use russh::keys::ssh_key::Algorithm;
use russh::keys::{
    HashAlg, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate, known_hosts, load_secret_key,
};
use russh::{Channel, ChannelMsg, Preferred};
use tokio::time::timeout;

use super::conversation::{CONNECTING, SILENCE, Service, absent};
use super::failure::{denied, unreachable};
use crate::adapters::address::SshAddress;
use crate::adapters::credentials::{CredentialEntry, Credentials};
use crate::adapters::sources::SourceError;
use crate::model::source::RepositoryUrl;

/// No more of what the server's programs complain about is kept.
const COMPLAINT_LIMIT: usize = 4000;

/// A conversation over SSH.
pub(super) struct Ssh {
    repository: RepositoryUrl,
    channel: Channel<Msg>,
    complaint: String,
    /// The connection lives as long as this.
    _connection: Handle<KnownHost>,
}

impl std::fmt::Debug for Ssh {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Ssh").field("repository", &self.repository).finish_non_exhaustive()
    }
}

impl Ssh {
    /// Connects and starts the service.
    pub(super) async fn open(
        credentials: &Credentials,
        repository: &RepositoryUrl,
        address: &SshAddress,
        service: Service,
    ) -> Result<Self, SourceError> {
        let entry = credentials
            .for_ssh(address)
            .ok_or_else(|| denied(repository, "no entry of `credentials` has a key for this address"))?;
        let started = async {
            let connection = connect(repository, address, entry).await?;
            let channel = start(&connection, &address.path, service).await;
            let channel = channel.map_err(|error| unreachable(repository, error))?;
            Ok((connection, channel))
        };
        let (connection, channel) = timeout(CONNECTING, started)
            .await
            .map_err(|_| unreachable(repository, "the server did not take the connection in time"))??;
        Ok(Self {
            repository: repository.clone(),
            channel,
            complaint: String::new(),
            _connection: connection,
        })
    }

    /// Sends a request.
    pub(super) async fn send(&mut self, request: Vec<u8>) -> Result<(), SourceError> {
        match timeout(SILENCE, self.channel.data_bytes(request)).await {
            Err(_) => Err(unreachable(&self.repository, "the server stopped listening")),
            Ok(Err(error)) => Err(unreachable(&self.repository, error)),
            Ok(Ok(())) => Ok(()),
        }
    }

    /// The next piece of what the server says, or nothing at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, SourceError> {
        loop {
            let message = timeout(SILENCE, self.channel.wait()).await;
            match message.map_err(|_| unreachable(&self.repository, "the server fell silent"))? {
                Some(ChannelMsg::Data { data }) => return Ok(Some(data)),
                Some(ChannelMsg::ExtendedData { data, .. }) if self.complaint.len() < COMPLAINT_LIMIT => {
                    self.complaint.push_str(&String::from_utf8_lossy(&data));
                }
                Some(ChannelMsg::ExitStatus { exit_status }) if exit_status != 0 => {
                    return Err(self.failure().await);
                }
                None | Some(ChannelMsg::Close) => {
                    return if self.complaint.trim().is_empty() {
                        Ok(None)
                    } else {
                        Err(self.failure().await)
                    };
                }
                Some(_) => {}
            }
        }
    }

    /// What the server's program complained about; some of it may arrive after its end.
    async fn failure(&mut self) -> SourceError {
        while let Ok(Some(message)) = timeout(CONNECTING, self.channel.wait()).await {
            match message {
                ChannelMsg::ExtendedData { data, .. } if self.complaint.len() < COMPLAINT_LIMIT => {
                    self.complaint.push_str(&String::from_utf8_lossy(&data));
                }
                ChannelMsg::Close => break,
                _ => {}
            }
        }
        if absent(&self.complaint) {
            return crate::adapters::sources::SourceError::Absent { repository: self.repository.clone() };
        }
        let complaint = self.complaint.trim();
        denied(
            &self.repository,
            if complaint.is_empty() { "the server refused the command" } else { complaint },
        )
    }
}

async fn start(
    connection: &Handle<KnownHost>,
    path: &str,
    service: Service,
) -> Result<Channel<Msg>, russh::Error> {
    let channel = connection.channel_open_session().await?;
    if service == Service::UploadPack {
        // Many servers do not accept it, and then speak version 0.
        channel.set_env(false, "GIT_PROTOCOL", "version=2").await?;
    }
    channel.exec(false, format!("{} {}", service.name(), quoted(path))).await?;
    Ok(channel)
}

async fn connect(
    repository: &RepositoryUrl,
    address: &SshAddress,
    entry: &CredentialEntry,
) -> Result<Handle<KnownHost>, SourceError> {
    let path = entry.ssh_key_file.clone().unwrap_or_default();
    let key = load_secret_key(&path, None)
        .map_err(|error| denied(repository, format!("the key {} cannot be used: {error}", path.display())))?;
    let known = known_keys(address, entry)
        .map_err(|error| denied(repository, format!("the known hosts cannot be read: {error}")))?;
    let place =
        entry.known_hosts_file.as_ref().map_or("~/.ssh/known_hosts".into(), |path| path.to_string_lossy());
    if known.is_empty() {
        let host = &address.host;
        return Err(denied(repository, format!("the host {host} is not known: add its key to {place}")));
    }
    let algorithms = algorithms(&known);
    let preferred = Preferred { key: Cow::Owned(algorithms), ..Preferred::default() };
    let config = client::Config {
        preferred,
        keepalive_interval: Some(SILENCE / 2),
        nodelay: true,
        ..client::Config::default()
    };
    let connected =
        client::connect(Arc::new(config), (address.host.as_str(), address.port), KnownHost { known }).await;
    let mut connection = connected.map_err(|error| match error {
        russh::Error::UnknownKey | russh::Error::NoCommonAlgo { .. } => denied(
            repository,
            format!("the host's key is not the one in {place}: somebody may be in between"),
        ),
        error => unreachable(repository, error),
    })?;
    let user = address.user.as_deref().or(entry.username.as_deref()).unwrap_or("git");
    let failed = |error: russh::Error| unreachable(repository, error);
    let hash = connection.best_supported_rsa_hash().await.map_err(failed)?.flatten();
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
    let answer = connection.authenticate_publickey(user, key).await.map_err(failed)?;
    if !answer.success() {
        return Err(denied(
            repository,
            format!("the server does not let {user} in with the key {}", path.display()),
        ));
    }
    Ok(connection)
}

fn known_keys(address: &SshAddress, entry: &CredentialEntry) -> Result<Vec<PublicKey>, russh::keys::Error> {
    let keys = match &entry.known_hosts_file {
        Some(path) => known_hosts::known_host_keys_path(&address.host, address.port, path)?,
        None => known_hosts::known_host_keys(&address.host, address.port)?,
    };
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

/// Asks for the kinds of keys that we know of the host, or it would show another one.
fn algorithms(known: &[PublicKey]) -> Vec<Algorithm> {
    let mut algorithms = Vec::new();
    for key in known {
        let wanted = match key.algorithm() {
            Algorithm::Rsa { .. } => {
                [HashAlg::Sha512, HashAlg::Sha256].map(|hash| Algorithm::Rsa { hash: Some(hash) }).to_vec()
            }
            other => vec![other],
        };
        for algorithm in wanted {
            if !algorithms.contains(&algorithm) {
                algorithms.push(algorithm);
            }
        }
    }
    algorithms
}

/// Accepts the keys that are known, and learns none.
#[derive(Debug)]
struct KnownHost {
    known: Vec<PublicKey>,
}

impl client::Handler for KnownHost {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                self.known.iter().any(|known| known.key_data() == key.key_data())
            }
            PublicKeyOrCertificate::Certificate(_) => false,
        })
    }
}

/// The path as one word of the server's shell.
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_whatever_is_in_it() {
        for (path, word) in
            [("/a b.git", "'/a b.git'"), ("a'; rm -rf '", r"'a'\''; rm -rf '\'''"), ("$(x)", "'$(x)'")]
        {
            assert_eq!(quoted(path), word);
        }
    }
}
