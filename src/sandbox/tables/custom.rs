//! Rows of custom resources: the columns that their definition names by JSON paths.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::object::Fields;
use super::{Column, age};

/// A column of a CustomResourceDefinition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct CustomColumn {
    column: Column,
    path: String,
}

impl CustomColumn {
    /// The columns of one version of a definition.
    pub(in super::super) fn of(version: &Value) -> Vec<CustomColumn> {
        version
            .items("/additionalPrinterColumns")
            .iter()
            .map(|column| CustomColumn {
                column: Column {
                    name: column.text("/name").to_owned(),
                    kind: column.text("/type").to_owned(),
                    format: column.text("/format").to_owned(),
                    description: column.text("/description").to_owned(),
                    priority: column.number("/priority").unwrap_or_default(),
                },
                path: column.text("/jsonPath").to_owned(),
            })
            .collect()
    }
}

pub(super) fn columns(custom: &[CustomColumn]) -> Vec<Column> {
    let mut columns = vec![Column::parse("Name")];
    columns.extend(custom.iter().map(|one| one.column.clone()));
    if custom.is_empty() {
        columns.push(Column { kind: "date".to_owned(), ..Column::parse("Age") });
    }
    columns
}

pub(super) fn cells(custom: &[CustomColumn], object: &Value, now: Timestamp) -> Vec<Value> {
    let mut cells = vec![json!(object.name())];
    cells.extend(custom.iter().map(|one| cell(&one.column.kind, find(object, &one.path), now)));
    if custom.is_empty() {
        cells.push(json!(age(object.text("/metadata/creationTimestamp"), now)));
    }
    cells
}

fn cell(kind: &str, value: Option<&Value>, now: Timestamp) -> Value {
    match (kind, value) {
        (_, None | Some(Value::Null)) => Value::Null,
        ("string", Some(Value::String(text))) => json!(text),
        ("string", Some(other)) => json!(other.to_string()),
        ("date", Some(Value::String(text))) => match text.parse::<Timestamp>() {
            Ok(_) => json!(age(text, now)),
            Err(_) => json!("<invalid>"),
        },
        ("integer", Some(Value::Number(number))) => {
            json!(number.as_i64().or_else(|| number.as_f64().map(whole)))
        }
        ("number", Some(value @ Value::Number(_))) | ("boolean", Some(value @ Value::Bool(_))) => {
            value.clone()
        }
        _ => Value::Null,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "that is how the API server makes it an integer")]
fn whole(number: f64) -> i64 {
    number as i64
}

/// The simple JSON paths that definitions may use: `.spec.x`, `.status.conditions[?(@.type=="Ready")].status`, `[0]`.
fn find<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    let mut at = object;
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let (inside, after) = after.split_once(']')?;
            at = match inside.strip_prefix("?(") {
                Some(filter) => filtered(at, filter.strip_suffix(')')?)?,
                None => match inside.trim_matches(['\'', '"']) {
                    name if name != inside => at.get(name)?,
                    index => at.get(index.parse::<usize>().ok()?)?,
                },
            };
            rest = after;
        } else {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = name_end(rest);
            let name = rest.get(..end)?.replace("\\.", ".");
            rest = rest.get(end..)?;
            at = if name.is_empty() { at } else { at.get(&name)? };
        }
    }
    Some(at)
}

/// Where a name ends: at a dot that is not escaped, or at a bracket.
fn name_end(text: &str) -> usize {
    let mut escaped = false;
    for (index, letter) in text.char_indices() {
        match letter {
            '\\' => escaped = true,
            '.' | '[' if !escaped => return index,
            _ => escaped = false,
        }
    }
    text.len()
}

fn filtered<'a>(list: &'a Value, filter: &str) -> Option<&'a Value> {
    let (path, wanted) = filter.strip_prefix('@')?.split_once("==")?;
    let wanted = wanted.trim().trim_matches(['\'', '"']);
    list.as_array()?.iter().find(|item| match find(item, path.trim()) {
        Some(Value::String(text)) => text == wanted,
        Some(other) => {
            let text = other.to_string();
            text == wanted
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let object = json!({"spec": {"size": 3, "a.b": "x", "list": [{"n": 1}, {"n": 2}]},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        for (path, expected) in [
            (".spec.size", Some(json!(3))),
            (".spec.a\\.b", Some(json!("x"))),
            (".spec.list[1].n", Some(json!(2))),
            (".status.conditions[?(@.type==\"Ready\")].status", Some(json!("True"))),
            (".status.conditions[?(@.type=='Other')].status", None),
            (".spec.none", None),
            ("[", None),
        ] {
            assert_eq!(find(&object, path).cloned(), expected, "{path}");
        }
    }
}
