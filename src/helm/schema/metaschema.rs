//! The metaschemas of the drafts: what a schema has to be itself. Read once they are needed.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::{Arc, LazyLock};

use super::address::Place;
use super::check::check_schema;
use super::compile::{Nodes, compile};
use super::documents::{Documents, Resource};
use super::draft::Draft;
use super::json::Json;
use super::misfit::single_quoted;
use super::node::NodeId;
use crate::Compat;
use crate::functions::json::Wording;

/// The documents by their paths at json-schema.org; see the folder's README.
const TEXTS: &[u8] = include_bytes!("data/metaschemas.json.gz");

static DOCUMENTS: LazyLock<BTreeMap<String, Json>> = LazyLock::new(|| {
    let mut text = Vec::new();
    let inflated = flate2::read::GzDecoder::new(TEXTS).read_to_end(&mut text).is_ok();
    match inflated.then(|| Json::read(&text, Wording::Go1_27)) {
        Some(Ok(Json::Map(documents))) => documents,
        // The tests prove that the data is whole.
        _ => BTreeMap::new(),
    }
});

/// All drafts; the root of each is the node with its number.
static NODES: LazyLock<Nodes> = LazyLock::new(|| {
    let places: Vec<Place> = Draft::ALL.iter().map(|draft| Place::new(&Arc::from(draft.url()), "")).collect();
    compile(&mut Documents::of_metaschemas(Compat::V4_3), &places, true).unwrap_or_else(|_| Nodes(Vec::new()))
});

/// The document at an address of json-schema.org.
pub(super) fn document(url: &str) -> Option<Json> {
    let path = ["http://json-schema.org/", "https://json-schema.org/"]
        .iter()
        .find_map(|start| url.strip_prefix(start))?;
    let path = if path == "schema" { "draft/2020-12/schema" } else { path };
    DOCUMENTS.get(path).cloned()
}

/// Checks a schema; those inside with drafts of their own are found by their pointers.
pub(super) fn check(
    draft: Draft,
    schema: &Json,
    inner: &BTreeMap<String, Resource>,
    compat: Compat,
) -> Result<(), String> {
    let old = compat < Compat::V4_3;
    check_schema(&NODES.0, root(draft), schema, old, inner, root).map_err(|misfits| {
        let mut message =
            format!("jsonschema validation failed with {}", single_quoted(&format!("{}#", draft.url())));
        for misfit in &misfits {
            misfit.print(0, &mut message);
        }
        message
    })
}

fn root(draft: Draft) -> NodeId {
    Draft::ALL.iter().position(|other| *other == draft).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metaschemas_are_whole_and_fit_themselves() {
        assert_eq!(DOCUMENTS.len(), 19);
        assert!(NODES.0.len() > 300, "{} nodes", NODES.0.len());
        for draft in Draft::ALL {
            let schema = document(draft.url()).expect("a metaschema");
            assert_eq!(check(draft, &schema, &BTreeMap::new(), Compat::V4_3), Ok(()), "{draft:?}");
            assert!(check(draft, &Json::Nil, &BTreeMap::new(), Compat::V4_3).is_err(), "{draft:?}");
        }
    }
}
