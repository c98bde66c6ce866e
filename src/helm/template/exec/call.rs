//! Calls of functions and methods: arity, Go's type check of arguments, short circuits.

use super::{At, Frame, Run, Slot};
use crate::failure::Failure;
use crate::functions::{Function, Special, Type};
use crate::strict::is_guard;
use crate::template::node::{Number, Operand, OperandKind};
use crate::value::Value;

impl<'t> Frame<'t, '_, '_> {
    pub(super) fn call(
        &mut self,
        dot: &Slot,
        function: &'static Function,
        receiver: Option<Value>,
        node: At<'t>,
        arguments: &'t [Operand],
        last: Option<Slot>,
    ) -> Run<Slot> {
        self.charge(1)?;
        self.check_arity(function, arguments.len(), last.is_some())?;
        if matches!(function.special, Special::And | Special::Or) {
            return self.guarded(|frame| frame.short_circuit(dot, function, arguments, last));
        }
        let mut values = self.machine.spare.arguments.pop().unwrap_or_default();
        let own = usize::from(receiver.is_some());
        values.extend(receiver);
        if self.machine.reads.is_some() && is_guard(function.name) {
            self.guarded(|frame| frame.arguments(dot, function, arguments, &mut values))?;
        } else {
            self.arguments(dot, function, arguments, &mut values)?;
        }
        if function.special == Special::Length && Self::has_no_value(&values, arguments, last.as_ref()) {
            self.at = node;
            let message = "error calling len: reflect: call of reflect.Value.Type on zero Value";
            return Err(self.failure(message, Some(Failure::new("reflect"))));
        }
        if let Some(last) = last {
            let wanted = if function.variadic && arguments.len() + 1 > function.fixed() {
                function.variable_type()
            } else {
                function.parameter(arguments.len())
            };
            values.push(self.validated(last, wanted)?);
        }
        if self.machine.reads.is_some() {
            self.watch_call(dot, function, values.get(own..).unwrap_or(&[]), arguments);
        }
        if function.draws {
            self.charge_draw()?;
            self.machine.memo.note_draw();
            self.machine.draws.enter_template(&self.template.name, &self.template.source.text);
        }
        if function.special == Special::Call {
            self.at = node;
            return self.uncallable(values.first().unwrap_or(&Value::Nil), arguments.first());
        }
        self.charge_reading(&values)?;
        match (function.call)(self.machine, &values) {
            Ok(value) => {
                values.clear();
                self.machine.spare.arguments.push(values);
                self.charge_bytes(value.own_bytes())?;
                self.machine.memo.note_made(&value);
                Ok(Slot::plain(value))
            }
            Err(inner) => {
                self.at = node;
                let message = format!("error calling {}: {}", function.name, inner.message);
                let led_here = inner.executed || !inner.trail.steps.is_empty();
                let failure = self.failure(&message, Some(inner));
                // What a template below lacks was passed on by others; here only own arguments count.
                Err(if led_here {
                    failure
                } else {
                    let given = values.get(own..).unwrap_or(&[]);
                    failure.lacking(|| self.absent_argument(dot, function, given, arguments))
                })
            }
        }
    }

    fn arguments(
        &mut self,
        dot: &Slot,
        function: &'static Function,
        arguments: &'t [Operand],
        values: &mut Vec<Value>,
    ) -> Run<()> {
        for (index, operand) in arguments.iter().enumerate() {
            values.push(self.argument(dot, function.parameter(index), operand)?);
        }
        Ok(())
    }

    /// Going through long texts is work that has a time of its own.
    fn charge_reading(&mut self, values: &[Value]) -> Run<()> {
        const LONG: usize = 4096;
        let lengths = values.iter().map(|value| match value {
            Value::Text(text) | Value::Bytes(text) => text.len(),
            _ => 0,
        });
        let bytes: usize = lengths.sum();
        if bytes < LONG {
            return Ok(());
        }
        self.charge(bytes as u64 / 256)
    }

    /// What is drawn may be remembered with its place, which a text of `tpl` has by its content.
    fn charge_draw(&mut self) -> Run<()> {
        const PLACE: usize = 512;
        self.charge_bytes(PLACE)?;
        self.charge(self.template.source.text.len() as u64 / 256)
    }

    /// No value of a chart is a function.
    fn uncallable(&self, value: &Value, written: Option<&Operand>) -> Run<Slot> {
        let v3 = self.machine.v3();
        let message = match (value, written) {
            (Value::Nil, _) => "call of nil".to_owned(),
            (Value::Text(text), None) => format!("non-function {} of type string", text.lossy()),
            (value, None) => {
                format!("non-function <{0} Value> of type {0}", value.type_name(v3))
            }
            (value, Some(operand)) => {
                format!("non-function {} of type {}", operand.printed(), value.type_name(v3))
            }
        };
        Err(self.failure(&format!("error calling call: {message}"), Some(Failure::new(message))))
    }

    /// Whether the only argument is no value at all, not merely a nil of a map.
    fn has_no_value(values: &[Value], arguments: &[Operand], last: Option<&Slot>) -> bool {
        if let Some(last) = last {
            return matches!(last.value, Value::Nil);
        }
        let bare = arguments.first().is_some_and(|operand| match &operand.kind {
            OperandKind::Nil | OperandKind::Pipe(_) => true,
            OperandKind::Variable(_, names) => names.is_empty(),
            _ => false,
        });
        bare && matches!(values.last(), Some(Value::Nil))
    }

    fn check_arity(&self, function: &Function, given: usize, piped: bool) -> Run<()> {
        let all = given + usize::from(piped);
        let name = function.name;
        if function.variadic {
            let least = function.fixed();
            if all < least {
                return self
                    .fail(format!("wrong number of args for {name}: want at least {least} got {given}"));
            }
        } else if all != function.parameters.len() {
            let want = function.parameters.len();
            return self.fail(format!("wrong number of args for {name}: want {want} got {all}"));
        }
        Ok(())
    }

    /// `and` and `or` evaluate only as far as needed.
    fn short_circuit(
        &mut self,
        dot: &Slot,
        function: &'static Function,
        arguments: &'t [Operand],
        last: Option<Slot>,
    ) -> Run<Slot> {
        let stop_at = function.special == Special::Or;
        let mut value = Value::Nil;
        for operand in arguments {
            value = self.argument(dot, Type::Any, operand)?;
            if value.truth() == stop_at {
                return Ok(Slot::plain(value));
            }
        }
        Ok(last.unwrap_or(Slot::plain(value)))
    }

    pub(super) fn argument(&mut self, dot: &Slot, wanted: Type, operand: &'t Operand) -> Run<Value> {
        self.at = At::Operand(operand);
        match &operand.kind {
            OperandKind::Dot => self.validated(dot.clone(), wanted),
            OperandKind::Nil => {
                if wanted.can_be_nil() {
                    return Ok(wanted.zero());
                }
                self.fail(format!("cannot assign nil to {}", wanted.name()))
            }
            OperandKind::Field(names) => {
                let slot = self.fields(dot, dot.clone(), names, operand, &[], None)?;
                self.validated(slot, wanted)
                    .map_err(|failure| failure.lacking(|| self.absent_operand(dot, operand)))
            }
            OperandKind::Variable(name, names) => {
                let slot = self.variable(name)?;
                let slot = self.fields(dot, slot, names, operand, &[], None)?;
                self.validated(slot, wanted)
                    .map_err(|failure| failure.lacking(|| self.absent_operand(dot, operand)))
            }
            OperandKind::Pipe(pipe) => {
                let slot = self.nested_pipeline(dot, pipe)?;
                self.validated(slot, wanted)
            }
            OperandKind::Function(function) => {
                let slot = self.call(dot, function, None, At::Operand(operand), &[], None)?;
                self.validated(slot, wanted)
            }
            OperandKind::Chain(inner, names) => {
                let slot = self.chain_start(dot, inner, operand)?;
                let slot = self.fields(dot, slot, names, operand, &[], None)?;
                self.validated(slot, wanted)
            }
            OperandKind::Bool(_) | OperandKind::Number(_) | OperandKind::Text { .. } => {
                self.constant(wanted, operand)
            }
        }
    }

    fn constant(&self, wanted: Type, operand: &Operand) -> Run<Value> {
        if let OperandKind::Number(number) = &operand.kind
            && let Some(value) = typed(wanted, number)
        {
            return Ok(value);
        }
        match (wanted, &operand.kind) {
            (Type::Any | Type::Bool, OperandKind::Bool(value)) => Ok(Value::Bool(*value)),
            (Type::Any | Type::Text, OperandKind::Text { text, .. }) => Ok(Value::Text(text.clone())),
            (Type::Any, OperandKind::Number(number)) => self.ideal(number),
            (Type::Bool, _) => self.fail(format!("expected bool; found {}", operand.printed())),
            (Type::Text, _) => self.fail(format!("expected string; found {}", operand.printed())),
            (Type::Int, _) => self.fail(format!("expected integer; found {}", operand.printed())),
            (Type::Uint, _) => self.fail(format!("expected unsigned integer; found {}", operand.printed())),
            (Type::Float, _) => self.fail(format!("expected float; found {}", operand.printed())),
            (other, _) => {
                self.fail(format!("can't handle {} for arg of type {}", operand.printed(), other.name()))
            }
        }
    }

    fn validated(&self, slot: Slot, wanted: Type) -> Run<Value> {
        if wanted == Type::Any || wanted.accepts(&slot.value) {
            return Ok(slot.value);
        }
        match (&slot.value, slot.boxed) {
            (Value::Nil, false) if wanted.can_be_nil() => Ok(wanted.zero()),
            (Value::Nil, false) => self.fail(format!("invalid value; expected {}", wanted.name())),
            (Value::Nil, true) => {
                self.fail(format!("wrong type for value; expected {}; got interface {{}}", wanted.name()))
            }
            (value, _) => self.fail(format!(
                "wrong type for value; expected {}; got {}",
                wanted.name(),
                value.type_name(self.machine.v3())
            )),
        }
    }
}

/// A constant as a typed parameter takes it, if it fits.
fn typed(wanted: Type, number: &Number) -> Option<Value> {
    match wanted {
        Type::Int => number.integer.map(Value::Int),
        Type::Uint => number.unsigned.map(Value::Uint64),
        Type::Float => number.float.map(Value::Float),
        _ => None,
    }
}
