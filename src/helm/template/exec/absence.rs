//! Which value was not there: looked up again, by the expression that asked for it, once that
//! matters. Evaluates nothing but fields and variables.

use super::{Frame, Slot};
use crate::failure::{Absence, Absent, Failure};
use crate::functions::Function;
use crate::template::node::{Command, Operand, OperandKind};
use crate::value::{Text, Value};

impl<'t> Frame<'t, '_, '_> {
    /// A failure on the way along fields, with the field that is not there.
    pub(super) fn lacking_field(failure: Failure, from: &Slot, names: &[Text], node: &Operand) -> Failure {
        failure.lacking(|| walk(&from.value, names, || node.printed()))
    }

    /// The value that a command lacks, if it only names one.
    pub(super) fn absent_command(&self, dot: &Slot, command: &Command) -> Option<Absent> {
        if command.rest.is_empty() { self.absent_operand(dot, &command.first) } else { None }
    }

    /// The value that an expression lacks, if it only names one.
    pub(super) fn absent_operand(&self, dot: &Slot, operand: &Operand) -> Option<Absent> {
        let (from, names) = match &operand.kind {
            OperandKind::Field(names) => (dot.clone(), names),
            OperandKind::Variable(name, names) => (self.variable(name).ok()?, names),
            OperandKind::Pipe(pipe) => {
                return self.absent_command(dot, pipe.only()?);
            }
            OperandKind::Chain(inner, names) => {
                let OperandKind::Pipe(pipe) = &inner.kind else {
                    return None;
                };
                let absent = self.absent_command(dot, pipe.only()?)?;
                let below = absent.below.iter().chain(names).cloned().collect();
                return Some(Absent { below, expression: operand.printed(), ..absent });
            }
            _ => return None,
        };
        walk(&from.value, names, || operand.printed())
    }

    /// The first argument of a function that is not there.
    pub(super) fn absent_argument(
        &self,
        dot: &Slot,
        function: &Function,
        values: &[Value],
        arguments: &'t [Operand],
    ) -> Option<Absent> {
        if function.name == "index"
            && let (Some(map), Some(first)) = (values.first(), arguments.first())
        {
            let keys: Vec<Text> = values.iter().skip(1).map_while(|key| key.as_text().cloned()).collect();
            let shown = || {
                let keys = keys.iter().map(|key| format!(".{}", key.lossy())).collect::<String>();
                format!("{}{keys}", first.printed())
            };
            if let Some(absent) = walk(map, &keys, shown) {
                return Some(absent);
            }
        }
        let mut nothing = arguments.iter().zip(values).filter(|(_, value)| is_nothing(value));
        nothing.find_map(|(operand, _)| self.absent_operand(dot, operand))
    }
}

/// Whether a value is none, or an empty text.
pub(super) fn is_nothing(value: &Value) -> bool {
    matches!(value, Value::Nil) || value.as_text().is_some_and(|text| text.is_empty())
}

/// Goes along keys to the first one that is not there.
fn walk(from: &Value, names: &[Text], shown: impl Fn() -> String) -> Option<Absent> {
    let mut current = from.clone();
    for (index, name) in names.iter().enumerate() {
        let Value::Map(map) = &current else {
            return None;
        };
        let lacks = |absence: Absence| {
            let below = names.get(index + 1..).unwrap_or(&[]).to_vec();
            Some(Absent { expression: shown(), absence, holder: map.clone(), key: name.clone(), below })
        };
        match map.get(name) {
            None => return lacks(Absence::Unset),
            Some(Value::Nil) => return lacks(Absence::Null),
            Some(Value::Text(text)) if text.is_empty() => return lacks(Absence::Empty),
            Some(next) => current = next,
        }
    }
    None
}
