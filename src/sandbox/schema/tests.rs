//! The recorded data, and decoding and documents made of it.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;

fn resource(plural: &str) -> (Schemas, ResourceType) {
    let schemas = Schemas::built_in();
    let found = schemas.resources().find(|resource| resource.plural == plural).unwrap().clone();
    (schemas, found)
}

#[test]
fn the_data_is_there_and_every_resource_has_a_type() {
    let schemas = Schemas::built_in();
    assert!(schemas.resources().count() > 60);
    let typeless: Vec<String> = schemas
        .resources()
        .filter(|resource| schemas.typed(&resource.api_version(), &resource.kind).is_none())
        .map(|resource| resource.plural.clone())
        .collect();
    assert_eq!(typeless, Vec::<String>::new());
    let deployments = schemas.find("apps", "v1", "deployments").unwrap();
    assert_eq!(deployments.short_names, ["deploy"]);
    let parts: Vec<&str> = deployments.subresources.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(parts, ["scale", "status"]);
}

fn refusal(plural: &str, object: Value, expected: Expect) {
    let (schemas, resource) = resource(plural);
    let mut object = object;
    let admitted = schemas.admit(&resource, &mut object, FieldValidation::Strict);
    let told = match admitted.and_then(|_| schemas.validate(&resource, &object, None)) {
        Ok(()) => "fine".to_owned(),
        Err(Rejection::BadRequest(message)) => message,
        Err(Rejection::Invalid(causes)) => {
            let causes = causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message));
            causes.collect::<Vec<_>>().join("\n")
        }
    };
    expected.assert_eq(&told);
}

#[test]
fn what_does_not_fit_is_refused_in_the_servers_words() {
    refusal(
        "configmaps",
        json!({"metadata": {"name": "a"}, "data": {"a": 1}}),
        expect![[
            r#"ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string"#
        ]],
    );
    refusal(
        "configmaps",
        json!({"metadata": {"name": "a", "lables": {}}}),
        expect![[
            r#"ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "metadata.lables""#
        ]],
    );
    refusal(
        "services",
        json!({"metadata": {"name": "a"}, "spec": {"ports": [{"port": 0}]}}),
        expect![[r"
            spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive
            spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive"]],
    );
}

#[test]
fn documents_have_the_real_words_and_all_that_they_refer_to() {
    let schemas = Schemas::built_in();
    let document = schemas.openapi("apps/v1");
    let definitions = document["components"]["schemas"].as_object().unwrap();
    let deployment = &definitions["io.k8s.api.apps.v1.Deployment"];
    assert_eq!(deployment["description"], "Deployment enables declarative updates for Pods and ReplicaSets.");
    let text = document.to_string();
    assert!(!text.contains("x-go"));
    for part in text.split("\"#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(definitions.contains_key(name), "{name}");
    }
}

#[test]
fn custom_kinds_come_and_go() {
    let mut schemas = Schemas::built_in();
    let definition = json!({"metadata": {"name": "ks.g.io"}, "spec": {"group": "g.io", "scope": "Namespaced",
        "names": {"kind": "K", "plural": "ks"}, "versions": [
            {"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object",
                "properties": {"spec": {"type": "object", "properties": {"n": {"type": "integer", "default": 3}}}}}}},
            {"name": "v0", "served": false, "storage": false}]}});
    schemas.define(&definition).unwrap();
    assert!(schemas.find("g.io", "v0", "ks").is_none());
    let resource = schemas.find("g.io", "v1", "ks").unwrap().clone();
    let mut object = json!({"metadata": {"name": "a"}, "spec": {"x": 1}});
    let warnings = schemas.admit(&resource, &mut object, FieldValidation::Warn).unwrap();
    assert_eq!(warnings, [Warning("unknown field \"spec.x\"".to_owned())]);
    assert_eq!(object["spec"], json!({"n": 3}));
    assert!(schemas.is_custom(&resource));
    schemas.undefine("ks.g.io");
    assert!(schemas.find("g.io", "v1", "ks").is_none());
}
