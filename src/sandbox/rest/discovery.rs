//! What is served: aggregated discovery, and the lists that older clients read.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::catalog::Resource;
use super::super::object::Fields;
use super::super::request::{Body, Request, Response};
use super::super::schema::Subresource;
use super::super::store::Store;
use super::not_a_page;

/// The order in which kube-apiserver prefers groups; those of custom resources follow.
const ORDER: &[&str] = &[
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "storagemigration.k8s.io",
];

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

fn wants_aggregated(request: &Request) -> bool {
    request.accept.split(',').any(|media| {
        let has = |part: &str| media.split(';').any(|one| one.trim() == part);
        media.trim().starts_with("application/json")
            && has("g=apidiscovery.k8s.io")
            && has("v=v2")
            && has("as=APIGroupDiscoveryList")
    })
}

type Versions = Vec<(String, Vec<Arc<Resource>>)>;

impl Store {
    /// Groups with their versions, preferred ones first, and their resources.
    fn served(&self) -> Vec<(String, Versions)> {
        let mut groups: BTreeMap<String, Versions> = BTreeMap::new();
        for resource in self.catalog.all() {
            let versions = groups.entry(resource.kind.group.clone()).or_default();
            match versions.iter_mut().find(|(version, _)| *version == resource.kind.version) {
                Some((_, resources)) => resources.push(resource.clone()),
                None => versions.push((resource.kind.version.clone(), vec![resource.clone()])),
            }
        }
        let mut groups: Vec<(String, Versions)> = groups.into_iter().collect();
        for (_, versions) in &mut groups {
            versions.sort_by_key(|(version, _)| std::cmp::Reverse(rank(version)));
        }
        let place = |group: &str| ORDER.iter().position(|one| *one == group).unwrap_or(ORDER.len());
        groups.sort_by_key(|(group, _)| place(group));
        groups
    }

    pub(super) fn legacy_root(&self, request: &Request) -> Response {
        if wants_aggregated(request) {
            return aggregated(self.served().into_iter().filter(|(group, _)| group.is_empty()));
        }
        Response::object(json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [
            {"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}]}))
    }

    pub(super) fn groups(&self, request: &Request) -> Response {
        let served = self.served().into_iter().filter(|(group, _)| !group.is_empty());
        if wants_aggregated(request) {
            return aggregated(served);
        }
        let groups: Vec<Value> = served.map(|(group, versions)| group_of(&group, &versions)).collect();
        Response::object(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
    }

    pub(super) fn group(&self, wanted: &str) -> Response {
        let Some((group, versions)) = self.served().into_iter().find(|(group, _)| group == wanted) else {
            return not_a_page();
        };
        let mut found = json!({"kind": "APIGroup", "apiVersion": "v1"});
        if let (Some(map), Value::Object(rest)) = (found.as_object_mut(), group_of(&group, &versions)) {
            map.extend(rest);
        }
        Response::object(found)
    }

    pub(super) fn group_version(&self, group: &str, version: &str) -> Response {
        if !self.catalog.serves(group, version) {
            return not_a_page();
        }
        let of_version =
            |resource: &&Arc<Resource>| resource.kind.group == group && resource.kind.version == version;
        let resources: Vec<Value> =
            self.catalog.all().filter(of_version).flat_map(|one| listed(one)).collect();
        let name = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        let mut list = json!({"kind": "APIResourceList"});
        if !group.is_empty() {
            list.put("/apiVersion", json!("v1"));
        }
        list.put("/groupVersion", json!(name));
        list.put("/resources", json!(resources));
        Response::object(list)
    }

    pub(super) fn paths(&self) -> Value {
        let mut paths =
            vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned(), "/apis/".to_owned()];
        for (group, versions) in self.served() {
            if group.is_empty() {
                continue;
            }
            paths.push(format!("/apis/{group}"));
            paths.extend(versions.iter().map(|(version, _)| format!("/apis/{group}/{version}")));
        }
        for path in ["/healthz", "/livez", "/openapi/v3", "/openapi/v3/", "/readyz", "/version"] {
            paths.push(path.to_owned());
        }
        paths.sort();
        json!({"paths": paths})
    }
}

/// Stable versions before beta ones before alpha ones, and newer before older.
fn rank(version: &str) -> (u8, u32, u32) {
    let digits = |text: &str| -> u32 {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or_default()
    };
    let rest = version.strip_prefix('v').unwrap_or(version);
    let major = digits(rest);
    let stage = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
    match (stage.strip_prefix("beta"), stage.strip_prefix("alpha")) {
        (Some(number), _) => (1, major, digits(number)),
        (None, Some(number)) => (0, major, digits(number)),
        (None, None) => (2, major, 0),
    }
}

fn group_of(group: &str, versions: &Versions) -> Value {
    let version = |version: &str| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    let all: Vec<Value> = versions.iter().map(|(name, _)| version(name)).collect();
    json!({"name": group, "versions": all, "preferredVersion": all.first()})
}

fn aggregated(groups: impl Iterator<Item = (String, Versions)>) -> Response {
    let items: Vec<Value> = groups
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .map(|(version, resources)| {
                    let resources: Vec<Value> = resources.iter().map(|one| discovered(one)).collect();
                    json!({"version": version, "resources": resources, "freshness": "Current"})
                })
                .collect();
            let metadata = if group.is_empty() { json!({}) } else { json!({"name": group}) };
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    let list = json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {},
        "items": items});
    Response::new(200, Body::Text { media: AGGREGATED, text: list.to_string() })
}

fn discovered(resource: &Resource) -> Value {
    let kind = &resource.kind;
    let response =
        |group: &str, version: &str, kind: &str| json!({"group": group, "version": version, "kind": kind});
    // A resource of its own group leaves group and version out.
    let own = if resource.custom {
        response(&kind.group, &kind.version, &kind.kind)
    } else {
        response("", "", &kind.kind)
    };
    let mut found = json!({"resource": kind.plural, "responseKind": own,
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular, "verbs": kind.verbs});
    if !kind.short_names.is_empty() {
        found.put("/shortNames", json!(kind.short_names));
    }
    if !kind.categories.is_empty() {
        found.put("/categories", json!(kind.categories));
    }
    let part = |one: &Subresource| {
        let is_own = one.group == kind.group && one.version == kind.version;
        let shown = match is_own {
            true if resource.custom => response(&kind.group, &kind.version, &one.kind),
            true => response("", "", &one.kind),
            false => response(&one.group, &one.version, &one.kind),
        };
        json!({"subresource": one.name, "responseKind": shown, "verbs": one.verbs})
    };
    let parts: Vec<Value> = kind.subresources.iter().map(part).collect();
    if !parts.is_empty() {
        found.put("/subresources", json!(parts));
    }
    found
}

/// A resource and its subresources, as older clients read them.
fn listed(resource: &Resource) -> Vec<Value> {
    let kind = &resource.kind;
    let mut own = json!({"name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced,
        "kind": kind.kind, "verbs": kind.verbs});
    if !kind.short_names.is_empty() {
        own.put("/shortNames", json!(kind.short_names));
    }
    if !kind.categories.is_empty() {
        own.put("/categories", json!(kind.categories));
    }
    if !kind.storage_version_hash.is_empty() {
        own.put("/storageVersionHash", json!(kind.storage_version_hash));
    }
    let mut all = vec![own];
    for part in &kind.subresources {
        let mut one = json!({"name": format!("{}/{}", kind.plural, part.name), "singularName": "",
            "namespaced": kind.namespaced});
        let is_own = part.group == kind.group && part.version == kind.version;
        if !is_own && !part.version.is_empty() {
            one.put("/group", json!(part.group));
            one.put("/version", json!(part.version));
        }
        one.put("/kind", json!(part.kind));
        one.put("/verbs", json!(part.verbs));
        all.push(one);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_in_order_of_preference() {
        let mut versions = ["v1beta1", "v2", "v1", "v1alpha1", "v1beta2"];
        versions.sort_by_key(|version| std::cmp::Reverse(rank(version)));
        assert_eq!(versions, ["v2", "v1", "v1beta2", "v1beta1", "v1alpha1"]);
    }
}
