//! Commands and their words.

use super::super::lexer::{Kind, Token};
use super::super::node::{Command, Number, Operand, OperandKind};
use super::super::number;
use super::{Parse, Parser};
use crate::helm::functions;
use crate::helm::value::{Text, convert, lossy};

impl Parser<'_> {
    pub(super) fn command(&mut self) -> Parse<Command> {
        let position = self.peek_word().start;
        let (mut first, mut rest) = (None, Vec::new());
        loop {
            self.skip_space();
            if let Some(operand) = self.operand()? {
                if first.is_none() {
                    first = Some(operand);
                } else {
                    rest.push(operand);
                }
            }
            let token = self.peek();
            match token.kind {
                Kind::Space => {
                    self.next();
                }
                Kind::RightDelimiter | Kind::RightParen => break,
                Kind::Pipe => {
                    self.next();
                    break;
                }
                _ => {
                    self.next();
                    return self.unexpected(&token, "operand");
                }
            }
        }
        match first {
            Some(first) => Ok(Command { position, first, rest }),
            None => self.fail("empty command"),
        }
    }

    fn operand(&mut self) -> Parse<Option<Operand>> {
        let Some(mut node) = self.term()? else { return Ok(None) };
        if self.peek_kind() != Kind::Field {
            return Ok(Some(node));
        }
        let position = self.peek().start;
        if let OperandKind::Field(names) | OperandKind::Variable(_, names) = &mut node.kind {
            self.more_fields(names);
            return Ok(Some(Operand { position, kind: node.kind }));
        }
        let mut names = Vec::new();
        self.more_fields(&mut names);
        let kind = match node.kind {
            OperandKind::Bool(_)
            | OperandKind::Text { .. }
            | OperandKind::Number(_)
            | OperandKind::Nil
            | OperandKind::Dot => {
                let shown = convert::quote(node.printed().as_bytes());
                return self.fail(format!("unexpected . after term {shown}"));
            }
            _ => OperandKind::Chain(Box::new(node), names),
        };
        Ok(Some(Operand { position, kind }))
    }

    fn term(&mut self) -> Parse<Option<Operand>> {
        let token = self.peek_word();
        let position = token.start;
        self.next();
        let kind = match token.kind {
            Kind::Identifier => {
                let name = self.value(&token);
                match functions::find(name, self.compat) {
                    Some(function) => OperandKind::Function(function),
                    None => return self.fail(format!("function {} not defined", convert::quote(name))),
                }
            }
            Kind::Dot => OperandKind::Dot,
            Kind::Nil => OperandKind::Nil,
            Kind::Variable => self.variable(&token)?,
            Kind::Field => {
                let mut names = Vec::with_capacity(4);
                names.push(self.field(&token));
                OperandKind::Field(names)
            }
            Kind::Bool => OperandKind::Bool(self.value(&token) == b"true"),
            Kind::CharConstant => self.constant(number::character(&lossy(self.value(&token))))?,
            Kind::Complex | Kind::Number => self.constant(number::number(&lossy(self.value(&token))))?,
            Kind::LeftParen => {
                let pipe =
                    self.nested(|parser| parser.pipeline("parenthesized pipeline", Kind::RightParen))?;
                return Ok(Some(Operand {
                    position: pipe.position,
                    kind: OperandKind::Pipe(Box::new(pipe)),
                }));
            }
            Kind::String | Kind::RawString => {
                let text = self.unquoted(&token)?;
                let plain = matches!(self.value(&token), [b'"', inner @ .., _] if *inner == *text.bytes());
                OperandKind::Text { written: (!plain).then(|| Text::from(self.value(&token))), text }
            }
            _ => {
                self.position -= 1;
                return Ok(None);
            }
        };
        Ok(Some(Operand { position, kind }))
    }

    /// The name of a field, without its dot.
    fn field(&mut self, token: &Token) -> Text {
        self.name(self.value(token).get(1..).unwrap_or(&[]))
    }

    fn more_fields(&mut self, names: &mut Vec<Text>) {
        while self.peek_kind() == Kind::Field {
            let token = self.next();
            names.push(self.field(&token));
        }
    }

    fn constant(&self, number: Result<Number, String>) -> Parse<OperandKind> {
        match number {
            Ok(number) => Ok(OperandKind::Number(Box::new(number))),
            Err(message) => self.fail(message),
        }
    }

    fn variable(&self, token: &Token) -> Parse<OperandKind> {
        let name = self.value(token);
        match self.variables.iter().find(|known| known.bytes() == name) {
            Some(known) => Ok(OperandKind::Variable(known.clone(), Vec::new())),
            None => self.fail(format!("undefined variable {}", convert::quote(name))),
        }
    }
}
