//! The recorded data of the built-in kinds (`src/sandbox/data`), unpacked when it is first asked for.

use std::io::Read as _;
use std::sync::LazyLock;

use flate2::read::GzDecoder;
use rustc_hash::FxHashMap;
use serde_json::Value;

use super::types::{Arena, Shape};
use super::{ResourceType, Subresource};

/// What is known of the built-in kinds.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) resources: Vec<ResourceType>,
    pub(super) arena: Arena,
    /// API version, kind → shape.
    pub(super) shapes: FxHashMap<(String, String), Shape>,
    /// The shape of metadata.
    pub(super) metadata: Option<Shape>,
    /// OpenAPI definitions, without descriptions.
    pub(super) definitions: Value,
    /// API version, kind → name of the definition.
    pub(super) definition_names: FxHashMap<(String, String), String>,
}

static RECORDED: LazyLock<Recorded> = LazyLock::new(|| {
    let data = unpack(include_bytes!("../data/kinds.json.gz"));
    Recorded::of(data)
});

static DESCRIPTIONS: LazyLock<Value> = LazyLock::new(|| {
    unpack(include_bytes!("../data/descriptions.json.gz")).get("texts").cloned().unwrap_or_default()
});

pub(super) fn recorded() -> &'static Recorded {
    &RECORDED
}

/// Definition → path → text.
pub(super) fn descriptions() -> &'static Value {
    &DESCRIPTIONS
}

/// The data is part of the program and checked by a test; were it broken, there would be no kinds.
fn unpack(packed: &[u8]) -> Value {
    let mut text = Vec::new();
    let read = GzDecoder::new(packed).read_to_end(&mut text);
    read.ok().and_then(|_| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

impl Recorded {
    fn of(mut data: Value) -> Recorded {
        let definitions = data.get_mut("types").map(Value::take).unwrap_or_default();
        let mut arena = Arena::default();
        let mut shapes = FxHashMap::default();
        let mut definition_names = FxHashMap::default();
        for (name, definition) in definitions.as_object().into_iter().flatten() {
            let kinds = definition.get("x-kubernetes-group-version-kind").and_then(Value::as_array);
            for kind in kinds.into_iter().flatten() {
                let part = |key: &str| kind.get(key).and_then(Value::as_str).unwrap_or("");
                let key = (api_version(part("group"), part("version")), part("kind").to_owned());
                shapes.insert(key.clone(), arena.named(name, &definitions));
                definition_names.insert(key, name.clone());
            }
        }
        let metadata = arena.named("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", &definitions);
        let metadata = matches!(metadata, Shape::Structure { .. }).then_some(metadata);
        arena.find_defaults();
        let resources = resources(&data);
        Recorded { resources, arena, shapes, metadata, definitions, definition_names }
    }
}

pub(super) fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// The core group first, the others in the order in which the API server lists them.
fn resources(data: &Value) -> Vec<ResourceType> {
    let mut versions = vec![(String::new(), "v1".to_owned())];
    for group in data.get("groups").and_then(Value::as_array).into_iter().flatten() {
        let name = group.get("name").and_then(Value::as_str).unwrap_or("");
        for version in group.get("versions").and_then(Value::as_array).into_iter().flatten() {
            let version = version.get("version").and_then(Value::as_str).unwrap_or("");
            versions.push((name.to_owned(), version.to_owned()));
        }
    }
    let mut found: Vec<ResourceType> = Vec::new();
    for (group, version) in versions {
        let listed = data.get("resources").and_then(|all| all.get(api_version(&group, &version)));
        for entry in listed.and_then(Value::as_array).into_iter().flatten() {
            let name = entry.get("name").and_then(Value::as_str).unwrap_or("");
            match name.split_once('/') {
                None => found.push(resource(&group, &version, name, entry)),
                Some((parent, name)) => {
                    let of_parent = |known: &&mut ResourceType| {
                        known.group == group && known.version == version && known.plural == parent
                    };
                    if let Some(parent) = found.iter_mut().find(of_parent) {
                        parent.subresources.push(subresource(&group, &version, name, entry));
                    } else {
                        // namespaces/finalize has a parent; nothing published so far has none.
                    }
                }
            }
        }
    }
    found
}

fn resource(group: &str, version: &str, plural: &str, entry: &Value) -> ResourceType {
    ResourceType {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: part(entry, "kind"),
        plural: plural.to_owned(),
        singular: part(entry, "singularName"),
        short_names: parts(entry, "shortNames"),
        categories: parts(entry, "categories"),
        namespaced: entry.get("namespaced").and_then(Value::as_bool).unwrap_or(false),
        verbs: parts(entry, "verbs"),
        subresources: Vec::new(),
        storage_version_hash: part(entry, "storageVersionHash"),
    }
}

fn subresource(group: &str, version: &str, name: &str, entry: &Value) -> Subresource {
    let own = entry.get("version").is_some();
    Subresource {
        name: name.to_owned(),
        group: if own { part(entry, "group") } else { group.to_owned() },
        version: if own { part(entry, "version") } else { version.to_owned() },
        kind: part(entry, "kind"),
        verbs: parts(entry, "verbs"),
    }
}

fn part(entry: &Value, key: &str) -> String {
    entry.get(key).and_then(Value::as_str).unwrap_or("").to_owned()
}

fn parts(entry: &Value, key: &str) -> Vec<String> {
    let list = entry.get(key).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}
