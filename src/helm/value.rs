//! The values that templates compute with: Go's dynamic types as far as a chart can see them.
//!
//! A value belongs to one render and to one thread (`Rc`); what is shared between renders are
//! the frozen trees of [`crate::values`]. No evaluation rules live here.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::values::Tree;

pub(crate) mod convert;
mod deep;
mod fall;
mod identity;
pub(crate) mod object;
pub(crate) mod printable;
mod weight;

use fall::{Fallen, fall};
pub(crate) use object::Object;
pub(crate) use weight::ENTRY;

/// A byte string: Go's strings are bytes, and charts cut them inside runes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Text(Arc<[u8]>);

/// The same as [`String::from_utf8_lossy`], faster where nothing has to be replaced.
pub(crate) fn lossy(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

impl Text {
    /// The bytes of this string.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The string for messages; invalid bytes are replaced.
    pub(crate) fn lossy(&self) -> std::borrow::Cow<'_, str> {
        lossy(&self.0)
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:?}", self.lossy())
    }
}

impl std::ops::Deref for Text {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl std::borrow::Borrow<[u8]> for Text {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl From<Arc<[u8]>> for Text {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self(bytes)
    }
}

impl From<Text> for Arc<[u8]> {
    fn from(text: Text) -> Self {
        text.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Arc::from(text.as_bytes()))
    }
}

impl From<&[u8]> for Text {
    fn from(text: &[u8]) -> Self {
        Self(Arc::from(text))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Arc::from(text.into_bytes()))
    }
}

impl From<Vec<u8>> for Text {
    fn from(text: Vec<u8>) -> Self {
        Self(Arc::from(text))
    }
}

/// The Go type that a string-keyed map shows to `typeOf` and in messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MapKind {
    /// `map[string]interface {}`
    Plain,
    /// Helm's named values type.
    Values,
    /// A nil map, which can be read and not written.
    Nil,
}

/// Up to so many entries, comparing lengths first is quicker than halving.
const FEW: usize = 24;

/// The value of a key in sorted entries.
pub(crate) fn lookup<'a, V>(entries: &'a [(Text, V)], key: &[u8]) -> Option<&'a V> {
    let found = if entries.len() <= FEW {
        entries.iter().find(|(known, _)| known.0.len() == key.len() && *known.0 == *key)
    } else {
        let index = entries.binary_search_by(|(known, _)| known.bytes().cmp(key)).ok();
        index.and_then(|index| entries.get(index))
    };
    found.map(|(_, value)| value)
}

/// Pairs in the order of their keys; the last of equal keys wins.
pub(crate) fn sorted<V>(mut pairs: Vec<(Text, V)>) -> Vec<(Text, V)> {
    let done = pairs.windows(2).all(|pair| matches!(pair, [left, right] if left.0 < right.0));
    if !done {
        pairs.reverse();
        pairs.sort_by(|left, right| left.0.cmp(&right.0));
        pairs.dedup_by(|later, first| later.0 == first.0);
    }
    pairs
}

/// Sorted entries of a map.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    pairs: Vec<(Text, Value)>,
    /// When the map was made, as its render counts; 0 if nobody said.
    made: u64,
}

impl From<Vec<(Text, Value)>> for Entries {
    fn from(pairs: Vec<(Text, Value)>) -> Self {
        Self { pairs, made: 0 }
    }
}

impl Entries {
    fn find(&self, key: &[u8]) -> Result<usize, usize> {
        self.pairs.binary_search_by(|(probe, _)| probe.bytes().cmp(key))
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Value> {
        lookup(&self.pairs, key)
    }

    /// Writes a key.
    pub(crate) fn insert(&mut self, key: Text, value: Value) {
        match self.find(&key) {
            Ok(index) => {
                if let Some(slot) = self.pairs.get_mut(index) {
                    slot.1 = value;
                }
            }
            Err(index) => self.pairs.insert(index, (key, value)),
        }
    }

    /// Removes a key.
    pub(crate) fn remove(&mut self, key: &[u8]) {
        if let Ok(index) = self.find(key) {
            self.pairs.remove(index);
        }
    }

    /// All entries in key order.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, (Text, Value)> {
        self.pairs.iter()
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.pairs.len()
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        if !self.pairs.is_empty() {
            fall(Fallen::Entries(std::mem::take(&mut self.pairs)));
        }
    }
}

/// The items of a list.
#[derive(Clone, Debug)]
pub(crate) struct Items(Vec<Value>);

impl std::ops::Deref for Items {
    type Target = Vec<Value>;
    fn deref(&self) -> &Vec<Value> {
        &self.0
    }
}

impl Drop for Items {
    fn drop(&mut self) {
        if !self.0.is_empty() {
            fall(Fallen::Items(std::mem::take(&mut self.0)));
        }
    }
}

/// A handle on a shared mutable map with sorted keys: every alias sees what `set` writes.
#[derive(Clone, Debug)]
pub(crate) struct Map {
    /// The type's name that this alias was made with.
    kind: MapKind,
    /// The entries, shared by all aliases.
    entries: Rc<RefCell<Entries>>,
}

impl Map {
    /// An empty map.
    pub(crate) fn new() -> Self {
        Self::from_entries(Entries::default())
    }

    /// A map of the given entries.
    pub(crate) fn from_entries(entries: Entries) -> Self {
        Self { kind: MapKind::Plain, entries: Rc::new(RefCell::new(entries)) }
    }

    /// A map of pairs in any order; the last of equal keys wins.
    pub(crate) fn from_pairs<K: Into<Text>>(pairs: impl IntoIterator<Item = (K, Value)>) -> Self {
        let pairs = pairs.into_iter().map(|(key, value)| (key.into(), value)).collect();
        Self::from_entries(sorted(pairs).into())
    }

    /// Another alias of the same entries under another Go type.
    pub(crate) fn with_kind(&self, kind: MapKind) -> Self {
        Self { kind, entries: Rc::clone(&self.entries) }
    }

    /// The Go type of this alias.
    pub(crate) fn kind(&self) -> MapKind {
        self.kind
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Value> {
        self.entries.borrow().get(key).cloned()
    }

    /// Whether the key is there.
    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        self.entries.borrow().get(key).is_some()
    }

    /// Writes a key, visible to every alias.
    pub(crate) fn insert(&self, key: Text, value: Value) {
        self.entries.borrow_mut().insert(key, value);
    }

    /// Removes a key, visible to every alias.
    pub(crate) fn remove(&self, key: &[u8]) {
        self.entries.borrow_mut().remove(key);
    }

    /// Removes all keys.
    pub(crate) fn clear(&self) {
        self.entries.take();
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    /// A snapshot of the entries in key order.
    pub(crate) fn entries(&self) -> Vec<(Text, Value)> {
        self.entries.borrow().pairs.clone()
    }

    /// The entries in key order; a snapshot of them where other handles are left.
    pub(crate) fn into_entries(self) -> Vec<(Text, Value)> {
        match Rc::try_unwrap(self.entries) {
            Ok(entries) => std::mem::take(&mut entries.into_inner().pairs),
            Err(shared) => shared.borrow().pairs.clone(),
        }
    }

    /// Keeps the entries that are wanted, visible to every alias; `wanted` must not touch this map.
    pub(crate) fn retain(&self, mut wanted: impl FnMut(&Value) -> bool) {
        self.entries.borrow_mut().pairs.retain(|(_, value)| wanted(value));
    }

    /// Reads the entries in place; `read` must not write to this map.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&Entries) -> R) -> R {
        read(&self.entries.borrow())
    }

    /// A copy of one level.
    pub(crate) fn copied(&self) -> Self {
        Self::from_entries(self.entries().into())
    }
}

/// How many rounds a range over a number has, and what makes the number of a round.
pub(crate) type Counter = (u64, fn(u64) -> Value);

/// A Go value as templates see it.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// No value, or a nil interface.
    Nil,
    /// `bool`
    Bool(bool),
    /// `int`
    Int(i64),
    /// `int64`
    Int64(i64),
    /// `uint64`
    Uint64(u64),
    /// `uint8`
    Byte(u8),
    /// `float64`
    Float(f64),
    /// `string`
    Text(Text),
    /// `[]interface {}`
    List(Rc<Items>),
    /// `[][]interface {}`
    Lists(Rc<Items>),
    /// `map[string]interface {}` or Helm's values type
    Map(Map),
    /// `[]string`
    Texts(Rc<Vec<Text>>),
    /// `[]int`
    Ints(Rc<Vec<i64>>),
    /// `[]uint8`
    Bytes(Text),
    /// `map[string]string`, sorted by key
    TextMap(Rc<Vec<(Text, Text)>>),
    /// A Go value with methods or fields.
    Object(Rc<Object>),
}

impl Value {
    /// A string value.
    pub(crate) fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    /// A list value.
    pub(crate) fn list(items: Vec<Self>) -> Self {
        Self::List(Rc::new(Items(items)))
    }

    /// A list of lists.
    pub(crate) fn lists(items: Vec<Self>) -> Self {
        Self::Lists(Rc::new(Items(items)))
    }

    /// A nil slice of a type.
    pub(crate) fn nil_slice(type_name: &'static str) -> Self {
        Self::object(Object::NilSlice(type_name))
    }

    /// A `[]string` value.
    pub(crate) fn texts(items: Vec<Text>) -> Self {
        Self::Texts(Rc::new(items))
    }

    /// An object value.
    pub(crate) fn object(object: Object) -> Self {
        Self::Object(Rc::new(object))
    }

    /// Go's truth: the zero value and empty collections are false.
    pub(crate) fn truth(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) | Self::Int64(value) => *value != 0,
            Self::Uint64(value) => *value != 0,
            Self::Byte(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) | Self::Bytes(text) => !text.is_empty(),
            Self::List(items) | Self::Lists(items) => !items.is_empty(),
            Self::Map(map) => map.len() != 0,
            Self::Texts(items) => !items.is_empty(),
            Self::Ints(items) => !items.is_empty(),
            Self::TextMap(items) => !items.is_empty(),
            Self::Object(object) => object.truth(),
        }
    }

    /// The Go type as `%T` prints it; `<nil>` for no value.
    pub(crate) fn type_name(&self, compat_v3: bool) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Int64(_) => "int64",
            Self::Uint64(_) => "uint64",
            Self::Byte(_) => "uint8",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::List(_) => "[]interface {}",
            Self::Lists(_) => "[][]interface {}",
            Self::Map(map) => match (map.kind(), compat_v3) {
                (MapKind::Plain | MapKind::Nil, _) => "map[string]interface {}",
                (MapKind::Values, false) => "common.Values",
                (MapKind::Values, true) => "chartutil.Values",
            },
            Self::Texts(_) => "[]string",
            Self::Ints(_) => "[]int",
            Self::Bytes(_) => "[]uint8",
            Self::TextMap(_) => "map[string]string",
            Self::Object(object) => object.type_name(compat_v3),
        }
    }

    /// The Go kind as `kindOf` prints it.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self {
            Self::Nil => "invalid",
            Self::List(_) | Self::Lists(_) | Self::Texts(_) | Self::Ints(_) | Self::Bytes(_) => "slice",
            Self::Map(_) | Self::TextMap(_) => "map",
            Self::Object(object) => object.kind_name(),
            other => other.type_name(false),
        }
    }

    /// The items of any list-like value, as values.
    pub(crate) fn items(&self) -> Option<Vec<Self>> {
        match self {
            Self::List(items) | Self::Lists(items) => Some(items.to_vec()),
            Self::Texts(items) => Some(items.iter().cloned().map(Self::Text).collect()),
            Self::Ints(items) => Some(items.iter().copied().map(Self::Int).collect()),
            Self::Bytes(bytes) => Some(bytes.iter().copied().map(Self::Byte).collect()),
            Self::Object(object) => object.items(),
            _ => None,
        }
    }

    /// For a whole number: how many rounds a range over it has, and what makes the number of a round.
    pub(crate) fn counter(&self) -> Option<Counter> {
        let rounds = |number: i64| u64::try_from(number).unwrap_or(0);
        Some(match self {
            Self::Int(number) => {
                (rounds(*number), |index| Self::Int(i64::try_from(index).unwrap_or(i64::MAX)))
            }
            Self::Int64(number) => {
                (rounds(*number), |index| Self::Int64(i64::try_from(index).unwrap_or(i64::MAX)))
            }
            Self::Uint64(number) => (*number, Self::Uint64),
            Self::Byte(number) => {
                (u64::from(*number), |index| Self::Byte(u8::try_from(index).unwrap_or(u8::MAX)))
            }
            Self::Object(object) => match &**object {
                Object::Duration(number) => (rounds(*number), |index| {
                    Self::object(Object::Duration(i64::try_from(index).unwrap_or(i64::MAX)))
                }),
                _ => return None,
            },
            _ => return None,
        })
    }

    /// The string inside, if this is a string.
    pub(crate) fn as_text(&self) -> Option<&Text> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Makes the values of one render from a frozen tree.
    pub(crate) fn from_tree(tree: &Tree) -> Self {
        match tree {
            Tree::Null => Self::Nil,
            Tree::Bool(value) => Self::Bool(*value),
            Tree::Int(value) => Self::Int64(*value),
            Tree::Float(value) => Self::Float(*value),
            Tree::Text(text) => Self::Text(text.clone()),
            Tree::List(items) => Self::list(items.iter().map(Self::from_tree).collect()),
            Tree::Map(entries) => {
                let pairs = entries.iter().map(|(key, value)| (key.clone(), Self::from_tree(value)));
                Self::Map(Map::from_entries(pairs.collect::<Vec<_>>().into()))
            }
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
