//! What Git asks for: a version with its rendered set, without bodies; or why it cannot be told.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::digest::{Digest, HashKey, KeyedHash};
use crate::model::facts::Version;
use crate::model::hold::HoldReason;
use crate::model::kinds::built_in_scope;
use crate::model::manifest::{Manifest, RenderedSet, install_rank};
use crate::model::name::NamespaceName;
use crate::model::policy::SyncPolicy;
use crate::model::resource::{ApiVersion, GroupKind, ResourceId};

/// One object of a wanted set, without its body.
#[derive(Clone, Debug, PartialEq)]
pub struct WantedObject {
    /// Which object.
    pub id: ResourceId,
    /// The version it is written in.
    pub api_version: ApiVersion,
    /// Its sync wave.
    pub wave: i32,
    /// Its place in the order of kinds.
    pub rank: usize,
    /// Whether an annotation says that it must never be pruned.
    pub keep: bool,
    /// Whether it may be pruned only after confirmation.
    pub protected: bool,
    /// The keyed hash of the manifest.
    pub desired: KeyedHash,
    /// What it scales, if it is a HorizontalPodAutoscaler.
    pub scales: Option<ResourceId>,
}

/// A rendered set without bodies, in the order of application.
#[derive(Clone, Debug, PartialEq)]
pub struct WantedSet {
    /// The digest of the rendered set.
    pub digest: Digest,
    /// The objects.
    pub objects: Vec<WantedObject>,
}

impl WantedSet {
    /// Hashes a rendered set.
    pub fn new(set: &RenderedSet, key: &HashKey) -> Self {
        let objects = set.manifests.iter().map(|manifest| wanted_object(manifest, key)).collect();
        Self { digest: set.digest, objects }
    }

    /// The object with this identity.
    pub fn get(&self, id: &ResourceId) -> Option<&WantedObject> {
        self.objects.iter().find(|object| &object.id == id)
    }
}

fn wanted_object(manifest: &Manifest, key: &HashKey) -> WantedObject {
    WantedObject {
        id: manifest.id.clone(),
        api_version: manifest.api_version.clone(),
        wave: manifest.wave,
        rank: install_rank(&manifest.id.kind),
        keep: manifest.keep,
        protected: is_protected(manifest),
        desired: key.of_value(&manifest.object),
        scales: scaled_by(&manifest.object),
    }
}

/// The object that a HorizontalPodAutoscaler scales.
pub fn scaled_by(object: &serde_json::Value) -> Option<ResourceId> {
    if object.get("kind")?.as_str()? != "HorizontalPodAutoscaler" {
        return None;
    }
    let text = |at: &str| object.pointer(at).and_then(serde_json::Value::as_str);
    let version = ApiVersion::parse(text("/spec/scaleTargetRef/apiVersion")?)?;
    Some(ResourceId {
        kind: GroupKind { group: version.group, kind: text("/spec/scaleTargetRef/kind")?.into() },
        namespace: text("/metadata/namespace").map(Into::into),
        name: text("/spec/scaleTargetRef/name")?.into(),
    })
}

/// Objects that hold data, or on which other things depend (RULES §6).
pub(super) fn is_protected(manifest: &Manifest) -> bool {
    let kind = &manifest.id.kind;
    let policy = manifest.object.pointer("/spec/persistentVolumeClaimRetentionPolicy/whenDeleted");
    let deletes_claims = kind.is("apps", "StatefulSet") && policy.is_some_and(|policy| policy == "Delete");
    holds_data(kind) || deletes_claims
}

/// Kinds that hold data, or on which other things depend, whatever their manifests say.
pub(super) fn holds_data(kind: &GroupKind) -> bool {
    ["PersistentVolume", "PersistentVolumeClaim", "Namespace"].iter().any(|name| kind.is("", name))
        || kind.is("apiextensions.k8s.io", "CustomResourceDefinition")
        || built_in_scope(kind).is_none()
}

/// What Git asks for.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// This version.
    Version(Box<WantedVersion>),
    /// It cannot be told: what is deployed is kept.
    Held(Vec<HoldReason>),
    /// There is code but neither branch nor pin: nothing is deployed, and that is no fault.
    NeverPromoted,
    /// The application left Git, by a complete reading of it, and its environment may lose it.
    Removed,
}

/// A version with its rendered set and options.
#[derive(Clone, Debug)]
pub struct WantedVersion {
    /// The version.
    pub version: Version,
    /// The digest of its inputs.
    pub inputs: Digest,
    /// The rendered set.
    pub set: Arc<WantedSet>,
    /// The effective sync options.
    pub policy: SyncPolicy,
    /// The namespace.
    pub namespace: NamespaceName,
    /// The labels of the namespace.
    pub namespace_labels: BTreeMap<String, String>,
    /// The release name.
    pub release: String,
    /// Whether objects that another tool tracks may be taken over.
    pub adopt: bool,
    /// Whether the same config revision moves other applications too.
    pub moves_with_others: bool,
}
