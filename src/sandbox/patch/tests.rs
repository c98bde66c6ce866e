//! Patches against what the API server makes of them.

use serde_json::json;

use super::*;

fn strategic(live: Value, patch: Value) -> Value {
    let schemas = Schemas::built_in();
    let resource = schemas.find("apps", "v1", "deployments").unwrap();
    strategic_merge_patch(&schemas, resource, &live, &patch).unwrap()
}

fn containers(names: &[&str]) -> Value {
    let list: Vec<Value> =
        names.iter().map(|name| json!({"name": name, "image": format!("{name}:1")})).collect();
    json!({"spec": {"template": {"spec": {"containers": list}}}})
}

fn names(object: &Value) -> Vec<&str> {
    let list = object.pointer("/spec/template/spec/containers").unwrap().as_array().unwrap();
    list.iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[test]
fn lists_merge_by_their_keys() {
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "b", "image": "b:2"}, {"name": "c"}]}}}});
    let merged = strategic(containers(&["a", "b"]), patch);
    assert_eq!(names(&merged), ["a", "b", "c"]);
    assert_eq!(merged.pointer("/spec/template/spec/containers/1/image").unwrap(), "b:2");
}

#[test]
fn directives_delete_replace_and_order() {
    let inner = |value: Value| json!({"spec": {"template": {"spec": value}}});
    let delete = inner(json!({"containers": [{"name": "a", "$patch": "delete"}]}));
    assert_eq!(names(&strategic(containers(&["a", "b"]), delete)), ["b"]);
    let replace = inner(json!({"containers": [{"name": "z"}, {"$patch": "replace"}]}));
    assert_eq!(names(&strategic(containers(&["a", "b"]), replace)), ["z"]);
    let order = inner(
        json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [{"name": "b", "image": "x"}]}),
    );
    assert_eq!(names(&strategic(containers(&["a", "b"]), order)), ["b", "a"]);
    let map = strategic(
        json!({"metadata": {"labels": {"a": "1"}}}),
        json!({"metadata": {"labels": {"$patch": "replace", "b": "2"}}}),
    );
    assert_eq!(map, json!({"metadata": {"labels": {"b": "2"}}}));
}

#[test]
fn retained_keys_are_all_that_stay() {
    let live = json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
    let patch = json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}});
    assert_eq!(strategic(live, patch), json!({"spec": {"strategy": {"type": "Recreate"}}}));
}

#[test]
fn primitive_lists_lose_and_gain() {
    let live = json!({"metadata": {"finalizers": ["x/a", "x/b"]}});
    let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["x/a"]}});
    assert_eq!(strategic(live.clone(), patch), json!({"metadata": {"finalizers": ["x/b"]}}));
    let patch = json!({"metadata": {"finalizers": ["x/c"]}});
    assert_eq!(strategic(live, patch), json!({"metadata": {"finalizers": ["x/c", "x/a", "x/b"]}}));
}

#[test]
fn json_patches_work_and_fail() {
    let live = json!({"data": {"a": "1"}, "list": [1, 2]});
    let patched = |patch: Value| json_patch(&live, &patch);
    let operations = json!([
        {"op": "test", "path": "/data/a", "value": "1"},
        {"op": "add", "path": "/list/-", "value": 3},
        {"op": "remove", "path": "/list/0"},
        {"op": "move", "from": "/data/a", "path": "/data/b~1c"},
        {"op": "copy", "from": "/data/b~1c", "path": "/data/d"},
        {"op": "replace", "path": "/list/0", "value": 9},
    ]);
    assert_eq!(patched(operations).unwrap(), json!({"data": {"b/c": "1", "d": "1"}, "list": [9, 3]}));
    for wrong in [
        json!([{"op": "test", "path": "/data/a", "value": "2"}]),
        json!([{"op": "remove", "path": "/data/z"}]),
        json!([{"op": "add", "path": "/spec/a", "value": 1}]),
        json!([{"op": "add", "path": "/list/9", "value": 1}]),
        json!([{"op": "add", "path": "data", "value": 1}]),
        json!([{"op": "wish", "path": "/data"}]),
    ] {
        assert!(matches!(patched(wrong.clone()), Err(PatchError::Unprocessable(_))), "{wrong}");
    }
}

#[test]
fn merge_patches_remove_by_null() {
    let live = json!({"a": {"b": 1, "c": 2}});
    assert_eq!(
        merge_patch(&live, &json!({"a": {"b": null, "d": {"e": null}}})).unwrap(),
        json!({"a": {"c": 2, "d": {}}})
    );
}
