//! Whether a schema evidently is one. Most are, and a look at each keyword tells; what it cannot tell, also whatever is
//! wrong, is left to the metaschema, which has the words.

use super::draft::Draft;
use super::json::{Json, Kind};
use crate::helm::functions::regexes::LazyRegex;

/// So many values of a list are compared with each other.
const FEW: usize = 100;

/// Whether a schema fits the metaschema of its draft for sure. It holds no schema with an address of its own.
pub(super) fn is_schema(schema: &Json, is_root: bool, draft: Draft) -> bool {
    let Json::Map(schema) = schema else { return false };
    schema.iter().all(|(keyword, value)| match keyword.as_str() {
        // The draft that a document names is known, else there would be none.
        "$schema" => is_root && value.as_text().is_some(),
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
        "additionalProperties" | "not" | "if" | "then" | "else" | "contains" | "propertyNames" => {
            inner(value)
        }
        "items" => matches!(value, Json::Map(_) | Json::Bool(_)) && inner(value),
        "allOf" | "anyOf" | "oneOf" => {
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
        "required" => value.as_list().is_some_and(|names| {
            let texts = names.iter().all(|name| name.as_text().is_some());
            texts && !names.is_empty() && are_different(names)
        }),
        "enum" => value.as_list().is_some_and(|values| !values.is_empty() && are_different(values)),
        "minimum" | "maximum" => matches!(value, Json::Number(_)),
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
        _ => !OTHERS.contains(&keyword) && !keyword.starts_with('$'),
    }
}

/// Keywords that are rare, or differ between drafts.
const OTHERS: [&str; 15] = [
    "id",
    "patternProperties",
    "additionalItems",
    "prefixItems",
    "dependencies",
    "dependentSchemas",
    "dependentRequired",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minContains",
    "maxContains",
];

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

/// A reference inside of the document without anything that would have to be unescaped.
fn is_plain_pointer(reference: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-.$".contains(&byte);
    reference.strip_prefix('#').is_some_and(|pointer| pointer.bytes().all(plain))
}
