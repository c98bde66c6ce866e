//! JSON as schemas and their values are: maps sorted by key, numbers as they are written.

use std::collections::BTreeMap;

use super::number::Number;
use crate::functions::json::{Build, Wording, whole};
use crate::value::{Text, Value, convert};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Nil,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Json>),
    Map(BTreeMap<String, Json>),
}

impl Json {
    /// Reads a document; the error is that of Go's decoder.
    pub(super) fn read(text: &[u8], wording: Wording) -> Result<Self, String> {
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        whole(text, &mut Builder, wording).map_err(|message| {
            if message.contains("after top-level value") {
                "invalid character after top-level value".to_owned()
            } else if message != "unexpected end of JSON input" {
                message
            } else if text.iter().all(u8::is_ascii_whitespace) {
                "EOF".to_owned()
            } else {
                "unexpected EOF".to_owned()
            }
        })
    }

    /// The values of a chart.
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Nil => Self::Nil,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Int(number) | Value::Int64(number) => Self::Number(Number::new(&number.to_string())),
            Value::Float(number) => {
                convert::float_json(*number).map_or(Self::Nil, |text| Self::Number(Number::new(&text)))
            }
            Value::Text(text) => Self::Text(text.lossy().into_owned()),
            Value::Map(map) => Self::Map(map.read(|entries| {
                entries.iter().map(|(key, value)| (key.lossy().into_owned(), Self::of(value))).collect()
            })),
            other => Self::List(other.items().unwrap_or_default().iter().map(Self::of).collect()),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Nil => Kind::Null,
            Self::Bool(_) => Kind::Boolean,
            Self::Number(_) => Kind::Number,
            Self::Text(_) => Kind::String,
            Self::List(_) => Kind::Array,
            Self::Map(_) => Kind::Object,
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn as_list(&self) -> Option<&[Self]> {
        if let Self::List(items) = self { Some(items) } else { None }
    }

    pub(super) fn as_map(&self) -> Option<&BTreeMap<String, Self>> {
        if let Self::Map(map) = self { Some(map) } else { None }
    }

    /// Whether two values are the same; `2` and `2.0` are.
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(left), Self::Number(right)) => left.decimal() == right.decimal(),
            (Self::List(left), Self::List(right)) => {
                left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.equals(right))
            }
            (Self::Map(left), Self::Map(right)) => {
                left.len() == right.len()
                    && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| value.equals(other)))
            }
            _ => self == other,
        }
    }
}

/// The types of JSON, in the order in which messages name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Boolean,
    Number,
    Integer,
    String,
    Array,
    Object,
}

impl Kind {
    pub(super) const ALL: [Self; 7] =
        [Self::Null, Self::Boolean, Self::Number, Self::Integer, Self::String, Self::Array, Self::Object];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

struct Builder;

impl Build for Builder {
    type Value = Json;

    fn nil(&mut self) -> Json {
        Json::Nil
    }

    fn flag(&mut self, flag: bool) -> Json {
        Json::Bool(flag)
    }

    fn number(&mut self, text: &str) -> Json {
        Json::Number(Number::new(text))
    }

    fn text(&mut self, text: Text) -> Json {
        Json::Text(text.lossy().into_owned())
    }

    fn list(&mut self, items: Vec<Json>) -> Json {
        Json::List(items)
    }

    fn map(&mut self, pairs: Vec<(Text, Json)>) -> Json {
        Json::Map(pairs.into_iter().map(|(key, value)| (key.lossy().into_owned(), value)).collect())
    }
}
