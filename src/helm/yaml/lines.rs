//! A short way through the YAML that most charts are made of: one document of block maps and lists, with scalars and
//! flow collections of one line, literal blocks and comments, all of it ASCII. It gives up on everything else, also on
//! whatever is wrong; then the grammar decides, and finds the words. It never reports an error of its own.

use std::borrow::Cow;

use super::YamlLimits;
use super::reader::{Build, Checked, Key, plain_key, scalar};
use super::scanner::Mark;

/// A key is at most so long for the scanner (libyaml's limit is 1024).
const KEY_LENGTH: usize = 512;

/// Reads the only document. Of its map, only the keys in `kept` get their values, if any are named.
pub(super) fn read<N: Build>(input: &[u8], limits: YamlLimits, kept: Option<&[&[u8]]>) -> Option<N> {
    // There is less than one node for each byte.
    let fits = input.len() <= limits.bytes && input.len() <= limits.nodes;
    if !fits || !is_plain(input) {
        return None;
    }
    let mut lines = Lines { input, line: 0, at: 0, depth: limits.depth };
    lines.seek(0)?;
    let node = match lines.byte()? {
        b'-' => lines.sequence(lines.column(), false, 0)?,
        _ => lines.map(lines.column(), 0, kept)?,
    };
    lines.has_ended().then_some(node)
}

/// Whether all of it is printable ASCII and line feeds. Without early exits, so that it is done in wide steps.
fn is_plain(input: &[u8]) -> bool {
    let plain = |byte: u8| (0x20..0x7F).contains(&byte) || byte == b'\n';
    input.chunks(256).all(|chunk| chunk.iter().fold(true, |so_far, byte| so_far & plain(*byte)))
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
        while self.byte() == Some(b' ') {
            self.at += 1;
        }
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
                    Key::Merge | Key::Null => return None,
                }
            };
            self.at = end + 1;
            return Some(key);
        }
        let key = self.double_quoted().filter(|_| {
            let ends = bare || matches!(self.ahead(1), None | Some(b' ' | b'\n'));
            ends && self.byte() == Some(b':') && self.at - from <= KEY_LENGTH
        });
        self.at = if key.is_some() { self.at + 1 } else { from };
        key
    }

    /// Where the plain key that begins here ends, if one does.
    fn key_end(&self) -> Option<usize> {
        let rest = self.input.get(self.at..).unwrap_or(&[]);
        let length = rest.iter().position(|byte| !is_of_key(*byte))?;
        let first = rest.first().copied().unwrap_or(b'-');
        let begins = first != b'-' && (1..=KEY_LENGTH).contains(&length) && rest.get(length) == Some(&b':');
        (begins && matches!(rest.get(length + 1), None | Some(b' ' | b'\n'))).then_some(self.at + length)
    }

    fn map<N: Build>(&mut self, column: usize, depth: usize, kept: Option<&[&[u8]]>) -> Option<N> {
        let first = self.key(false)?;
        self.map_from(first, column, depth, kept)
    }

    /// A map at this column whose first key is passed already.
    fn map_from<N: Build>(
        &mut self,
        mut key: Cow<'a, [u8]>,
        column: usize,
        depth: usize,
        kept: Option<&[&[u8]]>,
    ) -> Option<N> {
        if depth >= self.depth {
            return None;
        }
        let mut pairs = N::Pairs::default();
        loop {
            let value = if kept.is_some_and(|kept| !kept.contains(&&*key)) {
                self.value::<Checked>(column, depth)?;
                N::null()
            } else {
                self.value(column, depth)?
            };
            N::add(&mut pairs, &key, value);
            if self.has_left(column) {
                return Some(N::of_pairs(pairs));
            }
            if self.column() > column {
                return None;
            }
            key = self.key(false)?;
        }
    }

    /// What follows a key of a map at this column.
    fn value<N: Build>(&mut self, column: usize, depth: usize) -> Option<N> {
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
            (true, false) => self.map(self.column(), depth + 1, None),
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
                Some(key) => self.map_from(key, inner, depth + 1, None)?,
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

    /// A scalar or a flow collection of one line, or a literal block, in a collection at this column.
    fn scalar<N: Build>(&mut self, column: usize, depth: usize) -> Option<N> {
        let node = match self.byte()? {
            b'"' => N::text(self.double_quoted()?),
            b'\'' => N::text(self.single_quoted()?),
            b'{' => self.flow_map(depth + 1)?,
            b'[' => self.flow_sequence(depth + 1)?,
            b'|' => return self.literal(column),
            b'-' if matches!(self.ahead(1), None | Some(b' ' | b'\n')) => return None,
            first if begins_plain(first) => self.plain()?,
            _ => return None,
        };
        self.end_line()?;
        Some(node)
    }

    fn single_quoted(&mut self) -> Option<Cow<'a, [u8]>> {
        let from = self.at + 1;
        let end = from + memchr::memchr2(b'\'', b'\n', self.input.get(from..)?)?;
        if self.input.get(end) != Some(&b'\'') || self.input.get(end + 1) == Some(&b'\'') {
            return None;
        }
        self.at = end + 1;
        Some(Cow::Borrowed(self.slice(from, end)))
    }

    fn double_quoted(&mut self) -> Option<Cow<'a, [u8]>> {
        let mut from = self.at + 1;
        let mut text = Cow::Borrowed(&[][..]);
        loop {
            let end = from + memchr::memchr3(b'"', b'\\', b'\n', self.input.get(from..)?)?;
            let part = self.slice(from, end);
            if text.is_empty() {
                text = Cow::Borrowed(part);
            } else {
                text.to_mut().extend_from_slice(part);
            }
            match self.input.get(end)? {
                b'"' => {
                    self.at = end + 1;
                    return Some(text);
                }
                b'\\' => text.to_mut().push(match self.input.get(end + 1)? {
                    b'n' => b'\n',
                    b't' => b'\t',
                    mark @ (b'"' | b'\\') => *mark,
                    _ => return None,
                }),
                _ => return None,
            }
            from = end + 2;
        }
    }

    fn flow_map<N: Build>(&mut self, depth: usize) -> Option<N> {
        if depth >= self.depth {
            return None;
        }
        let mut pairs = N::Pairs::default();
        self.at += 1;
        self.skip_spaces();
        if self.byte() == Some(b'}') {
            self.at += 1;
            return Some(N::of_pairs(pairs));
        }
        loop {
            let key = self.key(true)?;
            self.skip_spaces();
            let value = self.flow_value(depth)?;
            N::add(&mut pairs, &key, value);
            if !self.goes_on(b'}')? {
                return Some(N::of_pairs(pairs));
            }
        }
    }

    fn flow_sequence<N: Build>(&mut self, depth: usize) -> Option<N> {
        if depth >= self.depth {
            return None;
        }
        let mut items = Vec::new();
        self.at += 1;
        self.skip_spaces();
        if self.byte() == Some(b']') {
            self.at += 1;
            return Some(N::list(items));
        }
        loop {
            items.push(self.flow_value(depth)?);
            if !self.goes_on(b']')? {
                return Some(N::list(items));
            }
        }
    }

    /// After a value in a flow collection: whether there is a comma, or the end.
    fn goes_on(&mut self, end: u8) -> Option<bool> {
        self.skip_spaces();
        let byte = self.byte()?;
        self.at += 1;
        if byte == b',' {
            self.skip_spaces();
            return Some(true);
        }
        (byte == end).then_some(false)
    }

    fn flow_value<N: Build>(&mut self, depth: usize) -> Option<N> {
        match self.byte()? {
            b'"' => Some(N::text(self.double_quoted()?)),
            b'\'' => Some(N::text(self.single_quoted()?)),
            b'{' => self.flow_map(depth + 1),
            b'[' => self.flow_sequence(depth + 1),
            b'-' if matches!(self.ahead(1), None | Some(b' ' | b'\n')) => None,
            first if begins_plain(first) => {
                let from = self.at;
                let rest = self.input.get(from..)?;
                let length = rest.iter().position(|byte| b",]}[{:#?\n".contains(byte))?;
                if !matches!(rest.get(length), Some(b',' | b']' | b'}')) {
                    return None;
                }
                self.at = from + length;
                self.plain_scalar(from)
            }
            _ => None,
        }
    }

    /// The plain scalar from there to here, without the spaces at its end.
    fn plain_scalar<N: Build>(&mut self, from: usize) -> Option<N> {
        let text = self.slice(from, self.at);
        let length = text.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
        self.at = from + length;
        scalar(None, Cow::Borrowed(self.slice(from, self.at)), true, Mark::default()).ok()
    }

    fn plain<N: Build>(&mut self) -> Option<N> {
        let from = self.at;
        let mut end = self.line_end(from);
        let mut looked = from;
        while let Some(length) = memchr::memchr2(b':', b'#', self.slice(looked, end)) {
            let found = looked + length;
            if self.input.get(found) == Some(&b':') {
                // A colon before a space or the end would make it a key.
                if matches!(self.input.get(found + 1), None | Some(b' ' | b'\n')) {
                    return None;
                }
            } else if self.input.get(found - 1) == Some(&b' ') {
                end = found;
                break;
            }
            looked = found + 1;
        }
        self.at = end;
        self.plain_scalar(from)
    }

    /// A literal block in a collection at this column.
    fn literal<N: Build>(&mut self, column: usize) -> Option<N> {
        self.at += 1;
        let chomping = self.byte().filter(|byte| matches!(byte, b'-' | b'+'));
        self.at += usize::from(chomping.is_some());
        if self.byte() != Some(b'\n') {
            return None;
        }
        let mut line = self.at + 1;
        let indent = self.input.get(line..)?.iter().position(|byte| *byte != b' ')?;
        if indent <= column || self.input.get(line + indent) == Some(&b'\n') {
            return None;
        }
        let mut text = Vec::new();
        let mut breaks = 0;
        while line < self.input.len() {
            let end = self.line_end(line);
            let whole = self.slice(line, end);
            let spaces = whole.iter().take(indent).take_while(|byte| **byte == b' ').count();
            if spaces == whole.len() {
                if end == self.input.len() {
                    return None;
                }
                breaks += 1;
            } else if spaces < indent {
                break;
            } else {
                text.extend(std::iter::repeat_n(b'\n', breaks));
                text.extend_from_slice(whole.get(indent..).unwrap_or(&[]));
                breaks = usize::from(end < self.input.len());
            }
            line = (end + 1).min(self.input.len());
        }
        let kept = match chomping {
            Some(b'-') => 0,
            Some(_) => breaks,
            None => breaks.min(1),
        };
        text.extend(std::iter::repeat_n(b'\n', kept));
        self.seek(line)?;
        Some(N::text(Cow::Owned(text)))
    }
}

/// Characters of the keys that are read here.
fn is_of_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'$')
}

/// Characters that begin a plain scalar and mean nothing else.
fn begins_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/._($+~;^=<\\-)".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::read_by_grammar;
    use super::*;
    use crate::helm::values::Tree;

    const PIECES: &[&str] = &[
        "\n",
        "\n",
        "\n  ",
        "\n  ",
        "\n    ",
        "\n- ",
        "\n  - ",
        "a: ",
        "b: ",
        "key:",
        ": ",
        ":",
        "- ",
        "-",
        "x",
        "1",
        "true",
        "~",
        "no",
        ".5",
        "0x1f",
        "1_0",
        "y: ",
        "12: ",
        "\"q\"",
        "'s'",
        "''",
        "\"\"",
        "\"a\\nb\"",
        "\\",
        "\"",
        "'",
        "{",
        "}",
        "[",
        "]",
        ", ",
        ",",
        "{}",
        "[]",
        "|",
        "|-",
        "|+",
        "|\n",
        "|\n  ",
        "|-\n    ",
        " #",
        "#",
        " ",
        "  ",
        "---",
        "...",
        "%",
        "<<: ",
        "&a ",
        "*a",
        "? ",
        "!",
        ">",
        "http://x",
        "a b",
        "$(A)",
        "/p",
        "\t",
        "é",
        "\r",
        "{a: 1, b: [x, 'y']}",
        "{\"a\":\"b\"}",
        "[{a: b}]",
        "\"k\": ",
        "\"k\":",
        "=",
        "@",
        "`",
        ".inf",
        "a?",
    ];

    /// What is read in the short way is what the grammar reads.
    fn compare(text: &str) -> Result<bool, TestCaseError> {
        let limits = YamlLimits::default();
        let Some(short) = read::<Tree>(text.as_bytes(), limits, None) else { return Ok(false) };
        let long = read_by_grammar::<Tree>(text.as_bytes(), limits);
        prop_assert_eq!(Ok(&short), long.as_ref(), "{:?}", text);
        let json: serde_json::Value = read_by_grammar(text.as_bytes(), limits).unwrap();
        prop_assert_eq!(read::<serde_json::Value>(text.as_bytes(), limits, None), Some(json));
        prop_assert!(read::<Checked>(text.as_bytes(), limits, None).is_some());
        Ok(true)
    }

    /// Lines that mostly fit together: an indentation, perhaps an entry, a key, a value.
    fn lines() -> impl Strategy<Value = String> {
        let value = prop_oneof![
            4 => prop::sample::select(vec!["", " x", " 1", " \"q\"", " 's'", " {}", " [a, 1]", " {a: b}", " # c", " x # c"]),
            1 => prop::sample::select(vec![" |", " |-", " |+", " >", " a: b", " - a", " &a x", " !!str 1", " \"a", " x #c", ":"]),
        ];
        let line = (
            0..4_usize,
            any::<bool>(),
            prop::sample::select(vec!["a:", "b:", "1:", "on:", "\"q\":", "c", "", "#"]),
            value,
        );
        prop::collection::vec(line, 1..8).prop_map(|lines| {
            let texts = lines.into_iter().map(|(indent, entry, key, value)| {
                format!("{}{}{key}{value}\n", "  ".repeat(indent), if entry { "- " } else { "" })
            });
            texts.collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn pieces_are_read_as_the_grammar_reads_them(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..24)) {
            compare(&pieces.concat())?;
        }

        #[test]
        fn lines_are_read_as_the_grammar_reads_them(text in lines()) {
            compare(&text)?;
            compare(text.trim_end())?;
        }
    }

    #[test]
    fn what_charts_are_made_of_takes_the_short_way() {
        for text in [
            "# Source: a\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: \"a\" # why\n  labels: {}\ndata:\n  a.txt: |\n    one\n\n      two\n\n  b: ~1.2\n",
            "a:\n- b: 1\n  c: [x, \"y\"]\n-   d: {e: f, \"g\": 'h'}\n\nz:\n  - -1\n  - --flag=x\n  - http://example.com/a#b\n",
            "on: 1\n\"quoted/key\": a\n1: x\n0x10: y\nend:",
            "- a\n- b: |-\n    text\n    more",
        ] {
            assert!(compare(text).unwrap(), "{text}");
        }
    }
}
