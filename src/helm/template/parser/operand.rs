//! Commands and their words.

use super::super::lexer::{Kind, Token};
use super::super::node::{Command, Number, Operand, OperandKind};
use super::super::number;
use super::super::words::Path;
use super::{Parse, Parser, taken};
use crate::functions;
use crate::value::{Text, convert, lossy};

impl Parser<'_> {
    /// A command, from its first token on.
    pub(super) fn command(&mut self, token: Token) -> Parse<Command> {
        let position = self.within(token.start);
        let (first, from) = (self.operand(token)?, self.operands.len());
        loop {
            let token = self.peek();
            match token.kind {
                Kind::RightDelimiter | Kind::RightParen => break,
                Kind::Pipe => {
                    self.position += 1;
                    break;
                }
                kind if token.spaced && begins(kind) => {
                    let operand = self.operand(token)?;
                    self.operands.push(operand);
                }
                _ => {
                    self.position += 1;
                    return self.unexpected(&token, "operand");
                }
            }
        }
        Ok(Command { position, first, rest: taken(&mut self.operands, from) })
    }

    fn operand(&mut self, token: Token) -> Parse<Operand> {
        let mut node = self.term(token)?;
        let next = self.peek();
        if !is_further_field(next) {
            return Ok(node);
        }
        let position = self.within(next.start);
        let names = self.path(next.start);
        if let OperandKind::Variable(_, none) = &mut node.kind {
            *none = names;
            return Ok(Operand { position, kind: node.kind });
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
        Ok(Operand { position, kind })
    }

    fn term(&mut self, token: Token) -> Parse<Operand> {
        let mut position = self.within(token.start);
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
                let path = self.path(token.start);
                if path.len() > 1 {
                    position = self.within(self.first_field(&token));
                }
                OperandKind::Field(path)
            }
            Kind::Bool => OperandKind::Bool(self.value(&token) == b"true"),
            Kind::CharConstant => self.constant(number::character(&lossy(self.value(&token))))?,
            Kind::Complex | Kind::Number => self.constant(number::number(&lossy(self.value(&token))))?,
            Kind::LeftParen => {
                let pipe =
                    self.nested(|parser| parser.pipeline("parenthesized pipeline", Kind::RightParen))?;
                position = pipe.position;
                OperandKind::Pipe(Box::new(pipe))
            }
            Kind::String | Kind::RawString => {
                let text = self.unquoted(&token)?;
                let plain = matches!(self.value(&token), [b'"', inner @ .., _] if *inner == *text.bytes());
                OperandKind::Text { written: (!plain).then(|| Text::from(self.value(&token))), text }
            }
            _ => return self.unexpected(&token, "operand"),
        };
        Ok(Operand { position, kind })
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

/// Whether a word begins with such a token.
pub(super) const fn begins(kind: Kind) -> bool {
    matches!(
        kind,
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
            | Kind::LeftParen
    )
}

/// Whether a token is a field of what stands directly before it.
fn is_further_field(token: Token) -> bool {
    token.kind == Kind::Field && !token.spaced
}
