//! What can go wrong while a template runs: Go's chain of messages, with the innermost place.

use std::fmt;

/// A limit that a render ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Too many evaluation steps.
    Steps,
    /// Too many bytes of output or of one value.
    Bytes,
    /// Templates nested too deeply.
    Depth,
    /// An expression or number argument is too large.
    Size,
    /// It takes too long.
    Time,
}

impl fmt::Display for Limit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Steps => "steps",
            Self::Bytes => "bytes",
            Self::Depth => "depth",
            Self::Size => "size",
            Self::Time => "time",
        })
    }
}

/// Where a template failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) template: String,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// An error with what it wraps.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The whole message, including what it wraps.
    pub(crate) message: String,
    /// The wrapped error.
    pub(crate) inner: Option<Box<Failure>>,
    /// Whether the template engine made it, with a place.
    pub(crate) executed: bool,
    /// The limit that was hit.
    pub(crate) limit: Option<Limit>,
    /// The innermost place.
    pub(crate) place: Option<Place>,
}

impl Failure {
    /// An error of a function.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), inner: None, executed: false, limit: None, place: None }
    }

    /// A limit.
    pub(crate) fn limit(limit: Limit, message: impl Into<String>) -> Self {
        Self { limit: Some(limit), ..Self::new(message) }
    }

    /// This error behind a prefix.
    pub(crate) fn wrapped(self, prefix: &str) -> Self {
        Self {
            message: format!("{prefix}: {}", self.message),
            executed: false,
            limit: self.limit,
            place: self.place.clone(),
            inner: Some(Box::new(self)),
        }
    }

    /// The limit that was hit, anywhere in the chain.
    pub(crate) fn limit_hit(&self) -> Option<Limit> {
        self.limit
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}
