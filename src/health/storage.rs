//! Kinds that bind or get an address: claims, services, ingresses, namespaces.

use jiff::Timestamp;
use serde_json::Value;

use super::text;
use crate::model::health::Health;

/// Bound. A claim that waits for its first consumer is on its way, which a workload beside it will end.
pub(super) fn persistent_volume_claim(object: &Value, _now: Timestamp) -> Health {
    match text(object, "/status/phase") {
        Some("Bound") => Health::healthy(),
        Some("Lost") => Health::degraded("the volume is lost"),
        _ => Health::progressing("the claim is not bound yet"),
    }
}

/// A load balancer needs an address; every other service is healthy by being there.
pub(super) fn service(object: &Value, _now: Timestamp) -> Health {
    let balanced = text(object, "/spec/type") == Some("LoadBalancer");
    if balanced && !has_address(object) {
        return Health::progressing("the load balancer has no address yet");
    }
    Health::healthy()
}

/// Healthy by being there: many ingress controllers never write an address.
pub(super) fn ingress(_object: &Value, _now: Timestamp) -> Health {
    Health::healthy()
}

fn has_address(object: &Value) -> bool {
    let addresses = object.pointer("/status/loadBalancer/ingress").and_then(Value::as_array);
    addresses.is_some_and(|addresses| !addresses.is_empty())
        || object.pointer("/spec/externalIPs").and_then(Value::as_array).is_some_and(|list| !list.is_empty())
}

/// Active.
pub(super) fn namespace(object: &Value, _now: Timestamp) -> Health {
    match text(object, "/status/phase") {
        Some("Terminating") => Health::progressing("is being deleted"),
        _ => Health::healthy(),
    }
}
