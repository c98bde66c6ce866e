//! Which keys the templates of a chart name, whether or not the lines that do were executed: a value
//! that only a branch reads that is off today is not a useless one.

use rustc_hash::FxHashSet;

use super::known::owner;
use crate::dependencies::Instance;
use crate::template::node::{Branch, Node, Operand, OperandKind, Pipe};
use crate::value::Text;

/// A key with the name before it in a chain of fields, if there is one.
type Pair = (Option<Text>, Text);

/// The keys that templates name.
#[derive(Debug, Default)]
pub(crate) struct Mentions {
    pairs: FxHashSet<Pair>,
    /// Keys at the end of a chain outside of conditions: what stands below is used as a whole.
    ends: FxHashSet<Pair>,
    /// Constant texts, which `index`, `hasKey` and others are given.
    words: FxHashSet<Text>,
}

impl Mentions {
    /// Whether a template names the key of a path.
    pub(super) fn key(&self, path: &[Text], top: &Instance) -> bool {
        path.last().is_some_and(|key| self.words.contains(key)) || within(&self.pairs, path, top)
    }

    /// Whether a template uses the value of a path as a whole.
    pub(super) fn as_whole(&self, path: &[Text], top: &Instance) -> bool {
        within(&self.ends, path, top)
    }

    /// Adds what statements name.
    pub(crate) fn nodes(&mut self, nodes: &[Node]) {
        for node in nodes {
            match node {
                Node::Action(_, pipe) => self.pipe(pipe, false),
                Node::If(branch) => self.branch(branch, true),
                Node::With(branch) | Node::Range(branch) => self.branch(branch, false),
                Node::Call(call) => {
                    if let Some(pipe) = &call.pipe {
                        self.pipe(pipe, false);
                    }
                }
                Node::Text(..) | Node::Break(_) | Node::Continue(_) => {}
            }
        }
    }

    fn branch(&mut self, branch: &Branch, condition: bool) {
        self.pipe(&branch.pipe, condition);
        self.nodes(&branch.body);
        self.nodes(branch.otherwise.as_deref().unwrap_or(&[]));
    }

    fn pipe(&mut self, pipe: &Pipe, condition: bool) {
        for command in pipe.commands() {
            for operand in std::iter::once(&command.first).chain(&command.rest) {
                self.operand(operand, condition);
            }
        }
    }

    fn operand(&mut self, operand: &Operand, condition: bool) {
        match &operand.kind {
            OperandKind::Field(names) | OperandKind::Variable(_, names) => self.chain(names, condition),
            OperandKind::Chain(inner, names) => {
                self.operand(inner, condition);
                self.chain(names, condition);
            }
            OperandKind::Pipe(pipe) => self.pipe(pipe, condition),
            OperandKind::Text { text, .. } => {
                self.words.insert(text.clone());
            }
            _ => {}
        }
    }

    fn chain(&mut self, names: &[Text], condition: bool) {
        for (index, name) in names.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|before| names.get(before)).cloned();
            let pair = (before, name.clone());
            if index + 1 == names.len() && !condition {
                self.ends.insert(pair.clone());
            }
            self.pairs.insert(pair);
        }
    }
}

/// Whether a chain names the key of a path behind the name that stands before it there. A chain that
/// begins with the key may stand anywhere but at the top of a chart, where `.Values` is.
fn within(pairs: &FxHashSet<Pair>, path: &[Text], top: &Instance) -> bool {
    let [before @ .., key] = path else {
        return false;
    };
    let has = |name: Option<Text>| pairs.contains(&(name, key.clone()));
    let inner = owner(top, path).1;
    before.last().is_some_and(|name| has(Some(name.clone())))
        || if inner.len() == 1 { has(Some(Text::from("Values"))) } else { has(None) }
}
