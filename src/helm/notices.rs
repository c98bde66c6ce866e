//! What Helm remarks on its standard error while it works, in the words and form of each version.

use std::cell::{Cell, RefCell};

use foldhash::HashSet;

use super::Compat;
use super::value::convert;
use super::value::printable::is_printable;

/// Remarks of one render, in the order in which they came up.
#[derive(Debug)]
pub(crate) struct Notices {
    pub(crate) compat: Compat,
    lines: RefCell<Vec<String>>,
    bytes: Cell<usize>,
    urns: RefCell<HashSet<String>>,
}

/// Bytes of remarks that are kept: real charts make some thousand lines, hostile ones as many as they have values.
const MOST: usize = 4 << 20;

impl Notices {
    /// None yet.
    pub(crate) fn new(compat: Compat) -> Self {
        Self { compat, lines: RefCell::default(), bytes: Cell::new(0), urns: RefCell::default() }
    }

    fn push(&self, line: String) {
        let bytes = self.bytes.get().saturating_add(line.len() + size_of::<String>());
        self.bytes.set(bytes);
        if bytes <= MOST {
            self.lines.borrow_mut().push(line);
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
        if self.compat == Compat::V3_19 || !self.urns.borrow_mut().insert(urn.to_owned()) {
            return;
        }
        self.push(format!(
            "level=WARN msg=\"unresolved URN reference ignored; using permissive schema\" urn={}",
            logged(urn)
        ));
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

#[cfg(test)]
mod tests {
    use super::{MOST, Notices};
    use crate::Compat;

    #[test]
    fn remarks_are_kept_as_they_came_up_to_their_limit() {
        let notices = Notices::new(Compat::V4_3);
        (0..5_000).for_each(|number| notices.printed("a.go:1", &format!("remark {number}")));
        (0..2).for_each(|_| notices.unresolved_urn("urn:a"));
        let lines = notices.lines();
        assert_eq!((lines.len(), lines[4_999].as_str()), (5_001, "level=INFO msg=\"remark 4999\""));
        let long = "x".repeat(MOST / 3);
        (0..5).for_each(|_| notices.printed("a.go:1", &long));
        assert_eq!(notices.lines().len(), 5_001 + 2);
    }
}
