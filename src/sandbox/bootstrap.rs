//! What a cluster holds before anybody writes to it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::rest::Caller;
use super::store::Store;

/// The node on which everything runs.
pub const NODE: &str = "n1";

impl Store {
    /// A bare cluster: namespaces, node, priority classes and the service of the API itself.
    pub fn bare(seed: u64, now: Timestamp) -> Store {
        let mut store = Store::empty(seed);
        let server = Caller::system("kube-apiserver", now);
        // kube-system comes first: its uid, which stands for the cluster's, then depends on the seed alone.
        for namespace in ["kube-system", "default", "kube-public", "kube-node-lease"] {
            store.place("namespaces", "", json!({"metadata": {"name": namespace}}), &server);
        }
        let classes = [
            (
                "system-node-critical",
                2_000_001_000,
                "Used for system critical pods that must not be moved from their current node.",
            ),
            (
                "system-cluster-critical",
                2_000_000_000,
                "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
            ),
        ];
        for (name, value, description) in classes {
            let class = json!({"metadata": {"name": name}, "value": value, "description": description,
                "preemptionPolicy": "PreemptLowerPriority"});
            store.place("priorityclasses.scheduling.k8s.io", "", class, &server);
        }
        let range = json!({"metadata": {"name": "kubernetes"}, "spec": {"cidrs": ["10.0.0.0/16"]}});
        store.place("servicecidrs.networking.k8s.io", "", range, &server);
        let service = json!({"metadata": {"name": "kubernetes",
                "labels": {"component": "apiserver", "provider": "kubernetes"}},
            "spec": {"type": "ClusterIP", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"],
                "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": 6443}]}});
        store.place("services", "default", service, &server);
        let kubelet = Caller::system("kubelet", now);
        store.place("nodes", "", node(now), &kubelet);
        let lease = json!({"metadata": {"name": NODE}, "spec": {"holderIdentity": NODE,
            "leaseDurationSeconds": 40, "renewTime": format!("{now:.6}")}});
        store.place("leases.coordination.k8s.io", "kube-node-lease", lease, &kubelet);
        store
    }

    fn place(&mut self, collection: &str, namespace: &str, object: Value, caller: &Caller) {
        let Some(resource) = self.catalog().of_collection(collection).cloned() else { return };
        // Nothing of this can be there already, and all of it is valid: a test reads it.
        drop(self.create(&resource, namespace, object, caller));
    }
}

fn node(now: Timestamp) -> Value {
    let since = super::rest::time(now);
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": status, "lastHeartbeatTime": since, "lastTransitionTime": since,
            "reason": reason, "message": message})
    };
    let resources = json!({"cpu": "1000", "memory": "4Ti", "pods": "100k", "ephemeral-storage": "4Ti"});
    json!({"metadata": {"name": NODE,
            "labels": {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}},
        "spec": {"podCIDR": "10.244.0.0/16", "podCIDRs": ["10.244.0.0/16"]},
        "status": {
            "capacity": resources, "allocatable": resources,
            "addresses": [{"type": "InternalIP", "address": "10.1.0.1"}, {"type": "Hostname", "address": NODE}],
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
                condition("Ready", "True", "KubeletReady", "kubelet is posting ready status")],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {"machineID": "", "systemUUID": "", "bootID": "", "kernelVersion": "6.12.0",
                "osImage": "moorline sandbox", "containerRuntimeVersion": "sandbox://1", "kubeletVersion": "v1.37.2",
                "kubeProxyVersion": "", "operatingSystem": "linux", "architecture": "amd64"}}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Fields;

    #[test]
    fn a_bare_cluster_holds_what_a_real_one_does() {
        let store = Store::bare(7, Timestamp::UNIX_EPOCH);
        for (collection, expected) in [
            ("namespaces", 4),
            ("serviceaccounts", 4),
            ("configmaps", 4),
            ("priorityclasses.scheduling.k8s.io", 2),
            ("services", 1),
            ("nodes", 1),
            ("leases.coordination.k8s.io", 1),
        ] {
            assert_eq!(store.list(collection, None).count(), expected, "{collection}");
        }
        let uid = |store: &Store| store.get("namespaces", "", "kube-system").map(|one| one.uid().to_owned());
        assert_eq!(uid(&store), uid(&Store::bare(7, Timestamp::UNIX_EPOCH)));
        assert_ne!(uid(&store), uid(&Store::bare(8, Timestamp::UNIX_EPOCH)));
    }
}
