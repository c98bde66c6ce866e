//! Versions and constraints by the rules of Masterminds/semver. Pure functions.

use std::cmp::Ordering;
use std::fmt;

use super::{Function, Outcome, Type, text, value};
use crate::failure::Failure;
use crate::template::machine::Machine;
use crate::value::{Object, Value};

use Type::{Text as Str, Version as VersionType};

mod constraint;

pub(crate) use constraint::Constraint;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("semver", &[Str], |_, a| {
        let version = Version::parse(&text(a, 0).lossy()).map_err(Failure::new)?;
        Ok(Value::object(Object::Version(version)))
    }),
    Function::new("semverCompare", &[Str, Str], |machine, a| {
        let constraint = Constraint::parse(&text(a, 0).lossy())
            .map_err(|error| Failure::new(error.message(machine.compat)))?;
        let version = Version::parse(&text(a, 1).lossy()).map_err(Failure::new)?;
        Ok(Value::Bool(constraint.allows(&version)))
    }),
];

/// Methods of a version.
pub(super) const METHODS: &[Function] = &[
    Function::new("Major", &[], |_, a| Ok(Value::Uint64(of(a)?.major))),
    Function::new("Minor", &[], |_, a| Ok(Value::Uint64(of(a)?.minor))),
    Function::new("Patch", &[], |_, a| Ok(Value::Uint64(of(a)?.patch))),
    Function::new("Prerelease", &[], |_, a| Ok(Value::text(of(a)?.prerelease))),
    Function::new("Metadata", &[], |_, a| Ok(Value::text(of(a)?.metadata))),
    Function::new("Original", &[], |_, a| Ok(Value::text(of(a)?.original))),
    Function::new("String", &[], |_, a| Ok(Value::text(of(a)?.to_string()))),
    Function::new("Compare", &[VersionType], |_, a| {
        let order = of(a)?.compare(&of(a.get(1..).unwrap_or(&[]))?);
        Ok(Value::Int(order as i64))
    }),
    Function::new("Equal", &[VersionType], |_, a| relation(a, |order| order == Ordering::Equal)),
    Function::new("LessThan", &[VersionType], |_, a| relation(a, |order| order == Ordering::Less)),
    Function::new("GreaterThan", &[VersionType], |_, a| relation(a, |order| order == Ordering::Greater)),
    Function::new("LessThanEqual", &[VersionType], |_, a| relation(a, |order| order != Ordering::Greater)),
    Function::new("GreaterThanEqual", &[VersionType], |_, a| relation(a, |order| order != Ordering::Less)),
    Function::new("IncMajor", &[], |_, a| {
        let version = of(a)?;
        Ok(made(version.major + 1, 0, 0, version.prefixed()))
    }),
    Function::new("IncMinor", &[], |_, a| {
        let version = of(a)?;
        Ok(made(version.major, version.minor + 1, 0, version.prefixed()))
    }),
    Function::new("IncPatch", &[], increment_patch),
];

fn relation(arguments: &[Value], holds: fn(Ordering) -> bool) -> Outcome {
    let order = of(arguments)?.compare(&of(arguments.get(1..).unwrap_or(&[]))?);
    Ok(Value::Bool(holds(order)))
}

fn increment_patch(_: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let version = of(arguments)?;
    let step = u64::from(version.prerelease.is_empty());
    Ok(made(version.major, version.minor, version.patch + step, version.prefixed()))
}

fn made(major: u64, minor: u64, patch: u64, prefixed: bool) -> Value {
    let text = format!("{major}.{minor}.{patch}");
    let original = if prefixed { format!("v{text}") } else { text };
    let version =
        Version { major, minor, patch, prerelease: String::new(), metadata: String::new(), original };
    Value::object(Object::Version(version))
}

fn of(arguments: &[Value]) -> Result<Version, Failure> {
    match value(arguments, 0) {
        Value::Object(object) => match &*object {
            Object::Version(version) => Ok(version.clone()),
            _ => Err("not a version".into()),
        },
        _ => Err("runtime error: invalid memory address or nil pointer dereference".into()),
    }
}

/// A semantic version, read loosely: `v1`, `1.2` are fine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) major: u64,
    pub(crate) minor: u64,
    pub(crate) patch: u64,
    pub(crate) prerelease: String,
    pub(crate) metadata: String,
    pub(crate) original: String,
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.prerelease.is_empty() {
            write!(formatter, "-{}", self.prerelease)?;
        }
        if !self.metadata.is_empty() {
            write!(formatter, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

impl Version {
    /// Reads a version; the error is the library's message.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let invalid = || "invalid semantic version".to_owned();
        let version = Self::parse_inner(text).ok_or_else(invalid)??;
        if version.prerelease.split('.').any(|part| {
            part.len() > 1 && part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit())
        }) {
            return Err("version segment starts with 0".to_owned());
        }
        Ok(version)
    }

    /// Nothing where it is no version; the error is Go's about its numbers.
    fn parse_inner(text: &str) -> Option<Result<Self, String>> {
        if text.len() > 256 {
            return None;
        }
        let bare = text.strip_prefix('v').unwrap_or(text);
        let core_end = bare.find(['-', '+']).unwrap_or(bare.len());
        let (core, tail) = bare.split_at(core_end);
        let mut numbers = core.split('.');
        let parts = [numbers.next()?, numbers.next().unwrap_or("0"), numbers.next().unwrap_or("0")];
        if numbers.next().is_some() || !parts.iter().all(|part| are_digits(part)) {
            return None;
        }
        let (prerelease, metadata) = match tail.strip_prefix('-') {
            Some(rest) => match rest.split_once('+') {
                Some((prerelease, metadata)) => (prerelease, Some(metadata)),
                None => (rest, None),
            },
            None => ("", tail.strip_prefix('+')),
        };
        if tail.starts_with('-') && !identifiers(prerelease) {
            return None;
        }
        if metadata.is_some_and(|metadata| !identifiers(metadata)) {
            return None;
        }
        let [major, minor, patch] = match parts.map(number) {
            [Ok(major), Ok(minor), Ok(patch)] => [major, minor, patch],
            [Err(error), ..] | [_, Err(error), _] | [_, _, Err(error)] => return Some(Err(error)),
        };
        Some(Ok(Self {
            major,
            minor,
            patch,
            prerelease: prerelease.to_owned(),
            metadata: metadata.unwrap_or("").to_owned(),
            original: text.to_owned(),
        }))
    }

    fn prefixed(&self) -> bool {
        self.original.starts_with('v')
    }

    /// Precedence; metadata does not count.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        (self.major, self.minor, self.patch)
            .cmp(&(other.major, other.minor, other.patch))
            .then_with(|| compare_prerelease(&self.prerelease, &other.prerelease))
    }
}

fn are_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The number of these digits; the error is Go's where 64 bits are too few.
fn number(digits: &str) -> Result<u64, String> {
    let range = || {
        format!("error parsing version segment: strconv.ParseUint: parsing {digits:?}: value out of range")
    };
    digits.parse().map_err(|_| range())
}

fn identifiers(text: &str) -> bool {
    text.split('.')
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}

fn compare_prerelease(left: &str, right: &str) -> Ordering {
    match (left.is_empty(), right.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => a.cmp(b),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn numbers_that_do_not_fit_are_told_from_what_is_no_version() {
        let error = |text: &str| Version::parse(text).unwrap_err();
        let range = "error parsing version segment: strconv.ParseUint: parsing \"99999999999999999999\": value out of range";
        assert_eq!(error("v1.99999999999999999999-01"), range);
        assert_eq!(error("99999999999999999999.x"), "invalid semantic version");
        assert_eq!(error("1.2.3-01"), "version segment starts with 0");
        assert_eq!(Version::parse("1.2").unwrap().to_string(), "1.2.0");
    }
}
