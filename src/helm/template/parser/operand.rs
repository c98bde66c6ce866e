//! Commands and their words.

use super::super::lexer::{Kind, Token};
use super::super::node::{Command, Number, Operand, OperandKind};
use super::super::number;
use super::super::words::Path;
use super::{Parse, Parser, taken};
use crate::helm::functions;
use crate::helm::value::{Text, convert, lossy};

impl Parser<'_> {
    pub(super) fn command(&mut self) -> Parse<Command> {
        let position = self.place();
        let (mut first, from) = (None, self.operands.len());
        loop {
            let operand = self.operand()?;
            let goes_on = operand.is_some();
            if let Some(operand) = operand {
                if first.is_none() {
                    first = Some(operand);
                } else {
                    self.operands.push(operand);
                }
            }
            let token = self.peek();
            match token.kind {
                Kind::RightDelimiter | Kind::RightParen => break,
                Kind::Pipe => {
                    self.position += 1;
                    break;
                }
                _ if token.spaced && goes_on => {}
                _ => {
                    self.next();
                    return self.unexpected(&token, "operand");
                }
            }
        }
        match first {
            Some(first) => Ok(Command { position, first, rest: taken(&mut self.operands, from) }),
            None => self.fail("empty command"),
        }
    }

    fn operand(&mut self) -> Parse<Option<Operand>> {
        let Some(mut node) = self.term()? else { return Ok(None) };
        let next = self.peek();
        if !is_further_field(next) {
            return Ok(Some(node));
        }
        let position = self.place();
        let names = self.path(next.start);
        if let OperandKind::Variable(_, none) = &mut node.kind {
            *none = names;
            return Ok(Some(Operand { position, kind: node.kind }));
        }
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
        let token = self.peek();
        let mut position = self.place();
        self.position += 1;
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
                if is_further_field(self.peek()) {
                    position = self.place();
                }
                OperandKind::Field(self.path(token.start))
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

    /// The names from an offset to the end of the fields that stand here.
    fn path(&mut self, start: u32) -> Path {
        while is_further_field(self.peek()) {
            self.position += 1;
        }
        let end = self.token(self.position.saturating_sub(1)).end;
        self.words.path(self.value(&Token { kind: Kind::Field, spaced: false, start, end }))
    }

    fn constant(&self, number: Result<Number, String>) -> Parse<OperandKind> {
        match number {
            Ok(number) => Ok(OperandKind::Number(Box::new(number))),
            Err(message) => self.fail(message),
        }
    }

    fn variable(&mut self, token: &Token) -> Parse<OperandKind> {
        let name = self.value(token);
        let Some(known) = self.variables.iter().find(|known| known.bytes() == name).cloned() else {
            return self.fail(format!("undefined variable {}", convert::quote(name)));
        };
        if name != b"$" {
            self.needed.push(known.clone());
        }
        Ok(OperandKind::Variable(known, Path::default()))
    }
}

/// Whether a token is a field of what stands directly before it.
fn is_further_field(token: Token) -> bool {
    token.kind == Kind::Field && !token.spaced
}
