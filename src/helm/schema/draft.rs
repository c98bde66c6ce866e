//! The drafts of JSON Schema that Helm's library knows, and where each has schemas inside of
//! schemas.

use std::collections::BTreeMap;

use super::address::{below, split};
use super::json::Json;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    Draft4,
    Draft6,
    Draft7,
    Draft2019,
    Draft2020,
}

/// What a keyword holds.
#[derive(Clone, Copy)]
enum Holds {
    Schema,
    /// A map from names to schemas.
    Named,
    Listed,
}

/// Keywords with schemas in them, and the draft that brought them.
const KEYWORDS: &[(&str, Holds, Draft)] = &[
    ("definitions", Holds::Named, Draft::Draft4),
    ("not", Holds::Schema, Draft::Draft4),
    ("allOf", Holds::Listed, Draft::Draft4),
    ("anyOf", Holds::Listed, Draft::Draft4),
    ("oneOf", Holds::Listed, Draft::Draft4),
    ("properties", Holds::Named, Draft::Draft4),
    ("additionalProperties", Holds::Schema, Draft::Draft4),
    ("patternProperties", Holds::Named, Draft::Draft4),
    ("items", Holds::Schema, Draft::Draft4),
    ("items", Holds::Listed, Draft::Draft4),
    ("additionalItems", Holds::Schema, Draft::Draft4),
    ("dependencies", Holds::Named, Draft::Draft4),
    ("propertyNames", Holds::Schema, Draft::Draft6),
    ("contains", Holds::Schema, Draft::Draft6),
    ("if", Holds::Schema, Draft::Draft7),
    ("then", Holds::Schema, Draft::Draft7),
    ("else", Holds::Schema, Draft::Draft7),
    ("$defs", Holds::Named, Draft::Draft2019),
    ("dependentSchemas", Holds::Named, Draft::Draft2019),
    ("unevaluatedProperties", Holds::Schema, Draft::Draft2019),
    ("unevaluatedItems", Holds::Schema, Draft::Draft2019),
    ("contentSchema", Holds::Schema, Draft::Draft2019),
    ("prefixItems", Holds::Listed, Draft::Draft2020),
];

impl Draft {
    pub(super) const LATEST: Self = Self::Draft2020;
    pub(super) const ALL: [Self; 5] =
        [Self::Draft4, Self::Draft6, Self::Draft7, Self::Draft2019, Self::Draft2020];

    /// The draft that a `$schema` names.
    pub(super) fn named(text: &str) -> Option<Self> {
        let (url, fragment) = split(text);
        if !fragment.is_empty() {
            return None;
        }
        let bare = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).unwrap_or(url);
        if bare == "json-schema.org/schema" {
            return Some(Self::LATEST);
        }
        Self::ALL
            .into_iter()
            .find(|draft| draft.url().split_once("://").is_some_and(|(_, name)| name == bare))
    }

    /// Where its metaschema is.
    pub(super) fn url(self) -> &'static str {
        match self {
            Self::Draft4 => "http://json-schema.org/draft-04/schema",
            Self::Draft6 => "http://json-schema.org/draft-06/schema",
            Self::Draft7 => "http://json-schema.org/draft-07/schema",
            Self::Draft2019 => "https://json-schema.org/draft/2019-09/schema",
            Self::Draft2020 => "https://json-schema.org/draft/2020-12/schema",
        }
    }

    /// The keyword that gives a schema its URL.
    pub(super) fn id_keyword(self) -> &'static str {
        if self == Self::Draft4 { "id" } else { "$id" }
    }

    /// The URL that a schema gives itself; its fragment does not count.
    pub(super) fn id(self, schema: &BTreeMap<String, Json>) -> Option<&str> {
        // A reference hides what is beside it.
        if self < Self::Draft2019 && schema.contains_key("$ref") {
            return None;
        }
        let (id, _) = split(schema.get(self.id_keyword())?.as_text()?);
        (!id.is_empty()).then_some(id)
    }

    /// What may be a schema right below one, by its pointer.
    pub(super) fn inside<'j>(
        self,
        schema: &'j BTreeMap<String, Json>,
        pointer: &str,
    ) -> BTreeMap<String, &'j Json> {
        let mut found = BTreeMap::new();
        for (keyword, holds, since) in KEYWORDS {
            let Some(value) = schema.get(*keyword).filter(|_| *since <= self) else { continue };
            let place = below(pointer, keyword);
            match (holds, value) {
                (Holds::Schema, _) => {
                    found.insert(place, value);
                }
                (Holds::Named, Json::Map(map)) => {
                    found.extend(map.iter().map(|(name, value)| (below(&place, name), value)));
                }
                (Holds::Listed, Json::List(items)) => {
                    let numbered = items.iter().enumerate();
                    found.extend(numbered.map(|(index, value)| (format!("{place}/{index}"), value)));
                }
                _ => {}
            }
        }
        found
    }
}
