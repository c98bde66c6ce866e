//! Reads what templates made: documents, their objects and heads. Pure functions.

use serde_json::Value as Json;

use super::head::Head;
use super::split::Splitter;
use crate::Compat;
use crate::render::{Excerpt, Explanation, RenderError, RenderFault};
use crate::yaml::{self, YamlLimits};

/// How what templates made is read.
pub(crate) struct Reading {
    pub(super) compat: Compat,
    /// Whether documents are only looked at, not kept as objects.
    pub(super) texts_only: bool,
    /// How many documents a render may make.
    pub(super) most: usize,
    splitter: Splitter,
}

/// What a template made.
pub(super) struct File {
    pub(super) source: String,
    pub(super) content: Vec<u8>,
    /// What it holds, as far as it was read.
    pub(super) documents: Option<Vec<Read>>,
}

/// A document of a file.
pub(super) struct Read {
    /// Where its text starts in the file.
    pub(super) start: usize,
    /// How many bytes it has.
    pub(super) len: usize,
    pub(super) content: Result<(Json, Head), Box<RenderError>>,
}

impl Reading {
    /// Reading as one version of Helm does; only texts may be asked for, of so many documents at the most.
    pub(crate) fn new(compat: Compat, texts_only: bool, most: usize) -> Self {
        Self { compat, texts_only, most, splitter: Splitter::new(compat) }
    }

    /// The texts of a file's documents.
    pub(super) fn split<'a>(&'a self, content: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.splitter.split(content)
    }

    /// Reads files, as [`Reading::documents`] does.
    pub(super) fn read(&self, files: &mut [File]) {
        for file in files {
            file.documents = Some(self.documents(file));
        }
    }

    /// The documents of a file up to the first one that cannot be read; not many more than a render may make.
    pub(super) fn documents(&self, file: &File) -> Vec<Read> {
        let content = file.content.as_slice();
        let mut documents = Vec::new();
        for text in self.split(content).take(self.most.saturating_add(1)) {
            let start = text.as_ptr().addr() - content.as_ptr().addr();
            let read = self.parse(&file.source, text).map_err(Box::new);
            let is_wrong = read.is_err();
            documents.push(Read { start, len: text.len(), content: read });
            if is_wrong {
                break;
            }
        }
        documents
    }

    /// Parses a document and reads its head as Helm does.
    pub(super) fn parse(&self, source: &str, text: &[u8]) -> Result<(Json, Head), RenderError> {
        if self.texts_only
            && let Some(head) = Head::plain(text)
        {
            return Ok((Json::Null, head));
        }
        let chart = source.split('/').next().unwrap_or(source);
        let fail = |message: String| {
            let message = format!("YAML parse error on {source}: {message}");
            RenderError::new(RenderFault::Output, chart, message).at(source, 0, 0)
        };
        let read = if self.texts_only { yaml::read_head } else { yaml::read_first::<Json> };
        let object = read(text, YamlLimits::default()).map_err(|error| {
            let around = Explanation { excerpt: Excerpt::around(text, error.line), ..Explanation::default() };
            fail(error.unmarshal()).at(source, error.line, error.column).explained(around)
        })?;
        let head = Head::of(&object, self.compat).map_err(fail)?;
        Ok((if self.texts_only { Json::Null } else { object }, head))
    }
}
