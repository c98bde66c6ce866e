//! The documents that a schema consists of: which schemas in them have URLs and anchors of their
//! own, and whether they are valid. Helm's library looks at a schema once it is needed; so does this.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::HashSet;

use super::address::{Place, encode, is_pointer, join, split, split_fragment};
use super::draft::Draft;
use super::evident;
use super::json::Json;
use super::metaschema;
use super::url::{Url, unescape};
use crate::Compat;
use crate::value::convert::quote;

/// Why there is no schema to check values against.
#[derive(Debug)]
pub(super) enum Refusal {
    /// In Helm's words.
    Message(String),
    /// It is at an address from which only Helm would fetch it.
    Elsewhere(String),
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self::Message(message)
    }
}

pub(super) type Found<T> = Result<T, Refusal>;

/// A schema with a URL of its own.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) pointer: String,
    pub(super) id: String,
    pub(super) draft: Draft,
    /// Pointers by name.
    pub(super) anchors: BTreeMap<String, String>,
    pub(super) dynamic_anchors: Vec<String>,
}

pub(super) struct Document {
    pub(super) url: Arc<str>,
    pub(super) json: Arc<Json>,
    /// By pointer.
    pub(super) resources: BTreeMap<String, Resource>,
    /// Pointers to what was looked at.
    seen: HashSet<String>,
}

pub(super) struct Documents {
    all: BTreeMap<Arc<str>, Document>,
    compat: Compat,
    /// URNs that nothing resolves: Helm 4 warns of each and lets any value pass.
    pub(super) unresolved: BTreeSet<String>,
    /// The metaschemas themselves are taken as they are.
    trusting: bool,
}

impl Documents {
    /// With one document.
    pub(super) fn new(url: &Arc<str>, json: Json, compat: Compat) -> Found<Self> {
        let mut documents = Self { unresolved: BTreeSet::new(), ..Self::of_metaschemas(compat) };
        documents.trusting = false;
        documents.add(url, Arc::new(json))?;
        Ok(documents)
    }

    /// Without a document, to read the metaschemas.
    pub(super) fn of_metaschemas(compat: Compat) -> Self {
        Self { all: BTreeMap::new(), compat, unresolved: BTreeSet::new(), trusting: true }
    }

    pub(super) fn get(&self, url: &Arc<str>) -> Found<&Document> {
        self.all
            .get(url)
            .ok_or_else(|| Refusal::Message(format!("failing loading {}", quote(url.as_bytes()))))
    }

    /// Takes the document of a metaschema in, or one that is fetched.
    pub(super) fn load(&mut self, url: &Arc<str>) -> Found<()> {
        if self.all.contains_key(url) {
            return Ok(());
        }
        let json = self.content(url)?;
        self.add(url, Arc::new(json))
    }

    fn add(&mut self, url: &Arc<str>, json: Arc<Json>) -> Found<()> {
        let mut document = Document {
            url: Arc::clone(url),
            json: Arc::clone(&json),
            resources: BTreeMap::new(),
            seen: HashSet::default(),
        };
        self.collect(&mut document, &json, url, "", Draft::LATEST)?;
        let own = ["http://json-schema.org/", "https://json-schema.org/"];
        if !own.iter().any(|start| url.starts_with(start)) {
            self.validate(&document, &json, "")?;
        }
        self.all.insert(Arc::clone(url), document);
        Ok(())
    }

    fn content(&mut self, url: &str) -> Found<Json> {
        if let Some(json) = metaschema::document(url) {
            return Ok(json);
        }
        let failing = |message: String| {
            Refusal::Message(format!("failing loading {}: {message}", quote(url.as_bytes())))
        };
        let parsed = Url::parse(url).map_err(failing)?;
        match parsed.scheme.as_str() {
            // No file of this machine is part of a chart.
            "file" => Err(failing(format!("open {}: no such file or directory", file_path(url)))),
            "http" | "https" => Err(Refusal::Elsewhere(url.to_owned())),
            "urn" if self.compat > Compat::V3_19 => {
                self.unresolved.insert(url.to_owned());
                Ok(Json::Bool(true))
            }
            _ => {
                Err(failing(format!("no URLLoader registered for {}", quote(parsed.to_string().as_bytes()))))
            }
        }
    }

    /// The place that a fragment means in a document.
    pub(super) fn resolve(&mut self, url: &Arc<str>, fragment: &str) -> Found<Place> {
        self.load(url)?;
        let document = self.get(url)?;
        document.resolve_in(fragment, document.resource(""))
    }

    /// Looks at a schema that no keyword leads to, only a reference.
    pub(super) fn ensure(&mut self, place: &Place) -> Found<()> {
        self.load(&place.url)?;
        let document = self.get(&place.url)?;
        if document.seen.contains(&place.pointer) {
            return Ok(());
        }
        let json = Arc::clone(&document.json);
        let value = place.find(&json)?;
        let Some(mut document) = self.all.remove(&place.url) else { return Ok(()) };
        let outcome = self.look_at(&mut document, value, &place.pointer);
        self.all.insert(Arc::clone(&place.url), document);
        outcome
    }

    fn look_at(&mut self, document: &mut Document, value: &Json, pointer: &str) -> Found<()> {
        let around = document.resource(pointer).cloned();
        let (base, draft) = around
            .as_ref()
            .map_or((document.url.to_string(), Draft::LATEST), |around| (around.id.clone(), around.draft));
        self.collect(document, value, &base, pointer, draft)?;
        if !document.resources.contains_key(pointer)
            && let Some(around) = around
        {
            document.collect_anchors(value, pointer, &around.pointer)?;
        }
        self.validate(document, value, pointer)
    }

    fn validate(&self, document: &Document, value: &Json, pointer: &str) -> Found<()> {
        let Some(resource) = document.resource(pointer).filter(|_| !self.trusting) else {
            return Ok(());
        };
        if document.resources.len() == 1 && evident::is_schema(value, pointer.is_empty(), resource.draft) {
            return Ok(());
        }
        let url = Arc::clone(&document.url);
        match metaschema::check(resource.draft, value, &document.resources, self.compat) {
            Ok(()) => Ok(()),
            Err(message) => {
                let place = Place { url, pointer: pointer.to_owned() }.to_string();
                let place = quote(place.as_bytes());
                Err(Refusal::Message(format!("{place} is not valid against metaschema: {message}")))
            }
        }
    }

    /// Looks at a schema and at those inside of it.
    fn collect(
        &mut self,
        document: &mut Document,
        value: &Json,
        base: &str,
        pointer: &str,
        fallback: Draft,
    ) -> Found<()> {
        if document.seen.contains(pointer) {
            return Ok(());
        }
        let Json::Map(schema) = value else {
            if pointer.is_empty() {
                let resource = Resource::new(pointer, base, fallback);
                document.resources.insert(pointer.to_owned(), resource);
            }
            document.seen.insert(pointer.to_owned());
            return Ok(());
        };
        let place = Place::new(&document.url, pointer);
        let mut draft = self.draft_of(&place, value, fallback, &mut Vec::new())?;
        let mut id = draft.id(schema);
        // Inside of a document only what has a URL chooses its draft.
        if id.is_none() && !pointer.is_empty() {
            draft = fallback;
            id = draft.id(schema);
        }
        let mut base = base.to_owned();
        if let Some(id) = id {
            let joined = join(&base, id);
            let unreadable = || format!("error in parsing id at {}", quote(place.to_string().as_bytes()));
            base = joined.map_err(|_| unreadable())?.0;
        }
        if id.is_some() || pointer.is_empty() {
            let chosen = schema.get("$schema").is_some_and(|name| name.as_text().is_some());
            document.add_resource(pointer, &base, if chosen { draft } else { fallback })?;
        }
        let around = document.resources.values().find(|resource| resource.id == base);
        let Some((around, dialect)) = around.map(|around| (around.pointer.clone(), around.draft)) else {
            return Ok(());
        };
        document.collect_anchors(value, pointer, &around)?;
        for (pointer, inner) in draft.inside(schema, pointer) {
            self.collect(document, inner, &base, &pointer, dialect)?;
        }
        document.seen.insert(pointer.to_owned());
        Ok(())
    }

    /// The draft that `$schema` leads to, if need be by way of other metaschemas.
    fn draft_of(
        &mut self,
        place: &Place,
        value: &Json,
        otherwise: Draft,
        seen: &mut Vec<String>,
    ) -> Found<Draft> {
        let Some(name) = value.as_map().and_then(|map| map.get("$schema")?.as_text()) else {
            return Ok(otherwise);
        };
        if let Some(draft) = Draft::named(name) {
            return Ok(draft);
        }
        let (name, _) = split(name);
        Url::parse(name).map_err(|message| {
            format!("invalid $schema in {}: {message}", quote(place.to_string().as_bytes()))
        })?;
        if place.pointer.is_empty() && *name == *place.url {
            return Err(format!("draft {} is not supported", quote(name.as_bytes())).into());
        }
        if seen.iter().any(|seen| seen == name) {
            return Err(format!("cycle in resolving $schema in {}", quote(name.as_bytes())).into());
        }
        seen.push(name.to_owned());
        let json = self.content(name).map_err(|refusal| match refusal {
            Refusal::Elsewhere(url) => {
                let url = quote(url.as_bytes());
                Refusal::Message(format!(
                    "failing loading {url}: metaschemas of other places are not fetched"
                ))
            }
            other @ Refusal::Message(_) => other,
        })?;
        self.draft_of(&Place::new(&name.into(), ""), &json, otherwise, seen)
    }
}

/// The path of a file's URL.
fn file_path(url: &str) -> String {
    let path = url
        .strip_prefix("file://")
        .map_or("", |rest| rest.find('/').map_or("", |at| rest.get(at..).unwrap_or("")));
    let path = path.split('?').next().unwrap_or(path);
    unescape(path).map_or_else(|_| path.to_owned(), |path| String::from_utf8_lossy(&path).into_owned())
}

impl Resource {
    fn new(pointer: &str, id: &str, draft: Draft) -> Self {
        Self {
            pointer: pointer.to_owned(),
            id: id.to_owned(),
            draft,
            anchors: BTreeMap::new(),
            dynamic_anchors: Vec::new(),
        }
    }
}

impl Document {
    /// The innermost resource around a schema.
    pub(super) fn resource(&self, pointer: &str) -> Option<&Resource> {
        // Most documents are one.
        if self.resources.len() == 1
            && let Some(whole) = self.resources.get("")
        {
            return Some(whole);
        }
        let mut pointer = pointer;
        loop {
            if let Some(resource) = self.resources.get(pointer) {
                return Some(resource);
            }
            pointer = pointer.rsplit_once('/')?.0;
        }
    }

    /// The place in this document that a URL and a fragment mean, if it is in this one.
    pub(super) fn resolve(&self, url: &str, fragment: &str) -> Found<Option<Place>> {
        let resource = if *url == *self.url {
            self.resource("")
        } else {
            match self.resources.values().find(|resource| resource.id == url) {
                Some(resource) => Some(resource),
                None => return Ok(None),
            }
        };
        self.resolve_in(fragment, resource).map(Some)
    }

    fn resolve_in(&self, fragment: &str, resource: Option<&Resource>) -> Found<Place> {
        if is_pointer(fragment) {
            let start = resource.map_or("", |resource| &resource.pointer);
            return Ok(Place::new(&self.url, &format!("{start}{fragment}")));
        }
        if let Some(pointer) = resource.and_then(|resource| resource.anchors.get(fragment)) {
            return Ok(Place::new(&self.url, pointer));
        }
        let id = resource.map_or(&*self.url, |resource| &resource.id);
        let reference = format!("{id}#{}", encode(fragment));
        let (reference, url) = (quote(reference.as_bytes()), quote(self.url.as_bytes()));
        Err(format!("anchor in {reference} not found in schema {url}").into())
    }

    fn add_resource(&mut self, pointer: &str, id: &str, draft: Draft) -> Found<()> {
        let twin = self.resources.values().find(|resource| resource.id == id);
        if let Some(twin) = twin {
            if twin.pointer == pointer {
                return Ok(());
            }
            let (id, url) = (quote(id.as_bytes()), quote(self.url.as_bytes()));
            let (new, old) = (quote(pointer.as_bytes()), quote(twin.pointer.as_bytes()));
            return Err(format!("duplicate id {id} in {url} at {new} and {old}").into());
        }
        self.resources.insert(pointer.to_owned(), Resource::new(pointer, id, draft));
        Ok(())
    }

    fn collect_anchors(&mut self, value: &Json, pointer: &str, around: &str) -> Found<()> {
        let url = Arc::clone(&self.url);
        let (Json::Map(schema), Some(resource)) = (value, self.resources.get_mut(around)) else {
            return Ok(());
        };
        let text = |keyword: &str| schema.get(keyword).and_then(Json::as_text);
        let add = |resource: &mut Resource, name: &str| -> Found<()> {
            let known = resource.anchors.entry(name.to_owned()).or_insert_with(|| pointer.to_owned());
            if known == pointer {
                return Ok(());
            }
            let (name, url) = (quote(name.as_bytes()), quote(url.as_bytes()));
            let (old, new) = (quote(known.as_bytes()), quote(pointer.as_bytes()));
            Err(format!("duplicate anchor {name} in {url} at {old} and {new}").into())
        };
        if resource.draft < Draft::Draft2019 {
            if schema.contains_key("$ref") {
                return Ok(());
            }
            if let Some(id) = text(resource.draft.id_keyword()) {
                let place = Place::new(&url, pointer).to_string();
                let (_, fragment) = split_fragment(id)
                    .map_err(|_| format!("error in parsing anchor at {}", quote(place.as_bytes())))?;
                if !is_pointer(&fragment) {
                    add(resource, &fragment)?;
                }
            }
            return Ok(());
        }
        if let Some(name) = text("$anchor") {
            add(resource, name)?;
        }
        if let Some(name) = text("$dynamicAnchor").filter(|_| resource.draft >= Draft::Draft2020) {
            add(resource, name)?;
            resource.dynamic_anchors.push(name.to_owned());
        }
        Ok(())
    }
}
