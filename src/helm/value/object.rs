//! Go values with methods or fields: files, versions, times, capabilities. What they can do is
//! in the function tables; here is only what they hold and how they print.

use std::rc::Rc;
use std::sync::Arc;

use super::{Text, Value};
use crate::functions::dates::Moment;
use crate::functions::semver::Version;

/// A chart's extra files: paths to bytes, sorted by path.
pub(crate) type FileTable = Arc<[(Text, Text)]>;

/// A Go value that is more than data.
#[derive(Debug)]
pub(crate) enum Object {
    /// `.Files`
    Files(FileTable),
    /// `.Capabilities.APIVersions`
    VersionSet(Arc<[Text]>),
    /// A struct: its Go type, whether it is behind a pointer, fields in order, its `String()`.
    Record(Record),
    /// The result of `semver`.
    Version(Version),
    /// A time.
    Time(Moment),
    /// A duration in nanoseconds.
    Duration(i64),
    /// A complex number.
    Complex(f64, f64),
    /// A nil slice of this type: it is read like an empty one, and is null in JSON.
    NilSlice(&'static str),
}

/// Fields that JSON has even where they are empty and the others are left out.
const KEPT_EMPTY: [&str; 2] = ["IsRoot", "repository"];

/// A Go struct.
#[derive(Debug)]
pub(crate) struct Record {
    /// The type's name without a star.
    pub(crate) type_name: &'static str,
    /// Whether templates hold a pointer to it.
    pub(crate) pointer: bool,
    /// Field names and values in declaration order.
    pub(crate) fields: Vec<(&'static str, Value)>,
    /// Names of the fields in JSON, where they differ.
    pub(crate) json_names: &'static [&'static str],
    /// Whether JSON leaves empty fields out.
    pub(crate) omits_empty: bool,
    /// Methods without arguments, by what they return.
    pub(crate) methods: Vec<(&'static str, Value)>,
    /// What its `String()` method returns, which only a template's own printing finds.
    pub(crate) shown: Option<Text>,
    /// What fmt makes of the bare struct, if that differs from its fields.
    pub(crate) plain: Option<Text>,
}

impl Record {
    /// The value of a field.
    pub(crate) fn field(&self, name: &[u8]) -> Option<Value> {
        let mut known = self.fields.iter().chain(&self.methods);
        known.find(|(field, _)| field.as_bytes() == name).map(|(_, value)| value.clone())
    }
}

impl Record {
    /// The fields that JSON shows, in order.
    pub(crate) fn json_fields(&self) -> Vec<(Text, Value)> {
        let named = self
            .fields
            .iter()
            .enumerate()
            .map(|(index, (name, value))| (*self.json_names.get(index).unwrap_or(name), value));
        named
            .filter(|(name, value)| !self.omits_empty || KEPT_EMPTY.contains(name) || value.truth())
            .map(|(name, value)| (Text::from(name), value.clone()))
            .collect()
    }
}

impl Object {
    /// Go's truth of the value.
    pub(crate) fn truth(&self) -> bool {
        match self {
            Self::Files(files) => !files.is_empty(),
            Self::VersionSet(versions) => !versions.is_empty(),
            Self::Duration(nanoseconds) => *nanoseconds != 0,
            Self::NilSlice(_) => false,
            Self::Complex(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
            _ => true,
        }
    }

    /// The type as `%T` prints it.
    pub(crate) fn type_name(&self, compat_v3: bool) -> &'static str {
        match self {
            Self::Files(_) => "engine.files",
            Self::VersionSet(_) if compat_v3 => "chartutil.VersionSet",
            Self::VersionSet(_) => "common.VersionSet",
            Self::Record(record) => record.type_name,
            Self::Version(_) => "*semver.Version",
            Self::Time(_) => "time.Time",
            Self::Duration(_) => "time.Duration",
            Self::Complex(..) => "complex128",
            Self::NilSlice(name) => name,
        }
    }

    /// The kind as `kindOf` prints it.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self {
            Self::Files(_) => "map",
            Self::VersionSet(_) | Self::NilSlice(_) => "slice",
            Self::Record(record) if record.pointer => "ptr",
            Self::Version(_) => "ptr",
            Self::Record(_) | Self::Time(_) => "struct",
            Self::Duration(_) => "int64",
            Self::Complex(..) => "complex128",
        }
    }

    /// The items, if it is a slice.
    pub(crate) fn items(&self) -> Option<Vec<Value>> {
        match self {
            Self::VersionSet(versions) => Some(versions.iter().cloned().map(Value::Text).collect()),
            Self::NilSlice(_) => Some(Vec::new()),
            _ => None,
        }
    }

    /// What `String()` returns, for those types that have it.
    pub(crate) fn shown(&self) -> Option<Text> {
        match self {
            Self::Record(record) => record.plain.clone(),
            Self::Version(version) => Some(Text::from(version.to_string())),
            Self::Time(moment) => Some(Text::from(moment.to_string())),
            Self::Duration(nanoseconds) => {
                Some(Text::from(crate::functions::dates::duration_text(*nanoseconds)))
            }
            Self::Files(_) | Self::VersionSet(_) | Self::Complex(..) | Self::NilSlice(_) => None,
        }
    }

    /// The value that JSON and YAML encoders see.
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Files(files) => Value::Map(super::Map::from_pairs(
                files.iter().map(|(path, bytes)| (path.clone(), Value::Bytes(bytes.clone()))),
            )),
            Self::VersionSet(versions) => Value::Texts(Rc::new(versions.to_vec())),
            Self::Record(record) => Value::Map(super::Map::from_pairs(record.json_fields())),
            Self::Version(version) => Value::text(version.to_string()),
            Self::Time(moment) => Value::text(moment.rfc3339_nano()),
            Self::Duration(nanoseconds) => Value::Int64(*nanoseconds),
            // JSON has no such number; the writers look for it first.
            Self::Complex(..) => Value::Float(f64::NAN),
            Self::NilSlice(_) => Value::Nil,
        }
    }

    /// Equality of the contents.
    pub(crate) fn deep_equal(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Files(left), Self::Files(right)) => left == right,
            (Self::VersionSet(left), Self::VersionSet(right)) => left == right,
            (Self::Version(left), Self::Version(right)) => left.to_string() == right.to_string(),
            (Self::Time(left), Self::Time(right)) => left == right,
            (Self::Duration(left), Self::Duration(right)) => left == right,
            (Self::NilSlice(left), Self::NilSlice(right)) => left == right,
            (Self::Complex(a, b), Self::Complex(c, d)) => {
                a.partial_cmp(c) == Some(std::cmp::Ordering::Equal)
                    && b.partial_cmp(d) == Some(std::cmp::Ordering::Equal)
            }
            (Self::Record(left), Self::Record(right)) => {
                left.type_name == right.type_name
                    && left.fields.iter().zip(&right.fields).all(|(a, b)| a.1.deep_equal(&b.1))
            }
            _ => false,
        }
    }
}
