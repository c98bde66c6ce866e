//! Values of the short way: quoted and plain scalars, flow collections, literal blocks.

use std::borrow::Cow;

use super::super::reader::{Build, scalar};
use super::super::scanner::Mark;
use super::{Lines, is_in, table};

impl<'a> Lines<'a> {
    /// A scalar, a flow collection of one line, or a block of text, in a collection at this column.
    pub(super) fn scalar<N: Build>(&mut self, column: usize, depth: usize) -> Option<N> {
        let node = match self.byte()? {
            b'"' => N::text(self.double_quoted(true)?),
            b'\'' => N::text(self.single_quoted(true)?),
            b'{' => self.flow_map(depth + 1)?,
            b'[' => self.flow_sequence(depth + 1)?,
            style @ (b'|' | b'>') => return self.block(column, style == b'>'),
            b'-' if matches!(self.ahead(1), None | Some(b' ' | b'\n')) => return None,
            first if begins_plain(first) => return self.plain(column),
            _ => return None,
        };
        self.end_line()?;
        Some(node)
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
            b'"' => Some(N::text(self.double_quoted(false)?)),
            b'\'' => Some(N::text(self.single_quoted(false)?)),
            b'{' => self.flow_map(depth + 1),
            b'[' => self.flow_sequence(depth + 1),
            b'-' if matches!(self.ahead(1), None | Some(b' ' | b'\n')) => None,
            first if begins_plain(first) => {
                let from = self.at;
                let rest = self.input.get(from..)?;
                let length = rest.iter().position(|byte| is_in(&ENDS_FLOW, *byte))?;
                if !matches!(rest.get(length), Some(b',' | b']' | b'}')) {
                    return None;
                }
                self.at = from + length;
                scalar(None, Cow::Borrowed(self.passed(from)), true, Mark::default()).ok()
            }
            _ => None,
        }
    }

    /// A plain scalar in a collection at this column; it goes on in lines that are indented deeper.
    fn plain<N: Build>(&mut self, column: usize) -> Option<N> {
        let (from, line) = (self.at, self.line);
        let mut ends = self.plain_line()?;
        let end = self.at;
        let mut text = Cow::Borrowed(self.passed(from));
        if !ends {
            // Mostly what follows belongs to a collection, so that the scalar has ended.
            let behind = self.at;
            self.seek((end + 1).min(self.input.len()))?;
            if self.has_ended() || self.column() <= column {
                return scalar(None, text, true, Mark::default()).ok();
            }
            (self.line, self.at) = (line, behind);
        }
        while let Some((blank, from)) = self.continuation(column).filter(|_| !ends) {
            push_break(text.to_mut(), blank);
            self.at = from;
            ends = self.plain_line()?;
            text.to_mut().extend_from_slice(self.passed(from));
        }
        self.end_line()?;
        scalar(None, text, true, Mark::default()).ok()
    }

    /// Goes to the end of a plain scalar in its line; whether a comment ends it there.
    fn plain_line(&mut self) -> Option<bool> {
        let mut looked = self.at;
        loop {
            let rest = self.input.get(looked..).unwrap_or(&[]);
            let Some(length) = memchr::memchr3(b'\n', b':', b'#', rest) else {
                self.at = self.input.len();
                return Some(false);
            };
            let found = looked + length;
            match self.input.get(found) {
                // A colon before a space or the end would make it a key.
                Some(b':') if matches!(self.input.get(found + 1), None | Some(b' ' | b'\n')) => return None,
                Some(b'#') if self.input.get(found - 1) == Some(&b' ') => {
                    self.at = found;
                    return Some(true);
                }
                Some(b'\n') => {
                    self.at = found;
                    return Some(false);
                }
                _ => looked = found + 1,
            }
        }
    }

    /// What stands from there to here, without the spaces at its end, which are not passed.
    fn passed(&mut self, from: usize) -> &'a [u8] {
        let text = without_last_spaces(self.slice(from, self.at));
        self.at = from + text.len();
        text
    }

    /// How many blank lines follow the end of this line, and where behind them a plain scalar goes on, if it does.
    fn continuation(&self, column: usize) -> Option<(usize, usize)> {
        let (blank, line, spaces) = self.content_after(self.line_end(self.at))?;
        let goes_on = spaces > column && self.input.get(line + spaces) != Some(&b'#');
        goes_on.then_some((blank, line + spaces))
    }

    /// How many blank lines follow the end of a line, where the next one begins, and with how many spaces.
    pub(super) fn content_after(&self, end: usize) -> Option<(usize, usize, usize)> {
        let (mut blank, mut line) = (0, end + 1);
        loop {
            let spaces = self.input.get(line..)?.iter().position(|byte| *byte != b' ')?;
            if self.input.get(line + spaces) != Some(&b'\n') {
                return Some((blank, line, spaces));
            }
            (blank, line) = (blank + 1, line + spaces + 1);
        }
    }

    /// A literal or folded block in a collection at this column.
    fn block<N: Build>(&mut self, column: usize, folded: bool) -> Option<N> {
        self.at += 1;
        let chomping = self.byte().filter(|byte| matches!(byte, b'-' | b'+'));
        self.at += usize::from(chomping.is_some());
        if self.byte() != Some(b'\n') {
            return None;
        }
        let mut line = self.at + 1;
        let (mut breaks, mut deepest) = (0, 0);
        let indent = loop {
            let spaces = self.input.get(line..)?.iter().position(|byte| *byte != b' ')?;
            if self.input.get(line + spaces) != Some(&b'\n') {
                break spaces;
            }
            (breaks, deepest) = (breaks + 1, deepest.max(spaces));
            line += spaces + 1;
        };
        if indent > column && deepest > indent {
            return None;
        }
        let (mut text, mut joint) = (Vec::new(), Joint::Break);
        while indent > column && line < self.input.len() {
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
                let content = whole.get(indent..).unwrap_or(&[]);
                let next = if folded && content.first() != Some(&b' ') { Joint::Fold } else { Joint::Break };
                match (joint, next, breaks) {
                    (Joint::Fold, Joint::Fold, 1..) => push_break(&mut text, breaks - 1),
                    _ => text.extend(std::iter::repeat_n(b'\n', breaks)),
                }
                text.extend_from_slice(content);
                joint = next;
                breaks = usize::from(end < self.input.len());
            }
            line = (end + 1).min(self.input.len());
        }
        let kept = match (chomping, text.is_empty()) {
            (Some(b'+'), _) => breaks,
            (Some(_), _) | (None, true) => 0,
            (None, false) => breaks.min(1),
        };
        text.extend(std::iter::repeat_n(b'\n', kept));
        self.seek(line)?;
        Some(N::text(Cow::Owned(text)))
    }
}

/// What stands for the break between two lines that are folded, with so many blank ones between them.
pub(super) fn push_break(text: &mut Vec<u8>, blank: usize) {
    let joint = if blank == 0 { b' ' } else { b'\n' };
    text.extend(std::iter::repeat_n(joint, blank.max(1)));
}

pub(super) fn without_last_spaces(text: &[u8]) -> &[u8] {
    let length = text.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    text.get(..length).unwrap_or(text)
}

/// What becomes of the break before or after a line of a block.
#[derive(Clone, Copy)]
enum Joint {
    Break,
    Fold,
}

/// Characters that begin a plain scalar and mean nothing else.
fn begins_plain(byte: u8) -> bool {
    byte >= 0x80 || is_in(&OF_PLAIN, byte)
}

static OF_PLAIN: [bool; 256] = table(b"/._($+~;^=<\\-)", true);

/// Characters that a plain scalar in a flow collection is not read past.
static ENDS_FLOW: [bool; 256] = table(b",]}[{:#?\n", false);
