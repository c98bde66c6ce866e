//! What the API server knows of its kinds: resources, types, defaults and rules, of the built-in kinds and of those
//! that CustomResourceDefinitions add. No clock, no IO.

mod custom;
pub(crate) mod decode;
mod defaults;
mod document;
pub(crate) mod quantity;
pub mod reading;
mod recorded;
pub(crate) mod types;
mod validate;

use std::sync::Arc;

use serde_json::{Value, json};

use self::custom::Custom;
use self::decode::Decoder;
use self::recorded::{api_version, recorded};
use self::types::{Arena, Shape};

/// How unknown and duplicate fields are treated (`fieldValidation`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Dropped in silence.
    Ignore,
    /// Dropped with a warning.
    #[default]
    Warn,
    /// Refused.
    Strict,
}

/// A text for the `Warning` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning(pub String);

/// One entry of `details.causes` of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// `FieldValueRequired`, `FieldValueInvalid`, …
    pub reason: &'static str,
    /// The path of the field.
    pub field: String,
    /// The sentence, without the field.
    pub message: String,
}

/// Why an object is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// 400 `BadRequest`: it could not be decoded.
    BadRequest(String),
    /// 422 `Invalid`: it breaks rules.
    Invalid(Vec<Cause>),
}

/// A subresource, as discovery names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subresource {
    /// `status`, `scale`, `log`, …
    pub name: String,
    /// The group of its kind, where it differs from its resource's.
    pub group: String,
    /// The version of its kind.
    pub version: String,
    /// `Scale`, `Eviction`, …
    pub kind: String,
    /// What can be done with it.
    pub verbs: Vec<String>,
}

/// A resource, as discovery names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceType {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind.
    pub kind: String,
    /// The name in paths.
    pub plural: String,
    /// The name of one.
    pub singular: String,
    /// Short names for kubectl.
    pub short_names: Vec<String>,
    /// `all`, …
    pub categories: Vec<String>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// What can be done with it.
    pub verbs: Vec<String>,
    /// Its subresources.
    pub subresources: Vec<Subresource>,
    /// `storageVersionHash` of discovery.
    pub storage_version_hash: String,
}

impl ResourceType {
    /// `apps/v1`, `v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }
}

/// All kinds that a server knows. A clone is cheap.
#[derive(Clone, Debug, Default)]
pub struct Schemas {
    custom: Vec<Arc<Custom>>,
}

impl Schemas {
    /// The kinds that every API server has.
    pub fn built_in() -> Schemas {
        Schemas::default()
    }

    /// Every resource, built-in ones first.
    pub fn resources(&self) -> impl Iterator<Item = &ResourceType> {
        recorded().resources.iter().chain(self.custom.iter().map(|custom| &custom.resource))
    }

    /// A resource by its place in paths.
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<&ResourceType> {
        self.resources()
            .find(|known| known.plural == plural && known.group == group && known.version == version)
    }

    /// A resource by the kind of its objects.
    pub fn find_kind(&self, group: &str, version: &str, kind: &str) -> Option<&ResourceType> {
        self.resources().find(|known| known.kind == kind && known.group == group && known.version == version)
    }

    /// Registers the kind of a CustomResourceDefinition (decoded and with defaults), or replaces it.
    pub fn define(&mut self, definition: &Value) -> Result<(), Vec<Cause>> {
        let versions = custom::versions(definition)?;
        let name = definition.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("");
        self.undefine(name);
        self.custom.extend(versions.into_iter().map(Arc::new));
        Ok(())
    }

    /// Forgets the kind of a CustomResourceDefinition, by its name.
    pub fn undefine(&mut self, definition_name: &str) {
        self.custom.retain(|custom| custom.definition != definition_name);
    }

    /// Decodes an object of a request as the API server does: types are checked, unknown fields pruned or reported,
    /// defaults filled in. Rules are checked by [`Schemas::validate`], after the store has filled in its own fields.
    pub fn admit(
        &self,
        resource: &ResourceType,
        object: &mut Value,
        strictness: FieldValidation,
    ) -> Result<Vec<Warning>, Rejection> {
        let version = resource.api_version();
        let Some((arena, shape)) = self.typed(&version, &resource.kind) else { return Ok(Vec::new()) };
        let custom = self.custom_of(resource);
        let prefix =
            format!("{0} in version {1:?} cannot be handled as a {0}: ", resource.kind, resource.version);
        let decoded = match custom {
            Some(custom) => custom.decode(object),
            None => {
                let mut decoder = Decoder::default();
                decoder.decode(arena, shape, object).map(|()| decoder.unknown)
            }
        };
        let unknown = decoded.map_err(|error| Rejection::BadRequest(format!("{prefix}{error}")))?;
        let unknown: Vec<String> = unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
        if strictness == FieldValidation::Strict && !unknown.is_empty() {
            let message = format!("{prefix}strict decoding error: {}", unknown.join(", "));
            return Err(Rejection::BadRequest(message));
        }
        if let Some(map) = object.as_object_mut() {
            map.insert("apiVersion".to_owned(), json!(version));
            map.insert("kind".to_owned(), json!(resource.kind));
        }
        if custom.is_none() {
            convert(resource, object);
            defaults::fill(arena, shape, object);
        }
        Ok(if strictness == FieldValidation::Warn {
            unknown.into_iter().map(Warning).collect()
        } else {
            Vec::new()
        })
    }

    /// Checks the rules of a kind: of a new object, or of a change where `before` is given.
    pub fn validate(
        &self,
        resource: &ResourceType,
        object: &Value,
        before: Option<&Value>,
    ) -> Result<(), Rejection> {
        let custom = self.custom_of(resource);
        let mut causes = validate::validate(resource, object, before, custom.is_some()).causes;
        if let Some(custom) = custom {
            causes.extend(custom.validate(object));
        }
        if causes.is_empty() { Ok(()) } else { Err(Rejection::Invalid(causes)) }
    }

    /// The OpenAPI v3 document of a group version (`v1`, `apps/v1`), as `/openapi/v3/…` serves it.
    pub fn openapi(&self, group_version: &str) -> Value {
        document::document(group_version, self.custom.iter().map(Arc::as_ref))
    }

    /// Whether a resource comes from a CustomResourceDefinition.
    pub fn is_custom(&self, resource: &ResourceType) -> bool {
        self.custom_of(resource).is_some()
    }

    fn custom_of(&self, resource: &ResourceType) -> Option<&Custom> {
        let custom = self.custom.iter().find(|custom| {
            let known = &custom.resource;
            known.kind == resource.kind && known.group == resource.group && known.version == resource.version
        });
        custom.map(Arc::as_ref)
    }

    /// The type of a kind.
    pub(crate) fn typed(&self, version: &str, kind: &str) -> Option<(&Arena, &Shape)> {
        let built_in = recorded();
        if let Some(shape) = built_in.shapes.get(&(version.to_owned(), kind.to_owned())) {
            return Some((&built_in.arena, shape));
        }
        let custom = self.custom.iter().find(|custom| {
            let resource = &custom.resource;
            resource.kind == kind && api_version(&resource.group, &resource.version) == version
        })?;
        Some((&custom.arena, &custom.shape))
    }

    /// An object of which nothing is known but its kind.
    pub(crate) fn empty(&self, resource: &ResourceType) -> Value {
        let version = resource.api_version();
        let mut object = match self.typed(&version, &resource.kind) {
            Some((arena, shape)) => decode::zero(arena, shape),
            None => json!({}),
        };
        if let Some(map) = object.as_object_mut() {
            map.insert("apiVersion".to_owned(), json!(version));
            map.insert("kind".to_owned(), json!(resource.kind));
        }
        object
    }

    /// Brings what an apply merged into its form, and fills in defaults.
    pub(crate) fn settle(&self, resource: &ResourceType, object: &mut Value) -> Result<(), String> {
        if let Some(custom) = self.custom_of(resource) {
            return custom.decode(object).map(drop);
        }
        let Some((arena, shape)) = self.typed(&resource.api_version(), &resource.kind) else { return Ok(()) };
        Decoder::default().decode(arena, shape, object)?;
        convert(resource, object);
        defaults::fill(arena, shape, object);
        Ok(())
    }

    /// The form in which an object comes back from storage.
    pub(crate) fn store_form(&self, resource: &ResourceType, object: &mut Value) {
        if let Some((arena, shape)) = self.typed(&resource.api_version(), &resource.kind) {
            decode::as_stored(arena, shape, object);
        }
    }
}

/// What reading an object into the server's own form and back does: the text of Secrets becomes data, the templates
/// of claims get their kind.
fn convert(resource: &ResourceType, object: &mut Value) {
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Secret") => convert_secret(object),
        ("apps", "StatefulSet") => {
            let templates = object.pointer_mut("/spec/volumeClaimTemplates").and_then(Value::as_array_mut);
            for template in templates.into_iter().flatten().filter_map(Value::as_object_mut) {
                template.insert("apiVersion".to_owned(), json!("v1"));
                template.insert("kind".to_owned(), json!("PersistentVolumeClaim"));
            }
        }
        _ => {}
    }
}

fn convert_secret(object: &mut Value) {
    let Some(map) = object.as_object_mut() else { return };
    let Some(Value::Object(texts)) = map.shift_remove("stringData") else { return };
    let data = map.entry("data").or_insert_with(|| json!({}));
    let Some(data) = data.as_object_mut() else { return };
    for (key, text) in texts {
        use base64::Engine as _;
        let text = text.as_str().unwrap_or("");
        data.insert(key, json!(base64::engine::general_purpose::STANDARD.encode(text)));
    }
}

#[cfg(test)]
#[path = "schema/tests.rs"]
mod tests;
