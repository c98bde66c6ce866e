//! What tells a value from every other one that lives at the same time.

use std::rc::Rc;

use super::{Map, Text, Value};

impl Map {
    /// What tells this map from every other one that lives at the same time.
    pub(crate) fn identity(&self) -> usize {
        Rc::as_ptr(&self.entries).addr()
    }

    /// Whether both handles share their entries.
    pub(crate) fn same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.entries, &other.entries)
    }

    /// Whether somebody else may hold these entries, beside so many handles.
    pub(crate) fn is_held_beyond(&self, handles: usize) -> bool {
        Rc::strong_count(&self.entries) > handles
    }

    /// When it was made, as its render counts; 0 if nobody said.
    pub(crate) fn made(&self) -> u64 {
        self.entries.borrow().made
    }

    /// Says when it was made.
    pub(crate) fn made_at(&self, time: u64) {
        self.entries.borrow_mut().made = time;
    }
}

impl Text {
    /// Whether both are the very same allocation.
    pub(crate) fn same(&self, other: &Self) -> bool {
        std::sync::Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Value {
    /// Where its content lies, which other values of its type do not share; nothing for what is no more than itself.
    pub(crate) fn identity(&self) -> usize {
        match self {
            Self::Nil
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Int64(_)
            | Self::Uint64(_)
            | Self::Byte(_)
            | Self::Float(_) => 0,
            Self::Text(text) | Self::Bytes(text) => text.as_ptr().addr(),
            Self::List(items) | Self::Lists(items) => Rc::as_ptr(items).addr(),
            Self::Map(map) => map.identity(),
            Self::Texts(items) => Rc::as_ptr(items).addr(),
            Self::Ints(items) => Rc::as_ptr(items).addr(),
            Self::TextMap(pairs) => Rc::as_ptr(pairs).addr(),
            Self::Object(object) => Rc::as_ptr(object).addr(),
        }
    }

    /// How many hold its content; countless for what is no more than itself, and for texts.
    pub(crate) fn handles(&self) -> usize {
        match self {
            Self::List(items) | Self::Lists(items) => Rc::strong_count(items),
            Self::Map(map) => Rc::strong_count(&map.entries),
            Self::Texts(items) => Rc::strong_count(items),
            Self::Ints(items) => Rc::strong_count(items),
            Self::TextMap(pairs) => Rc::strong_count(pairs),
            Self::Object(object) => Rc::strong_count(object),
            _ => usize::MAX,
        }
    }
}
