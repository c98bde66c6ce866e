//! Runs compiled templates with Go's evaluation rules and messages. Every step and byte is
//! counted against the limits of the [`Machine`].

use super::Template;
use super::format::print_value;
use super::machine::Machine;
use super::node::{Branch, Call, Command, Node, Number, Operand, OperandKind, Pipe, Position};
use crate::Compat;
use crate::failure::{Failure, Link, Place, Step, Trail};
use crate::functions::Type;
use crate::value::{Object, Text, Value};

mod absence;
mod call;
mod field;
mod watch;

type Run<T> = Result<T, Failure>;

/// A value, and whether Go would hold it as an interface, which its messages show.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    value: Value,
    boxed: bool,
}

impl Slot {
    fn plain(value: Value) -> Self {
        Self { value, boxed: false }
    }
}

impl Machine<'_> {
    /// Runs a template with `data` as its dot, appending to `out`.
    pub(crate) fn execute(&mut self, template: &Template, data: Value, out: &mut Vec<u8>) -> Run<()> {
        self.enter()?;
        let dot = Slot { value: data, boxed: false };
        let mut variables = self.spare.variables.pop().unwrap_or_default();
        variables.push((self.dollar.clone(), dot.clone()));
        let mut frame = Frame { at: At::Nowhere, start: 0, template, variables, out, machine: self };
        frame.statements(&dot, &template.body)?;
        let mut variables = frame.variables;
        variables.clear();
        self.spare.variables.push(variables);
        self.depth -= 1;
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum At<'t> {
    Nowhere,
    Node(&'t Node),
    Call(&'t Call),
    Pipe(&'t Pipe),
    Command(&'t Command),
    Operand(&'t Operand),
}

#[derive(PartialEq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// A variable by its name.
pub(super) type Variable = (Text, Slot);

struct Frame<'t, 'm, 'r> {
    at: At<'t>,
    /// Where the action begins that is being run.
    start: Position,
    template: &'t Template,
    variables: Vec<Variable>,
    out: &'m mut Vec<u8>,
    machine: &'m mut Machine<'r>,
}

impl<'t> Frame<'t, '_, '_> {
    fn fail<T>(&self, message: impl Into<String>) -> Run<T> {
        Err(self.failure(&message.into(), None))
    }

    /// Where the frame stands: the offset and the expression; nothing before its first statement.
    fn standing(&self) -> Option<(Position, String)> {
        let mut context = String::new();
        let offset = match self.at {
            At::Nowhere => return None,
            At::Node(node) => {
                node.print(&self.template.source, &mut context);
                node.position()
            }
            At::Call(call) => {
                context = format!("{{{{template {}", crate::value::convert::quote(&call.name));
                if let Some(pipe) = &call.pipe {
                    context.push(' ');
                    pipe.print(&mut context);
                }
                context.push_str("}}");
                call.position
            }
            At::Pipe(pipe) => {
                pipe.print(&mut context);
                self.start + pipe.position
            }
            At::Command(command) => {
                command.print(&mut context);
                self.start + command.position
            }
            At::Operand(operand) => {
                operand.print(&mut context);
                self.start + operand.position
            }
        };
        Some((offset, context))
    }

    /// This frame as a step towards a failure.
    fn step(&self, offset: Position, expression: String) -> Step {
        let source = &self.template.source;
        let (line, column) = source.place(offset);
        Step {
            place: Place { template: source.name.lossy().into_owned(), line, column },
            within: self.template.name.lossy().into_owned(),
            expression,
            text: source.line(offset),
        }
    }

    fn failure(&self, message: &str, mut inner: Option<Failure>) -> Failure {
        let name = self.template.name.lossy();
        let Some((offset, context)) = self.standing() else {
            let message = format!("template: {name}: {message}");
            return Failure::from(Link { executed: true, message, ..Link::default() });
        };
        let (line, column) = self.template.source.place(offset);
        let source = self.template.source.name.lossy();
        let quoted = crate::value::convert::quote(&self.template.name);
        let place = Place { template: source.clone().into_owned(), line, column };
        let mut trail: Box<Trail> =
            inner.as_mut().map(|inner| std::mem::take(&mut inner.trail)).unwrap_or_default();
        trail.steps.push(self.step(offset, context.clone()));
        Failure::from(Link {
            message: format!(
                "template: {source}:{line}:{column}: executing {quoted} at <{context}>: {message}"
            ),
            executed: true,
            limit: inner.as_ref().and_then(Failure::limit_hit),
            place: inner.as_ref().and_then(|inner| inner.place.clone()).or(Some(place)),
            inner,
            trail,
        })
    }

    fn charge(&mut self, steps: u64) -> Run<()> {
        let charged = self.machine.charge(steps);
        self.located(charged)
    }

    fn charge_bytes(&mut self, bytes: usize) -> Run<()> {
        let charged = self.machine.charge_bytes(bytes);
        self.located(charged)
    }

    /// A limit gets the place where it was hit.
    fn located<T>(&self, result: Run<T>) -> Run<T> {
        result.map_err(|inner| {
            if inner.executed {
                return inner;
            }
            self.failure(&inner.message.clone(), Some(inner))
        })
    }

    fn statements(&mut self, dot: &Slot, nodes: &'t [Node]) -> Run<Flow> {
        for node in nodes {
            match node {
                Node::Text(from, to) => {
                    self.at = At::Node(node);
                    let text = self.template.source.part(*from, *to);
                    self.out.extend_from_slice(text);
                    self.charge_bytes(text.len())?;
                }
                Node::Action(start, pipe) => {
                    (self.at, self.start) = (At::Node(node), *start);
                    self.charge(1)?;
                    let value = self.pipeline(dot, pipe)?;
                    if self.machine.reads.is_some() {
                        self.watch_action(dot, pipe, &value);
                    }
                    if pipe.variables.is_empty() {
                        self.at = At::Node(node);
                        let before = self.out.len();
                        print_value(self.out, &value.value, self.machine.compat == Compat::V3_19);
                        self.charge_bytes(self.out.len() - before)?;
                    }
                }
                Node::If(branch) => {
                    (self.at, self.start) = (At::Node(node), branch.start);
                    let flow = self.conditional(dot, branch, false)?;
                    if flow != Flow::Next {
                        return Ok(flow);
                    }
                }
                Node::With(branch) => {
                    (self.at, self.start) = (At::Node(node), branch.start);
                    let flow = self.conditional(dot, branch, true)?;
                    if flow != Flow::Next {
                        return Ok(flow);
                    }
                }
                Node::Range(branch) => {
                    (self.at, self.start) = (At::Node(node), branch.start);
                    let flow = self.range(dot, branch)?;
                    if flow != Flow::Next {
                        return Ok(flow);
                    }
                }
                Node::Call(call) => {
                    (self.at, self.start) = (At::Call(call), call.start);
                    self.call_template(dot, call)?;
                }
                Node::Break(_) => return Ok(Flow::Break),
                Node::Continue(_) => return Ok(Flow::Continue),
            }
        }
        Ok(Flow::Next)
    }

    fn conditional(&mut self, dot: &Slot, branch: &'t Branch, with: bool) -> Run<Flow> {
        let mark = self.variables.len();
        let charged = self.machine.charge(1).and_then(|()| self.machine.enter());
        self.located(charged)?;
        let value = self.guarded(|frame| frame.pipeline(dot, &branch.pipe))?;
        if with && let Some(reads) = &mut self.machine.reads {
            reads.read_whole(&value.value);
        }
        let flow = if value.value.truth() {
            if with { self.statements(&value, &branch.body)? } else { self.statements(dot, &branch.body)? }
        } else if let Some(otherwise) = &branch.otherwise {
            self.statements(dot, otherwise)?
        } else {
            Flow::Next
        };
        self.variables.truncate(mark);
        self.machine.depth -= 1;
        Ok(flow)
    }

    fn call_template(&mut self, dot: &Slot, call: &'t Call) -> Run<()> {
        let Some(template) = self.machine.scope.find(&call.name).cloned() else {
            let quoted = crate::value::convert::quote(&call.name);
            return self.fail(format!("template {quoted} not defined"));
        };
        let data = match &call.pipe {
            Some(pipe) => self.pipeline(dot, pipe)?.value,
            None => Value::Nil,
        };
        let result = self.machine.execute_or_recall(&template, data, self.out);
        // Go's words leave this link out; whoever looks for the cause wants it.
        if let Err(mut failure) = result {
            if failure.executed {
                self.at = At::Call(call);
                let step = self.standing().map(|(offset, context)| self.step(offset, context));
                failure.trail.steps.extend(step);
            }
            return self.located(Err(failure));
        }
        Ok(())
    }

    fn range(&mut self, dot: &Slot, branch: &'t Branch) -> Run<Flow> {
        let outer = self.variables.len();
        let charged = self.machine.enter();
        self.located(charged)?;
        let value = self.guarded(|frame| frame.pipeline(dot, &branch.pipe))?.value;
        if let Some(reads) = &mut self.machine.reads {
            reads.read_whole(&value);
        }
        let mark = self.variables.len();
        let ran = match value.counter() {
            Some((count, number)) => self.count_rounds(branch, mark, &value, (count, number))?,
            None => {
                let rounds = self.rounds(&value)?;
                let held = rounds.len() * size_of::<(Slot, Slot)>();
                self.charge_bytes(held)?;
                let ran = !rounds.is_empty();
                for (index, item) in rounds {
                    if self.iteration(branch, mark, index, &item)? {
                        break;
                    }
                }
                // They are there only while it lasts.
                self.machine.bytes = self.machine.bytes.saturating_sub(held);
                ran
            }
        };
        let mut flow = Flow::Next;
        if !ran && let Some(otherwise) = &branch.otherwise {
            flow = self.statements(dot, otherwise)?;
        }
        self.variables.truncate(outer);
        self.machine.depth -= 1;
        Ok(flow)
    }

    /// Ranges over the numbers below a number; tells whether there were any.
    fn count_rounds(
        &mut self,
        branch: &'t Branch,
        mark: usize,
        value: &Value,
        (count, number): (u64, fn(u64) -> Value),
    ) -> Run<bool> {
        if branch.pipe.variables.len() > 1 {
            let shown = super::format::display(value, self.machine.v3());
            let shown = String::from_utf8_lossy(&shown);
            return self.fail(format!("can't use {shown} to iterate over more than one variable"));
        }
        for index in 0..count {
            let item = Slot::plain(number(index));
            if self.iteration(branch, mark, item.clone(), &item)? {
                break;
            }
        }
        Ok(count > 0)
    }

    /// The indexes and items of a collection.
    fn rounds(&self, value: &Value) -> Run<Vec<(Slot, Slot)>> {
        let keyed = |key: &Text, item: Value, boxed: bool| {
            (Slot::plain(Value::Text(key.clone())), Slot { value: item, boxed })
        };
        Ok(match value {
            Value::Nil => Vec::new(),
            Value::Map(map) => {
                map.read(|entries| entries.iter().map(|(key, item)| keyed(key, item.clone(), true)).collect())
            }
            Value::TextMap(pairs) => {
                pairs.iter().map(|(key, text)| keyed(key, Value::Text(text.clone()), false)).collect()
            }
            Value::Object(object) if object.kind_name() == "map" => match &**object {
                Object::Files(files) => files
                    .iter()
                    .map(|(path, bytes)| keyed(path, Value::Bytes(bytes.clone()), false))
                    .collect(),
                _ => Vec::new(),
            },
            _ => {
                let Some(items) = value.items() else {
                    let shown = super::format::display(value, self.machine.v3());
                    return self
                        .fail(format!("range can't iterate over {}", String::from_utf8_lossy(&shown)));
                };
                let boxed = matches!(value, Value::List(_));
                let numbered = (0..).zip(items);
                numbered
                    .map(|(index, item)| (Slot::plain(Value::Int(index)), Slot { value: item, boxed }))
                    .collect()
            }
        })
    }

    /// One round of a range; true asks to stop.
    fn iteration(&mut self, branch: &'t Branch, mark: usize, index: Slot, item: &Slot) -> Run<bool> {
        self.charge(1)?;
        match branch.pipe.variables.as_slice() {
            [] => {}
            [only] if branch.pipe.assigns => self.assign(only, item.clone())?,
            [first, second, ..] if branch.pipe.assigns => {
                self.assign(first, index)?;
                self.assign(second, item.clone())?;
            }
            [_] => self.set_top(1, item.clone()),
            [_, _, ..] => {
                self.set_top(1, item.clone());
                self.set_top(2, index);
            }
        }
        let flow = self.statements(item, &branch.body)?;
        self.variables.truncate(mark);
        Ok(flow == Flow::Break)
    }

    fn set_top(&mut self, from_top: usize, slot: Slot) {
        let length = self.variables.len();
        if let Some(variable) = length.checked_sub(from_top).and_then(|index| self.variables.get_mut(index)) {
            variable.1 = slot;
        }
    }

    fn assign(&mut self, name: &Text, slot: Slot) -> Run<()> {
        match self.variables.iter_mut().rev().find(|(known, _)| known == name) {
            Some(variable) => {
                variable.1 = slot;
                Ok(())
            }
            None => self.fail(format!("undefined variable: {}", name.lossy())),
        }
    }

    fn variable(&self, name: &Text) -> Run<Slot> {
        match self.variables.iter().rev().find(|(known, _)| known.same(name) || known == name) {
            Some((_, slot)) => Ok(slot.clone()),
            None => self.fail(format!("undefined variable: {}", name.lossy())),
        }
    }

    fn pipeline(&mut self, dot: &Slot, pipe: &'t Pipe) -> Run<Slot> {
        if self.machine.reads.is_some() && watch::has_later_guard(pipe) {
            return self.guarded(|frame| frame.commands(dot, pipe));
        }
        self.commands(dot, pipe)
    }

    fn commands(&mut self, dot: &Slot, pipe: &'t Pipe) -> Run<Slot> {
        self.at = At::Pipe(pipe);
        let mut value: Option<Slot> = None;
        let mut before: Option<&'t Command> = None;
        for command in pipe.commands() {
            let last = value.take();
            let piped = before.filter(|_| last.as_ref().is_some_and(|last| absence::is_nothing(&last.value)));
            if let Some(piped) = piped
                && self.machine.reads.is_some()
            {
                self.watch_piped(dot, piped, command, last.as_ref());
            }
            let mut result = self.command(dot, command, last).map_err(|failure| match piped {
                Some(piped) => failure.lacking(|| self.absent_command(dot, piped)),
                None => failure,
            })?;
            result.boxed = false;
            value = Some(result);
            before = Some(command);
        }
        let value = value.unwrap_or(Slot::plain(Value::Nil));
        for name in &pipe.variables {
            if pipe.assigns {
                self.assign(name, value.clone())?;
            } else {
                self.variables.push((name.clone(), value.clone()));
            }
        }
        Ok(value)
    }

    fn not_a_function(&self, command: &Command, last: Option<&Slot>) -> Run<()> {
        if !command.rest.is_empty() || last.is_some() {
            let word = argument_shown(&command.first);
            return self.fail(format!("can't give argument to non-function {word}"));
        }
        Ok(())
    }

    fn command(&mut self, dot: &Slot, command: &'t Command, last: Option<Slot>) -> Run<Slot> {
        let first = &command.first;
        match &first.kind {
            OperandKind::Function(function) => {
                self.at = At::Operand(first);
                self.call(dot, function, None, At::Command(command), &command.rest, last)
            }
            OperandKind::Field(names) => {
                self.at = At::Operand(first);
                self.fields(dot, dot.clone(), names, first, &command.rest, last)
            }
            OperandKind::Variable(name, names) => {
                self.at = At::Operand(first);
                let value = self.variable(name)?;
                if names.is_empty() {
                    self.not_a_function(command, last.as_ref())?;
                    return Ok(value);
                }
                self.fields(dot, value, names, first, &command.rest, last)
            }
            OperandKind::Chain(inner, names) => {
                self.at = At::Operand(first);
                let value = self.chain_start(dot, inner, first)?;
                self.fields(dot, value, names, first, &command.rest, last)
            }
            OperandKind::Pipe(pipe) => {
                self.not_a_function(command, last.as_ref())?;
                self.nested_pipeline(dot, pipe)
            }
            constant => {
                self.at = At::Operand(first);
                self.not_a_function(command, last.as_ref())?;
                match constant {
                    OperandKind::Dot => Ok(dot.clone()),
                    OperandKind::Bool(value) => Ok(Slot::plain(Value::Bool(*value))),
                    OperandKind::Number(number) => Ok(Slot::plain(self.ideal(number)?)),
                    OperandKind::Text { text, .. } => Ok(Slot::plain(Value::Text(text.clone()))),
                    _ => self.fail("nil is not a command"),
                }
            }
        }
    }

    fn nested_pipeline(&mut self, dot: &Slot, pipe: &'t Pipe) -> Run<Slot> {
        let entered = self.machine.enter();
        self.located(entered)?;
        let value = self.pipeline(dot, pipe)?;
        self.machine.depth -= 1;
        Ok(value)
    }

    fn chain_start(&mut self, dot: &Slot, inner: &'t Operand, chain: &'t Operand) -> Run<Slot> {
        match &inner.kind {
            OperandKind::Nil => {
                self.fail(format!("indirection through explicit nil in {}", argument_shown(chain)))
            }
            OperandKind::Pipe(pipe) => {
                self.at = At::Operand(inner);
                self.nested_pipeline(dot, pipe)
            }
            OperandKind::Function(function) => {
                self.at = At::Operand(inner);
                self.call(dot, function, None, At::Operand(inner), &[], None)
            }
            _ => Ok(Slot::plain(self.argument(dot, Type::Any, inner)?)),
        }
    }

    /// An untyped number becomes an int or a float64.
    fn ideal(&self, number: &Number) -> Run<Value> {
        if let (Some(real), Some(imaginary)) = (number.float, number.imaginary) {
            return Ok(Value::object(Object::Complex(real, imaginary)));
        }
        match (number.floating, number.float, number.integer) {
            (true, Some(value), _) => Ok(Value::Float(value)),
            (_, _, Some(value)) => Ok(Value::Int(value)),
            _ => self.fail(format!("{} overflows int", number.text.lossy())),
        }
    }
}

/// A word in a message about arguments: pipelines without their parentheses.
fn argument_shown(operand: &Operand) -> String {
    operand.printed()
}
