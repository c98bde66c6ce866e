//! Version constraints: alternatives by `||`, parts by comma or blank, hyphen ranges, wildcards.

use std::cmp::Ordering;

use super::Version;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operator {
    Any,
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    Tilde,
    Caret,
}

#[derive(Clone, Debug)]
struct Part {
    operator: Operator,
    version: Version,
    minor_dirty: bool,
    patch_dirty: bool,
    dirty: bool,
}

/// A constraint on versions.
#[derive(Clone, Debug)]
pub(crate) struct Constraint {
    alternatives: Vec<Vec<Part>>,
}

impl Constraint {
    /// Reads a constraint; the error is the library's message.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > 4096 {
            return Err("improper constraint: too long".to_owned());
        }
        let mut alternatives = Vec::new();
        for alternative in expand_hyphens(text).split("||") {
            let parts = split_parts(alternative).ok_or_else(|| improper(text))?;
            let parts: Result<Vec<Part>, String> = parts.iter().map(|part| Part::parse(part, text)).collect();
            alternatives.push(parts?);
        }
        Ok(Self { alternatives })
    }

    /// Whether a version fits.
    pub(crate) fn allows(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|parts| {
            // One part with a prerelease lets prereleases pass in the whole alternative.
            parts.iter().all(|part| part.allows(version))
        })
    }
}

fn improper(text: &str) -> String {
    format!(
        "improper constraint: {}",
        crate::helm::value::convert::quote(text.as_bytes())
    )
}

/// Rewrites `a - b` to `>=a <=b`.
fn expand_hyphens(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let mut out: Vec<String> = Vec::new();
    let mut index = 0;
    while let Some(word) = words.get(index) {
        if *word == "-"
            && let (Some(low), Some(high)) = (out.pop(), words.get(index + 1))
        {
            out.push(format!(">={low}"));
            out.push(format!("<={high}"));
            index += 2;
            continue;
        }
        out.push((*word).to_owned());
        index += 1;
    }
    out.join(" ")
}

/// Cuts an alternative into `operator version` parts.
fn split_parts(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text.trim_matches([' ', '\t', '\n', '\r', ',']);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let operator_end = rest
            .find(|c: char| !matches!(c, '=' | '!' | '<' | '>' | '~' | '^'))
            .unwrap_or(rest.len());
        let operator = rest.get(..operator_end)?;
        let after = rest.get(operator_end..)?.trim_start();
        let version_end = after
            .find(|c: char| c == ',' || c.is_whitespace() || matches!(c, '=' | '!' | '<' | '>' | '~' | '^'))
            .unwrap_or(after.len());
        let version = after.get(..version_end)?;
        if version.is_empty() {
            return None;
        }
        parts.push(format!("{operator}{version}"));
        rest = after
            .get(version_end..)?
            .trim_start_matches([' ', '\t', '\n', '\r', ',']);
    }
    Some(parts)
}

impl Part {
    fn parse(text: &str, whole: &str) -> Result<Self, String> {
        let improper = || improper(whole);
        let operator_end = text
            .find(|c: char| !matches!(c, '=' | '!' | '<' | '>' | '~' | '^'))
            .unwrap_or(0);
        let (operator, version) = text.split_at(operator_end);
        let operator = match operator {
            "" => Operator::Any,
            "=" => Operator::Equal,
            "!=" => Operator::NotEqual,
            ">" => Operator::Greater,
            "<" => Operator::Less,
            ">=" | "=>" => Operator::GreaterEqual,
            "<=" | "=<" => Operator::LessEqual,
            "~" | "~>" => Operator::Tilde,
            "^" => Operator::Caret,
            _ => return Err(improper()),
        };
        let bare = version.strip_prefix('v').unwrap_or(version);
        let core_end = bare.find(['-', '+']).unwrap_or(bare.len());
        let (core, tail) = bare.split_at(core_end);
        let numbers: Vec<&str> = core.split('.').collect();
        let wild = |text: Option<&&str>| matches!(text, Some(&"x" | &"X" | &"*"));
        if numbers.len() > 3 {
            return Err(improper());
        }
        let (minor_dirty, patch_dirty, dirty, plain) = if wild(numbers.first()) {
            (false, false, true, format!("0.0.0{tail}"))
        } else if numbers.len() < 2 || wild(numbers.get(1)) {
            (
                true,
                false,
                true,
                format!("{}.0.0{tail}", numbers.first().unwrap_or(&"0")),
            )
        } else if numbers.len() < 3 || wild(numbers.get(2)) {
            let (major, minor) = (numbers.first().unwrap_or(&"0"), numbers.get(1).unwrap_or(&"0"));
            (false, true, true, format!("{major}.{minor}.0{tail}"))
        } else {
            (false, false, false, format!("{core}{tail}"))
        };
        if wild(numbers.first()) {
            let version = Version::parse(&plain).map_err(|_| "constraint parser error".to_owned())?;
            let operator = if matches!(operator, Operator::Any) {
                Operator::GreaterEqual
            } else {
                operator
            };
            return Ok(Self {
                operator,
                version,
                minor_dirty: true,
                patch_dirty: true,
                dirty: true,
            }
            .starred());
        }
        let version = Version::parse(&plain).map_err(|_| {
            if version
                .bytes()
                .next()
                .is_some_and(|byte| byte.is_ascii_digit() || byte == b'v')
            {
                "constraint parser error".to_owned()
            } else {
                improper()
            }
        })?;
        Ok(Self {
            operator,
            version,
            minor_dirty,
            patch_dirty,
            dirty,
        })
    }

    /// `*` alone accepts every release.
    fn starred(mut self) -> Self {
        if matches!(
            self.operator,
            Operator::GreaterEqual | Operator::Equal | Operator::Tilde | Operator::Caret
        ) {
            self.operator = Operator::GreaterEqual;
        }
        self
    }

    fn allows(&self, version: &Version) -> bool {
        if !version.prerelease.is_empty()
            && self.version.prerelease.is_empty()
            && self.operator != Operator::NotEqual
        {
            return false;
        }
        match self.operator {
            Operator::Any | Operator::Equal if self.dirty => self.tilde(version),
            Operator::Any | Operator::Equal => version.compare(&self.version) == Ordering::Equal,
            Operator::NotEqual => self.not_equal(version),
            Operator::Greater => self.greater(version),
            Operator::Less => version.compare(&self.version) == Ordering::Less,
            Operator::GreaterEqual => version.compare(&self.version) != Ordering::Less,
            Operator::LessEqual => self.less_equal(version),
            Operator::Tilde => self.tilde(version),
            Operator::Caret => self.caret(version),
        }
    }

    fn not_equal(&self, version: &Version) -> bool {
        if self.dirty {
            if !version.prerelease.is_empty() && self.version.prerelease.is_empty() {
                return false;
            }
            if version.major != self.version.major {
                return true;
            }
            if version.minor != self.version.minor && !self.minor_dirty {
                return true;
            }
            if self.minor_dirty {
                return false;
            }
            return version.patch != self.version.patch && !self.patch_dirty;
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
        version.minor > self.version.minor && self.patch_dirty
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
            return self.operator == Operator::Tilde || version.compare(&self.version) == Ordering::Equal;
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
        if version.minor > 0 {
            return false;
        }
        version.patch == self.version.patch
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
