//! The compiled form of a template, and its printed form for messages. Holds no state.
//!
//! Statements know where they stand in their source; what is inside of an action only knows where in the action, because
//! equal actions share it.

use std::sync::Arc;

use super::Source;
use super::words::Path;
use crate::functions::Function;
use crate::value::{Text, convert, lossy};

/// A byte offset: of statements in the source, of all else in its action.
pub(crate) type Position = u32;

/// A statement.
#[derive(Debug)]
pub(crate) enum Node {
    /// Text that is copied: from where to where it stands in the source.
    Text(Position, Position),
    /// A pipeline whose value is printed, unless it declares, and where its action begins.
    Action(Position, Arc<Pipe>),
    /// `if`
    If(Box<Branch>),
    /// `with`
    With(Box<Branch>),
    /// `range`
    Range(Box<Branch>),
    /// `template` and `block`
    Call(Box<Call>),
    /// `break`
    Break(Position),
    /// `continue`
    Continue(Position),
}

/// A control structure.
#[derive(Debug)]
pub(crate) struct Branch {
    /// Where its first action begins.
    pub(crate) start: Position,
    pub(crate) pipe: Arc<Pipe>,
    pub(crate) body: Box<[Node]>,
    pub(crate) otherwise: Option<Box<[Node]>>,
}

/// The call of a named template as a statement.
#[derive(Debug)]
pub(crate) struct Call {
    /// Where its action begins.
    pub(crate) start: Position,
    /// Where the name stands in the source.
    pub(crate) position: Position,
    pub(crate) name: Text,
    pub(crate) pipe: Option<Pipe>,
}

/// Commands connected by `|`, with the variables that receive the result.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) position: Position,
    pub(crate) assigns: bool,
    pub(crate) variables: Vec<Text>,
    pub(crate) first: Command,
    /// The commands that the first one's value goes through.
    pub(crate) later: Box<[Command]>,
}

/// A function, method or operand with its arguments.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) position: Position,
    pub(crate) first: Operand,
    pub(crate) rest: Box<[Operand]>,
}

/// One word of a command.
#[derive(Debug)]
pub(crate) struct Operand {
    pub(crate) position: Position,
    pub(crate) kind: OperandKind,
}

/// What a word is.
#[derive(Debug)]
pub(crate) enum OperandKind {
    Dot,
    Nil,
    Bool(bool),
    /// Boxed: constants are rare, and words are many.
    Number(Box<Number>),
    Text {
        /// As it is written, unless that is the text between double quotes.
        written: Option<Text>,
        text: Text,
    },
    /// `.A.B`
    Field(Path),
    /// `$x.A.B`
    Variable(Text, Path),
    Function(&'static Function),
    Pipe(Box<Pipe>),
    /// `(pipeline).A.B`
    Chain(Box<Operand>, Path),
}

/// A numeric constant, untyped until it is used.
#[derive(Debug, Clone)]
pub(crate) struct Number {
    pub(crate) text: Text,
    pub(crate) integer: Option<i64>,
    pub(crate) unsigned: Option<u64>,
    pub(crate) float: Option<f64>,
    /// The imaginary part, which makes it a complex number.
    pub(crate) imaginary: Option<f64>,
    /// Whether it is written like a float.
    pub(crate) floating: bool,
}

impl Operand {
    /// The word as Go prints it.
    pub(crate) fn print(&self, out: &mut String) {
        match &self.kind {
            OperandKind::Dot => out.push('.'),
            OperandKind::Nil => out.push_str("nil"),
            OperandKind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            OperandKind::Number(number) => out.push_str(&number.text.lossy()),
            OperandKind::Text { written: Some(written), .. } => out.push_str(&written.lossy()),
            OperandKind::Text { written: None, text } => {
                out.push('"');
                out.push_str(&text.lossy());
                out.push('"');
            }
            OperandKind::Field(names) => print_names(names, out),
            OperandKind::Variable(name, names) => {
                out.push_str(&name.lossy());
                print_names(names, out);
            }
            OperandKind::Function(function) => out.push_str(function.name),
            OperandKind::Pipe(pipe) => pipe.print(out),
            OperandKind::Chain(inner, names) => {
                if let OperandKind::Pipe(pipe) = &inner.kind {
                    out.push('(');
                    pipe.print(out);
                    out.push(')');
                } else {
                    inner.print(out);
                }
                print_names(names, out);
            }
        }
    }

    /// The word as Go prints it.
    pub(crate) fn printed(&self) -> String {
        let mut out = String::new();
        self.print(&mut out);
        out
    }
}

fn print_names(names: &[Text], out: &mut String) {
    for name in names {
        out.push('.');
        out.push_str(&name.lossy());
    }
}

impl Command {
    /// The command as Go prints it.
    pub(crate) fn print(&self, out: &mut String) {
        for (index, word) in std::iter::once(&self.first).chain(&self.rest).enumerate() {
            if index > 0 {
                out.push(' ');
            }
            if let OperandKind::Pipe(pipe) = &word.kind {
                out.push('(');
                pipe.print(out);
                out.push(')');
            } else {
                word.print(out);
            }
        }
    }
}

impl Pipe {
    /// All commands, in the order in which they are written.
    pub(crate) fn commands(&self) -> impl Iterator<Item = &Command> {
        std::iter::once(&self.first).chain(&self.later)
    }

    /// Its command, where it has only one.
    pub(crate) fn only(&self) -> Option<&Command> {
        self.later.is_empty().then_some(&self.first)
    }

    /// The pipeline as Go prints it.
    pub(crate) fn print(&self, out: &mut String) {
        for (index, variable) in self.variables.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            out.push_str(&variable.lossy());
        }
        if !self.variables.is_empty() {
            out.push_str(if self.assigns { " = " } else { " := " });
        }
        for (index, command) in self.commands().enumerate() {
            if index > 0 {
                out.push_str(" | ");
            }
            command.print(out);
        }
    }
}

impl Node {
    /// Where Go says that the statement is.
    pub(crate) fn position(&self) -> Position {
        match self {
            Self::Text(..) => 0,
            Self::Action(start, pipe) => start + pipe.position,
            Self::If(branch) | Self::With(branch) | Self::Range(branch) => {
                branch.start + branch.pipe.position
            }
            Self::Call(call) => call.position,
            Self::Break(position) | Self::Continue(position) => *position,
        }
    }

    /// The statement as Go prints it.
    pub(crate) fn print(&self, source: &Source, out: &mut String) {
        match self {
            Self::Text(from, to) => out.push_str(&lossy(source.part(*from, *to))),
            Self::Action(_, pipe) => {
                out.push_str("{{");
                pipe.print(out);
                out.push_str("}}");
            }
            Self::If(branch) => branch.print("if", source, out),
            Self::With(branch) => branch.print("with", source, out),
            Self::Range(branch) => branch.print("range", source, out),
            Self::Call(call) => {
                out.push_str("{{template ");
                out.push_str(&convert::quote(&call.name));
                if let Some(pipe) = &call.pipe {
                    out.push(' ');
                    pipe.print(out);
                }
                out.push_str("}}");
            }
            Self::Break(_) => out.push_str("{{break}}"),
            Self::Continue(_) => out.push_str("{{continue}}"),
        }
    }
}

impl Branch {
    fn print(&self, word: &str, source: &Source, out: &mut String) {
        out.push_str("{{");
        out.push_str(word);
        out.push(' ');
        self.pipe.print(out);
        out.push_str("}}");
        for node in &self.body {
            node.print(source, out);
        }
        if let Some(otherwise) = &self.otherwise {
            out.push_str("{{else}}");
            for node in otherwise {
                node.print(source, out);
            }
        }
        out.push_str("{{end}}");
    }
}
