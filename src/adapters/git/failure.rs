//! The words for what goes wrong with a repository: one function per kind of error.

use std::fmt::Display;

use crate::adapters::sources::SourceError;
use crate::model::source::RepositoryUrl;

/// No more of what a server says is repeated.
const LONGEST_MESSAGE: usize = 1000;

pub(super) fn unreachable(repository: &RepositoryUrl, message: impl Display) -> SourceError {
    SourceError::Unreachable { repository: repository.clone(), message: printable(&message.to_string()) }
}

pub(super) fn denied(repository: &RepositoryUrl, message: impl Display) -> SourceError {
    SourceError::Denied { repository: repository.clone(), message: printable(&message.to_string()) }
}

pub(super) fn missing(repository: &RepositoryUrl, revision: impl Display) -> SourceError {
    SourceError::Missing { repository: repository.clone(), revision: printable(&revision.to_string()) }
}

pub(super) fn mirror(repository: &RepositoryUrl, message: impl Display) -> SourceError {
    SourceError::Mirror { repository: repository.clone(), message: printable(&message.to_string()) }
}

/// What a server says goes to terminals and logs: its control characters do not.
pub(super) fn printable(text: &str) -> String {
    let plain: String = text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    let mut words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = words.char_indices().nth(LONGEST_MESSAGE) {
        words.truncate(end);
        words.push('…');
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_short_printable_line() {
        assert_eq!(printable("remote: \x1b[31mno\r\n  way\n"), "remote: [31mno way");
        assert_eq!(printable(&"é".repeat(2000)).chars().count(), LONGEST_MESSAGE + 1);
    }
}
