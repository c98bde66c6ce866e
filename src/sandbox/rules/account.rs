//! What every namespace holds from its beginning: a service account and the authority's certificate.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::object::Fields;
use super::super::rest::Caller;
use super::super::store::Store;

/// Nothing in the sandbox is encrypted: the certificate only has the right shape.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nc2FuZGJveA==\n-----END CERTIFICATE-----\n";

/// Creates what a namespace holds from its beginning, where it is missing.
pub(in super::super) fn furnish(store: &mut Store, namespace: &str, now: Timestamp) {
    let caller = Caller::system("kube-controller-manager", now);
    let annotation = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";
    let certificate = json!({"metadata": {"name": "kube-root-ca.crt",
        "annotations": {"kubernetes.io/description": annotation}}, "data": {"ca.crt": CERTIFICATE}});
    let account = json!({"metadata": {"name": "default"}});
    for (collection, object) in [("serviceaccounts", account), ("configmaps", certificate)] {
        ensure(store, collection, namespace, object, &caller);
    }
}

fn ensure(store: &mut Store, collection: &str, namespace: &str, object: Value, caller: &Caller) {
    if store.get(collection, namespace, object.name()).is_some() {
        return;
    }
    let Some(resource) = store.catalog().of_collection(collection).cloned() else { return };
    // What is there already is as good.
    drop(store.create(&resource, namespace, object, caller));
}
