//! Builds the compiled form of a template from its tokens, with Go's grammar and messages.

use std::sync::Arc;

use super::lexer::{Kind, Lexer, Token};
use super::node::{Command, Node, Operand, OperandKind, Pipe, Position};
use super::repeats::{Opening, PARENTHESES, Repeat, Written};
use super::words::Words;
use super::{Parsed, Source, Template, number};
use crate::value::{Text, convert};

/// How deep blocks and parentheses may nest.
const DEPTH: usize = 200;

/// The most tokens of one file.
const TOKENS: usize = 4_000_000;
/// Lists for more tokens are not worth keeping.
const KEPT_TOKENS: usize = 16_384;

/// A template that cannot be parsed.
#[derive(Clone, Debug)]
pub(crate) struct ParseError {
    /// The line that Go names.
    pub(crate) line: usize,
    /// Go's message without place.
    pub(crate) message: String,
}

impl ParseError {
    /// Go's message with its place, for a source that was parsed under one name and is now known
    /// by another.
    pub(crate) fn go(&self, parsed_as: &Text, name: &Text) -> String {
        let started = format!("started at {}:", parsed_as.lossy());
        let message = match self.message.rfind(&started) {
            Some(at) if parsed_as != name => {
                let (before, after) = self.message.split_at(at);
                let after = after.strip_prefix(&started).unwrap_or(after);
                format!("{before}started at {}:{after}", name.lossy())
            }
            _ => self.message.clone(),
        };
        format!("template: {}:{}: {message}", name.lossy(), self.line)
    }
}

mod operand;
mod statement;

type Parse<T> = Result<T, ParseError>;

/// What was put on a stack since it was so high.
fn taken<T>(stack: &mut Vec<T>, from: usize) -> Box<[T]> {
    if from == stack.len() { Box::default() } else { stack.split_off(from).into_boxed_slice() }
}

/// Parses one file; the version of Helm decides which functions exist.
pub(crate) fn parse(name: &Text, text: &Text, compat: crate::Compat, words: &mut Words) -> Parse<Parsed> {
    let source = Arc::new(Source { name: name.clone(), text: text.clone() });
    let mut stacks = std::mem::take(&mut words.stacks);
    let variables = vec![words.name(b"$")];
    let lexer = Lexer::new(text, std::mem::take(&mut stacks.tokens));
    let mut parser = Parser {
        source,
        text,
        words,
        lexer,
        position: 0,
        lexed: 0,
        written: Written::default(),
        repeat: None,
        merged: 0,
        repeated: 0,
        needed: Vec::new(),
        start: 0,
        first: 0,
        variables,
        ranges: 0,
        action: None,
        depth: 0,
        compat,
        nodes: stacks.nodes,
        operands: stacks.operands,
        commands: stacks.commands,
        done: Vec::new(),
    };
    parser.file()?;
    let mut tokens = parser.lexer.tokens;
    let count = tokens.len() + parser.lexer.merged + parser.repeated;
    if tokens.len() <= KEPT_TOKENS {
        tokens.clear();
        let (nodes, operands, commands) = (parser.nodes, parser.operands, parser.commands);
        parser.words.stacks = Stacks { tokens, nodes, operands, commands };
    }
    Ok(Parsed { templates: parser.done, tokens: count })
}

/// Empty lists that the parser of one file leaves for that of the next.
#[derive(Debug, Default)]
pub(super) struct Stacks {
    tokens: Vec<Token>,
    nodes: Vec<Node>,
    operands: Vec<Operand>,
    commands: Vec<Command>,
}

struct Parser<'a> {
    source: Arc<Source>,
    text: &'a [u8],
    words: &'a mut Words,
    lexer: Lexer<'a>,
    position: usize,
    lexed: usize,
    /// How the action is written that was cut last.
    written: Written<'a>,
    /// What the token of a repeated action stands for, until it is read.
    repeat: Option<Opening>,
    /// How many fields were merged before the action that was cut last.
    merged: usize,
    /// How many tokens more the repeated actions have.
    repeated: usize,
    /// The variables of others that the action uses which is being read.
    needed: Vec<Text>,
    /// Where that action begins in the source.
    start: Position,
    /// Its first token.
    first: usize,
    variables: Vec<Text>,
    ranges: usize,
    /// Where the action begins that an error may stand in.
    action: Option<Position>,
    depth: usize,
    compat: crate::Compat,
    /// The statements of the lists that are being read, the innermost last.
    nodes: Vec<Node>,
    /// The arguments of the commands that are being read, the innermost last.
    operands: Vec<Operand>,
    /// The later commands of the pipelines that are being read, the innermost last.
    commands: Vec<Command>,
    done: Vec<Arc<Template>>,
}

/// What ended a list of statements.
enum Ending {
    End,
    Else,
}

enum Statement {
    Node(Node),
    Ending(Ending),
}

impl<'a> Parser<'a> {
    /// A token; behind the last one is always the last one.
    fn token(&self, index: usize) -> Token {
        let tokens = &self.lexer.tokens;
        let token = tokens.get(index).or_else(|| tokens.last());
        token.copied().unwrap_or(Token { kind: Kind::End, spaced: false, start: 0, end: 0 })
    }

    fn next(&mut self) -> Token {
        let token = self.peek();
        self.position += 1;
        token
    }

    #[inline]
    fn peek(&mut self) -> Token {
        self.lexed = self.lexed.max(self.position);
        match self.lexer.tokens.get(self.position) {
            Some(token) => *token,
            None => self.further_token(),
        }
    }

    #[inline(never)]
    fn further_token(&mut self) -> Token {
        while self.position >= self.lexer.tokens.len() && !self.lexer.ended {
            self.cut();
        }
        self.token(self.position)
    }

    /// Has the next text or action cut. All the statements before it are read.
    fn cut(&mut self) {
        self.merged = self.lexer.merged;
        if self.lexer.tokens.len() + self.merged + self.repeated > TOKENS {
            return self.lexer.fail(format!("a template has more than {TOKENS} tokens"));
        }
        if !self.lexer.reaches_action() {
            return;
        }
        self.written = self.words.repeats.written(self.lexer.rest());
        match self.words.repeats.find(&self.written) {
            Some(repeat) if self.depth + PARENTHESES <= DEPTH && self.has_needed(repeat) => {
                self.repeat = Some(repeat.opening.clone());
                self.repeated += repeat.tokens - 1;
                self.lexer.repeat(self.written.len());
            }
            _ => self.lexer.action(),
        }
    }

    fn has_needed(&self, repeat: &Repeat) -> bool {
        repeat.needed.iter().all(|name| self.variables.contains(name))
    }

    fn peek_kind(&mut self) -> Kind {
        self.peek().kind
    }

    fn value(&self, token: &Token) -> &'a [u8] {
        let at = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX);
        self.text.get(at(token.start)..at(token.end)).unwrap_or(&[])
    }

    /// Where the first field of a token ends, or another token.
    fn first_field(&self, token: &Token) -> u32 {
        let further = match self.value(token) {
            [b'.', rest @ ..] if token.kind == Kind::Field => memchr::memchr(b'.', rest),
            _ => None,
        };
        let length = further.and_then(|dot| u32::try_from(dot + 1).ok());
        length.map_or(token.end, |length| token.start + length)
    }

    fn value_text(&self, token: &Token) -> String {
        String::from_utf8_lossy(self.value(token)).into_owned()
    }

    fn fail<T>(&self, message: impl Into<String>) -> Parse<T> {
        Err(ParseError { line: self.line(self.token(self.lexed).start), message: message.into() })
    }

    /// The line of an offset, from 1.
    fn line(&self, offset: u32) -> usize {
        self.source.place(offset).0
    }

    /// The token as Go prints it in messages.
    fn shown(&self, token: &Token) -> String {
        match token.kind {
            Kind::End => "EOF".to_owned(),
            Kind::Error => self.lexer.error.clone().unwrap_or_default(),
            Kind::Dot
            | Kind::Nil
            | Kind::Block
            | Kind::Break
            | Kind::Continue
            | Kind::Define
            | Kind::Else
            | Kind::EndKeyword
            | Kind::If
            | Kind::Range
            | Kind::Template
            | Kind::With => {
                format!("<{}>", self.value_text(token))
            }
            _ => {
                let token = Token { end: self.first_field(token), ..*token };
                let text = self.value_text(&token);
                if text.len() > 10 {
                    let head: String = text.chars().take(10).collect();
                    return format!("{}...", convert::quote(head.as_bytes()));
                }
                convert::quote(text.as_bytes())
            }
        }
    }

    fn unexpected<T>(&self, token: &Token, context: &str) -> Parse<T> {
        if token.kind == Kind::Error {
            let message = self.lexer.error.clone().unwrap_or_default();
            let mut extra = String::new();
            let started = self.action.map(|start| self.line(start));
            if let Some(line) = started.filter(|line| *line != self.line(token.start)) {
                let started = format!("started at {}:{line}", self.source.name.lossy());
                extra = if message.ends_with(" action") {
                    format!(" {started}")
                } else {
                    format!(" in action {started}")
                };
            }
            return self.fail(format!("{message}{extra}"));
        }
        self.fail(format!("unexpected {} in {context}", self.shown(token)))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parse<Token> {
        let token = self.next();
        if token.kind == kind { Ok(token) } else { self.unexpected(&token, context) }
    }

    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        self.depth += 1;
        if self.depth > DEPTH {
            return self.fail(format!("nested deeper than {DEPTH} levels"));
        }
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn file(&mut self) -> Parse<()> {
        while self.peek_kind() != Kind::End {
            if self.peek_kind() == Kind::LeftDelimiter {
                let before = self.position;
                self.next();
                if self.next().kind == Kind::Define {
                    self.definition()?;
                    continue;
                }
                self.position = before;
            }
            match self.text_or_action()? {
                Statement::Node(node) => self.nodes.push(node),
                Statement::Ending(Ending::End) => return self.fail("unexpected {{end}}"),
                Statement::Ending(Ending::Else) => return self.fail("unexpected {{else}}"),
            }
        }
        let body = self.nodes.drain(..).collect();
        self.add(self.source.name.clone(), body)
    }

    /// Adds a template; within one file a second non-empty body is an error.
    fn add(&mut self, name: Text, body: Arc<[Node]>) -> Parse<()> {
        let template = Template { name, source: Arc::clone(&self.source), body };
        let known = self.done.iter().position(|known| known.name == template.name);
        match known.and_then(|index| self.done.get(index).map(|known| (index, known.is_empty()))) {
            None => self.done.push(Arc::new(template)),
            Some((index, true)) => {
                self.done.remove(index);
                self.done.push(Arc::new(template));
            }
            Some((_, false)) if template.is_empty() => {}
            Some(_) => {
                let name = convert::quote(&template.name);
                return self.fail(format!("template: multiple definition of template {name}"));
            }
        }
        Ok(())
    }

    fn unquoted(&mut self, token: &Token) -> Parse<Text> {
        if let [b'"', inner @ .., _] = self.value(token)
            && memchr::memchr(b'\\', inner).is_none()
        {
            return Ok(self.words.name(inner));
        }
        match number::unquote(self.value(token)) {
            Some(text) => Ok(Text::from(text)),
            None => self.fail("invalid syntax"),
        }
    }

    fn definition(&mut self) -> Parse<()> {
        const CONTEXT: &str = "define clause";
        let token = self.next();
        if !matches!(token.kind, Kind::String | Kind::RawString) {
            return self.unexpected(&token, CONTEXT);
        }
        let name = self.unquoted(&token)?;
        self.expect(Kind::RightDelimiter, CONTEXT)?;
        let body = self.separate_body(CONTEXT)?;
        self.add(name, body.into())
    }

    /// The body of a define or block: a template of its own, with its own variables.
    fn separate_body(&mut self, context: &str) -> Parse<Box<[Node]>> {
        let outer = std::mem::replace(&mut self.variables, vec![Text::from("$")]);
        let ranges = std::mem::take(&mut self.ranges);
        let (body, ending) = self.nested(Self::statements)?;
        self.variables = outer;
        self.ranges = ranges;
        match ending {
            Ending::End => Ok(body),
            Ending::Else => self.fail(format!("unexpected {{{{else}}}} in {context}")),
        }
    }

    fn statements(&mut self) -> Parse<(Box<[Node]>, Ending)> {
        let from = self.nodes.len();
        while self.peek().kind != Kind::End {
            match self.text_or_action()? {
                Statement::Node(node) => self.nodes.push(node),
                Statement::Ending(ending) => return Ok((taken(&mut self.nodes, from), ending)),
            }
        }
        self.fail("unexpected EOF")
    }

    /// Where an offset stands in the action.
    fn within(&self, offset: u32) -> Position {
        offset.saturating_sub(self.start)
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Parse<Pipe> {
        let token = self.peek();
        let position = self.within(token.start);
        let (assigns, variables) = match token.kind {
            Kind::Variable => self.declarations(context)?,
            _ => (false, Vec::new()),
        };
        let (mut first, from) = (None, self.commands.len());
        loop {
            let token = self.peek();
            if token.kind == end {
                self.position += 1;
                let later = taken(&mut self.commands, from);
                self.check_executable(&later)?;
                return match first {
                    Some(first) => Ok(Pipe { position, assigns, variables, first, later }),
                    None => self.fail(format!("missing value for {context}")),
                };
            }
            if !operand::begins(token.kind) {
                self.position += 1;
                return self.unexpected(&token, context);
            }
            let command = self.command(token)?;
            if first.is_none() {
                first = Some(command);
            } else {
                self.commands.push(command);
            }
        }
    }

    /// Whether a pipeline assigns, and the variables that it declares or assigns to.
    fn declarations(&mut self, context: &str) -> Parse<(bool, Vec<Text>)> {
        let mut variables = Vec::new();
        loop {
            let variable = self.peek();
            if variable.kind != Kind::Variable {
                return Ok((false, variables));
            }
            let before = self.position;
            self.next();
            let next = self.peek();
            let name = self.words.name(self.value(&variable));
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    self.next();
                    self.variables.push(name.clone());
                    variables.push(name);
                    return Ok((next.kind == Kind::Assign, variables));
                }
                Kind::Character if self.value(&next) == b"," => {
                    self.next();
                    self.variables.push(name.clone());
                    variables.push(name);
                    if context == "range" && variables.len() < 2 {
                        match self.peek().kind {
                            Kind::Variable | Kind::RightDelimiter | Kind::RightParen => continue,
                            _ => return self.fail("range can only initialize variables"),
                        }
                    }
                    return self.fail(format!("too many declarations in {context}"));
                }
                _ => {
                    self.position = before;
                    return Ok((false, variables));
                }
            }
        }
    }

    /// Values go only through what can be called.
    fn check_executable(&self, later: &[Command]) -> Parse<()> {
        for (index, command) in later.iter().enumerate() {
            if matches!(
                command.first.kind,
                OperandKind::Bool(_)
                    | OperandKind::Dot
                    | OperandKind::Nil
                    | OperandKind::Number(_)
                    | OperandKind::Text { .. }
            ) {
                return self.fail(format!("non executable command in pipeline stage {}", index + 2));
            }
        }
        Ok(())
    }
}
