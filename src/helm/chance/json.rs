//! Drawn values as JSON: one object each, so that a new kind of value is only unknown to an older moorline.

use serde_json::{Value, json};

use super::{Drawn, Entry, Site};

pub(super) fn entry(site: &Site, entry: &Entry) -> Value {
    let value = match &entry.value {
        Drawn::Text(text) => json!({"text": text}),
        Drawn::Number(number) => json!({"number": number}),
        Drawn::Certificate { cert, key } => json!({"cert": cert, "key": key}),
        Drawn::Time(time) => json!({"time": time}),
        Drawn::Salt(bytes) => {
            json!({"salt": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()})
        }
    };
    let mut object = json!({
        "template": site.template,
        "define": site.define,
        "function": site.function,
        "ordinal": site.ordinal,
        "arguments": entry.arguments,
        "value": value,
    });
    if entry.missed > 0 {
        object["missed"] = json!(entry.missed);
    }
    if let Some(until) = entry.until {
        object["until"] = json!(until);
    }
    object
}

pub(super) fn read_entry(object: &Value) -> Option<(Site, Entry)> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
    let number =
        |key: &str| object.get(key).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    let site = Site {
        template: text("template")?,
        define: text("define")?,
        function: text("function")?,
        ordinal: number("ordinal")?,
    };
    let entry = Entry {
        arguments: text("arguments")?,
        value: read_value(object.get("value")?)?,
        until: object.get("until").and_then(Value::as_i64),
        missed: number("missed").unwrap_or(0),
    };
    Some((site, entry))
}

fn read_value(value: &Value) -> Option<Drawn> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = |key: &str| value.get(key).and_then(Value::as_i64);
    if let Some(text) = text("text") {
        return Some(Drawn::Text(text));
    }
    if let (Some(cert), Some(key)) = (text("cert"), text("key")) {
        return Some(Drawn::Certificate { cert, key });
    }
    if let Some(salt) = text("salt") {
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(salt.get(index * 2..index * 2 + 2)?, 16).ok()?;
        }
        return Some(Drawn::Salt(bytes));
    }
    number("number").map(Drawn::Number).or_else(|| number("time").map(Drawn::Time))
}
