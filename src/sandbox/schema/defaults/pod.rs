//! Defaults of pods, their containers, probes and volumes.

use serde_json::{Map, Value, json};

use super::{Filler, inner, lacks, set, set_number, text};

pub(super) fn filler(structure: &str) -> Option<Filler> {
    Some(match structure {
        "Pod" => pod,
        "PodStatus" => pod_status,
        "PodSpec" => pod_spec,
        "Container" | "EphemeralContainer" => container,
        "Probe" => probe,
        "HTTPGetAction" => |map| {
            set(map, "path", "/");
            set(map, "scheme", "HTTP");
        },
        "GRPCAction" => |map| {
            if map.get("service").is_none_or(Value::is_null) {
                map.insert("service".to_owned(), json!(""));
            }
        },
        "ObjectFieldSelector" => |map| set(map, "apiVersion", "v1"),
        "Volume" => volume,
        "SecretVolumeSource"
        | "ConfigMapVolumeSource"
        | "DownwardAPIVolumeSource"
        | "ProjectedVolumeSource" => |map| set(map, "defaultMode", 420),
        "ServiceAccountTokenProjection" => |map| set(map, "expirationSeconds", 3600),
        "HostPathVolumeSource" => |map| {
            if map.get("type").is_none_or(Value::is_null) {
                map.insert("type".to_owned(), json!(""));
            }
        },
        "AzureDiskVolumeSource" => |map| set(map, "readOnly", false),
        _ => return None,
    })
}

fn pod(map: &mut Map<String, Value>) {
    let Some(spec) = inner(map, "spec") else { return };
    if spec.get("terminationGracePeriodSeconds").and_then(Value::as_i64).is_some_and(|period| period < 0) {
        spec.insert("terminationGracePeriodSeconds".to_owned(), json!(1));
    }
    set(spec, "enableServiceLinks", true);
    let host_network = spec.get("hostNetwork") == Some(&Value::Bool(true));
    for list in ["containers", "initContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
            requests_from_limits(container);
            if host_network {
                host_ports(container);
            }
        }
    }
}

fn requests_from_limits(container: &mut Map<String, Value>) {
    let Some(resources) = container.get_mut("resources").and_then(Value::as_object_mut) else { return };
    let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() else { return };
    let Some(requests) = inner(resources, "requests") else { return };
    for (name, quantity) in limits {
        requests.entry(name).or_insert(quantity);
    }
}

fn host_ports(container: &mut Map<String, Value>) {
    let ports = container.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        let number = port.get("containerPort").and_then(Value::as_i64).unwrap_or(0);
        if number != 0 {
            set_number(port, "hostPort", number);
        }
    }
}

fn pod_status(map: &mut Map<String, Value>) {
    let ip = text(map, "podIP").to_owned();
    let first = map.get("podIPs").and_then(|ips| ips.pointer("/0/ip")).and_then(Value::as_str);
    let first = first.unwrap_or("").to_owned();
    if !ip.is_empty() && first != ip {
        map.insert("podIPs".to_owned(), json!([{"ip": ip}]));
    } else if ip.is_empty() && !first.is_empty() {
        map.insert("podIP".to_owned(), json!(first));
    }
}

fn pod_spec(map: &mut Map<String, Value>) {
    if lacks(map, "serviceAccountName")
        && let Some(account) = map.get("serviceAccount").filter(|account| **account != "").cloned()
    {
        map.insert("serviceAccountName".to_owned(), account);
    }
    if let Some(account) = map.get("serviceAccountName").filter(|account| !account.is_null()).cloned() {
        map.insert("serviceAccount".to_owned(), account);
    }
    set(map, "dnsPolicy", "ClusterFirst");
    set(map, "restartPolicy", "Always");
    set(map, "securityContext", json!({}));
    set(map, "terminationGracePeriodSeconds", 30);
    set(map, "schedulerName", "default-scheduler");
}

fn container(map: &mut Map<String, Value>) {
    let policy = pull_policy(text(map, "image"));
    set(map, "imagePullPolicy", policy);
    set(map, "terminationMessagePath", "/dev/termination-log");
    set(map, "terminationMessagePolicy", "File");
}

/// Images without a tag, or with the tag latest, may change any time.
fn pull_policy(image: &str) -> &'static str {
    let (name, digest) = image.split_once('@').map_or((image, ""), |(name, digest)| (name, digest));
    let last = name.rsplit('/').next().unwrap_or(name);
    let tag = last.split_once(':').map_or("", |(_, tag)| tag);
    let latest = tag == "latest" || (tag.is_empty() && digest.is_empty() && !image.is_empty());
    if latest { "Always" } else { "IfNotPresent" }
}

fn probe(map: &mut Map<String, Value>) {
    set_number(map, "timeoutSeconds", 1);
    set_number(map, "periodSeconds", 10);
    set_number(map, "successThreshold", 1);
    set_number(map, "failureThreshold", 3);
}

fn volume(map: &mut Map<String, Value>) {
    let has_source = map.iter().any(|(key, value)| key != "name" && !value.is_null());
    if !has_source {
        map.insert("emptyDir".to_owned(), json!({}));
    }
    if let Some(image) = map.get_mut("image").and_then(Value::as_object_mut) {
        let policy = pull_policy(text(image, "reference"));
        set(image, "pullPolicy", policy);
    }
}

#[cfg(test)]
mod tests {
    use super::pull_policy;

    #[test]
    fn what_may_change_is_always_pulled() {
        for image in ["web", "web:latest", "registry:5000/web", "a/b/web:latest"] {
            assert_eq!(pull_policy(image), "Always", "{image}");
        }
        for image in ["web:1", "registry:5000/web:1", "web@sha256:00", "a/web:1@sha256:00"] {
            assert_eq!(pull_policy(image), "IfNotPresent", "{image}");
        }
    }
}
