//! Printing: errors once, with their hint; colours where a person looks; a closed pipe is no error.

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;

use crate::model::error::{Classified, ErrorClass, chain};
use crate::report::mark::Mark;

/// Why a command ended without doing its work.
#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    /// A failure with a message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 1 }
    }

    /// Any error of ours.
    pub fn of(error: &dyn std::error::Error) -> Self {
        Self::new(chain(error))
    }

    /// An error that knows its hint.
    pub fn classified(error: &dyn Classified) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            text.push_str(&format!(": {inner}"));
            source = inner.source();
        }
        let bug = matches!(error.class(), ErrorClass::Bug)
            .then(|| "this is a fault of moorline: please report it".to_owned());
        Self { message: text, hint: error.hint().or(bug), code: 1 }
    }

    /// With a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With another exit code.
    pub fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// What is wrong, without the hint.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// Prints it on standard error.
    pub(super) fn report(&self) -> ExitCode {
        let mut error = std::io::stderr().lock();
        let _ = writeln!(error, "error: {}", self.message);
        if let Some(hint) = &self.hint {
            let _ = writeln!(error, "hint: {hint}");
        }
        ExitCode::from(self.code)
    }
}

/// Prints text on standard output. A reader that went away is no error.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// Prints bytes on standard output. A reader that went away is no error; a full disk is.
pub(super) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut output = std::io::stdout().lock();
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Err(error) if !has_no_reader(&error) => {
            Err(Failure::new(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Whether the output cannot be written because its reader went away, which is no error.
pub(super) fn has_no_reader(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}

/// Prints a remark on standard error.
pub(super) fn remark(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Whether standard output shows colours.
pub(super) fn colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && std::io::stdout().is_terminal()
}

/// Whether a person reads standard error.
pub(super) fn error_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Whether standard error shows colours.
pub(super) fn error_colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && error_is_terminal()
}

/// A text in a colour (an SGR code), if colours are shown.
pub(super) fn paint(text: &str, code: &str, colours: bool) -> String {
    if colours { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// A line in the colour of a mark, if colours are shown.
pub(super) fn in_colour(line: &str, mark: Mark, colours: bool) -> String {
    let code = match mark {
        Mark::Bad => "31",
        Mark::Busy | Mark::Unclear => "33",
        Mark::Resting => "2",
        Mark::Fine => "32",
    };
    paint(line, code, colours)
}

/// Rows as a table with a heading; columns are as wide as their widest cell.
pub(super) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = heading.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let heading: Vec<String> = heading.iter().map(|cell| (*cell).to_owned()).collect();
    for row in std::iter::once(&heading).chain(rows) {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            line.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
