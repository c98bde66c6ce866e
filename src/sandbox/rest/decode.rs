//! Bodies: from bytes to the object that a resource keeps.

use serde_json::{Value, json};

use super::super::catalog::Resource;
use super::super::failure::Failure;
use super::super::object::Fields;
use super::super::request::{Payload, Request};
use super::super::schema::reading;
use super::super::store::Store;
use super::super::versions;
use super::{Caller, protobuf};

/// The largest body that is read, as of the API server.
const LIMIT: usize = 3 * 1024 * 1024;
/// How deep a body may nest.
const DEPTH: usize = 100;

const ACCEPTED: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// The body of a request as a value; `kind` is what it should be: group, version and kind.
pub(super) fn body_of(
    request: &Request,
    (group, version, kind): (&str, &str, &str),
) -> Result<Value, Failure> {
    let media = request.content_type.split(';').next().unwrap_or_default().trim();
    match &request.body {
        Payload::Bytes(bytes) if media == "application/vnd.kubernetes.protobuf" && bytes.len() <= LIMIT => {
            protobuf::decode(bytes, group, version, kind)
                .map_err(|error| Failure::bad_request(error.to_string()))
        }
        _ => body(request, kind),
    }
}

/// The body of a request as a value.
pub(super) fn body(request: &Request, what: &str) -> Result<Value, Failure> {
    let bytes = match &request.body {
        Payload::Object(object) => return Ok(object.clone()),
        Payload::Empty => &[][..],
        Payload::Bytes(bytes) => bytes.as_slice(),
    };
    if bytes.len() > LIMIT {
        let mut failure = Failure::bad_request(format!("Request entity too large: limit is {LIMIT}"));
        (failure.code, failure.reason) = (413, "RequestEntityTooLarge");
        return Err(failure);
    }
    let media = request.content_type.split(';').next().unwrap_or_default().trim();
    let value = match media {
        "" | "application/json" => json_value(bytes, what)?,
        _ if media.ends_with("+json") => json_value(bytes, what)?,
        "application/yaml" | "application/apply-patch+yaml" => yaml_value(bytes)?,
        _ => return Err(Failure::unsupported_media_type(ACCEPTED)),
    };
    Ok(value)
}

/// The paths of fields that stand twice in a body of JSON.
pub(super) fn duplicates(request: &Request) -> Vec<String> {
    match &request.body {
        Payload::Bytes(bytes) if bytes.len() <= LIMIT && request.content_type.contains("json") => {
            reading::read(bytes).map(|(_, duplicates)| duplicates).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn json_value(bytes: &[u8], what: &str) -> Result<Value, Failure> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        let said: String = String::from_utf8_lossy(bytes).chars().take(1024).collect();
        let why = if error.is_eof() { "unexpected end of JSON input".to_owned() } else { error.to_string() };
        Failure::bad_request(format!(
            "the object provided is unrecognized (must be of type {what}): couldn't get version/kind; json parse error: {why} ({said})"
        ))
    })?;
    Ok(value)
}

fn yaml_value(bytes: &[u8]) -> Result<Value, Failure> {
    // JSON is YAML, and is read faster and deeper as what it is.
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    let value: Value = serde_yaml::from_slice(bytes)
        .map_err(|error| Failure::bad_request(format!("error decoding YAML: {error}")))?;
    Ok(value)
}

fn depth_exceeds(value: &Value, limit: usize) -> bool {
    match value {
        Value::Array(items) => limit == 0 || items.iter().any(|item| depth_exceeds(item, limit - 1)),
        Value::Object(map) => limit == 0 || map.values().any(|value| depth_exceeds(value, limit - 1)),
        _ => false,
    }
}

/// Whether an object says that it is of a resource's kind; what it leaves out is filled in.
pub(super) fn typed(resource: &Resource, object: &mut Value) -> Result<(), Failure> {
    let (kind, api_version) = (object.text("/kind").to_owned(), object.text("/apiVersion").to_owned());
    let (wanted_kind, wanted_version) = (&resource.kind.kind, &resource.api_version);
    if !object.is_object() {
        let is = match object {
            Value::Array(_) => "array",
            Value::String(_) => "string",
            Value::Bool(_) => "bool",
            _ => "number",
        };
        let hex: String = object.to_string().bytes().take(1024).map(|byte| format!("{byte:02x}")).collect();
        let message = format!(
            "the object provided is unrecognized (must be of type {wanted_kind}): couldn't get version/kind; json parse error: json: cannot unmarshal {is} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }} ({hex})"
        );
        return Err(Failure::bad_request(message));
    }
    if depth_exceeds(object, DEPTH) {
        return Err(Failure::bad_request(format!("the object nests deeper than {DEPTH} levels")));
    }
    if !kind.is_empty() && kind != *wanted_kind {
        let version = if api_version.is_empty() { &resource.kind.version } else { &api_version };
        let (short, group) = (last(version), internal(&resource.kind.group));
        let message = format!(
            "{kind} in version {version:?} cannot be handled as a {wanted_kind}: converting ({short}.{kind}) to ({group}.{wanted_kind}): unknown conversion"
        );
        return Err(Failure::bad_request(message));
    }
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    if !api_version.is_empty() && api_version != *wanted_version && group == resource.kind.group {
        return Err(Failure::bad_request(format!(
            "{wanted_kind} in version {:?} cannot be handled as a {wanted_kind}: no kind \"{wanted_kind}\" is registered for version {api_version:?} in scheme \"pkg/runtime/scheme.go:111\"",
            last(&api_version)
        )));
    }
    if !api_version.is_empty() && api_version != *wanted_version {
        return Err(Failure::bad_request(format!(
            "the API version in the data ({api_version}) does not match the expected API version ({wanted_version})"
        )));
    }
    if let Some(map) = object.as_object_mut() {
        map.insert("apiVersion".to_owned(), json!(wanted_version));
        map.insert("kind".to_owned(), json!(wanted_kind));
        if map.get("metadata").is_none_or(Value::is_null) {
            map.insert("metadata".to_owned(), json!({}));
        }
    }
    Ok(())
}

/// Custom resources say what they are.
fn kindless(resource: &Resource, object: &Value) -> Failure {
    let text = object.to_string();
    let mut begin: String = text.chars().take(30).collect();
    if begin.len() < text.len() {
        begin.push_str(" ...");
    }
    Failure::bad_request(format!(
        "the object provided is unrecognized (must be of type {}): Object 'Kind' is missing in '{text}' ({begin})",
        resource.kind.kind
    ))
}

fn last(version: &str) -> &str {
    version.rsplit('/').next().unwrap_or_default()
}

fn internal(group: &str) -> &str {
    if group.is_empty() { "core" } else { group.split('.').next().unwrap_or_default() }
}

impl Store {
    /// Reads what was sent as an object of a resource: pruned, with defaults, in the version in which it is kept.
    pub(super) fn decode(
        &self,
        resource: &Resource,
        object: &mut Value,
        caller: &Caller,
    ) -> Result<Vec<String>, Failure> {
        if resource.custom && !caller.system && object.is_object() && object.text("/kind").is_empty() {
            return Err(kindless(resource, object));
        }
        typed(resource, object)?;
        let admitted = self.schemas.admit(&resource.kind, object, caller.validation);
        let name = object.name().to_owned();
        let warnings =
            admitted.map_err(|rejection| Failure::rejected(&resource.named_kind, &name, rejection))?;
        versions::keep_as(object, resource);
        Ok(warnings.into_iter().map(|warning| warning.0).collect())
    }

    /// The resource in the version in which an object is kept.
    pub(super) fn kept(
        &self,
        resource: &std::sync::Arc<Resource>,
        object: &Value,
    ) -> std::sync::Arc<Resource> {
        if versions::is_written_as(object, resource) {
            return resource.clone();
        }
        let api_version = object.text("/apiVersion");
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let found = self.catalog.find(group, version, &resource.kind.plural);
        found.unwrap_or(resource).clone()
    }
}
