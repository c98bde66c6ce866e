//! What values weigh: the bytes that a render is charged for them.

use std::mem::size_of;
use std::rc::Rc;
use std::sync::Arc;

use super::{Object, Text, Value};

/// Bytes that every allocation has beside its content.
const HEAD: usize = 32;
/// Bytes of a time, a version, or another value of few fields.
const SMALL: usize = 256;
/// Bytes of an entry of a map.
pub(crate) const ENTRY: usize = size_of::<(Text, Value)>();
/// Levels and parts of one value that are looked at.
const LEVELS: usize = 250;
const PARTS: usize = 4_000_000;

impl Text {
    fn own_bytes(&self) -> usize {
        if Arc::strong_count(&self.0) > 1 { 0 } else { HEAD + self.0.len() }
    }
}

impl Value {
    /// Bytes that are there for this handle alone: none where others share them, and none of what its parts share.
    /// What a function returns has just been made if nobody else has it.
    pub(crate) fn own_bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Bytes(text) => text.own_bytes(),
            Self::List(items) | Self::Lists(items) => of_items(items, items.len(), size_of::<Self>()),
            Self::Map(map) if Rc::strong_count(&map.entries) == 1 => 2 * HEAD + map.len() * ENTRY,
            Self::Ints(numbers) => of_items(numbers, numbers.len(), size_of::<i64>()),
            // Their texts are mostly new as well.
            Self::Texts(texts) => of_items(texts, texts.len(), size_of::<Text>() + HEAD),
            Self::TextMap(pairs) => of_items(pairs, pairs.len(), 2 * (size_of::<Text>() + HEAD)),
            Self::Object(object) if Rc::strong_count(object) == 1 => match &**object {
                Object::Files(files) => HEAD + files.len() * 2 * size_of::<Text>(),
                _ => SMALL,
            },
            _ => 0,
        }
    }

    /// Bytes of all of a value that has just been made, with its parts.
    pub(crate) fn whole_bytes(&self) -> usize {
        self.bytes_below(&mut { PARTS }, 0)
    }

    fn bytes_below(&self, left: &mut usize, level: usize) -> usize {
        if *left == 0 || level > LEVELS {
            return 0;
        }
        *left -= 1;
        match self {
            Self::List(items) | Self::Lists(items) => {
                let parts: usize = items.iter().map(|item| item.bytes_below(left, level + 1)).sum();
                HEAD + items.len() * size_of::<Self>() + parts
            }
            Self::Map(map) => map.read(|entries| {
                let of_entry = |(key, value): &(Text, Self)| {
                    ENTRY + key.own_bytes() + value.bytes_below(left, level + 1)
                };
                2 * HEAD + entries.iter().map(of_entry).sum::<usize>()
            }),
            other => other.own_bytes(),
        }
    }
}

fn of_items<T>(items: &Rc<T>, length: usize, each: usize) -> usize {
    if Rc::strong_count(items) > 1 { 0 } else { HEAD + length * each }
}
