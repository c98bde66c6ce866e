//! Where a repository is: its address taken apart, in the form in which it is compared and connected to.

use std::path::PathBuf;

use reqwest::Url;

use crate::model::source::RepositoryUrl;

/// A repository's address, by how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// On this machine.
    Local(PathBuf),
    /// Over HTTP or HTTPS.
    Http(Url),
    /// Over SSH.
    Ssh(SshAddress),
}

/// What an SSH connection needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SshAddress {
    /// The user, if the address names one.
    pub(super) user: Option<String>,
    /// The host.
    pub(super) host: String,
    /// The port.
    pub(super) port: u16,
    /// The path as the server is told it.
    pub(super) path: String,
}

/// Why a text that looks like an address is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidAddress {
    /// It does not parse.
    #[error("the address is not a valid URL")]
    NotAnUrl,
    /// A URL with a query or a fragment.
    #[error("the address must not have a query or a fragment")]
    Query,
    /// Nothing where the host should be.
    #[error("the address has no host")]
    NoHost,
    /// A path with an encoded separator or control character, or a user or host like an option.
    #[error("the address has a part that could be taken for something else")]
    Ambiguous,
}

impl Address {
    /// Takes an address apart.
    pub(super) fn parse(repository: &RepositoryUrl) -> Result<Self, InvalidAddress> {
        let text = repository.as_str();
        if !text.contains("://") {
            return if repository.is_local() { Ok(Self::Local(text.into())) } else { scp_like(text) };
        }
        let url = Url::parse(text).map_err(|_| InvalidAddress::NotAnUrl)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidAddress::Query);
        }
        match url.scheme() {
            "file" => url.to_file_path().map(Self::Local).map_err(|()| InvalidAddress::NotAnUrl),
            "ssh" => ssh(&url),
            _ => Ok(Self::Http(url)),
        }
    }
}

fn ssh(url: &Url) -> Result<Address, InvalidAddress> {
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(InvalidAddress::NoHost)?;
    let path = percent_decoded(url.path()).ok_or(InvalidAddress::Ambiguous)?;
    // `/~user/x` is below that user's home, as Git has it.
    let path = path.strip_prefix('/').filter(|path| path.starts_with('~')).unwrap_or(&path);
    let user = percent_decoded(url.username()).ok_or(InvalidAddress::Ambiguous)?;
    checked(SshAddress {
        user: Some(user).filter(|user| !user.is_empty()),
        host: host.trim_matches(['[', ']']).to_ascii_lowercase(),
        port: url.port().unwrap_or(22),
        path: path.to_owned(),
    })
}

fn scp_like(text: &str) -> Result<Address, InvalidAddress> {
    let (authority, path) = text.split_once(':').ok_or(InvalidAddress::NotAnUrl)?;
    let (user, host) =
        authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    if host.is_empty() || path.is_empty() {
        return Err(InvalidAddress::NoHost);
    }
    checked(SshAddress {
        user: user.map(str::to_owned),
        host: host.to_ascii_lowercase(),
        port: 22,
        path: path.to_owned(),
    })
}

fn checked(address: SshAddress) -> Result<Address, InvalidAddress> {
    let like_an_option = |text: &str| text.starts_with('-');
    let unsafe_path = address.path.split('/').any(|segment| segment == "..");
    let controls = |text: &str| text.chars().any(char::is_control);
    if unsafe_path
        || [&address.host, &address.path]
            .into_iter()
            .chain(&address.user)
            .any(|text| like_an_option(text) || controls(text))
    {
        return Err(InvalidAddress::Ambiguous);
    }
    Ok(Address::Ssh(address))
}

/// The text without percent escapes, or nothing if they hide a separator, a control character or no text at all.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let value = digit()? * 16 + digit()?;
        let decoded = u8::try_from(value).ok()?;
        if decoded == b'/' || decoded.is_ascii_control() {
            return None;
        }
        bytes.push(decoded);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Address, InvalidAddress> {
        Address::parse(&text.parse().unwrap())
    }

    fn ssh_parts(text: &str) -> (Option<String>, String, u16, String) {
        match parse(text) {
            Ok(Address::Ssh(address)) => (address.user, address.host, address.port, address.path),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn each_form_is_reached_in_its_way() {
        assert_eq!(parse("/srv/a.git"), Ok(Address::Local("/srv/a.git".into())));
        assert_eq!(parse("file:///srv/a%20b"), Ok(Address::Local("/srv/a b".into())));
        assert!(matches!(parse("https://h/a"), Ok(Address::Http(_))));
        let git = Some("git".to_owned());
        assert_eq!(ssh_parts("git@H:g/r.git"), (git.clone(), "h".into(), 22, "g/r.git".into()));
        assert_eq!(ssh_parts("ssh://git@h:2222/g/r"), (git, "h".into(), 2222, "/g/r".into()));
        assert_eq!(ssh_parts("ssh://h/~me/r"), (None, "h".into(), 22, "~me/r".into()));
    }

    #[test]
    fn addresses_that_mislead_are_refused() {
        for (text, why) in [
            ("https://h/a?b=c", InvalidAddress::Query),
            ("https://h/a#b", InvalidAddress::Query),
            ("ssh://h/a%2fb", InvalidAddress::Ambiguous),
            ("ssh://h/a%0ab", InvalidAddress::Ambiguous),
            ("git@h:a/../b", InvalidAddress::Ambiguous),
            ("ssh://%2Dx@h/a", InvalidAddress::Ambiguous),
            ("https://[::1/a", InvalidAddress::NotAnUrl),
        ] {
            assert_eq!(parse(text), Err(why), "{text}");
        }
    }
}
