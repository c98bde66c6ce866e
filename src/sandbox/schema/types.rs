//! Types of objects as a graph: built from OpenAPI schemas, walked by decoding, defaults, apply and patches.

use std::sync::Arc;

use rustc_hash::{FxBuildHasher, FxHashMap};
use serde_json::Value;

use super::defaults::{Filler, filler};

/// A structure's place in its [`Arena`].
pub(crate) type StructureId = usize;

/// All structures that a set of kinds uses.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    structures: Vec<Structure>,
    by_name: FxHashMap<String, StructureId>,
}

/// A type with named fields.
#[derive(Debug, Default)]
pub(crate) struct Structure {
    /// The name in error messages: `DeploymentSpec`.
    pub(crate) name: String,
    /// By name.
    fields: Vec<Field>,
    /// Name → place in `fields`: most of the work on objects is looking up their fields.
    places: FxHashMap<Arc<str>, usize>,
    /// What unknown keys hold; without it there are none.
    pub(crate) others: Option<Shape>,
    pub(crate) atomic: bool,
    /// Fills in this structure's defaults.
    pub(super) filler: Option<Filler>,
    /// Whether it or what it holds has defaults.
    defaulted: bool,
}

/// One field.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the schema or of Go's tags")]
pub(crate) struct Field {
    pub(crate) name: Arc<str>,
    pub(crate) shape: Shape,
    pub(crate) default: Option<Value>,
    has_nonzero_default: bool,
    pub(crate) nullable: bool,
    /// The Go type: `*int32`, `v1.PullPolicy`. Empty for custom resources.
    pub(crate) go: String,
    pub(crate) omit_empty: bool,
    pub(crate) omit_zero: bool,
    /// `x-kubernetes-patch-strategy`.
    pub(crate) patch_merge: bool,
    pub(crate) patch_replace: bool,
    pub(crate) merge_key: Option<String>,
}

impl Field {
    pub(crate) fn is_pointer(&self) -> bool {
        self.go.starts_with('*')
    }

    /// A default that says more than Go's zero value.
    pub(super) fn nonzero_default(&self) -> Option<&Value> {
        self.default.as_ref().filter(|_| self.has_nonzero_default)
    }

    /// Whether Go writes the field even where nothing was given.
    pub(crate) fn is_always_written(&self) -> bool {
        if self.go.is_empty() || self.omit_zero {
            return false;
        }
        // `omitempty` leaves out no structures, and these are structures in Go.
        let structure = !self.is_pointer()
            && !self.go.starts_with("[]")
            && !self.go.starts_with("map[")
            && matches!(
                self.shape,
                Shape::Structure { .. }
                    | Shape::Time
                    | Shape::MicroTime
                    | Shape::Quantity
                    | Shape::IntegerOrText
                    | Shape::Untyped
            );
        !self.omit_empty || structure
    }
}

/// How the items of a list are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListKind {
    Atomic,
    Set,
    Map(Vec<String>),
}

/// The form of a value.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// `atomic` where the field says so, in place of the structure itself.
    Structure {
        id: StructureId,
        atomic: bool,
    },
    Map {
        value: Box<Shape>,
        atomic: bool,
    },
    List {
        item: Box<Shape>,
        kind: ListKind,
    },
    Text,
    Integer {
        bits: u8,
    },
    Number,
    Boolean,
    Bytes,
    Time,
    MicroTime,
    Quantity,
    IntegerOrText,
    /// Any scalar that is written as text (durations).
    Scalar,
    /// Anything, as one value.
    Untyped,
    /// Anything: maps merge, lists are atomic.
    Deduced,
}

impl Structure {
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.places.get(name).and_then(|place| self.fields.get(*place))
    }

    fn number_fields(&mut self) {
        let numbered = self.fields.iter().enumerate();
        self.places = numbered.map(|(place, field)| (field.name.clone(), place)).collect();
    }

    pub(super) fn has_defaults(&self) -> bool {
        self.defaulted
    }

    pub(crate) fn fields(&self) -> &[Field] {
        &self.fields
    }
}

impl Arena {
    pub(crate) fn structure(&self, id: StructureId) -> &Structure {
        // Ids come from this arena alone; an empty structure is what a broken id would deserve.
        static EMPTY: Structure = Structure {
            name: String::new(),
            fields: Vec::new(),
            places: FxHashMap::with_hasher(FxBuildHasher),
            others: None,
            atomic: false,
            filler: None,
            defaulted: false,
        };
        self.structures.get(id).unwrap_or(&EMPTY)
    }

    /// The structure of a definition of OpenAPI, built with all that it uses.
    pub(crate) fn named(&mut self, name: &str, definitions: &Value) -> Shape {
        match name.rsplit('.').next().unwrap_or(name) {
            "Quantity" => return Shape::Quantity,
            "RawExtension" => return Shape::Untyped,
            "IntOrString" => return Shape::IntegerOrText,
            "Time" => return Shape::Time,
            "MicroTime" => return Shape::MicroTime,
            "Duration" => return Shape::Scalar,
            _ => {}
        }
        if let Some(id) = self.by_name.get(name) {
            return Shape::Structure { id: *id, atomic: self.structure(*id).atomic };
        }
        let Some(definition) = definitions.get(name) else { return Shape::Deduced };
        if definition.get("properties").is_none() {
            // An object without fields of its own holds nothing or anything; JSON holds anything.
            return match definition.get("type").and_then(Value::as_str) {
                Some("string") => Shape::Text,
                _ => Shape::Deduced,
            };
        }
        let id = self.reserve(name.rsplit('.').next().unwrap_or(name));
        self.by_name.insert(name.to_owned(), id);
        let atomic = text(definition, "x-kubernetes-map-type") == Some("atomic");
        if let Some(structure) = self.structures.get_mut(id) {
            structure.atomic = atomic;
            structure.filler = filler(name);
        }
        self.fill(id, definition, definitions);
        Shape::Structure { id, atomic: self.structure(id).atomic }
    }

    /// Notes which structures hold something with a default; called once all are there.
    pub(crate) fn find_defaults(&mut self) {
        loop {
            let found: Vec<StructureId> = (0..self.structures.len())
                .filter(|id| {
                    let structure = self.structure(*id);
                    !structure.defaulted
                        && (structure.filler.is_some()
                            || structure.fields.iter().any(|field| {
                                field.has_nonzero_default || self.leads_to_defaults(&field.shape)
                            }))
                })
                .collect();
            if found.is_empty() {
                return;
            }
            for id in found {
                if let Some(structure) = self.structures.get_mut(id) {
                    structure.defaulted = true;
                }
            }
        }
    }

    fn leads_to_defaults(&self, shape: &Shape) -> bool {
        match shape {
            Shape::Structure { id, .. } => self.structure(*id).defaulted,
            Shape::List { item, .. } => self.leads_to_defaults(item),
            Shape::Map { value, .. } => self.leads_to_defaults(value),
            _ => false,
        }
    }

    fn reserve(&mut self, name: &str) -> StructureId {
        self.structures.push(Structure { name: name.to_owned(), ..Structure::default() });
        self.structures.len() - 1
    }

    fn fill(&mut self, id: StructureId, schema: &Value, definitions: &Value) {
        let mut fields: Vec<Field> = schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, property)| self.field_of(name, property, definitions))
            .collect();
        fields.sort_by(|one, other| one.name.cmp(&other.name));
        let others = self.others_of(schema, definitions);
        if let Some(structure) = self.structures.get_mut(id) {
            structure.fields = fields;
            structure.number_fields();
            structure.others = others;
            structure.atomic = text(schema, "x-kubernetes-map-type") == Some("atomic");
        }
    }

    fn others_of(&mut self, schema: &Value, definitions: &Value) -> Option<Shape> {
        match schema.get("additionalProperties") {
            Some(inner @ Value::Object(_)) => Some(self.shape_of(inner, definitions)),
            Some(Value::Bool(true)) => Some(Shape::Deduced),
            Some(_) => None,
            None => is_true(schema, "x-kubernetes-preserve-unknown-fields").then_some(Shape::Deduced),
        }
    }

    fn field_of(&mut self, name: &str, property: &Value, definitions: &Value) -> Field {
        let go = text(property, "x-go").unwrap_or("");
        let (go, options) = go.split_once(',').unwrap_or((go, ""));
        let strategy = text(property, "x-kubernetes-patch-strategy").unwrap_or("");
        let mut shape = self.shape_of(property, definitions);
        if go.ends_with("v1.Duration") {
            shape = Shape::Scalar;
        }
        Field {
            name: name.into(),
            shape,
            has_nonzero_default: property.get("default").is_some_and(|value| !is_zero(value)),
            default: property.get("default").cloned(),
            nullable: is_true(property, "nullable"),
            omit_empty: options.contains("omitempty"),
            omit_zero: options.contains("omitzero"),
            go: go.to_owned(),
            patch_merge: strategy.contains("merge"),
            patch_replace: strategy.contains("replace"),
            merge_key: text(property, "x-kubernetes-patch-merge-key").map(str::to_owned),
        }
    }

    /// The form that a schema asks for; structures in place are added to the arena.
    pub(crate) fn shape_of(&mut self, schema: &Value, definitions: &Value) -> Shape {
        let reference =
            text(schema, "$ref").or_else(|| text(schema.pointer("/allOf/0").unwrap_or(&Value::Null), "$ref"));
        let relation = text(schema, "x-kubernetes-map-type");
        let atomic = relation == Some("atomic");
        if let Some(reference) = reference {
            let name = reference.rsplit('/').next().unwrap_or(reference);
            return match self.named(name, definitions) {
                // What the field says counts before what its type says.
                Shape::Structure { id, atomic: own } => {
                    Shape::Structure { id, atomic: if relation.is_some() { atomic } else { own } }
                }
                other => other,
            };
        }
        if is_true(schema, "x-kubernetes-int-or-string") {
            return Shape::IntegerOrText;
        }
        match (text(schema, "type").unwrap_or(""), text(schema, "format").unwrap_or("")) {
            ("object", _) => self.object_of(schema, definitions, atomic),
            ("array", _) => {
                let item =
                    schema.get("items").map_or(Shape::Deduced, |items| self.shape_of(items, definitions));
                Shape::List { item: Box::new(item), kind: list_kind(schema) }
            }
            ("integer", "int32") => Shape::Integer { bits: 32 },
            ("integer", _) => Shape::Integer { bits: 64 },
            ("number", _) => Shape::Number,
            ("boolean", _) => Shape::Boolean,
            ("string", "byte") => Shape::Bytes,
            ("string", "") => Shape::Text,
            ("string", "int-or-string") => Shape::IntegerOrText,
            ("string", _) => Shape::Scalar,
            _ => Shape::Deduced,
        }
    }

    fn object_of(&mut self, schema: &Value, definitions: &Value, atomic: bool) -> Shape {
        if schema.get("properties").and_then(Value::as_object).is_some_and(|fields| !fields.is_empty()) {
            let id = self.reserve("");
            self.fill(id, schema, definitions);
            return Shape::Structure { id, atomic };
        }
        let value = self.others_of(schema, definitions).unwrap_or(Shape::Deduced);
        Shape::Map { value: Box::new(value), atomic }
    }

    /// Adds a structure of a custom resource: the schema's own fields, and those of every object.
    pub(crate) fn custom(&mut self, name: &str, schema: &Value, definitions: &Value) -> Shape {
        let id = self.reserve(name);
        self.fill(id, schema, definitions);
        let metadata = self.named("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", definitions);
        let plain = |name: &str, shape: Shape| Field {
            name: name.into(),
            shape,
            default: None,
            has_nonzero_default: false,
            nullable: false,
            go: String::new(),
            omit_empty: false,
            omit_zero: false,
            patch_merge: false,
            patch_replace: false,
            merge_key: None,
        };
        if let Some(structure) = self.structures.get_mut(id) {
            structure
                .fields
                .retain(|field| !matches!(field.name.as_ref(), "apiVersion" | "kind" | "metadata"));
            structure.fields.push(plain("apiVersion", Shape::Text));
            structure.fields.push(plain("kind", Shape::Text));
            structure.fields.push(plain("metadata", metadata));
            structure.fields.sort_by(|one, other| one.name.cmp(&other.name));
            structure.number_fields();
        }
        Shape::Structure { id, atomic: false }
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

fn list_kind(schema: &Value) -> ListKind {
    match text(schema, "x-kubernetes-list-type") {
        Some("set") => return ListKind::Set,
        Some("map") => {
            let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
            let keys = keys.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
            return ListKind::Map(keys.collect());
        }
        Some(_) => return ListKind::Atomic,
        None => {}
    }
    match text(schema, "x-kubernetes-patch-strategy") {
        Some("merge" | "merge,retainKeys") => match text(schema, "x-kubernetes-patch-merge-key") {
            Some(key) => ListKind::Map(vec![key.to_owned()]),
            None => ListKind::Set,
        },
        _ => ListKind::Atomic,
    }
}

pub(crate) fn text<'a>(schema: &'a Value, key: &str) -> Option<&'a str> {
    schema.get(key).and_then(Value::as_str)
}

fn is_true(schema: &Value, key: &str) -> bool {
    schema.get(key).and_then(Value::as_bool) == Some(true)
}
