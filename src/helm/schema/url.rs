//! URLs as Go's net/url reads, joins and writes them; of a URL the parts are kept as they are
//! written. The messages are Go's.

use super::format::internet;
use crate::value::convert::quote;

/// A URL in its parts; without a fragment.
#[derive(Clone, Debug, Default)]
pub(super) struct Url {
    pub(super) scheme: String,
    /// What stands instead of authority and path: `urn:` and its kin.
    opaque: String,
    /// User and host, after `//`.
    authority: Option<String>,
    path: String,
    query: Option<String>,
}

impl Url {
    /// Reads a URL; the message comes with `parse "...": ` before it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        Self::parse_as(text, false)
    }

    /// Reads a URL; Go before 1.26 was less strict with hosts.
    pub(super) fn parse_as(text: &str, old: bool) -> Result<Self, String> {
        Self::parts(text, old).map_err(|message| format!("parse {}: {message}", quote(text.as_bytes())))
    }

    fn parts(text: &str, old: bool) -> Result<Self, String> {
        if text.bytes().any(|byte| byte < 0x20 || byte == 0x7F) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        let mut url = Self::default();
        let (scheme, rest) = scheme(text)?;
        url.scheme = scheme.to_ascii_lowercase();
        let (mut rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query.to_owned())),
            None => (rest, None),
        };
        url.query = query;
        if !rest.starts_with('/') {
            if !url.scheme.is_empty() {
                rest.clone_into(&mut url.opaque);
                return Ok(url);
            }
            if rest.split('/').next().is_some_and(|first| first.contains(':')) {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        if let Some(after) = rest.strip_prefix("//") {
            let end = after.find('/').unwrap_or(after.len());
            let (authority, path) = after.split_at(end);
            check_authority(&url.scheme, authority, old)?;
            url.authority = Some(authority.to_owned());
            rest = path;
        }
        unescape(rest)?;
        rest.clone_into(&mut url.path);
        Ok(url)
    }

    pub(super) fn is_absolute(&self) -> bool {
        !self.scheme.is_empty()
    }

    /// The host as it is written, with its port.
    pub(super) fn host(&self) -> &str {
        let authority = self.authority.as_deref().unwrap_or("");
        authority.rsplit_once('@').map_or(authority, |(_, host)| host)
    }

    /// The path as it is written, where that says more than the path itself does.
    pub(super) fn raw_path(&self) -> &str {
        if escape_path(&unescape(&self.path).unwrap_or_default()) == self.path { "" } else { &self.path }
    }

    /// The URL that `reference` means where this one is the base.
    pub(super) fn join(&self, reference: &Self) -> Self {
        let mut url = reference.clone();
        if url.scheme.is_empty() {
            url.scheme.clone_from(&self.scheme);
        }
        if reference.is_absolute()
            || reference.authority.as_deref().is_some_and(|authority| !authority.is_empty())
        {
            url.path = resolve_path(&reference.escaped_path(), "");
            return url;
        }
        if reference.path.is_empty() {
            if url.query.is_none() {
                url.query.clone_from(&self.query);
            }
            if !self.opaque.is_empty() {
                url.opaque.clone_from(&self.opaque);
                return url;
            }
        }
        url.authority.clone_from(&self.authority);
        url.opaque.clone_from(&self.opaque);
        url.path = resolve_path(&self.escaped_path(), &reference.escaped_path());
        url
    }

    fn escaped_path(&self) -> String {
        let written = self
            .path
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!$&'()*+,;=:@[]%/-_.~".contains(&byte));
        if written { self.path.clone() } else { escape_path(&unescape(&self.path).unwrap_or_default()) }
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_absolute() {
            write!(out, "{}:", self.scheme)?;
        }
        if self.opaque.is_empty() {
            let path = self.escaped_path();
            let host = self.authority.as_deref().unwrap_or("");
            let omitted = self.authority.is_none() && self.path.starts_with('/');
            let named = !host.is_empty() || (self.is_absolute() && !path.is_empty());
            if named && !omitted {
                out.write_str("//")?;
            }
            out.write_str(host)?;
            if !path.is_empty() && !path.starts_with('/') && !host.is_empty() {
                out.write_str("/")?;
            }
            out.write_str(&path)?;
        } else {
            out.write_str(&self.opaque)?;
        }
        match &self.query {
            Some(query) => write!(out, "?{query}"),
            None => Ok(()),
        }
    }
}

fn scheme(text: &str) -> Result<(&str, &str), String> {
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if index > 0 => {}
            b':' if index == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok((text.get(..index).unwrap_or(""), text.get(index + 1..).unwrap_or(""))),
            _ => break,
        }
    }
    Ok(("", text))
}

fn check_authority(scheme: &str, authority: &str, old: bool) -> Result<(), String> {
    let Some((user, host)) = authority.rsplit_once('@') else {
        return check_host(scheme, authority, old);
    };
    check_host(scheme, host, old)?;
    if !user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte)) {
        return Err("net/url: invalid userinfo".to_owned());
    }
    unescape(user).map(drop)
}

fn check_host(scheme: &str, host: &str, old: bool) -> Result<(), String> {
    match host.rfind('[') {
        Some(0) => return check_literal(host, old),
        Some(_) if !old => return Err("invalid IP-literal".to_owned()),
        _ => {}
    }
    if let (Some(first), Some(last)) = (host.find(':'), host.rfind(':')) {
        let colon = if matches!(scheme, "http" | "https") && !old { first } else { last };
        check_port(host.get(colon..).unwrap_or(""))?;
    }
    check_host_bytes(host)
}

fn check_literal(host: &str, old: bool) -> Result<(), String> {
    let Some(close) = host.rfind(']') else {
        return Err("missing ']' in host".to_owned());
    };
    check_port(host.get(close + 1..).unwrap_or(""))?;
    let name = host.get(1..close).unwrap_or("");
    match name.split_once("%25") {
        Some((address, _)) => check_host_bytes(address)?,
        None => check_host_bytes(name)?,
    }
    if old {
        return Ok(());
    }
    let name = String::from_utf8_lossy(&unescape(name)?).into_owned();
    internet::parse(&name).map_err(|message| format!("invalid host: {message}"))?;
    if name.contains(':') { Ok(()) } else { Err("invalid IP-literal".to_owned()) }
}

fn check_port(port: &str) -> Result<(), String> {
    let fits = port.is_empty()
        || port.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    if fits { Ok(()) } else { Err(format!("invalid port {} after host", quote(port.as_bytes()))) }
}

fn check_host_bytes(host: &str) -> Result<(), String> {
    let bytes = host.as_bytes();
    for (index, byte) in bytes.iter().enumerate() {
        if *byte == b'%' {
            let shown = bytes.get(index..(index + 3).min(bytes.len())).unwrap_or(&[]);
            let code = hex_byte(shown);
            if code.is_none_or(|code| code < 0x80) && shown != b"%25" {
                return Err(format!("invalid URL escape {}", quote(shown)));
            }
        } else if byte.is_ascii()
            && !byte.is_ascii_alphanumeric()
            && !b"-_.~!$&'()*+,;=:[]<>\"".contains(byte)
        {
            return Err(format!("invalid character {} in host name", quote(&[*byte])));
        }
    }
    Ok(())
}

fn hex_byte(escape: &[u8]) -> Option<u8> {
    let digits = escape.get(1..3).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Undoes percent escapes.
pub(super) fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(byte) = bytes.get(index) {
        if *byte == b'%' {
            let shown = bytes.get(index..(index + 3).min(bytes.len())).unwrap_or(&[]);
            let Some(code) = hex_byte(shown) else {
                return Err(format!("invalid URL escape {}", quote(shown)));
            };
            out.push(code);
            index += 3;
        } else {
            out.push(*byte);
            index += 1;
        }
    }
    Ok(out)
}

/// Escapes what may not stand in a text, besides letters, digits and `kept`.
fn escape(text: &[u8], kept: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text {
        if byte.is_ascii_alphanumeric() || kept.contains(byte) {
            out.push(char::from(*byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn escape_path(path: &[u8]) -> String {
    escape(path, b"-_.~$&+,/:;=@")
}

/// Escapes one segment of a path.
pub(super) fn escape_segment(segment: &str) -> String {
    escape(segment.as_bytes(), b"-_.~$&+:=@")
}

fn resolve_path(base: &str, reference: &str) -> String {
    let full = if reference.is_empty() {
        base.to_owned()
    } else if reference.starts_with('/') {
        reference.to_owned()
    } else {
        let end = base.rfind('/').map_or(0, |slash| slash + 1);
        format!("{}{reference}", base.get(..end).unwrap_or(""))
    };
    if full.is_empty() {
        return full;
    }
    let mut out = String::from("/");
    let (mut first, mut last) = (true, "");
    for element in full.split('/') {
        last = element;
        match element {
            "." => first = false,
            ".." => {
                let cut = out.get(1..).and_then(|rest| rest.rfind('/')).map_or(1, |slash| slash + 1);
                out.truncate(cut);
                first = out.len() == 1;
            }
            _ => {
                if !first {
                    out.push('/');
                }
                out.push_str(element);
                first = false;
            }
        }
    }
    if matches!(last, "." | "..") {
        out.push('/');
    }
    match out.strip_prefix('/') {
        Some(rest) if rest.starts_with('/') => rest.to_owned(),
        _ => out,
    }
}

#[cfg(test)]
mod tests {
    use super::Url;

    #[test]
    fn references_are_joined() {
        for (base, reference, expected) in [
            ("file:///values.schema.json", "", "file:///values.schema.json"),
            ("file:///values.schema.json", "other.json", "file:///other.json"),
            ("http://a/b/c.json?q", "../d", "http://a/d"),
            ("http://a/b/c.json", "//x/y", "http://x/y"),
            ("http://a/b/c.json", "?z", "http://a/b/c.json?z"),
            ("urn:x:y", "", "urn:x:y"),
            ("http://a/b", "a b", "http://a/a%20b"),
        ] {
            let parse = |text| Url::parse(text).expect("a URL");
            assert_eq!(parse(base).join(&parse(reference)).to_string(), expected, "{base} {reference}");
        }
    }

    #[test]
    fn complaints_are_those_of_go() {
        for (text, expected) in [
            ("http://[::1", "parse \"http://[::1\": missing ']' in host"),
            ("a b:c", "parse \"a b:c\": first path segment in URL cannot contain colon"),
            ("%zz", "parse \"%zz\": invalid URL escape \"%zz\""),
            ("http://a:b", "parse \"http://a:b\": invalid port \":b\" after host"),
        ] {
            assert_eq!(Url::parse(text).expect_err("no URL"), expected);
        }
    }
}
