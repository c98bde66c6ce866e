//! JSON schemas of values, as the library behind Helm reads them: drafts 4 to 2020-12, with its
//! messages. A schema is checked against its metaschema and read once; nothing is fetched.

use std::sync::Arc;

use serde_json::Value as Serde;

use super::Compat;
use super::functions::json::Wording;
use super::once::OncePerCompat;
use super::value::{Text, Value};

mod address;
mod check;
mod compile;
mod documents;
mod draft;
mod evident;
mod format;
mod json;
mod metaschema;
mod misfit;
mod node;
mod number;
mod url;

use address::Place;
use compile::{Nodes, compile};
use documents::{Documents, Refusal};
use json::Json;
use misfit::Misfit;

/// The schema of a chart's values.
#[derive(Debug)]
pub(crate) struct Schema {
    text: Text,
    /// What was read, for each version of Helm that was asked for.
    read: OncePerCompat<Result<Read, String>>,
}

/// A schema that values can be checked against.
#[derive(Debug)]
struct Read {
    nodes: Nodes,
    /// URNs that Helm 4 warns of.
    unresolved: Vec<String>,
}

/// Values that do not fit a schema.
#[derive(Debug)]
pub(crate) struct Unfit {
    /// What Helm prints below the chart's name.
    pub(crate) message: String,
    /// JSON pointers to the values, the innermost ones; none if the schema is to blame.
    pub(crate) at: Vec<String>,
}

/// Where Helm puts a chart's schema.
const ADDRESS: &str = "file:///values.schema.json";

impl Schema {
    pub(crate) fn new(text: Text) -> Self {
        Self { text, read: OncePerCompat::new() }
    }

    pub(crate) fn text(&self) -> &Text {
        &self.text
    }

    /// Checks values.
    pub(crate) fn check(&self, values: &Value, compat: Compat) -> Result<(), Unfit> {
        let read = self.read(compat);
        let read = read.as_ref().map_err(|message| Unfit { message: message.clone(), at: Vec::new() })?;
        check::check(&read.nodes.0, 0, &Json::of(values), compat < Compat::V4_3)
            .map_err(|misfits| unfit(&misfits))
    }

    /// The URNs in a schema that could be read; Helm 4 takes any value there, with a warning.
    pub(crate) fn unresolved(&self, compat: Compat) -> &[String] {
        self.read(compat).as_ref().map_or(&[], |read| &read.unresolved)
    }

    fn read(&self, compat: Compat) -> &Result<Read, String> {
        self.read.get_or_init(compat, || read(&self.text, compat))
    }
}

fn read(text: &Text, compat: Compat) -> Result<Read, String> {
    let json = Json::read(text, Wording::of(compat))?;
    let url: Arc<str> = ADDRESS.into();
    let outcome = Documents::new(&url, json, compat).and_then(|mut documents| {
        let nodes = compile(&mut documents, &[Place::new(&url, "")], false)?;
        Ok(Read { nodes, unresolved: documents.unresolved.into_iter().collect() })
    });
    outcome.map_err(|refusal| match refusal {
        Refusal::Message(message) => message,
        Refusal::Elsewhere(url) => {
            format!("failing loading {url:?}: schemas of other places are not fetched")
        }
    })
}

fn unfit(misfits: &[Misfit]) -> Unfit {
    let (mut message, mut at) = (String::new(), Vec::new());
    for misfit in misfits {
        misfit.print(0, &mut message);
        misfit.leaves(&mut at);
    }
    message.push('\n');
    Unfit { message: message.trim_start_matches('\n').to_owned(), at }
}

/// A schema's text for a look at its keywords.
pub(crate) fn parse(schema: &Text) -> Result<Serde, serde_json::Error> {
    serde_json::from_slice(schema.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(schema))
}

/// A value as JSON; whole numbers are integers.
pub(crate) fn to_json(value: &Value) -> Serde {
    match value {
        Value::Nil => Serde::Null,
        Value::Bool(flag) => Serde::Bool(*flag),
        Value::Int(number) | Value::Int64(number) => Serde::from(*number),
        Value::Float(number) => super::values::json_number(*number),
        Value::Text(text) => Serde::String(text.lossy().into_owned()),
        Value::Map(map) => Serde::Object(
            map.entries()
                .into_iter()
                .map(|(key, value)| (key.lossy().into_owned(), to_json(&value)))
                .collect(),
        ),
        other => Serde::Array(other.items().unwrap_or_default().iter().map(to_json).collect()),
    }
}

#[cfg(test)]
mod tests;
