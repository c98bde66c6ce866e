//! The resources that a store serves, looked up by path or by the name of their collection.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::failure::Named;
use serde_json::Value;

use super::object::Fields;
use super::schema::{ResourceType, Schemas};
use super::tables::CustomColumn;

/// One resource in one version.
#[derive(Clone, Debug)]
pub struct Resource {
    /// What discovery says of it.
    pub kind: ResourceType,
    /// Where its objects are kept, whatever the version: `pods`, `deployments.apps`.
    pub collection: String,
    /// `deployments.apps`, as messages name it.
    pub named: Named,
    /// `Deployment.apps`, as messages about invalid objects name it.
    pub named_kind: Named,
    /// Whether a CustomResourceDefinition made it.
    pub custom: bool,
    /// `apps/v1`.
    pub api_version: String,
    /// The columns that its definition names.
    pub(super) columns: Vec<CustomColumn>,
    has_status: bool,
}

impl Resource {
    fn new(kind: &ResourceType, custom: bool, columns: Vec<CustomColumn>) -> Resource {
        let named = Named::new(&kind.group, &kind.plural);
        let collection = match named.to_string().as_str() {
            "events.events.k8s.io" => "events".to_owned(),
            name => name.to_owned(),
        };
        Resource {
            collection,
            named,
            named_kind: Named::new(&kind.group, &kind.kind),
            custom,
            api_version: kind.api_version(),
            columns,
            has_status: kind.subresources.iter().any(|subresource| subresource.name == "status"),
            kind: kind.clone(),
        }
    }

    /// The same seen as scales, for printing.
    pub(super) fn as_scales(&self) -> Resource {
        let collection = super::tables::SCALES.to_owned();
        Resource { collection, custom: false, columns: Vec::new(), ..self.clone() }
    }

    /// Whether it has that subresource.
    pub fn has_subresource(&self, name: &str) -> bool {
        self.kind.subresources.iter().any(|subresource| subresource.name == name)
    }

    /// Whether its status is written apart from the rest.
    pub fn has_status(&self) -> bool {
        self.has_status
    }

    /// Whether one may do that with it.
    pub fn allows(&self, verb: &str) -> bool {
        self.kind.verbs.iter().any(|known| known == verb)
    }

    /// `group/kind` is this.
    pub fn is_kind(&self, group: &str, kind: &str) -> bool {
        self.kind.group == group && self.kind.kind == kind
    }
}

/// All resources, by group, version and plural.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    paths: BTreeMap<(String, String, String), Arc<Resource>>,
    kept: BTreeMap<String, Arc<Resource>>,
    kinds: BTreeMap<(String, String), Arc<Resource>>,
}

impl Catalog {
    /// Reads what the schemas know, and the columns of the CustomResourceDefinitions.
    pub fn of<'a>(schemas: &Schemas, definitions: impl Iterator<Item = &'a Value>) -> Catalog {
        let mut columns: BTreeMap<(String, String), Vec<CustomColumn>> = BTreeMap::new();
        for definition in definitions {
            for version in definition.items("/spec/versions") {
                let key = (definition.name().to_owned(), version.text("/name").to_owned());
                columns.insert(key, CustomColumn::of(version));
            }
        }
        let mut catalog = Catalog::default();
        for kind in schemas.resources() {
            let key = (format!("{}.{}", kind.plural, kind.group), kind.version.clone());
            let resource = Arc::new(Resource::new(
                kind,
                schemas.is_custom(kind),
                columns.remove(&key).unwrap_or_default(),
            ));
            let path = (kind.group.clone(), kind.version.clone(), kind.plural.clone());
            catalog.paths.insert(path, resource.clone());
            catalog.kinds.entry((kind.group.clone(), kind.kind.clone())).or_insert_with(|| resource.clone());
            // Of several versions the first is the preferred one, and a group's own resource before another's.
            let own = resource.named.to_string() == resource.collection;
            let known = catalog.kept.get(&resource.collection);
            if known.is_none_or(|known| own && known.named != resource.named) {
                catalog.kept.insert(resource.collection.clone(), resource);
            }
        }
        catalog
    }

    /// A resource by its path.
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.paths.get(&(group.to_owned(), version.to_owned(), plural.to_owned()))
    }

    /// The preferred version of the resource whose objects are kept there.
    pub fn of_collection(&self, collection: &str) -> Option<&Arc<Resource>> {
        self.kept.get(collection)
    }

    /// The preferred version of the resource of a kind.
    pub fn of_kind(&self, api_version: &str, kind: &str) -> Option<&Arc<Resource>> {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        self.kinds.get(&(group.to_owned(), kind.to_owned()))
    }

    /// Whether a group is served in that version.
    pub fn serves(&self, group: &str, version: &str) -> bool {
        self.paths.keys().any(|(one, other, _)| one == group && other == version)
    }

    /// Every resource in every version.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.paths.values()
    }

    /// The preferred version of every resource with objects of its own.
    pub fn collections(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.kept.values()
    }
}
