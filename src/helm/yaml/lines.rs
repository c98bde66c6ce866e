//! A short way through the YAML that most charts are made of: one document of block maps and lists, with plain and
//! quoted scalars, flow collections of one line, blocks of text and comments. It gives up on everything else, also on
//! whatever is wrong; then the grammar decides, and finds the words. It never reports an error of its own.

use std::borrow::Cow;

use super::reader::{Build, Checked, Key, plain_key};
use super::{Keep, YamlLimits};

mod quoted;
mod scalars;

/// A key is at most so long for the scanner (libyaml's limit is 1024).
const KEY_LENGTH: usize = 512;

/// Reads the only document, or what is kept of its map.
pub(super) fn read<N: Build>(input: &[u8], limits: YamlLimits, keep: Keep) -> Option<N> {
    // There is less than one node for each byte.
    let fits = input.len() <= limits.bytes && input.len() <= limits.nodes;
    if !fits || !is_plain(input) {
        return None;
    }
    let mut lines = Lines { input, line: 0, at: 0, depth: limits.depth };
    lines.seek(content(input))?;
    let node = match lines.byte()? {
        b'-' => lines.sequence(lines.column(), false, 0)?,
        b'{' if matches!(keep, Keep::Everything) || lines.ahead(1) == Some(b'}') => lines.scalar(0, 0)?,
        b'[' => lines.scalar(0, 0)?,
        _ => lines.map(lines.column(), 0, keep)?,
    };
    lines.has_ended().then_some(node)
}

/// Where the content begins: behind a marker of the document's beginning, if that stands alone in its line.
fn content(input: &[u8]) -> usize {
    let mut line = 0;
    while let Some(rest) = input.get(line..) {
        if rest.starts_with(b"---\n") {
            return line + 4;
        }
        let text = rest.iter().position(|byte| *byte != b' ').unwrap_or(rest.len());
        if !matches!(rest.get(text), Some(b'\n' | b'#')) {
            break;
        }
        line += memchr::memchr(b'\n', rest).unwrap_or(rest.len()) + 1;
    }
    0
}

/// Whether all of it is printable, in lines that only line feeds end.
fn is_plain(input: &[u8]) -> bool {
    let ascii = |byte: u8| (0x20..0x7F).contains(&byte) || byte == b'\n';
    let beyond = |text: &str| text.chars().all(|one| one.is_ascii() || is_printable(one));
    all(input, ascii)
        || all(input, |byte| ascii(byte) || byte >= 0x80) && std::str::from_utf8(input).is_ok_and(beyond)
}

/// Without early exits inside of a chunk, so that it is done in wide steps.
fn all(input: &[u8], wanted: impl Fn(u8) -> bool) -> bool {
    input.chunks(256).all(|chunk| chunk.iter().fold(true, |so_far, byte| so_far & wanted(*byte)))
}

/// YAML's printable characters beyond ASCII, without the line breaks of YAML 1.1 and the mark of byte order.
fn is_printable(character: char) -> bool {
    matches!(character, '\u{A0}'..='\u{2027}' | '\u{202A}'..='\u{FEFE}' | '\u{FF00}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Whether a key is a text for sure: not one of the words, none of which is longer, that mean something else.
fn is_word(key: &[u8]) -> bool {
    let other: &[&[u8]] = &[b"y", b"n", b"yes", b"no", b"on", b"off", b"true", b"false", b"null"];
    if key.len() > 5 {
        return key.first().is_some_and(u8::is_ascii_alphabetic);
    }
    key.iter().all(u8::is_ascii_lowercase) && !other.contains(&key)
}

struct Lines<'a> {
    input: &'a [u8],
    /// Where the line begins.
    line: usize,
    /// What is read next.
    at: usize,
    depth: usize,
}

impl<'a> Lines<'a> {
    fn byte(&self) -> Option<u8> {
        self.input.get(self.at).copied()
    }

    fn ahead(&self, count: usize) -> Option<u8> {
        self.input.get(self.at + count).copied()
    }

    fn slice(&self, from: usize, to: usize) -> &'a [u8] {
        self.input.get(from..to).unwrap_or(&[])
    }

    fn column(&self) -> usize {
        self.at - self.line
    }

    fn has_ended(&self) -> bool {
        self.at >= self.input.len()
    }

    /// Whether nothing at this column or deeper follows.
    fn has_left(&self, column: usize) -> bool {
        self.has_ended() || self.column() < column
    }

    fn skip_spaces(&mut self) {
        let rest = self.input.get(self.at..).unwrap_or(&[]);
        self.at += rest.iter().position(|byte| *byte != b' ').unwrap_or(rest.len());
    }

    /// Where the line that holds a position ends.
    fn line_end(&self, from: usize) -> usize {
        let rest = self.input.get(from..).unwrap_or(&[]);
        memchr::memchr(b'\n', rest).map_or(self.input.len(), |length| from + length)
    }

    /// Where the line after the one that holds a position begins.
    fn next_line(&self, from: usize) -> usize {
        (self.line_end(from) + 1).min(self.input.len())
    }

    /// Goes to the first content at or after the beginning of a line.
    fn seek(&mut self, line: usize) -> Option<()> {
        (self.line, self.at) = (line, line);
        loop {
            self.skip_spaces();
            match self.byte() {
                Some(b'\n') => self.at += 1,
                Some(b'#') => self.at = self.next_line(self.at),
                Some(b'-' | b'.' | b'%') if self.column() == 0 && self.is_marker() => return None,
                _ => return Some(()),
            }
            self.line = self.at;
        }
    }

    /// Whether a marker of a document or a directive stands here.
    fn is_marker(&self) -> bool {
        let rest = self.input.get(self.at..).unwrap_or(&[]);
        rest.starts_with(b"---") || rest.starts_with(b"...") || rest.starts_with(b"%")
    }

    /// After a value nothing but a comment may stand in the line.
    fn end_line(&mut self) -> Option<()> {
        let from = self.at;
        self.skip_spaces();
        match self.byte() {
            None => Some(()),
            Some(b'\n') => self.seek(self.at + 1),
            Some(b'#') if self.at > from => self.seek(self.next_line(self.at)),
            Some(_) => None,
        }
    }

    fn is_entry(&self) -> bool {
        self.byte() == Some(b'-') && self.ahead(1) == Some(b' ')
    }

    /// The key that begins here, which is passed; nothing is passed where there is none. `bare` is whether a quoted
    /// key may stand directly before its value.
    fn key(&mut self, bare: bool) -> Option<Cow<'a, [u8]>> {
        let from = self.at;
        if self.byte() != Some(b'"') {
            let end = self.key_end()?;
            let key = self.slice(from, end);
            let key = if is_word(key) {
                Cow::Borrowed(key)
            } else {
                match plain_key(key) {
                    Key::Text(text) if *text == *key => Cow::Borrowed(key),
                    Key::Text(text) => Cow::Owned(text.to_vec()),
                    Key::Merge | Key::Null | Key::Uint(_) => return None,
                }
            };
            self.at = end + 1;
            return Some(key);
        }
        let key = self.double_quoted(false).filter(|_| {
            let ends = bare || matches!(self.ahead(1), None | Some(b' ' | b'\n'));
            ends && self.byte() == Some(b':') && self.at - from <= KEY_LENGTH
        });
        self.at = if key.is_some() { self.at + 1 } else { from };
        key
    }

    /// Where the plain key that begins here ends, if one does.
    fn key_end(&self) -> Option<usize> {
        let rest = self.input.get(self.at..).unwrap_or(&[]);
        let length = rest.iter().position(|byte| !is_in(&OF_KEY, *byte))?;
        let first = rest.first().copied().unwrap_or(b'-');
        let begins = first != b'-' && (1..=KEY_LENGTH).contains(&length) && rest.get(length) == Some(&b':');
        (begins && matches!(rest.get(length + 1), None | Some(b' ' | b'\n'))).then_some(self.at + length)
    }

    fn map<N: Build>(&mut self, column: usize, depth: usize, keep: Keep) -> Option<N> {
        let first = self.key(false)?;
        self.map_from(first, column, depth, keep)
    }

    /// A map at this column whose first key is passed already.
    fn map_from<N: Build>(
        &mut self,
        mut key: Cow<'a, [u8]>,
        column: usize,
        depth: usize,
        keep: Keep,
    ) -> Option<N> {
        if depth >= self.depth {
            return None;
        }
        let mut pairs = N::Pairs::default();
        loop {
            match keep.of(&key) {
                Keep::Nothing => _ = self.value::<Checked>(column, depth, Keep::Everything)?,
                keep => {
                    let value = self.value(column, depth, keep)?;
                    N::add(&mut pairs, &key, value);
                }
            }
            if self.has_left(column) {
                return Some(N::of_pairs(pairs));
            }
            if self.column() > column {
                return None;
            }
            key = self.key(false)?;
        }
    }

    /// What follows a key of a map at this column, or what is kept of it if it is a map.
    fn value<N: Build>(&mut self, column: usize, depth: usize, keep: Keep) -> Option<N> {
        self.skip_spaces();
        if !matches!(self.byte(), None | Some(b'\n' | b'#')) {
            return self.scalar(column, depth);
        }
        self.seek(self.next_line(self.at))?;
        if self.has_left(column) {
            return Some(N::null());
        }
        let (nested, entry) = (self.column() > column, self.is_entry());
        match (nested, entry) {
            (false, false) => Some(N::null()),
            (_, true) => self.sequence(self.column(), !nested, depth + 1),
            (true, false) => {
                let inner = self.column();
                match self.key(false) {
                    Some(key) => self.map_from(key, inner, depth + 1, keep),
                    None => self.scalar(column, depth),
                }
            }
        }
    }

    /// A list at this column; one that is not indented ends where its map goes on.
    fn sequence<N: Build>(&mut self, column: usize, indentless: bool, depth: usize) -> Option<N> {
        if depth >= self.depth {
            return None;
        }
        let mut items = Vec::new();
        while self.is_entry() {
            self.at += 1;
            self.skip_spaces();
            let inner = self.column();
            let item = match self.key(false) {
                Some(key) => self.map_from(key, inner, depth + 1, Keep::Everything)?,
                None => self.scalar(column, depth)?,
            };
            items.push(item);
            if self.has_left(column) {
                return Some(N::list(items));
            }
            if self.column() > column {
                return None;
            }
        }
        indentless.then(|| N::list(items))
    }
}

/// Characters of the keys that are read here.
static OF_KEY: [bool; 256] = table(b"_-./$", true);

/// These characters, and perhaps ASCII's letters and digits.
const fn table(characters: &[u8], letters: bool) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        table[byte as usize] = letters && byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut index = 0;
    while index < characters.len() {
        table[characters[index] as usize] = true;
        index += 1;
    }
    table
}

/// Whether a table has a byte.
fn is_in(table: &[bool; 256], byte: u8) -> bool {
    table.get(usize::from(byte)).is_some_and(|has| *has)
}

#[cfg(test)]
mod tests;
