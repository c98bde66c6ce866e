//! Builds values from tokens by libyaml's grammar and go-yaml's decoding rules.
//!
//! The same walk makes frozen trees, template values or JSON: whatever implements [`Build`].

use std::borrow::Cow;

use base64::Engine as _;
use rustc_hash::FxHashMap;

use super::resolve::{Resolved, resolve};
use super::scanner::{Kind, Mark, Scanner, Token};
use super::{YamlError, YamlLimits};
use crate::helm::value::{Map, Text, Value};
use crate::helm::values::{Tree, TreeMap};

/// A number as YAML has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// A signed integer.
    Int(i64),
    /// An integer beyond the signed range.
    Uint(u64),
    /// A float.
    Float(f64),
}

impl Number {
    /// As a float: every number of a values file becomes one.
    #[expect(clippy::cast_precision_loss, reason = "Go loses the same digits")]
    pub(crate) fn float(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Uint(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

/// What YAML can be read into.
pub(crate) trait Build: Sized {
    /// null
    fn null() -> Self;
    /// A boolean.
    fn bool(value: bool) -> Self;
    /// A number.
    fn number(number: Number) -> Self;
    /// A string.
    fn text(text: Cow<'_, [u8]>) -> Self;
    /// A list.
    fn list(items: Vec<Self>) -> Self;
    /// A map; keys in source order, the last of equal keys counts.
    fn map(pairs: Vec<(Text, Self)>) -> Self;
    /// A deep copy, for aliases.
    fn copy(&self) -> Self;
    /// The pairs, if this is a map.
    fn pairs(&self) -> Option<Vec<(Text, Self)>>;
    /// The items, if this is a list.
    fn items(&self) -> Option<Vec<Self>>;
    /// The string, if this is one.
    fn string(&self) -> Option<Text>;
}

impl Build for Tree {
    fn null() -> Self {
        Self::Null
    }
    fn bool(value: bool) -> Self {
        Self::Bool(value)
    }
    fn number(number: Number) -> Self {
        Self::Float(number.float())
    }
    fn text(text: Cow<'_, [u8]>) -> Self {
        Self::Text(Text::from(&*text))
    }
    fn list(items: Vec<Self>) -> Self {
        Self::List(items)
    }
    fn map(pairs: Vec<(Text, Self)>) -> Self {
        Self::Map(TreeMap::from_pairs(pairs))
    }
    fn copy(&self) -> Self {
        self.clone()
    }
    fn pairs(&self) -> Option<Vec<(Text, Self)>> {
        self.as_map().map(|map| map.iter().cloned().collect())
    }
    fn items(&self) -> Option<Vec<Self>> {
        match self {
            Self::List(items) => Some(items.clone()),
            _ => None,
        }
    }
    fn string(&self) -> Option<Text> {
        match self {
            Self::Text(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl Build for Value {
    fn null() -> Self {
        Self::Nil
    }
    fn bool(value: bool) -> Self {
        Self::Bool(value)
    }
    fn number(number: Number) -> Self {
        Self::Float(number.float())
    }
    fn text(text: Cow<'_, [u8]>) -> Self {
        Self::Text(Text::from(&*text))
    }
    fn list(items: Vec<Self>) -> Self {
        Self::list(items)
    }
    fn map(pairs: Vec<(Text, Self)>) -> Self {
        Self::Map(Map::from_pairs(pairs))
    }
    fn copy(&self) -> Self {
        self.deep_copy()
    }
    fn pairs(&self) -> Option<Vec<(Text, Self)>> {
        match self {
            Self::Map(map) => Some(map.entries()),
            _ => None,
        }
    }
    fn items(&self) -> Option<Vec<Self>> {
        match self {
            Self::List(items) => Some(items.as_ref().clone()),
            _ => None,
        }
    }
    fn string(&self) -> Option<Text> {
        self.as_text().cloned()
    }
}

impl Build for serde_json::Value {
    fn null() -> Self {
        Self::Null
    }
    fn bool(value: bool) -> Self {
        Self::Bool(value)
    }
    fn number(number: Number) -> Self {
        match number {
            Number::Int(value) => Self::from(value),
            Number::Uint(value) => Self::from(value),
            Number::Float(value) => serde_json::Number::from_f64(value).map_or(Self::Null, Self::Number),
        }
    }
    fn text(text: Cow<'_, [u8]>) -> Self {
        Self::String(String::from_utf8_lossy(&text).into_owned())
    }
    fn list(items: Vec<Self>) -> Self {
        Self::Array(items)
    }
    fn map(pairs: Vec<(Text, Self)>) -> Self {
        Self::Object(
            pairs
                .into_iter()
                .map(|(key, value)| (key.lossy().into_owned(), value))
                .collect(),
        )
    }
    fn copy(&self) -> Self {
        self.clone()
    }
    fn pairs(&self) -> Option<Vec<(Text, Self)>> {
        self.as_object().map(|map| {
            map.iter()
                .map(|(key, value)| (Text::from(key.as_str()), value.clone()))
                .collect()
        })
    }
    fn items(&self) -> Option<Vec<Self>> {
        self.as_array().cloned()
    }
    fn string(&self) -> Option<Text> {
        self.as_str().map(Text::from)
    }
}

type Read<T> = Result<T, YamlError>;

/// Reads one stream, document by document.
pub(crate) struct Reader<'a> {
    scanner: Scanner<'a>,
    limits: YamlLimits,
    strict: bool,
    nodes: usize,
    started: bool,
    tags: Vec<(Vec<u8>, Vec<u8>)>,
    last: Mark,
}

/// Anchors of the document that is being read.
struct Anchors<'a, N> {
    known: FxHashMap<&'a [u8], (N, usize)>,
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
            tags: Vec::new(),
            last: Mark::default(),
        })
    }

    /// Where reading stands: line and column from 1.
    pub(crate) fn place(&self) -> (usize, usize) {
        (self.last.line + 1, self.last.column + 1)
    }

    /// The next document, `None` at the end of the stream.
    pub(crate) fn document<N: Build>(&mut self) -> Read<Option<N>> {
        let implicit = !self.started;
        self.started = true;
        while self.peek_is(&[Kind::DocumentEnd])? {
            self.scanner.next()?;
        }
        if self.peek_is(&[Kind::StreamEnd])? {
            return Ok(None);
        }
        self.tags.clear();
        self.nodes = 0;
        let directed = self.directives()?;
        if self.peek_is(&[Kind::DocumentStart])? {
            self.scanner.next()?;
        } else if !implicit || directed {
            let token = self.scanner.peek()?.clone();
            return Err(parser_error(
                token.start,
                Mark::default(),
                "did not find expected <document start>",
            ));
        }
        let mut anchors = Anchors {
            known: FxHashMap::default(),
            open: Vec::new(),
        };
        let empty = matches!(
            self.scanner.peek()?.kind,
            Kind::VersionDirective(..)
                | Kind::TagDirective(..)
                | Kind::DocumentStart
                | Kind::DocumentEnd
                | Kind::StreamEnd
        );
        let node = if empty {
            N::null()
        } else {
            self.node(&mut anchors, true, false, 0)?
        };
        if self.peek_is(&[Kind::DocumentEnd])? {
            self.scanner.next()?;
            self.started = false;
        }
        Ok(Some(node))
    }

    /// Reads directives; tells whether there were any.
    fn directives(&mut self) -> Read<bool> {
        let mut found = false;
        loop {
            match self.scanner.peek()?.clone() {
                Token {
                    kind: Kind::VersionDirective(1, 1 | 2),
                    ..
                } => {
                    self.scanner.next()?;
                }
                Token {
                    kind: Kind::VersionDirective(..),
                    start,
                    ..
                } => {
                    return Err(parser_error(
                        start,
                        Mark::default(),
                        "found incompatible YAML document",
                    ));
                }
                Token {
                    kind: Kind::TagDirective(handle, prefix),
                    start,
                    ..
                } => {
                    if self.tags.iter().any(|(known, _)| known == handle) {
                        return Err(parser_error(
                            start,
                            Mark::default(),
                            "found duplicate %TAG directive",
                        ));
                    }
                    self.tags.push((handle.to_vec(), prefix));
                    self.scanner.next()?;
                }
                _ => return Ok(found),
            }
            found = true;
        }
    }

    fn peek_is(&mut self, kinds: &[Kind<'_>]) -> Read<bool> {
        let token = self.scanner.peek()?;
        Ok(kinds.contains(&token.kind))
    }

    fn count(&mut self, mark: Mark, nodes: usize) -> Read<()> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > self.limits.nodes {
            let message = format!(
                "document has more than {} nodes, aliases included",
                self.limits.nodes
            );
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
        let first = self.scanner.peek()?.clone();
        self.last = first.start;
        if depth > self.limits.depth {
            let message = format!("nested deeper than {} levels", self.limits.depth);
            return Err(YamlError::limit(
                first.start.line + 1,
                first.start.column + 1,
                message,
            ));
        }
        if let Kind::Alias(name) = first.kind {
            self.scanner.next()?;
            return self.alias(anchors, name, first.start);
        }
        let properties = self.properties()?;
        let before = self.nodes;
        if let Some(anchor) = properties.anchor {
            anchors.open.push(anchor);
        }
        let node = self.content(anchors, &properties, (block, indentless), depth, first.start)?;
        self.count(first.start, 1)?;
        if let Some(anchor) = properties.anchor {
            anchors.open.pop();
            anchors.known.insert(anchor, (node.copy(), self.nodes - before));
        }
        Ok(node)
    }

    fn alias<N: Build>(&mut self, anchors: &Anchors<'a, N>, name: &[u8], mark: Mark) -> Read<N> {
        let shown = String::from_utf8_lossy(name);
        if anchors.open.contains(&name) {
            return Err(plain_error(
                mark,
                format!("anchor '{shown}' value contains itself"),
            ));
        }
        let Some((node, size)) = anchors.known.get(name) else {
            return Err(plain_error(mark, format!("unknown anchor '{shown}' referenced")));
        };
        let size = *size;
        self.count(mark, size)?;
        Ok(node.copy())
    }

    fn properties(&mut self) -> Read<Properties<'a>> {
        let mut properties = Properties {
            anchor: None,
            tag: None,
        };
        loop {
            let token = self.scanner.peek()?;
            match &token.kind {
                Kind::Anchor(name) if properties.anchor.is_none() => properties.anchor = Some(*name),
                Kind::Tag(handle, suffix) if properties.tag.is_none() => {
                    let (handle, suffix, mark) = (handle.clone(), suffix.clone(), token.start);
                    properties.tag = Some(self.tag(&handle, suffix, mark)?);
                }
                _ => return Ok(properties),
            }
            self.scanner.next()?;
        }
    }

    fn tag(&self, handle: &[u8], suffix: Vec<u8>, mark: Mark) -> Read<Vec<u8>> {
        if handle.is_empty() {
            return Ok(suffix);
        }
        let declared = self
            .tags
            .iter()
            .find(|(known, _)| *known == handle)
            .map(|(_, prefix)| prefix.clone());
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
                scalar(properties.tag.as_deref(), text, plain, token.start)
            }
            Kind::FlowSequenceStart => self.flow_sequence(anchors, depth),
            Kind::FlowMappingStart => self.flow_mapping(anchors, depth),
            Kind::BlockSequenceStart if block => {
                let start = self.scanner.next()?.start;
                self.sequence(anchors, true, depth, start)
            }
            Kind::BlockMappingStart if block => self.block_mapping(anchors, depth),
            _ if properties.anchor.is_some() || properties.tag.is_some() => {
                scalar(properties.tag.as_deref(), Cow::Borrowed(&[]), true, start)
            }
            _ => Err(parser_error(
                token.start,
                start,
                "did not find expected node content",
            )),
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
                    items.push(if empty {
                        N::null()
                    } else {
                        self.node(anchors, true, false, depth + 1)?
                    });
                }
                Kind::BlockEnd if delimited => {
                    self.scanner.next()?;
                    return Ok(N::list(items));
                }
                _ if !delimited => return Ok(N::list(items)),
                _ => {
                    return Err(parser_error(
                        token.start,
                        start,
                        "did not find expected '-' indicator",
                    ));
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
                    return Err(parser_error(
                        token.start,
                        start,
                        "did not find expected ',' or ']'",
                    ));
                }
                self.scanner.next()?;
            }
            if self.peek_is(&[Kind::Key])? {
                self.scanner.next()?;
                let empty = self.peek_is(&[Kind::Value, Kind::FlowEntry, Kind::FlowSequenceEnd])?;
                let key = self.key(anchors, empty, false, depth)?;
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
                    return Err(parser_error(
                        token.start,
                        start,
                        "did not find expected ',' or '}'",
                    ));
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

    /// Reads a key: `None` is the merge key, otherwise the string that JSON gets.
    fn key<N: Build>(
        &mut self,
        anchors: &mut Anchors<'a, N>,
        empty: bool,
        block: bool,
        depth: usize,
    ) -> Read<(Option<Text>, Mark)> {
        let token = self.scanner.peek()?.clone();
        self.last = token.start;
        self.count(token.start, 1)?;
        if empty {
            return Err(key_error(token.start, "nil", "interface {}(nil)"));
        }
        if let Kind::Scalar(text, plain) = &token.kind {
            self.scanner.next()?;
            return if *plain {
                plain_key(text, token.start)
            } else {
                Ok((Some(Text::from(&**text)), token.start))
            };
        }
        let key = if let Kind::Alias(name) = token.kind {
            self.scanner.next()?;
            self.alias(anchors, name, token.start)?
        } else {
            self.node::<N>(anchors, block, block, depth + 1)?
        };
        match key.string() {
            Some(text) => Ok((Some(text), token.start)),
            None => Err(plain_error(token.start, "invalid map key".to_owned())),
        }
    }

    fn add_pair<N: Build>(
        &self,
        pairs: &mut Vec<(Text, N)>,
        (key, mark): (Option<Text>, Mark),
        value: N,
    ) -> Read<()> {
        let Some(key) = key else {
            return merge(pairs, &value, mark);
        };
        if self.strict && pairs.iter().any(|(known, _)| *known == key) {
            let message = format!("key {:?} already set in map", key.lossy());
            let helm = format!("yaml: unmarshal errors:\n  line {}: {message}", mark.line + 1);
            return Err(YamlError::at(mark.line + 1, mark.column + 1, message, helm));
        }
        pairs.push((key, value));
        Ok(())
    }
}

fn merge<N: Build>(pairs: &mut Vec<(Text, N)>, value: &N, mark: Mark) -> Read<()> {
    let problem = || {
        plain_error(
            mark,
            "map merge requires map or sequence of maps as the value".to_owned(),
        )
    };
    if let Some(merged) = value.pairs() {
        pairs.extend(merged);
        return Ok(());
    }
    for item in value.items().ok_or_else(problem)?.iter().rev() {
        pairs.extend(item.pairs().ok_or_else(problem)?);
    }
    Ok(())
}

fn plain_key(text: &[u8], mark: Mark) -> Read<(Option<Text>, Mark)> {
    let key = match resolve(text) {
        Resolved::Text if text == b"<<" => return Ok((None, mark)),
        Resolved::Text => Text::from(text),
        Resolved::Null => return Err(key_error(mark, "%!s(<nil>)", "interface {}(nil)")),
        Resolved::Bool(value) => Text::from(if value { "true" } else { "false" }),
        Resolved::Int(value) => Text::from(value.to_string()),
        Resolved::Uint(value) => Text::from(value.to_string()),
        Resolved::Float(value) => Text::from(float_key(value)),
    };
    Ok((Some(key), mark))
}

fn float_key(value: f64) -> String {
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    crate::helm::value::convert::float_general(value)
}

fn scalar<N: Build>(tag: Option<&[u8]>, text: Cow<'_, [u8]>, plain: bool, mark: Mark) -> Read<N> {
    let tag = tag.filter(|tag| *tag != b"!");
    match tag {
        None if !plain => Ok(N::text(text)),
        None => Ok(match resolve(&text) {
            Resolved::Null => N::null(),
            Resolved::Bool(value) => N::bool(value),
            Resolved::Int(value) => N::number(Number::Int(value)),
            Resolved::Uint(value) => N::number(Number::Uint(value)),
            Resolved::Float(value) if value.is_finite() => N::number(Number::Float(value)),
            Resolved::Float(value) => return Err(unsupported_float(value, mark)),
            Resolved::Text => N::text(text),
        }),
        Some(tag) => tagged(tag, text, mark),
    }
}

fn unsupported_float(value: f64, mark: Mark) -> YamlError {
    let shown = if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    };
    let message = format!("json: unsupported value: {shown}");
    YamlError::at(mark.line + 1, mark.column + 1, message.clone(), message)
}

fn tagged<N: Build>(tag: &[u8], text: Cow<'_, [u8]>, mark: Mark) -> Read<N> {
    let resolved = resolve(&text);
    let short = String::from_utf8_lossy(tag).replace("tag:yaml.org,2002:", "!!");
    let found = match resolved {
        Resolved::Null => "!!null",
        Resolved::Bool(_) => "!!bool",
        Resolved::Int(_) | Resolved::Uint(_) => "!!int",
        Resolved::Float(_) => "!!float",
        Resolved::Text => "!!str",
    };
    match (short.as_str(), resolved) {
        ("!!binary", _) => match base64::engine::general_purpose::STANDARD.decode(strip_breaks(&text)) {
            Ok(bytes) => Ok(N::text(Cow::Owned(bytes))),
            Err(_) => Err(plain_error(
                mark,
                "!!binary value contains invalid base64 data".to_owned(),
            )),
        },
        ("!!bool", Resolved::Bool(_))
        | ("!!int", Resolved::Int(_) | Resolved::Uint(_))
        | ("!!null", Resolved::Null)
        | ("!!float", Resolved::Float(_)) => scalar(None, text, true, mark),
        ("!!float", Resolved::Int(value)) => {
            #[expect(clippy::cast_precision_loss, reason = "the tag asks for a float")]
            let value = value as f64;
            Ok(N::number(Number::Float(value)))
        }
        ("!!bool" | "!!int" | "!!float" | "!!null", _) => Err(plain_error(
            mark,
            format!(
                "cannot decode {found} `{}` as a {short}",
                String::from_utf8_lossy(&text)
            ),
        )),
        _ => Ok(N::text(text)),
    }
}

fn strip_breaks(text: &[u8]) -> Vec<u8> {
    text.iter()
        .copied()
        .filter(|byte| !matches!(byte, b'\n' | b'\r'))
        .collect()
}

/// A grammar error: go-yaml counts its line from 0 and leaves 0 out.
fn parser_error(problem: Mark, context: Mark, message: &str) -> YamlError {
    let line = if problem.line == 0 {
        context.line
    } else {
        problem.line
    };
    let place = if line == 0 {
        String::new()
    } else {
        format!("line {line}: ")
    };
    YamlError::at(
        problem.line + 1,
        problem.column + 1,
        message,
        format!("yaml: {place}{message}"),
    )
}

/// An error that go-yaml reports without a line.
fn plain_error(mark: Mark, message: String) -> YamlError {
    let helm = format!("yaml: {message}");
    YamlError::at(mark.line + 1, mark.column + 1, message, helm)
}

fn key_error(mark: Mark, kind: &str, shown: &str) -> YamlError {
    let message = format!("unsupported map key of type: {kind}, key: {shown}");
    YamlError::at(
        mark.line + 1,
        mark.column + 1,
        "a map key must not be null",
        message,
    )
}
