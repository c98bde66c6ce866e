//! The rows that `kubectl get` prints: columns and cells of each kind, as the API server makes them.

mod cluster;
mod columns;
mod custom;
mod network;
mod workloads;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::catalog::Resource;
use super::object::Fields;
pub(super) use columns::SCALES;
pub(super) use custom::CustomColumn;

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    name: String,
    kind: String,
    format: String,
    description: String,
    priority: i64,
}

impl Column {
    /// The column as a table defines it.
    pub(super) fn definition(&self) -> Value {
        json!({"name": self.name, "type": self.kind, "format": self.format, "description": self.description,
            "priority": self.priority})
    }

    fn parse(text: &str) -> Column {
        let (text, priority) = text.strip_suffix('*').map_or((text, 0), |text| (text, 1));
        let (name, kind) = text.split_once(':').unwrap_or((text, "string"));
        let format = if name == "Name" { "name" } else { "" };
        Column {
            name: name.to_owned(),
            kind: kind.to_owned(),
            format: format.to_owned(),
            description: String::new(),
            priority,
        }
    }
}

/// The columns of a resource.
pub(super) fn columns(resource: &Resource) -> Vec<Column> {
    if resource.custom {
        return custom::columns(&resource.columns);
    }
    let found = columns::COLUMNS.iter().find(|(name, _)| *name == resource.collection);
    let text = found.map_or("Name|Created At:date", |(_, text)| *text);
    text.split('|').map(Column::parse).collect()
}

/// The cells of an object's row.
pub(super) fn cells(resource: &Resource, columns: &[Column], object: &Value, now: Timestamp) -> Vec<Value> {
    if resource.custom {
        return custom::cells(&resource.columns, object, now);
    }
    let age = age(object.text("/metadata/creationTimestamp"), now);
    let collection = resource.collection.as_str();
    let cells = workloads::cells(collection, object, &age, now)
        .or_else(|| network::cells(collection, object, &age))
        .or_else(|| cluster::cells(collection, object, &age, now));
    cells.unwrap_or_else(|| {
        let cell = |column: &Column| match column.name.as_str() {
            "Name" => json!(object.name()),
            "Age" => json!(age),
            "Created At" => json!(object.text("/metadata/creationTimestamp")),
            _ if column.kind == "integer" => json!(0),
            _ if column.kind == "boolean" => json!(false),
            _ => json!("<none>"),
        };
        columns.iter().map(cell).collect()
    })
}

/// What a row says of its object beside the cells.
pub(super) fn conditions(resource: &Resource, object: &Value) -> Option<Value> {
    if resource.collection != "pods" {
        return None;
    }
    let phase = object.text("/status/phase");
    let message = match phase {
        "Succeeded" => "The pod has completed successfully.",
        "Failed" => "The pod failed.",
        _ => return None,
    };
    Some(json!([{"type": "Completed", "status": "True", "reason": phase, "message": message}]))
}

/// How long ago a time is, for people.
pub(crate) fn age(time: &str, now: Timestamp) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => duration(now.as_second() - time.as_second()),
        Err(_) => "<unknown>".to_owned(),
    }
}

/// A duration in seconds, for people: two units at most, and the coarser the longer.
pub(crate) fn duration(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let two = |big: i64, big_unit: &str, small: i64, small_unit: &str| {
        if small == 0 { format!("{big}{big_unit}") } else { format!("{big}{big_unit}{small}{small_unit}") }
    };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        _ if seconds < 2 * MINUTE => format!("{seconds}s"),
        _ if seconds < 10 * MINUTE => two(seconds / MINUTE, "m", seconds % MINUTE, "s"),
        _ if seconds < 3 * HOUR => format!("{}m", seconds / MINUTE),
        _ if seconds < 8 * HOUR => two(seconds / HOUR, "h", seconds / MINUTE % 60, "m"),
        _ if seconds < 2 * DAY => format!("{}h", seconds / HOUR),
        _ if seconds < 8 * DAY => two(seconds / DAY, "d", seconds / HOUR % 24, "h"),
        _ if seconds < 2 * YEAR => format!("{}d", seconds / DAY),
        _ if seconds < 8 * YEAR => two(seconds / YEAR, "y", seconds / DAY % 365, "d"),
        _ => format!("{}y", seconds / YEAR),
    }
}

/// Text, or what stands for its absence.
fn or<'a>(text: &'a str, absent: &'a str) -> &'a str {
    if text.is_empty() { absent } else { text }
}

/// A map of labels, or `<none>`.
fn labels(object: &Value, pointer: &str) -> String {
    let mut pairs: Vec<String> = object
        .map(pointer)
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    pairs.sort();
    or(&pairs.join(","), "<none>").to_owned()
}

/// At most three of a list, and how many more there are.
fn some_of(list: &[String], absent: &str) -> String {
    let shown = list.iter().take(3).cloned().collect::<Vec<_>>().join(",");
    match list.len() {
        0 => absent.to_owned(),
        many if many > 3 => format!("{shown} + {} more...", many - 3),
        _ => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_for_people() {
        for (seconds, text) in [
            (-5, "<invalid>"),
            (-1, "0s"),
            (119, "119s"),
            (120, "2m"),
            (150, "2m30s"),
            (660, "11m"),
            (7200, "120m"),
            (4 * 3600 + 60, "4h1m"),
            (20 * 3600, "20h"),
            (3 * 86_400 + 3600, "3d1h"),
            (400 * 86_400, "400d"),
            (1000 * 86_400, "2y270d"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
