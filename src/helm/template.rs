//! Go's text/template: source to a compiled, shareable tree, and the execution of such a tree.
//!
//! A parsed file is immutable and may be shared between threads; an execution belongs to one.

pub(crate) mod exec;
pub(crate) mod format;
mod known;
mod lexer;
pub(crate) mod machine;
pub(crate) mod memo;
pub(crate) mod node;
pub(crate) mod number;
mod parser;
mod repeats;
pub(crate) mod words;

use std::sync::Arc;

use super::value::Text;
use node::Node;

pub(crate) use parser::{ParseError, parse};
pub(crate) use words::Words;

/// One named template.
#[derive(Debug)]
pub(crate) struct Template {
    /// The name that `include` and `template` know it by.
    pub(crate) name: Text,
    /// The file it was written in.
    pub(crate) source: Arc<Source>,
    /// What it consists of.
    pub(crate) body: Arc<[Node]>,
}

/// The text that templates were parsed from.
#[derive(Debug)]
pub(crate) struct Source {
    /// The name for messages.
    pub(crate) name: Text,
    /// The text.
    pub(crate) text: Text,
}

impl Source {
    /// Line from 1 and byte column from 0 of an offset, as Go reports them.
    pub(crate) fn place(&self, offset: u32) -> (usize, usize) {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(self.text.len());
        let before = self.text.get(..offset).unwrap_or(&[]);
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let column = memchr::memrchr(b'\n', before).map_or(offset, |newline| offset - newline - 1);
        (line, column)
    }

    /// What stands between two offsets.
    pub(crate) fn part(&self, from: u32, to: u32) -> &[u8] {
        let at = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
        self.text.get(at(from)..at(to)).unwrap_or(&[])
    }

    /// The line of an offset.
    pub(crate) fn line(&self, offset: u32) -> String {
        let (line, _) = self.place(offset);
        let text = self.text.split(|byte| *byte == b'\n').nth(line - 1).unwrap_or(&[]);
        String::from_utf8_lossy(text).into_owned()
    }
}

/// All templates of one file: the file itself and what it defines.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// The file's own template, last, and its definitions before it, in the order of their ends.
    pub(crate) templates: Vec<Arc<Template>>,
    /// How many tokens they have.
    pub(crate) tokens: usize,
}

impl Parsed {
    /// What it takes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        64 * self.tokens
    }
}

impl Template {
    /// Whether it holds nothing but blanks and comments, and so never replaces another one.
    pub(crate) fn is_empty(&self) -> bool {
        self.body.iter().all(|node| match node {
            Node::Text(from, to) => self.source.part(*from, *to).iter().all(u8::is_ascii_whitespace),
            _ => false,
        })
    }
}
