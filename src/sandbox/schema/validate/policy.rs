//! Rules of what bounds others: quotas, autoscalers, disruption budgets.

use serde_json::{Value, json};

use super::names;
use super::selector;
use super::{Findings, at, entries, has, items, number, text};
use crate::schema::quantity::Quantity;

pub(super) fn quota(spec: &Value, found: &mut Findings) {
    const COUNTED: [&str; 10] = [
        "pods",
        "services",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.loadbalancers",
        "services.nodeports",
        "count",
    ];
    const MEASURED: [&str; 10] = [
        "cpu",
        "memory",
        "storage",
        "ephemeral-storage",
        "requests.cpu",
        "requests.memory",
        "requests.storage",
        "requests.ephemeral-storage",
        "limits.cpu",
        "limits.memory",
    ];
    let mut hard = entries(spec, "hard");
    hard.sort_by_key(|(name, _)| !name.starts_with("pods"));
    for (name, quantity) in hard {
        let field = format!("spec.hard[{name}]");
        let malformed = names::qualified(name);
        for why in &malformed {
            found.invalid_text(&field, name, why);
        }
        let known = COUNTED.contains(&name.as_str())
            || MEASURED.contains(&name.as_str())
            || name.contains('/')
            || name.starts_with("limits.ephemeral")
            || name.contains("hugepages-");
        if malformed.is_empty() && !known && !name.contains('.') {
            found.invalid_text(&field, name, "must be a standard resource type or fully qualified");
        }
        if !known {
            found.invalid_text(&field, name, "must be a standard resource for quota");
        }
        let shown = quantity.as_str().unwrap_or("");
        let Some(quantity) = Quantity::parse(shown) else { continue };
        if quantity.is_negative() {
            found.invalid_text(&field, shown, "must be greater than or equal to 0");
        }
        if COUNTED.contains(&name.as_str()) && !quantity.is_whole() {
            found.invalid_text(&field, shown, "must be an integer");
        }
    }
}

pub(super) fn autoscaler(spec: &Value, found: &mut Findings) {
    let (least, most) = (spec.get("minReplicas").and_then(Value::as_i64), number(spec, "maxReplicas"));
    if let Some(least) = least.filter(|least| *least < 1) {
        found.invalid("spec.minReplicas", &json!(least), "must be greater than or equal to 1");
    }
    if least.is_some_and(|least| most < least) {
        let why = "must be greater than or equal to `minReplicas`";
        found.invalid("spec.maxReplicas", &json!(most), why);
    }
    let target = at(spec, "/scaleTargetRef");
    for part in ["kind", "name"] {
        if text(target, part).is_empty() {
            found.required(format!("spec.scaleTargetRef.{part}"), "");
        }
    }
    let version = text(target, "apiVersion");
    let is_old = version == "v1" && text(target, "kind") == "ReplicationController";
    if !is_old && !version.contains('/') {
        let why = "apiVersion must specify API group";
        found.invalid_text("spec.scaleTargetRef.apiVersion", version, why);
    }
    for (index, metric) in items(spec, "metrics").iter().enumerate() {
        let field = format!("spec.metrics[{index}]");
        let source = match text(metric, "type") {
            "Resource" => "resource",
            "Pods" => "pods",
            "Object" => "object",
            "External" => "external",
            "ContainerResource" => "containerResource",
            "" => {
                found.required(format!("{field}.type"), "must specify a metric source type");
                continue;
            }
            other => {
                let known = ["ContainerResource", "External", "Object", "Pods", "Resource"];
                found.one_of(format!("{field}.type"), other, &known);
                continue;
            }
        };
        if !has(metric, source) {
            let why = "must populate information for the given metric source";
            found.required(format!("{field}.{source}"), why);
        }
    }
    if most == 0 {
        found.required("spec.maxReplicas", "");
    } else if most < 0 {
        found.invalid("spec.maxReplicas", &json!(most), "must be greater than or equal to 1");
    }
}

pub(super) fn disruption_budget(spec: &Value, found: &mut Findings) {
    if has(spec, "minAvailable") && has(spec, "maxUnavailable") {
        let shown = json!({
            "MinAvailable": at(spec, "/minAvailable"),
            "Selector": at(spec, "/selector"),
            "MaxUnavailable": at(spec, "/maxUnavailable"),
            "UnhealthyPodEvictionPolicy": at(spec, "/unhealthyPodEvictionPolicy"),
        });
        found.invalid("spec", &shown, "minAvailable and maxUnavailable cannot be both set");
    }
    for field in ["minAvailable", "maxUnavailable"] {
        found.not_negative(format!("spec.{field}"), at(spec, &format!("/{field}")));
    }
    selector::check(at(spec, "/selector"), "spec.selector", found);
}
