//! Where schemas are: a document's URL and a JSON pointer in it, and the texts that refer to them.

use std::borrow::Cow;
use std::sync::Arc;

use super::json::Json;
use super::url::{Url, escape_segment, unescape};
use crate::value::convert::quote;

/// A place in a document.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    /// The document, shared by all places in it.
    pub(super) url: Arc<str>,
    pub(super) pointer: String,
}

impl Place {
    pub(super) fn new(url: &Arc<str>, pointer: &str) -> Self {
        Self { url: Arc::clone(url), pointer: pointer.to_owned() }
    }

    /// The value at this place of its document.
    pub(super) fn find<'j>(&self, document: &'j Json) -> Result<&'j Json, String> {
        let mut current = document;
        for token in self.pointer.as_bytes().split(|byte| *byte == b'/').skip(1) {
            // A pointer is text, and so is what stands between its slashes.
            let token = std::str::from_utf8(token).unwrap_or_default();
            let Some(token) = unescape_token(token) else {
                return Err(format!("invalid json-pointer {}", quote(self.to_string().as_bytes())));
            };
            let next = match current {
                Json::Map(map) => map.get(&*token),
                Json::List(items) => index_of(&token).and_then(|index| items.get(index)),
                _ => None,
            };
            current = next
                .ok_or_else(|| format!("json-pointer in {} not found", quote(self.to_string().as_bytes())))?;
        }
        Ok(current)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}#{}", self.url, encode(&self.pointer))
    }
}

/// As Go's `Atoi` reads an index.
fn index_of(token: &str) -> Option<usize> {
    token.parse::<i64>().ok().and_then(|index| usize::try_from(index).ok())
}

/// Splits at the first `#`.
pub(super) fn split(text: &str) -> (&str, &str) {
    text.split_once('#').unwrap_or((text, ""))
}

/// Splits off the fragment and undoes its escapes.
pub(super) fn split_fragment(text: &str) -> Result<(&str, String), String> {
    let (url, fragment) = split(text);
    match unescape(fragment) {
        Ok(fragment) => Ok((url, String::from_utf8_lossy(&fragment).into_owned())),
        Err(message) => Err(cannot_parse(text, &message)),
    }
}

pub(super) fn cannot_parse(text: &str, message: &str) -> String {
    format!("error in parsing {}: {message}", quote(text.as_bytes()))
}

/// The URL and the fragment that a reference means.
pub(super) fn join(base: &str, reference: &str) -> Result<(String, String), String> {
    let base_url = Url::parse(base).map_err(|message| cannot_parse(base, &message))?;
    let (reference, fragment) = split_fragment(reference)?;
    let url = Url::parse(reference).map_err(|message| cannot_parse(reference, &message))?;
    Ok((base_url.join(&url).to_string(), fragment))
}

/// Whether a fragment is a pointer; else it names an anchor.
pub(super) fn is_pointer(fragment: &str) -> bool {
    fragment.is_empty() || fragment.starts_with('/')
}

/// Escapes a fragment; slashes stay.
pub(super) fn encode(fragment: &str) -> String {
    if fragment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~$&+:=@/".contains(&byte)) {
        return fragment.to_owned();
    }
    fragment.split('/').map(escape_segment).collect::<Vec<_>>().join("/")
}

pub(super) fn escape_token(token: &str) -> Cow<'_, str> {
    if token.bytes().all(|byte| !matches!(byte, b'~' | b'/')) {
        return Cow::Borrowed(token);
    }
    token.replace('~', "~0").replace('/', "~1").into()
}

fn unescape_token(token: &str) -> Option<Cow<'_, str>> {
    let Some((plain, _)) = token.split_once('~') else { return Some(Cow::Borrowed(token)) };
    let mut out = plain.to_owned();
    let mut characters = token.get(plain.len()..)?.chars();
    while let Some(character) = characters.next() {
        out.push(match character {
            '~' => match characters.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return None,
            },
            other => other,
        });
    }
    Some(out.into())
}

/// A pointer one token further.
pub(super) fn below(pointer: &str, token: &str) -> String {
    let token = escape_token(token);
    let mut further = String::with_capacity(pointer.len() + 1 + token.len());
    further.push_str(pointer);
    further.push('/');
    further.push_str(&token);
    further
}
