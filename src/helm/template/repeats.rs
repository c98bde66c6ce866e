//! Actions that stand in many places, letter for letter: each is parsed once for all the templates of a render.

use std::sync::Arc;

use foldhash::HashMap;

use super::node::Pipe;
use crate::helm::value::Text;

/// Longer actions are not remembered: they hardly come again.
const LONGEST: usize = 256;

/// How many different actions a chart has for sure.
const MANY: usize = 112;

/// Actions with more parentheses are not remembered, so that it is known how deep they nest at most.
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

/// The actions so far, as they are written.
#[derive(Debug)]
pub(super) struct Repeats {
    known: HashMap<Text, Repeat>,
    longest: usize,
}

impl Default for Repeats {
    fn default() -> Self {
        Self { known: HashMap::default(), longest: LONGEST }
    }
}

impl Repeats {
    /// The action that is written so.
    pub(super) fn find(&self, written: &[u8]) -> Option<&Repeat> {
        if written.len() > self.longest { None } else { self.known.get(written) }
    }

    /// Keeps an action, if it can be told by its first two braces that may end it.
    pub(super) fn keep(&mut self, written: &[u8], repeat: Repeat) {
        let inner = written.strip_suffix(b"}}").unwrap_or(&[]);
        let nested = memchr::memchr_iter(b'(', inner).count();
        if written.len() > self.longest || nested > PARENTHESES || braces(inner).is_some() {
            return;
        }
        if self.known.is_empty() {
            self.known.reserve(MANY);
        }
        self.known.insert(Text::from(written), repeat);
    }
}

/// Where the first two braces stand that may end an action.
pub(super) fn braces(text: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'}', text).find(|at| text.get(at + 1) == Some(&b'}'))
}

#[cfg(test)]
mod tests;
