//! Actions that stand in many places, letter for letter: each is parsed once for all the templates of a render.

use std::sync::Arc;

use super::Source;
use super::known::{Hash, Known};
use super::node::{Pipe, Position};
use crate::value::Text;

/// Longer actions are not remembered: they hardly come again.
const LONGEST: usize = 256;

/// How many different actions are expected. A table of its final size spares its predecessors, each in a region of the
/// heap of its own.
const MANY: usize = 448;

/// Actions with more parentheses are not to be kept, so that it is known how deep they nest at most.
pub(super) const PARENTHESES: usize = 16;

/// What an action comes to.
#[derive(Clone, Debug)]
pub(super) enum Opening {
    /// A pipeline that is printed, unless it declares.
    Action(Arc<Pipe>),
    /// The condition of an `if`.
    If(Arc<Pipe>),
    /// What a `with` goes into.
    With(Arc<Pipe>),
    /// What a `range` goes over.
    Range(Arc<Pipe>),
    /// `end`
    End,
    /// `else` without a condition of its own.
    Else,
}

/// An action that was parsed.
#[derive(Clone, Debug)]
pub(super) struct Repeat {
    /// What it came to.
    pub(super) opening: Opening,
    /// The variables that must be declared before it, besides `$`.
    pub(super) needed: Box<[Text]>,
    /// How many tokens it has.
    pub(super) tokens: usize,
}

/// How an action begins, up to the first two braces that may end it; empty where that is long.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Written<'a> {
    text: &'a [u8],
    hash: Hash,
}

/// An action and where it was read.
#[derive(Debug)]
struct Kept {
    source: Arc<Source>,
    start: Position,
    end: Position,
    repeat: Repeat,
}

impl Kept {
    fn text(&self) -> &[u8] {
        self.source.part(self.start, self.end)
    }
}

/// The actions so far, as they are written.
#[derive(Debug)]
pub(super) struct Repeats {
    known: Known<Kept>,
    longest: usize,
}

impl Default for Repeats {
    fn default() -> Self {
        Self { known: Known::default(), longest: LONGEST }
    }
}

impl Repeats {
    /// How the action is written that a text begins with.
    pub(super) fn written<'a>(&self, text: &'a [u8]) -> Written<'a> {
        let length = braces(text).map_or(0, |end| end + 2);
        match text.get(..length) {
            Some(text) if length <= self.longest => Written { text, hash: self.known.hash(text) },
            _ => Written::default(),
        }
    }

    /// The action that is written so.
    pub(super) fn find(&self, written: &Written<'_>) -> Option<&Repeat> {
        let kept = self.known.find(written.hash, |kept| kept.text() == written.text)?;
        Some(&kept.repeat)
    }

    /// Keeps the action that was read from there to there, if it is all of what is written.
    pub(super) fn keep(
        &mut self,
        written: &Written<'_>,
        (source, start, end): (&Arc<Source>, Position, Position),
        repeat: Repeat,
    ) {
        let kept = Kept { source: Arc::clone(source), start, end, repeat };
        if !written.text.is_empty() && kept.text().len() == written.text.len() {
            self.known.keep(written.hash, kept, MANY);
        }
    }
}

impl Written<'_> {
    /// How many bytes that is.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }
}

/// Where the first two braces stand that may end an action.
fn braces(text: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'}', text).find(|at| text.get(at + 1) == Some(&b'}'))
}

#[cfg(test)]
mod tests;
