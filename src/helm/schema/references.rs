//! Where the references of a schema lead. Helm follows all of them before it looks at any value, and stops at the first
//! one that leads nowhere.

use std::collections::BTreeSet;
use std::collections::VecDeque;

use serde_json::{Map, Value as Json};

use super::find_anchor;

/// The address under which Helm knows a chart's schema.
pub(super) const HOME: &str = "file:///values.schema.json";

/// Keywords with one schema.
const SINGLE: &[&str] = &[
    "not",
    "if",
    "then",
    "else",
    "items",
    "additionalItems",
    "additionalProperties",
    "propertyNames",
    "contains",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords with a list of schemas.
const LISTS: &[&str] = &["allOf", "anyOf", "oneOf", "items", "prefixItems"];
/// Keywords with schemas under names.
const NAMED: &[&str] = &["properties", "patternProperties", "dependencies", "dependentSchemas"];

/// The schemas of schemas, which Helm has at hand; whatever a chart has in its values, they are not checked here.
const META_SCHEMAS: &[&str] = &["http://json-schema.org/draft-0", "https://json-schema.org/draft/20"];
static ANYTHING: Json = Json::Bool(true);

/// Where a reference leads.
pub(super) enum Target<'s> {
    /// To a part of the schema itself.
    Part(&'s Json),
    /// To a name that nobody resolves; Helm 4 lets every value pass there, and warns.
    Unnamed(String),
    /// Nowhere, with Helm's message.
    Nowhere(String),
}

/// A schema whose references are followed.
#[derive(Clone, Copy)]
pub(super) struct References<'s> {
    pub(super) root: &'s Json,
    /// Before 2019-09 a reference hides the keywords beside it.
    pub(super) alone: bool,
    /// Whether names that nobody resolves let every value pass.
    pub(super) lenient: bool,
}

impl<'s> References<'s> {
    /// Follows all references that the schema can come to; gives the names that nobody resolves.
    pub(super) fn follow(self) -> Result<Vec<String>, String> {
        let mut unnamed = Vec::new();
        let mut seen = BTreeSet::new();
        let mut queue = VecDeque::from([self.root]);
        while let Some(schema) = queue.pop_front() {
            let Some(rules) = schema.as_object() else { continue };
            if let Some(reference) = rules.get("$ref").and_then(Json::as_str) {
                if seen.insert(reference) {
                    match self.target(reference) {
                        Target::Part(part) => queue.push_back(part),
                        Target::Unnamed(name) if self.lenient => unnamed.push(name),
                        Target::Unnamed(name) => return Err(no_loader(&name)),
                        Target::Nowhere(message) => return Err(message),
                    }
                }
                if self.alone {
                    continue;
                }
            }
            queue.extend(parts(rules));
        }
        unnamed.dedup();
        Ok(unnamed)
    }

    /// Where a reference leads.
    pub(super) fn target(self, reference: &str) -> Target<'s> {
        if let Some(fragment) = reference.strip_prefix('#') {
            return self.within(self.root, fragment);
        }
        let (address, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let address = absolute(address, self.base());
        if address == HOME || address == self.base() {
            return self.within(self.root, fragment);
        }
        if META_SCHEMAS.iter().any(|start| address.starts_with(start)) {
            return Target::Part(&ANYTHING);
        }
        match self.part_called(self.root, &address, 0) {
            Some(part) => self.within(part, fragment),
            None => unreached(&address),
        }
    }

    /// The address that relative references start from.
    fn base(self) -> &'s str {
        let own = ["$id", "id"].iter().find_map(|key| self.root.get(*key)).and_then(Json::as_str);
        own.filter(|address| address.contains("://")).map_or(HOME, |address| address.trim_end_matches('#'))
    }

    fn within(self, whole: &'s Json, fragment: &str) -> Target<'s> {
        if fragment.is_empty() {
            return Target::Part(whole);
        }
        if fragment.starts_with('/') {
            return match whole.pointer(&unescaped(fragment)) {
                Some(part) => Target::Part(part),
                None => Target::Nowhere(format!("json-pointer in \"{HOME}#{fragment}\" not found")),
            };
        }
        match find_anchor(whole, fragment, 0) {
            Some(part) => Target::Part(part),
            None => Target::Nowhere(format!(
                "anchor in \"{}#{fragment}\" not found in schema \"{HOME}\"",
                self.base()
            )),
        }
    }

    /// The part of the schema that has this address of its own.
    fn part_called(self, json: &'s Json, address: &str, depth: usize) -> Option<&'s Json> {
        if depth > super::DEPTH {
            return None;
        }
        match json {
            Json::Object(rules) => {
                let own = rules.get("$id").and_then(Json::as_str);
                if own.is_some_and(|own| absolute(own, self.base()) == address) {
                    return Some(json);
                }
                rules.values().find_map(|part| self.part_called(part, address, depth + 1))
            }
            Json::Array(items) => items.iter().find_map(|part| self.part_called(part, address, depth + 1)),
            _ => None,
        }
    }
}

/// The schemas inside a schema.
fn parts(rules: &Map<String, Json>) -> impl Iterator<Item = &Json> {
    let single = SINGLE.iter().filter_map(|key| rules.get(*key));
    let listed = LISTS.iter().filter_map(|key| rules.get(*key)).filter_map(Json::as_array).flatten();
    let named = NAMED.iter().filter_map(|key| rules.get(*key)).filter_map(Json::as_object);
    listed.chain(single).chain(named.flat_map(Map::values))
}

fn no_loader(address: &str) -> String {
    format!("failing loading \"{address}\": no URLLoader registered for \"{address}\"")
}

/// What Helm says of an address outside of the schema; nothing is read from there.
fn unreached<'s>(address: &str) -> Target<'s> {
    let (scheme, rest) = address.split_once(':').unwrap_or(("", address));
    let (host, path) = match rest.strip_prefix("//").map(|rest| rest.split_once('/').unwrap_or((rest, ""))) {
        Some((host, path)) => (host, path),
        None => ("", rest),
    };
    Target::Nowhere(match scheme {
        "urn" => return Target::Unnamed(address.to_owned()),
        "file" => {
            format!("failing loading \"{address}\": open /{}: no such file or directory", unescaped(path))
        }
        "http" | "https" => format!(
            "failing loading \"{address}\": HTTP request failed for {address}: Get \"{address}\": dial tcp: lookup {host}: no such host"
        ),
        _ => no_loader(address),
    })
}

/// An address as seen from a base.
fn absolute(address: &str, base: &str) -> String {
    let escaped = address.replace(' ', "%20");
    let has_scheme = escaped.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    });
    if address.is_empty() {
        return base.to_owned();
    }
    if has_scheme {
        return escaped;
    }
    let authority = base.find("://").map_or(0, |at| at + 3);
    let root = base.get(authority..).and_then(|rest| rest.find('/')).map_or(base.len(), |at| authority + at);
    let (site, path) = base.split_at(root);
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let whole = if escaped.starts_with('/') { escaped } else { format!("{folder}/{escaped}") };
    let mut steps: Vec<&str> = Vec::new();
    for step in whole.split('/').skip(1) {
        match step {
            "." => {}
            ".." => {
                steps.pop();
            }
            _ => steps.push(step),
        }
    }
    format!("{site}/{}", steps.join("/"))
}

/// A text without percent signs' escapes; what is no escape stays.
fn unescaped(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| text.get(text.len() - after.len()..)?.get(..2)).flatten();
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = after.get(2..).unwrap_or(&[]);
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{References, absolute};

    fn followed(schema: &str) -> Result<Vec<String>, String> {
        let root = serde_json::from_str(schema).expect("a schema");
        References { root: &root, alone: false, lenient: true }.follow()
    }

    #[test]
    fn references_that_lead_nowhere() {
        let cases = [
            (
                r##"{"$ref": "#/definitions/gone"}"##,
                r#"json-pointer in "file:///values.schema.json#/definitions/gone" not found"#,
            ),
            (
                r##"{"items": {"$ref": "#gone"}}"##,
                r#"anchor in "file:///values.schema.json#gone" not found in schema "file:///values.schema.json""#,
            ),
            (
                r#"{"allOf": [{"$ref": "more/a b.json#/x"}]}"#,
                r#"failing loading "file:///more/a%20b.json": open /more/a b.json: no such file or directory"#,
            ),
            (
                r#"{"not": {"$ref": "file://../values.schema.json"}}"#,
                r#"failing loading "file://../values.schema.json": open /values.schema.json: no such file or directory"#,
            ),
            (
                r#"{"if": {"$ref": "ftp://example/x"}}"#,
                r#"failing loading "ftp://example/x": no URLLoader registered for "ftp://example/x""#,
            ),
        ];
        for (schema, message) in cases {
            assert_eq!(followed(schema), Err(message.to_owned()), "{schema}");
        }
    }

    #[test]
    fn references_that_are_followed() {
        let cases = [
            r##"{"properties": {"a": {"$ref": "#"}}}"##,
            r##"{"$ref": "values.schema.json#/x~1y%25", "x/y%": {"$ref": "#"}}"##,
            r#"{"$id": "https://example/s.json", "$ref": "s.json#/$defs/a", "$defs": {"a": true}}"#,
            r#"{"definitions": {"unused": {"$ref": "gone.json"}}}"#,
        ];
        for schema in cases {
            assert_eq!(followed(schema), Ok(Vec::new()), "{schema}");
        }
        let named = r#"{"$ref": "part.json", "$defs": {"a": {"$id": "part.json", "$ref": "gone.json"}}}"#;
        assert!(followed(named).is_err_and(|message| message.contains("gone.json")), "{named}");
        assert_eq!(followed(r#"{"$ref": "urn:a:b"}"#), Ok(vec!["urn:a:b".to_owned()]));
    }

    #[test]
    fn addresses() {
        let base = "https://example/a/b.json";
        assert_eq!(absolute("../c.json", base), "https://example/c.json");
        assert_eq!(absolute("/c.json", base), "https://example/c.json");
        assert_eq!(absolute("", base), base);
    }
}
