//! Helm's own functions: including templates, failing, looking up.

use std::rc::Rc;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::{Function, Outcome, Type, text, value};
use crate::failure::Failure;
use crate::lookup::Lookup;
use crate::template::machine::{Machine, Scope};
use crate::value::{Map, Text, Value, convert};
use crate::yaml::Build as _;

use Type::{Any, Text as Str};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("include", &[Str, Any], include),
    Function::new("tpl", &[Str, Any], tpl),
    Function::new("required", &[Str, Any], |_, a| match value(a, 1) {
        Value::Nil => Err(marked(&text(a, 0))),
        Value::Text(given) if given.is_empty() => Err(marked(&text(a, 0))),
        given => Ok(given),
    }),
    Function::new("fail", &[Str], |_, a| Err(marked(&text(a, 0)))),
    Function::new("lookup", &[Str, Str, Str, Str], lookup),
    Function::new("getHostByName", &[Str], |_, _| Ok(Value::text(""))),
];

/// The marks around a message that Helm later shows alone.
pub(crate) const MARKS: (&str, &str) = ("HELM_ERR_START", "HELM_ERR_END");

fn marked(message: &Text) -> Failure {
    Failure::new(format!("{}{}{}", MARKS.0, message.lossy(), MARKS.1))
}

fn include(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    machine.include(&text(arguments, 0), value(arguments, 1)).map(Value::Text)
}

/// Cuts what Go prints for missing values.
pub(crate) fn without_no_value(out: Vec<u8>) -> Vec<u8> {
    // Made once: for the few bytes of most templates that is more work than the search.
    static MARK: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"<no value>"));
    if MARK.find(&out).is_none() {
        return out;
    }
    super::strings::replace_all(&out, MARK.needle(), b"")
}

fn tpl(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let (source, data) = (text(arguments, 0), value(arguments, 1));
    if memchr::memmem::find(&source, b"{{").is_none() {
        machine.charge_bytes(source.len())?;
        return Ok(Value::text(without_no_value(source.to_vec())));
    }
    let quoted = || convert::quote(&source);
    machine.charge(source.len() as u64 / 8)?;
    let parsed = machine
        .parse_tpl(&source)
        .map_err(|inner| inner.wrapped(&format!("cannot parse template {}", quoted())))?;
    let outer = Rc::clone(&machine.scope);
    if parsed.templates.len() > 1 || outer.find(b"gotpl").is_some() {
        let mut scope = Scope { parent: Some(Rc::clone(&outer)), names: foldhash::HashMap::default() };
        for template in &parsed.templates {
            scope.add(template);
        }
        machine.scope = Rc::new(scope);
    }
    let mut out = Vec::new();
    if let Some(main) = parsed.templates.iter().find(|template| template.name.bytes() == b"gotpl") {
        machine.execute(main, data, &mut out).map_err(|inner| {
            inner.wrapped(&format!("error during tpl function execution for {}", quoted()))
        })?;
    }
    machine.scope = outer;
    Ok(Value::text(without_no_value(out)))
}

fn lookup(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    machine.memo.note_draw();
    let part = |index: usize| text(arguments, index).lossy().into_owned();
    let question = Lookup { api_version: part(0), kind: part(1), namespace: part(2), name: part(3) };
    if let Some(answer) = machine.lookups.answers.get(&question) {
        machine.deterministic = false;
        let answer = from_json(answer);
        machine.charge_bytes(answer.whole_bytes())?;
        return Ok(answer);
    }
    machine.charge(machine.lookups_missing.len() as u64 / 4)?;
    if !machine.lookups.offline && !machine.lookups_missing.contains(&question) {
        machine.charge_bytes(size_of::<Lookup>() + 128)?;
        machine.lookups_missing.push(question);
    }
    Ok(Value::Map(Map::new()))
}

/// A JSON object of the cluster as unstructured content: whole numbers are int64.
fn from_json(json: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::null(),
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int64(whole),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::text(text.as_str()),
        Json::Array(items) => Value::list(items.iter().map(from_json).collect()),
        Json::Object(map) => {
            Value::Map(Map::from_pairs(map.iter().map(|(key, value)| (key.as_str(), from_json(value)))))
        }
    }
}
