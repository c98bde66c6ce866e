//! The order in which Helm installs objects. Pure functions.

use std::sync::LazyLock;

use foldhash::HashMap;

use super::Document;
use crate::Compat;

/// Helm's install order by kind.
const INSTALL_ORDER: [&str; 38] = [
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
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// Where each of them stands there.
static PLACES: LazyLock<HashMap<&str, usize>> =
    LazyLock::new(|| INSTALL_ORDER.into_iter().zip(0..).collect());

pub(super) fn sort_by_kind(documents: &mut [Document], compat: Compat) {
    let known = if compat == Compat::V3_19 { 36 } else { 38 };
    documents.sort_by_cached_key(|document| match PLACES.get(document.kind.as_str()) {
        Some(place) if *place < known => (*place, String::new()),
        _ => (usize::MAX, document.kind.clone()),
    });
}
