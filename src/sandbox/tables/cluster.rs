//! Rows of nodes, namespaces, volumes, rights, events and configuration.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::object::Fields;
use super::{age, or};

pub(super) fn cells(collection: &str, object: &Value, created: &str, now: Timestamp) -> Option<Vec<Value>> {
    let (name, created) = (json!(object.name()), json!(created));
    let text = |pointer: &str| json!(object.text(pointer));
    let count = |pointer: &str| json!(object.items(pointer).len());
    let or_none = |pointer: &str| json!(or(object.text(pointer), "<none>"));
    Some(match collection {
        "namespaces" => vec![name, text("/status/phase"), created],
        "nodes" => node(object, &created),
        "configmaps" => vec![name, json!(entries(object, &["/data", "/binaryData"])), created],
        "secrets" => vec![name, text("/type"), json!(entries(object, &["/data"])), created],
        "serviceaccounts" | "deviceclasses.resource.k8s.io" | "resourceclaimtemplates.resource.k8s.io" => {
            vec![name, created]
        }
        "events" => event(object, now),
        "resourcequotas" => quota(object, &created),
        "persistentvolumes" => volume(object, &created),
        "persistentvolumeclaims" => claim(object, &created),
        "storageclasses.storage.k8s.io" => storage_class(object, &created),
        "rolebindings.rbac.authorization.k8s.io" | "clusterrolebindings.rbac.authorization.k8s.io" => {
            role_binding(object, &created)
        }
        "customresourcedefinitions.apiextensions.k8s.io" => definition(object),
        "priorityclasses.scheduling.k8s.io" => {
            let (value, default) =
                (object.number("/value").unwrap_or_default(), object.holds("/globalDefault"));
            vec![name, json!(value), json!(default), created, text("/preemptionPolicy")]
        }
        "leases.coordination.k8s.io" => vec![name, text("/spec/holderIdentity"), created],
        "runtimeclasses.node.k8s.io" => vec![name, text("/handler"), created],
        "mutatingwebhookconfigurations.admissionregistration.k8s.io"
        | "validatingwebhookconfigurations.admissionregistration.k8s.io" => {
            vec![name, count("/webhooks"), created]
        }
        "validatingadmissionpolicies.admissionregistration.k8s.io" => {
            vec![name, count("/spec/validations"), json!(parameter_kind(object)), created]
        }
        "mutatingadmissionpolicies.admissionregistration.k8s.io" => {
            vec![name, count("/spec/mutations"), json!(parameter_kind(object)), created]
        }
        "validatingadmissionpolicybindings.admissionregistration.k8s.io"
        | "mutatingadmissionpolicybindings.admissionregistration.k8s.io" => {
            let parameter = match object.pointer("/spec/paramRef") {
                Some(one) if !one.text("/name").is_empty() => match one.text("/namespace") {
                    "" => format!("*/{}", one.text("/name")),
                    namespace => format!("{namespace}/{}", one.text("/name")),
                },
                _ => "<unset>".to_owned(),
            };
            vec![name, text("/spec/policyName"), json!(parameter), created]
        }
        "horizontalpodautoscalers.autoscaling" => autoscaler(object, &created),
        "apiservices.apiregistration.k8s.io" => vec![name, json!("Local"), json!("True"), created],
        "csinodes.storage.k8s.io" => vec![name, count("/spec/drivers"), created],
        "volumeattributesclasses.storage.k8s.io" => vec![name, text("/driverName"), created],
        "resourceslices.resource.k8s.io" => {
            vec![name, text("/spec/nodeName"), text("/spec/driver"), text("/spec/pool/name"), created]
        }
        "clustertrustbundles.certificates.k8s.io" => vec![name, or_none("/spec/signerName")],
        _ => return None,
    })
}

fn entries(object: &Value, pointers: &[&str]) -> usize {
    pointers.iter().filter_map(|pointer| object.map(pointer)).map(serde_json::Map::len).sum()
}

fn parameter_kind(object: &Value) -> String {
    let kind = |field: &str| object.text(&format!("/spec/paramKind/{field}")).to_owned();
    if kind("kind").is_empty() {
        "<unset>".to_owned()
    } else {
        format!("{}/{}", kind("apiVersion"), kind("kind"))
    }
}

fn node(object: &Value, created: &Value) -> Vec<Value> {
    let ready = object.items("/status/conditions").iter().find(|one| one.text("/type") == "Ready");
    let mut status = match ready.map(|condition| condition.text("/status")) {
        Some("True") => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if object.holds("/spec/unschedulable") {
        status.push_str(",SchedulingDisabled");
    }
    let mut roles: Vec<&str> = object
        .map("/metadata/labels")
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role),
            None => value.as_str().filter(|_| key == "kubernetes.io/role"),
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort_unstable();
    let address = |kind: &str| {
        let found = object.items("/status/addresses").iter().find(|address| address.text("/type") == kind);
        json!(found.map_or("<none>", |address| address.text("/address")))
    };
    let info = |field: &str| object.text(&format!("/status/nodeInfo/{field}")).to_owned();
    let mut kernel = or(&info("kernelVersion"), "<unknown>").to_owned();
    if !info("architecture").is_empty() {
        kernel.push_str(&format!(" ({})", info("architecture")));
    }
    vec![
        json!(object.name()),
        json!(status),
        json!(or(&roles.join(","), "<none>")),
        created.clone(),
        json!(info("kubeletVersion")),
        address("InternalIP"),
        address("ExternalIP"),
        json!(or(&info("osImage"), "<unknown>")),
        json!(kernel),
        json!(or(&info("containerRuntimeVersion"), "<unknown>")),
    ]
}

fn event(object: &Value, now: Timestamp) -> Vec<Value> {
    let since = |pointer: &str| {
        let time = object.text(pointer);
        (!time.is_empty()).then(|| age(time, now))
    };
    let unknown = || "<unknown>".to_owned();
    let first = since("/firstTimestamp").or_else(|| since("/eventTime")).unwrap_or_else(unknown);
    let mut last = since("/lastTimestamp").unwrap_or_else(|| first.clone());
    let mut count = object.number("/count").filter(|count| *count > 0).unwrap_or(1);
    if object.pointer("/series").is_some_and(Value::is_object) {
        last = since("/series/lastObservedTime").unwrap_or_else(unknown);
        count = object.number("/series/count").unwrap_or_default();
    }
    let kind = object.text("/involvedObject/kind").to_lowercase();
    let about = match object.text("/involvedObject/name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    let part = |field: &str| object.text(&format!("/{field}")).to_owned();
    let component = or(&part("source/component"), &part("reportingComponent")).to_owned();
    let host = or(&part("source/host"), &part("reportingInstance")).to_owned();
    let source = if host.is_empty() { component } else { format!("{component}, {host}") };
    vec![
        json!(last),
        json!(part("type")),
        json!(part("reason")),
        json!(about),
        json!(part("involvedObject/fieldPath")),
        json!(source),
        json!(part("message").trim()),
        json!(first),
        json!(count),
        json!(object.name()),
    ]
}

fn quota(object: &Value, created: &Value) -> Vec<Value> {
    let mut hard: Vec<(&String, &Value)> = object.map("/status/hard").into_iter().flatten().collect();
    hard.sort_by_key(|(name, _)| (*name).clone());
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (name, hard) in hard {
        let used = object.map("/status/used").and_then(|used| used.get(name)).and_then(Value::as_str);
        let text = format!("{name}: {}/{}", used.unwrap_or("0"), hard.as_str().unwrap_or_default());
        if name.starts_with("limits.") { limits.push(text) } else { requests.push(text) }
    }
    vec![json!(object.name()), json!(requests.join(", ")), json!(limits.join(", ")), created.clone()]
}

fn access_modes(modes: &[Value]) -> String {
    let known = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let has = |mode: &str| modes.iter().any(|one| one.as_str() == Some(mode));
    known.iter().filter(|(mode, _)| has(mode)).map(|(_, short)| *short).collect::<Vec<_>>().join(",")
}

fn volume(object: &Value, created: &Value) -> Vec<Value> {
    let claim = match object.pointer("/spec/claimRef") {
        Some(claim) => format!("{}/{}", claim.text("/namespace"), claim.text("/name")),
        None => String::new(),
    };
    let phase = if object.is_terminating() { "Terminating" } else { object.text("/status/phase") };
    vec![
        json!(object.name()),
        json!(or(object.text("/spec/capacity/storage"), "0")),
        json!(access_modes(object.items("/spec/accessModes"))),
        json!(object.text("/spec/persistentVolumeReclaimPolicy")),
        json!(phase),
        json!(claim),
        json!(object.text("/spec/storageClassName")),
        json!(or(object.text("/spec/volumeAttributesClassName"), "<unset>")),
        json!(object.text("/status/reason")),
        created.clone(),
        json!(or(object.text("/spec/volumeMode"), "<unset>")),
    ]
}

fn claim(object: &Value, created: &Value) -> Vec<Value> {
    let phase = if object.is_terminating() { "Terminating" } else { object.text("/status/phase") };
    let volume = object.text("/spec/volumeName");
    let (capacity, modes) = if volume.is_empty() {
        (String::new(), String::new())
    } else {
        let capacity = or(object.text("/status/capacity/storage"), "0").to_owned();
        (capacity, access_modes(object.items("/status/accessModes")))
    };
    vec![
        json!(object.name()),
        json!(phase),
        json!(volume),
        json!(capacity),
        json!(modes),
        json!(object.text("/spec/storageClassName")),
        json!(or(object.text("/spec/volumeAttributesClassName"), "<unset>")),
        created.clone(),
        json!(or(object.text("/spec/volumeMode"), "<unset>")),
    ]
}

fn storage_class(object: &Value, created: &Value) -> Vec<Value> {
    let default = object.annotation("storageclass.kubernetes.io/is-default-class") == Some("true");
    vec![
        json!(format!("{}{}", object.name(), if default { " (default)" } else { "" })),
        json!(object.text("/provisioner")),
        json!(or(object.text("/reclaimPolicy"), "Delete")),
        json!(or(object.text("/volumeBindingMode"), "Immediate")),
        json!(object.holds("/allowVolumeExpansion")),
        created.clone(),
    ]
}

fn role_binding(object: &Value, created: &Value) -> Vec<Value> {
    let subjects = |kind: &str| {
        let names: Vec<String> = object
            .items("/subjects")
            .iter()
            .filter(|subject| subject.text("/kind") == kind)
            .map(|subject| match (kind, subject.text("/namespace")) {
                ("ServiceAccount", namespace) => format!("{namespace}/{}", subject.text("/name")),
                _ => subject.text("/name").to_owned(),
            })
            .collect();
        json!(names.join(", "))
    };
    let role = format!("{}/{}", object.text("/roleRef/kind"), object.text("/roleRef/name"));
    let (users, groups) = (subjects("User"), subjects("Group"));
    vec![json!(object.name()), json!(role), created.clone(), users, groups, subjects("ServiceAccount")]
}

fn definition(object: &Value) -> Vec<Value> {
    let texts = |values: Vec<&str>| json!(values.join(","));
    let version = |version: &Value| {
        let mark = if version.holds("/storage") { "(storage)" } else { "" };
        format!("{}{mark}", version.text("/name"))
    };
    let versions: Vec<String> = object.items("/spec/versions").iter().map(version).collect();
    let short = object.items("/spec/names/shortNames").iter().filter_map(Value::as_str).collect();
    let established = object
        .items("/status/conditions")
        .iter()
        .any(|one| one.text("/type") == "Established" && one.text("/status") == "True");
    vec![
        json!(object.name()),
        json!(object.text("/spec/scope")),
        json!(versions.join(",")),
        json!(object.text("/metadata/creationTimestamp")),
        json!(object.text("/spec/group")),
        json!(object.text("/spec/names/kind")),
        texts(short),
        json!(established),
    ]
}

fn autoscaler(object: &Value, created: &Value) -> Vec<Value> {
    let quantity = |value: Option<&Value>| match value {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Null) | None => None,
        Some(number) => Some(number.to_string()),
    };
    let metric = |(index, spec): (usize, &Value)| {
        let kind = spec.text("/type");
        let part = format!(
            "{}{}",
            kind.get(..1).unwrap_or_default().to_lowercase(),
            kind.get(1..).unwrap_or_default()
        );
        let current = object.items("/status/currentMetrics").get(index);
        let now =
            |field: &str| quantity(current.and_then(|one| one.pointer(&format!("/{part}/current/{field}"))));
        let target = |field: &str| quantity(spec.pointer(&format!("/{part}/target/{field}")));
        let unknown = || "<unknown>".to_owned();
        let average = target("averageValue")
            .map(|target| format!("{}/{target}", now("averageValue").unwrap_or_else(unknown)));
        match kind {
            "Resource" | "ContainerResource" => {
                let name = spec.text(&format!("/{part}/name")).to_owned();
                let said = average.unwrap_or_else(|| {
                    let percent = |value: Option<String>| value.map(|value| format!("{value}%"));
                    let used = percent(now("averageUtilization")).unwrap_or_else(unknown);
                    let wanted = percent(target("averageUtilization")).unwrap_or("<auto>".to_owned());
                    format!("{used}/{wanted}")
                });
                format!("{name}: {said}")
            }
            "Pods" => average.unwrap_or_default(),
            _ => average.map_or_else(
                || {
                    format!(
                        "{}/{}",
                        now("value").unwrap_or_else(unknown),
                        target("value").unwrap_or_default()
                    )
                },
                |average| format!("{average} (avg)"),
            ),
        }
    };
    let metrics: Vec<String> = object.items("/spec/metrics").iter().enumerate().map(metric).collect();
    let said = match metrics.len() {
        0 => "<none>".to_owned(),
        1 | 2 => metrics.join(", "),
        many => {
            let shown = metrics.iter().take(2).cloned().collect::<Vec<_>>().join(", ");
            format!("{shown} + {} more...", many - 2)
        }
    };
    let reference =
        format!("{}/{}", object.text("/spec/scaleTargetRef/kind"), object.text("/spec/scaleTargetRef/name"));
    let least = quantity(object.pointer("/spec/minReplicas")).unwrap_or("<unset>".to_owned());
    vec![
        json!(object.name()),
        json!(reference),
        json!(said),
        json!(least),
        json!(object.number("/spec/maxReplicas").unwrap_or_default()),
        json!(object.number("/status/currentReplicas").unwrap_or_default()),
        created.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(collection: &str, object: Value, expected: &[&str]) {
        let now = "2026-01-01T00:01:00Z".parse().unwrap_or_default();
        let cells: Vec<String> = cells(collection, &object, "1m", now)
            .unwrap_or_default()
            .iter()
            .map(|cell| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned))
            .collect();
        assert_eq!(cells, expected);
    }

    #[test]
    fn rows() {
        check(
            "resourcequotas",
            json!({"metadata": {"name": "q"}, "status": {"hard": {"pods": "2", "limits.cpu": "1"}, "used": {"pods": "1"}}}),
            &["q", "pods: 1/2", "limits.cpu: 0/1", "1m"],
        );
        check(
            "horizontalpodautoscalers.autoscaling",
            json!({"metadata": {"name": "h"}, "spec": {"maxReplicas": 5, "minReplicas": 1,
                "scaleTargetRef": {"kind": "Deployment", "name": "web"}, "metrics": [{"type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]}}),
            &["h", "Deployment/web", "cpu: <unknown>/80%", "1", "5", "0", "1m"],
        );
        check(
            "nodes",
            json!({"metadata": {"name": "n1"}, "spec": {"unschedulable": true},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
            &[
                "n1",
                "Ready,SchedulingDisabled",
                "<none>",
                "1m",
                "",
                "<none>",
                "<none>",
                "<unknown>",
                "<unknown>",
                "<unknown>",
            ],
        );
    }
}
