//! What YAML can be read into: frozen trees, template values, JSON.

use std::borrow::Cow;

use crate::value::{Map, Text, Value, convert, lossy};
use crate::values::{Tree, TreeMap};

/// A number as YAML has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// A signed integer.
    Int(i64),
    /// An integer beyond the signed range.
    Uint(u64),
    /// A float.
    Float(f64),
}

impl Number {
    /// As a float: every number of a values file becomes one.
    #[expect(clippy::cast_precision_loss, reason = "Go loses the same digits")]
    pub(crate) fn float(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Uint(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

/// What YAML can be read into.
pub(crate) trait Build: Sized {
    /// A map that is being read.
    type Pairs: Default;
    /// Whether this holds numbers that JSON lacks.
    const KEEPS_ALL_NUMBERS: bool = false;
    /// Adds a pair to it.
    fn add(pairs: &mut Self::Pairs, key: &[u8], value: Self);
    /// The map of these pairs; the last of equal keys counts.
    fn of_pairs(pairs: Self::Pairs) -> Self;
    /// null
    fn null() -> Self;
    /// A boolean.
    fn bool(value: bool) -> Self;
    /// A number.
    fn number(number: Number) -> Self;
    /// A string.
    fn text(text: Cow<'_, [u8]>) -> Self;
    /// A list.
    fn list(items: Vec<Self>) -> Self;
    /// A map; keys in source order, the last of equal keys counts.
    fn map(pairs: Vec<(Text, Self)>) -> Self;
    /// A deep copy, for aliases.
    fn copy(&self) -> Self;
    /// The pairs, if this is a map. What follows is for merges and messages: who keeps too little says nothing.
    fn pairs(&self) -> Option<Vec<(Text, Self)>> {
        None
    }
    /// The items, if this is a list.
    fn items(&self) -> Option<Vec<Self>> {
        None
    }
    /// The string, if this is one.
    fn string(&self) -> Option<Text> {
        None
    }
    /// Whether this is null.
    fn is_null(&self) -> bool {
        false
    }
    /// The float, if this is one; who cannot hold all floats says nothing.
    fn float(&self) -> Option<f64> {
        None
    }
    /// The first number that JSON lacks, by Go's order of keys.
    fn unsupported(&self) -> Option<f64> {
        if let Some(number) = self.float() {
            return (!number.is_finite()).then_some(number);
        }
        if let Some(items) = self.items() {
            return items.iter().find_map(Self::unsupported);
        }
        let mut pairs = self.pairs().unwrap_or_default();
        pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        pairs.iter().find_map(|(_, value)| value.unsupported())
    }
    /// What Go's `%+#v` shows.
    fn shown(&self) -> String {
        match self.string() {
            Some(text) => convert::quote(&text),
            None if self.is_null() => "<nil>".to_owned(),
            None => self.shown_otherwise(),
        }
    }
    /// The same inside of a list or map.
    fn shown_within(&self) -> String {
        if self.is_null() { "interface {}(nil)".to_owned() } else { self.shown() }
    }
    /// The same for a number or a boolean, if this is one.
    fn shown_scalar(&self) -> Option<String> {
        None
    }
    /// The same for what is neither text nor null.
    fn shown_otherwise(&self) -> String {
        if let Some(shown) = self.shown_scalar() {
            return shown;
        }
        if let Some(items) = self.items() {
            let items: Vec<String> = items.iter().map(Self::shown_within).collect();
            return format!("[]interface {{}}{{{}}}", items.join(", "));
        }
        let mut pairs = self.pairs().unwrap_or_default();
        pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        let pairs: Vec<String> = pairs
            .iter()
            .map(|(key, value)| format!("{}:{}", convert::quote(key), value.shown_within()))
            .collect();
        format!("map[interface {{}}]interface {{}}{{{}}}", pairs.join(", "))
    }
}

impl Build for Tree {
    type Pairs = Vec<(Text, Self)>;
    fn add(pairs: &mut Self::Pairs, key: &[u8], value: Self) {
        pairs.push((Text::from(key), value));
    }
    fn of_pairs(pairs: Self::Pairs) -> Self {
        Self::map(pairs)
    }
    fn null() -> Self {
        Self::Null
    }
    fn bool(value: bool) -> Self {
        Self::Bool(value)
    }
    fn number(number: Number) -> Self {
        Self::Float(number.float())
    }
    fn text(text: Cow<'_, [u8]>) -> Self {
        Self::Text(Text::from(&*text))
    }
    fn list(items: Vec<Self>) -> Self {
        Self::List(items)
    }
    fn map(pairs: Vec<(Text, Self)>) -> Self {
        Self::Map(TreeMap::from_pairs(pairs))
    }
    fn copy(&self) -> Self {
        self.clone()
    }
    fn pairs(&self) -> Option<Vec<(Text, Self)>> {
        self.as_map().map(|map| map.iter().cloned().collect())
    }
    fn items(&self) -> Option<Vec<Self>> {
        match self {
            Self::List(items) => Some(items.clone()),
            _ => None,
        }
    }
    fn string(&self) -> Option<Text> {
        match self {
            Self::Text(text) => Some(text.clone()),
            _ => None,
        }
    }
    fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
    const KEEPS_ALL_NUMBERS: bool = true;
    fn float(&self) -> Option<f64> {
        if let Self::Float(number) = self { Some(*number) } else { None }
    }
    fn shown_scalar(&self) -> Option<String> {
        match self {
            Self::Bool(flag) => Some(flag.to_string()),
            Self::Float(number) => Some(convert::float_general(*number)),
            Self::Int(number) => Some(number.to_string()),
            Self::List(_) | Self::Map(_) | Self::Null | Self::Text(_) => None,
        }
    }
}

impl Build for Value {
    type Pairs = Vec<(Text, Self)>;
    fn add(pairs: &mut Self::Pairs, key: &[u8], value: Self) {
        pairs.push((Text::from(key), value));
    }
    fn of_pairs(pairs: Self::Pairs) -> Self {
        Self::map(pairs)
    }
    fn null() -> Self {
        Self::Nil
    }
    fn bool(value: bool) -> Self {
        Self::Bool(value)
    }
    fn number(number: Number) -> Self {
        Self::Float(number.float())
    }
    fn text(text: Cow<'_, [u8]>) -> Self {
        Self::Text(Text::from(&*text))
    }
    fn list(items: Vec<Self>) -> Self {
        Self::list(items)
    }
    fn map(pairs: Vec<(Text, Self)>) -> Self {
        Self::Map(Map::from_pairs(pairs))
    }
    fn copy(&self) -> Self {
        self.deep_copy()
    }
    fn pairs(&self) -> Option<Vec<(Text, Self)>> {
        match self {
            Self::Map(map) => Some(map.entries()),
            _ => None,
        }
    }
    fn items(&self) -> Option<Vec<Self>> {
        match self {
            Self::List(items) => Some(items.to_vec()),
            _ => None,
        }
    }
    fn string(&self) -> Option<Text> {
        self.as_text().cloned()
    }
    fn is_null(&self) -> bool {
        matches!(self, Self::Nil)
    }
    const KEEPS_ALL_NUMBERS: bool = true;
    fn float(&self) -> Option<f64> {
        if let Self::Float(number) = self { Some(*number) } else { None }
    }
    fn shown_scalar(&self) -> Option<String> {
        match self {
            Self::Bool(flag) => Some(flag.to_string()),
            Self::Int(number) | Self::Int64(number) => Some(number.to_string()),
            Self::Float(number) => Some(convert::float_general(*number)),
            _ => None,
        }
    }
}

impl Build for serde_json::Value {
    type Pairs = serde_json::Map<String, Self>;
    fn add(pairs: &mut Self::Pairs, key: &[u8], value: Self) {
        pairs.insert(lossy(key).into_owned(), value);
    }
    fn of_pairs(pairs: Self::Pairs) -> Self {
        Self::Object(pairs)
    }
    fn null() -> Self {
        Self::Null
    }
    fn bool(value: bool) -> Self {
        Self::Bool(value)
    }
    fn number(number: Number) -> Self {
        match number {
            Number::Int(value) => Self::from(value),
            Number::Uint(value) => Self::from(value),
            Number::Float(value) => serde_json::Number::from_f64(value).map_or(Self::Null, Self::Number),
        }
    }
    fn text(text: Cow<'_, [u8]>) -> Self {
        Self::String(lossy(&text).into_owned())
    }
    fn list(items: Vec<Self>) -> Self {
        Self::Array(items)
    }
    fn map(pairs: Vec<(Text, Self)>) -> Self {
        Self::Object(pairs.into_iter().map(|(key, value)| (key.lossy().into_owned(), value)).collect())
    }
    fn copy(&self) -> Self {
        self.clone()
    }
    fn pairs(&self) -> Option<Vec<(Text, Self)>> {
        self.as_object()
            .map(|map| map.iter().map(|(key, value)| (Text::from(key.as_str()), value.clone())).collect())
    }
    fn items(&self) -> Option<Vec<Self>> {
        self.as_array().cloned()
    }
    fn string(&self) -> Option<Text> {
        self.as_str().map(Text::from)
    }
    fn is_null(&self) -> bool {
        serde_json::Value::is_null(self)
    }
    fn shown_scalar(&self) -> Option<String> {
        match self {
            Self::Bool(flag) => Some(flag.to_string()),
            Self::Number(number) if number.is_f64() => number.as_f64().map(convert::float_general),
            Self::Number(number) => Some(number.to_string()),
            Self::Null | Self::String(_) | Self::Array(_) | Self::Object(_) => None,
        }
    }
}

/// What was read and found to be well, and is not kept.
pub(in super::super) struct Checked;

impl Build for Checked {
    type Pairs = ();
    fn add((): &mut Self::Pairs, _: &[u8], _: Self) {}
    fn of_pairs((): Self::Pairs) -> Self {
        Self
    }
    fn null() -> Self {
        Self
    }
    fn bool(_: bool) -> Self {
        Self
    }
    fn number(_: Number) -> Self {
        Self
    }
    fn text(_: Cow<'_, [u8]>) -> Self {
        Self
    }
    fn list(_: Vec<Self>) -> Self {
        Self
    }
    fn map(_: Vec<(Text, Self)>) -> Self {
        Self
    }
    fn copy(&self) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests {
    use super::Build;
    use crate::value::{Map, Value};

    #[test]
    fn keys_that_are_maps_are_shown_with_what_they_hold() {
        let inner =
            [("b", Value::Bool(true)), ("a", Value::Int(1)), ("c", Value::Nil), ("d", Value::Float(1.5))];
        assert_eq!(
            Value::Map(Map::from_pairs(inner)).shown(),
            r#"map[interface {}]interface {}{"a":1, "b":true, "c":interface {}(nil), "d":1.5}"#
        );
    }
}
