//! Character classes: `[…]`, `\d`, `\p{…}` and `[:alpha:]`.

use super::tree::{Piece, write_literal};
use super::{Parse, Parser, complaint, known_class};

/// A part of a class.
#[derive(Clone, Debug)]
pub(super) enum Set {
    Range(char, char),
    /// The inside of a class in the syntax of the `regex` crate.
    Named(String),
}

impl Set {
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Range(low, high) => {
                write_literal(*low, out);
                if low != high {
                    out.push('-');
                    write_literal(*high, out);
                }
            }
            Self::Named(text) => out.push_str(text),
        }
    }
}

const POSIX: [(&str, &str); 14] = [
    ("alnum", "0-9A-Za-z"),
    ("alpha", "A-Za-z"),
    ("ascii", "\\x00-\\x7F"),
    ("blank", "\\t "),
    ("cntrl", "\\x00-\\x1F\\x7F"),
    ("digit", "0-9"),
    ("graph", "!-~"),
    ("lower", "a-z"),
    ("print", " -~"),
    ("punct", "!-/:-@\\[-`\\{-~"),
    ("space", "\\t-\\r "),
    ("upper", "A-Z"),
    ("word", "0-9A-Za-z_"),
    ("xdigit", "0-9A-Fa-f"),
];

impl<'p> Parser<'p> {
    /// `\d`, `\s`, `\w` and their opposites.
    pub(super) fn perl_class(&mut self) -> Option<Set> {
        let text = match self.rest {
            [b'\\', b'd', ..] => "0-9",
            [b'\\', b'D', ..] => "[^0-9]",
            [b'\\', b's', ..] => "\\t\\n\\x0C\\r ",
            [b'\\', b'S', ..] => "[^\\t\\n\\x0C\\r ]",
            [b'\\', b'w', ..] => "0-9A-Za-z_",
            [b'\\', b'W', ..] => "[^0-9A-Za-z_]",
            _ => return None,
        };
        self.take(2);
        Some(Set::Named(text.to_owned()))
    }

    /// `\pN`, `\p{Greek}`, `\P{^Greek}`
    pub(super) fn unicode_class(&mut self) -> Parse<Option<Set>> {
        let start = self.rest;
        let mut negated = match start {
            [b'\\', b'p', ..] => false,
            [b'\\', b'P', ..] => true,
            _ => return Ok(None),
        };
        self.take(2);
        if self.rest.is_empty() {
            return Err(complaint("invalid character class range", start));
        }
        let first = self.rune()?;
        let mut name = if first == '{' {
            let Some(end) = memchr::memchr(b'}', self.rest) else {
                return Err(complaint("invalid character class range", start));
            };
            let name = String::from_utf8_lossy(self.rest.get(..end).unwrap_or(&[])).into_owned();
            self.take(end + 1);
            name
        } else {
            first.to_string()
        };
        let shown = self.since(start);
        if let Some(rest) = name.strip_prefix('^') {
            negated = !negated;
            name = rest.to_owned();
        }
        let plain = name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
        if !plain || name.is_empty() || !known_class(&name) {
            return Err(complaint("invalid character class range", shown));
        }
        let letter = if negated { 'P' } else { 'p' };
        Ok(Some(Set::Named(format!("\\{letter}{{{name}}}"))))
    }

    /// `[:alpha:]` inside of a class.
    fn posix_class(&mut self) -> Parse<Option<Set>> {
        if !self.rest.starts_with(b"[:") {
            return Ok(None);
        }
        let Some(end) = self.rest.get(2..).and_then(|rest| memchr::memmem::find(rest, b":]")) else {
            return Ok(None);
        };
        let shown = self.rest.get(..end + 4).unwrap_or(self.rest);
        let name = String::from_utf8_lossy(self.rest.get(2..end + 2).unwrap_or(&[])).into_owned();
        let plain = name.strip_prefix('^').unwrap_or(&name);
        let Some((_, text)) = POSIX.iter().find(|(known, _)| *known == plain) else {
            return Err(complaint("invalid character class range", shown));
        };
        self.take(end + 4);
        let negated = name.starts_with('^');
        Ok(Some(Set::Named(if negated { format!("[^{text}]") } else { (*text).to_owned() })))
    }

    /// `[…]`
    pub(super) fn class(&mut self) -> Parse<()> {
        let start = self.rest;
        self.take(1);
        let negated = self.rest.first() == Some(&b'^');
        if negated {
            self.take(1);
        }
        let mut set = Vec::new();
        let mut first = true;
        while first || self.rest.first() != Some(&b']') {
            first = false;
            if self.rest.len() > 2
                && let Some(named) = self.posix_class()?
            {
                set.push(named);
                continue;
            }
            if let Some(named) = self.unicode_class()?.or_else(|| self.perl_class()) {
                set.push(named);
                continue;
            }
            let range = self.rest;
            let low = self.class_character(start)?;
            let mut high = low;
            if matches!(self.rest, [b'-', next, ..] if *next != b']') {
                self.take(1);
                high = self.class_character(start)?;
                if high < low {
                    return Err(complaint("invalid character class range", self.since(range)));
                }
            }
            set.push(Set::Range(low, high));
        }
        self.take(1);
        let fold = self.flags.fold;
        self.push(Piece::Class { set, negated, fold });
        Ok(())
    }

    fn class_character(&mut self, class: &'p [u8]) -> Parse<char> {
        match self.rest.first() {
            None => Err(complaint("missing closing ]", class)),
            Some(b'\\') => self.escaped_character(),
            Some(_) => self.rune(),
        }
    }
}
