//! Builds the compiled form of a template from its tokens, with Go's grammar and messages.

use std::sync::Arc;

use super::lexer::{Kind, Token, Tokens, lex};
use super::node::{Action, Branch, Call, Command, Node, Operand, OperandKind, Pipe, Position};
use super::words::Words;
use super::{Parsed, Source, Template, number};
use crate::helm::value::{Text, convert};

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

type Parse<T> = Result<T, ParseError>;

/// What was put on a stack since it was so high.
fn taken<T>(stack: &mut Vec<T>, from: usize) -> Box<[T]> {
    if from == stack.len() { Box::default() } else { stack.split_off(from).into_boxed_slice() }
}

/// Parses one file; the version of Helm decides which functions exist.
pub(crate) fn parse(
    name: &Text,
    text: &Text,
    compat: crate::helm::Compat,
    words: &mut Words,
) -> Parse<Parsed> {
    let source = Arc::new(Source { name: name.clone(), text: text.clone() });
    let mut stacks = std::mem::take(&mut words.stacks);
    let Tokens { tokens, error } = lex(text, std::mem::take(&mut stacks.tokens));
    if tokens.len() > TOKENS {
        let message = format!("a template has more than {TOKENS} tokens");
        return Err(ParseError { line: 1, message });
    }
    let mut parser = Parser {
        source,
        text,
        words,
        tokens,
        error,
        position: 0,
        lexed: 0,
        variables: vec![Text::from("$")],
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
    let count = parser.tokens.len();
    if count <= KEPT_TOKENS {
        let (mut tokens, nodes, operands, commands) =
            (parser.tokens, parser.nodes, parser.operands, parser.commands);
        tokens.clear();
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
    tokens: Vec<Token>,
    error: Option<String>,
    position: usize,
    lexed: usize,
    variables: Vec<Text>,
    ranges: usize,
    /// Where the action begins that is being read.
    action: Option<u32>,
    depth: usize,
    compat: crate::helm::Compat,
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
        let token = self.tokens.get(index).or_else(|| self.tokens.last());
        token.copied().unwrap_or(Token { kind: Kind::End, spaced: false, start: 0, end: 0 })
    }

    fn next(&mut self) -> Token {
        let token = self.peek();
        self.position += 1;
        token
    }

    fn peek(&mut self) -> Token {
        self.lexed = self.lexed.max(self.position);
        self.token(self.position)
    }

    fn peek_kind(&mut self) -> Kind {
        self.peek().kind
    }

    fn value(&self, token: &Token) -> &'a [u8] {
        let at = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX);
        self.text.get(at(token.start)..at(token.end)).unwrap_or(&[])
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
            Kind::Error => self.error.clone().unwrap_or_default(),
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
                let text = self.value_text(token);
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
            let message = self.error.clone().unwrap_or_default();
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

    fn text_or_action(&mut self) -> Parse<Statement> {
        let token = self.next();
        match token.kind {
            Kind::Text => Ok(Statement::Node(Node::Text(token.start, token.end))),
            Kind::LeftDelimiter => {
                self.action = Some(token.start);
                let statement = self.action();
                self.action = None;
                statement
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    fn action(&mut self) -> Parse<Statement> {
        let token = self.peek();
        let position = token.start;
        match token.kind {
            Kind::Block => self.block(),
            Kind::Break | Kind::Continue => self.jump(token.kind, position),
            Kind::Else => self.otherwise(),
            Kind::EndKeyword => {
                self.next();
                self.expect(Kind::RightDelimiter, "end")?;
                Ok(Statement::Ending(Ending::End))
            }
            Kind::If | Kind::Range | Kind::With => {
                self.next();
                Ok(Statement::Node(self.control(token.kind)?))
            }
            Kind::Template => self.template_call(),
            _ => {
                let pipe = self.pipeline("command", Kind::RightDelimiter)?;
                Ok(Statement::Node(Node::Action(Box::new(Action { position, pipe }))))
            }
        }
    }

    fn jump(&mut self, kind: Kind, position: Position) -> Parse<Statement> {
        self.next();
        let word = if kind == Kind::Break { "{{break}}" } else { "{{continue}}" };
        let token = self.next();
        if token.kind != Kind::RightDelimiter {
            return self.unexpected(&token, word);
        }
        if self.ranges == 0 {
            return self.fail(format!("{word} outside {{{{range}}}}"));
        }
        Ok(Statement::Node(if kind == Kind::Break {
            Node::Break(position)
        } else {
            Node::Continue(position)
        }))
    }

    fn otherwise(&mut self) -> Parse<Statement> {
        self.next();
        let token = self.peek();
        if !matches!(token.kind, Kind::If | Kind::With) {
            self.expect(Kind::RightDelimiter, "else")?;
        }
        Ok(Statement::Ending(Ending::Else))
    }

    fn control(&mut self, kind: Kind) -> Parse<Node> {
        let visible = self.variables.len();
        let context = match kind {
            Kind::If => "if",
            Kind::With => "with",
            _ => "range",
        };
        let pipe = self.pipeline(context, Kind::RightDelimiter)?;
        if kind == Kind::Range {
            self.ranges += 1;
        }
        let (body, ending) = self.nested(Self::statements)?;
        if kind == Kind::Range {
            self.ranges -= 1;
        }
        let otherwise = match ending {
            Ending::End => None,
            Ending::Else => {
                let next = self.peek_kind();
                if next == kind && matches!(kind, Kind::If | Kind::With) {
                    self.next();
                    Some([self.nested(|parser| parser.control(kind))?].into())
                } else {
                    match self.nested(Self::statements)? {
                        (body, Ending::End) => Some(body),
                        (_, Ending::Else) => return self.fail("expected end; found {{else}}"),
                    }
                }
            }
        };
        self.variables.truncate(visible);
        let branch = Box::new(Branch { position: pipe.position, pipe, body, otherwise });
        Ok(match kind {
            Kind::If => Node::If(branch),
            Kind::With => Node::With(branch),
            _ => Node::Range(branch),
        })
    }

    fn template_name(&mut self, token: &Token, context: &str) -> Parse<Text> {
        if matches!(token.kind, Kind::String | Kind::RawString) {
            self.unquoted(token)
        } else {
            self.unexpected(token, context)
        }
    }

    fn block(&mut self) -> Parse<Statement> {
        const CONTEXT: &str = "block clause";
        self.next();
        let token = self.next();
        let name = self.template_name(&token, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, Kind::RightDelimiter)?;
        let body = self.separate_body(CONTEXT)?;
        self.add(name.clone(), body.into())?;
        let position = token.start;
        Ok(Statement::Node(Node::Call(Box::new(Call { position, name, pipe: Some(pipe) }))))
    }

    fn template_call(&mut self) -> Parse<Statement> {
        const CONTEXT: &str = "template clause";
        self.next();
        let token = self.next();
        let name = self.template_name(&token, CONTEXT)?;
        let pipe = if self.peek().kind == Kind::RightDelimiter {
            self.next();
            None
        } else {
            Some(self.pipeline(CONTEXT, Kind::RightDelimiter)?)
        };
        let position = token.start;
        Ok(Statement::Node(Node::Call(Box::new(Call { position, name, pipe }))))
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Parse<Pipe> {
        let position = self.peek().start;
        let (assigns, variables) = self.declarations(context)?;
        let (mut first, from) = (None, self.commands.len());
        loop {
            let token = self.peek();
            match token.kind {
                kind if kind == end => {
                    self.next();
                    let later = taken(&mut self.commands, from);
                    self.check_executable(&later)?;
                    return match first {
                        Some(first) => Ok(Pipe { position, assigns, variables, first, later }),
                        None => self.fail(format!("missing value for {context}")),
                    };
                }
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    let command = self.command()?;
                    if first.is_none() {
                        first = Some(command);
                    } else {
                        self.commands.push(command);
                    }
                }
                _ => {
                    self.next();
                    return self.unexpected(&token, context);
                }
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
