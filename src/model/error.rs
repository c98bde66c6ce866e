//! What every error of ours can say of itself: its class, which decides retries and exit codes, and a hint.

/// Who can mend an error, and whether trying again helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// A file, flag or chart is wrong: a person changes it, retrying does not help.
    Config,
    /// Something outside did not answer or was busy: the same call may succeed later.
    Transient,
    /// Somebody else changed or owns what we wanted to change.
    Conflict,
    /// moorline broke one of its own rules.
    Bug,
}

impl ErrorClass {
    /// The word used in logs, metrics and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Transient => "transient",
            Self::Conflict => "conflict",
            Self::Bug => "bug",
        }
    }
}

/// Implemented by the error type of every module.
pub trait Classified: std::error::Error {
    /// The class of this error.
    fn class(&self) -> ErrorClass;

    /// What a person can do about it, as a sentence without a period.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// Writes an error and its sources on one line, outermost first, each part once.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let part = inner.to_string();
        if !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        source = inner.source();
    }
    text
}
