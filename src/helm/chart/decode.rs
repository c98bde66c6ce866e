//! Typed fields out of JSON with the complaints of Go's decoder, which Helm 3 and Helm 4 word
//! differently. Pure functions.

use serde_json::Value as Json;

use crate::value::convert;
use crate::value::printable::is_printable;

/// A value of a wrong type, in the words of both Helms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    pub(crate) v4: String,
    pub(crate) v3: String,
}

const PREFIX: &str = "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal";

impl Misfit {
    /// A whole document of a wrong type.
    pub(crate) fn document(found: &Json, v4: &str, v3: &str) -> Self {
        let found = json_type(found);
        Self {
            v4: format!("{PREFIX} {found} into Go value of type {v4}"),
            v3: format!("{PREFIX} {found} into Go value of type {v3}"),
        }
    }
}

/// Where a value stands: the whole path for Helm 4, struct and field names for Helm 3.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    owner: &'static str,
    v4: String,
    v3: String,
    item: bool,
}

impl Spot {
    /// The top of a document that becomes a struct.
    pub(crate) fn top(owner: &'static str) -> Self {
        Self { owner, v4: String::new(), v3: String::new(), item: false }
    }

    /// A field of the struct here.
    pub(crate) fn field(&self, name: &str) -> Self {
        let v3 = if self.v3.is_empty() { name.to_owned() } else { format!("{}.{name}", self.v3) };
        Self { owner: self.owner, v4: format!("{}.{name}", self.v4), v3, item: false }
    }

    /// A key of the map here; its name is escaped as in JSON pointers.
    pub(crate) fn key(&self, key: &str) -> Self {
        let escaped = key.replace('~', "~0").replace('/', "~1");
        Self { v4: format!("{}.{escaped}", self.v4), ..self.clone() }
    }

    /// An item of the list here.
    pub(crate) fn item(&self, index: usize) -> Self {
        Self { v4: format!("{}.{index}", self.v4), item: true, ..self.clone() }
    }

    /// The same place, seen as a struct of its own.
    pub(crate) fn owned_by(&self, owner: &'static str) -> Self {
        Self { owner, ..self.clone() }
    }

    /// The complaint about what is here.
    pub(crate) fn misfit(&self, found: &Json, v4: &str, v3: &str) -> Misfit {
        let found = json_type(found);
        let place = if self.item { "" } else { "Go struct field " };
        Misfit {
            v4: format!("{PREFIX} {found} into {place}{} of type {v4}", self.v4),
            v3: format!("{PREFIX} {found} into Go struct field {}.{} of type {v3}", self.owner, self.v3),
        }
    }
}

/// A string; Helm's YAML reader has made text of numbers and booleans.
pub(crate) fn text(json: &Json, spot: &Spot, field: &str) -> Result<String, Misfit> {
    match lookup(json, field) {
        None | Some(Json::Null) => Ok(String::new()),
        Some(other) => scalar_text(other).ok_or_else(|| spot.field(field).misfit(other, "string", "string")),
    }
}

/// A list of strings.
pub(crate) fn texts(json: &Json, spot: &Spot, field: &str) -> Result<Vec<String>, Misfit> {
    let spot = || spot.field(field);
    match lookup(json, field) {
        None | Some(Json::Null) => Ok(Vec::new()),
        Some(Json::Array(items)) => items
            .iter()
            .enumerate()
            .map(|(index, item)| match item {
                Json::Null => Ok(String::new()),
                other => {
                    scalar_text(other).ok_or_else(|| spot().item(index).misfit(other, "string", "string"))
                }
            })
            .collect(),
        Some(other) => Err(spot().misfit(other, "[]string", "[]string")),
    }
}

/// A boolean.
pub(crate) fn flag(json: &Json, spot: &Spot, field: &str) -> Result<bool, Misfit> {
    match lookup(json, field) {
        Some(Json::Bool(value)) => Ok(*value),
        None | Some(Json::Null) => Ok(false),
        Some(other) => Err(spot.field(field).misfit(other, "bool", "bool")),
    }
}

/// A map of strings, in the order of its keys.
pub(crate) fn text_map(json: &Json, spot: &Spot, field: &str) -> Result<Vec<(String, String)>, Misfit> {
    let spot = || spot.field(field);
    let mut pairs = match lookup(json, field) {
        Some(Json::Object(map)) => sorted(map)
            .into_iter()
            .map(|(key, value)| match value {
                Json::Null => Ok((key.clone(), String::new())),
                other => match scalar_text(other) {
                    Some(text) => Ok((key.clone(), text)),
                    None => Err(spot().key(key).misfit(other, "string", "string")),
                },
            })
            .collect::<Result<Vec<_>, _>>()?,
        None | Some(Json::Null) => Vec::new(),
        Some(other) => return Err(spot().misfit(other, "map[string]string", "map[string]string")),
    };
    pairs.sort();
    Ok(pairs)
}

fn sorted(map: &serde_json::Map<String, Json>) -> Vec<(&String, &Json)> {
    let mut pairs: Vec<(&String, &Json)> = map.iter().collect();
    pairs.sort_by_key(|(key, _)| *key);
    pairs
}

/// Structs in a list; `None` stands for a null.
pub(crate) fn structs<T>(
    json: &Json,
    spot: &Spot,
    field: &str,
    owner: &'static str,
    read: impl Fn(&Json, &Spot) -> Result<T, Misfit>,
) -> Result<Vec<Option<T>>, Misfit> {
    let items = match lookup(json, field) {
        None | Some(Json::Null) => return Ok(Vec::new()),
        Some(Json::Array(items)) => items,
        Some(other) => {
            let spot = spot.field(field);
            return Err(spot.misfit(other, &format!("[]*v2.{owner}"), &format!("[]*chart.{owner}")));
        }
    };
    let spot = spot.field(field);
    items
        .iter()
        .enumerate()
        .map(|(index, item)| match item {
            Json::Null => Ok(None),
            Json::Object(_) => {
                read(item, &Spot { item: false, ..spot.item(index).owned_by(owner) }).map(Some)
            }
            other => Err(spot.item(index).misfit(other, &format!("v2.{owner}"), &format!("chart.{owner}"))),
        })
        .collect()
}

/// A scalar where Helm's decoder wants a string: numbers and booleans are taken as text.
pub(crate) fn scalar_text(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Bool(flag) => Some(flag.to_string()),
        Json::Number(number) => Some(match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), _, _) => whole.to_string(),
            (_, Some(whole), _) => whole.to_string(),
            (_, _, Some(float)) => convert::float_general(float),
            _ => number.to_string(),
        }),
        _ => None,
    }
}

/// The word of Go's JSON decoder for a value.
pub(crate) fn json_type(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "bool",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

/// A field by its name in any case, as Go's decoder takes it; of several the last in the order of their names.
pub(crate) fn lookup<'j>(json: &'j Json, field: &str) -> Option<&'j Json> {
    named(json.as_object()?.iter().map(|(key, value)| (key.as_str(), value)), field)
}

/// The same among pairs of any kind; of equal keys the last counts.
pub(crate) fn named<'k, V>(pairs: impl Iterator<Item = (&'k str, V)>, field: &str) -> Option<V> {
    pairs
        .filter(|(key, _)| key.eq_ignore_ascii_case(field))
        .max_by_key(|(key, _)| *key)
        .map(|(_, value)| value)
}

/// Spaces become blanks, and what cannot be printed goes.
pub(crate) fn sanitize(text: &mut String) {
    let plain = |character: char| matches!(character, ' '..='~');
    if !text.chars().all(plain) {
        *text = text
            .chars()
            .map(|character| if crate::functions::is_space(character) { ' ' } else { character })
            .filter(|character| is_printable(*character))
            .collect();
    }
}
