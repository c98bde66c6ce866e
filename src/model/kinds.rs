//! Which kinds there are, in which versions, and whether they live in a namespace.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::resource::{ApiVersion, GroupKind};

/// What discovery says of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindInfo {
    /// The plural name in URLs.
    pub plural: Arc<str>,
    /// Whether its objects live in a namespace.
    pub namespaced: bool,
    /// Served versions, the preferred one first.
    pub versions: Vec<Arc<str>>,
    /// Whether its objects can be listed and watched.
    pub watchable: bool,
}

/// All kinds of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KindTable {
    kinds: BTreeMap<GroupKind, KindInfo>,
}

impl KindTable {
    /// Adds a kind, or a version to it.
    pub fn add(&mut self, kind: GroupKind, version: &str, plural: &str, namespaced: bool, watchable: bool) {
        let info = self.kinds.entry(kind).or_insert_with(|| KindInfo {
            plural: plural.into(),
            namespaced,
            versions: Vec::new(),
            watchable,
        });
        if !info.versions.iter().any(|known| **known == *version) {
            info.versions.push(version.into());
        }
    }

    /// What is known of a kind.
    pub fn get(&self, kind: &GroupKind) -> Option<&KindInfo> {
        self.kinds.get(kind)
    }

    /// Whether a kind is served in a version.
    pub fn serves(&self, kind: &GroupKind, version: &ApiVersion) -> bool {
        self.kinds.get(kind).is_some_and(|info| info.versions.contains(&version.version))
    }

    /// Whether a kind lives in a namespace; absent if it is not known.
    pub fn is_namespaced(&self, kind: &GroupKind) -> Option<bool> {
        self.kinds.get(kind).map(|info| info.namespaced)
    }

    /// The kinds that can be listed and watched.
    pub fn watchable(&self) -> impl Iterator<Item = &GroupKind> {
        self.kinds.iter().filter(|(_, info)| info.watchable).map(|(kind, _)| kind)
    }

    /// `group/version` and `group/version/Kind` of everything that is served, as Helm's `.Capabilities`.
    pub fn api_versions_text(&self) -> String {
        self.api_versions().join(",")
    }

    /// Whether a group and version is served, or a kind in it: `apps/v1` or `apps/v1/Deployment`.
    pub fn has_api(&self, text: &str) -> bool {
        let (version, kind) = match text.rsplit_once('/') {
            Some((version, kind)) if kind.starts_with(|char: char| char.is_ascii_uppercase()) => {
                (version, Some(kind))
            }
            _ => (text, None),
        };
        let Some(version) = ApiVersion::parse(version) else { return false };
        let is_it = |one: &GroupKind, info: &KindInfo| {
            one.group == version.group
                && kind.is_none_or(|kind| *one.kind == *kind)
                && info.versions.contains(&version.version)
        };
        self.kinds.iter().any(|(one, info)| is_it(one, info))
    }

    /// All groups and versions, and all kinds in them, as Helm lists them.
    pub fn api_versions(&self) -> Vec<String> {
        let mut all = std::collections::BTreeSet::new();
        for (kind, info) in &self.kinds {
            for version in &info.versions {
                let version = ApiVersion { group: kind.group.clone(), version: version.clone() };
                all.insert(format!("{version}/{}", kind.kind));
                all.insert(version.to_string());
            }
        }
        all.into_iter().collect()
    }
}

/// Cluster-scoped kinds built into Kubernetes; every other built-in kind lives in a namespace.
const CLUSTER_SCOPED: &[(&str, &[&str])] = &[
    ("", &["Namespace", "Node", "PersistentVolume", "ComponentStatus"]),
    (
        "admissionregistration.k8s.io",
        &[
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
        ],
    ),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["APIService"]),
    ("certificates.k8s.io", &["CertificateSigningRequest", "ClusterTrustBundle"]),
    ("flowcontrol.apiserver.k8s.io", &["FlowSchema", "PriorityLevelConfiguration"]),
    ("networking.k8s.io", &["IngressClass", "IPAddress", "ServiceCIDR"]),
    ("node.k8s.io", &["RuntimeClass"]),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding"]),
    ("resource.k8s.io", &["DeviceClass", "ResourceSlice"]),
    ("scheduling.k8s.io", &["PriorityClass"]),
    (
        "storage.k8s.io",
        &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"],
    ),
];

/// Groups of Kubernetes itself.
const BUILT_IN: &[&str] = &["", "apps", "autoscaling", "batch", "policy", "extensions"];

/// Whether a built-in kind lives in a namespace; absent for kinds that are not Kubernetes' own.
pub fn built_in_scope(kind: &GroupKind) -> Option<bool> {
    let listed = CLUSTER_SCOPED.iter().find(|(group, _)| *group == &*kind.group);
    if listed.is_some_and(|(_, kinds)| kinds.contains(&&*kind.kind)) {
        return Some(false);
    }
    let own = BUILT_IN.contains(&&*kind.group)
        || listed.is_some()
        || kind.group.ends_with(".k8s.io") && is_core_group(&kind.group);
    own.then_some(true)
}

/// Groups under k8s.io that the API server itself serves and that have no cluster-scoped kind.
fn is_core_group(group: &str) -> bool {
    matches!(group, "coordination.k8s.io" | "discovery.k8s.io" | "events.k8s.io" | "authorization.k8s.io")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_of_built_in_kinds() {
        let scope = |group, kind| built_in_scope(&GroupKind::new(group, kind));
        assert_eq!(scope("", "ConfigMap"), Some(true));
        assert_eq!(scope("", "Namespace"), Some(false));
        assert_eq!(scope("rbac.authorization.k8s.io", "ClusterRole"), Some(false));
        assert_eq!(scope("rbac.authorization.k8s.io", "Role"), Some(true));
        assert_eq!(scope("cert-manager.io", "ClusterIssuer"), None);
        assert_eq!(scope("snapshot.storage.k8s.io", "VolumeSnapshotClass"), None);
    }
}
