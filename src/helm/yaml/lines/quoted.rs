//! Quoted scalars of the short way, on one line or several.

use std::borrow::Cow;

use super::Lines;
use super::scalars::{push_break, without_last_spaces};

impl<'a> Lines<'a> {
    /// A scalar in single quotes, which may go on in further lines.
    pub(super) fn single_quoted(&mut self, further: bool) -> Option<Cow<'a, [u8]>> {
        let mut from = self.at + 1;
        let mut text = Cow::Borrowed(&[][..]);
        loop {
            let end = from + memchr::memchr2(b'\'', b'\n', self.input.get(from..)?)?;
            let part = self.slice(from, end);
            from = if self.input.get(end) == Some(&b'\n') {
                self.fold(&mut text, part, end).filter(|_| further)?
            } else {
                append(&mut text, part);
                if self.input.get(end + 1) != Some(&b'\'') {
                    self.at = end + 1;
                    return Some(text);
                }
                text.to_mut().push(b'\'');
                end + 2
            };
        }
    }

    /// The same in double quotes, with the escapes that are common.
    pub(super) fn double_quoted(&mut self, further: bool) -> Option<Cow<'a, [u8]>> {
        let mut from = self.at + 1;
        let mut text = Cow::Borrowed(&[][..]);
        loop {
            let end = from + memchr::memchr3(b'"', b'\\', b'\n', self.input.get(from..)?)?;
            let part = self.slice(from, end);
            from = match (self.input.get(end)?, self.input.get(end + 1)) {
                (b'"', _) => {
                    append(&mut text, part);
                    self.at = end + 1;
                    return Some(text);
                }
                (b'\\', Some(b'\n')) => {
                    append(&mut text, part);
                    let (blank, next) = self.goes_on_quoted(end + 1).filter(|_| further)?;
                    text.to_mut().extend(std::iter::repeat_n(b'\n', blank));
                    next
                }
                (b'\\', Some(escape)) => {
                    append(&mut text, part);
                    text.to_mut().push(match escape {
                        b'n' => b'\n',
                        b't' => b'\t',
                        b'"' | b'\\' | b' ' => *escape,
                        _ => return None,
                    });
                    end + 2
                }
                _ => self.fold(&mut text, part, end).filter(|_| further)?,
            };
        }
    }

    /// Appends the last part of a line, and what stands for the break behind it and blank lines; where the scalar goes
    /// on.
    fn fold(&self, text: &mut Cow<'a, [u8]>, part: &'a [u8], end: usize) -> Option<usize> {
        let (blank, next) = self.goes_on_quoted(end)?;
        let text = text.to_mut();
        text.extend_from_slice(without_last_spaces(part));
        push_break(text, blank);
        Some(next)
    }

    /// How many blank lines follow the end of a line, and where behind them a quoted scalar goes on. None where a document
    /// may end.
    fn goes_on_quoted(&self, end: usize) -> Option<(usize, usize)> {
        let (blank, line, spaces) = self.content_after(end)?;
        let rest = self.input.get(line..)?;
        let marker = rest.starts_with(b"---") || rest.starts_with(b"...");
        (!marker).then_some((blank, line + spaces))
    }
}

fn append<'a>(text: &mut Cow<'a, [u8]>, part: &'a [u8]) {
    if text.is_empty() {
        *text = Cow::Borrowed(part);
    } else {
        text.to_mut().extend_from_slice(part);
    }
}
