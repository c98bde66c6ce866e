//! Whether a kind lives in a namespace: by discovery, by CustomResourceDefinitions in the render, by the table
//! of built-in kinds.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::Draft;
use crate::model::kinds::{KindTable, built_in_scope};
use crate::model::name::NamespaceName;
use crate::model::resource::{ApiVersion, GroupKind};

pub(super) struct Scopes<'a> {
    rendered: HashMap<GroupKind, bool>,
    kinds: Option<&'a KindTable>,
}

impl<'a> Scopes<'a> {
    pub(super) fn new(drafts: &[Draft], kinds: Option<&'a KindTable>) -> Self {
        let rendered = drafts.iter().filter_map(|draft| defined_kind(&draft.object)).collect();
        Self { rendered, kinds }
    }

    /// Fills in the namespace of a namespaced object that has none, and takes it from a cluster-scoped one.
    pub(super) fn fill_namespace(&self, object: &mut Value, namespace: &NamespaceName) {
        let Some(kind) = kind_of(object) else { return };
        let namespaced = self.is_namespaced(&kind);
        let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
            return;
        };
        let has = metadata.get("namespace").and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        if !namespaced {
            metadata.shift_remove("namespace");
        } else if !has {
            metadata.insert("namespace".to_owned(), json!(namespace.as_str()));
        }
    }

    /// A kind that nobody knows is taken for namespaced, unless its name begins with "Cluster" as those of
    /// cluster-scoped custom resources do by habit. Discovery, where there is one, has the last word.
    fn is_namespaced(&self, kind: &GroupKind) -> bool {
        self.kinds
            .and_then(|kinds| kinds.is_namespaced(kind))
            .or_else(|| self.rendered.get(kind).copied())
            .or_else(|| built_in_scope(kind))
            .unwrap_or_else(|| !kind.kind.starts_with("Cluster"))
    }
}

pub(super) fn kind_of(object: &Value) -> Option<GroupKind> {
    let version = ApiVersion::parse(object.get("apiVersion")?.as_str()?)?;
    Some(GroupKind { group: version.group, kind: object.get("kind")?.as_str()?.into() })
}

fn defined_kind(object: &Value) -> Option<(GroupKind, bool)> {
    if object.get("kind")?.as_str()? != "CustomResourceDefinition" {
        return None;
    }
    let text = |at: &str| object.pointer(at).and_then(Value::as_str);
    let kind = GroupKind::new(text("/spec/group")?, text("/spec/names/kind")?);
    Some((kind, text("/spec/scope")? == "Namespaced"))
}
