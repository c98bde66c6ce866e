//! Defaults of services, storage, access, admission and what else a cluster holds.

use serde_json::{Map, Value, json};

use super::{Filler, inner, lacks, lacks_items, present, set, set_number, text};

pub(super) fn core(structure: &str) -> Option<Filler> {
    Some(match structure {
        "Service" => service,
        "Secret" => |map| set(map, "type", "Opaque"),
        "PersistentVolumeStatus" | "PersistentVolumeClaimStatus" => |map| set(map, "phase", "Pending"),
        "PersistentVolumeSpec" => |map| {
            set(map, "persistentVolumeReclaimPolicy", "Retain");
            set(map, "volumeMode", "Filesystem");
        },
        "PersistentVolumeClaimSpec" => |map| set(map, "volumeMode", "Filesystem"),
        "EndpointPort" => |map| set(map, "protocol", "TCP"),
        "Namespace" => namespace,
        "NamespaceStatus" => |map| set(map, "phase", "Active"),
        "NodeStatus" => |map| {
            if let Some(capacity) = map.get("capacity").cloned() {
                set(map, "allocatable", capacity);
            }
        },
        "LimitRangeItem" => limit_range,
        "ReplicationController" => replication_controller,
        _ => return None,
    })
}

fn service(map: &mut Map<String, Value>) {
    let Some(spec) = inner(map, "spec") else { return };
    set(spec, "sessionAffinity", "None");
    if text(spec, "sessionAffinity") == "None" {
        spec.shift_remove("sessionAffinityConfig");
    }
    if text(spec, "sessionAffinity") == "ClientIP" {
        let timeout =
            spec.get("sessionAffinityConfig").and_then(|config| config.pointer("/clientIP/timeoutSeconds"));
        if timeout.is_none() {
            let config = json!({"clientIP": {"timeoutSeconds": 10800}});
            spec.insert("sessionAffinityConfig".to_owned(), config);
        }
    }
    set(spec, "type", "ClusterIP");
    let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        set(port, "protocol", "TCP");
        let unset = port.get("targetPort").is_none_or(|port| port.is_null() || *port == 0 || *port == "");
        if unset {
            let number = port.get("port").cloned().unwrap_or(json!(0));
            port.insert("targetPort".to_owned(), number);
        }
    }
    let kind = text(spec, "type").to_owned();
    let external = matches!(kind.as_str(), "NodePort" | "LoadBalancer")
        || (kind == "ClusterIP" && !lacks_items(spec, "externalIPs"));
    if external {
        set(spec, "externalTrafficPolicy", "Cluster");
    }
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer" | "ClusterIP") {
        set(spec, "internalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        set(spec, "allocateLoadBalancerNodePorts", true);
        let ingress = map.get_mut("status").and_then(|status| status.pointer_mut("/loadBalancer/ingress"));
        let ingress = ingress.and_then(Value::as_array_mut).into_iter().flatten();
        for entry in ingress.filter_map(Value::as_object_mut).filter(|entry| !lacks(entry, "ip")) {
            set(entry, "ipMode", "VIP");
        }
    }
}

fn namespace(map: &mut Map<String, Value>) {
    let Some(metadata) = present(map, "metadata") else { return };
    let name = text(metadata, "name").to_owned();
    if name.is_empty() {
        return;
    }
    if let Some(labels) = inner(metadata, "labels") {
        labels.insert("kubernetes.io/metadata.name".to_owned(), json!(name));
    }
}

fn limit_range(map: &mut Map<String, Value>) {
    if text(map, "type") != "Container" {
        return;
    }
    for (to, from) in [("default", "max"), ("defaultRequest", "default"), ("defaultRequest", "min")] {
        let quantities = map.get(from).and_then(Value::as_object).cloned().unwrap_or_default();
        let Some(defaults) = inner(map, to) else { continue };
        for (name, quantity) in quantities {
            defaults.entry(name).or_insert(quantity);
        }
    }
    for list in ["default", "defaultRequest"] {
        if lacks_items(map, list) {
            map.shift_remove(list);
        }
    }
}

fn replication_controller(map: &mut Map<String, Value>) {
    let labels = map.get("spec").and_then(|spec| spec.pointer("/template/metadata/labels")).cloned();
    let Some(labels) = labels else { return };
    if let Some(spec) = inner(map, "spec").filter(|spec| lacks_items(spec, "selector")) {
        spec.insert("selector".to_owned(), labels.clone());
    }
    if let Some(metadata) = inner(map, "metadata").filter(|metadata| lacks_items(metadata, "labels")) {
        metadata.insert("labels".to_owned(), labels);
    }
}

pub(super) fn networking(structure: &str) -> Option<Filler> {
    Some(match structure {
        "NetworkPolicyPort" => |map| set(map, "protocol", "TCP"),
        "NetworkPolicySpec" => |map| {
            if lacks_items(map, "policyTypes") {
                let types = if lacks_items(map, "egress") {
                    json!(["Ingress"])
                } else {
                    json!(["Ingress", "Egress"])
                };
                map.insert("policyTypes".to_owned(), types);
            }
        },
        "IngressClassParametersReference" => |map| set(map, "scope", "Cluster"),
        _ => return None,
    })
}

pub(super) fn access(structure: &str) -> Option<Filler> {
    const GROUP: &str = "rbac.authorization.k8s.io";
    Some(match structure {
        "RoleRef" => |map| set(map, "apiGroup", GROUP),
        "Subject" => |map| {
            if matches!(text(map, "kind"), "User" | "Group") {
                set(map, "apiGroup", GROUP);
            }
        },
        _ => return None,
    })
}

pub(super) fn storage(structure: &str) -> Option<Filler> {
    Some(match structure {
        "StorageClass" => |map| {
            set(map, "reclaimPolicy", "Delete");
            set(map, "volumeBindingMode", "Immediate");
        },
        "CSIDriverSpec" => |map| {
            set(map, "attachRequired", true);
            for switch in [
                "podInfoOnMount",
                "storageCapacity",
                "requiresRepublish",
                "seLinuxMount",
                "preventPodSchedulingIfMissing",
            ] {
                set(map, switch, false);
            }
            set(map, "fsGroupPolicy", "ReadWriteOnceWithFSType");
            if lacks_items(map, "volumeLifecycleModes") {
                map.insert("volumeLifecycleModes".to_owned(), json!(["Persistent"]));
            }
        },
        _ => return None,
    })
}

pub(super) fn admission(structure: &str) -> Option<Filler> {
    Some(match structure {
        "ValidatingWebhook" => webhook,
        "MutatingWebhook" => |map| {
            webhook(map);
            set(map, "reinvocationPolicy", "Never");
        },
        "RuleWithOperations" | "NamedRuleWithOperations" => |map| set(map, "scope", "*"),
        "ServiceReference" => |map| set(map, "port", 443),
        "ValidatingAdmissionPolicySpec" | "MutatingAdmissionPolicySpec" => {
            |map| set(map, "failurePolicy", "Fail")
        }
        "MatchResources" => selectors,
        _ => return None,
    })
}

fn selectors(map: &mut Map<String, Value>) {
    set(map, "matchPolicy", "Equivalent");
    set(map, "namespaceSelector", json!({}));
    set(map, "objectSelector", json!({}));
}

fn webhook(map: &mut Map<String, Value>) {
    set(map, "failurePolicy", "Fail");
    set(map, "timeoutSeconds", 10);
    selectors(map);
}

pub(super) fn discovery(structure: &str) -> Option<Filler> {
    match structure {
        "EndpointPort" => Some(|map| {
            if map.get("name").is_none_or(Value::is_null) {
                map.insert("name".to_owned(), json!(""));
            }
            set(map, "protocol", "TCP");
        }),
        _ => None,
    }
}

pub(super) fn scheduling(structure: &str) -> Option<Filler> {
    match structure {
        "PriorityClass" => Some(|map| set(map, "preemptionPolicy", "PreemptLowerPriority")),
        _ => None,
    }
}

pub(super) fn flow_control(structure: &str) -> Option<Filler> {
    Some(match structure {
        "FlowSchemaSpec" => |map| set_number(map, "matchingPrecedence", 1000),
        "ExemptPriorityLevelConfiguration" => |map| {
            set(map, "nominalConcurrencyShares", 0);
            set(map, "lendablePercent", 0);
        },
        "LimitedPriorityLevelConfiguration" => |map| {
            set(map, "nominalConcurrencyShares", 30);
            set(map, "lendablePercent", 0);
        },
        "QueuingConfiguration" => |map| {
            set_number(map, "handSize", 8);
            set_number(map, "queues", 64);
            set_number(map, "queueLengthLimit", 50);
        },
        _ => return None,
    })
}

pub(super) fn extensions(structure: &str) -> Option<Filler> {
    Some(match structure {
        "CustomResourceDefinition" => definition,
        "ServiceReference" => |map| set(map, "port", 443),
        _ => return None,
    })
}

fn definition(map: &mut Map<String, Value>) {
    let Some(spec) = inner(map, "spec") else { return };
    if let Some(names) = inner(spec, "names") {
        let kind = text(names, "kind").to_owned();
        if !kind.is_empty() {
            set(names, "singular", kind.to_lowercase());
            set(names, "listKind", format!("{kind}List"));
        }
    }
    set(spec, "conversion", json!({"strategy": "None"}));
    let versions = spec.get("versions").and_then(Value::as_array).into_iter().flatten();
    let mut stored = versions.filter(|version| version.get("storage") == Some(&Value::Bool(true)));
    let stored = stored.next().and_then(|version| version.get("name")).cloned();
    let Some(status) = inner(map, "status") else { return };
    if lacks_items(status, "storedVersions")
        && let Some(stored) = stored
    {
        status.insert("storedVersions".to_owned(), json!([stored]));
    }
}
