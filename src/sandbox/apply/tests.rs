//! Apply and tracking on small objects, and that nothing that is sent makes them panic.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::patch;
use crate::schema::FieldValidation;

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn resource(schemas: &Schemas, plural: &str) -> ResourceType {
    schemas.resources().find(|resource| resource.plural == plural).unwrap().clone()
}

fn config(data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data})
}

fn applied(live: Option<&Value>, data: &Value, manager: &str, force: bool) -> Result<Value, ApplyError> {
    let schemas = Schemas::built_in();
    let resource = resource(&schemas, "configmaps");
    apply(&schemas, &resource, live, &config(data), manager, force, None, &now())
}

fn owners(object: &Value) -> Vec<(String, Value)> {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let owner = |entry: &Value| (entry["manager"].as_str().unwrap().to_owned(), entry["fieldsV1"].clone());
    entries.iter().map(owner).collect()
}

#[test]
fn what_is_applied_is_owned_and_what_is_not_applied_again_goes() {
    let first = applied(None, &json!({"a": "1", "b": "2"}), "one", false).unwrap();
    assert_eq!(owners(&first), [("one".to_owned(), json!({"f:data": {"f:a": {}, "f:b": {}}}))]);
    let second = applied(Some(&first), &json!({"a": "1"}), "one", false).unwrap();
    assert_eq!(second["data"], json!({"a": "1"}));
    assert_eq!(applied(Some(&second), &json!({"a": "1"}), "one", false).unwrap(), second);
}

#[test]
fn others_fields_are_taken_by_force_alone() {
    let first = applied(None, &json!({"a": "1"}), "one", false).unwrap();
    let Err(ApplyError::Conflicts { message, conflicts }) =
        applied(Some(&first), &json!({"a": "2"}), "two", false)
    else {
        panic!("no conflict");
    };
    assert_eq!(message, "Apply failed with 1 conflict: conflict with \"one\": .data.a");
    assert_eq!(conflicts.len(), 1);
    let forced = applied(Some(&first), &json!({"a": "2"}), "two", true).unwrap();
    assert_eq!(owners(&forced), [("two".to_owned(), json!({"f:data": {"f:a": {}}}))]);
}

#[test]
fn a_manager_of_a_version_that_is_gone_is_forgotten() {
    let mut live = applied(None, &json!({"a": "1"}), "one", false).unwrap();
    live["metadata"]["managedFields"][0]["apiVersion"] = json!("v0");
    let next = applied(Some(&live), &json!({"a": "2"}), "two", false).unwrap();
    assert_eq!(owners(&next).len(), 1);
}

#[test]
fn lists_are_as_long_as_can_be_worked_with() {
    let (schemas, finalizers) = (Schemas::built_in(), |count: usize| {
        let list: Vec<String> = (0..count).map(|number| format!("example.com/{number}")).collect();
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "finalizers": list}})
    });
    let resource = resource(&schemas, "configmaps");
    let applied = |count| apply(&schemas, &resource, None, &finalizers(count), "one", false, None, &now());
    assert!(applied(1_000).is_ok());
    let Err(ApplyError::Internal(message)) = applied(10_001) else { panic!("not refused") };
    assert!(message.ends_with("a list may have at most 10000 items, this one has 10001"), "{message}");
    let admitted = schemas.admit(&resource, &mut finalizers(10_001), FieldValidation::Ignore);
    assert!(
        matches!(admitted, Err(Rejection::BadRequest(message)) if message.contains("at most 10000 items"))
    );
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop_oneof!["[a-z]{0,3}", "[0-9]{1,4}(m|Mi|%)?", Just("2001-01-01T00:00:00Z".to_owned())]
            .prop_map(Value::from),
    ];
    let key = prop_oneof![
        proptest::sample::select(vec![
            "metadata",
            "spec",
            "status",
            "data",
            "template",
            "containers",
            "name",
            "labels",
            "ports",
            "containerPort",
            "selector",
            "matchLabels",
            "managedFields",
            "fieldsV1",
            "f:a",
            "k:{\"name\":\"a\"}",
            ".",
            "finalizers",
            "ownerReferences",
            "$patch",
            "$retainKeys",
            "$setElementOrder/containers",
            "$deleteFromPrimitiveList/finalizers",
            "op",
            "path",
            "value",
            "strategy",
            "rollingUpdate",
            "resources",
            "limits",
            "volumes",
            "env",
            "schedule",
            "jobTemplate",
            "versions",
            "schema",
            "names",
        ])
        .prop_map(str::to_owned),
        "[a-z]{1,3}",
    ];
    leaf.prop_recursive(6, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nothing_that_is_sent_panics(one in any_value(), two in any_value(), pick in 0_usize..64) {
        let mut schemas = Schemas::built_in();
        let kinds: Vec<ResourceType> = schemas.resources().cloned().collect();
        let resource = &kinds[pick % kinds.len()];
        let mut object = one.clone();
        if let Some(map) = object.as_object_mut() {
            map.insert("apiVersion".to_owned(), json!(resource.api_version()));
            map.insert("kind".to_owned(), json!(resource.kind));
        }
        let _ = apply(&schemas, resource, Some(&two), &object, "one", true, None, &now());
        let _ = apply(&schemas, resource, None, &object, "kubectl", false, Some("status"), &now());
        let _ = patch::json_patch(&one, &two);
        let _ = patch::merge_patch(&one, &two);
        let _ = patch::strategic_merge_patch(&schemas, resource, &one, &two);
        let _ = schemas.validate(resource, &object, Some(&two));
        if schemas.admit(resource, &mut object, FieldValidation::Warn).is_ok() {
            let _ = schemas.validate(resource, &object, None);
            track_update(&schemas, resource, Some(&two), &mut object.clone(), "one", None, &now());
            track_update(&schemas, resource, None, &mut object, "one", Some("scale"), &now());
        }
        let _ = schemas.define(&json!({"metadata": {"name": "x"}, "spec": {"group": "g", "names": {"kind": "K", "plural": "ks"},
            "versions": [{"name": "v1", "served": true, "schema": {"openAPIV3Schema": one}}]}}));
        if let Some(custom) = schemas.find("g", "v1", "ks").cloned() {
            let mut object = two;
            let _ = schemas.admit(&custom, &mut object, FieldValidation::Strict);
            let _ = schemas.validate(&custom, &object, None);
            let _ = apply(&schemas, &custom, None, &json!({"apiVersion": "g/v1", "spec": object}), "m", false, None, &now());
            let _ = schemas.openapi("g/v1");
        }
    }

    #[test]
    fn applying_again_changes_nothing(
        one in prop::collection::btree_map("[a-d]", "[xy]", 0..4),
        two in prop::collection::btree_map("[a-d]", "[xy]", 0..4),
    ) {
        let (one, two) = (json!(one), json!(two));
        let first = applied(None, &one, "one", true).unwrap();
        let both = applied(Some(&first), &two, "two", true).unwrap();
        prop_assert_eq!(&applied(Some(&both), &two, "two", false).unwrap(), &both);
        // Everything there is owned by somebody, and what both wanted is as the second wants it.
        for (key, value) in both["data"].as_object().into_iter().flatten() {
            prop_assert!(two.get(key).is_none_or(|wanted| wanted == value));
            prop_assert!(one.get(key).is_some() || two.get(key).is_some());
        }
        // The first gives up: only what the second applied stays.
        let alone = applied(Some(&both), &json!({}), "one", true).unwrap();
        let left = alone.get("data").cloned().unwrap_or(json!({}));
        prop_assert_eq!(left, two);
    }
}
