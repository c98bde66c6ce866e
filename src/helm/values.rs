//! Chart values: the frozen trees that layers and charts are read into, and how they merge.
//!
//! Everything here is plain data that threads may share; a render thaws a tree into its own
//! mutable values. Coalescing of charts lives in [`coalesce`], `--set` expressions in [`set`].

use super::Compat;
use super::value::{Map, Text, Value, lookup, sorted};
use super::yaml::{self, YamlError};

pub(crate) mod coalesce;
pub(crate) mod set;

/// A frozen value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    /// null
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer that came from `--set`; files only have floats.
    Int(i64),
    /// A number of a YAML or JSON file.
    Float(f64),
    /// A string.
    Text(Text),
    /// A list.
    List(Vec<Tree>),
    /// A map with sorted keys.
    Map(TreeMap),
}

/// A map with sorted keys.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct TreeMap(Vec<(Text, Tree)>);

impl TreeMap {
    /// Makes a map of pairs in any order; the last of equal keys wins.
    pub(crate) fn from_pairs(pairs: Vec<(Text, Tree)>) -> Self {
        Self(sorted(pairs))
    }

    /// The frozen form of a template's map.
    pub(crate) fn from_value(map: &Map) -> Self {
        Self(map.entries().into_iter().map(|(key, value)| (key, Tree::from_value(&value))).collect())
    }

    fn find(&self, key: &[u8]) -> Result<usize, usize> {
        self.0.binary_search_by(|(probe, _)| probe.bytes().cmp(key))
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Tree> {
        lookup(&self.0, key)
    }

    /// The value of a key, for writing.
    pub(crate) fn get_mut(&mut self, key: &[u8]) -> Option<&mut Tree> {
        self.find(key).ok().and_then(|index| self.0.get_mut(index)).map(|(_, value)| value)
    }

    /// Writes a key and returns what was there.
    pub(crate) fn insert(&mut self, key: Text, value: Tree) -> Option<Tree> {
        match self.find(&key) {
            Ok(index) => self.0.get_mut(index).map(|slot| std::mem::replace(&mut slot.1, value)),
            Err(index) => {
                self.0.insert(index, (key, value));
                None
            }
        }
    }

    /// All entries in key order.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, (Text, Tree)> {
        self.0.iter()
    }

    /// Whether there is no entry.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IntoIterator for TreeMap {
    type Item = (Text, Tree);
    type IntoIter = std::vec::IntoIter<(Text, Tree)>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Tree {
    /// The map inside, if this is one.
    pub(crate) fn as_map(&self) -> Option<&TreeMap> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The value as JSON; whole numbers become JSON integers.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Int(value) => Json::from(*value),
            Self::Float(value) => json_number(*value),
            Self::Text(text) => Json::String(text.lossy().into_owned()),
            Self::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Self::Map(map) => Json::Object(
                map.iter().map(|(key, value)| (key.lossy().into_owned(), value.to_json())).collect(),
            ),
        }
    }

    /// The frozen form of a value that came from JSON or YAML.
    pub(crate) fn from_value(value: &Value) -> Self {
        match value {
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Int(number) | Value::Int64(number) => Self::Int(*number),
            Value::Float(number) => Self::Float(*number),
            Value::Text(text) => Self::Text(text.clone()),
            Value::List(items) => Self::List(items.iter().map(Self::from_value).collect()),
            Value::Map(map) => Self::Map(TreeMap::from_value(map)),
            _ => Self::Null,
        }
    }

    /// The tree of a JSON value; every number becomes a float, as in Helm.
    pub(crate) fn from_json(json: &serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            Json::String(text) => Self::Text(Text::from(text.as_str())),
            Json::Array(items) => Self::List(items.iter().map(Self::from_json).collect()),
            Json::Object(map) => Self::Map(TreeMap::from_pairs(
                map.iter().map(|(key, value)| (Text::from(key.as_str()), Self::from_json(value))).collect(),
            )),
        }
    }
}

/// A float as a JSON number: an integer where it is whole and exact.
pub(crate) fn json_number(value: f64) -> serde_json::Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        let whole = value as i64;
        return serde_json::Value::from(whole);
    }
    serde_json::Number::from_f64(value).map_or(serde_json::Value::Null, serde_json::Value::Number)
}

/// Values of a chart or of one layer: a map from YAML, ready to be merged.
///
/// ```
/// use moorline_helm::Values;
///
/// let base = Values::parse(b"image: {repository: shop, tag: v1}")?;
/// let layer = Values::parse(b"image: {tag: v2}")?;
/// let merged = base.merge(&layer);
/// assert_eq!(merged.to_json(), serde_json::json!({"image": {"repository": "shop", "tag": "v2"}}));
/// # Ok::<(), moorline_helm::YamlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Values(pub(crate) TreeMap);

impl Values {
    /// Reads YAML as Helm reads `-f` files: YAML 1.1, the last of equal keys wins, several
    /// documents are merged, an empty file is an empty map.
    pub fn parse(yaml: &[u8]) -> Result<Self, YamlError> {
        yaml::read_values(yaml, false).map(Self)
    }

    /// Reads YAML as a particular Helm reads `-f` files; the error's [`YamlError::helm`] is its sentence.
    pub fn parse_as(yaml: &[u8], compat: Compat) -> Result<Self, YamlError> {
        if compat > Compat::V3_19 {
            return Self::parse(yaml);
        }
        yaml::read_map(yaml, false).map(Self).map_err(|mut error| {
            error.helm = error.unmarshal();
            error
        })
    }

    /// Reads YAML like [`Values::parse`], but a duplicate key is an error.
    pub fn parse_strict(yaml: &[u8]) -> Result<Self, YamlError> {
        yaml::read_values(yaml, true).map(Self)
    }

    /// Lays `over` on top as a further `-f` file: maps merge deeply, everything else replaces,
    /// null stays null.
    #[must_use]
    pub fn merge(&self, over: &Self) -> Self {
        let mut merged = self.0.clone();
        merge_maps(&mut merged, &over.0);
        Self(merged)
    }

    /// These values as the value of one key, as a layer for a dependency.
    #[must_use]
    pub fn under(self, key: &str) -> Self {
        Self(TreeMap::from_pairs(vec![(Text::from(key), Tree::Map(self.0))]))
    }

    /// Writes a string at a dotted path, making the maps on the way; what is not a map there
    /// is replaced by one.
    #[must_use]
    pub fn set_path(mut self, path: &str, value: &str) -> Self {
        let mut keys = path.split('.').peekable();
        let mut map = &mut self.0;
        while let Some(key) = keys.next() {
            if keys.peek().is_none() {
                map.insert(Text::from(key), Tree::Text(Text::from(value)));
                break;
            }
            if !matches!(map.get(key.as_bytes()), Some(Tree::Map(_))) {
                map.insert(Text::from(key), Tree::Map(TreeMap::default()));
            }
            match map.get_mut(key.as_bytes()) {
                Some(Tree::Map(next)) => map = next,
                _ => break,
            }
        }
        self
    }

    /// The values as a JSON object.
    pub fn to_json(&self) -> serde_json::Value {
        Tree::Map(self.0.clone()).to_json()
    }

    /// Values from a JSON object; `None` if it is something else.
    pub fn from_json(json: &serde_json::Value) -> Option<Self> {
        match Tree::from_json(json) {
            Tree::Map(map) => Some(Self(map)),
            _ => None,
        }
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The top-level keys in order.
    pub fn keys(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(key, _)| key.lossy().into_owned())
    }
}

/// Helm's merge of `-f` files.
pub(crate) fn merge_maps(base: &mut TreeMap, over: &TreeMap) {
    for (key, value) in over.iter() {
        match (base.get_mut(key), value) {
            (Some(Tree::Map(below)), Tree::Map(above)) => merge_maps(below, above),
            (Some(slot), _) => *slot = value.clone(),
            (None, _) => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}
