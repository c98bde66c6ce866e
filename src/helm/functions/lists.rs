//! Functions on lists and on emptiness. Lists are never changed in place.

use super::{Function, Outcome, Type, int, strval, text, value};
use crate::failure::{Failure, Limit};
use crate::template::machine::Machine;
use crate::value::{Text, Value};

use Type::{Any, Bool, Int, Text as Str};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::variadic("list", &[Any], |_, a| Ok(Value::list(a.to_vec()))),
    Function::variadic("tuple", &[Any], |_, a| Ok(Value::list(a.to_vec()))),
    Function::new("first", &[Any], |m, a| end_of(m, a, "first", <[Value]>::first)),
    Function::new("mustFirst", &[Any], |m, a| end_of(m, a, "first", <[Value]>::first)),
    Function::new("last", &[Any], |m, a| end_of(m, a, "last", <[Value]>::last)),
    Function::new("mustLast", &[Any], |m, a| end_of(m, a, "last", <[Value]>::last)),
    Function::new("rest", &[Any], |m, a| part(m, a, "rest", |items| items.get(1..))),
    Function::new("mustRest", &[Any], |m, a| part(m, a, "rest", |items| items.get(1..))),
    Function::new("initial", &[Any], |m, a| {
        part(m, a, "initial", |items| items.split_last().map(|(_, rest)| rest))
    }),
    Function::new("mustInitial", &[Any], |m, a| {
        part(m, a, "initial", |items| items.split_last().map(|(_, rest)| rest))
    }),
    Function::new("append", &[Any, Any], append),
    Function::new("mustAppend", &[Any, Any], append),
    Function::new("push", &[Any, Any], append),
    Function::new("mustPush", &[Any, Any], append),
    Function::new("prepend", &[Any, Any], prepend),
    Function::new("mustPrepend", &[Any, Any], prepend),
    Function::variadic("concat", &[Any], concat),
    Function::new("reverse", &[Any], reverse),
    Function::new("mustReverse", &[Any], reverse),
    Function::new("uniq", &[Any], uniq),
    Function::new("mustUniq", &[Any], uniq),
    Function::variadic("without", &[Any, Any], without),
    Function::variadic("mustWithout", &[Any, Any], without),
    Function::new("has", &[Any, Any], has),
    Function::new("mustHas", &[Any, Any], has),
    Function::new("compact", &[Any], compact),
    Function::new("mustCompact", &[Any], compact),
    Function::variadic("slice", &[Any, Any], slice),
    Function::variadic("mustSlice", &[Any, Any], slice),
    Function::new("chunk", &[Int, Any], chunk),
    Function::new("mustChunk", &[Int, Any], chunk),
    Function::new("join", &[Str, Any], |machine, a| {
        let texts = texts(&value(a, 1), machine.v3());
        let joined = texts.iter().map(Text::bytes).collect::<Vec<_>>().join(text(a, 0).bytes());
        machine.charge_bytes(joined.len())?;
        Ok(Value::text(joined))
    }),
    Function::new("sortAlpha", &[Any], |machine, a| {
        let list = value(a, 0);
        if list.items().is_none() {
            return Ok(Value::texts(vec![strval(&list, machine.v3())]));
        }
        let mut texts = texts(&list, machine.v3());
        texts.sort();
        Ok(Value::texts(texts))
    }),
    Function::new("toStrings", &[Any], |machine, a| Ok(Value::texts(texts(&value(a, 0), machine.v3())))),
    Function::new("split", &[Str, Str], |_, a| Ok(numbered(split(&text(a, 1), &text(a, 0), usize::MAX)))),
    Function::new("splitn", &[Str, Int, Str], |_, a| {
        let count = int(a, 1);
        if count == 0 {
            return Ok(numbered(Vec::new()));
        }
        Ok(numbered(split(&text(a, 2), &text(a, 0), usize::try_from(count).unwrap_or(usize::MAX))))
    }),
    Function::new("splitList", &[Str, Str], |_, a| {
        Ok(Value::texts(split(&text(a, 1), &text(a, 0), usize::MAX)))
    }),
    Function::variadic("default", &[Any, Any], |_, a| {
        let given = a.get(1).filter(|given| !is_empty(given)).cloned();
        Ok(given.unwrap_or_else(|| value(a, 0)))
    }),
    Function::new("empty", &[Any], |_, a| Ok(Value::Bool(is_empty(&value(a, 0))))),
    Function::variadic("coalesce", &[Any], |_, a| {
        Ok(a.iter().find(|value| !is_empty(value)).cloned().unwrap_or(Value::Nil))
    }),
    Function::variadic("all", &[Any], |_, a| Ok(Value::Bool(a.iter().all(|value| !is_empty(value))))),
    Function::variadic("any", &[Any], |_, a| Ok(Value::Bool(a.iter().any(|value| !is_empty(value))))),
    Function::new("ternary", &[Any, Any, Bool], |_, a| {
        Ok(value(a, usize::from(!matches!(a.get(2), Some(Value::Bool(true))))))
    }),
    Function::new("until", &[Int], |_, a| count_up(0, int(a, 0), if int(a, 0) < 0 { -1 } else { 1 })),
    Function::new("untilStep", &[Int, Int, Int], |_, a| count_up(int(a, 0), int(a, 1), int(a, 2))),
];

/// sprig's emptiness: the zero value; structs are never empty.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(object) if object.kind_name() == "struct" => false,
        other => !other.truth(),
    }
}

/// sprig's `strslice`: strings of a list without nils, or of one value.
pub(super) fn texts(value: &Value, compat_v3: bool) -> Vec<Text> {
    match value {
        Value::Nil => Vec::new(),
        Value::Texts(texts) => texts.to_vec(),
        other => match other.items() {
            Some(items) => items
                .iter()
                .filter(|item| !matches!(item, Value::Nil))
                .map(|item| strval(item, compat_v3))
                .collect(),
            None => vec![strval(other, compat_v3)],
        },
    }
}

/// What Go says of a nil that a function looks into.
const NIL_POINTER: &str = "runtime error: invalid memory address or nil pointer dereference";

/// The items of a list, and the work of going through them.
fn items(machine: &mut Machine<'_>, value: &Value, message: &str) -> Result<Vec<Value>, Failure> {
    if let Value::Nil = value {
        return Err(NIL_POINTER.into());
    }
    let Some(items) = value.items() else {
        let kind = match value {
            Value::Object(object) => object.kind_name(),
            other => other.kind_name(),
        };
        return Err(Failure::new(format!("{message} {kind}")));
    };
    machine.charge(items.len() as u64 / 8)?;
    Ok(items)
}

fn end_of(
    machine: &mut Machine<'_>,
    arguments: &[Value],
    name: &str,
    pick: fn(&[Value]) -> Option<&Value>,
) -> Outcome {
    let items = items(machine, &value(arguments, 0), &format!("Cannot find {name} on type"))?;
    Ok(pick(&items).cloned().unwrap_or(Value::Nil))
}

fn part(
    machine: &mut Machine<'_>,
    arguments: &[Value],
    name: &str,
    pick: fn(&[Value]) -> Option<&[Value]>,
) -> Outcome {
    let items = items(machine, &value(arguments, 0), &format!("Cannot find {name} on type"))?;
    machine.charge(items.len() as u64 / 8)?;
    if items.is_empty() {
        return Ok(Value::nil_slice("[]interface {}"));
    }
    Ok(Value::list(pick(&items).unwrap_or(&[]).to_vec()))
}

fn append(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let mut items = items(machine, &value(arguments, 0), "Cannot push on type")?;
    machine.charge_bytes(items.len())?;
    items.push(value(arguments, 1));
    Ok(Value::list(items))
}

fn prepend(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let items = items(machine, &value(arguments, 0), "Cannot prepend on type")?;
    machine.charge_bytes(items.len())?;
    let mut all = Vec::with_capacity(items.len() + 1);
    all.push(value(arguments, 1));
    all.extend(items);
    Ok(Value::list(all))
}

fn concat(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let mut all = Vec::new();
    for list in arguments {
        match list.items() {
            Some(items) => {
                machine.charge(items.len() as u64)?;
                all.extend(items);
            }
            None if matches!(list, Value::Nil) => {
                return Err(NIL_POINTER.into());
            }
            None => {
                return Err(Failure::new(format!("Cannot concat type {} as list", list.kind_name())));
            }
        }
    }
    machine.charge_bytes(all.len() * 8)?;
    if all.is_empty() {
        return Ok(Value::nil_slice("[]interface {}"));
    }
    Ok(Value::list(all))
}

fn reverse(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let mut items = items(machine, &value(arguments, 0), "Cannot find reverse on type")?;
    items.reverse();
    Ok(Value::list(items))
}

/// Go's `reflect.DeepEqual`, and its work.
pub(super) fn equal(machine: &mut Machine<'_>, left: &Value, right: &Value) -> Result<bool, Failure> {
    let (equal, parts) = left.compared(right);
    machine.charge(parts as u64 / 8)?;
    Ok(equal)
}

fn contains(machine: &mut Machine<'_>, items: &[Value], wanted: &Value) -> Result<bool, Failure> {
    for item in items {
        if equal(machine, item, wanted)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn uniq(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let items = items(machine, &value(arguments, 0), "Cannot find uniq on type")?;
    let mut kept: Vec<Value> = Vec::new();
    for item in items {
        machine.charge(kept.len() as u64 / 4)?;
        if !contains(machine, &kept, &item)? {
            kept.push(item);
        }
    }
    Ok(Value::list(kept))
}

fn without(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let items = items(machine, &value(arguments, 0), "Cannot find without on type")?;
    let omitted = arguments.get(1..).unwrap_or(&[]);
    let mut kept = Vec::new();
    for item in items {
        if !contains(machine, omitted, &item)? {
            kept.push(item);
        }
    }
    Ok(Value::list(kept))
}

fn has(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let list = value(arguments, 1);
    if matches!(list, Value::Nil) {
        return Ok(Value::Bool(false));
    }
    let items = items(machine, &list, "Cannot find has on type")?;
    Ok(Value::Bool(contains(machine, &items, &value(arguments, 0))?))
}

fn compact(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let mut items = items(machine, &value(arguments, 0), "Cannot compact on type")?;
    items.retain(|item| !is_empty(item));
    Ok(Value::list(items))
}

fn slice(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let list = value(arguments, 0);
    let items = items(machine, &list, "list should be type of slice or array but")?;
    let length = items.len();
    if length == 0 {
        return Ok(Value::Nil);
    }
    let bound =
        |index: usize, otherwise: i64| arguments.get(index).map_or(otherwise, super::numbers::to_int64);
    let end = i64::try_from(length).unwrap_or(i64::MAX);
    let (from, to) = (bound(1, 0), bound(2, end));
    let cut = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    let Some((from, to)) = cut.filter(|(from, to)| from <= to && *to <= length) else {
        return Err("reflect.Value.Slice: slice index out of bounds".into());
    };
    Ok(match &list {
        Value::Texts(texts) => Value::texts(texts.get(from..to).unwrap_or(&[]).to_vec()),
        Value::Ints(numbers) => Value::Ints(std::rc::Rc::new(numbers.get(from..to).unwrap_or(&[]).to_vec())),
        _ => Value::list(items.get(from..to).unwrap_or(&[]).to_vec()),
    })
}

fn chunk(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let items = items(machine, &value(arguments, 1), "Cannot chunk type")?;
    let size = int(arguments, 0);
    let Some(size) = usize::try_from(size).ok().filter(|size| *size > 0) else {
        return Err("runtime error: makeslice: len out of range".into());
    };
    let chunks = items.chunks(size).map(|chunk| Value::list(chunk.to_vec())).collect();
    let chunks = Value::lists(chunks);
    machine.charge_bytes(chunks.whole_bytes())?;
    Ok(chunks)
}

/// Go's `strings.SplitN`; an empty separator splits into runes.
pub(super) fn split(text: &[u8], separator: &[u8], most: usize) -> Vec<Text> {
    let mut parts = Vec::new();
    let mut from = 0;
    if separator.is_empty() {
        while from < text.len() {
            if parts.len() + 1 == most {
                parts.push(Text::from(text.get(from..).unwrap_or(&[])));
                return parts;
            }
            let (_, width) = super::strings::decode_rune(text.get(from..).unwrap_or(&[]));
            parts.push(Text::from(text.get(from..from + width).unwrap_or(&[])));
            from += width;
        }
        return parts;
    }
    for found in memchr::memmem::find_iter(text, separator) {
        if parts.len() + 1 >= most {
            break;
        }
        parts.push(Text::from(text.get(from..found).unwrap_or(&[])));
        from = found + separator.len();
    }
    parts.push(Text::from(text.get(from..).unwrap_or(&[])));
    parts
}

/// Parts under the keys `_0`, `_1` and so on.
fn numbered(parts: Vec<Text>) -> Value {
    let mut pairs: Vec<(Text, Text)> =
        parts.into_iter().enumerate().map(|(index, part)| (Text::from(format!("_{index}")), part)).collect();
    pairs.sort();
    Value::TextMap(std::rc::Rc::new(pairs))
}

fn count_up(start: i64, stop: i64, step: i64) -> Outcome {
    const MOST: usize = 5_000_000;
    let mut numbers = Vec::new();
    let mut number = start;
    let down = stop < start;
    if (down && step >= 0) || (!down && step <= 0) {
        return Ok(Value::Ints(std::rc::Rc::new(numbers)));
    }
    while if down { number > stop } else { number < stop } {
        if numbers.len() >= MOST {
            return Err(Failure::limit(Limit::Size, format!("more than {MOST} numbers")));
        }
        numbers.push(number);
        number = number.wrapping_add(step);
    }
    Ok(Value::Ints(std::rc::Rc::new(numbers)))
}
