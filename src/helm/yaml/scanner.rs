//! Cuts YAML into tokens by libyaml's rules: indentation, simple keys, scalars, error words.
//!
//! The scanner borrows plain text from its input and copies only what has to be folded or
//! unescaped. It knows nothing of types.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::VecDeque;

use super::{YamlError, YamlLimits};

mod scalars;
mod tags;
#[cfg(test)]
mod tests;

/// A place in the input.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    /// Byte offset.
    pub(super) offset: usize,
    /// Line from 0.
    pub(super) line: usize,
    /// Column from 0, in characters.
    pub(super) column: usize,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind<'a> {
    StreamEnd,
    VersionDirective(u32, u32),
    TagDirective(&'a [u8], Vec<u8>),
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'a [u8]),
    Anchor(&'a [u8]),
    Tag(Vec<u8>, Vec<u8>),
    Scalar(Cow<'a, [u8]>, bool),
}

impl Kind<'_> {
    /// Whether both are of one sort, whatever they hold.
    pub(super) fn is(&self, other: &Kind<'_>) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// A token and where it starts.
#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) start: Mark,
}

#[derive(Clone, Copy, Default)]
struct SimpleKey {
    possible: bool,
    /// Whether the parser waits for it: go-yaml forgets that at the end of an empty flow collection.
    looked_for: bool,
    required: bool,
    number: usize,
    mark: Mark,
}

/// The scanner's state.
pub(super) struct Scanner<'a> {
    input: &'a [u8],
    ascii: bool,
    position: usize,
    line: usize,
    line_start: usize,
    /// The start of a line, a position in it and the column there, from which the next column is counted.
    counted: Cell<(usize, usize, usize)>,
    tokens: VecDeque<Token<'a>>,
    /// The number of the first token, if nothing that is still to be read can come before it.
    settled: Option<usize>,
    parsed: usize,
    finished: bool,
    flow_level: usize,
    indent: isize,
    indents: Vec<isize>,
    key_allowed: bool,
    keys: Vec<SimpleKey>,
    depth: usize,
}

type Scan<T> = Result<T, YamlError>;

impl<'a> Scanner<'a> {
    /// Checks size and characters and starts before the first token.
    pub(super) fn new(input: &'a [u8], limits: YamlLimits) -> Scan<Self> {
        if input.len() > limits.bytes {
            return Err(YamlError::limit(0, 0, format!("document is larger than {} bytes", limits.bytes)));
        }
        let input = input.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(input);
        let ascii = check_characters(input)?;
        Ok(Self {
            input,
            ascii,
            position: 0,
            line: 0,
            line_start: 0,
            counted: Cell::new((0, 0, 0)),
            tokens: VecDeque::with_capacity(8),
            settled: None,
            parsed: 0,
            finished: false,
            flow_level: 0,
            indent: -1,
            indents: Vec::new(),
            key_allowed: true,
            keys: vec![SimpleKey::default()],
            depth: limits.depth,
        })
    }

    /// The next token, left in place.
    pub(super) fn peek(&mut self) -> Scan<&Token<'a>> {
        if self.settled != Some(self.parsed) {
            self.fill()?;
        }
        match self.tokens.front() {
            Some(token) => Ok(token),
            None => Err(YamlError::limit(0, 0, "the stream has ended".to_owned())),
        }
    }

    /// Takes the next token. The end of the stream stays for ever.
    pub(super) fn next(&mut self) -> Scan<Token<'a>> {
        if self.settled != Some(self.parsed) {
            self.fill()?;
        }
        match self.tokens.pop_front() {
            Some(token) => {
                self.parsed += 1;
                if token.kind.is(&Kind::StreamEnd) {
                    self.tokens.push_front(token.clone());
                    self.parsed -= 1;
                }
                Ok(token)
            }
            None => Err(YamlError::limit(0, 0, "the stream has ended".to_owned())),
        }
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.input.get(self.position + ahead).copied().unwrap_or(0)
    }

    fn at_end(&self) -> bool {
        self.position >= self.input.len()
    }

    fn mark(&self) -> Mark {
        Mark { offset: self.position, line: self.line, column: self.column() }
    }

    fn column(&self) -> usize {
        if self.ascii {
            return self.position - self.line_start;
        }
        // Counting every time from the line's start would take the square of a long line's length.
        let (from, before) = match self.counted.get() {
            (start, at, column) if start == self.line_start && at <= self.position => (at, column),
            _ => (self.line_start, 0),
        };
        let rest = self.input.get(from..self.position).unwrap_or(&[]);
        let column = before + rest.iter().filter(|byte| *byte & 0xC0 != 0x80).count();
        self.counted.set((self.line_start, self.position, column));
        column
    }

    fn column_signed(&self) -> isize {
        isize::try_from(self.column()).unwrap_or(isize::MAX)
    }

    fn is_break(&self, ahead: usize) -> bool {
        self.break_width(ahead) != 0
    }

    fn break_width(&self, ahead: usize) -> usize {
        match self.byte(ahead) {
            b'\r' if self.byte(ahead + 1) == b'\n' => 2,
            b'\n' | b'\r' => 1,
            0xC2 if self.byte(ahead + 1) == 0x85 => 2,
            0xE2 if self.byte(ahead + 1) == 0x80 && matches!(self.byte(ahead + 2), 0xA8 | 0xA9) => 3,
            _ => 0,
        }
    }

    fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b' ' | b'\t')
    }

    fn is_blankz(&self, ahead: usize) -> bool {
        match self.byte(ahead) {
            b' ' | b'\t' | b'\n' | b'\r' => true,
            0 => self.position + ahead >= self.input.len(),
            0xC2 | 0xE2 => self.is_break(ahead),
            _ => false,
        }
    }

    fn is_breakz(&self, ahead: usize) -> bool {
        self.position + ahead >= self.input.len() || self.is_break(ahead)
    }

    /// Goes on to the end of the line.
    fn skip_to_break(&mut self) {
        if self.ascii {
            let rest = self.input.get(self.position..).unwrap_or(&[]);
            self.position += memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            return;
        }
        while !self.is_breakz(0) {
            self.position += 1;
        }
    }

    fn skip_line(&mut self) {
        let width = self.break_width(0);
        if width > 0 {
            self.position += width;
            self.line += 1;
            self.line_start = self.position;
        }
    }

    fn read_line(&mut self, into: &mut Vec<u8>) {
        if self.byte(0) == 0xE2 {
            into.extend_from_slice(self.input.get(self.position..self.position + 3).unwrap_or(&[]));
        } else {
            into.push(b'\n');
        }
        self.skip_line();
    }

    fn error<T>(&self, context: Mark, problem: &str) -> Scan<T> {
        let line = if self.line != 0 { self.line + 1 } else { context.line };
        let place = if line == 0 { String::new() } else { format!("line {line}: ") };
        Err(YamlError::at(self.line + 1, self.column() + 1, problem, format!("yaml: {place}{problem}")))
    }

    fn fill(&mut self) -> Scan<()> {
        loop {
            if !self.tokens.is_empty() {
                let mut pending = false;
                for index in 0..self.keys.len() {
                    let Some(key) = self.keys.get(index).copied() else {
                        break;
                    };
                    if key.number == self.parsed && key.looked_for && self.key_is_valid(index)? {
                        pending = true;
                        break;
                    }
                }
                if !pending {
                    self.settled = Some(self.parsed);
                    return Ok(());
                }
            }
            self.fetch()?;
        }
    }

    fn key_is_valid(&mut self, index: usize) -> Scan<bool> {
        let Some(key) = self.keys.get(index).copied() else {
            return Ok(false);
        };
        if !key.possible {
            return Ok(false);
        }
        if key.mark.line < self.line || key.mark.offset + 1024 < self.position {
            if key.required {
                return self.error(key.mark, "could not find expected ':'");
            }
            if let Some(slot) = self.keys.get_mut(index) {
                slot.possible = false;
                slot.looked_for = false;
            }
            return Ok(false);
        }
        Ok(true)
    }

    fn fetch(&mut self) -> Scan<()> {
        self.skip_to_token();
        self.unroll_indent(self.column_signed());
        if self.at_end() {
            return self.fetch_stream_end();
        }
        let column_zero = self.position == self.line_start;
        let first = self.byte(0);
        if column_zero && first == b'%' {
            return self.fetch_directive();
        }
        if column_zero && self.is_document_indicator() {
            return self.fetch_document_indicator();
        }
        let blank_next = self.is_blankz(1);
        let in_flow = self.flow_level > 0;
        match first {
            b'[' => self.fetch_flow_start(Kind::FlowSequenceStart),
            b'{' => self.fetch_flow_start(Kind::FlowMappingStart),
            b']' => self.fetch_flow_end(Kind::FlowSequenceEnd),
            b'}' => self.fetch_flow_end(Kind::FlowMappingEnd),
            b',' => {
                self.remove_key()?;
                self.key_allowed = true;
                self.push_indicator(Kind::FlowEntry, 1);
                Ok(())
            }
            b'-' if blank_next => self.fetch_block_entry(),
            b'?' if in_flow || blank_next => self.fetch_key(),
            b':' if in_flow || blank_next => self.fetch_value(),
            b'*' | b'&' => self.fetch_anchor(),
            b'!' => self.fetch_tag(),
            b'|' | b'>' if !in_flow => self.fetch_block_scalar(),
            b'\'' | b'"' => self.fetch_flow_scalar(),
            b'-' if !self.is_blank(1) => self.fetch_plain_scalar(),
            b'?' | b':' if !in_flow => self.fetch_plain_scalar(),
            b'-' | b'?' | b':' | b'#' | b'|' | b'>' | b'%' | b'@' | b'`' | b'\t' => {
                self.error(self.mark(), "found character that cannot start any token")
            }
            _ => self.fetch_plain_scalar(),
        }
    }

    fn is_document_indicator(&self) -> bool {
        let rest = self.input.get(self.position..).unwrap_or(&[]);
        (rest.starts_with(b"---") || rest.starts_with(b"...")) && self.is_blankz(3)
    }

    fn skip_to_token(&mut self) {
        loop {
            if self.position == 0 && self.input.starts_with(b"\xEF\xBB\xBF") {
                self.position = 3;
            }
            while self.byte(0) == b' '
                || (self.byte(0) == b'\t' && (self.flow_level > 0 || !self.key_allowed))
            {
                self.position += 1;
            }
            if self.byte(0) == b'#' {
                self.skip_to_break();
            }
            if !self.is_break(0) {
                return;
            }
            self.skip_line();
            if self.flow_level == 0 {
                self.key_allowed = true;
            }
        }
    }

    fn push_indicator(&mut self, kind: Kind<'a>, width: usize) {
        let start = self.mark();
        self.position += width;
        self.tokens.push_back(Token { kind, start });
    }

    fn save_key(&mut self) -> Scan<()> {
        if !self.key_allowed {
            return Ok(());
        }
        let required = self.flow_level == 0 && self.indent == self.column_signed();
        let key = SimpleKey {
            possible: true,
            looked_for: true,
            required,
            number: self.parsed + self.tokens.len(),
            mark: self.mark(),
        };
        self.remove_key()?;
        if let Some(slot) = self.keys.last_mut() {
            *slot = key;
        }
        Ok(())
    }

    fn remove_key(&mut self) -> Scan<()> {
        if let Some(key) = self.keys.last().copied()
            && key.possible
        {
            if key.required {
                return self.error(key.mark, "could not find expected ':'");
            }
            if let Some(slot) = self.keys.last_mut() {
                slot.possible = false;
                slot.looked_for = false;
            }
        }
        Ok(())
    }

    fn check_depth(&self) -> Scan<()> {
        if self.indents.len() + self.flow_level > self.depth {
            return Err(YamlError::limit(
                self.line + 1,
                self.column() + 1,
                format!("nested deeper than {} levels", self.depth),
            ));
        }
        Ok(())
    }

    fn roll_indent(&mut self, column: isize, number: Option<usize>, kind: Kind<'a>, mark: Mark) -> Scan<()> {
        if self.flow_level > 0 || self.indent >= column {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column;
        self.check_depth()?;
        let token = Token { kind, start: mark };
        match number {
            Some(number) => {
                self.tokens.insert(number.saturating_sub(self.parsed).min(self.tokens.len()), token)
            }
            None => self.tokens.push_back(token),
        }
        Ok(())
    }

    fn unroll_indent(&mut self, column: isize) {
        if self.flow_level > 0 {
            return;
        }
        while self.indent > column {
            let mark = self.mark();
            self.tokens.push_back(Token { kind: Kind::BlockEnd, start: mark });
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn fetch_stream_end(&mut self) -> Scan<()> {
        if self.finished {
            return Ok(());
        }
        if self.position != self.line_start {
            self.line += 1;
            self.line_start = self.position;
        }
        self.unroll_indent(-1);
        self.remove_key()?;
        self.key_allowed = false;
        self.finished = true;
        self.push_indicator(Kind::StreamEnd, 0);
        Ok(())
    }

    fn fetch_document_indicator(&mut self) -> Scan<()> {
        self.unroll_indent(-1);
        self.remove_key()?;
        self.key_allowed = false;
        let kind = if self.byte(0) == b'-' { Kind::DocumentStart } else { Kind::DocumentEnd };
        self.push_indicator(kind, 3);
        Ok(())
    }

    fn fetch_flow_start(&mut self, kind: Kind<'a>) -> Scan<()> {
        self.save_key()?;
        let number = self.parsed + self.tokens.len();
        self.keys.push(SimpleKey { number, ..SimpleKey::default() });
        self.flow_level += 1;
        self.check_depth()?;
        self.key_allowed = true;
        self.push_indicator(kind, 1);
        Ok(())
    }

    fn fetch_flow_end(&mut self, kind: Kind<'a>) -> Scan<()> {
        self.remove_key()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            let inner = self.keys.pop().unwrap_or_default();
            if let Some(outer) = self.keys.last_mut()
                && outer.number == inner.number
            {
                outer.looked_for = false;
            }
        }
        self.key_allowed = false;
        self.push_indicator(kind, 1);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Scan<()> {
        if self.flow_level == 0 {
            if !self.key_allowed {
                return self.error(self.mark(), "block sequence entries are not allowed in this context");
            }
            self.roll_indent(self.column_signed(), None, Kind::BlockSequenceStart, self.mark())?;
        }
        self.remove_key()?;
        self.key_allowed = true;
        self.push_indicator(Kind::BlockEntry, 1);
        Ok(())
    }

    fn fetch_key(&mut self) -> Scan<()> {
        if self.flow_level == 0 {
            if !self.key_allowed {
                return self.error(self.mark(), "mapping keys are not allowed in this context");
            }
            self.roll_indent(self.column_signed(), None, Kind::BlockMappingStart, self.mark())?;
        }
        self.remove_key()?;
        self.key_allowed = self.flow_level == 0;
        self.push_indicator(Kind::Key, 1);
        Ok(())
    }

    fn fetch_value(&mut self) -> Scan<()> {
        let last = self.keys.len().saturating_sub(1);
        if self.key_is_valid(last)? {
            let key = self.keys.get(last).copied().unwrap_or_default();
            let index = key.number.saturating_sub(self.parsed).min(self.tokens.len());
            self.tokens.insert(index, Token { kind: Kind::Key, start: key.mark });
            let column = isize::try_from(key.mark.column).unwrap_or(isize::MAX);
            self.roll_indent(column, Some(key.number), Kind::BlockMappingStart, key.mark)?;
            if let Some(slot) = self.keys.last_mut() {
                slot.possible = false;
                slot.looked_for = false;
            }
            self.key_allowed = false;
        } else {
            if self.flow_level == 0 {
                if !self.key_allowed {
                    return self.error(self.mark(), "mapping values are not allowed in this context");
                }
                self.roll_indent(self.column_signed(), None, Kind::BlockMappingStart, self.mark())?;
            }
            self.key_allowed = self.flow_level == 0;
        }
        self.push_indicator(Kind::Value, 1);
        Ok(())
    }
}

/// Refuses what libyaml's reader refuses, the first of it; tells whether everything is ASCII.
fn check_characters(input: &[u8]) -> Scan<bool> {
    let control = |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r') || byte == 0x7F;
    // Without an early end the compiler looks at many bytes at once.
    let has_controls = input.iter().fold(false, |found, byte| found | control(*byte));
    if !has_controls && input.is_ascii() {
        return Ok(true);
    }
    let valid = match std::str::from_utf8(input) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(input.get(..error.valid_up_to()).unwrap_or(&[])).unwrap_or(""),
    };
    let printable = |character: char| {
        matches!(
            character,
            ' '..='~' | '\t' | '\n' | '\r' | '\u{85}' | '\u{A0}'..='\u{FFFD}' | '\u{10000}'..
        )
    };
    let refused = valid.char_indices().find(|(_, character)| !printable(*character));
    let (offset, problem) = match refused {
        Some((offset, _)) => (offset, "control characters are not allowed"),
        None if valid.len() == input.len() => return Ok(false),
        None => (valid.len(), utf8_problem(input.get(valid.len()..).unwrap_or(&[]))),
    };
    let line = memchr::memchr_iter(b'\n', input.get(..offset).unwrap_or(&[])).count() + 1;
    Err(YamlError::at(line, 1, problem, format!("yaml: {problem}")))
}

/// What libyaml says of bytes that begin no character.
fn utf8_problem(bytes: &[u8]) -> &'static str {
    let lead = bytes.first().copied().unwrap_or(0);
    let is_cut = std::str::from_utf8(bytes)
        .is_err_and(|error| error.error_len().is_none() && error.valid_up_to() == 0);
    if is_cut {
        "incomplete UTF-8 octet sequence"
    } else if lead & 0xE0 == 0xC0 || lead & 0xF0 == 0xE0 || lead & 0xF8 == 0xF0 {
        "invalid trailing UTF-8 octet"
    } else {
        "invalid leading UTF-8 octet"
    }
}
