//! Rules of services, ingresses and network policies.

use serde_json::{Value, json};

use super::names;
use super::pod::{PORT_RANGE, check_port, is_port};
use super::selector;
use super::{Findings, at, entries, has, items, number, text};

pub(super) fn service(spec: &Value, before: Option<&Value>, found: &mut Findings) {
    let kind = text(spec, "type");
    if kind != "ExternalName" && text(spec, "clusterIP") != "None" && items(spec, "ports").is_empty() {
        found.required("spec.ports", "");
    }
    if kind == "ExternalName" {
        let name = text(spec, "externalName");
        if name.is_empty() {
            found.required("spec.externalName", "");
        } else {
            for why in names::subdomain(name.trim_end_matches('.')) {
                found.invalid_text("spec.externalName", name, why);
            }
        }
    }
    check_ports(spec, found);
    if entries(spec, "selector").iter().any(|_| true) {
        super::metadata::labels(spec, "spec.selector", found);
    }
    found.one_of("spec.sessionAffinity", text(spec, "sessionAffinity"), &["ClientIP", "None"]);
    let kinds = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    found.one_of("spec.type", kind, &kinds);
    duplicate_ports(spec, found);
    if let Some(before) = before {
        let (old, new) = (text(before, "clusterIP"), text(spec, "clusterIP"));
        let kept = kind != "ExternalName" && text(before, "type") != "ExternalName";
        if kept && !old.is_empty() && old != new {
            let all = match spec.get("clusterIPs") {
                Some(all) if !new.is_empty() && all.get(0).and_then(Value::as_str) == Some(new) => {
                    all.clone()
                }
                _ => json!([new]),
            };
            found.invalid("spec.clusterIPs[0]", &all, "may not change once set");
        }
    }
}

fn check_ports(spec: &Value, found: &mut Findings) {
    let ports = items(spec, "ports");
    let mut seen: Vec<&str> = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let field = format!("spec.ports[{index}]");
        let name = text(port, "name");
        if name.is_empty() {
            if ports.len() > 1 {
                found.required(format!("{field}.name"), "");
            }
        } else {
            for why in names::label(name) {
                found.invalid_text(format!("{field}.name"), name, why);
            }
            if seen.contains(&name) {
                found.duplicate(format!("{field}.name"), &format!("{name:?}"));
            }
            seen.push(name);
        }
        let number = number(port, "port");
        if !is_port(number) {
            found.invalid(format!("{field}.port"), &json!(number), PORT_RANGE);
        }
        found.one_of(format!("{field}.protocol"), text(port, "protocol"), &["SCTP", "TCP", "UDP"]);
        check_port(at(port, "/targetPort"), &format!("{field}.targetPort"), found);
    }
}

fn duplicate_ports(spec: &Value, found: &mut Findings) {
    let mut seen: Vec<(i64, &str)> = Vec::new();
    for (index, port) in items(spec, "ports").iter().enumerate() {
        let key = (number(port, "port"), text(port, "protocol"));
        if seen.contains(&key) {
            let shown = format!(
                "{{\"Name\":\"\",\"Protocol\":{:?},\"AppProtocol\":null,\"Port\":{},\"TargetPort\":0,\"NodePort\":0}}",
                key.1, key.0
            );
            found.duplicate(format!("spec.ports[{index}]"), &shown);
        } else {
            seen.push(key);
        }
    }
}

pub(super) fn ingress(spec: &Value, found: &mut Findings) {
    let rules = items(spec, "rules");
    if rules.is_empty() && !has(spec, "defaultBackend") {
        let why = "either `defaultBackend` or `rules` must be specified";
        found.invalid("spec", &Value::Null, why);
    }
    if let Some(backend) = spec.get("defaultBackend").filter(|backend| !backend.is_null()) {
        check_backend(backend, "spec.defaultBackend", found);
    }
    for (index, rule) in rules.iter().enumerate() {
        let field = format!("spec.rules[{index}]");
        check_host(text(rule, "host"), &format!("{field}.host"), found);
        let Some(http) = rule.get("http").filter(|http| !http.is_null()) else { continue };
        let paths = items(http, "paths");
        if paths.is_empty() {
            found.required(format!("{field}.http.paths"), "");
        }
        for (index, path) in paths.iter().enumerate() {
            check_path(path, &format!("{field}.http.paths[{index}]"), found);
        }
    }
}

fn check_host(host: &str, field: &str, found: &mut Findings) {
    if host.is_empty() {
        return;
    }
    if host.parse::<std::net::IpAddr>().is_ok() {
        found.invalid_text(field, host, "must be a DNS name, not an IP address");
        return;
    }
    let wrong = if host.contains('*') { names::wildcard(host) } else { names::subdomain(host) };
    for why in wrong {
        found.invalid_text(field, host, why);
    }
}

fn check_path(path: &Value, field: &str, found: &mut Findings) {
    let value = text(path, "path");
    match path.get("pathType").and_then(Value::as_str) {
        None => found.required(format!("{field}.pathType"), "pathType must be specified"),
        Some("Exact" | "Prefix") => {
            if !value.starts_with('/') {
                found.invalid_text(format!("{field}.path"), value, "must be an absolute path");
            }
        }
        Some("ImplementationSpecific") => {
            if !value.is_empty() && !value.starts_with('/') {
                found.invalid_text(format!("{field}.path"), value, "must be an absolute path");
            }
        }
        Some(other) => {
            let supported = ["Exact", "ImplementationSpecific", "Prefix"];
            found.one_of(format!("{field}.pathType"), other, &supported);
        }
    }
    check_backend(at(path, "/backend"), &format!("{field}.backend"), found);
}

fn check_backend(backend: &Value, field: &str, found: &mut Findings) {
    let (service, resource) = (has(backend, "service"), has(backend, "resource"));
    if service && resource {
        found.invalid_text(field, "", "cannot set both resource and service backends");
    } else if !service && !resource {
        found.invalid_text(field, "", "resource or service backend is required");
    } else if service {
        let service = at(backend, "/service");
        let name = text(service, "name");
        if name.is_empty() {
            found.required(format!("{field}.service.name"), "");
        } else {
            for why in names::label(name) {
                found.invalid_text(format!("{field}.service.name"), name, why);
            }
        }
        let port = at(service, "/port");
        let (named, numbered) = (!text(port, "name").is_empty(), number(port, "number"));
        if !named && numbered == 0 {
            found.required(field, "port name or number is required");
        } else if !named && !is_port(numbered) {
            found.invalid(format!("{field}.service.port.number"), &json!(numbered), PORT_RANGE);
        }
    }
}

pub(super) fn policy(spec: &Value, found: &mut Findings) {
    selector::check(at(spec, "/podSelector"), "spec.podSelector", found);
    for (list, peers) in [("ingress", "from"), ("egress", "to")] {
        for (index, rule) in items(spec, list).iter().enumerate() {
            let field = format!("spec.{list}[{index}]");
            check_policy_ports(rule, &field, found);
            for (index, peer) in items(rule, peers).iter().enumerate() {
                check_peer(peer, &format!("{field}.{peers}[{index}]"), found);
            }
        }
    }
    let types = items(spec, "policyTypes");
    if types.len() > 2 {
        let why = "may not specify more than two policyTypes";
        found.invalid("spec.policyTypes", at(spec, "/policyTypes"), why);
    }
    for (index, kind) in types.iter().enumerate() {
        found.one_of(
            format!("spec.policyTypes[{index}]"),
            kind.as_str().unwrap_or(""),
            &["Ingress", "Egress"],
        );
    }
}

fn check_policy_ports(rule: &Value, field: &str, found: &mut Findings) {
    for (index, port) in items(rule, "ports").iter().enumerate() {
        let field = format!("{field}.ports[{index}]");
        let protocol = text(port, "protocol");
        if !protocol.is_empty() {
            found.one_of(format!("{field}.protocol"), protocol, &["TCP", "UDP", "SCTP"]);
        }
        if has(port, "port") {
            check_port(at(port, "/port"), &format!("{field}.port"), found);
        }
    }
}

fn check_peer(peer: &Value, field: &str, found: &mut Findings) {
    let given =
        ["podSelector", "namespaceSelector", "ipBlock"].into_iter().filter(|key| has(peer, key)).count();
    for key in ["podSelector", "namespaceSelector"] {
        selector::check(at(peer, &format!("/{key}")), &format!("{field}.{key}"), found);
    }
    if let Some(block) = peer.get("ipBlock").filter(|block| !block.is_null()) {
        let range = text(block, "cidr");
        if range.is_empty() {
            found.required(format!("{field}.ipBlock.cidr"), "");
        } else if !is_range(range) {
            let why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
            found.invalid_text(format!("{field}.ipBlock.cidr"), range, why);
        }
        if given > 1 {
            found.forbidden(field, "may not specify both ipBlock and another peer");
        }
    }
    if given == 0 {
        found.required(field, "must specify a peer");
    }
}

fn is_range(range: &str) -> bool {
    let Some((address, bits)) = range.split_once('/') else { return false };
    let most = match address.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(_)) => 32,
        Ok(std::net::IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    bits.parse::<u8>().is_ok_and(|bits| bits <= most)
}
