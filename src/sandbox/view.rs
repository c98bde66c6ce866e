//! How an object is shown: whole, by its metadata alone, or as a row of a table; and what a client accepts of these.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::catalog::Resource;
use super::failure::Failure;
use super::object::Fields;
use super::request::{Body, List, Query};
use super::tables;

/// How an object is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// As it is.
    Plain,
    /// Its metadata alone.
    Partial,
    /// As a row.
    Table {
        /// What stands beside the cells.
        include: Include,
    },
}

/// What of the object goes with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Include {
    /// Nothing.
    Nothing,
    /// Its metadata.
    Metadata,
    /// All of it.
    Object,
}

const NOT_ACCEPTABLE: &str = "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf, application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";

impl View {
    /// The first view that the client accepts and that can be written.
    pub fn accepted(accept: &str, query: &Query) -> Result<View, Failure> {
        if accept.trim().is_empty() {
            return Ok(View::Plain);
        }
        for media in accept.split(',') {
            let mut parts = media.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default();
            if !matches!(kind, "application/json" | "*/*" | "application/*") {
                continue;
            }
            let mut shape = "";
            let mut group = "";
            for part in parts {
                match part.split_once('=') {
                    Some(("as", value)) => shape = value,
                    Some(("g", value)) => group = value,
                    _ => {}
                }
            }
            match (shape, group) {
                ("", _) => return Ok(View::Plain),
                ("Table", "meta.k8s.io") => return Ok(View::Table { include: included(query)? }),
                ("PartialObjectMetadata" | "PartialObjectMetadataList", "meta.k8s.io") => {
                    return Ok(View::Partial);
                }
                _ => {}
            }
        }
        Err(Failure::not_acceptable(NOT_ACCEPTABLE))
    }

    /// One object.
    pub fn of_object(self, resource: &Resource, object: Arc<Value>, now: Timestamp) -> Body {
        match self {
            View::Plain => Body::Object(object),
            View::Partial => Body::Object(Arc::new(partial(&object))),
            View::Table { include } => {
                let version = object.text("/metadata/resourceVersion").to_owned();
                let rows = vec![row(resource, &object, include, now)];
                Body::Object(Arc::new(table(json!({"resourceVersion": version}), columns(resource), rows)))
            }
        }
    }

    /// An object in a watch; the columns are said once.
    pub fn of_watched(
        self,
        resource: &Resource,
        object: Arc<Value>,
        now: Timestamp,
        first: bool,
    ) -> Arc<Value> {
        match self {
            View::Plain => object,
            View::Partial => Arc::new(partial(&object)),
            View::Table { include } => {
                let version = object.text("/metadata/resourceVersion").to_owned();
                let rows = vec![row(resource, &object, include, now)];
                let columns = if first { columns(resource) } else { json!([]) };
                Arc::new(table(json!({"resourceVersion": version}), columns, rows))
            }
        }
    }

    /// A list.
    pub fn of_list(self, resource: &Resource, mut list: List, now: Timestamp) -> Body {
        match self {
            View::Plain => Body::List(list),
            View::Partial => {
                list.head.put("/kind", json!("PartialObjectMetadataList"));
                list.head.put("/apiVersion", json!("meta.k8s.io/v1"));
                list.items = list.items.iter().map(|item| Arc::new(partial(item))).collect();
                list.typed = true;
                Body::List(list)
            }
            View::Table { include } => {
                let metadata = list.head.get("metadata").cloned().unwrap_or_default();
                let rows = list.items.iter().map(|item| row(resource, item, include, now)).collect();
                Body::Object(Arc::new(table(metadata, columns(resource), rows)))
            }
        }
    }
}

fn included(query: &Query) -> Result<Include, Failure> {
    match query.text("includeObject") {
        "" | "Metadata" => Ok(Include::Metadata),
        "None" => Ok(Include::Nothing),
        "Object" => Ok(Include::Object),
        other => Err(Failure::bad_request(format!("unrecognized includeObject value: {other:?}"))),
    }
}

fn partial(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object.get("metadata")})
}

fn columns(resource: &Resource) -> Value {
    tables::columns(resource).iter().map(tables::Column::definition).collect()
}

fn table(metadata: Value, columns: Value, rows: Vec<Value>) -> Value {
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": columns, "rows": rows})
}

fn row(resource: &Resource, object: &Arc<Value>, include: Include, now: Timestamp) -> Value {
    let mut row = Map::new();
    let columns = tables::columns(resource);
    row.insert("cells".to_owned(), Value::Array(tables::cells(resource, &columns, object, now)));
    if let Some(conditions) = tables::conditions(resource, object) {
        row.insert("conditions".to_owned(), conditions);
    }
    let beside = match include {
        Include::Nothing => Value::Null,
        Include::Metadata => partial(object),
        Include::Object => object.as_ref().clone(),
    };
    row.insert("object".to_owned(), beside);
    Value::Object(row)
}
