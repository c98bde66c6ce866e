//! Functions on maps and on types. `set`, `unset` and the merges write in place, seen by all
//! aliases, as in Go.

#![expect(clippy::unnecessary_wraps, reason = "every function of the tables has one signature")]

use super::{Function, Outcome, Type, text, value};
use crate::failure::{Failure, Limit};
use crate::template::machine::Machine;
use crate::value::{ENTRY, Map, MapKind, Text, Value};

use Type::{Any, Dict, Text as Str};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::variadic("dict", &[Any], dict),
    Function::new("get", &[Dict, Str], |_, a| {
        Ok(map(a, 0).get(&text(a, 1)).unwrap_or_else(|| Value::text("")))
    }),
    Function::new("set", &[Dict, Str, Any], |machine, a| {
        let map = map(a, 0);
        if map.kind() == MapKind::Nil {
            return Err("assignment to entry in nil map".into());
        }
        let stored = value(a, 2);
        note_knot(machine, &map, &stored)?;
        machine.memo.note_write(&map, OWN);
        store(machine, &map, text(a, 1), stored)?;
        Ok(plain(a, 0))
    }),
    Function::new("unset", &[Dict, Str], |machine, a| {
        let map = map(a, 0);
        machine.memo.note_write(&map, OWN);
        map.remove(&text(a, 1));
        Ok(plain(a, 0))
    }),
    Function::new("hasKey", &[Dict, Str], |_, a| Ok(Value::Bool(map(a, 0).contains(&text(a, 1))))),
    Function::variadic("pluck", &[Str, Dict], |_, a| {
        let key = text(a, 0);
        let found = (1..a.len()).filter_map(|index| map(a, index).get(&key)).collect();
        Ok(Value::list(found))
    }),
    Function::variadic("keys", &[Dict], |_, a| {
        let keys =
            (0..a.len()).flat_map(|index| map(a, index).entries()).map(|(key, _)| key).collect::<Vec<Text>>();
        Ok(Value::texts(keys))
    }),
    Function::new("values", &[Dict], |_, a| {
        Ok(Value::list(map(a, 0).entries().into_iter().map(|(_, value)| value).collect()))
    }),
    Function::variadic("pick", &[Dict, Str], |_, a| {
        let map = map(a, 0);
        let picked = (1..a.len()).filter_map(|index| {
            let key = text(a, index);
            map.get(&key).map(|value| (key, value))
        });
        Ok(Value::Map(Map::from_pairs(picked)))
    }),
    Function::variadic("omit", &[Dict, Str], |_, a| {
        let copy = map(a, 0).copied();
        for index in 1..a.len() {
            copy.remove(&text(a, index));
        }
        Ok(Value::Map(copy))
    }),
    Function::variadic("merge", &[Dict, Dict], |machine, a| merge_all(machine, a, false)),
    Function::variadic("mustMerge", &[Dict, Dict], |machine, a| merge_all(machine, a, false)),
    Function::variadic("mergeOverwrite", &[Dict, Dict], |machine, a| merge_all(machine, a, true)),
    Function::variadic("mustMergeOverwrite", &[Dict, Dict], |machine, a| merge_all(machine, a, true)),
    Function::new("deepCopy", &[Any], deep_copy),
    Function::new("mustDeepCopy", &[Any], deep_copy),
    Function::variadic("dig", &[Any], dig),
    Function::new("deepEqual", &[Any, Any], |machine, a| {
        Ok(Value::Bool(super::lists::equal(machine, &value(a, 0), &value(a, 1))?))
    }),
    Function::new("typeOf", &[Any], |machine, a| Ok(Value::text(type_of(machine, &value(a, 0))))),
    Function::new("typeIs", &[Str, Any], |machine, a| {
        Ok(Value::Bool(text(a, 0).bytes() == type_of(machine, &value(a, 1)).as_bytes()))
    }),
    Function::new("typeIsLike", &[Str, Any], |machine, a| {
        let (wanted, found) = (text(a, 0), type_of(machine, &value(a, 1)));
        Ok(Value::Bool(
            wanted.bytes() == found.as_bytes()
                || [b"*".as_slice(), wanted.bytes()].concat() == found.as_bytes(),
        ))
    }),
    Function::new("kindOf", &[Any], |_, a| Ok(Value::text(value(a, 0).kind_name()))),
    Function::new("kindIs", &[Str, Any], |_, a| {
        Ok(Value::Bool(text(a, 0).bytes() == value(a, 1).kind_name().as_bytes()))
    }),
];

/// Methods of Helm's values type.
pub(super) const VALUES_METHODS: &[Function] = &[
    Function::new("AsMap", &[], |_, a| Ok(plain(a, 0))),
    Function::new("Table", &[Str], |_, a| match at_path(&value(a, 0), &text(a, 1)) {
        Some(Value::Map(map)) => Ok(Value::Map(map.with_kind(MapKind::Values))),
        _ => Err(Failure::new(format!("{} is not a table", crate::value::convert::quote(&text(a, 1))))),
    }),
    Function::new("PathValue", &[Str], |_, a| match at_path(&value(a, 0), &text(a, 1)) {
        Some(value) if !matches!(value, Value::Map(_)) => Ok(value),
        _ => {
            let path = text(a, 1);
            let key =
                String::from_utf8_lossy(path.rsplit(|byte| *byte == b'.').next().unwrap_or(&[])).into_owned();
            Err(Failure::new(format!("{} is not a value", crate::value::convert::quote(key.as_bytes()))))
        }
    }),
    Function::new("YAML", &[], |_, a| Ok(Value::text(super::encoding::yaml_text(&value(a, 0))))),
];

fn at_path(value: &Value, path: &[u8]) -> Option<Value> {
    path.split(|byte| *byte == b'.').try_fold(value.clone(), |value, key| match value {
        Value::Map(map) => map.get(key),
        _ => None,
    })
}

/// The map argument at a place.
fn map(arguments: &[Value], index: usize) -> Map {
    match arguments.get(index) {
        Some(Value::Map(map)) => map.clone(),
        _ => Map::new(),
    }
}

/// The map argument under the plain map type, as a Go parameter of that type converts it.
fn plain(arguments: &[Value], index: usize) -> Value {
    match arguments.get(index) {
        Some(Value::Map(map)) if map.kind() != MapKind::Plain => Value::Map(map.with_kind(MapKind::Plain)),
        Some(value) => value.clone(),
        None => Value::Nil,
    }
}

fn type_of(machine: &Machine<'_>, value: &Value) -> &'static str {
    value.type_name(machine.v3())
}

/// The handles of a map that only the call itself knows: the argument and a copy, or its place in such a map and a copy.
const OWN: usize = 2;

/// Notes a map that gets a value in which it is itself: Go lets it, and collects it some day.
fn note_knot(machine: &mut Machine<'_>, map: &Map, stored: &Value) -> Result<(), Failure> {
    const MOST: usize = 1_000_000;
    let mut budget = MOST;
    match stored.contains_map(map, &mut budget) {
        Some(leads_back) => {
            if leads_back {
                machine.knots.note(map);
            }
            machine.charge((MOST - budget) as u64 / 16)
        }
        None => Err(Failure::limit(Limit::Size, format!("a value has more than {MOST} parts"))),
    }
}

/// Stores a value; a new key moves those behind it.
fn store(machine: &mut Machine<'_>, map: &Map, key: Text, value: Value) -> Result<(), Failure> {
    let before = map.len();
    map.insert(key, value);
    machine.charge(before as u64 / 64)?;
    machine.charge_bytes((map.len() - before) * ENTRY)
}

fn dict(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let pairs = arguments.chunks(2).map(|pair| {
        let key = super::strval(pair.first().unwrap_or(&Value::Nil), machine.compat == crate::Compat::V3_19);
        (key, pair.get(1).cloned().unwrap_or_else(|| Value::text("")))
    });
    Ok(Value::Map(Map::from_pairs(pairs)))
}

fn deep_copy(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let copied = value(arguments, 0);
    if matches!(copied, Value::Nil) {
        return Err("reflect: call of reflect.Value.Type on zero Value".into());
    }
    let copy = copied.deep_copy();
    machine.charge_bytes(copy.whole_bytes())?;
    Ok(copy)
}

fn dig(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let [keys @ .., otherwise, start] = arguments else {
        return Err("dig needs at least three arguments".into());
    };
    if keys.is_empty() {
        return Err("dig needs at least three arguments".into());
    }
    let conversion = |value: &Value, wanted: &str| {
        let found = match value {
            Value::Nil => "nil",
            other => other.type_name(machine.v3()),
        };
        Failure::new(format!("interface conversion: interface {{}} is {found}, not {wanted}"))
    };
    let mut current = match start {
        Value::Map(map) if map.kind() == MapKind::Plain => map.clone(),
        other => return Err(conversion(other, "map[string]interface {}")),
    };
    let mut names = Vec::with_capacity(keys.len());
    for key in keys {
        match key {
            Value::Text(text) => names.push(text),
            other => return Err(conversion(other, "string")),
        }
    }
    for (index, name) in names.iter().enumerate() {
        let Some(step) = current.get(name) else {
            return Ok(otherwise.clone());
        };
        if index + 1 == names.len() {
            return Ok(step);
        }
        current = match step {
            Value::Map(map) if map.kind() == MapKind::Plain => map,
            other => return Err(conversion(&other, "map[string]interface {}")),
        };
    }
    Ok(otherwise.clone())
}

fn merge_all(machine: &mut Machine<'_>, arguments: &[Value], overwrite: bool) -> Outcome {
    let target = map(arguments, 0);
    for index in 1..arguments.len() {
        merge_maps(machine, &target, &map(arguments, index), overwrite, 0)?;
    }
    Ok(plain(arguments, 0))
}

/// mergo's merge of maps: fills empty keys, or overwrites with what is not nil.
fn merge_maps(
    machine: &mut Machine<'_>,
    target: &Map,
    source: &Map,
    overwrite: bool,
    depth: usize,
) -> Result<(), Failure> {
    if target.same(source) || depth > 500 {
        return Ok(());
    }
    machine.memo.note_write(target, OWN);
    for (key, offered) in source.entries() {
        machine.charge(1)?;
        let present = target.get(&key);
        match (&present, &offered) {
            (_, Value::Nil) => {
                if overwrite {
                    target.insert(key, offered);
                }
            }
            (Some(Value::Map(below)), Value::Map(above)) => {
                merge_maps(machine, below, above, overwrite, depth + 1)?;
            }
            (None, _) => {
                note_knot(machine, target, &offered)?;
                store(machine, target, key, offered)?;
            }
            (Some(there), _) => {
                if overwrite || super::lists::is_empty(there) {
                    note_knot(machine, target, &offered)?;
                    store(machine, target, key, offered)?;
                }
            }
        }
    }
    Ok(())
}
