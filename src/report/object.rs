//! Which object is spoken of, in the keys that every JSON of ours has for it.

use serde::Serialize;

use crate::model::resource::ResourceId;

/// An object by its identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ObjectReference {
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl From<&ResourceId> for ObjectReference {
    fn from(id: &ResourceId) -> Self {
        Self {
            group: id.kind.group.to_string(),
            kind: id.kind.kind.to_string(),
            namespace: id.namespace.as_deref().unwrap_or("").to_owned(),
            name: id.name.to_string(),
        }
    }
}

/// Several objects.
pub(super) fn references(ids: &[ResourceId]) -> Vec<ObjectReference> {
    ids.iter().map(ObjectReference::from).collect()
}
