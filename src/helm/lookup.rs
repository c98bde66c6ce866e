//! Answers to the `lookup` function: given beforehand, never fetched.

use std::collections::BTreeMap;

/// What a template asked of the cluster.
///
/// ```
/// use moorline_helm::Lookup;
///
/// let secret = Lookup::new("v1", "Secret", "shop", "database");
/// assert_eq!(secret.name, "database");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lookup {
    /// For example `apps/v1`.
    pub api_version: String,
    /// For example `Deployment`.
    pub kind: String,
    /// Empty for cluster-scoped kinds, or for all namespaces.
    pub namespace: String,
    /// Empty asks for the list.
    pub name: String,
}

impl Lookup {
    /// A question.
    pub fn new(api_version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

/// Known answers; what is not known is reported after the render.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lookups {
    /// Answers by question; an empty object means that nothing was found.
    pub answers: BTreeMap<Lookup, serde_json::Value>,
    /// Whether every unknown question is answered with an empty map, as `helm template` does.
    pub offline: bool,
}

impl Lookups {
    /// The answers of `helm template`: nothing is ever found.
    pub fn offline() -> Self {
        Self { answers: BTreeMap::new(), offline: true }
    }
}
