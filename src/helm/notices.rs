//! What Helm remarks on its standard error while it works, in the words and form of each version.

use std::cell::RefCell;

use super::Compat;
use super::value::convert;
use super::value::printable::is_printable;

/// Remarks of one render, in the order in which they came up.
#[derive(Debug)]
pub(crate) struct Notices {
    pub(crate) compat: Compat,
    lines: RefCell<Vec<String>>,
}

/// Remarks beyond this are one and the same chart's noise.
const MOST: usize = 1_000;

impl Notices {
    /// None yet.
    pub(crate) fn new(compat: Compat) -> Self {
        Self { compat, lines: RefCell::new(Vec::new()) }
    }

    fn push(&self, line: String) {
        let mut lines = self.lines.borrow_mut();
        if lines.len() < MOST {
            lines.push(line);
        }
    }

    /// A line that both Helms print through Go's plain logger; `place` is Helm 3's file and line.
    pub(crate) fn printed(&self, place: &str, message: &str) {
        if self.compat == Compat::V3_19 {
            self.push(format!("{place}: {message}"));
        } else {
            self.push(format!("level=INFO msg={}", logged(message)));
        }
    }

    /// A line of Helm 4's structured logger, and what Helm 3 prints instead.
    pub(crate) fn structured(&self, level: &str, message: &str, fields: &[(&str, &str)], v3: &str) {
        if self.compat == Compat::V3_19 {
            if !v3.is_empty() {
                self.push(v3.to_owned());
            }
            return;
        }
        let mut line = format!("level={level} msg={}", logged(message));
        for (name, value) in fields {
            line.push_str(&format!(" {name}={}", logged(value)));
        }
        self.push(line);
    }

    /// A URN in a schema that nothing resolves; Helm 4 says so once for each.
    pub(crate) fn unresolved_urn(&self, urn: &str) {
        let line = format!(
            "level=WARN msg=\"unresolved URN reference ignored; using permissive schema\" urn={}",
            logged(urn)
        );
        if self.compat > Compat::V3_19 && !self.lines.borrow().contains(&line) {
            self.push(line);
        }
    }

    /// All lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }
}

/// A value as Go's text logger writes it: quoted where it has to be.
fn logged(value: &str) -> String {
    let plain = |character: char| match character {
        ' ' | '=' | '"' => false,
        _ if character.is_ascii() => !character.is_ascii_control(),
        '\u{FFFD}' => false,
        _ => is_printable(character),
    };
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    convert::quote(value.as_bytes())
}
