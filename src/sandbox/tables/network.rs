//! Rows of services, endpoints, ingresses and what belongs to them.

use serde_json::{Value, json};

use super::super::object::Fields;
use super::super::selector::LabelSelector;
use super::{labels, or, some_of};

pub(super) fn cells(collection: &str, object: &Value, age: &str) -> Option<Vec<Value>> {
    let name = json!(object.name());
    Some(match collection {
        "services" => service(object, age),
        "endpoints" => vec![name, json!(endpoints(object)), json!(age)],
        "endpointslices.discovery.k8s.io" => {
            let port = |port: &Value| match port.number("/port") {
                Some(number) => number.to_string(),
                None => or(port.text("/name"), "*").to_owned(),
            };
            let ports: Vec<String> = object.items("/ports").iter().map(port).collect();
            let addresses: Vec<String> = object
                .items("/endpoints")
                .iter()
                .flat_map(|endpoint| endpoint.items("/addresses"))
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect();
            let kind = object.text("/addressType");
            let (ports, addresses) = (some_of(&ports, "<unset>"), some_of(&addresses, "<unset>"));
            vec![name, json!(kind), json!(ports), json!(addresses), json!(age)]
        }
        "ingresses.networking.k8s.io" => {
            let hosts: Vec<String> = object
                .items("/spec/rules")
                .iter()
                .map(|rule| rule.text("/host").to_owned())
                .filter(|host| !host.is_empty())
                .collect();
            let class = or(object.text("/spec/ingressClassName"), "<none>");
            let ports = if object.items("/spec/tls").is_empty() { "80" } else { "80, 443" };
            let (hosts, address) = (some_of(&hosts, "*"), balancer(object));
            vec![name, json!(class), json!(hosts), json!(address), json!(ports), json!(age)]
        }
        "ingressclasses.networking.k8s.io" => {
            let default = object.annotation("ingressclass.kubernetes.io/is-default-class") == Some("true");
            let name = format!("{}{}", object.name(), if default { " (default)" } else { "" });
            let parameters = match object.pointer("/spec/parameters") {
                Some(parameters) => {
                    let group = parameters.text("/apiGroup");
                    let dot = if group.is_empty() { "" } else { "." };
                    format!("{}{dot}{group}/{}", parameters.text("/kind"), parameters.text("/name"))
                }
                None => "<none>".to_owned(),
            };
            vec![json!(name), json!(object.text("/spec/controller")), json!(parameters), json!(age)]
        }
        "networkpolicies.networking.k8s.io" => {
            let selector = object.pointer("/spec/podSelector").map(|one| LabelSelector::of(one).text());
            vec![name, json!(or(&selector.unwrap_or_default(), "<none>")), json!(age)]
        }
        "servicecidrs.networking.k8s.io" => {
            let ranges: Vec<&str> = object.items("/spec/cidrs").iter().filter_map(Value::as_str).collect();
            vec![name, json!(ranges.join(",")), json!(age)]
        }
        "ipaddresses.networking.k8s.io" => {
            let parent = |field: &str| object.text(&format!("/spec/parentRef/{field}")).to_owned();
            let parts = [parent("resource"), parent("namespace"), parent("name")];
            vec![name, json!(parts.join("/"))]
        }
        _ => return None,
    })
}

fn balancer(object: &Value) -> String {
    let mut addresses: Vec<&str> = object
        .items("/status/loadBalancer/ingress")
        .iter()
        .map(|address| or(address.text("/ip"), address.text("/hostname")))
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses.join(",")
}

fn service(object: &Value, age: &str) -> Vec<Value> {
    let kind = object.text("/spec/type");
    let mut external: Vec<String> = Vec::new();
    let given = object.items("/spec/externalIPs").iter().filter_map(Value::as_str).map(str::to_owned);
    match kind {
        "LoadBalancer" => {
            let balancer = balancer(object);
            external.extend(Some(balancer).filter(|text| !text.is_empty()));
            external.extend(given);
        }
        "ExternalName" => external.push(object.text("/spec/externalName").to_owned()),
        _ => external.extend(given),
    }
    let absent = if kind == "LoadBalancer" { "<pending>" } else { "<none>" };
    let port = |port: &Value| {
        let (number, protocol) = (port.number("/port").unwrap_or_default(), port.text("/protocol"));
        match port.number("/nodePort") {
            Some(node) if node > 0 => format!("{number}:{node}/{protocol}"),
            _ => format!("{number}/{protocol}"),
        }
    };
    let ports: Vec<String> = object.items("/spec/ports").iter().map(port).collect();
    let internal = object.items("/spec/clusterIPs").first().and_then(Value::as_str).unwrap_or("<none>");
    vec![
        json!(object.name()),
        json!(kind),
        json!(internal),
        json!(or(&external.join(","), absent)),
        json!(or(&ports.join(","), "<none>")),
        json!(age),
        json!(labels(object, "/spec/selector")),
    ]
}

fn endpoints(object: &Value) -> String {
    let mut all = Vec::new();
    for subset in object.items("/subsets") {
        let addresses = || subset.items("/addresses").iter().map(|address| address.text("/ip"));
        let ports = subset.items("/ports");
        if ports.is_empty() {
            all.extend(addresses().map(str::to_owned));
        }
        for port in ports {
            let number = port.number("/port").unwrap_or_default();
            all.extend(addresses().map(|address| format!("{address}:{number}")));
        }
    }
    some_of(&all, "<none>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balanced_service() {
        let service = json!({"metadata": {"name": "web"}, "spec": {"type": "LoadBalancer", "clusterIPs": ["10.0.0.9"],
            "ports": [{"port": 80, "nodePort": 30001, "protocol": "TCP"}], "selector": {"app": "web"}}});
        let cells = cells("services", &service, "1m").unwrap_or_default();
        assert_eq!(cells, ["web", "LoadBalancer", "10.0.0.9", "<pending>", "80:30001/TCP", "1m", "app=web"]);
    }
}
