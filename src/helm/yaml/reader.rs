//! Builds values from tokens by libyaml's grammar and go-yaml's decoding rules.
//!
//! The same walk makes frozen trees, template values or JSON: whatever implements [`Build`].

use std::borrow::Cow;

use foldhash::HashMap;

use super::scanner::{Kind, Mark, Scanner, Token};
use super::{Keep, YamlError, YamlLimits};
use crate::value::Text;

mod build;
mod keys;
mod scalar;

pub(super) use build::Checked;
pub(crate) use build::{Build, Number};
pub(super) use scalar::{Key, plain_key, scalar};
use scalar::{Refused, parser_error, plain_error, unsupported_float};

type Read<T> = Result<T, YamlError>;

/// Reads one stream, document by document.
pub(crate) struct Reader<'a> {
    scanner: Scanner<'a>,
    limits: YamlLimits,
    strict: bool,
    nodes: usize,
    started: bool,
    begun: bool,
    /// What only a later step refuses, once the whole document was read.
    complaint: Option<(Phase, YamlError)>,
    tags: Vec<(Vec<u8>, Vec<u8>)>,
    last: Mark,
    /// What is kept of the document: of what its map holds all of a value or nothing.
    keep: Keep,
    /// Keys as they stand in the text, if they are asked for.
    noted: Option<Noted>,
}

/// The keys so far, and those that lead to where reading stands.
#[derive(Default)]
struct Noted {
    keys: Vec<SeenKey>,
    trail: Vec<Text>,
}

/// A key as it stands in the text.
#[derive(Clone, Debug)]
pub(crate) struct SeenKey {
    /// The keys that lead to it, and the key.
    pub(crate) path: Vec<Text>,
    /// The line, from 1.
    pub(crate) line: usize,
    /// The column, from 1.
    pub(crate) column: usize,
    /// Whether the map has the key already.
    pub(crate) repeated: bool,
}

/// The steps after parsing, of which each sees the whole document before the next one does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Decode,
    Keys,
    Numbers,
}

/// Anchors of the document that is being read.
struct Anchors<'a, N> {
    known: HashMap<&'a [u8], (N, usize)>,
    open: Vec<&'a [u8]>,
}

struct Properties<'a> {
    anchor: Option<&'a [u8]>,
    tag: Option<Vec<u8>>,
}

impl<'a> Reader<'a> {
    /// Prepares to read; `strict` refuses duplicate keys.
    pub(crate) fn new(input: &'a [u8], limits: YamlLimits, strict: bool) -> Read<Self> {
        Ok(Self {
            scanner: Scanner::new(input, limits)?,
            limits,
            strict,
            nodes: 0,
            started: false,
            begun: false,
            complaint: None,
            tags: Vec::new(),
            last: Mark::default(),
            keep: Keep::Everything,
            noted: None,
        })
    }

    /// Keeps the values of these keys of the document's map only. Aliases must not lead from one to the other.
    pub(super) fn keeping(self, keep: Keep) -> Self {
        Self { keep, ..self }
    }

    /// The same, noting every key.
    pub(crate) fn noting_keys(mut self) -> Self {
        self.noted = Some(Noted::default());
        self
    }

    /// The keys that were noted.
    pub(crate) fn keys(self) -> Vec<SeenKey> {
        self.noted.map(|noted| noted.keys).unwrap_or_default()
    }

    /// Where reading stands: line and column from 1.
    pub(crate) fn place(&self) -> (usize, usize) {
        (self.last.line + 1, self.last.column + 1)
    }

    /// The next document, `None` at the end of the stream.
    pub(crate) fn document<N: Build>(&mut self) -> Read<Option<N>> {
        let implicit = !self.started;
        self.started = true;
        // An end mark before the very first document is content that makes no sense.
        while self.begun && self.peek_is(&[Kind::DocumentEnd])? {
            self.scanner.next()?;
        }
        self.begun = true;
        if self.peek_is(&[Kind::StreamEnd])? {
            return Ok(None);
        }
        self.tags.clear();
        self.nodes = 0;
        let directed = self.directives()?;
        let marked = self.peek_is(&[Kind::DocumentStart])?;
        if marked {
            self.scanner.next()?;
        } else if !implicit || directed {
            let token = self.scanner.peek()?.clone();
            return Err(parser_error(token.start, Mark::default(), "did not find expected <document start>"));
        }
        let mut anchors = Anchors { known: HashMap::default(), open: Vec::new() };
        let empty = marked
            && matches!(
                self.scanner.peek()?.kind,
                Kind::VersionDirective(..)
                    | Kind::TagDirective(..)
                    | Kind::DocumentStart
                    | Kind::DocumentEnd
                    | Kind::StreamEnd
            );
        let node = if empty { N::null() } else { self.node(&mut anchors, true, false, 0)? };
        if self.peek_is(&[Kind::DocumentEnd])? {
            self.scanner.next()?;
            self.started = false;
        }
        match self.complaint.take() {
            // A later pair of the same key may have taken the number's place, and Go sorts keys before it looks.
            Some((Phase::Numbers, complaint)) if N::KEEPS_ALL_NUMBERS => match node.unsupported() {
                Some(value) => {
                    let told = unsupported_float(value, Mark::default());
                    Err(YamlError { message: told.message, helm: told.helm, ..complaint })
                }
                None => Ok(Some(node)),
            },
            Some((_, complaint)) => Err(complaint),
            None => Ok(Some(node)),
        }
    }

    /// Reads directives; tells whether there were any.
    fn directives(&mut self) -> Read<bool> {
        let mut found = false;
        loop {
            match self.scanner.peek()?.clone() {
                Token { kind: Kind::VersionDirective(1, 1 | 2), .. } => {
                    self.scanner.next()?;
                }
                Token { kind: Kind::VersionDirective(..), start, .. } => {
                    return Err(parser_error(start, Mark::default(), "found incompatible YAML document"));
                }
                Token { kind: Kind::TagDirective(handle, prefix), start, .. } => {
                    if self.tags.iter().any(|(known, _)| known == handle) {
                        return Err(parser_error(start, Mark::default(), "found duplicate %TAG directive"));
                    }
                    self.tags.push((handle.to_vec(), prefix));
                    self.scanner.next()?;
                }
                _ => return Ok(found),
            }
            found = true;
        }
    }

    /// Notes a complaint of a later step; the first one of the earliest step counts.
    fn complain(&mut self, phase: Phase, error: YamlError) {
        if self.complaint.as_ref().is_none_or(|(known, _)| phase < *known) {
            self.complaint = Some((phase, error));
        }
    }

    /// A scalar; in the place of one that a later step refuses, null or a float that is none for JSON.
    fn scalar<N: Build>(&mut self, tag: Option<&[u8]>, text: Cow<'_, [u8]>, plain: bool, mark: Mark) -> N {
        match scalar(tag, text, plain, mark) {
            Ok(value) => value,
            Err(Refused::Tag(error)) => {
                self.complain(Phase::Decode, error);
                N::null()
            }
            Err(Refused::Float(value)) => {
                self.complain(Phase::Numbers, unsupported_float(value, mark));
                N::number(Number::Float(value))
            }
        }
    }

    fn peek_is(&mut self, kinds: &[Kind<'_>]) -> Read<bool> {
        let token = self.scanner.peek()?;
        Ok(kinds.iter().any(|kind| token.kind.is(kind)))
    }

    fn count(&mut self, mark: Mark, nodes: usize) -> Read<()> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > self.limits.nodes {
            let message = format!("document has more than {} nodes, aliases included", self.limits.nodes);
            return Err(YamlError::limit(mark.line + 1, mark.column + 1, message));
        }
        Ok(())
    }

    fn node<N: Build>(
        &mut self,
        anchors: &mut Anchors<'a, N>,
        block: bool,
        indentless: bool,
        depth: usize,
    ) -> Read<N> {
        let token = self.scanner.peek()?;
        let start = token.start;
        let alias = if let Kind::Alias(name) = token.kind { Some(name) } else { None };
        self.last = start;
        if let Some(name) = alias {
            self.scanner.next()?;
            return self.alias(anchors, name, start);
        }
        let properties = self.properties()?;
        self.described(anchors, &properties, (block, indentless), depth, start)
    }

    /// A node behind its anchor and tag.
    fn described<N: Build>(
        &mut self,
        anchors: &mut Anchors<'a, N>,
        properties: &Properties<'a>,
        kind: (bool, bool),
        depth: usize,
        start: Mark,
    ) -> Read<N> {
        if depth > self.limits.depth {
            let message = format!("nested deeper than {} levels", self.limits.depth);
            return Err(YamlError::limit(start.line + 1, start.column + 1, message));
        }
        let before = self.nodes;
        if let Some(anchor) = properties.anchor {
            anchors.open.push(anchor);
        }
        let node = self.content(anchors, properties, kind, depth, start)?;
        self.count(start, 1)?;
        if let Some(anchor) = properties.anchor {
            anchors.open.pop();
            anchors.known.insert(anchor, (node.copy(), self.nodes - before));
        }
        Ok(node)
    }

    fn alias<N: Build>(&mut self, anchors: &Anchors<'a, N>, name: &[u8], mark: Mark) -> Read<N> {
        let shown = String::from_utf8_lossy(name);
        if anchors.open.contains(&name) {
            self.complain(
                Phase::Decode,
                plain_error(mark, format!("anchor '{shown}' value contains itself")),
            );
            return Ok(N::null());
        }
        let Some((node, size)) = anchors.known.get(name) else {
            return Err(plain_error(mark, format!("unknown anchor '{shown}' referenced")));
        };
        let size = *size;
        self.count(mark, size)?;
        Ok(node.copy())
    }

    fn properties(&mut self) -> Read<Properties<'a>> {
        let (mut anchor, mut tag) = (None, None);
        loop {
            let token = self.scanner.peek()?;
            match &token.kind {
                Kind::Anchor(name) if anchor.is_none() => anchor = Some(*name),
                Kind::Tag(handle, suffix) if tag.is_none() => {
                    tag = Some((handle.clone(), suffix.clone(), token.start));
                }
                // What comes next has been looked at before the tag is.
                _ => break,
            }
            self.scanner.next()?;
        }
        let tag = tag.map(|(handle, suffix, mark)| self.tag(&handle, suffix, mark)).transpose()?;
        Ok(Properties { anchor, tag })
    }

    fn tag(&self, handle: &[u8], suffix: Vec<u8>, mark: Mark) -> Read<Vec<u8>> {
        if handle.is_empty() {
            return Ok(suffix);
        }
        let declared = self.tags.iter().find(|(known, _)| *known == handle).map(|(_, prefix)| prefix.clone());
        let prefix = match (declared, handle) {
            (Some(prefix), _) => prefix,
            (None, b"!") => b"!".to_vec(),
            (None, b"!!") => b"tag:yaml.org,2002:".to_vec(),
            (None, _) => return Err(parser_error(mark, mark, "found undefined tag handle")),
        };
        Ok([prefix, suffix].concat())
    }

    fn content<N: Build>(
        &mut self,
        anchors: &mut Anchors<'a, N>,
        properties: &Properties<'a>,
        (block, indentless): (bool, bool),
        depth: usize,
        start: Mark,
    ) -> Read<N> {
        let token = self.scanner.peek()?;
        match &token.kind {
            Kind::BlockEntry if indentless => self.sequence(anchors, false, depth, start),
            Kind::Scalar(..) => {
                let token = self.scanner.next()?;
                let Kind::Scalar(text, plain) = token.kind else {
                    return Ok(N::null());
                };
                Ok(self.scalar(properties.tag.as_deref(), text, plain, token.start))
            }
            Kind::FlowSequenceStart => self.flow_sequence(anchors, depth),
            Kind::FlowMappingStart => self.flow_mapping(anchors, depth),
            Kind::BlockSequenceStart if block => {
                let start = self.scanner.next()?.start;
                self.sequence(anchors, true, depth, start)
            }
            Kind::BlockMappingStart if block => self.block_mapping(anchors, depth),
            _ if properties.anchor.is_some() || properties.tag.is_some() => {
                Ok(self.scalar(properties.tag.as_deref(), Cow::Borrowed(&[]), true, start))
            }
            _ => Err(parser_error(token.start, start, "did not find expected node content")),
        }
    }

    fn sequence<N: Build>(
        &mut self,
        anchors: &mut Anchors<'a, N>,
        delimited: bool,
        depth: usize,
        start: Mark,
    ) -> Read<N> {
        let mut items = Vec::new();
        loop {
            let token = self.scanner.peek()?;
            match token.kind {
                Kind::BlockEntry => {
                    self.scanner.next()?;
                    let empty = match self.scanner.peek()?.kind {
                        Kind::BlockEntry | Kind::BlockEnd => true,
                        Kind::Key | Kind::Value => !delimited,
                        _ => false,
                    };
                    items.push(if empty { N::null() } else { self.node(anchors, true, false, depth + 1)? });
                }
                Kind::BlockEnd if delimited => {
                    self.scanner.next()?;
                    return Ok(N::list(items));
                }
                _ if !delimited => return Ok(N::list(items)),
                _ => {
                    return Err(parser_error(token.start, start, "did not find expected '-' indicator"));
                }
            }
        }
    }

    fn block_mapping<N: Build>(&mut self, anchors: &mut Anchors<'a, N>, depth: usize) -> Read<N> {
        let start = self.scanner.next()?.start;
        let mut pairs = Vec::new();
        loop {
            let token = self.scanner.peek()?;
            match token.kind {
                Kind::Key => {
                    self.scanner.next()?;
                    let empty = self.peek_is(&[Kind::Key, Kind::Value, Kind::BlockEnd])?;
                    let key = self.key(anchors, empty, true, depth)?;
                    let value = if self.peek_is(&[Kind::Value])? {
                        self.scanner.next()?;
                        if self.peek_is(&[Kind::Key, Kind::Value, Kind::BlockEnd])? {
                            N::null()
                        } else if depth == 0 && self.skips(&key.0) {
                            let mut anchors = Anchors { known: HashMap::default(), open: Vec::new() };
                            self.node::<Checked>(&mut anchors, true, true, depth + 1)?;
                            N::null()
                        } else {
                            self.node(anchors, true, true, depth + 1)?
                        }
                    } else {
                        N::null()
                    };
                    self.add_pair(&mut pairs, key, value)?;
                }
                Kind::BlockEnd => {
                    self.scanner.next()?;
                    return Ok(N::map(pairs));
                }
                _ => return Err(parser_error(token.start, start, "did not find expected key")),
            }
        }
    }

    fn skips(&self, key: &Key) -> bool {
        matches!(key, Key::Text(text) if matches!(self.keep.of(text), Keep::Nothing))
    }

    fn flow_sequence<N: Build>(&mut self, anchors: &mut Anchors<'a, N>, depth: usize) -> Read<N> {
        let start = self.scanner.next()?.start;
        let mut items = Vec::new();
        loop {
            if self.peek_is(&[Kind::FlowSequenceEnd])? {
                break;
            }
            if !items.is_empty() {
                let token = self.scanner.peek()?;
                if token.kind != Kind::FlowEntry {
                    return Err(parser_error(token.start, start, "did not find expected ',' or ']'"));
                }
                self.scanner.next()?;
            }
            if self.peek_is(&[Kind::Key])? {
                self.scanner.next()?;
                let empty = self.peek_is(&[Kind::Value, Kind::FlowEntry, Kind::FlowSequenceEnd])?;
                let key = self.key(anchors, empty, false, depth)?;
                if empty {
                    // go-yaml passes over what it found in place of the key.
                    self.scanner.next()?;
                }
                let value = self.flow_value(anchors, &Kind::FlowSequenceEnd, depth)?;
                let mut pairs = Vec::new();
                self.add_pair(&mut pairs, key, value)?;
                items.push(N::map(pairs));
            } else if !self.peek_is(&[Kind::FlowSequenceEnd])? {
                items.push(self.node(anchors, false, false, depth + 1)?);
            }
        }
        self.scanner.next()?;
        Ok(N::list(items))
    }

    fn flow_mapping<N: Build>(&mut self, anchors: &mut Anchors<'a, N>, depth: usize) -> Read<N> {
        let start = self.scanner.next()?.start;
        let mut pairs = Vec::new();
        let mut first = true;
        loop {
            if self.peek_is(&[Kind::FlowMappingEnd])? {
                break;
            }
            if !first {
                let token = self.scanner.peek()?;
                if token.kind != Kind::FlowEntry {
                    return Err(parser_error(token.start, start, "did not find expected ',' or '}'"));
                }
                self.scanner.next()?;
            }
            first = false;
            if self.peek_is(&[Kind::Key])? {
                self.scanner.next()?;
                let empty = self.peek_is(&[Kind::Value, Kind::FlowEntry, Kind::FlowMappingEnd])?;
                let key = self.key(anchors, empty, false, depth)?;
                let value = self.flow_value(anchors, &Kind::FlowMappingEnd, depth)?;
                self.add_pair(&mut pairs, key, value)?;
            } else if !self.peek_is(&[Kind::FlowMappingEnd])? {
                let key = self.key(anchors, false, false, depth)?;
                self.add_pair(&mut pairs, key, N::null())?;
            }
        }
        self.scanner.next()?;
        Ok(N::map(pairs))
    }

    fn flow_value<N: Build>(
        &mut self,
        anchors: &mut Anchors<'a, N>,
        end: &Kind<'_>,
        depth: usize,
    ) -> Read<N> {
        if !self.peek_is(&[Kind::Value])? {
            return Ok(N::null());
        }
        self.scanner.next()?;
        let token = self.scanner.peek()?;
        if token.kind == Kind::FlowEntry || token.kind == *end {
            return Ok(N::null());
        }
        self.node(anchors, false, false, depth + 1)
    }
}
