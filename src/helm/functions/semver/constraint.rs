//! Version constraints: alternatives by `||`, parts by comma or blank, hyphen ranges, wildcards.

use std::cmp::Ordering;

use super::Version;
use crate::Compat;
use crate::value::convert;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    Tilde,
    Caret,
}

/// One comparison: what is dirty was left out or a wildcard.
#[derive(Clone, Debug)]
struct Part {
    operator: Operator,
    version: Version,
    minor_dirty: bool,
    patch_dirty: bool,
    dirty: bool,
}

/// A constraint on versions: alternatives of parts that all have to hold.
#[derive(Clone, Debug)]
pub(crate) struct Constraint {
    alternatives: Vec<Vec<Part>>,
}

/// Why a text is no constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConstraintError {
    /// This part of it has another form.
    Improper(String),
    /// A version in it is none.
    Version,
    /// Longer than the library accepts.
    TooLong,
    /// More alternatives than the library accepts.
    TooMany,
}

impl ConstraintError {
    /// The library's message in a particular Helm.
    pub(crate) fn message(&self, compat: Compat) -> String {
        match self {
            Self::Improper(part) if compat == Compat::V3_19 => format!("improper constraint: {part}"),
            Self::Improper(part) => format!("improper constraint: {}", convert::quote(part.as_bytes())),
            Self::Version => "constraint parser error".to_owned(),
            Self::TooLong => format!("constraint string is too long (max {LONGEST} bytes)"),
            Self::TooMany => format!("too many constraint groups (max {MOST})"),
        }
    }
}

const LONGEST: usize = 512;
const MOST: usize = 32;

impl Constraint {
    /// Reads a constraint.
    pub(crate) fn parse(text: &str) -> Result<Self, ConstraintError> {
        if text.len() > LONGEST {
            return Err(ConstraintError::TooLong);
        }
        let text = expand_hyphens(text);
        let texts: Vec<&str> = text.split("||").collect();
        if texts.len() > MOST {
            return Err(ConstraintError::TooMany);
        }
        let alternatives: Result<Vec<_>, _> = texts.into_iter().map(parts).collect();
        Ok(Self { alternatives: alternatives? })
    }

    /// Whether a version fits. One part with a prerelease lets prereleases pass in its alternative.
    pub(crate) fn allows(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|parts| {
            let prereleases = parts.iter().any(|part| !part.version.prerelease.is_empty());
            (version.prerelease.is_empty() || prereleases) && parts.iter().all(|part| part.allows(version))
        })
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | 0x0C | b'\r' | b' ')
}

fn blanks(text: &[u8]) -> usize {
    text.iter().take_while(|byte| is_blank(**byte)).count()
}

/// A version as constraints have it: numbers or wildcards, prerelease, metadata.
struct Loose<'t> {
    numbers: [&'t str; 3],
    /// With its dash.
    prerelease: &'t str,
    whole: &'t str,
}

fn loose(text: &str) -> Option<Loose<'_>> {
    let bytes = text.as_bytes();
    let mut position = usize::from(bytes.first() == Some(&b'v'));
    let numeric = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'x' | b'X' | b'*' | b'|');
    let run = |from: usize| bytes.get(from..).unwrap_or(&[]).iter().take_while(|byte| numeric(byte)).count();
    let mut numbers = [""; 3];
    for (index, number) in numbers.iter_mut().enumerate() {
        let from = position + usize::from(index > 0);
        let width = run(from);
        let separated = index == 0 || bytes.get(position) == Some(&b'.');
        if width == 0 || !separated {
            if index == 0 {
                return None;
            }
            break;
        }
        *number = text.get(from..from + width)?;
        position = from + width;
    }
    let tail = |from: usize, sign: u8| {
        if bytes.get(from) != Some(&sign) {
            return from;
        }
        let mut end = from;
        loop {
            let word = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'-';
            let width = bytes.get(end + 1..).unwrap_or(&[]).iter().take_while(word).count();
            if width == 0 {
                return end;
            }
            end += 1 + width;
            if bytes.get(end) != Some(&b'.') {
                return end;
            }
        }
    };
    let end = tail(position, b'-');
    let prerelease = text.get(position..end)?;
    let end = tail(end, b'+');
    Some(Loose { numbers, prerelease, whole: text.get(..end)? })
}

/// Rewrites `a - b` to `>= a, <= b `.
fn expand_hyphens(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    'text: while !rest.is_empty() {
        for (index, _) in rest.char_indices() {
            let here = rest.get(index..).unwrap_or("");
            if let Some((low, high, width)) = hyphen_range(here) {
                out.push_str(rest.get(..index).unwrap_or(""));
                out.push_str(&format!(">= {low}, <= {high} "));
                rest = here.get(width..).unwrap_or("");
                continue 'text;
            }
        }
        break;
    }
    out.push_str(rest);
    out
}

fn hyphen_range(text: &str) -> Option<(&str, &str, usize)> {
    let bytes = text.as_bytes();
    let start = blanks(bytes);
    let low = loose(text.get(start..)?)?.whole;
    let mut position = start + low.len();
    let before = blanks(bytes.get(position..)?);
    position += before;
    if before == 0 || bytes.get(position) != Some(&b'-') {
        return None;
    }
    position += 1;
    let after = blanks(bytes.get(position..)?);
    if after == 0 {
        return None;
    }
    position += after;
    let high = loose(text.get(position..)?)?.whole;
    position += high.len();
    position += blanks(bytes.get(position..)?);
    Some((low, high, position))
}

fn operator(text: &str) -> Option<Operator> {
    Some(match text {
        "" | "=" => Operator::Equal,
        "!=" => Operator::NotEqual,
        ">" => Operator::Greater,
        "<" => Operator::Less,
        ">=" | "=>" => Operator::GreaterEqual,
        "<=" | "=<" => Operator::LessEqual,
        "~" | "~>" => Operator::Tilde,
        "^" => Operator::Caret,
        _ => return None,
    })
}

/// The parts of an alternative: each an operator and a version, with blanks or a comma between.
fn parts(text: &str) -> Result<Vec<Part>, ConstraintError> {
    let improper = || ConstraintError::Improper(text.to_owned());
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut position = blanks(bytes);
    loop {
        let sign = |byte: &&u8| matches!(byte, b'=' | b'!' | b'<' | b'>' | b'~' | b'^');
        let width = bytes.get(position..).unwrap_or(&[]).iter().take_while(sign).count();
        let operator = text.get(position..position + width).and_then(operator).ok_or_else(improper)?;
        position += width;
        position += blanks(bytes.get(position..).unwrap_or(&[]));
        let version = text.get(position..).and_then(loose).ok_or_else(improper)?;
        position += version.whole.len();
        found.push((operator, version));
        let space = blanks(bytes.get(position..).unwrap_or(&[]));
        position += space;
        match bytes.get(position) {
            None => break,
            Some(b',') => {
                position += 1;
                position += blanks(bytes.get(position..).unwrap_or(&[]));
            }
            Some(_) if space > 0 => {}
            Some(_) => return Err(improper()),
        }
    }
    found.into_iter().map(|(operator, version)| Part::new(operator, &version)).collect()
}

impl Part {
    fn new(operator: Operator, loose: &Loose<'_>) -> Result<Self, ConstraintError> {
        let open = |text: &str| matches!(text, "" | "x" | "X" | "*");
        let [major, minor, patch] = loose.numbers;
        let tail = loose.prerelease;
        let (text, minor_dirty, patch_dirty, dirty) = if open(major) {
            (format!("0.0.0{tail}"), false, false, true)
        } else if open(minor) {
            (format!("{major}.0.0{tail}"), true, false, true)
        } else if open(patch) {
            (format!("{major}.{minor}.0{tail}"), false, true, true)
        } else {
            (loose.whole.to_owned(), false, false, false)
        };
        let version = Version::parse(&text).map_err(|_| ConstraintError::Version)?;
        Ok(Self { operator, version, minor_dirty, patch_dirty, dirty })
    }

    fn allows(&self, version: &Version) -> bool {
        let order = version.compare(&self.version);
        match self.operator {
            Operator::Equal if self.dirty => self.tilde(version),
            Operator::Equal => order == Ordering::Equal,
            Operator::NotEqual => self.not_equal(version),
            Operator::Greater => self.greater(version),
            Operator::Less => order == Ordering::Less,
            Operator::GreaterEqual => order != Ordering::Less,
            Operator::LessEqual => self.less_equal(version),
            Operator::Tilde => self.tilde(version),
            Operator::Caret => self.caret(version),
        }
    }

    fn not_equal(&self, version: &Version) -> bool {
        if self.dirty {
            if version.major != self.version.major {
                return true;
            }
            if version.minor != self.version.minor && !self.minor_dirty {
                return true;
            }
            if self.minor_dirty {
                return false;
            }
            if version.patch != self.version.patch && !self.patch_dirty {
                return true;
            }
            if self.patch_dirty {
                return version.prerelease != self.version.prerelease;
            }
        }
        version.compare(&self.version) != Ordering::Equal
    }

    fn greater(&self, version: &Version) -> bool {
        if !self.dirty {
            return version.compare(&self.version) == Ordering::Greater;
        }
        if version.major != self.version.major {
            return version.major > self.version.major;
        }
        if self.minor_dirty {
            return false;
        }
        if self.patch_dirty {
            return version.minor > self.version.minor;
        }
        version.compare(&self.version) == Ordering::Greater
    }

    fn less_equal(&self, version: &Version) -> bool {
        if !self.dirty {
            return version.compare(&self.version) != Ordering::Greater;
        }
        if version.major > self.version.major {
            return false;
        }
        !(version.major == self.version.major && version.minor > self.version.minor && !self.minor_dirty)
    }

    fn tilde(&self, version: &Version) -> bool {
        if version.compare(&self.version) == Ordering::Less {
            return false;
        }
        let zero = self.version.major == 0 && self.version.minor == 0 && self.version.patch == 0;
        if zero && !self.minor_dirty && !self.patch_dirty {
            return true;
        }
        version.major == self.version.major && (version.minor == self.version.minor || self.minor_dirty)
    }

    fn caret(&self, version: &Version) -> bool {
        if version.compare(&self.version) == Ordering::Less {
            return false;
        }
        if self.version.major > 0 || self.minor_dirty {
            return version.major == self.version.major;
        }
        if version.major > 0 {
            return false;
        }
        if self.version.minor > 0 || self.patch_dirty {
            return version.minor == self.version.minor;
        }
        version.minor == 0 && version.patch == self.version.patch
    }
}

#[cfg(test)]
mod tests {
    use super::{Constraint, Version};

    #[test]
    fn constraints_of_the_library() {
        for (constraint, version, expected) in [
            (">=1.20", "1.33.0-eks", false),
            (">=1.20-0", "1.33.0-eks", true),
            ("^0.2.3", "0.3.0", false),
            ("=1.2", "1.2.5", true),
            (">1.2", "1.2.5", false),
            ("<=1.2", "1.2.9", true),
            ("~1.2.3", "1.2.9", true),
            ("~1.2.3", "1.3.0", false),
            ("1.x || >=2.5", "1.9.0", true),
            ("1.2 - 1.4", "1.4.5", true),
            (">= 1.2, < 3", "2.9.9", true),
            ("*", "3.0.0", true),
            ("^1.2.3", "2.0.0", false),
            ("!=1.2.3", "1.2.4", true),
        ] {
            let parsed = Constraint::parse(constraint).expect("valid");
            let version = Version::parse(version).expect("valid");
            assert_eq!(parsed.allows(&version), expected, "{constraint} {version}");
        }
    }
}
