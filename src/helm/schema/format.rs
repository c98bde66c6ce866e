//! The formats that a text may be asked to have, with the complaints of Helm's library.

use super::url::{Url, unescape};
use crate::functions::regexes::LazyRegex;
use crate::value::convert::quote_with;

pub(super) mod internet;
mod moment;

type Check = Result<(), String>;

/// A format and how it is checked; the flag asks for the library of Helm before 4.3.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    name: &'static str,
    check: fn(&str, bool) -> Check,
}

const FORMATS: &[Format] = &[
    Format { name: "regex", check: |text, _| LazyRegex::new(text).map(drop) },
    Format { name: "json-pointer", check: |text, _| json_pointer(text) },
    Format { name: "relative-json-pointer", check: |text, _| relative_json_pointer(text) },
    Format { name: "uuid", check: |text, _| uuid(text) },
    Format { name: "duration", check: |text, _| moment::duration(text) },
    Format { name: "period", check: |text, _| moment::period(text) },
    Format { name: "ipv4", check: |text, _| internet::version_4(text) },
    Format { name: "ipv6", check: |text, _| internet::version_6(text) },
    Format { name: "hostname", check: |text, _| internet::host(text) },
    Format { name: "email", check: internet::email },
    Format { name: "date", check: |text, _| moment::date(text) },
    Format { name: "time", check: |text, _| moment::time(text) },
    Format { name: "date-time", check: |text, _| moment::date_time(text) },
    Format { name: "uri", check: uri },
    Format { name: "iri", check: uri },
    Format { name: "uri-reference", check: uri_reference },
    Format { name: "iri-reference", check: uri_reference },
    Format { name: "uri-template", check: uri_template },
    Format { name: "semver", check: |text, _| semver(text) },
];

impl Format {
    pub(super) fn named(name: &str) -> Option<Self> {
        FORMATS.iter().find(|format| format.name == name).copied()
    }

    pub(super) fn name(self) -> &'static str {
        self.name
    }

    pub(super) fn check(self, text: &str, old: bool) -> Check {
        (self.check)(text, old)
    }
}

/// A complaint that does not name what is wrong.
fn no(message: &str) -> Check {
    Err(message.to_owned())
}

fn quoted(character: char) -> String {
    quote_with(character.to_string().as_bytes(), '\'', false)
}

/// Atoi's answer.
fn integer(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let problem = if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        "invalid syntax"
    } else {
        match text.parse() {
            Ok(number) => return Ok(number),
            Err(_) => "value out of range",
        }
    };
    Err(format!("strconv.Atoi: parsing {}: {problem}", crate::value::convert::quote(text.as_bytes())))
}

fn json_pointer(text: &str) -> Check {
    if text.is_empty() {
        return Ok(());
    }
    let Some(rest) = text.strip_prefix('/') else { return no("not starting with /") };
    let mut characters = rest.chars();
    while let Some(character) = characters.next() {
        if character == '~' && !matches!(characters.next(), Some('0' | '1')) {
            return no("~ must be followed by 0 or 1");
        }
    }
    Ok(())
}

fn relative_json_pointer(text: &str) -> Check {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return no("must start with non-negative integer");
    }
    if digits > 1 && text.starts_with('0') {
        return no("starts with zero");
    }
    match text.get(digits..).unwrap_or("") {
        "#" => Ok(()),
        rest => json_pointer(rest),
    }
}

fn uuid(text: &str) -> Check {
    const LENGTHS: [usize; 5] = [8, 4, 4, 4, 12];
    let groups: Vec<&str> = text.split('-').collect();
    if groups.len() != LENGTHS.len() {
        return Err(format!("must have {} elements", LENGTHS.len()));
    }
    for (index, (group, length)) in groups.iter().zip(LENGTHS).enumerate() {
        if group.len() != length {
            return Err(format!("element {} must be {length} characters long", index + 1));
        }
        if let Some(character) = group.chars().find(|character| !character.is_ascii_hexdigit()) {
            return Err(format!("non-hex character {}", quoted(character)));
        }
    }
    Ok(())
}

fn url(text: &str, old: bool) -> Result<Url, String> {
    let url = Url::parse_as(text, old)?;
    let host = url.host();
    let name = match host.rfind(':') {
        Some(colon)
            if host.get(colon + 1..).is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit())) =>
        {
            host.get(..colon).unwrap_or(host)
        }
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    if bare.contains(':') {
        if !host.contains('[') || !host.contains(']') {
            return Err("ipv6 address not enclosed in brackets".to_owned());
        }
        internet::version_6(bare).map_err(|message| format!("invalid ipv6 address: {message}"))?;
    }
    Ok(url)
}

fn uri(text: &str, old: bool) -> Check {
    if url(text, old)?.is_absolute() { Ok(()) } else { no("relative url") }
}

fn uri_reference(text: &str, old: bool) -> Check {
    if text.contains('\\') {
        return no("contains \\");
    }
    url(text, old).map(drop)
}

fn uri_template(text: &str, old: bool) -> Check {
    let url = url(text, old)?;
    for segment in url.raw_path().split('/') {
        let segment = unescape(segment).map_err(|message| format!("percent decode failed: {message}"))?;
        let mut open = false;
        for byte in segment.iter().filter(|byte| matches!(byte, b'{' | b'}')) {
            if open == (*byte == b'{') {
                return no("nested curly braces");
            }
            open = !open;
        }
        if open {
            return no("no matching closing brace");
        }
    }
    Ok(())
}

fn semver(text: &str) -> Check {
    let (text, build) = match text.split_once('+') {
        Some((text, build)) => (text, Some(build)),
        None => (text, None),
    };
    if let Some(build) = build {
        if build.is_empty() {
            return no("build is empty");
        }
        for identifier in build.split('.') {
            if identifier.is_empty() {
                return no("build identifier is empty");
            }
            if let Some(character) = stranger(identifier) {
                return Err(format!("invalid character {} in build identifier", quoted(character)));
            }
        }
    }
    let (core, release) = match text.split_once('-') {
        Some((core, release)) => (core, Some(release)),
        None => (text, None),
    };
    for identifier in release.into_iter().flat_map(|release| release.split('.')) {
        if identifier.is_empty() {
            return no("pre-release identifier is empty");
        }
        if let Some(character) = stranger(identifier) {
            return Err(format!("invalid character {} in pre-release identifier", quoted(character)));
        }
        let digits = identifier.bytes().all(|byte| byte.is_ascii_digit());
        if digits && identifier.len() > 1 && identifier.starts_with('0') {
            return no("pre-release numeric identifier starts with zero");
        }
    }
    version_core(core)
}

/// A character that no identifier of a version has.
fn stranger(identifier: &str) -> Option<char> {
    identifier.chars().find(|character| !character.is_ascii_alphanumeric() && *character != '-')
}

fn version_core(core: &str) -> Check {
    let numbers: Vec<&str> = core.split('.').collect();
    if numbers.len() != 3 {
        return no("versionCore must have 3 numbers separated by dot");
    }
    for (name, number) in ["major", "minor", "patch"].iter().zip(numbers) {
        if number.is_empty() {
            return Err(format!("{name} is empty"));
        }
        if number.len() > 1 && number.starts_with('0') {
            return Err(format!("{name} starts with zero"));
        }
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("{name} contains non-digit"));
        }
    }
    Ok(())
}
