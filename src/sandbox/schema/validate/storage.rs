//! Rules of configuration, secrets and claims.

use serde::Serialize as _;
use serde_json::{Value, json};

use super::names;
use super::{Findings, at, entries, has, items, text};
use crate::schema::quantity::Quantity;

/// What a ConfigMap or a Secret may hold at most.
const SIZE_LIMIT: usize = 1024 * 1024;

pub(super) fn config_map(object: &Value, before: Option<&Value>, found: &mut Findings) {
    let mut size = 0;
    let (data, binary) = (entries(object, "data"), entries(object, "binaryData"));
    for (key, _) in data.iter().filter(|(key, _)| binary.iter().any(|(other, _)| other == key)) {
        found.invalid_text(format!("data[{key}]"), key, "duplicate of key present in binaryData");
    }
    for (list, entries) in [("data", data), ("binaryData", binary)] {
        for (key, value) in entries {
            for why in names::config_key(key) {
                found.invalid_text(format!("{list}[{key}]"), key, why);
            }
            size += value.as_str().map_or(0, str::len);
        }
    }
    too_long(size, "", found);
    if let Some(before) = before {
        kept(object, before, &["data", "binaryData"], found);
    }
}

fn too_long(size: usize, field: &str, found: &mut Findings) {
    if size > SIZE_LIMIT {
        let message = format!("Too long: may not be more than {SIZE_LIMIT} bytes");
        found.add("FieldValueTooLong", field, message);
    }
}

/// What is immutable stays, and stays immutable.
fn kept(object: &Value, before: &Value, fields: &[&str], found: &mut Findings) {
    let why = "field is immutable when `immutable` is set";
    if before.get("immutable") != Some(&Value::Bool(true)) {
        return;
    }
    if object.get("immutable") != Some(&Value::Bool(true)) {
        found.forbidden("immutable", why);
    }
    for field in fields {
        if object.get(*field) != before.get(*field) {
            found.forbidden(*field, why);
        }
    }
}

pub(super) fn secret(object: &Value, before: Option<&Value>, found: &mut Findings) {
    if let Some(before) = before {
        found.immutable("type", at(object, "/type"), at(before, "/type"));
        kept(object, before, &["data"], found);
    }
    let data = entries(object, "data");
    let mut size = 0;
    for (key, value) in &data {
        for why in names::config_key(key) {
            found.invalid_text(format!("data[{key}]"), key, why);
        }
        size += value.as_str().map_or(0, |text| text.len() / 4 * 3);
    }
    too_long(size, "data", found);
    let there = |key: &str| data.iter().any(|(known, _)| *known == key);
    let needed: &[&str] = match text(object, "type") {
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/basic-auth" if !there("username") && !there("password") => &["username", "password"],
        _ => &[],
    };
    for key in needed.iter().filter(|key| !there(key)) {
        found.required(format!("data[{key}]"), "");
    }
    for key in [".dockercfg", ".dockerconfigjson"] {
        if let Some((_, value)) = data.iter().find(|(known, _)| *known == key && needed.contains(&key))
            && let Some(why) = broken_json(value)
        {
            found.invalid_text(format!("data[{key}]"), "<secret contents redacted>", &why);
        }
    }
    if text(object, "type") == "kubernetes.io/service-account-token" {
        let name = at(object, "/metadata/annotations/kubernetes.io~1service-account.name");
        if name.as_str().is_none_or(str::is_empty) {
            found.required("metadata.annotations[kubernetes.io/service-account.name]", "");
        }
    }
}

fn broken_json(value: &Value) -> Option<String> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(value.as_str()?).ok()?;
    if serde_json::from_slice::<serde_json::Map<String, Value>>(&bytes).is_ok() {
        return None;
    }
    let first = String::from_utf8_lossy(&bytes).trim_start().chars().next();
    Some(match first {
        None => "unexpected end of JSON input".to_owned(),
        Some(char) => format!("invalid character '{char}' looking for beginning of value"),
    })
}

pub(super) fn claim(spec: &Value, before: Option<&Value>, status: &Value, found: &mut Findings) {
    let modes = items(spec, "accessModes");
    if modes.is_empty() {
        found.required("spec.accessModes", "at least 1 access mode is required");
    }
    let known = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
    for mode in modes {
        found.one_of("spec.accessModes", mode.as_str().unwrap_or(""), &known);
    }
    match spec.pointer("/resources/requests/storage").and_then(Value::as_str) {
        None => found.required("spec.resources[storage]", ""),
        Some(size) => {
            let quantity = Quantity::parse(size);
            if quantity.is_some_and(|quantity| quantity.is_zero() || quantity.is_negative()) {
                found.invalid_text("spec.resources[storage]", size, "must be greater than zero");
            }
        }
    }
    if has(spec, "volumeMode") {
        found.one_of("spec.volumeMode", text(spec, "volumeMode"), &["Block", "Filesystem"]);
    }
    let Some(before) = before else { return };
    let bound = text(status, "phase") == "Bound";
    let fixed = |spec: &Value| -> Value {
        let mut spec = spec.clone();
        if let Some(map) = spec.as_object_mut() {
            // The volume is set once, by the binder; the size may grow once it is bound.
            map.shift_remove("volumeName");
            map.shift_remove("volumeAttributesClassName");
            if bound {
                map.shift_remove("resources");
            }
        }
        spec
    };
    if fixed(spec) != fixed(before) {
        let why = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        found.forbidden("spec", &format!("{why}\n{}", difference(before, spec)));
    }
    let size = |spec: &Value| {
        spec.pointer("/resources/requests/storage").and_then(Value::as_str).and_then(Quantity::parse)
    };
    if bound && size(spec).zip(size(before)).is_some_and(|(new, old)| new < old) {
        let why = "field can not be less than status.capacity";
        found.forbidden("spec.resources.requests.storage", why);
    }
}

/// How the API server shows what of a claim's spec would change, in the fields of its own type.
fn difference(before: &Value, after: &Value) -> String {
    let shown = |spec: &Value| {
        let resources =
            json!({"Limits": spec["resources"]["limits"], "Requests": spec["resources"]["requests"]});
        let spec = json!({
            "AccessModes": spec["accessModes"],
            "Selector": spec["selector"],
            "Resources": resources,
            "VolumeName": before["volumeName"].as_str().unwrap_or_default(),
            "StorageClassName": spec["storageClassName"],
            "VolumeMode": spec["volumeMode"],
            "DataSource": spec["dataSource"],
            "DataSourceRef": spec["dataSourceRef"],
            "VolumeAttributesClassName": before["volumeAttributesClassName"],
        });
        let mut text = Vec::new();
        let style = serde_json::ser::PrettyFormatter::with_indent(b" ");
        let written = spec.serialize(&mut serde_json::Serializer::with_formatter(&mut text, style));
        drop(written);
        text.push(b'\n');
        String::from_utf8_lossy(&text).into_owned()
    };
    let (before, after) = (shown(before), shown(after));
    similar::TextDiff::from_lines(&before, &after).unified_diff().context_radius(3).to_string()
}
