//! JSON schemas of values, with Helm's messages. Drafts 4 to 2020-12 in the keywords that charts
//! use; references stay inside the schema: nothing is fetched.

use regex::Regex;
use serde_json::{Map, Value as Json};

use super::Compat;
use super::functions::json;
use super::notices::Notices;
use super::value::{Text, Value, convert};

mod misfit;
mod references;
#[cfg(test)]
mod tests;

use misfit::{Message, Misfit, single_quoted};
use references::{HOME, References, Target};

/// Values that do not fit a schema.
#[derive(Debug)]
pub(crate) struct Unfit {
    /// What Helm prints below the chart's name.
    pub(crate) message: String,
    /// JSON pointers to the values, the innermost ones.
    pub(crate) at: Vec<String>,
}

/// Reads a schema.
pub(crate) fn parse(schema: &Text) -> Result<Json, serde_json::Error> {
    serde_json::from_slice(schema.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(schema))
}

/// Checks values against a schema.
pub(crate) fn check(schema: &Text, values: &Value, notices: &Notices) -> Result<(), Unfit> {
    let unusable = |message: String| Unfit { message, at: Vec::new() };
    let schema = parse(schema).map_err(|error| unusable(syntax_error(schema, &error)))?;
    let draft_7 = ["draft-04", "draft-06", "draft-07"]
        .iter()
        .any(|draft| schema.get("$schema").and_then(Json::as_str).is_some_and(|url| url.contains(draft)));
    let lenient = notices.compat > Compat::V3_19;
    let references = References { root: &schema, alone: draft_7, lenient };
    for name in references.follow().map_err(unusable)? {
        let warning = "unresolved URN reference ignored; using permissive schema";
        notices.structured("WARN", warning, &[("urn", &name)], "");
    }
    let mut checker = Checker { references, depth: 0 };
    let Some(misfit) = checker.check(&schema, &to_json(values), "") else {
        return Ok(());
    };
    let causes = if misfit.message == Message::Group { misfit.causes } else { vec![misfit] };
    let (mut out, mut at) = (String::new(), Vec::new());
    for cause in &causes {
        cause.print(1, &mut out);
        cause.leaves(&mut at);
    }
    Err(Unfit { message: format!("{}\n", out.trim_start_matches('\n')), at })
}

/// What Helm says of a schema that is no JSON.
fn syntax_error(schema: &Text, error: &serde_json::Error) -> String {
    let text = schema.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(schema);
    match json::read_start(text) {
        Ok(_) if error.is_syntax() => "invalid character after top-level value".to_owned(),
        Ok(_) => error.to_string(),
        Err(_) if text.iter().all(u8::is_ascii_whitespace) => "EOF".to_owned(),
        Err(message) if message == "unexpected end of JSON input" => "unexpected EOF".to_owned(),
        Err(message) => message,
    }
}

/// The values as JSON; whole numbers are integers.
pub(crate) fn to_json(value: &Value) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Int(number) | Value::Int64(number) => Json::from(*number),
        Value::Float(number) => super::values::json_number(*number),
        Value::Text(text) => Json::String(text.lossy().into_owned()),
        Value::Map(map) => Json::Object(
            map.entries()
                .into_iter()
                .map(|(key, value)| (key.lossy().into_owned(), to_json(&value)))
                .collect(),
        ),
        other => Json::Array(other.items().unwrap_or_default().iter().map(to_json).collect()),
    }
}

fn type_of(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

fn has_type(json: &Json, wanted: &str) -> bool {
    match wanted {
        "integer" => json.as_number().is_some_and(|number| {
            number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|number| number.fract() == 0.0)
        }),
        _ => type_of(json) == wanted,
    }
}

/// A value as messages show it.
fn shown(json: &Json) -> String {
    match json {
        Json::String(text) => single_quoted(text),
        Json::Number(number) => shown_number(number.as_f64().unwrap_or(f64::NAN)),
        Json::Array(_) => "array".to_owned(),
        Json::Object(_) => "object".to_owned(),
        Json::Null => "<nil>".to_owned(),
        Json::Bool(flag) => flag.to_string(),
    }
}

fn shown_number(number: f64) -> String {
    match super::values::json_number(number) {
        Json::Number(whole) if whole.is_i64() => whole.to_string(),
        _ => convert::float_general(number),
    }
}

fn shown_list<'j>(names: impl IntoIterator<Item = &'j str>) -> String {
    names.into_iter().map(single_quoted).collect::<Vec<_>>().join(", ")
}

fn pointer(at: &str, key: &str) -> String {
    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))
}

struct Checker<'s> {
    references: References<'s>,
    depth: usize,
}

const DEPTH: usize = 250;

impl Checker<'_> {
    fn check(&mut self, schema: &Json, json: &Json, at: &str) -> Option<Misfit> {
        let rules = match schema {
            Json::Bool(false) => return Some(Misfit::new(at, "false schema")),
            Json::Object(rules) => rules,
            _ => return None,
        };
        self.depth += 1;
        if self.depth > DEPTH {
            self.depth -= 1;
            return Some(Misfit::new(at, format!("schema nests deeper than {DEPTH} levels")));
        }
        let mut found = Vec::new();
        let reference = rules.get("$ref").and_then(Json::as_str);
        if let (Some(reference), true) = (reference, self.references.alone) {
            found.extend(self.reference(reference, json, at));
        } else if let Some(misfit) = first_misfit(rules, json, at) {
            // Helm does not look at the other keywords then.
            found.push(misfit);
        } else {
            if let Some(reference) = reference {
                found.extend(self.reference(reference, json, at));
            }
            match json {
                Json::Object(map) => self.object(rules, map, at, &mut found),
                Json::Array(items) => self.array(rules, items, at, &mut found),
                Json::String(text) => text_rules(rules, text, at, &mut found),
                Json::Number(number) => {
                    number_rules(rules, number.as_f64().unwrap_or(f64::NAN), at, &mut found);
                }
                _ => {}
            }
            self.combined(rules, json, at, &mut found);
        }
        self.depth -= 1;
        match found.len() {
            0 | 1 => found.pop(),
            _ => Some(Misfit { at: at.to_owned(), message: Message::Group, causes: found }),
        }
    }

    fn reference(&mut self, reference: &str, json: &Json, at: &str) -> Option<Misfit> {
        let target = match self.references.target(reference) {
            Target::Part(part) => part,
            Target::Unnamed(_) => return None,
            Target::Nowhere(message) => return Some(Misfit::new(at, message)),
        };
        let inner = self.check(target, json, at)?;
        let causes = if inner.message == Message::Group { inner.causes } else { vec![inner] };
        let fragment = reference.split_once('#').map_or("", |(_, fragment)| fragment);
        let url = format!("{HOME}#{fragment}");
        Some(Misfit { at: at.to_owned(), message: Message::Reference(url), causes })
    }

    fn object(
        &mut self,
        rules: &Map<String, Json>,
        map: &Map<String, Json>,
        at: &str,
        found: &mut Vec<Misfit>,
    ) {
        count(rules, "minProperties", "maxProperties", map.len(), at, found);
        if let Some(required) = rules.get("required").and_then(Json::as_array) {
            let missing: Vec<&str> =
                required.iter().filter_map(Json::as_str).filter(|name| !map.contains_key(*name)).collect();
            match missing.as_slice() {
                [] => {}
                [name] => found.push(Misfit::new(at, format!("missing property {}", single_quoted(name)))),
                names => {
                    let names = shown_list(names.iter().copied());
                    found.push(Misfit::new(at, format!("missing properties {names}")));
                }
            }
        }
        let empty = Map::new();
        let properties = rules.get("properties").and_then(Json::as_object).unwrap_or(&empty);
        let patterns: Vec<(Option<Regex>, &Json)> = rules
            .get("patternProperties")
            .and_then(Json::as_object)
            .map(|patterns| {
                patterns.iter().map(|(pattern, schema)| (Regex::new(pattern).ok(), schema)).collect()
            })
            .unwrap_or_default();
        let mut additional = Vec::new();
        for (key, value) in map {
            let mut known = false;
            if let Some(schema) = properties.get(key) {
                known = true;
                found.extend(self.check(schema, value, &pointer(at, key)));
            }
            for (pattern, schema) in &patterns {
                if pattern.as_ref().is_some_and(|pattern| pattern.is_match(key)) {
                    known = true;
                    found.extend(self.check(schema, value, &pointer(at, key)));
                }
            }
            if known {
                continue;
            }
            match rules.get("additionalProperties") {
                Some(Json::Bool(false)) => additional.push(key.as_str()),
                Some(schema) => found.extend(self.check(schema, value, &pointer(at, key))),
                None => {}
            }
        }
        if !additional.is_empty() {
            let names = shown_list(additional);
            found.push(Misfit::new(at, format!("additional properties {names} not allowed")));
        }
        self.names(rules, map, at, found);
    }

    fn names(
        &mut self,
        rules: &Map<String, Json>,
        map: &Map<String, Json>,
        at: &str,
        found: &mut Vec<Misfit>,
    ) {
        if let Some(schema) = rules.get("propertyNames") {
            for key in map.keys() {
                if let Some(misfit) = self.check(schema, &Json::String(key.clone()), "") {
                    let message = format!("invalid propertyName {}", single_quoted(key));
                    found.push(Misfit::with_causes(at, message, vec![misfit]));
                }
            }
        }
        for keyword in ["dependencies", "dependentRequired", "dependentSchemas"] {
            let Some(dependencies) = rules.get(keyword).and_then(Json::as_object) else {
                continue;
            };
            for (key, needed) in dependencies.iter().filter(|(key, _)| map.contains_key(*key)) {
                let Some(names) = needed.as_array() else {
                    found.extend(self.check(needed, &Json::Object(map.clone()), at));
                    continue;
                };
                let missing: Vec<&str> =
                    names.iter().filter_map(Json::as_str).filter(|name| !map.contains_key(*name)).collect();
                if !missing.is_empty() {
                    let message = format!(
                        "properties {} required, if {} exists",
                        shown_list(missing),
                        single_quoted(key)
                    );
                    found.push(Misfit::new(at, message));
                }
            }
        }
    }

    fn array(&mut self, rules: &Map<String, Json>, items: &[Json], at: &str, found: &mut Vec<Misfit>) {
        count(rules, "minItems", "maxItems", items.len(), at, found);
        if rules.get("uniqueItems") == Some(&Json::Bool(true)) {
            let twin = items.iter().enumerate().find_map(|(right, item)| {
                items.iter().take(right).position(|other| equal(other, item)).map(|left| (left, right))
            });
            if let Some((left, right)) = twin {
                found.push(Misfit::new(at, format!("items at {left} and {right} are equal")));
            }
        }
        let listed = rules.get("prefixItems").or_else(|| rules.get("items")).and_then(Json::as_array);
        let first = listed.map_or(0, Vec::len);
        for (index, (schema, item)) in listed.into_iter().flatten().zip(items).enumerate() {
            found.extend(self.check(schema, item, &format!("{at}/{index}")));
        }
        let rest = match (rules.get("items"), listed) {
            (Some(Json::Array(_)), _) => rules.get("additionalItems"),
            (other, _) => other,
        };
        if rest == Some(&Json::Bool(false)) && matches!(rules.get("items"), Some(Json::Array(_))) {
            if items.len() > first {
                let more = items.len() - first;
                found.push(Misfit::new(at, format!("last {more} additionalItem(s) not allowed")));
            }
        } else if let Some(schema) = rest {
            for (index, item) in items.iter().enumerate().skip(first) {
                found.extend(self.check(schema, item, &format!("{at}/{index}")));
            }
        }
        if let Some(schema) = rules.get("contains") {
            self.contains(rules, schema, items, at, found);
        }
    }

    fn contains(
        &mut self,
        rules: &Map<String, Json>,
        schema: &Json,
        items: &[Json],
        at: &str,
        found: &mut Vec<Misfit>,
    ) {
        let (mut misfits, mut fitting) = (Vec::new(), Vec::new());
        for (index, item) in items.iter().enumerate() {
            match self.check(schema, item, &format!("{at}/{index}")) {
                Some(misfit) => misfits.push(misfit),
                None => fitting.push(index.to_string()),
            }
        }
        let limit = |keyword| rules.get(keyword).and_then(Json::as_f64);
        let (count, places) = (fitting.len(), fitting.join(" "));
        #[expect(clippy::cast_precision_loss, reason = "no list is that long")]
        let length = count as f64;
        match limit("minContains") {
            Some(least) if length >= least => {}
            Some(least) if count == 0 => found.push(Misfit::with_causes(
                at,
                format!("min {least} items required to match contains schema, but none matched"),
                misfits,
            )),
            Some(least) => found.push(Misfit::with_causes(
                at,
                format!("min {least} items required to match contains schema, but matched {count} items at {places}"),
                misfits,
            )),
            None if count == 0 => {
                found.push(Misfit::with_causes(at, "no items match contains schema", misfits));
            }
            None => {}
        }
        if let Some(most) = limit("maxContains")
            && length > most
        {
            let message = format!(
                "max {most} items required to match contains schema, but matched {count} items at {places}"
            );
            found.push(Misfit::new(at, message));
        }
    }

    fn combined(&mut self, rules: &Map<String, Json>, json: &Json, at: &str, found: &mut Vec<Misfit>) {
        if let Some(schema) = rules.get("not")
            && self.check(schema, json, at).is_none()
        {
            found.push(Misfit::new(at, "'not' failed"));
        }
        let schemas = |keyword: &str| rules.get(keyword).and_then(Json::as_array);
        if let Some(all) = schemas("allOf") {
            let causes: Vec<Misfit> = all.iter().filter_map(|schema| self.check(schema, json, at)).collect();
            if !causes.is_empty() {
                found.push(Misfit::with_causes(at, "'allOf' failed", causes));
            }
        }
        if let Some(any) = schemas("anyOf") {
            let causes: Vec<Misfit> = any.iter().map_while(|schema| self.check(schema, json, at)).collect();
            if causes.len() == any.len() {
                found.push(Misfit::with_causes(at, "'anyOf' failed", causes));
            }
        }
        if let Some(one) = schemas("oneOf") {
            let results: Vec<Option<Misfit>> =
                one.iter().map(|schema| self.check(schema, json, at)).collect();
            let fitting: Vec<usize> = results
                .iter()
                .enumerate()
                .filter(|(_, result)| result.is_none())
                .map(|(index, _)| index)
                .collect();
            match fitting.as_slice() {
                [] => {
                    let causes = results.into_iter().flatten().collect();
                    found.push(Misfit::with_causes(at, "'oneOf' failed, none matched", causes));
                }
                [_] => {}
                [first, second, ..] => {
                    found.push(Misfit::new(
                        at,
                        format!("'oneOf' failed, subschemas {first}, {second} matched"),
                    ));
                }
            }
        }
        if let Some(condition) = rules.get("if") {
            let branch = if self.check(condition, json, at).is_none() { "then" } else { "else" };
            if let Some(schema) = rules.get(branch) {
                found.extend(self.check(schema, json, at));
            }
        }
    }
}

fn find_anchor<'s>(schema: &'s Json, anchor: &str, depth: usize) -> Option<&'s Json> {
    if depth > 64 {
        return None;
    }
    match schema {
        Json::Object(map) => {
            let named = map.get("$anchor").and_then(Json::as_str) == Some(anchor)
                || map.get("$id").and_then(Json::as_str).and_then(|id| id.strip_prefix('#')) == Some(anchor);
            if named {
                Some(schema)
            } else {
                map.values().find_map(|inner| find_anchor(inner, anchor, depth + 1))
            }
        }
        Json::Array(items) => items.iter().find_map(|inner| find_anchor(inner, anchor, depth + 1)),
        _ => None,
    }
}

fn count(
    rules: &Map<String, Json>,
    least: &str,
    most: &str,
    length: usize,
    at: &str,
    found: &mut Vec<Misfit>,
) {
    let bound = |keyword: &str| rules.get(keyword).and_then(Json::as_f64);
    #[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^53")]
    let number = length as f64;
    if let Some(wanted) = bound(least).filter(|wanted| number < *wanted) {
        found.push(Misfit::new(at, format!("{least}: got {length}, want {}", shown_number(wanted))));
    }
    if let Some(wanted) = bound(most).filter(|wanted| number > *wanted) {
        found.push(Misfit::new(at, format!("{most}: got {length}, want {}", shown_number(wanted))));
    }
}

/// The types in the order in which messages list them.
const TYPES: [&str; 7] = ["null", "boolean", "number", "integer", "string", "array", "object"];

/// What the keywords say that come before all others.
fn first_misfit(rules: &Map<String, Json>, json: &Json, at: &str) -> Option<Misfit> {
    let wanted: Vec<&str> = match rules.get("type") {
        Some(Json::String(name)) => vec![name],
        Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    };
    if !wanted.is_empty() && !wanted.iter().any(|name| has_type(json, name)) {
        // Helm keeps the types as a set: they are told in an order of their own, whatever order the schema has.
        let in_order: Vec<&str> = TYPES.iter().copied().filter(|name| wanted.contains(name)).collect();
        let wanted = in_order.join(" or ");
        return Some(Misfit::new(at, format!("got {}, want {wanted}", type_of(json))));
    }
    let plain = |value: &Json| !value.is_array() && !value.is_object();
    if let Some(constant) = rules.get("const")
        && !equal(constant, json)
    {
        let message = match constant {
            constant if plain(constant) => format!("value must be {}", shown(constant)),
            _ => "'const' failed".to_owned(),
        };
        return Some(Misfit::new(at, message));
    }
    let allowed = rules.get("enum").and_then(Json::as_array)?;
    if allowed.iter().any(|value| equal(value, json)) {
        return None;
    }
    let message = match (allowed.iter().all(plain), allowed.as_slice()) {
        (true, [only]) => format!("value must be {}", shown(only)),
        (true, several) => {
            format!("value must be one of {}", several.iter().map(shown).collect::<Vec<_>>().join(", "))
        }
        (false, _) => "'enum' failed".to_owned(),
    };
    Some(Misfit::new(at, message))
}

/// JSON Schema's equality: of numbers by their value.
fn equal(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => left.as_f64() == right.as_f64(),
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Json::Object(left), Json::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, left)| right.get(key).is_some_and(|right| equal(left, right)))
        }
        _ => left == right,
    }
}

fn text_rules(rules: &Map<String, Json>, text: &str, at: &str, found: &mut Vec<Misfit>) {
    count(rules, "minLength", "maxLength", text.chars().count(), at, found);
    if let Some(pattern) = rules.get("pattern").and_then(Json::as_str)
        && let Ok(regex) = Regex::new(pattern)
        && !regex.is_match(text)
    {
        let message = format!("{} does not match pattern {}", single_quoted(text), single_quoted(pattern));
        found.push(Misfit::new(at, message));
    }
}

fn number_rules(rules: &Map<String, Json>, number: f64, at: &str, found: &mut Vec<Misfit>) {
    let mut bound = |keyword: &str, breaks: fn(f64, f64) -> bool| {
        if let Some(wanted) = rules.get(keyword).and_then(Json::as_f64)
            && breaks(number, wanted)
        {
            let message = format!("{keyword}: got {}, want {}", shown_number(number), shown_number(wanted));
            found.push(Misfit::new(at, message));
        }
    };
    bound("minimum", |number, wanted| number < wanted);
    bound("maximum", |number, wanted| number > wanted);
    bound("exclusiveMinimum", |number, wanted| number <= wanted);
    bound("exclusiveMaximum", |number, wanted| number >= wanted);
    bound("multipleOf", |number, wanted| wanted != 0.0 && (number / wanted).fract() != 0.0);
}
