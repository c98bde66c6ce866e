//! OpenAPI v3: an index of documents by group and version, and the documents.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha512};

use super::super::catalog::Resource;
use super::super::object::Fields;
use super::super::request::{Body, Response};
use super::super::store::Store;
use super::not_a_page;

impl Store {
    pub(super) fn openapi(&self, path: &str) -> Response {
        if path.is_empty() {
            return Response::object(self.openapi_index());
        }
        let steps: Vec<&str> = path.split('/').collect();
        let (group, version) = match steps.as_slice() {
            ["api", version] => ("", *version),
            ["apis", group, version] => (*group, *version),
            _ => return not_a_page(),
        };
        if !self.catalog.serves(group, version) {
            return not_a_page();
        }
        let name = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        let mut document = self.schemas.openapi(&name);
        let mut paths = Map::new();
        for resource in self.catalog.all() {
            if resource.kind.group == group && resource.kind.version == version {
                describe(resource, path, &mut paths);
            }
        }
        let described = document.map("/paths").is_some_and(|paths| !paths.is_empty());
        if !described {
            document.put("/paths", Value::Object(paths));
        }
        Response::new(200, Body::Text { media: "application/json", text: document.to_string() })
    }

    fn openapi_index(&self) -> Value {
        let mut names: Vec<String> = self
            .catalog
            .all()
            .map(|resource| match resource.kind.group.as_str() {
                "" => format!("api/{}", resource.kind.version),
                group => format!("apis/{group}/{}", resource.kind.version),
            })
            .collect();
        names.sort();
        names.dedup();
        let mut paths = Map::new();
        for name in names {
            let hash = self.openapi_hash(&name);
            let address = format!("/openapi/v3/{name}?hash={hash}");
            paths.insert(name, json!({"serverRelativeURL": address}));
        }
        json!({"paths": paths})
    }

    /// What is served changes with the custom resources alone: a hash of what is known of them is enough.
    fn openapi_hash(&self, name: &str) -> String {
        let mut hash = Sha512::new();
        hash.update(name.as_bytes());
        for definition in self.list("customresourcedefinitions.apiextensions.k8s.io", None) {
            let of_group = name.starts_with(&format!("apis/{}/", definition.text("/spec/group")));
            if of_group {
                hash.update(definition.text("/metadata/generation").as_bytes());
                hash.update(definition.get("spec").map(Value::to_string).unwrap_or_default().as_bytes());
            }
        }
        hash.finalize().iter().map(|byte| format!("{byte:02X}")).collect()
    }
}

/// The paths of a resource, as far as clients read them: which kind, which actions, which parameters.
fn describe(resource: &Resource, root: &str, paths: &mut Map<String, Value>) {
    let kind = &resource.kind;
    let scope = if kind.namespaced { "namespaces/{namespace}/" } else { "" };
    let base = format!("/{root}/{scope}{}", kind.plural);
    let known = json!([{"group": kind.group, "kind": kind.kind, "version": kind.version}]);
    let one = known.get(0).cloned().unwrap_or_default();
    let operation = |action: &str, parameters: &[&str]| {
        let parameters: Vec<Value> = parameters
            .iter()
            .map(|name| {
                let text = if *name == "force" { "boolean" } else { "string" };
                json!({"name": name, "in": "query", "schema": {"type": text, "uniqueItems": true}})
            })
            .collect();
        json!({"x-kubernetes-action": action, "x-kubernetes-group-version-kind": one, "parameters": parameters,
            "responses": {"200": {"description": "OK"}}})
    };
    let write = ["dryRun", "fieldManager", "fieldValidation"];
    let patch = ["dryRun", "fieldManager", "fieldValidation", "force"];
    let mut item = json!({});
    let actions: [(&str, &str, &str, &[&str]); 4] = [
        ("get", "get", "get", &[]),
        ("update", "put", "put", &write),
        ("patch", "patch", "patch", &patch),
        ("delete", "delete", "delete", &["dryRun", "gracePeriodSeconds", "propagationPolicy"]),
    ];
    for (verb, method, action, parameters) in actions {
        if resource.allows(verb) {
            item.put(&format!("/{method}"), operation(action, parameters));
        }
    }
    paths.insert(format!("{base}/{{name}}"), item);
    let mut all = json!({});
    if resource.allows("list") {
        all.put("/get", operation("list", &["labelSelector", "fieldSelector", "limit", "continue", "watch"]));
    }
    if resource.allows("create") {
        all.put("/post", operation("post", &write));
    }
    if resource.allows("deletecollection") {
        all.put("/delete", operation("deletecollection", &["dryRun", "labelSelector", "fieldSelector"]));
    }
    paths.insert(base, all);
}
