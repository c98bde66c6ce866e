//! What can go wrong while a template runs: Go's chain of messages, with the innermost place and
//! the steps that led there.

use std::fmt;

use super::value::{Map, Text};

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

/// One template on the way to a failure.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) place: Place,
    /// The named template, or the file's own name.
    pub(crate) within: String,
    /// The expression as Go prints it.
    pub(crate) expression: String,
    /// The line of the source.
    pub(crate) text: String,
}

/// A value that an expression asked for and that is not there.
#[derive(Clone, Debug)]
pub(crate) struct Absent {
    /// The expression as it is written.
    pub(crate) expression: String,
    /// The map that lacks it.
    pub(crate) holder: Map,
    /// The key that is not in it.
    pub(crate) key: Text,
    /// What the expression asks for below that key.
    pub(crate) below: Vec<Text>,
    /// What is there instead.
    pub(crate) absence: Absence,
}

/// In which way a value is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// The key is in no values.
    Unset,
    /// The key is there with null.
    Null,
    /// The key is there with an empty text.
    Empty,
}

/// What is known of a failure beyond Helm's words; made only once there is one.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    /// The steps, the innermost first.
    pub(crate) steps: Vec<Step>,
    /// The value whose absence is behind it.
    pub(crate) absent: Option<Absent>,
}

/// An error with what it wraps. Thin, because every step of a template may return one.
#[derive(Debug)]
pub(crate) struct Failure(Box<Link>);

/// One error of a chain.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// The whole message, including what it wraps.
    pub(crate) message: String,
    /// The wrapped error.
    pub(crate) inner: Option<Failure>,
    /// Whether the template engine made it, with a place.
    pub(crate) executed: bool,
    /// The limit that was hit.
    pub(crate) limit: Option<Limit>,
    /// The innermost place.
    pub(crate) place: Option<Place>,
    /// What led to it; only the outermost link of a chain has it.
    pub(crate) trail: Box<Trail>,
}

impl std::ops::Deref for Failure {
    type Target = Link;
    fn deref(&self) -> &Link {
        &self.0
    }
}

impl std::ops::DerefMut for Failure {
    fn deref_mut(&mut self) -> &mut Link {
        &mut self.0
    }
}

impl From<Link> for Failure {
    fn from(link: Link) -> Self {
        Self(Box::new(link))
    }
}

impl Failure {
    /// An error of a function.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::from(Link { message: message.into(), ..Link::default() })
    }

    /// A limit.
    pub(crate) fn limit(limit: Limit, message: impl Into<String>) -> Self {
        Self::from(Link { limit: Some(limit), message: message.into(), ..Link::default() })
    }

    /// This error behind a prefix.
    pub(crate) fn wrapped(mut self, prefix: &str) -> Self {
        Self::from(Link {
            message: format!("{prefix}: {}", self.message),
            executed: false,
            limit: self.limit,
            place: self.place.clone(),
            trail: std::mem::take(&mut self.trail),
            inner: Some(self),
        })
    }

    /// The same, behind the absence of a value, unless another one is known already.
    pub(crate) fn lacking(mut self, absent: impl FnOnce() -> Option<Absent>) -> Self {
        if self.trail.absent.is_none() {
            self.trail.absent = absent();
        }
        self
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
