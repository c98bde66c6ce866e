//! Fields and methods along a chain of names, by Go's rules.

use super::{At, Frame, Run, Slot};
use crate::capabilities::is_capabilities;
use crate::functions;
use crate::template::node::Operand;
use crate::value::{Object, Text, Value};

impl<'t> Frame<'t, '_, '_> {
    pub(super) fn fields(
        &mut self,
        dot: &Slot,
        receiver: Slot,
        names: &'t [Text],
        node: &'t Operand,
        arguments: &'t [Operand],
        last: Option<Slot>,
    ) -> Run<Slot> {
        let Some((final_name, path)) = names.split_last() else {
            return Ok(receiver);
        };
        let mut reached: Option<Slot> = None;
        for name in path {
            let next = self.field(dot, name, node, &[], None, reached.as_ref().unwrap_or(&receiver));
            reached = Some(next.map_err(|failure| Self::lacking_field(failure, &receiver, names, node))?);
        }
        let holder = reached.as_ref().unwrap_or(&receiver);
        let slot = self
            .field(dot, final_name, node, arguments, last, holder)
            .map_err(|failure| Self::lacking_field(failure, &receiver, names, node))?;
        if let Value::Object(_) = &slot.value {
            self.machine.seen.note_escape(&slot.value);
        }
        Ok(slot)
    }

    fn field(
        &mut self,
        dot: &Slot,
        name: &'t Text,
        node: &'t Operand,
        arguments: &'t [Operand],
        last: Option<Slot>,
        receiver: &Slot,
    ) -> Run<Slot> {
        let with_arguments = !arguments.is_empty() || last.is_some();
        match &receiver.value {
            Value::Nil if receiver.boxed => {
                self.fail(format!("nil pointer evaluating interface {{}}.{}", name.lossy()))
            }
            Value::Nil => Ok(Slot::plain(Value::Nil)),
            Value::Map(map) => {
                if map.kind() == crate::value::MapKind::Values
                    && let Some(method) = functions::values_method(name)
                {
                    return self.call(
                        dot,
                        method,
                        Some(receiver.value.clone()),
                        At::Operand(node),
                        arguments,
                        last,
                    );
                }
                if with_arguments {
                    return self.fail(format!("{} is not a method but has arguments", name.lossy()));
                }
                if let Some(reads) = &mut self.machine.reads {
                    reads.read(map, name);
                }
                Ok(Slot { value: map.get(name).unwrap_or(Value::Nil), boxed: true })
            }
            Value::TextMap(pairs) => {
                if with_arguments {
                    return self.fail(format!("{} is not a method but has arguments", name.lossy()));
                }
                let found = pairs.iter().find(|(key, _)| key == name).map(|(_, text)| text.clone());
                Ok(Slot::plain(Value::Text(found.unwrap_or_else(|| Text::from("")))))
            }
            Value::Object(object) => {
                if let Some(method) = functions::method(object, name) {
                    let value = receiver.value.clone();
                    return self.call(dot, method, Some(value), At::Operand(node), arguments, last);
                }
                match &**object {
                    Object::Record(record) => {
                        if is_capabilities(record) {
                            self.machine.seen.note_field(name);
                        }
                        if let Some(value) = record.field(name) {
                            if with_arguments {
                                return self.fail(format!(
                                    "{} has arguments but cannot be invoked as function",
                                    name.lossy()
                                ));
                            }
                            return Ok(Slot::plain(value));
                        }
                        self.no_field(name, receiver)
                    }
                    Object::Files(files) => {
                        let found = files.iter().find(|(path, _)| path == name);
                        let bytes = found.map_or_else(|| Text::from(""), |(_, bytes)| bytes.clone());
                        Ok(Slot::plain(Value::Bytes(bytes)))
                    }
                    _ => self.no_field(name, receiver),
                }
            }
            _ => self.no_field(name, receiver),
        }
    }

    fn no_field(&self, name: &Text, receiver: &Slot) -> Run<Slot> {
        let kind = if receiver.boxed { "interface {}" } else { receiver.value.type_name(self.machine.v3()) };
        self.fail(format!("can't evaluate field {} in type {kind}", name.lossy()))
    }
}
