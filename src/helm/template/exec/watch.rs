//! Notes what is read of the values and what is missing there, if a render is asked for that.

use super::{Frame, Run, Slot};
use crate::failure::{Absent, Place};
use crate::functions::Function;
use crate::strict::is_guard;
use crate::template::node::{Command, Operand, OperandKind, Pipe, Position};
use crate::value::Value;

/// Whether what comes out of a pipeline's first command goes through a function that may be given nothing.
pub(super) fn has_later_guard(pipe: &Pipe) -> bool {
    pipe.later.iter().any(guards)
}

fn guards(command: &Command) -> bool {
    matches!(&command.first.kind, OperandKind::Function(function) if is_guard(function.name))
}

impl<'t> Frame<'t, '_, '_> {
    /// Evaluates where a value may well be missing.
    pub(super) fn guarded<T>(&mut self, evaluate: impl FnOnce(&mut Self) -> Run<T>) -> Run<T> {
        if let Some(reads) = &mut self.machine.reads {
            reads.guards += 1;
        }
        let result = evaluate(self);
        if let Some(reads) = &mut self.machine.reads {
            reads.guards = reads.guards.saturating_sub(1);
        }
        result
    }

    /// A value is printed.
    pub(super) fn watch_action(&mut self, dot: &Slot, pipe: &'t Pipe, value: &Slot) {
        if !pipe.variables.is_empty() {
            return;
        }
        if let (Some(command), Value::Nil) = (pipe.only(), &value.value) {
            let absent = self.absent_command(dot, command);
            self.note_absent(absent, command.position);
        }
        if let Some(reads) = &mut self.machine.reads {
            reads.read_whole(&value.value);
        }
    }

    /// A value is piped into a command.
    pub(super) fn watch_piped(
        &mut self,
        dot: &Slot,
        from: &'t Command,
        into: &'t Command,
        last: Option<&Slot>,
    ) {
        if last.is_some_and(|last| matches!(last.value, Value::Nil)) && !guards(into) {
            let absent = self.absent_command(dot, from);
            self.note_absent(absent, from.position);
        }
    }

    /// A function is called.
    pub(super) fn watch_call(
        &mut self,
        dot: &Slot,
        function: &'static Function,
        values: &[Value],
        arguments: &'t [Operand],
    ) {
        if let Some(reads) = &mut self.machine.reads {
            reads.called(function.name, values);
        }
        if is_guard(function.name) {
            return;
        }
        for (operand, _) in arguments.iter().zip(values).filter(|(_, value)| matches!(value, Value::Nil)) {
            let absent = self.absent_operand(dot, operand);
            self.note_absent(absent, operand.position);
        }
    }

    fn note_absent(&mut self, absent: Option<Absent>, position: Position) {
        let Some(absent) = absent else {
            return;
        };
        let source = &self.template.source;
        let position = self.start + position;
        let (line, column) = source.place(position);
        // Go places a chain of fields at its last one.
        let (text, expression) = (source.line(position), &absent.expression);
        let mut starts = text.match_indices(expression.as_str()).map(|(start, _)| start);
        let around = |start: &usize| *start <= column && column <= start + expression.len();
        let column = starts.find(around).unwrap_or(column);
        let place = Place { template: source.name.lossy().into_owned(), line, column };
        if let Some(reads) = &mut self.machine.reads {
            reads.lacks(absent, place);
        }
    }
}
