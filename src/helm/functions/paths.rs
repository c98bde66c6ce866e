//! Paths and URLs, always with slashes. No file system is touched.

use super::{Function, Outcome, Type, text, value};
use crate::failure::Failure;
use crate::template::machine::Machine;
use crate::value::{Map, Text, Value};

use Type::{Dict, Text as Str};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("base", &[Str], |_, a| Ok(Value::text(base(&text(a, 0))))),
    Function::new("osBase", &[Str], |_, a| Ok(Value::text(base(&text(a, 0))))),
    Function::new("dir", &[Str], |_, a| Ok(Value::text(directory(&text(a, 0))))),
    Function::new("osDir", &[Str], |_, a| Ok(Value::text(directory(&text(a, 0))))),
    Function::new("clean", &[Str], |_, a| Ok(Value::text(clean(&text(a, 0))))),
    Function::new("osClean", &[Str], |_, a| Ok(Value::text(clean(&text(a, 0))))),
    Function::new("ext", &[Str], |_, a| Ok(Value::text(extension(&text(a, 0))))),
    Function::new("osExt", &[Str], |_, a| Ok(Value::text(extension(&text(a, 0))))),
    Function::new("isAbs", &[Str], |_, a| Ok(Value::Bool(text(a, 0).starts_with(b"/")))),
    Function::new("osIsAbs", &[Str], |_, a| Ok(Value::Bool(text(a, 0).starts_with(b"/")))),
    Function::new("urlParse", &[Str], url_parse),
    Function::new("urlJoin", &[Dict], url_join),
];

/// Go's `path.Base`.
pub(crate) fn base(path: &[u8]) -> Vec<u8> {
    if path.is_empty() {
        return b".".to_vec();
    }
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    if end == 0 {
        return b"/".to_vec();
    }
    let trimmed = path.get(..end).unwrap_or(path);
    trimmed.rsplit(|byte| *byte == b'/').next().unwrap_or(trimmed).to_vec()
}

fn directory(path: &[u8]) -> Vec<u8> {
    let end = memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1);
    clean(path.get(..end).unwrap_or(&[]))
}

fn extension(path: &[u8]) -> Vec<u8> {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    memchr::memrchr(b'.', name).map_or_else(Vec::new, |dot| name.get(dot..).unwrap_or(&[]).to_vec())
}

/// Go's `path.Clean`.
pub(crate) fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = path.first() == Some(&b'/');
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match parts.last() {
                Some(last) if *last != b"..".as_slice() => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(part),
            },
            _ => parts.push(part),
        }
    }
    let joined = parts.join(b"/".as_slice());
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/".as_slice(), &joined].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

struct Url {
    scheme: Text,
    userinfo: Option<Text>,
    host: Text,
    path: Text,
    opaque: Text,
    query: Text,
    fragment: Text,
}

fn unescape(text: &[u8], plus: bool) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut index = 0;
    while let Some(byte) = text.get(index) {
        match byte {
            b'%' => {
                let digits =
                    text.get(index + 1..index + 3).and_then(|digits| std::str::from_utf8(digits).ok());
                let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) else {
                    let shown = text.get(index..(index + 3).min(text.len())).unwrap_or(&[]);
                    return Err(format!("invalid URL escape {}", crate::value::convert::quote(shown)));
                };
                out.push(byte);
                index += 3;
                continue;
            }
            b'+' if plus => out.push(b' '),
            _ => out.push(*byte),
        }
        index += 1;
    }
    Ok(out)
}

fn parse(url: &[u8]) -> Result<Url, String> {
    let (rest, fragment) = match memchr::memchr(b'#', url) {
        Some(hash) => (url.get(..hash).unwrap_or(&[]), url.get(hash + 1..).unwrap_or(&[])),
        None => (url, [].as_slice()),
    };
    if rest.iter().any(|byte| *byte < 0x20 || *byte == 0x7F) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let mut scheme = Vec::new();
    let mut rest = rest;
    for (index, byte) in rest.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if index > 0 => {}
            b':' if index == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => {
                scheme = rest.get(..index).unwrap_or(&[]).to_ascii_lowercase();
                rest = rest.get(index + 1..).unwrap_or(&[]);
                break;
            }
            _ => break,
        }
    }
    let (mut rest, query) = match memchr::memchr(b'?', rest) {
        Some(mark) => (rest.get(..mark).unwrap_or(&[]), rest.get(mark + 1..).unwrap_or(&[])),
        None => (rest, [].as_slice()),
    };
    let mut url = Url {
        scheme: Text::from(scheme.clone()),
        userinfo: None,
        host: Text::from(""),
        path: Text::from(""),
        opaque: Text::from(""),
        query: Text::from(query),
        fragment: Text::from(unescape(fragment, false)?),
    };
    if !rest.starts_with(b"/") {
        if !scheme.is_empty() {
            url.opaque = Text::from(rest);
            return Ok(url);
        }
        let first = rest.split(|byte| *byte == b'/').next().unwrap_or(&[]);
        if first.contains(&b':') {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
    }
    if let Some(after) = rest.strip_prefix(b"//") {
        let end = memchr::memchr(b'/', after).unwrap_or(after.len());
        let authority = after.get(..end).unwrap_or(&[]);
        rest = after.get(end..).unwrap_or(&[]);
        let host = match memchr::memrchr(b'@', authority) {
            Some(at) => {
                url.userinfo = Some(Text::from(authority.get(..at).unwrap_or(&[])));
                authority.get(at + 1..).unwrap_or(&[])
            }
            None => authority,
        };
        if host.contains(&b' ') {
            return Err("invalid character \" \" in host name".to_owned());
        }
        if let Some(colon) = memchr::memrchr(b':', host)
            && !host.ends_with(b"]")
        {
            let port = host.get(colon..).unwrap_or(&[]);
            if !port.iter().skip(1).all(u8::is_ascii_digit) {
                let shown = crate::value::convert::quote(port);
                return Err(format!("invalid port {shown} after host"));
            }
        }
        url.host = Text::from(unescape(host, false)?);
    }
    url.path = Text::from(unescape(rest, false)?);
    Ok(url)
}

fn url_parse(_: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let given = text(arguments, 0);
    let url = parse(&given).map_err(|message| {
        Failure::new(format!(
            "unable to parse url: parse {}: {message}",
            crate::value::convert::quote(&given)
        ))
    })?;
    let hostname = {
        let host = url.host.bytes();
        let bare = match (host.first(), memchr::memchr(b']', host)) {
            (Some(b'['), Some(close)) => host.get(1..close).unwrap_or(host),
            _ => host.split(|byte| *byte == b':').next().unwrap_or(host),
        };
        Text::from(bare)
    };
    Ok(Value::Map(Map::from_pairs([
        ("scheme", Value::Text(url.scheme)),
        ("host", Value::Text(url.host)),
        ("hostname", Value::Text(hostname)),
        ("path", Value::Text(url.path)),
        ("query", Value::Text(url.query)),
        ("opaque", Value::Text(url.opaque)),
        ("fragment", Value::Text(url.fragment)),
        ("userinfo", Value::Text(url.userinfo.unwrap_or_else(|| Text::from("")))),
    ])))
}

fn escape_path(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    for byte in path {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@!'()*".contains(byte) {
            out.push(*byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    out
}

fn url_join(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let Value::Map(parts) = value(arguments, 0) else {
        return Ok(Value::text(""));
    };
    let part = |name: &str| -> Result<Vec<u8>, Failure> {
        match parts.get(name.as_bytes()) {
            None => Ok(Vec::new()),
            Some(Value::Text(text)) => Ok(text.to_vec()),
            Some(Value::Nil) => Err(Failure::new(format!(
                "unable to parse {name} key, must be of type string, but <nil> found"
            ))),
            Some(other) => Err(Failure::new(format!(
                "unable to parse {name} key, must be of type string, but {} found",
                other.type_name(machine.v3())
            ))),
        }
    };
    let (scheme, host, path, query, opaque, fragment, userinfo) = (
        part("scheme")?,
        part("host")?,
        part("path")?,
        part("query")?,
        part("opaque")?,
        part("fragment")?,
        part("userinfo")?,
    );
    let mut out = Vec::new();
    if !scheme.is_empty() {
        out.extend_from_slice(&scheme);
        out.push(b':');
    }
    if opaque.is_empty() {
        if !scheme.is_empty() || !host.is_empty() || !userinfo.is_empty() {
            if !host.is_empty() || !path.is_empty() || !userinfo.is_empty() {
                out.extend_from_slice(b"//");
            }
            if !userinfo.is_empty() {
                out.extend_from_slice(&userinfo);
                out.push(b'@');
            }
            out.extend_from_slice(&host);
        }
        if !path.is_empty() && path.first() != Some(&b'/') && !host.is_empty() {
            out.push(b'/');
        }
        out.extend_from_slice(&escape_path(&path));
    } else {
        out.extend_from_slice(&opaque);
    }
    if !query.is_empty() {
        out.push(b'?');
        out.extend_from_slice(&query);
    }
    if !fragment.is_empty() {
        out.push(b'#');
        out.extend_from_slice(&escape_path(&fragment));
    }
    Ok(Value::text(out))
}
