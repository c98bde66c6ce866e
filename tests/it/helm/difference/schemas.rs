//! Schemas that charts have, broken at random: what Helm says of schemas that are none.

use serde_json::{Value as Json, json};

use super::cases::Case;
use super::random::Random;

/// Where drafts are; none is the latest one.
const DRAFTS: [&str; 8] = [
    "",
    "http://json-schema.org/draft-04/schema#",
    "http://json-schema.org/draft-06/schema#",
    "http://json-schema.org/draft-07/schema#",
    "http://json-schema.org/draft-07/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
    "http://json-schema.org/schema#",
];

/// Keywords to be put anywhere.
const KEYWORDS: [&str; 40] = [
    "$ref",
    "$id",
    "id",
    "$schema",
    "$anchor",
    "$dynamicAnchor",
    "$dynamicRef",
    "$recursiveRef",
    "$recursiveAnchor",
    "$defs",
    "definitions",
    "type",
    "enum",
    "const",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "multipleOf",
    "minLength",
    "pattern",
    "format",
    "items",
    "prefixItems",
    "additionalItems",
    "contains",
    "uniqueItems",
    "required",
    "properties",
    "patternProperties",
    "additionalProperties",
    "propertyNames",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "allOf",
    "anyOf",
    "not",
    "if",
    "then",
    "unevaluatedProperties",
];

/// A chart whose schema was fine once.
pub(super) fn broken(random: &mut Random) -> Case {
    let mut case =
        Case::new("image: {repository: shop, tag: v1, port: 8080}\nlist: [1, two, {a: b}]\nreplicas: 2\n");
    let mut schema = whole();
    let draft = random.pick(&DRAFTS);
    if !draft.is_empty() {
        schema["$schema"] = draft.into();
    }
    for _ in 0..=random.below(2) {
        let depth = random.below(5);
        let place = walk(&mut schema, random, depth);
        break_at(place, random);
    }
    case.file("values.schema.json", &schema.to_string());
    case.file("templates/t.yaml", "a: {{ toJson .Values | quote }}\n");
    case
}

fn whole() -> Json {
    json!({
        "type": "object",
        "required": ["image"],
        "definitions": {"name": {"type": "string", "minLength": 1}, "again": {"$ref": "#/definitions/name"}},
        "properties": {
            "image": {
                "type": "object",
                "properties": {
                    "repository": {"$ref": "#/definitions/name"},
                    "tag": {"anyOf": [{"type": "string", "pattern": "^v"}, {"type": "null"}]},
                    "port": {"type": "integer", "minimum": 1, "maximum": 65535}
                },
                "additionalProperties": false
            },
            "list": {"type": "array", "items": {"type": ["string", "integer", "object"]}, "minItems": 1},
            "replicas": {"type": "integer", "enum": [1, 2, 3], "default": 1},
            "labels": {"patternProperties": {"^[a-z]+$": {"type": "string"}}}
        }
    })
}

/// A place some steps down.
fn walk<'j>(json: &'j mut Json, random: &mut Random, depth: usize) -> &'j mut Json {
    let count = json.as_object().map(serde_json::Map::len).or(json.as_array().map(Vec::len)).unwrap_or(0);
    if depth == 0 || count == 0 {
        return json;
    }
    let at = random.below(count);
    let inner = match json {
        Json::Object(map) => map.values_mut().nth(at),
        Json::Array(items) => items.get_mut(at),
        _ => None,
    };
    walk(inner.expect("a step inside"), random, depth - 1)
}

fn break_at(place: &mut Json, random: &mut Random) {
    let value = odd(random);
    match place {
        Json::Object(map) if random.chance(70) => {
            map.insert(random.pick(&KEYWORDS).to_owned(), value);
        }
        Json::Array(items) if random.chance(50) => items.push(value),
        other => *other = value,
    }
}

/// A value that is right for few keywords.
fn odd(random: &mut Random) -> Json {
    match random.below(22) {
        0 => Json::Null,
        1 => json!(true),
        2 => json!(false),
        3 => json!(5),
        4 => json!(-1),
        5 => json!(1.5),
        6 => json!("strnig"),
        7 => json!("string"),
        8 => json!("("),
        9 => json!("#/definitions/name"),
        10 => json!("#/nope"),
        11 => json!("#name"),
        12 => json!("#"),
        13 => json!("other.json"),
        14 => json!("http://a/b"),
        15 => json!([]),
        16 => json!(["a", "a"]),
        17 => json!([{"type": "string"}, {"minimum": "x"}]),
        18 => json!({}),
        19 => json!({"type": "nope", "maximum": []}),
        20 => json!({"(": {"type": "string"}, "a": 5}),
        _ => json!({"a": ["b"], "list": {"type": "array"}}),
    }
}
