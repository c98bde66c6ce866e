//! Rules of pods, in and out of templates.

use serde_json::{Value, json};

use super::names;
use super::volumes;
use super::{Findings, at, entries, has, items, number, text};
use crate::schema::quantity::Quantity;

/// The resources of containers that need no domain.
const STANDARD_RESOURCES: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// What a pod may change.
const CHANGEABLE: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

pub(super) fn pod(spec: &Value, before: Option<&Value>, found: &mut Findings) {
    check(spec, "spec", found);
    for (list, container, index) in containers(spec) {
        let image = text(container, "image");
        if !image.is_empty() && image != image.trim() {
            let why = "must not have leading or trailing whitespace";
            found.invalid_text(format!("spec.{list}[{index}].image"), image, why);
        }
    }
    if let Some(before) = before
        && fixed(spec) != fixed(before)
    {
        found.forbidden("spec", CHANGEABLE);
    }
}

fn containers(spec: &Value) -> impl Iterator<Item = (&'static str, &Value, usize)> {
    ["containers", "initContainers"].into_iter().flat_map(move |list| {
        items(spec, list).iter().enumerate().map(move |(index, container)| (list, container, index))
    })
}

/// A pod's spec without what may change; the node is set once, by binding.
fn fixed(spec: &Value) -> Value {
    let mut spec = spec.clone();
    let Some(map) = spec.as_object_mut() else { return spec };
    for key in [
        "activeDeadlineSeconds",
        "tolerations",
        "terminationGracePeriodSeconds",
        "nodeName",
        "schedulingGates",
        "ephemeralContainers",
    ] {
        map.shift_remove(key);
    }
    for list in ["containers", "initContainers"] {
        for container in map.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(container) = container.as_object_mut() {
                container.shift_remove("image");
                container.shift_remove("resources");
            }
        }
    }
    spec
}

/// The rules of a pod's spec wherever it stands.
pub(super) fn check(spec: &Value, field: &str, found: &mut Findings) {
    let volumes = volumes::check(spec, field, found);
    if items(spec, "containers").is_empty() {
        found.required(format!("{field}.containers"), "");
    }
    let mut seen: Vec<&str> = Vec::new();
    for (list, container, index) in containers(spec) {
        let at = format!("{field}.{list}[{index}]");
        check_container(container, &at, &mut seen, &volumes, found);
    }
    let host_network = spec.get("hostNetwork") == Some(&Value::Bool(true));
    if host_network {
        check_host_ports(spec, field, found);
    }
    found.one_of(
        format!("{field}.restartPolicy"),
        text(spec, "restartPolicy"),
        &["Always", "OnFailure", "Never"],
    );
    let policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    found.one_of(format!("{field}.dnsPolicy"), text(spec, "dnsPolicy"), &policies);
    if has(spec, "nodeSelector") {
        super::metadata::labels(spec, &format!("{field}.nodeSelector"), found);
    }
    let account = text(spec, "serviceAccountName");
    if !account.is_empty() {
        for why in names::subdomain(account) {
            found.invalid_text(format!("{field}.serviceAccountName"), account, why);
        }
    }
    if let Some(deadline) = spec.get("activeDeadlineSeconds").filter(|deadline| !deadline.is_null())
        && deadline.as_i64().is_some_and(|seconds| seconds < 1)
    {
        let why = "must be between 1 and 2147483647, inclusive";
        found.invalid(format!("{field}.activeDeadlineSeconds"), deadline, why);
    }
}

fn check_host_ports(spec: &Value, field: &str, found: &mut Findings) {
    for (list, container, index) in containers(spec) {
        for (place, port) in items(container, "ports").iter().enumerate() {
            let (host, own) = (number(port, "hostPort"), number(port, "containerPort"));
            // Pods are given theirs; templates of pods need none.
            if host != 0 && host != own {
                let at = format!("{field}.{list}[{index}].ports[{place}].hostPort");
                found.invalid(at, &json!(host), "must match `containerPort` when `hostNetwork` is true");
            }
        }
    }
}

fn check_container<'a>(
    container: &'a Value,
    field: &str,
    seen: &mut Vec<&'a str>,
    volumes: &[&str],
    found: &mut Findings,
) {
    let name = text(container, "name");
    if name.is_empty() {
        found.required(format!("{field}.name"), "");
    } else {
        for why in names::label(name) {
            found.invalid_text(format!("{field}.name"), name, why);
        }
    }
    if text(container, "image").is_empty() {
        found.required(format!("{field}.image"), "");
    }
    for (kind, in_probe) in
        [("lifecycle", false), ("livenessProbe", true), ("readinessProbe", true), ("startupProbe", true)]
    {
        let Some(value) = container.get(kind).filter(|value| !value.is_null()) else { continue };
        if in_probe {
            check_probe(value, &format!("{field}.{kind}"), found);
        } else {
            for hook in ["postStart", "preStop"] {
                if let Some(handler) = value.get(hook).filter(|handler| !handler.is_null()) {
                    check_handler(handler, &format!("{field}.{kind}.{hook}"), found);
                }
            }
        }
    }
    let policy = text(container, "terminationMessagePolicy");
    found.one_of(format!("{field}.terminationMessagePolicy"), policy, &["File", "FallbackToLogsOnError"]);
    check_ports(items(container, "ports"), &format!("{field}.ports"), found);
    check_environment(items(container, "env"), &format!("{field}.env"), found);
    volumes::check_mounts(items(container, "volumeMounts"), volumes, &format!("{field}.volumeMounts"), found);
    let policy = text(container, "imagePullPolicy");
    found.one_of(format!("{field}.imagePullPolicy"), policy, &["Always", "IfNotPresent", "Never"]);
    check_resources(at(container, "/resources"), &format!("{field}.resources"), found);
    if seen.contains(&name) {
        found.duplicate(format!("{field}.name"), &format!("{name:?}"));
    } else if !name.is_empty() {
        seen.push(name);
    }
}

pub(super) fn is_port(number: i64) -> bool {
    (1..=65535).contains(&number)
}

pub(super) const PORT_RANGE: &str = "must be between 1 and 65535, inclusive";

fn check_ports(ports: &[Value], field: &str, found: &mut Findings) {
    let mut seen: Vec<&str> = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let field = format!("{field}[{index}]");
        let name = text(port, "name");
        if !name.is_empty() {
            let wrong = names::port_name(name);
            for why in &wrong {
                found.invalid_text(format!("{field}.name"), name, why);
            }
            if wrong.is_empty() && seen.contains(&name) {
                found.duplicate(format!("{field}.name"), &format!("{name:?}"));
            }
            seen.push(name);
        }
        match number(port, "containerPort") {
            0 => found.required(format!("{field}.containerPort"), ""),
            other if !is_port(other) => {
                found.invalid(format!("{field}.containerPort"), &json!(other), PORT_RANGE)
            }
            _ => {}
        }
        let host = number(port, "hostPort");
        if host != 0 && !is_port(host) {
            found.invalid(format!("{field}.hostPort"), &json!(host), PORT_RANGE);
        }
        found.one_of(format!("{field}.protocol"), text(port, "protocol"), &["SCTP", "TCP", "UDP"]);
    }
}

fn check_environment(variables: &[Value], field: &str, found: &mut Findings) {
    for (index, variable) in variables.iter().enumerate() {
        let field = format!("{field}[{index}]");
        let name = text(variable, "name");
        if name.is_empty() {
            found.required(format!("{field}.name"), "");
        } else if !name.bytes().all(|byte| (b' '..0x7f).contains(&byte) && byte != b'=') {
            let why = "a valid environment variable name must consist only of printable ASCII characters other than '='";
            found.invalid_text(format!("{field}.name"), name, why);
        }
        if let Some(from) = variable.get("valueFrom").filter(|from| !from.is_null()) {
            check_source(from, text(variable, "value"), &format!("{field}.valueFrom"), found);
        }
    }
}

fn check_source(from: &Value, value: &str, field: &str, found: &mut Findings) {
    const KINDS: [&str; 5] =
        ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];
    let given: Vec<&str> = KINDS.into_iter().filter(|kind| has(from, kind)).collect();
    if let Some(reference) = from.get("fieldRef").filter(|reference| !reference.is_null()) {
        check_field_path(text(reference, "fieldPath"), &format!("{field}.fieldRef.fieldPath"), found);
    }
    for kind in ["configMapKeyRef", "secretKeyRef"] {
        let Some(reference) = from.get(kind).filter(|reference| !reference.is_null()) else { continue };
        let name = text(reference, "name");
        for why in names::subdomain(name) {
            found.invalid_text(format!("{field}.{kind}.name"), name, why);
        }
        let key = text(reference, "key");
        if key.is_empty() {
            found.required(format!("{field}.{kind}.key"), "");
        } else {
            for why in names::config_key(key) {
                found.invalid_text(format!("{field}.{kind}.key"), key, why);
            }
        }
    }
    match given.len() {
        0 => {
            let why = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
            found.invalid_text(field, "", why);
        }
        _ if !value.is_empty() => {
            found.invalid_text(field, "", "may not be specified when `value` is not empty")
        }
        1 => {}
        _ => found.invalid_text(field, "", "may not have more than one field specified at a time"),
    }
}

fn check_field_path(path: &str, field: &str, found: &mut Findings) {
    const KNOWN: [&str; 10] = [
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
        "spec.restartPolicy",
    ];
    let subscript = path.starts_with("metadata.labels['") || path.starts_with("metadata.annotations['");
    if path.is_empty() {
        found.required(field, "");
    } else if !subscript && !KNOWN.contains(&path) {
        found.invalid_text(
            field,
            path,
            &format!("error converting fieldPath: field label not supported: {path}"),
        );
    }
}

fn check_probe(probe: &Value, field: &str, found: &mut Findings) {
    check_handler(probe, field, found);
    for key in
        ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]
    {
        found.not_negative(format!("{field}.{key}"), at(probe, &format!("/{key}")));
    }
    let once = field.ends_with("livenessProbe") || field.ends_with("startupProbe");
    if once && number(probe, "successThreshold") > 1 {
        found.invalid(format!("{field}.successThreshold"), at(probe, "/successThreshold"), "must be 1");
    }
}

fn check_handler(handler: &Value, field: &str, found: &mut Findings) {
    let mut count = 0;
    for kind in ["exec", "httpGet", "tcpSocket", "grpc", "sleep"] {
        let Some(action) = handler.get(kind).filter(|action| !action.is_null()) else { continue };
        count += 1;
        if count > 1 {
            found.forbidden(format!("{field}.{kind}"), "may not specify more than 1 handler type");
            continue;
        }
        match kind {
            "exec" if items(action, "command").is_empty() => {
                found.required(format!("{field}.exec.command"), "")
            }
            "httpGet" | "tcpSocket" | "grpc" => {
                check_port(at(action, "/port"), &format!("{field}.{kind}.port"), found);
            }
            _ => {}
        }
    }
    if count == 0 {
        found.required(field, "must specify a handler type");
    }
}

/// A port by number or name.
pub(super) fn check_port(port: &Value, field: &str, found: &mut Findings) {
    match port {
        Value::String(name) => {
            for why in names::port_name(name) {
                found.invalid_text(field, name, why);
            }
        }
        other if !other.as_i64().is_some_and(is_port) => found.invalid(field, other, PORT_RANGE),
        _ => {}
    }
}

fn check_resources(resources: &Value, field: &str, found: &mut Findings) {
    let limits = entries(resources, "limits");
    for (name, quantity) in &limits {
        check_resource(name, quantity, &format!("{field}.limits[{name}]"), found);
    }
    for (name, quantity) in entries(resources, "requests") {
        check_resource(name, quantity, &format!("{field}.requests[{name}]"), found);
        let limit = limits.iter().find(|(limited, _)| *limited == name);
        // What devices offer cannot be promised twice.
        if name.contains('/') && limit.is_none() {
            let why = "Limit must be set for non overcommitable resources";
            found.required(format!("{field}.limits"), why);
        }
        let parsed = |value: &Value| value.as_str().and_then(Quantity::parse);
        if let Some((limit, (request, shown))) =
            limit.and_then(|(_, limit)| parsed(limit).zip(parsed(quantity).zip(quantity.as_str())))
            && request > limit
        {
            let why = format!("must be less than or equal to {name} limit of {}", limit.canonical());
            found.invalid_text(format!("{field}.requests"), shown, &why);
        }
    }
}

fn check_resource(name: &str, quantity: &Value, field: &str, found: &mut Findings) {
    for why in names::qualified(name) {
        found.invalid_text(field, name, &why);
    }
    if !name.contains('/') && !STANDARD_RESOURCES.contains(&name) && !name.starts_with("hugepages-") {
        found.invalid_text(field, name, "must be a standard resource type or fully qualified");
        found.invalid_text(field, name, "must be a standard resource for containers");
    }
    let text = quantity.as_str().unwrap_or("");
    if Quantity::parse(text).is_some_and(Quantity::is_negative) {
        found.invalid_text(field, text, "must be greater than or equal to 0");
    }
}
