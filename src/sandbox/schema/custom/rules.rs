//! The rules of a structural schema, in the words of the API server.

use regex::Regex;
use serde_json::{Map, Value};

use super::super::Cause;

/// How large a pattern may become once compiled.
const PATTERN_SIZE_LIMIT: usize = 1 << 20;

/// Everything in which an object breaks a schema.
pub(super) fn validate(schema: &Value, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    check(schema, object, "", &mut causes);
    causes
}

fn cause(reason: &'static str, field: &str, message: String) -> Cause {
    Cause { reason, field: field.to_owned(), message }
}

fn check(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    if value.is_null() && schema.get("nullable") == Some(&Value::Bool(true)) {
        return;
    }
    if !is_of_type(schema, value) {
        let wanted = wanted_type(schema);
        let is = kind(value);
        let message = format!("Invalid value: {is:?}: {path} in body must be of type {wanted}: {is:?}");
        causes.push(cause("FieldValueTypeInvalid", path, message));
        return;
    }
    check_enumeration(schema, value, path, causes);
    match value {
        Value::String(text) => check_text(schema, text, path, causes),
        Value::Number(_) => check_number(schema, value, path, causes),
        Value::Array(items) => check_items(schema, items, path, causes),
        Value::Object(map) => check_fields(schema, map, path, causes),
        _ => {}
    }
    check_alternatives(schema, value, path, causes);
}

fn is_of_type(schema: &Value, value: &Value) -> bool {
    if schema.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        return value.is_string() || value.is_i64();
    }
    match schema.get("type").and_then(Value::as_str).unwrap_or("") {
        "integer" => value.is_i64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

fn wanted_type(schema: &Value) -> &str {
    if schema.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        return "integer,string";
    }
    schema.get("type").and_then(Value::as_str).unwrap_or("")
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn check_enumeration(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let Some(allowed) = schema.get("enum").and_then(Value::as_array) else { return };
    if allowed.contains(value) {
        return;
    }
    let shown = |value: &Value| match value {
        Value::String(text) => format!("{text:?}"),
        other => format!("{:?}", other.to_string()),
    };
    let supported: Vec<String> = allowed.iter().map(shown).collect();
    let message = format!("Unsupported value: {}: supported values: {}", shown(value), supported.join(", "));
    causes.push(cause("FieldValueNotSupported", path, message));
}

/// The first rule that a text breaks is told.
fn check_text(schema: &Value, text: &str, path: &str, causes: &mut Vec<Cause>) {
    let limit = |key: &str| schema.get(key).and_then(Value::as_u64);
    let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    if let Some(most) = limit("maxLength").filter(|most| length > *most) {
        let message = format!("Too long: may not be more than {most} bytes");
        causes.push(cause("FieldValueTooLong", path, message));
        return;
    }
    let invalid = |what: String| {
        cause("FieldValueInvalid", path, format!("Invalid value: {text:?}: {path} in body {what}"))
    };
    if let Some(least) = limit("minLength").filter(|least| length < *least) {
        causes.push(invalid(format!("should be at least {least} chars long")));
        return;
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        let regex = regex::RegexBuilder::new(pattern).size_limit(PATTERN_SIZE_LIMIT).build();
        if regex.is_ok_and(|regex: Regex| !regex.is_match(text)) {
            causes.push(invalid(format!("should match '{pattern}'")));
            return;
        }
    }
    if let Some(format) = schema.get("format").and_then(Value::as_str)
        && !has_format(format, text)
    {
        let message = format!("Invalid value: {text:?}: {path} in body must be of type {format}: {text:?}");
        causes.push(cause("FieldValueTypeInvalid", path, message));
    }
}

fn has_format(format: &str, text: &str) -> bool {
    match format {
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        "date" => text.parse::<jiff::civil::Date>().is_ok(),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        "byte" => {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.decode(text).is_ok()
        }
        "uuid" => {
            let plain = text.replace('-', "");
            plain.len() == 32 && plain.bytes().all(|byte| byte.is_ascii_hexdigit())
        }
        _ => true,
    }
}

fn check_number(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let Some(number) = value.as_f64() else { return };
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let exclusive = |key: &str| schema.get(key) == Some(&Value::Bool(true));
    let mut say = |what: String| {
        causes.push(cause(
            "FieldValueInvalid",
            path,
            format!("Invalid value: {value}: {path} in body {what}"),
        ));
    };
    if let Some(least) = bound("minimum") {
        if exclusive("exclusiveMinimum") && number <= least {
            say(format!("should be greater than {least}"));
        } else if number < least {
            say(format!("should be greater than or equal to {least}"));
        }
    }
    if let Some(most) = bound("maximum") {
        if exclusive("exclusiveMaximum") && number >= most {
            say(format!("should be less than {most}"));
        } else if number > most {
            say(format!("should be less than or equal to {most}"));
        }
    }
    if let Some(factor) = bound("multipleOf").filter(|factor| *factor > 0.0)
        && (number / factor).fract() != 0.0
    {
        say(format!("should be a multiple of {factor}"));
    }
}

fn check_items(schema: &Value, items: &[Value], path: &str, causes: &mut Vec<Cause>) {
    let count = items.len();
    if let Some(least) = limit(schema, "minItems").filter(|least| count < *least) {
        let message = format!("Invalid value: {count}: {path} in body should have at least {least} items");
        causes.push(cause("FieldValueInvalid", path, message));
    }
    if let Some(most) = limit(schema, "maxItems").filter(|most| count > *most) {
        causes.push(cause("FieldValueTooMany", path, too_many(count, most)));
    }
    if let Some(inner) = schema.get("items") {
        for (index, item) in items.iter().enumerate() {
            check(inner, item, &format!("{path}[{index}]"), causes);
        }
    }
    let keys: Vec<&str> = match schema.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("set") => Vec::new(),
        Some("map") => {
            let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
            keys.into_iter().flatten().filter_map(Value::as_str).collect()
        }
        _ => return,
    };
    let identity = |item: &Value| -> Value {
        if keys.is_empty() {
            return item.clone();
        }
        let pairs =
            keys.iter().filter_map(|key| item.get(*key).map(|value| ((*key).to_owned(), value.clone())));
        Value::Object(pairs.collect())
    };
    let mut seen: Vec<Value> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let identity = identity(item);
        if seen.contains(&identity) {
            let message = format!("Duplicate value: {identity}");
            causes.push(cause("FieldValueDuplicate", &format!("{path}[{index}]"), message));
        } else {
            seen.push(identity);
        }
    }
}

fn limit(schema: &Value, key: &str) -> Option<usize> {
    schema.get(key).and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok())
}

fn too_many(count: usize, most: usize) -> String {
    let items = if most == 1 { "item" } else { "items" };
    format!("Too many: {count}: must have at most {most} {items}")
}

fn check_fields(schema: &Value, map: &Map<String, Value>, path: &str, causes: &mut Vec<Cause>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    if let Some(most) = limit(schema, "maxProperties").filter(|most| map.len() > *most) {
        causes.push(cause("FieldValueTooMany", path, too_many(map.len(), most)));
    }
    if let Some(least) = limit(schema, "minProperties").filter(|least| map.len() < *least) {
        let message =
            format!("Invalid value: {}: {path} in body should have at least {least} properties", map.len());
        causes.push(cause("FieldValueInvalid", path, message));
    }
    for key in
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    {
        if !map.contains_key(key) {
            causes.push(cause("FieldValueRequired", &below(key), "Required value".to_owned()));
        }
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let mut keys: Vec<&String> = map.keys().collect();
    keys.sort();
    for key in keys {
        if path.is_empty() && matches!(key.as_str(), "apiVersion" | "kind" | "metadata") {
            continue;
        }
        let inner = properties
            .and_then(|properties| properties.get(key))
            .or_else(|| schema.get("additionalProperties").filter(|inner| inner.is_object()));
        if let (Some(inner), Some(value)) = (inner, map.get(key)) {
            check(inner, value, &below(key), causes);
        }
    }
}

fn check_alternatives(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let list = |key: &str| schema.get(key).and_then(Value::as_array);
    let mut say = |what: String| {
        causes.push(cause("FieldValueInvalid", "<nil>", format!("Invalid value: \"\": \"{path}\" {what}")));
    };
    let mut first: Vec<Cause> = Vec::new();
    let mut fitting = |alternatives: &[Value]| {
        let mut count = 0;
        for alternative in alternatives {
            let mut found = Vec::new();
            check(alternative, value, path, &mut found);
            if found.is_empty() {
                count += 1;
            } else if first.is_empty() {
                first = found;
            }
        }
        count
    };
    if let Some(alternatives) = list("oneOf") {
        match fitting(alternatives) {
            0 => say("must validate one and only one schema (oneOf). Found none valid".to_owned()),
            1 => first.clear(),
            count => {
                say(format!(
                    "must validate one and only one schema (oneOf). Found {count} valid alternatives"
                ));
                first.clear();
            }
        }
    } else if let Some(alternatives) = list("anyOf") {
        if fitting(alternatives) == 0 {
            say("must validate at least one schema (anyOf)".to_owned());
        } else {
            first.clear();
        }
    }
    causes.append(&mut first);
    for part in list("allOf").into_iter().flatten() {
        check(part, value, path, causes);
    }
    if let Some(not) = schema.get("not").filter(|not| not.is_object()) {
        let mut found = Vec::new();
        check(not, value, path, &mut found);
        if found.is_empty() {
            let message = format!("Invalid value: \"\": \"{path}\" must not validate the schema (not)");
            causes.push(cause("FieldValueInvalid", "<nil>", message));
        }
    }
}
