//! Services: addresses and ports of nodes, given when a service is written and kept as long as it is there.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::failure::{Failure, Named, invalid};
use super::super::object::Fields;
use super::super::store::Store;

const FIRST_NODE_PORT: u64 = 30_000;
const NODE_PORTS: u64 = 2_768;

fn refused(name: &str, cause: super::super::failure::Cause) -> Failure {
    Failure::invalid(&Named::new("", "Service"), name, &[cause])
}

/// Gives a service what it has not got, and takes over what it had.
pub(super) fn allocate(store: &mut Store, object: &mut Value, live: Option<&Value>) -> Result<(), Failure> {
    let kind = match object.text("/spec/type") {
        "" => "ClusterIP",
        kind => kind,
    }
    .to_owned();
    if kind == "ExternalName" {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            object.take_out(&format!("/spec/{field}"));
        }
        return Ok(());
    }
    if let Some(live) = live.filter(|live| live.text("/spec/type") != "ExternalName") {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            let pointer = format!("/spec/{field}");
            if let Some(value) = live.pointer(&pointer).filter(|_| is_unset(object.pointer(&pointer))) {
                object.put(&pointer, value.clone());
            }
        }
    }
    let address = match object.text("/spec/clusterIP") {
        "" => object.items("/spec/clusterIPs").first().and_then(Value::as_str).unwrap_or_default(),
        address => address,
    }
    .to_owned();
    let address = match address.as_str() {
        "" => free_address(store)?,
        "None" => address,
        _ => taken_over(store, object, live, address)?,
    };
    object.put("/spec/clusterIP", json!(address));
    object.put("/spec/clusterIPs", json!([address]));
    // Without addresses and without pods to choose, a service may be of every family.
    let any = address == "None" && object.map("/spec/selector").is_none_or(serde_json::Map::is_empty);
    let (families, policy) =
        if any { (json!(["IPv4", "IPv6"]), "RequireDualStack") } else { (json!(["IPv4"]), "SingleStack") };
    for (field, value) in [("ipFamilies", families), ("ipFamilyPolicy", json!(policy))] {
        let pointer = format!("/spec/{field}");
        if is_unset(object.pointer(&pointer)) {
            object.put(&pointer, value);
        }
    }
    let balanced = kind == "LoadBalancer"
        && object.pointer("/spec/allocateLoadBalancerNodePorts").and_then(Value::as_bool) != Some(false);
    if kind == "NodePort" || balanced { give_ports(store, object, live) } else { Ok(()) }
}

fn is_unset(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    }
}

fn addresses(store: &Store) -> BTreeSet<String> {
    let services = store.list("services", None);
    services.map(|service| service.text("/spec/clusterIP").to_owned()).collect()
}

fn free_address(store: &mut Store) -> Result<String, Failure> {
    let taken = addresses(store);
    for _ in 0..100_000 {
        let number = 256 + store.ids.below(65_536 - 512);
        let address = format!("10.0.{}.{}", number / 256, number % 256);
        if !taken.contains(&address) {
            return Ok(address);
        }
    }
    Err(Failure::internal("failed to allocate a serviceIP: range is full"))
}

/// An address that is asked for must be one of the range, and free.
fn taken_over(
    store: &Store,
    object: &Value,
    live: Option<&Value>,
    address: String,
) -> Result<String, Failure> {
    if live.is_some_and(|live| live.text("/spec/clusterIP") == address) {
        return Ok(address);
    }
    let value = json!([address]);
    let why = if !address.starts_with("10.0.") {
        format!("failed to allocate IP {address}: the provided network does not match the current range")
    } else if addresses(store).contains(&address) {
        format!("failed to allocate IP {address}: provided IP is already allocated")
    } else {
        return Ok(address);
    };
    // A change of the address is refused by the rules of the kind, in their words.
    if live.is_some() {
        Ok(address)
    } else {
        Err(refused(object.name(), invalid("spec.clusterIPs", &value, &why)))
    }
}

fn give_ports(store: &mut Store, object: &mut Value, live: Option<&Value>) -> Result<(), Failure> {
    let own = |service: &Value| service.uid() == object.uid();
    let mut taken: BTreeSet<i64> = store
        .list("services", None)
        .filter(|service| !own(service))
        .flat_map(|service| service.items("/spec/ports"))
        .filter_map(|port| port.number("/nodePort"))
        .collect();
    let mut ports = object.items("/spec/ports").to_vec();
    for port in &mut ports {
        let had = live.and_then(|live| {
            let same = |one: &&Value| {
                one.number("/port") == port.number("/port") && one.text("/protocol") == port.text("/protocol")
            };
            live.items("/spec/ports").iter().find(same).and_then(|one| one.number("/nodePort"))
        });
        let number = match port.number("/nodePort").filter(|number| *number > 0).or(had) {
            Some(number) if taken.contains(&number) => {
                let why = "provided port is already allocated";
                let cause = invalid("spec.ports[0].nodePort", &json!(number), why);
                return Err(refused(object.name(), cause));
            }
            Some(number) if !is_node_port(number) => {
                let last = FIRST_NODE_PORT + NODE_PORTS - 1;
                let why = format!(
                    "provided port is not in the valid range. The range of valid ports is {FIRST_NODE_PORT}-{last}"
                );
                let cause = invalid("spec.ports[0].nodePort", &json!(number), &why);
                return Err(refused(object.name(), cause));
            }
            Some(number) => number,
            None => free_port(store, &taken)?,
        };
        taken.insert(number);
        port.put("/nodePort", json!(number));
    }
    object.put("/spec/ports", Value::Array(ports));
    // Balancers ask the nodes whether they have pods of a service that keeps to its node.
    let local =
        object.text("/spec/type") == "LoadBalancer" && object.text("/spec/externalTrafficPolicy") == "Local";
    if local && object.number("/spec/healthCheckNodePort").unwrap_or_default() == 0 {
        let had = live.and_then(|live| live.number("/spec/healthCheckNodePort"));
        let number = match had {
            Some(number) => number,
            None => free_port(store, &taken)?,
        };
        object.put("/spec/healthCheckNodePort", json!(number));
    }
    Ok(())
}

fn is_node_port(number: i64) -> bool {
    u64::try_from(number)
        .is_ok_and(|number| (FIRST_NODE_PORT..FIRST_NODE_PORT + NODE_PORTS).contains(&number))
}

fn free_port(store: &mut Store, taken: &BTreeSet<i64>) -> Result<i64, Failure> {
    for _ in 0..100_000 {
        let number = i64::try_from(FIRST_NODE_PORT + store.ids.below(NODE_PORTS)).unwrap_or_default();
        if !taken.contains(&number) {
            return Ok(number);
        }
    }
    Err(Failure::internal("failed to allocate a nodePort: range is full"))
}
