//! What a render read of its values, noted while it runs. Maps are known by their identity, so that
//! a value is followed through variables, `with` and named templates.

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::failure::{Absent, Place};
use crate::value::{Map, Text, Value};

/// How many maps are followed.
const MAPS: usize = 200_000;
/// How many missing values are noted.
const MOST_MISSING: usize = 10_000;

/// A map of the values.
#[derive(Debug)]
struct Seen {
    /// Held, so that no other map gets its identity.
    map: Map,
    path: Vec<Text>,
    keys: FxHashSet<Text>,
    whole: bool,
}

/// What was read so far.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    maps: Vec<Seen>,
    by_identity: FxHashMap<usize, usize>,
    by_path: FxHashMap<Vec<Text>, Vec<usize>>,
    /// How many conditions and guarding functions are open.
    pub(crate) guards: usize,
    missing: Vec<(Absent, Place)>,
}

/// Functions whose arguments may well be missing: they ask whether something is there, choose
/// something else, or only hand values on.
const GUARDS: [&str; 60] = [
    "and",
    "or",
    "not",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "default",
    "empty",
    "coalesce",
    "ternary",
    "required",
    "fail",
    "hasKey",
    "get",
    "dig",
    "index",
    "pluck",
    "kindIs",
    "kindOf",
    "typeIs",
    "typeOf",
    "typeIsLike",
    "deepEqual",
    "any",
    "all",
    "len",
    "has",
    "dict",
    "list",
    "tuple",
    "set",
    "unset",
    "merge",
    "mustMerge",
    "mergeOverwrite",
    "mustMergeOverwrite",
    "pick",
    "omit",
    "concat",
    "append",
    "mustAppend",
    "push",
    "mustPush",
    "prepend",
    "mustPrepend",
    "compact",
    "mustCompact",
    "uniq",
    "mustUniq",
    "without",
    "mustWithout",
    "include",
    "tpl",
    "keys",
    "values",
    "deepCopy",
    "lookup",
];

/// Functions that give a map on, or look only at whether it is there.
const PASSING: [&str; 26] = [
    "and",
    "or",
    "not",
    "eq",
    "ne",
    "default",
    "empty",
    "coalesce",
    "ternary",
    "required",
    "hasKey",
    "get",
    "dig",
    "index",
    "kindIs",
    "kindOf",
    "typeIs",
    "typeOf",
    "typeIsLike",
    "len",
    "dict",
    "list",
    "tuple",
    "set",
    "append",
    "fail",
];

/// Whether a function may be given what is missing.
pub(crate) fn is_guard(function: &str) -> bool {
    GUARDS.contains(&function)
}

impl Reads {
    /// Begins to follow the values of a render.
    pub(crate) fn of(values: &Map) -> Self {
        let mut reads = Self::default();
        let mut waiting = VecDeque::from([(values.clone(), Vec::new())]);
        while let Some((map, path)) = waiting.pop_front() {
            if reads.maps.len() >= MAPS || reads.by_identity.contains_key(&map.identity()) {
                continue;
            }
            for (key, value) in map.entries() {
                if let Value::Map(inner) = value {
                    let mut path: Vec<Text> = path.clone();
                    path.push(key.clone());
                    // Every chart has a copy of what is global.
                    if key.bytes() == b"global" {
                        path = vec![key];
                    }
                    waiting.push_back((inner, path));
                }
            }
            let index = reads.maps.len();
            reads.by_identity.insert(map.identity(), index);
            reads.by_path.entry(path.clone()).or_default().push(index);
            reads.maps.push(Seen { map, path, keys: FxHashSet::default(), whole: false });
        }
        reads
    }

    fn seen(&mut self, map: &Map) -> Option<&mut Seen> {
        let index = self.by_identity.get(&map.identity())?;
        self.maps.get_mut(*index)
    }

    /// A key was asked for.
    pub(crate) fn read(&mut self, map: &Map, key: &Text) {
        if let Some(seen) = self.seen(map)
            && !seen.keys.contains(key)
        {
            seen.keys.insert(key.clone());
        }
    }

    /// A value was used with all that is in it.
    pub(crate) fn read_whole(&mut self, value: &Value) {
        self.whole_within(value, &mut 1000);
    }

    fn whole_within(&mut self, value: &Value, left: &mut usize) {
        let Value::Map(map) = value else {
            return;
        };
        if let Some(seen) = self.seen(map) {
            seen.whole = true;
            return;
        }
        // What a template is called with holds everything, and is no use of everything.
        if map.contains(b"Values") || map.contains(b"Release") {
            return;
        }
        for (_, value) in map.entries() {
            let Some(rest) = left.checked_sub(1) else {
                return;
            };
            *left = rest;
            self.whole_within(&value, left);
        }
    }

    /// A function is called.
    pub(crate) fn called(&mut self, function: &str, values: &[Value]) {
        let (from, keys) = match (function, values) {
            ("hasKey" | "get", [from, key, ..]) => (from, std::slice::from_ref(key)),
            ("index", [from, keys @ ..]) | ("dig", [keys @ .., _, from]) => (from, keys),
            ("include", [_, Value::Map(map)]) => {
                if let Some(seen) = self.seen(map) {
                    seen.whole = true;
                }
                return;
            }
            ("include" | "tpl", _) => return,
            _ => {
                if !PASSING.contains(&function) {
                    for value in values {
                        self.read_whole(value);
                    }
                }
                return;
            }
        };
        let mut current = from.clone();
        for key in keys.iter().map_while(Value::as_text) {
            let Value::Map(map) = &current else {
                return;
            };
            self.read(map, key);
            current = map.get(key).unwrap_or(Value::Nil);
        }
    }

    /// A missing value was used.
    pub(crate) fn lacks(&mut self, absent: Absent, place: Place) {
        if self.guards == 0 && self.missing.len() < MOST_MISSING {
            self.missing.push((absent, place));
        }
    }

    /// The missing values that were used.
    pub(super) fn missing(&self) -> impl Iterator<Item = (&Absent, &Place)> {
        self.missing.iter().map(|(absent, place)| (absent, place))
    }

    /// Where a map stands in the values, if it is one of them.
    pub(super) fn path_of(&self, map: &Map) -> Option<&[Text]> {
        let seen = self.by_identity.get(&map.identity()).and_then(|index| self.maps.get(*index))?;
        seen.map.same(map).then_some(seen.path.as_slice())
    }

    fn at(&self, path: &[Text]) -> impl Iterator<Item = &Seen> {
        let found = self.by_path.get(path).map_or(&[][..], Vec::as_slice);
        found.iter().filter_map(|index| self.maps.get(*index))
    }

    /// Whether the map of a path, or one around it, was used as a whole.
    pub(super) fn whole(&self, path: &[Text]) -> bool {
        (0..=path.len()).any(|end| self.at(path.get(..end).unwrap_or(path)).any(|seen| seen.whole))
    }

    /// Whether the key of a path was asked for.
    pub(super) fn key(&self, path: &[Text]) -> bool {
        let Some((key, before)) = path.split_last() else {
            return true;
        };
        self.at(before).any(|seen| seen.keys.contains(key))
    }
}
