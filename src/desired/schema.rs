//! The JSON schema of our own files, for editors: one definition for each kind of file and each kind of map in it.
//! The strict reader decides; a test holds the two to the same keys.

use serde_json::{Map, Value, json};

use crate::model::name::RESERVED_SERVICES;

/// The dialect that editors understand best.
const DIALECT: &str = "http://json-schema.org/draft-07/schema#";
const LABEL: &str = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";
const KIND: &str = "^[A-Z][A-Za-z0-9]{0,62}$";
const REFERENCE: &str = "^[^-/.~^:?*\\[\\\\\\s][^~^:?*\\[\\\\\\s]*$";
const PATH: &str = "^(?!/)(?!.*(^|/)\\.\\.(/|$))(?!.*(^|/)\\.git(/|$))[^\\\\]*$";
const DURATION: &str = "^([0-9]{1,9}[smhd])+$";
const REGISTRY: &str = "^[A-Za-z0-9._-]+(:[0-9]+)?(/[a-z0-9._-]+)*$";
const IMAGE_REPOSITORY: &str = "^(\\{registry\\}/)?[A-Za-z0-9._/-]+(:[0-9]+/[A-Za-z0-9._/-]+)?$";
const PATTERN: &str = "^([^{}]|\\{(team|environment|service)\\})+$";
const COMMIT: &str = "^[0-9a-fA-F]{40}$";

/// The schema. `#/$defs/configuration`, `#/$defs/service` and `#/$defs/versions` describe one kind of file each;
/// the root accepts any of them.
pub fn schema() -> Value {
    let mut definitions = Map::new();
    for (name, definition) in [
        ("configuration", configuration()),
        ("environment", environment()),
        ("defaults", defaults()),
        ("sync", sync()),
        ("ignore", ignore()),
        ("service", service()),
        ("code", code()),
        ("chart", chart()),
        ("manifests", manifests()),
        ("image", image()),
        ("imageValues", image_values()),
        ("allow", allow()),
        ("lookup", lookup()),
        ("versions", versions()),
        ("pin", pin()),
    ] {
        definitions.insert(name.to_owned(), definition);
    }
    json!({
        "$schema": DIALECT,
        "title": "Files of a moorline config repository",
        "anyOf": [reference("configuration", ""), reference("service", ""), reference("versions", "")],
        "$defs": definitions,
    })
}

fn configuration() -> Value {
    let environments = json!({
        "description": "The environments, in the order in which they are shown.",
        "type": "object",
        "propertyNames": {"pattern": LABEL},
        "minProperties": 1,
        "additionalProperties": {"anyOf": [reference("environment", ""), {"type": "null"}]},
    });
    map(
        "moorline.yaml: the instance, its environments, and what holds where nothing else is said.",
        &["version", "name", "environments"],
        json!({
            "version": {"description": "The version of this format.", "const": 1},
            "name": text("The name of this instance. It stands on every object that it owns and cannot be changed later.", LABEL),
            "environments": environments,
            "defaults": reference("defaults", "What holds where an environment or service says nothing else."),
        }),
    )
}

fn environment() -> Value {
    map(
        "One environment: a stage with a cluster, and a rule for versions. Its folder is environments/<name>/.",
        &[],
        json!({
            "branch": text("The branch of each code repository that this environment follows. Without it the environment is pinned: versions.yaml alone moves its code.", REFERENCE),
            "from": text("The environment that this one is promoted from; pending changes are counted against it.", LABEL),
            "cluster": plain("A context of the kubeconfig. Without it, that of --context, else the current one."),
            "registry": text("What {registry} in the repositories of images stands for, instead of the default.", REGISTRY),
            "namespace": text("The namespace of what has no team: third-party charts and the umbrella's own templates.", LABEL),
            "helm": word("Whose bytes charts are rendered to. It is a text: put it in quotes.", &["4.3", "4.1", "3.19"]),
            "revision": text("A branch, tag or commit of the config repository of its own.", REFERENCE),
            "suspend": plain("Why nothing is written in this environment."),
            "sync": reference("sync", "How applications of this environment are synced."),
        }),
    )
}

fn defaults() -> Value {
    let labels = json!({
        "description": "Labels of the namespaces that moorline creates.",
        "type": "object",
        "additionalProperties": {"type": "string", "maxLength": 63},
    });
    map(
        "What holds where an environment or service says nothing else.",
        &[],
        json!({
            "registry": text("What {registry} in the repositories of images stands for.", REGISTRY),
            "namespace": with_default(text("The pattern of namespaces; {team}, {environment} and {service} are filled in.", PATTERN), json!("{team}-{environment}")),
            "release": with_default(text("The pattern of release names (.Release.Name), of at most 53 characters when filled in.", PATTERN), json!("{service}")),
            "namespaceLabels": labels,
            "sync": reference("sync", "How applications are synced."),
        }),
    )
}

fn sync() -> Value {
    let kinds = json!({
        "description": "Kinds of custom resources that may be pruned without confirmation.",
        "type": "array",
        "items": text("A kind, as Certificate.", KIND),
    });
    let ignored = json!({
        "description": "Fields that are left out of the apply, so that others may own them. The rules of all places add up.",
        "type": "array",
        "items": reference("ignore", ""),
    });
    map(
        "How applications are synced. A service's word counts before its environment's, and that before the defaults'.",
        &[],
        json!({
            "selfHeal": flag("Whether drift is applied back.", true),
            "prune": flag("Whether objects that left Git are deleted.", true),
            "timeout": with_default(text("How long a rollout may take to become healthy: 90s, 10m, 2h or 1h30m.", DURATION), json!("10m")),
            "onFailure": word("What becomes of a failed rollout: the deployed set is applied again, or nothing is touched.", &["restore", "leave"]),
            "extras": word("What becomes of fields that others added: they stay and are listed, or those that kubectl-like managers set under spec or data are removed.", &["keep", "remove"]),
            "hooks": word("What becomes of hooks that would run before the sync, which cannot be run yet: they hold the application, or are left out.", &["hold", "skip"]),
            "pruneKinds": kinds,
            "ignore": ignored,
        }),
    )
}

fn ignore() -> Value {
    let fields = json!({
        "description": "JSON pointers, as /spec/replicas.",
        "type": "array",
        "minItems": 1,
        "items": text("A JSON pointer.", "^/.+"),
    });
    map(
        "Fields of some objects that are left out of the apply.",
        &["kind", "fields"],
        json!({
            "kind": text("The kind, as Deployment.", KIND),
            "name": plain("One object's name; without it, all of the kind."),
            "fields": fields,
        }),
    )
}

fn service() -> Value {
    map(
        "services/<service>.yaml: whose a service is, where its code, chart or manifests and its image are.",
        &["team"],
        json!({
            "team": text("The team that owns the service.", LABEL),
            "code": reference("code", "The code repository."),
            "chart": reference("chart", "The chart, in the code repository or a chart repository. Without it, the service is a dependency of the umbrella or has manifests."),
            "manifests": reference("manifests", "Plain YAML instead of a chart."),
            "image": one_or_list("The image whose tag follows the code, or a list of them.", reference("image", "")),
            "namespace": text("A namespace of its own, instead of the pattern.", LABEL),
            "release": text("A release name of its own, instead of the pattern.", PATTERN),
            "sync": reference("sync", "How this service is synced."),
            "suspend": plain("Why nothing is written for this service."),
            "adopt": flag("Whether objects that Argo CD, Flux or Helm track may be taken over.", false),
            "allow": reference("allow", "What the code repository may write outside of its own namespace."),
            "random": word("What becomes of random values, certificates and times that its chart draws: they are drawn once and remembered, or anew at every render, as by Helm.", &["remember", "fresh"]),
            "schema": word("Whether values have to fit the schemas of its chart. Schemas that refer to another host are not fetched, and refuse.", &["check", "skip"]),
        }),
    )
}

fn code() -> Value {
    map(
        "The code repository.",
        &["repository"],
        json!({
            "repository": repository(),
            "path": with_default(text("Only commits that touch this path count.", PATH), json!(".")),
        }),
    )
}

fn chart() -> Value {
    map(
        "The chart of a service: `path` in its code repository, or `repository`, `name` and `version`.",
        &[],
        json!({
            "path": text("The folder of the chart in the code repository, at the wanted commit.", PATH),
            "repository": text("A chart repository: https://…, http://… with an index.yaml, or oci://….", "^(https?|oci)://[^\\s?#@]+$"),
            "name": text("The name of the chart in that repository.", "^[A-Za-z0-9][A-Za-z0-9._-]*$"),
            "version": plain("A version, as 1.2.3, or a range of which the highest one is taken, as ^1.2."),
        }),
    )
}

fn manifests() -> Value {
    map(
        "Plain YAML, flat or in custom/<environment>/.",
        &["path"],
        json!({
            "repository": repository(),
            "branch": text("The branch that is followed in another repository; without it, its HEAD.", REFERENCE),
            "path": text("The folder. Without `repository` it is one of the config repository.", PATH),
        }),
    )
}

fn image() -> Value {
    let tag =
        text("The pattern of the tag; {commit} is the full commit.", "^([A-Za-z0-9._-]|\\{commit\\})+$");
    map(
        "The image whose tag follows the code.",
        &["repository"],
        json!({
            "repository": text("The image's repository, without tag and digest; {registry} is the environment's.", IMAGE_REPOSITORY),
            "tag": with_default(tag, json!("{commit}")),
            "missingAfter": with_default(text("How long after its commit an image that is not there is called missing.", DURATION), json!("1h")),
            "values": reference("imageValues", "Where the chart takes the image from. Plain YAML needs none: references to the repository get the tag."),
        }),
    )
}

fn image_values() -> Value {
    let path = |description| text(description, "^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*$");
    map(
        "Paths of values, as image.tag.",
        &[],
        json!({
            "repository": path("The value that takes the image's repository."),
            "tag": path("The value that takes the tag."),
            "digest": path("The value that takes the digest of a pin."),
        }),
    )
}

fn allow() -> Value {
    let list = |description: &str, items: Value| json!({"description": description, "type": "array", "items": items});
    map(
        "What the code repository may write outside of its own namespace, and what its chart may look up.",
        &[],
        json!({
            "namespaces": list("Namespaces that it may write into.", text("A namespace.", LABEL)),
            "clusterKinds": list("Cluster-scoped kinds that it may write.", text("A kind, as ClusterRole.", KIND)),
            "lookup": list("Objects that `lookup` may read.", reference("lookup", "")),
        }),
    )
}

fn lookup() -> Value {
    map(
        "Objects that `lookup` may read.",
        &["kind"],
        json!({
            "kind": text("The kind, as Secret.", KIND),
            "namespace": plain("The namespace; without it, cluster-scoped objects."),
            "name": plain("One object's name; without it, all of the kind."),
        }),
    )
}

fn versions() -> Value {
    json!({
        "description": "environments/<environment>/versions.yaml: which commit of each service's code is deployed.",
        "type": "object",
        "propertyNames": {"pattern": LABEL, "not": {"enum": RESERVED_SERVICES}},
        "additionalProperties": {"anyOf": [commit(), reference("pin", "")]},
    })
}

fn pin() -> Value {
    map(
        "A commit together with the image that was built from it.",
        &["commit"],
        json!({
            "commit": commit(),
            "digest": text("The digest of the image.", "^sha256:[0-9a-f]{64}$"),
        }),
    )
}

fn commit() -> Value {
    text("The full commit, 40 hex digits.", COMMIT)
}

fn repository() -> Value {
    let description = "The address of a Git repository: https, http, ssh or git@host:path. No password: credentials stand in the daemon's settings.";
    text(description, "^[^-\\s]\\S*$")
}

/// A map with known keys and no others.
fn map(description: &str, required: &[&str], properties: Value) -> Value {
    let mut map = json!({"description": description, "type": "object", "additionalProperties": false});
    if !required.is_empty() {
        map["required"] = json!(required);
    }
    map["properties"] = properties;
    map
}

fn plain(description: &str) -> Value {
    json!({"description": description, "type": "string", "minLength": 1})
}

fn text(description: &str, pattern: &str) -> Value {
    json!({"description": description, "type": "string", "pattern": pattern})
}

fn flag(description: &str, default: bool) -> Value {
    json!({"description": description, "type": "boolean", "default": default})
}

/// One of a few words; the first is what holds where nothing is said.
fn word(description: &str, words: &[&str]) -> Value {
    json!({"description": description, "enum": words, "default": words.first()})
}

/// One of them, or a list.
fn one_or_list(description: &str, one: Value) -> Value {
    let list = json!({"type": "array", "items": one, "minItems": 1});
    json!({"description": description, "anyOf": [one, list]})
}

fn with_default(mut value: Value, default: Value) -> Value {
    value["default"] = default;
    value
}

/// Another definition. Beside a reference the dialect reads nothing, so a description goes around it.
fn reference(name: &str, description: &str) -> Value {
    let reference = json!({"$ref": format!("#/$defs/{name}")});
    if description.is_empty() { reference } else { json!({"description": description, "allOf": [reference]}) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::desired::keys;

    fn definitions() -> Map<String, Value> {
        schema()["$defs"].as_object().unwrap().clone()
    }

    #[test]
    fn the_schema_and_the_reader_know_the_same_keys() {
        let definitions = definitions();
        let described: BTreeSet<&str> = definitions
            .iter()
            .filter(|(_, definition)| definition.get("properties").is_some())
            .map(|(name, _)| name.as_str())
            .collect();
        let read: BTreeSet<&str> = keys::ALL.iter().map(|keys| keys.name).collect();
        assert_eq!(described, read);
        for keys in keys::ALL {
            let properties = definitions[keys.name]["properties"].as_object().unwrap();
            let described: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
            assert_eq!(described, keys.list.iter().copied().collect(), "{}", keys.name);
            assert_eq!(definitions[keys.name]["additionalProperties"], json!(false), "{}", keys.name);
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_everything_is_described() {
        fn visit(value: &Value, definitions: &Map<String, Value>) {
            if let Some(to) = value.get("$ref").and_then(Value::as_str) {
                assert!(definitions.contains_key(to.trim_start_matches("#/$defs/")), "{to}");
            }
            if let Some(properties) = value.get("properties").and_then(Value::as_object) {
                for (key, property) in properties {
                    assert!(property.get("description").is_some(), "{key} is not described");
                }
            }
            match value {
                Value::Object(map) => map.values().for_each(|value| visit(value, definitions)),
                Value::Array(items) => items.iter().for_each(|value| visit(value, definitions)),
                _ => {}
            }
        }
        visit(&schema(), &definitions());
    }
}
