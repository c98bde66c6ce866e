//! Statements: text, actions, control structures, and actions that were parsed before.

use std::sync::Arc;

use super::super::lexer::{Kind, Token};
use super::super::node::{Branch, Call, Node, Pipe, Position};
use super::super::repeats::{Opening, PARENTHESES, Repeat};
use super::{Ending, Parse, Parser, Statement};
use crate::value::Text;

impl Parser<'_> {
    pub(super) fn text_or_action(&mut self) -> Parse<Statement> {
        let first = self.position;
        let token = self.next();
        match token.kind {
            Kind::Text => return Ok(Statement::Node(Node::Text(token.start, token.end))),
            Kind::LeftDelimiter | Kind::Repeat => {}
            _ => return self.unexpected(&token, "input"),
        }
        (self.action, self.start, self.first) = (Some(token.start), token.start, first);
        self.needed.clear();
        let statement = match self.repeat.take() {
            Some(opening) => self.repeated_action(opening),
            None => self.action(),
        };
        self.action = None;
        statement
    }

    fn action(&mut self) -> Parse<Statement> {
        let token = self.peek();
        match token.kind {
            Kind::Block => self.block(),
            Kind::Break | Kind::Continue => self.jump(token.kind, token.start),
            Kind::Else => self.otherwise(),
            Kind::EndKeyword => {
                self.next();
                self.expect(Kind::RightDelimiter, "end")?;
                self.keep(&Opening::End);
                Ok(Statement::Ending(Ending::End))
            }
            Kind::If => {
                self.next();
                self.opened("if", Opening::If)
            }
            Kind::Range => {
                self.next();
                self.opened("range", Opening::Range)
            }
            Kind::With => {
                self.next();
                self.opened("with", Opening::With)
            }
            Kind::Template => self.template_call(),
            _ => self.opened("command", Opening::Action),
        }
    }

    /// What begins with a pipeline.
    fn opened(&mut self, context: &str, opening: fn(Arc<Pipe>) -> Opening) -> Parse<Statement> {
        let visible = self.variables.len();
        let pipe = Arc::new(self.pipeline(context, Kind::RightDelimiter)?);
        let declared = self.variables.len() - visible;
        let own = pipe.variables.len();
        let opening = opening(pipe);
        // Pipelines in parentheses may declare as well; that is too rare to remember.
        if declared == own {
            self.keep(&opening);
        }
        self.after(opening, visible)
    }

    /// An action that was parsed elsewhere.
    fn repeated_action(&mut self, opening: Opening) -> Parse<Statement> {
        let visible = self.variables.len();
        if let Opening::Action(pipe) | Opening::If(pipe) | Opening::With(pipe) | Opening::Range(pipe) =
            &opening
        {
            self.variables.extend(pipe.variables.iter().cloned());
        }
        self.after(opening, visible)
    }

    /// What follows the first action of a statement; so many variables were visible before it.
    fn after(&mut self, opening: Opening, visible: usize) -> Parse<Statement> {
        Ok(match opening {
            Opening::Action(pipe) => Statement::Node(Node::Action(self.start, pipe)),
            Opening::If(pipe) => Statement::Node(self.control(Kind::If, pipe, visible)?),
            Opening::With(pipe) => Statement::Node(self.control(Kind::With, pipe, visible)?),
            Opening::Range(pipe) => Statement::Node(self.control(Kind::Range, pipe, visible)?),
            Opening::End => Statement::Ending(Ending::End),
            Opening::Else => Statement::Ending(Ending::Else),
        })
    }

    /// Keeps the action that was just read, for where it comes again.
    fn keep(&mut self, opening: &Opening) {
        let read = self.lexer.tokens.get(self.first..self.position).unwrap_or(&[]);
        let end = read.last().map_or(self.start, |last| last.end);
        let nested = read.iter().filter(|token| token.kind == Kind::LeftParen).count();
        if nested > PARENTHESES {
            return;
        }
        // Errors name the line of the last token; such an action has one line for all of them.
        if matches!(opening, Opening::End | Opening::Else)
            && memchr::memchr(b'\n', self.source.part(self.start, end)).is_some()
        {
            return;
        }
        let tokens = read.len() + self.lexer.merged - self.merged;
        let needed = self.needed.drain(..).collect();
        let repeat = Repeat { opening: opening.clone(), needed, tokens };
        self.words.repeats.keep(&self.written, (&self.source, self.start, end), repeat);
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
            self.keep(&Opening::Else);
        }
        Ok(Statement::Ending(Ending::Else))
    }

    /// A control structure behind its first action; so many variables were visible before it.
    fn control(&mut self, kind: Kind, pipe: Arc<Pipe>, visible: usize) -> Parse<Node> {
        let start = self.start;
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
                    Some([self.nested(|parser| parser.further(kind))?].into())
                } else {
                    match self.nested(Self::statements)? {
                        (body, Ending::End) => Some(body),
                        (_, Ending::Else) => return self.fail("expected end; found {{else}}"),
                    }
                }
            }
        };
        self.variables.truncate(visible);
        let branch = Box::new(Branch { start, pipe, body, otherwise });
        Ok(match kind {
            Kind::If => Node::If(branch),
            Kind::With => Node::With(branch),
            _ => Node::Range(branch),
        })
    }

    /// The control structure that an `else` goes on with.
    fn further(&mut self, kind: Kind) -> Parse<Node> {
        self.next();
        let visible = self.variables.len();
        let context = if kind == Kind::With { "with" } else { "if" };
        let pipe = self.pipeline(context, Kind::RightDelimiter)?;
        self.control(kind, Arc::new(pipe), visible)
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
        let start = self.start;
        let pipe = self.pipeline(CONTEXT, Kind::RightDelimiter)?;
        let body = self.separate_body(CONTEXT)?;
        self.add(name.clone(), body.into())?;
        let position = token.start;
        Ok(Statement::Node(Node::Call(Box::new(Call { start, position, name, pipe: Some(pipe) }))))
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
        let (start, position) = (self.start, token.start);
        Ok(Statement::Node(Node::Call(Box::new(Call { start, position, name, pipe }))))
    }
}
