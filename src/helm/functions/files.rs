//! Methods of `.Files` and of `.Capabilities.APIVersions`.

#![expect(clippy::unnecessary_wraps, reason = "every function of the tables has one signature")]

use std::rc::Rc;

use super::glob::Glob;
use super::{Function, Outcome, Type, text, value};
use crate::Compat;
use crate::template::machine::Machine;
use crate::value::object::FileTable;
use crate::value::{Map, Object, Text, Value};

use Type::Text as Str;

pub(super) const METHODS: &[Function] = &[
    Function::new("Get", &[Str], |_, a| Ok(Value::Text(file(a).unwrap_or_else(|| Text::from(""))))),
    Function::new("GetBytes", &[Str], |_, a| Ok(Value::Bytes(file(a).unwrap_or_else(|| Text::from(""))))),
    Function::new("Glob", &[Str], find),
    Function::new("AsConfig", &[], |_, a| Ok(as_map(a, |bytes| Value::Text(bytes.clone())))),
    Function::new("AsSecrets", &[], |_, a| {
        Ok(as_map(a, |bytes| Value::text(crate::value::convert::base64_standard(bytes))))
    }),
    Function::new("Lines", &[Str], lines),
];

/// Methods of `.Capabilities.APIVersions`.
pub(super) const VERSION_SET_METHODS: &[Function] = &[Function::new("Has", &[Str], |machine, a| {
    let wanted = text(a, 1);
    machine.seen.asked.insert(wanted.lossy().into_owned());
    let found = value(a, 0).items().unwrap_or_default().iter().any(|item| item.as_text() == Some(&wanted));
    Ok(Value::Bool(found))
})];

/// Methods of records that print as text.
pub(super) const SHOWN_METHODS: &[Function] = &[Function::new("String", &[], |_, a| {
    Ok(match value(a, 0) {
        Value::Object(object) => match &*object {
            Object::Record(record) => record.shown.clone().map_or(Value::Nil, Value::Text),
            _ => Value::Nil,
        },
        other => other,
    })
})];

fn table(arguments: &[Value]) -> FileTable {
    match arguments.first() {
        Some(Value::Object(object)) => match &**object {
            Object::Files(files) => FileTable::clone(files),
            _ => FileTable::from([]),
        },
        _ => FileTable::from([]),
    }
}

fn file(arguments: &[Value]) -> Option<Text> {
    let wanted = text(arguments, 1);
    table(arguments).iter().find(|(path, _)| *path == wanted).map(|(_, bytes)| bytes.clone())
}

fn find(_: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let glob = Glob::compile(&text(arguments, 1)).unwrap_or_else(Glob::everything);
    let found: Vec<(Text, Text)> =
        table(arguments).iter().filter(|(path, _)| glob.matches(path)).cloned().collect();
    Ok(Value::object(Object::Files(found.into())))
}

fn as_map(arguments: &[Value], content: fn(&Text) -> Value) -> Value {
    let files = table(arguments);
    let map = Map::from_pairs(files.iter().map(|(path, bytes)| (super::paths::base(path), content(bytes))));
    Value::text(super::encoding::yaml_text(&Value::Map(map)))
}

fn lines(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let Some(content) = file(arguments) else {
        return Ok(Value::Texts(Rc::new(Vec::new())));
    };
    if content.is_empty() {
        if machine.compat < Compat::V4_3 {
            return Err("runtime error: index out of range [-1]".into());
        }
        return Ok(Value::Texts(Rc::new(Vec::new())));
    }
    let body = content.strip_suffix(b"\n").unwrap_or(&content);
    Ok(Value::texts(body.split(|byte| *byte == b'\n').map(Text::from).collect()))
}
