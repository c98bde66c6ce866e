//! Helm's messages about schemas and values.

use super::{Schema, Unfit};
use crate::Compat;
use crate::value::{Map, Text, Value};

fn check(schema: &str, values: &Value) -> Result<(), Unfit> {
    Schema::new(Text::from(schema)).check(values, Compat::V4_3)
}

fn message(schema: &str, values: &Value) -> String {
    check(schema, values).expect_err("misfits").message
}

#[test]
fn messages_of_helm() {
    let schema = r##"{"$schema": "http://json-schema.org/draft-07/schema#", "required": ["z"],
        "properties": {"a": {"type": "integer"}, "b": {"oneOf": [{"type": "string"}, {"$ref": "#/definitions/n"}]}},
        "definitions": {"n": {"minimum": 5}}}"##;
    let values = Value::Map(Map::from_pairs([("a", Value::text("x")), ("b", Value::Float(1.0))]));
    let unfit = check(schema, &values).expect_err("misfits");
    assert_eq!(unfit.at, ["", "/a", "/b"]);
    assert_eq!(
        unfit.message,
        "- at '': missing property 'z'\n- at '/a': got string, want integer\n- at '/b': 'oneOf' failed, none matched\n  - at '/b': got number, want string\n  - at '/b': minimum: got 1, want 5\n"
    );
}

#[test]
fn types_are_listed_in_an_order_of_their_own() {
    let schema = r#"{"type": ["object", "array", "null", "string", "integer", "number"]}"#;
    assert_eq!(
        message(schema, &Value::Bool(true)),
        "- at '': got boolean, want null or number or integer or string or array or object\n"
    );
}

#[test]
fn keywords_of_one_value_hide_the_others_and_lists_name_their_items() {
    let list = |items: &[i64]| Value::list(items.iter().map(|item| Value::Int(*item)).collect());
    for (schema, value, wanted) in [
        (r#"{"const": "x", "type": "string"}"#, Value::Int(1), "- at '': got number, want string\n"),
        (r#"{"enum": ["b", 1, null]}"#, Value::Int(2), "- at '': value must be one of 'b', 1, <nil>\n"),
        (r#"{"enum": [[], 1]}"#, Value::Int(2), "- at '': 'enum' failed\n"),
        (r#"{"const": {}}"#, Value::Int(2), "- at '': 'const' failed\n"),
        (
            r#"{"contains": {"type": "null"}}"#,
            list(&[1]),
            "- at '': no items match contains schema\n  - at '/0': got number, want null\n",
        ),
        (
            r#"{"contains": {"minimum": 2}, "minContains": 2}"#,
            list(&[3, 1]),
            "- at '': min 2 items required to match contains schema, but matched 1 items at 0\n  - at '/1': minimum: got 1, want 2\n",
        ),
        (
            r#"{"$schema": "http://json-schema.org/draft-07/schema#", "items": [true], "additionalItems": false}"#,
            list(&[1, 2, 3]),
            "- at '': last 2 additionalItem(s) not allowed\n",
        ),
    ] {
        assert_eq!(message(schema, &value), wanted, "{schema}");
    }
    assert!(check(r#"{"const": 1.0}"#, &Value::Int(1)).is_ok());
}

#[test]
fn schemas_that_cannot_be_read() {
    for (schema, wanted) in [
        ("\n", "EOF"),
        ("{\"a\":", "unexpected EOF"),
        ("{} x", "invalid character after top-level value"),
        ("{\"a\":}", "invalid character '}' looking for beginning of value"),
        ("{\"a\":1,}", "invalid character '}' looking for beginning of object key string"),
    ] {
        assert_eq!(message(schema, &Value::Map(Map::new())), wanted, "{schema}");
    }
}

#[test]
fn references_without_a_target_fail_before_any_value() {
    let schema = r##"{"type": "string", "properties": {"a": {"$ref": "#/gone"}}}"##;
    assert_eq!(
        message(schema, &Value::Map(Map::new())),
        "json-pointer in \"file:///values.schema.json#/gone\" not found"
    );
}
