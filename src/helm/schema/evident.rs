//! Whether a schema evidently is one. Most are, and a look at each keyword tells; what it cannot tell, also whatever is
//! wrong, is left to the metaschema, which has the words.

use super::draft::Draft;
use super::json::{Json, Kind};
use crate::functions::regexes::LazyRegex;

/// So many values of a list are compared with each other.
const FEW: usize = 100;

/// Whether a schema fits the metaschema of its draft for sure. It holds no schema with an address of its own.
pub(super) fn is_schema(schema: &Json, is_root: bool, draft: Draft) -> bool {
    let Json::Map(schema) = schema else { return false };
    schema.iter().all(|(keyword, value)| match keyword.as_str() {
        // The draft that a document names is known, else there would be none.
        "$schema" => is_root && value.as_text().is_some(),
        "$id" => is_root && value.as_text().is_some_and(is_plain_address),
        keyword => fits(keyword, value, draft),
    })
}

fn is_inner(schema: &Json, draft: Draft) -> bool {
    match schema {
        Json::Map(schema) => schema.iter().all(|(keyword, value)| fits(keyword, value, draft)),
        Json::Bool(_) => draft > Draft::Draft4,
        _ => false,
    }
}

/// Whether a keyword holds what it may in every draft up to the newest.
fn fits(keyword: &str, value: &Json, draft: Draft) -> bool {
    let inner = |schema: &Json| is_inner(schema, draft);
    match keyword {
        "properties" | "definitions" | "$defs" => value.as_map().is_some_and(|map| map.values().all(inner)),
        "patternProperties" => value.as_map().is_some_and(|map| {
            map.iter().all(|(pattern, schema)| LazyRegex::new(pattern).is_ok() && inner(schema))
        }),
        "additionalProperties"
        | "additionalItems"
        | "not"
        | "if"
        | "then"
        | "else"
        | "contains"
        | "propertyNames" => inner(value),
        "items" => match value {
            Json::List(list) => draft < Draft::LATEST && !list.is_empty() && list.iter().all(inner),
            other => inner(other),
        },
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => {
            value.as_list().is_some_and(|list| !list.is_empty() && list.iter().all(inner))
        }
        "type" => match value {
            Json::Text(name) => is_type(name),
            Json::List(names) => {
                !names.is_empty()
                    && are_different(names)
                    && names.iter().all(|name| name.as_text().is_some_and(is_type))
            }
            _ => false,
        },
        "required" => names(value, draft),
        "enum" => value.as_list().is_some_and(|values| !values.is_empty() && are_different(values)),
        "minimum" | "maximum" => matches!(value, Json::Number(_)),
        "exclusiveMinimum" | "exclusiveMaximum" => draft > Draft::Draft4 && matches!(value, Json::Number(_)),
        "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" => {
            is_count(value)
        }
        "pattern" => value.as_text().is_some_and(|pattern| LazyRegex::new(pattern).is_ok()),
        "title" | "description" | "$comment" | "format" | "contentMediaType" | "contentEncoding" => {
            value.as_text().is_some()
        }
        "uniqueItems" | "readOnly" | "writeOnly" | "deprecated" => matches!(value, Json::Bool(_)),
        "examples" => value.as_list().is_some(),
        "default" | "const" => true,
        "$ref" => value.as_text().is_some_and(is_plain_pointer),
        // It chooses no draft for a part of a document, but has to be an address.
        "$schema" => value.as_text().is_some_and(|name| Draft::named(name).is_some()),
        "dependencies" => value.as_map().is_some_and(|map| {
            map.values()
                .all(|needed| if needed.as_list().is_some() { names(needed, draft) } else { inner(needed) })
        }),
        _ => !OTHERS.contains(&keyword) && !keyword.starts_with('$'),
    }
}

/// Keywords that are rare, or differ between drafts.
const OTHERS: [&str; 9] = [
    "id",
    "dependentSchemas",
    "dependentRequired",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
    "multipleOf",
    "minContains",
    "maxContains",
];

/// Different texts; the oldest draft wants at least one.
fn names(value: &Json, draft: Draft) -> bool {
    value.as_list().is_some_and(|names| {
        let texts = names.iter().all(|name| name.as_text().is_some());
        texts && (draft > Draft::Draft4 || !names.is_empty()) && are_different(names)
    })
}

fn is_type(name: &str) -> bool {
    Kind::ALL.iter().any(|kind| kind.name() == name)
}

/// A whole number that is not negative, as people write it.
fn is_count(value: &Json) -> bool {
    matches!(value, Json::Number(number) if number.text().bytes().all(|byte| byte.is_ascii_digit()))
}

fn are_different(values: &[Json]) -> bool {
    let differs =
        |(index, value): (usize, &Json)| values.iter().take(index).all(|earlier| !earlier.equals(value));
    values.len() <= FEW && values.iter().enumerate().all(differs)
}

/// An address without a fragment, or anything that would have to be escaped.
fn is_plain_address(address: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-.:".contains(&byte);
    address.starts_with("https://") && address.bytes().all(plain)
}

/// A reference inside of the document without anything that would have to be unescaped.
fn is_plain_pointer(reference: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-.$".contains(&byte);
    reference.strip_prefix('#').is_some_and(|pointer| pointer.bytes().all(plain))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::super::metaschema;
    use super::{Draft, is_schema};
    use crate::Compat;
    use crate::functions::json::Wording;

    /// Values that keywords may have, or may not.
    fn values() -> impl Strategy<Value = Json> {
        let some = vec![
            json!(null),
            json!(true),
            json!(0),
            json!(3),
            json!(-1),
            json!(1.5),
            json!(""),
            json!("a"),
            json!("["),
            json!("string"),
            json!("https://example.com/a.json"),
            json!("#/definitions/a"),
            json!([]),
            json!({}),
            json!(["a"]),
            json!(["a", "a"]),
            json!(["string", "null"]),
            json!([{}]),
            json!([true]),
            json!([1, 1.0]),
            json!({"a": {}}),
            json!({"[": {}}),
            json!({"a": ["b"]}),
            json!({"a": true}),
            json!({"a": 1}),
        ];
        prop::sample::select(some)
    }

    fn keywords() -> impl Strategy<Value = &'static str> {
        let some = vec![
            "$id",
            "id",
            "$schema",
            "$ref",
            "$comment",
            "$defs",
            "definitions",
            "properties",
            "patternProperties",
            "additionalProperties",
            "additionalItems",
            "items",
            "prefixItems",
            "contains",
            "propertyNames",
            "not",
            "if",
            "allOf",
            "anyOf",
            "type",
            "required",
            "enum",
            "const",
            "minimum",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "multipleOf",
            "maxLength",
            "minItems",
            "uniqueItems",
            "pattern",
            "format",
            "title",
            "default",
            "examples",
            "dependencies",
            "dependentRequired",
            "deprecated",
            "readOnly",
            "contentEncoding",
            "other",
        ];
        prop::sample::select(some)
    }

    fn schemas() -> impl Strategy<Value = Json> {
        values().prop_recursive(3, 12, 3, |inner| {
            let held = prop_oneof![
                2 => inner.clone(),
                1 => inner.clone().prop_map(|one| json!({"a": one})),
                1 => prop::collection::vec(inner, 0..3).prop_map(Json::Array),
                2 => values(),
            ];
            prop::collection::vec((keywords(), held), 1..4).prop_map(|pairs| {
                Json::Object(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_evidently_is_a_schema_fits_its_metaschema(schema in schemas()) {
            let text = schema.to_string();
            let read = super::super::json::Json::read(text.as_bytes(), Wording::Go1_27).unwrap();
            for draft in Draft::ALL {
                // A document whose own draft is not known does not come here.
                let known = |name: &Json| name.as_str().is_none_or(|name| Draft::named(name).is_some());
                let evident = schema.get("$schema").is_none_or(known) && is_schema(&read, true, draft);
                let fits = metaschema::check(draft, &read, &BTreeMap::new(), Compat::V4_3);
                prop_assert!(!evident || fits.is_ok(), "{draft:?} {text} {fits:?}");
            }
        }
    }

    #[test]
    fn what_charts_have_is_evident() {
        for text in [
            r#"{"$id": "https://example.com/a.json", "required": [], "patternProperties": {"^a": {"minimum": 1}}}"#,
            r#"{"type": ["object", "null"], "items": {"exclusiveMinimum": 0}, "additionalProperties": false}"#,
        ] {
            let read = super::super::json::Json::read(text.as_bytes(), Wording::Go1_27).unwrap();
            assert!(is_schema(&read, true, Draft::Draft7), "{text}");
        }
    }
}
