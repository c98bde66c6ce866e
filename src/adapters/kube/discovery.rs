//! Which kinds a cluster serves: two requests by aggregated discovery (KEP-3352).

use serde::Deserialize;

use crate::adapters::cluster::ClusterError;
use crate::model::kinds::KindTable;
use crate::model::resource::GroupKind;

/// The media type of aggregated discovery.
pub(super) const ACCEPT: &str =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupList {
    kind: String,
    #[serde(default)]
    items: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    metadata: GroupMetadata,
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Deserialize, Default)]
struct GroupMetadata {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Version {
    #[serde(rename = "version")]
    name: String,
    #[serde(default)]
    resources: Vec<Resource>,
    #[serde(default)]
    freshness: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    #[serde(rename = "resource")]
    plural: String,
    scope: String,
    response_kind: Option<Kind>,
    #[serde(default)]
    verbs: Vec<String>,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    kind: String,
}

/// Adds one answer to the table.
pub(super) fn read(text: &str, table: &mut KindTable) -> Result<(), ClusterError> {
    let list: GroupList = serde_json::from_str(text)
        .map_err(|error| ClusterError::Garbled { message: format!("discovery: {error}") })?;
    if list.kind != "APIGroupDiscoveryList" {
        let message =
            format!("discovery answered {}: aggregated discovery (Kubernetes 1.30) is needed", list.kind);
        return Err(ClusterError::Garbled { message });
    }
    for group in list.items {
        for version in group.versions {
            // A stale aggregated API answers with nothing: what it served before is not gone.
            if version.freshness == "Stale" && version.resources.is_empty() {
                continue;
            }
            for resource in version.resources {
                let Some(kind) = resource.response_kind.filter(|kind| !kind.kind.is_empty()) else {
                    continue;
                };
                let watchable =
                    ["list", "watch"].iter().all(|verb| resource.verbs.iter().any(|known| known == verb));
                table.add(
                    GroupKind::new(&group.metadata.name, &kind.kind),
                    &version.name,
                    &resource.plural,
                    resource.scope == "Namespaced",
                    watchable,
                );
            }
        }
    }
    Ok(())
}
