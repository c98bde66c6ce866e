//! Edits of `versions.yaml`: one value each, everything else stays as people wrote it. A file whose form does not allow
//! that is refused, and each edit is proved by reading the file before and after.

use std::collections::BTreeMap;

use serde_yaml::Value;

use crate::model::image::ImageDigest;
use crate::model::name::ServiceName;
use crate::model::source::CommitSha;

/// What becomes of one pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinEdit {
    /// The service is pinned to this commit, and to these images where digests are given: by repository, or by the empty
    /// text where the service has one image.
    Pin {
        /// The commit.
        commit: CommitSha,
        /// Digests.
        digests: BTreeMap<String, ImageDigest>,
    },
    /// The pin goes.
    Unpin,
}

/// Why a file cannot be edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It is no map of services.
    #[error("{file} cannot be read: {message}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        message: String,
    },
    /// The pin is written in a form that a text edit would break.
    #[error(
        "{file}:{line}: the pin of {service} is not written as `{service}: <commit>` or `{service}: {{commit: …, digest: …}}`; write it so, and try again"
    )]
    Form {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The service.
        service: ServiceName,
    },
    /// The file is written in a form in which pins have no lines of their own.
    #[error(
        "{file}: pins must stand on lines of their own, as `{service}: <commit>`; write the file so, and try again"
    )]
    File {
        /// The file.
        file: String,
        /// The service that was to be pinned.
        service: ServiceName,
    },
}

/// Carries edits out on the text of `versions.yaml`; an absent file begins empty.
///
/// # Errors
/// The file cannot be read, or is not in a form in which one value can be changed alone.
pub fn edit_pins(
    file: &str,
    text: &str,
    edits: &BTreeMap<ServiceName, PinEdit>,
) -> Result<String, EditError> {
    let mut wanted = read(file, text)?;
    let mut edited = text.to_owned();
    for (service, edit) in edits {
        let key = Value::from(service.as_str());
        match edit {
            PinEdit::Pin { commit, digests } => {
                wanted.insert(key, pin_value(*commit, digests));
            }
            PinEdit::Unpin => drop(wanted.remove(&key)),
        }
        edited = edit_one(file, &edited, service, edit)?;
    }
    // Whatever the form: what is read afterwards is what was meant, or nothing is written.
    let broken = || EditError::File {
        file: file.to_owned(),
        service: edits.keys().next().cloned().unwrap_or_else(ServiceName::environment),
    };
    if read(file, &edited).map_err(|_| broken())? != wanted {
        return Err(broken());
    }
    Ok(edited)
}

fn read(file: &str, text: &str) -> Result<serde_yaml::Mapping, EditError> {
    let unreadable = |message: String| EditError::Unreadable { file: file.to_owned(), message };
    match serde_yaml::from_str(text).map_err(|error| unreadable(error.to_string()))? {
        Value::Mapping(map) => Ok(map),
        Value::Null => Ok(serde_yaml::Mapping::new()),
        _ => Err(unreadable("it is no map of services".to_owned())),
    }
}

fn pin_value(commit: CommitSha, digests: &BTreeMap<String, ImageDigest>) -> Value {
    let commit = commit.to_string();
    if digests.is_empty() {
        return Value::from(commit);
    }
    let mut map = serde_yaml::Mapping::new();
    map.insert("commit".into(), commit.into());
    match digests.get("").filter(|_| digests.len() == 1) {
        Some(digest) => drop(map.insert("digest".into(), digest.to_string().into())),
        None => {
            let entries =
                digests.iter().map(|(name, digest)| (name.as_str().into(), digest.to_string().into()));
            map.insert("digests".into(), Value::Mapping(entries.collect()));
        }
    }
    Value::Mapping(map)
}

/// A pin as it is written on one line. Commits of digits alone would be numbers without quotes.
fn pin_text(commit: CommitSha, digests: &BTreeMap<String, ImageDigest>) -> String {
    let commit = format!("\"{commit}\"");
    if digests.is_empty() {
        return commit;
    }
    match digests.get("").filter(|_| digests.len() == 1) {
        Some(digest) => format!("{{commit: {commit}, digest: \"{digest}\"}}"),
        None => {
            let each: Vec<String> =
                digests.iter().map(|(name, digest)| format!("\"{name}\": \"{digest}\"")).collect();
            format!("{{commit: {commit}, digests: {{{}}}}}", each.join(", "))
        }
    }
}

fn edit_one(file: &str, text: &str, service: &ServiceName, edit: &PinEdit) -> Result<String, EditError> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let Some(at) = lines.iter().position(|line| key_of(line) == Some(service.as_str())) else {
        return match edit {
            PinEdit::Unpin => Ok(text.to_owned()),
            PinEdit::Pin { commit, digests } => {
                Ok(with_line(text, service, &format!("{service}: {}", pin_text(*commit, digests))))
            }
        };
    };
    let form = || EditError::Form { file: file.to_owned(), line: at + 1, service: service.clone() };
    // Lines below that belong to it: a map in lines of its own.
    let below = lines[at + 1..].iter().take_while(|line| line.starts_with([' ', '\t'])).count();
    let written = Written::of(lines[at]).ok_or_else(form)?;
    if (written.value.is_empty()) != (below > 0) {
        return Err(form());
    }
    let replaced = match edit {
        PinEdit::Unpin => String::new(),
        PinEdit::Pin { commit, digests } => {
            let plain = digests.is_empty() && !written.value.starts_with(['"', '\'', '{']) && below == 0;
            let commit_text = commit.to_string();
            // Written without quotes before, it stays so, unless it would be read as a number.
            let number = commit_text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'e');
            let value = if plain && !number { commit_text } else { pin_text(*commit, digests) };
            let gap = if written.gap.is_empty() { " " } else { written.gap };
            format!("{}:{gap}{value}{}", written.key, written.rest)
        }
    };
    let before: String = lines[..at].concat();
    let after: String = lines[at + 1 + below..].concat();
    Ok(format!("{before}{replaced}{after}"))
}

/// The key of a line at the left edge.
fn key_of(line: &str) -> Option<&str> {
    let (key, _) = line.split_once(':')?;
    let bare = |key: &'_ str| !key.starts_with([' ', '\t', '#', '-', '{', '[', '&', '?']);
    let key = key.trim_end();
    let unquoted = |quote| key.strip_prefix(quote).and_then(|key: &str| key.strip_suffix(quote));
    bare(key).then(|| unquoted('"').or_else(|| unquoted('\'')).unwrap_or(key))
}

/// A line in its parts: key, what stands between colon and value, the value, and what follows it.
struct Written<'a> {
    key: &'a str,
    gap: &'a str,
    value: &'a str,
    rest: &'a str,
}

impl<'a> Written<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let (key, behind) = line.split_once(':')?;
        let start = behind.len() - behind.trim_start_matches([' ', '\t']).len();
        let (gap, value) = behind.split_at(start);
        let length = value_length(value)?;
        let (value, rest) = value.split_at(length);
        let tail = rest.trim();
        (tail.is_empty() || tail.starts_with('#')).then_some(Self { key, gap, value, rest })
    }
}

/// How long the value at the beginning of a text is, if it is a scalar or a map on one line.
fn value_length(text: &str) -> Option<usize> {
    match text.chars().next() {
        None | Some('\n' | '\r' | '#') => Some(0),
        Some(quote @ ('"' | '\'')) => Some(text[1..].find(quote)? + 2),
        Some('{') => {
            let mut depth = 0_usize;
            text.char_indices().find_map(|(at, letter)| {
                match letter {
                    '{' => depth += 1,
                    '}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                (letter == '}' && depth == 0).then_some(at + 1)
            })
        }
        Some(letter) if letter.is_ascii_alphanumeric() => {
            Some(text.find([' ', '\t', '\n', '\r']).unwrap_or(text.len()))
        }
        Some(_) => None,
    }
}

/// A new line: in its place where the pins are sorted, else at the end.
fn with_line(text: &str, service: &ServiceName, line: &str) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let keys: Vec<(usize, &str)> =
        lines.iter().enumerate().filter_map(|(at, line)| Some((at, key_of(line)?))).collect();
    let sorted = keys.windows(2).all(|pair| pair[0].1 < pair[1].1);
    let after = keys.iter().find(|(_, key)| *key > service.as_str());
    match after.filter(|_| sorted) {
        Some((at, _)) => {
            // Comments right above a pin belong to it.
            let own = lines[..*at].iter().rev().take_while(|line| line.trim_start().starts_with('#')).count();
            // But those at the head of the file are about the file.
            let own = if own == *at { 0 } else { own };
            format!("{}{line}\n{}", lines[..at - own].concat(), lines[at - own..].concat())
        }
        None => {
            let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            format!("{text}{end}{line}\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = "89abcdef0123456789abcdef0123456789abcdef";

    fn pin() -> PinEdit {
        PinEdit::Pin { commit: NEW.parse().unwrap(), digests: BTreeMap::new() }
    }

    fn with_digest() -> PinEdit {
        let digests = BTreeMap::from([(String::new(), ImageDigest::of(b"image"))]);
        PinEdit::Pin { commit: NEW.parse().unwrap(), digests }
    }

    fn edited(text: &str, service: &str, edit: PinEdit) -> Result<String, EditError> {
        edit_pins("versions.yaml", text, &BTreeMap::from([(service.parse().unwrap(), edit)]))
    }

    #[test]
    fn one_value_changes_and_all_else_stays() {
        for (before, after) in [
            (
                "# pins\nweb: 0123456789abcdef0123456789abcdef01234567 # since May\napi: 1123456789abcdef0123456789abcdef01234567\n",
                "# pins\nweb: NEW # since May\napi: 1123456789abcdef0123456789abcdef01234567\n",
            ),
            ("web:   \"0123456789abcdef0123456789abcdef01234567\"\r\n", "web:   \"NEW\"\r\n"),
            ("'web': '0123456789abcdef0123456789abcdef01234567'", "'web': \"NEW\""),
            (
                "web: {commit: \"0123456789abcdef0123456789abcdef01234567\", digest: \"sha256:aa\"} # x\n",
                "web: \"NEW\" # x\n",
            ),
            (
                "web:\n  commit: 0123456789abcdef0123456789abcdef01234567\n  # why\n  digest: sha256:aa\napi: x\n",
                "web: \"NEW\"\napi: x\n",
            ),
            // A new pin stands where the order of the others wants it, with its neighbours' comments left to them.
            ("api: x\n# about zoo\nzoo: y\n", "api: x\nweb: \"NEW\"\n# about zoo\nzoo: y\n"),
            ("zoo: x\napi: y\n", "zoo: x\napi: y\nweb: \"NEW\"\n"),
            ("# head\nzoo: x", "# head\nweb: \"NEW\"\nzoo: x"),
            ("", "web: \"NEW\"\n"),
            ("# nothing yet\n", "# nothing yet\nweb: \"NEW\"\n"),
        ] {
            assert_eq!(edited(before, "web", pin()).unwrap(), after.replace("NEW", NEW), "{before}");
        }
    }

    #[test]
    fn a_pin_with_a_digest_is_a_map_on_its_line() {
        let after = edited("web: 0123456789abcdef0123456789abcdef01234567\n", "web", with_digest()).unwrap();
        let digest = ImageDigest::of(b"image");
        assert_eq!(after, format!("web: {{commit: \"{NEW}\", digest: \"{digest}\"}}\n"));
        let back = edited(&after, "web", pin()).unwrap();
        assert_eq!(back, format!("web: \"{NEW}\"\n"));
    }

    #[test]
    fn a_pin_goes_with_its_lines() {
        let before = "api: x\nweb:\n  commit: y\nzoo: z\n";
        assert_eq!(edited(before, "web", PinEdit::Unpin).unwrap(), "api: x\nzoo: z\n");
        assert_eq!(edited("api: x\n", "web", PinEdit::Unpin).unwrap(), "api: x\n");
    }

    #[test]
    fn a_commit_of_digits_alone_stays_a_text() {
        let digits = "0123456789012345678901234567890123456789";
        let edit = PinEdit::Pin { commit: digits.parse().unwrap(), digests: BTreeMap::new() };
        let after = edited("web: 0123456789abcdef0123456789abcdef01234567\n", "web", edit).unwrap();
        assert_eq!(after, format!("web: \"{digits}\"\n"));
    }

    #[test]
    fn other_forms_are_refused() {
        for before in [
            "{web: 0123456789abcdef0123456789abcdef01234567}\n",
            "web: &a 0123456789abcdef0123456789abcdef01234567\napi: *a\n",
            "web: >-\n  0123456789abcdef0123456789abcdef01234567\n",
            "? web\n: 0123456789abcdef0123456789abcdef01234567\n",
            "- web\n",
            "web: [\n",
        ] {
            assert!(edited(before, "web", pin()).is_err(), "{before}");
        }
        let form = edited("api: x\nweb: &a y\n", "web", pin()).unwrap_err();
        assert!(form.to_string().starts_with("versions.yaml:2: the pin of web"), "{form}");
    }
}
