//! Objects of one resource, and the log of their changes: what lists, gets and watches read. Knows no rules.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};

use serde_json::Value;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// It is another than before.
    Modified,
    /// It is gone.
    Deleted,
}

/// One change of one object.
#[derive(Debug)]
pub struct Entry {
    /// The version of the store that this change made.
    pub version: u64,
    /// What happened.
    pub change: Change,
    /// The object after the change; as it last was, with this change's version, if it is gone.
    pub object: Arc<Value>,
    /// The object before.
    pub before: Option<Arc<Value>>,
    /// The object as text, written once for all who watch.
    text: OnceLock<Arc<str>>,
}

impl Entry {
    /// The object as JSON text.
    pub fn text(&self) -> Arc<str> {
        self.text.get_or_init(|| self.object.to_string().into()).clone()
    }
}

/// A change that is asked for is no longer kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// The oldest version from which changes are known.
    pub oldest: u64,
}

type Names = BTreeMap<String, Arc<Value>>;

/// The objects of one resource by namespace and name, and the latest of their changes.
#[derive(Clone, Debug, Default)]
pub struct Collection {
    namespaces: BTreeMap<String, Names>,
    log: VecDeque<Arc<Entry>>,
    compacted: u64,
    count: usize,
}

impl Collection {
    /// One object.
    pub fn get(&self, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        self.namespaces.get(namespace)?.get(name)
    }

    /// The objects of one namespace, or of all, in order of namespace and name, strictly after a place.
    pub fn iter<'a>(
        &'a self,
        namespace: Option<&'a str>,
        after: Option<(&'a str, &'a str)>,
    ) -> impl Iterator<Item = &'a Arc<Value>> + 'a {
        let first = namespace.or(after.map(|(namespace, _)| namespace)).unwrap_or_default();
        self.namespaces
            .range::<str, _>((std::ops::Bound::Included(first), std::ops::Bound::Unbounded))
            .take_while(move |(key, _)| namespace.is_none_or(|wanted| wanted == key.as_str()))
            .flat_map(move |(key, names)| {
                let from = match after {
                    Some((namespace, name)) if namespace == key => std::ops::Bound::Excluded(name),
                    _ => std::ops::Bound::Unbounded,
                };
                names.range::<str, _>((from, std::ops::Bound::Unbounded)).map(|(_, object)| object)
            })
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Notes a change that the store has numbered, and forgets the oldest beyond `history`.
    pub fn commit(
        &mut self,
        namespace: &str,
        name: &str,
        change: Change,
        object: Arc<Value>,
        version: u64,
        history: usize,
    ) {
        let before = if change == Change::Deleted {
            let names = self.namespaces.get_mut(namespace);
            let before = names.and_then(|names| names.remove(name));
            if self.namespaces.get(namespace).is_some_and(BTreeMap::is_empty) {
                self.namespaces.remove(namespace);
            }
            before
        } else {
            let names = self.namespaces.entry(namespace.to_owned()).or_default();
            names.insert(name.to_owned(), object.clone())
        };
        match (change, &before) {
            (Change::Deleted, Some(_)) => self.count -= 1,
            (Change::Added | Change::Modified, None) => self.count += 1,
            _ => {}
        }
        self.log.push_back(Arc::new(Entry { version, change, object, before, text: OnceLock::new() }));
        while self.log.len() > history {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(entry) = self.log.pop_front() {
            self.compacted = entry.version;
        }
    }

    /// Forgets all changes up to a version.
    pub fn compact(&mut self, version: u64) {
        while self.log.front().is_some_and(|entry| entry.version <= version) {
            self.forget_oldest();
        }
        self.compacted = self.compacted.max(version);
    }

    /// The changes after a version, oldest first.
    pub fn changes_after(&self, version: u64) -> Result<impl Iterator<Item = &Arc<Entry>>, Compacted> {
        if version < self.compacted {
            return Err(Compacted { oldest: self.compacted });
        }
        let start = self.log.partition_point(|entry| entry.version <= version);
        Ok(self.log.range(start..))
    }

    /// The objects as they were at a version.
    pub fn at(&self, version: u64) -> Result<Collection, Compacted> {
        let mut past = Collection {
            namespaces: self.namespaces.clone(),
            log: VecDeque::new(),
            compacted: self.compacted,
            count: self.count,
        };
        let later: Vec<&Arc<Entry>> = self.changes_after(version)?.collect();
        for entry in later.into_iter().rev() {
            let text = |pointer| entry.object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
            let names = past.namespaces.entry(namespace.to_owned()).or_default();
            match &entry.before {
                Some(before) => drop(names.insert(name.to_owned(), before.clone())),
                None => drop(names.remove(name)),
            }
        }
        past.count = past.namespaces.values().map(BTreeMap::len).sum();
        Ok(past)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(namespace: &str, name: &str, value: u64) -> Arc<Value> {
        Arc::new(json!({"metadata": {"namespace": namespace, "name": name}, "value": value}))
    }

    fn names(collection: &Collection, namespace: Option<&str>, after: Option<(&str, &str)>) -> Vec<String> {
        collection
            .iter(namespace, after)
            .map(|object| {
                format!(
                    "{}/{}",
                    object["metadata"]["namespace"].as_str().unwrap_or_default(),
                    object["metadata"]["name"].as_str().unwrap_or_default()
                )
            })
            .collect()
    }

    #[test]
    fn order_places_and_the_past() {
        let mut pods = Collection::default();
        let mut version = 0;
        for (namespace, name) in [("b", "x"), ("a", "y"), ("a", "x"), ("c", "z")] {
            version += 1;
            pods.commit(namespace, name, Change::Added, object(namespace, name, 1), version, 100);
        }
        assert_eq!(names(&pods, None, None), ["a/x", "a/y", "b/x", "c/z"]);
        assert_eq!(names(&pods, None, Some(("a", "x"))), ["a/y", "b/x", "c/z"]);
        assert_eq!(names(&pods, Some("a"), Some(("a", "x"))), ["a/y"]);
        pods.commit("a", "x", Change::Modified, object("a", "x", 2), 5, 100);
        pods.commit("b", "x", Change::Deleted, object("b", "x", 1), 6, 100);
        let past = pods.at(3).map(|past| names(&past, None, None));
        assert_eq!(past, Ok(vec!["a/x".to_owned(), "a/y".to_owned(), "b/x".to_owned()]));
        assert_eq!((pods.len(), pods.at(4).map(|past| past.count)), (3, Ok(4)));
        assert_eq!(pods.changes_after(4).map(Iterator::count).ok(), Some(2));
        pods.compact(5);
        assert_eq!(pods.at(4).map(|past| past.count), Err(Compacted { oldest: 5 }));
        assert_eq!(pods.changes_after(5).map(Iterator::count).ok(), Some(1));
    }
}
