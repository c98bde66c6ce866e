//! Which names of its dot a template reads, as its text says: every name that it could read, whatever it comes to.

use std::sync::Arc;

use crate::functions::values_method;
use crate::template::Template;
use crate::template::machine::Scope;
use crate::template::node::{Call, Command, Node, Operand, OperandKind, Pipe};
use crate::value::Text;

/// More than so many templates or names are not followed: the whole dot counts as read.
const MOST: usize = 48;

/// What a template, and those it hands its dot to, read of the dot.
#[derive(Debug, Default)]
pub(super) struct Uses {
    /// The first names of its chains.
    pub(super) names: Vec<Text>,
    /// Whether the dot goes somewhere as it is.
    pub(super) whole: bool,
    /// How many words were looked at to know this.
    pub(super) words: u64,
}

impl Uses {
    /// What a template reads.
    pub(super) fn of(template: &Arc<Template>, scope: &Scope) -> Self {
        let mut walk = Walk::default();
        let mut met = vec![Arc::clone(template)];
        let mut next = 0;
        while let Some(template) = met.get(next).cloned() {
            next += 1;
            walk.nodes(&template.body, true);
            for name in std::mem::take(&mut walk.handed) {
                // A template that is not there fails.
                if let Some(called) = scope.find(&name)
                    && !met.iter().any(|known| Arc::ptr_eq(known, called))
                {
                    met.push(Arc::clone(called));
                }
            }
            if walk.uses.whole || met.len() > MOST || walk.uses.names.len() > MOST {
                return Self { names: Vec::new(), whole: true, words: walk.uses.words };
            }
        }
        walk.uses
    }
}

#[derive(Default)]
struct Walk {
    uses: Uses,
    /// Named templates that get the dot as it is.
    handed: Vec<Text>,
}

impl Walk {
    /// Goes through statements; `own` tells whether the dot is still the template's own.
    fn nodes(&mut self, nodes: &[Node], own: bool) {
        for node in nodes {
            match node {
                Node::Action(_, pipe) => self.pipe(pipe, own),
                Node::If(branch) => {
                    self.pipe(&branch.pipe, own);
                    self.nodes(&branch.body, own);
                    self.nodes(branch.otherwise.as_deref().unwrap_or(&[]), own);
                }
                Node::With(branch) | Node::Range(branch) => {
                    self.pipe(&branch.pipe, own);
                    self.nodes(&branch.body, false);
                    self.nodes(branch.otherwise.as_deref().unwrap_or(&[]), own);
                }
                Node::Call(call) => self.call(call, own),
                Node::Text(..) | Node::Break(_) | Node::Continue(_) => {}
            }
        }
    }

    fn call(&mut self, call: &Call, own: bool) {
        let Some(pipe) = &call.pipe else { return };
        match pipe.only() {
            // A variable would hold the dot for what comes behind.
            Some(command)
                if command.rest.is_empty() && pipe.variables.is_empty() && is_whole(&command.first, own) =>
            {
                self.handed.push(call.name.clone());
            }
            _ => self.pipe(pipe, own),
        }
    }

    fn pipe(&mut self, pipe: &Pipe, own: bool) {
        pipe.commands().for_each(|command| self.command(command, own));
    }

    fn command(&mut self, command: &Command, own: bool) {
        if let OperandKind::Function(function) = &command.first.kind {
            match (function.name, &*command.rest) {
                ("include", [name, dot]) if is_whole(dot, own) => {
                    if let OperandKind::Text { text, .. } = &name.kind {
                        return self.handed.push(text.clone());
                    }
                }
                ("hasKey" | "get" | "index", [dot, key, rest @ ..]) if is_whole(dot, own) => {
                    if let OperandKind::Text { text, .. } = &key.kind {
                        self.name(text);
                        return rest.iter().for_each(|operand| self.operand(operand, own));
                    }
                }
                _ => {}
            }
        }
        self.operand(&command.first, own);
        command.rest.iter().for_each(|operand| self.operand(operand, own));
    }

    fn operand(&mut self, operand: &Operand, own: bool) {
        self.uses.words += 1;
        match &operand.kind {
            OperandKind::Field(names) if own => self.chain(names),
            OperandKind::Variable(name, names) if is_dollar(name) => self.chain(names),
            OperandKind::Dot => self.uses.whole |= own,
            OperandKind::Pipe(pipe) => self.pipe(pipe, own),
            OperandKind::Chain(inner, _) => self.operand(inner, own),
            OperandKind::Nil
            | OperandKind::Bool(_)
            | OperandKind::Number(_)
            | OperandKind::Text { .. }
            | OperandKind::Field(_)
            | OperandKind::Variable(..)
            | OperandKind::Function(_) => {}
        }
    }

    fn chain(&mut self, names: &[Text]) {
        match names.first() {
            // Methods of Helm's values type go through all of it.
            Some(name) if values_method(name).is_none() => self.name(name),
            _ => self.uses.whole = true,
        }
    }

    fn name(&mut self, name: &Text) {
        if !self.uses.names.contains(name) {
            self.uses.names.push(name.clone());
        }
    }
}

/// Whether a word is the template's dot as it is.
fn is_whole(operand: &Operand, own: bool) -> bool {
    match &operand.kind {
        OperandKind::Dot => own,
        OperandKind::Variable(name, names) => is_dollar(name) && names.is_empty(),
        _ => false,
    }
}

fn is_dollar(name: &[u8]) -> bool {
    name == b"$"
}
