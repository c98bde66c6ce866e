//! A rendered manifest: an object we want, with what its annotations ask of us already read.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::digest::{Digest, DigestBuilder, canonical_json};
use super::resource::{ApiVersion, GroupKind, ResourceId};

/// The label that names the instance an object belongs to.
pub const INSTANCE_LABEL: &str = "moorline.dev/instance";
/// The label that names the application, as `environment.service`.
pub const APPLICATION_LABEL: &str = "moorline.dev/application";
/// The label of a namespace that names its team.
pub const TEAM_LABEL: &str = "moorline.dev/team";

/// An object we want in the cluster.
#[derive(Clone, PartialEq)]
pub struct Manifest {
    /// Its identity.
    pub id: ResourceId,
    /// The version it is written in.
    pub api_version: ApiVersion,
    /// Where it comes from: a template or file, for messages.
    pub source: Arc<str>,
    /// The sync wave (`argocd.argoproj.io/sync-wave`), lower first.
    pub wave: i32,
    /// Whether an annotation says that it must never be pruned.
    pub keep: bool,
    /// The object itself.
    pub object: Arc<Value>,
}

impl fmt::Debug for Manifest {
    /// Never shows the object: it may be a Secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Manifest({}, wave {})", self.id, self.wave)
    }
}

/// Why a document cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidManifest {
    /// It is not a map.
    #[error("{source_file}: the document is not a map with apiVersion and kind")]
    NotAMap {
        /// The file or template.
        source_file: String,
    },
    /// A needed field is absent or no text.
    #[error("{source_file}: {field} is missing or not a text")]
    Missing {
        /// The file or template.
        source_file: String,
        /// The field.
        field: &'static str,
    },
    /// A field has an impossible value.
    #[error("{source_file}: {field} {value:?} is not valid")]
    Invalid {
        /// The file or template.
        source_file: String,
        /// The field.
        field: &'static str,
        /// The value, cut.
        value: String,
    },
}

/// The hook annotations of the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookPhase {
    /// Tests: left out silently.
    Test,
    /// After the sync: a notice.
    After,
    /// Before the sync: holds the application.
    Before,
    /// Other events (delete, rollback, skip): never applied here.
    Other,
}

impl Manifest {
    /// Reads an object's identity and annotations.
    pub fn parse(object: Value, source: &str) -> Result<Self, InvalidManifest> {
        let missing = |field| InvalidManifest::Missing { source_file: source.to_owned(), field };
        let invalid = |field, value: &str| InvalidManifest::Invalid {
            source_file: source.to_owned(),
            field,
            value: value.chars().take(80).collect(),
        };
        if !object.is_object() {
            return Err(InvalidManifest::NotAMap { source_file: source.to_owned() });
        }
        let text =
            |pointer: &str| object.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        let version = text("/apiVersion").ok_or_else(|| missing("apiVersion"))?;
        let api_version = ApiVersion::parse(version).ok_or_else(|| invalid("apiVersion", version))?;
        let kind = text("/kind").ok_or_else(|| missing("kind"))?;
        let name = text("/metadata/name").ok_or_else(|| missing("metadata.name"))?;
        let plain =
            |part: &str| !part.chars().any(|char| matches!(char, '/' | '%' | '|') || char.is_control());
        if !kind.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(invalid("kind", kind));
        }
        if !plain(name) || matches!(name, "." | "..") {
            return Err(invalid("metadata.name", name));
        }
        let namespace = text("/metadata/namespace");
        if let Some(namespace) = namespace.filter(|namespace| !plain(namespace)) {
            return Err(invalid("metadata.namespace", namespace));
        }
        let id = ResourceId {
            kind: GroupKind { group: api_version.group.clone(), kind: kind.into() },
            namespace: namespace.map(Into::into),
            name: name.into(),
        };
        let wave = match annotation(&object, "argocd.argoproj.io/sync-wave") {
            Some(text) => text.trim().parse().map_err(|_| invalid("the sync wave", text))?,
            None => 0,
        };
        let keep = keeps(&object);
        Ok(Self { id, api_version, source: source.into(), wave, keep, object: Arc::new(object) })
    }

    /// The digest of the object, independent of the order of its keys.
    pub fn digest(&self) -> Digest {
        Digest::of(canonical_json(&self.object).as_bytes())
    }

    /// Whether this is a Secret: its values are never shown.
    pub fn is_secret(&self) -> bool {
        self.id.kind.is("", "Secret")
    }

    /// The hook phase that annotations ask for, absent for a plain object.
    pub fn hook(&self) -> Option<HookPhase> {
        hook_of(&self.object)
    }
}

/// Reads one annotation.
pub fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("annotations")?.get(key)?.as_str()
}

/// Reads one label.
pub fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("labels")?.get(key)?.as_str()
}

/// Whether annotations of Argo CD, Helm or Flux forbid pruning.
pub fn keeps(object: &Value) -> bool {
    let options = annotation(object, "argocd.argoproj.io/sync-options").unwrap_or("");
    let option =
        options.split(',').map(str::trim).any(|option| matches!(option, "Prune=false" | "Delete=false"));
    option
        || annotation(object, "helm.sh/resource-policy").is_some_and(|policy| policy.trim() == "keep")
        || annotation(object, "kustomize.toolkit.fluxcd.io/prune")
            .is_some_and(|text| text.trim() == "disabled")
}

fn hook_of(object: &Value) -> Option<HookPhase> {
    let events =
        annotation(object, "helm.sh/hook").or_else(|| annotation(object, "argocd.argoproj.io/hook"))?;
    let phase_of = |event: &str| match event.trim() {
        "test" | "test-success" | "test-failure" => HookPhase::Test,
        "post-install" | "post-upgrade" | "PostSync" | "Sync" => HookPhase::After,
        "pre-install" | "pre-upgrade" | "PreSync" => HookPhase::Before,
        _ => HookPhase::Other,
    };
    let phases: Vec<_> = events.split(',').map(phase_of).collect();
    let worst = [HookPhase::Before, HookPhase::After, HookPhase::Other, HookPhase::Test];
    worst.into_iter().find(|phase| phases.contains(phase))
}

/// A complete rendered set: the manifests of one application in the order of their application.
#[derive(Clone, Debug, PartialEq)]
pub struct RenderedSet {
    /// Manifests, ordered by wave, then Helm's install order, then name.
    pub manifests: Arc<[Manifest]>,
    /// The digest of all of them.
    pub digest: Digest,
}

impl RenderedSet {
    /// Orders the manifests and computes the digest.
    pub fn new(mut manifests: Vec<Manifest>) -> Self {
        manifests.sort_by(|one, other| {
            let key = |manifest: &Manifest| (manifest.wave, install_rank(&manifest.id.kind));
            key(one).cmp(&key(other)).then_with(|| one.id.cmp(&other.id))
        });
        let mut builder = DigestBuilder::default();
        for manifest in &manifests {
            builder.add(canonical_json(&manifest.object).as_bytes());
        }
        Self { manifests: manifests.into(), digest: builder.finish() }
    }

    /// The manifest of an object.
    pub fn get(&self, id: &ResourceId) -> Option<&Manifest> {
        self.manifests.iter().find(|manifest| &manifest.id == id)
    }
}

/// Helm 4's install order (`pkg/release/v1/util/kind_sorter.go`); kinds that are not listed come between the
/// listed ones and the webhook configurations' place at the end.
const INSTALL_ORDER: [&str; 36] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
];

/// The place of a kind in the order of application. CRDs and namespaces come first of all, because everything
/// else may need them.
pub fn install_rank(kind: &GroupKind) -> usize {
    match &*kind.kind {
        "CustomResourceDefinition" => return 0,
        "Namespace" => return 1,
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => return INSTALL_ORDER.len() + 3,
        _ => {}
    }
    let place = INSTALL_ORDER.iter().position(|listed| *listed == &*kind.kind);
    place.map_or(INSTALL_ORDER.len() + 2, |place| place + 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn manifest(object: Value) -> Manifest {
        Manifest::parse(object, "test.yaml").unwrap()
    }

    #[test]
    fn annotations_are_read() {
        let keeping = [
            json!({"argocd.argoproj.io/sync-options": "Validate=false, Prune=false"}),
            json!({"helm.sh/resource-policy": "keep"}),
            json!({"kustomize.toolkit.fluxcd.io/prune": "disabled"}),
        ];
        for annotations in keeping {
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "annotations": annotations}});
            assert!(manifest(object).keep);
        }
        let hook = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "annotations": {"helm.sh/hook": "post-install, pre-upgrade"}}});
        assert_eq!(manifest(hook).hook(), Some(HookPhase::Before));
    }

    #[test]
    fn hostile_names_are_refused() {
        for name in ["a/b", "..", "a%2fb", "a|b", ""] {
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
            assert!(Manifest::parse(object, "x").is_err(), "{name}");
        }
        let object = json!({"apiVersion": "v1", "kind": "Config/Map", "metadata": {"name": "a"}});
        assert!(Manifest::parse(object, "x").is_err());
        assert!(Manifest::parse(json!([1]), "x").is_err());
    }

    #[test]
    fn a_set_is_ordered_by_wave_and_kind() {
        let object = |kind: &str, wave: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a", "annotations": {"argocd.argoproj.io/sync-wave": wave}}});
        let set = RenderedSet::new(vec![
            manifest(object("Zed", "0")),
            manifest(object("Deployment", "0")),
            manifest(object("ConfigMap", "1")),
            manifest(object("Service", "-1")),
            manifest(object("CustomResourceDefinition", "0")),
        ]);
        let kinds: Vec<_> = set.manifests.iter().map(|manifest| manifest.id.kind.kind.to_string()).collect();
        assert_eq!(kinds, ["Service", "CustomResourceDefinition", "Deployment", "Zed", "ConfigMap"]);
    }

    #[test]
    fn a_manifest_does_not_show_its_values() {
        let secret = manifest(
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"k": "canary"}}),
        );
        assert!(!format!("{secret:?}").contains("canary"));
    }
}
