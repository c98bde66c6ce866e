//! `versions.yaml`: the commits that are pinned in an environment.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Document, Node};
use super::keys;
use super::nearest;
use crate::model::digest::Digest;
use crate::model::fault::{Fault, FaultScope};
use crate::model::name::{EnvironmentName, ServiceName};
use crate::model::source::{CommitSha, FileTree};

/// A pin of `versions.yaml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The commit of the code repository.
    pub commit: CommitSha,
    /// The image digest that goes with it.
    pub digest: Option<String>,
}

/// Reads the pins of an environment.
pub(super) fn read_pins(
    environment: &EnvironmentName,
    folder: &FileTree,
    members: &BTreeSet<ServiceName>,
    faults: &mut Vec<Fault>,
) -> BTreeMap<ServiceName, Pin> {
    let mut pins = BTreeMap::new();
    let Some(file) = folder.get("versions.yaml") else {
        return pins;
    };
    let path = format!("environments/{environment}/versions.yaml");
    let document = Document::parse(&path, file, FaultScope::Environment(environment.clone()));
    let known: Vec<&str> = members.iter().map(ServiceName::as_str).collect();
    for (key, node) in document.root().entries() {
        let member = members.iter().find(|member| member.as_str() == key);
        let Some(service) = member else {
            let hint = nearest(&key, &known).map(|near| format!("did you mean `{near}`?"));
            // A pin for nothing holds nothing else: narrow the fault to the name that it pins.
            let scope = key.parse().map_or(FaultScope::Environment(environment.clone()), |name| {
                FaultScope::Application(environment.clone(), name)
            });
            node.fault_in(scope, format!("{key} is pinned but not in {environment}"), hint);
            continue;
        };
        let scope = FaultScope::Application(environment.clone(), service.clone());
        if let Some(pin) = read_pin(&node, &scope) {
            pins.insert(service.clone(), pin);
        }
    }
    faults.extend(document.into_faults());
    pins
}

fn read_pin(node: &Node<'_>, scope: &FaultScope) -> Option<Pin> {
    const HINT: &str =
        "write the full commit, as `git rev-parse` prints it, or {commit: …, digest: sha256:…}";
    let node = node.within(scope);
    if node.is_empty() {
        node.fault("is pinned to nothing", Some(format!("{HINT}; or remove the line")));
        return None;
    }
    let commit_of = |node: &Node<'_>| match node.raw_text()?.parse::<CommitSha>() {
        Ok(commit) => Some(commit),
        Err(error) => {
            node.fault(error.to_string(), Some(HINT.to_owned()));
            None
        }
    };
    if !node.is_map() {
        return Some(Pin { commit: commit_of(&node)?, digest: None });
    }
    let fields = node.fields(&keys::PIN);
    let commit = fields.needed("commit", &node, "the full commit of the code repository").and_then(commit_of);
    let digest = fields.get("digest").map(Node::parse::<Digest>);
    Some(Pin {
        commit: commit?,
        digest: match digest {
            Some(digest) => Some(digest?.to_string()),
            None => None,
        },
    })
}
