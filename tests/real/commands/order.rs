//! What must be there before something else is.

use serde_json::Value;

use crate::commands::once;
use crate::shop::Shop;

#[test]
#[ignore = "needs the real parts: tests/run"]
fn a_definition_and_its_resource_come_up_in_one_commit() {
    let shop = Shop::new("crd");
    let group = format!("{}.example.com", shop.name());
    let definition = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: boats.{group}}}\nspec:\n  group: {group}\n  scope: Namespaced\n  names: {{plural: boats, singular: boat, kind: Boat}}\n  versions:\n    - name: v1\n      served: true\n      storage: true\n      schema: {{openAPIV3Schema: {{type: object, properties: {{spec: {{type: object, properties: {{length: {{type: integer}}}}}}}}}}}}\n"
    );
    let boat = |length: u8| {
        format!("apiVersion: {group}/v1\nkind: Boat\nmetadata: {{name: anna}}\nspec: {{length: {length}}}\n")
    };
    // By its file's name the resource comes first.
    shop.commit(&[("k8s/api/a-boat.yaml", &boat(7)), ("k8s/api/z-definition.yaml", &definition)]);
    let output = once(&shop);
    assert_eq!(output.code, 0, "{}", output.all());
    let namespace = shop.namespace("dev");
    let length = || {
        let kind = format!("boats.{group}");
        shop.kubectl(&["-n", &namespace, "get", &kind, "anna", "-o", "jsonpath={.spec.length}"])
    };
    assert_eq!(length(), "7");
    let team = shop.kubectl(&[
        "get",
        "namespace",
        &namespace,
        "-o",
        "jsonpath={.metadata.labels.moorline\\.dev/team}",
    ]);
    assert_eq!(team, shop.name());

    shop.commit(&[("k8s/api/a-boat.yaml", &boat(9))]);
    assert_eq!(once(&shop).code, 0);
    assert_eq!(length(), "9");
    // Both leave Git: neither goes unasked.
    shop.remove(|path| path == "k8s/api/a-boat.yaml" || path == "k8s/api/z-definition.yaml");
    let output = once(&shop);
    assert_eq!(output.code, 3, "{}", output.all());
    assert!(output.stderr().contains("PruneGuard"), "{}", output.all());
    assert_eq!(length(), "9");
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn waves_follow_each_other_and_wait_for_health() {
    let shop = Shop::new("waves");
    let wave = |name: &str, number: i8| {
        format!(
            "---\napiVersion: batch/v1\nkind: Job\nmetadata: {{name: {name}, annotations: {{argocd.argoproj.io/sync-wave: \"{number}\"}}}}\nspec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: a, image: \"example.com/{name}:1\"}}]}}}}}}\n"
        )
    };
    let map = |name: &str, number: i8| {
        format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, annotations: {{argocd.argoproj.io/sync-wave: \"{number}\"}}}}\n"
        )
    };
    let text = [map("last", 5), wave("second", 1), map("first", -2), wave("third", 3)].concat();
    shop.commit(&[("k8s/jobs/waves.yaml", &text)]);
    let audit = shop.audit();
    let output = once(&shop);
    assert_eq!(output.code, 0, "{}", output.all());
    let names: Vec<String> = audit
        .requests_of("moorline/")
        .into_iter()
        .filter(|request| request.verb == "patch" && request.namespace == shop.namespace("dev"))
        .map(|request| request.name)
        .filter(|name| ["first", "second", "third", "last"].contains(&name.as_str()))
        .collect();
    assert_eq!(names, ["first", "second", "third", "last"]);
    let get = |name: &str, path: &str| {
        let text = shop.kubectl(&["-n", &shop.namespace("dev"), "get", "job", name, "-o", "json"]);
        serde_json::from_str::<Value>(&text).unwrap().pointer(path).cloned().unwrap_or_default().to_string()
    };
    let (done, made) = (get("second", "/status/completionTime"), get("third", "/metadata/creationTimestamp"));
    assert!(done.len() > 4 && done <= made, "the second was done at {done}, the third made at {made}");
}
