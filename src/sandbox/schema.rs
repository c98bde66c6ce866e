//! What the API server knows of its kinds: resources, types, defaults and rules, of the built-in kinds and of those
//! that CustomResourceDefinitions add. No clock, no IO.

use serde_json::Value;

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

/// All kinds that a server knows.
#[derive(Clone, Debug, Default)]
pub struct Schemas {
    resources: Vec<ResourceType>,
}

impl Schemas {
    /// The kinds that every API server has.
    pub fn built_in() -> Schemas {
        Schemas::default()
    }

    /// Every resource, built-in ones first.
    pub fn resources(&self) -> impl Iterator<Item = &ResourceType> {
        self.resources.iter()
    }

    /// A resource by its place in paths.
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<&ResourceType> {
        self.resources().find(|known| known.group == group && known.version == version && known.plural == plural)
    }

    /// A resource by the kind of its objects.
    pub fn find_kind(&self, group: &str, version: &str, kind: &str) -> Option<&ResourceType> {
        self.resources().find(|known| known.group == group && known.version == version && known.kind == kind)
    }

    /// Registers the kind of a CustomResourceDefinition (decoded and with defaults), or replaces it.
    pub fn define(&mut self, _definition: &Value) -> Result<(), Vec<Cause>> {
        Ok(())
    }

    /// Forgets the kind of a CustomResourceDefinition, by its name.
    pub fn undefine(&mut self, _definition_name: &str) {}

    /// Decodes an object of a request as the API server does: types are checked, unknown fields pruned or reported,
    /// defaults filled in. Rules are checked by [`Schemas::validate`], after the store has filled in its own fields.
    pub fn admit(
        &self,
        _resource: &ResourceType,
        _object: &mut Value,
        _strictness: FieldValidation,
    ) -> Result<Vec<Warning>, Rejection> {
        Ok(Vec::new())
    }

    /// Checks the rules of a kind: of a new object, or of a change where `before` is given.
    pub fn validate(
        &self,
        _resource: &ResourceType,
        _object: &Value,
        _before: Option<&Value>,
    ) -> Result<(), Rejection> {
        Ok(())
    }

    /// The OpenAPI v3 document of a group version (`v1`, `apps/v1`), as `/openapi/v3/…` serves it.
    pub fn openapi(&self, _group_version: &str) -> Value {
        serde_json::json!({"openapi": "3.0.0", "paths": {}, "components": {"schemas": {}}})
    }
}
