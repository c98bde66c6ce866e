//! Walks through whole values: copies, comparisons, searches. Values may hold themselves, so that every walk ends at some
//! level and after so many parts.

use std::cmp::Ordering;
use std::rc::Rc;

use super::{Map, Value};

/// How many nodes of one value a copy may have.
const NODES: usize = 1_000_000;
/// How deep values are looked into and copied. Only what leads back to itself goes deeper in earnest.
const LEVELS: usize = 1_000;

impl Value {
    /// Deep copy of maps and lists, so that no alias is left. Parts that are shared very often
    /// would grow without end: what is beyond [`NODES`] is left out.
    pub(crate) fn deep_copy(&self) -> Self {
        self.copy_within(&mut { NODES }, 0)
    }

    fn copy_within(&self, budget: &mut usize, level: usize) -> Self {
        if *budget == 0 || level > LEVELS {
            return Self::Nil;
        }
        *budget -= 1;
        match self {
            Self::Map(map) => Self::Map(Map::from_entries(map.read(|entries| {
                let copies =
                    entries.iter().map(|(key, value)| (key.clone(), value.copy_within(budget, level + 1)));
                copies.collect::<Vec<_>>().into()
            }))),
            Self::List(items) => {
                Self::list(items.iter().map(|item| item.copy_within(budget, level + 1)).collect())
            }
            other => other.clone(),
        }
    }

    /// Whether a map is somewhere inside, or the value leads back to itself; `None` if there is too much to look at.
    pub(crate) fn contains_map(&self, wanted: &Map, budget: &mut usize) -> Option<bool> {
        self.contains_below(wanted, budget, 0)
    }

    fn contains_below(&self, wanted: &Map, budget: &mut usize, level: usize) -> Option<bool> {
        if level > LEVELS {
            return Some(true);
        }
        *budget = budget.checked_sub(1)?;
        let mut any = |values: &mut dyn Iterator<Item = &Self>| {
            for value in values {
                if value.contains_below(wanted, budget, level + 1)? {
                    return Some(true);
                }
            }
            Some(false)
        };
        match self {
            Self::Map(map) if map.same(wanted) => Some(true),
            Self::Map(map) => map.read(|entries| any(&mut entries.iter().map(|(_, value)| value))),
            Self::List(items) | Self::Lists(items) => any(&mut items.iter()),
            _ => Some(false),
        }
    }

    /// Go's `reflect.DeepEqual`: the types must agree as well. What leads back to itself is equal as far as it is
    /// looked into.
    pub(crate) fn deep_equal(&self, other: &Self) -> bool {
        self.compared(other).0
    }

    /// The same, and how many parts were looked at.
    pub(crate) fn compared(&self, other: &Self) -> (bool, usize) {
        let mut left = NODES;
        let equal = self.equal_below(other, &mut left, 0);
        (equal, NODES - left)
    }

    fn equal_below(&self, other: &Self, budget: &mut usize, level: usize) -> bool {
        if *budget == 0 || level > LEVELS {
            return true;
        }
        *budget -= 1;
        match (self, other) {
            (Self::Nil, Self::Nil) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::Int(left), Self::Int(right)) | (Self::Int64(left), Self::Int64(right)) => left == right,
            (Self::Uint64(left), Self::Uint64(right)) => left == right,
            (Self::Byte(left), Self::Byte(right)) => left == right,
            (Self::Float(left), Self::Float(right)) => left.partial_cmp(right) == Some(Ordering::Equal),
            (Self::Text(left), Self::Text(right)) | (Self::Bytes(left), Self::Bytes(right)) => left == right,
            (Self::List(left), Self::List(right)) | (Self::Lists(left), Self::Lists(right)) => {
                left.len() == right.len()
                    && left.iter().zip(right.iter()).all(|(a, b)| a.equal_below(b, budget, level + 1))
            }
            (Self::Map(left), Self::Map(right)) => {
                left.kind() == right.kind()
                    && (left.same(right) || {
                        let (left, right) = (left.entries(), right.entries());
                        left.len() == right.len()
                            && left
                                .iter()
                                .zip(right.iter())
                                .all(|(a, b)| a.0 == b.0 && a.1.equal_below(&b.1, budget, level + 1))
                    })
            }
            (Self::Texts(left), Self::Texts(right)) => left == right,
            (Self::Ints(left), Self::Ints(right)) => left == right,
            (Self::TextMap(left), Self::TextMap(right)) => left == right,
            (Self::Object(left), Self::Object(right)) => Rc::ptr_eq(left, right) || left.deep_equal(right),
            _ => false,
        }
    }
}
