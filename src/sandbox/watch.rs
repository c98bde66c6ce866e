//! Watches: cursors over the log of a resource, polled without awaiting.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::catalog::Resource;
use super::failure::Failure;
use super::object::Fields;
use super::objects::{Change, Entry};
use super::selector::{FieldSelector, LabelSelector};
use super::store::Store;
use super::versions;
use super::view::View;

/// What is watched: which objects, and how they are written.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The resource, in the version that is asked for.
    pub resource: Arc<Resource>,
    /// One namespace, or all.
    pub namespace: Option<String>,
    /// By labels.
    pub labels: LabelSelector,
    /// By fields.
    pub fields: FieldSelector,
}

impl Scope {
    /// Whether an object is in it; its namespace is looked at too.
    pub fn holds(&self, object: &Value) -> bool {
        self.namespace.as_deref().is_none_or(|wanted| wanted == object.namespace())
            && self.labels.matches(object)
            && self.fields.matches(object)
    }
}

/// What is told to a client.
#[derive(Clone, Debug)]
pub struct WatchEvent {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    pub kind: &'static str,
    /// The object.
    pub object: Arc<Value>,
    /// The object as text, where somebody has written it already.
    text: Option<Arc<str>>,
}

impl WatchEvent {
    fn new(kind: &'static str, object: Arc<Value>) -> WatchEvent {
        WatchEvent { kind, object, text: None }
    }

    /// The line that stands for it in a stream.
    pub fn line(&self) -> String {
        let kind = self.kind;
        match &self.text {
            Some(text) => format!("{{\"type\":\"{kind}\",\"object\":{text}}}\n"),
            None => format!("{{\"type\":\"{kind}\",\"object\":{}}}\n", self.object),
        }
    }
}

/// What a poll finds.
#[derive(Clone, Debug)]
pub enum Next {
    /// Something to tell.
    Event(WatchEvent),
    /// Nothing yet.
    Pending,
    /// The watch is over.
    Ended,
}

/// How a watch fails on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchFault {
    /// It ends after so many events.
    DropAfter(u32),
    /// It stays open after so many events, and says nothing more.
    StallAfter(u32),
}

/// A watch.
#[derive(Debug)]
pub struct Watch {
    scope: Scope,
    view: View,
    position: u64,
    initial: VecDeque<Arc<Value>>,
    mark_initial_end: bool,
    bookmarks: bool,
    told: u32,
    fault: Option<WatchFault>,
    ended: bool,
    /// When the client wants it to end.
    pub timeout_seconds: Option<u64>,
}

impl Watch {
    /// A watch of what changes after a version.
    pub fn new(scope: Scope, view: View, position: u64) -> Watch {
        Watch {
            scope,
            view,
            position,
            initial: VecDeque::new(),
            mark_initial_end: false,
            bookmarks: false,
            told: 0,
            fault: None,
            ended: false,
            timeout_seconds: None,
        }
    }

    /// Objects that are told as added before anything else; a bookmark says when that is done, if it is wanted.
    pub fn beginning_with(mut self, objects: Vec<Arc<Value>>, mark_end: bool) -> Watch {
        self.initial = objects.into();
        self.mark_initial_end = mark_end;
        self
    }

    /// Whether the client wants bookmarks.
    pub fn with_bookmarks(mut self, wanted: bool) -> Watch {
        self.bookmarks = wanted;
        self
    }

    /// Makes it fail.
    pub fn with_fault(mut self, fault: Option<WatchFault>) -> Watch {
        self.fault = fault;
        self
    }

    /// The next thing to tell.
    pub fn next(&mut self, store: &Store, now: Timestamp) -> Next {
        if self.ended {
            return Next::Ended;
        }
        match self.fault {
            Some(WatchFault::DropAfter(limit)) if self.told >= limit => return self.end(),
            Some(WatchFault::StallAfter(limit)) if self.told >= limit => return Next::Pending,
            _ => {}
        }
        if let Some(object) = self.initial.pop_front() {
            return self.tell("ADDED", &object, None, now);
        }
        if std::mem::take(&mut self.mark_initial_end) {
            let mut bookmark = self.bookmark_at(self.position);
            if let Some(metadata) = bookmark.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.insert("annotations".to_owned(), json!({"k8s.io/initial-events-end": "true"}));
            }
            return Next::Event(WatchEvent::new("BOOKMARK", Arc::new(bookmark)));
        }
        self.next_change(store, now)
    }

    fn next_change(&mut self, store: &Store, now: Timestamp) -> Next {
        let Some(collection) = store.collection(&self.scope.resource.collection) else {
            return Next::Pending;
        };
        let found = match collection.changes_after(self.position) {
            Ok(mut changes) => changes.find_map(|entry| self.judge(entry).map(|kind| (kind, entry.clone()))),
            Err(compacted) => {
                self.ended = true;
                let message = format!("too old resource version: {} ({})", self.position, compacted.oldest);
                let status = Failure::expired(message).status();
                return Next::Event(WatchEvent::new("ERROR", Arc::new(status)));
            }
        };
        let Some((kind, entry)) = found else {
            self.position = store.version();
            return Next::Pending;
        };
        self.position = entry.version;
        let text = (self.view == View::Plain && entry.change != Change::Deleted).then(|| entry.clone());
        let object = Self::object_to_tell(kind, &entry);
        self.tell(kind, &object, text, now)
    }

    /// What a change means for those who see only a part of the objects.
    fn judge(&self, entry: &Entry) -> Option<&'static str> {
        let was = entry.before.as_ref().is_some_and(|before| self.scope.holds(before));
        let is = entry.change != Change::Deleted && self.scope.holds(&entry.object);
        match (was, is) {
            (false, true) => Some("ADDED"),
            (true, true) => Some("MODIFIED"),
            (true, false) => Some("DELETED"),
            (false, false) => None,
        }
    }

    /// Who loses sight of an object is shown it as it last was, with the version of the change.
    fn object_to_tell(kind: &'static str, entry: &Entry) -> Arc<Value> {
        match (&entry.before, kind, entry.change) {
            (Some(before), "DELETED", Change::Modified) => {
                let mut object = before.as_ref().clone();
                if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                    metadata.insert("resourceVersion".to_owned(), json!(entry.version.to_string()));
                }
                Arc::new(object)
            }
            _ => entry.object.clone(),
        }
    }

    fn tell(
        &mut self,
        kind: &'static str,
        object: &Arc<Value>,
        shared: Option<Arc<Entry>>,
        now: Timestamp,
    ) -> Next {
        let first = self.told == 0;
        self.told += 1;
        let resource = &self.scope.resource;
        let event = if self.view == View::Plain && versions::is_written_as(object, resource) {
            let text = shared.filter(|entry| Arc::ptr_eq(&entry.object, object)).map(|entry| entry.text());
            WatchEvent { kind, object: object.clone(), text }
        } else {
            let object = versions::read_as(object, resource);
            WatchEvent::new(kind, self.view.of_watched(resource, object, now, first))
        };
        Next::Event(event)
    }

    fn end(&mut self) -> Next {
        self.ended = true;
        Next::Ended
    }

    /// A bookmark, if the client wants them: all changes up to now have been told.
    pub fn bookmark(&mut self, store: &Store) -> Option<WatchEvent> {
        let silent = matches!(self.fault, Some(WatchFault::StallAfter(limit)) if self.told >= limit);
        if !self.bookmarks || self.ended || silent || !self.initial.is_empty() || self.mark_initial_end {
            return None;
        }
        self.position = self.position.max(store.version());
        Some(WatchEvent::new("BOOKMARK", Arc::new(self.bookmark_at(self.position))))
    }

    fn bookmark_at(&self, version: u64) -> Value {
        let resource = &self.scope.resource;
        let (api_version, kind) = match self.view {
            View::Plain => (resource.api_version.as_str(), resource.kind.kind.as_str()),
            View::Partial => ("meta.k8s.io/v1", "PartialObjectMetadata"),
            View::Table { .. } => {
                return json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1",
                    "metadata": {"resourceVersion": version.to_string()}, "columnDefinitions": [], "rows": []});
            }
        };
        json!({"kind": kind, "apiVersion": api_version, "metadata": {"resourceVersion": version.to_string()}})
    }
}
