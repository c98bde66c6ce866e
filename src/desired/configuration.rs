//! `moorline.yaml`: the instance, its environments and the defaults; and `sync:`, which stands in several files.

use std::collections::BTreeMap;
use std::time::Duration;

use indexmap::IndexMap;

use super::document::{Document, Node};
use crate::model::fault::{Fault, FaultScope};
use crate::model::name::{EnvironmentName, InstanceName, NamespaceName};
use crate::model::policy::{Extras, Hooks, IgnoreRule, OnFailure, SyncPolicy};
use crate::model::source::FileTree;

/// The file that every config repository has.
pub(super) const CONFIGURATION_FILE: &str = "moorline.yaml";

/// `moorline.yaml`, parsed.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The instance.
    pub instance: InstanceName,
    /// The environments in the order of the file.
    pub environments: IndexMap<EnvironmentName, EnvironmentSettings>,
    /// What holds where nothing else is said.
    pub defaults: Defaults,
}

/// One environment's settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EnvironmentSettings {
    /// The branch of each code repository that this environment follows; absent for pinned environments.
    pub branch: Option<String>,
    /// The environment that `pending` compares with.
    pub from: Option<EnvironmentName>,
    /// A kubeconfig context.
    pub cluster: Option<String>,
    /// The namespace of applications without a team.
    pub namespace: Option<NamespaceName>,
    /// A branch, tag or commit of the config repository of its own.
    pub revision: Option<String>,
    /// Why the whole environment is suspended.
    pub suspend: Option<String>,
    /// Sync options.
    pub sync: SyncSettings,
}

/// `defaults:` of `moorline.yaml`.
#[derive(Clone, Debug, PartialEq)]
pub struct Defaults {
    /// The pattern of namespaces: `{team}`, `{environment}`, `{service}`.
    pub namespace: String,
    /// The pattern of release names.
    pub release: String,
    /// Labels of the namespaces that moorline creates.
    pub namespace_labels: BTreeMap<String, String>,
    /// Sync options.
    pub sync: SyncSettings,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            namespace: "{team}-{environment}".to_owned(),
            release: "{service}".to_owned(),
            namespace_labels: BTreeMap::new(),
            sync: SyncSettings::default(),
        }
    }
}

/// `sync:` as written in one place; absent options leave what the wider place says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SyncSettings {
    self_heal: Option<bool>,
    prune: Option<bool>,
    timeout: Option<Duration>,
    on_failure: Option<OnFailure>,
    extras: Option<Extras>,
    hooks: Option<Hooks>,
    prune_kinds: Option<Vec<String>>,
    ignore: Vec<IgnoreRule>,
}

/// The keys of `sync:`.
pub(super) const SYNC_KEYS: &[&str] =
    &["selfHeal", "prune", "timeout", "onFailure", "extras", "hooks", "pruneKinds", "ignore"];

impl SyncSettings {
    /// Reads `sync:`.
    pub(super) fn read(node: &Node<'_>) -> Self {
        let fields = node.fields(SYNC_KEYS);
        let list = |key: &str| {
            fields.get(key).map(|node| node.items().iter().filter_map(Node::text).collect::<Vec<_>>())
        };
        Self {
            self_heal: fields.get("selfHeal").and_then(Node::boolean),
            prune: fields.get("prune").and_then(Node::boolean),
            timeout: fields.get("timeout").and_then(Node::duration),
            on_failure: fields.get("onFailure").and_then(|node| {
                node.one_of(&[("restore", OnFailure::Restore), ("leave", OnFailure::Leave)])
            }),
            extras: fields
                .get("extras")
                .and_then(|node| node.one_of(&[("keep", Extras::Keep), ("remove", Extras::Remove)])),
            hooks: fields
                .get("hooks")
                .and_then(|node| node.one_of(&[("hold", Hooks::Hold), ("skip", Hooks::Skip)])),
            prune_kinds: list("pruneKinds"),
            ignore: fields.get("ignore").map(read_ignore).unwrap_or_default(),
        }
    }

    /// Lays these settings over a policy; ignore rules add up.
    pub fn over(&self, mut policy: SyncPolicy) -> SyncPolicy {
        policy.self_heal = self.self_heal.unwrap_or(policy.self_heal);
        policy.prune = self.prune.unwrap_or(policy.prune);
        policy.timeout = self.timeout.unwrap_or(policy.timeout);
        policy.on_failure = self.on_failure.unwrap_or(policy.on_failure);
        policy.extras = self.extras.unwrap_or(policy.extras);
        policy.hooks = self.hooks.unwrap_or(policy.hooks);
        if let Some(kinds) = &self.prune_kinds {
            policy.prune_kinds.clone_from(kinds);
        }
        policy.ignore.extend(self.ignore.iter().cloned());
        policy
    }
}

fn read_ignore(node: &Node<'_>) -> Vec<IgnoreRule> {
    let read = |node: &Node<'_>| {
        let fields = node.fields(&["kind", "name", "fields"]);
        let kind = fields.get("kind").and_then(Node::text);
        let pointers = fields.get("fields").map(Node::items).unwrap_or_default();
        let checked = pointers.iter().filter_map(|node| node.parse_with(parse_pointer)).collect::<Vec<_>>();
        if kind.is_none() || pointers.is_empty() {
            node.fault("an ignore rule needs `kind` and `fields`", None);
        }
        Some(IgnoreRule { kind: kind?, name: fields.get("name").and_then(Node::text), fields: checked })
    };
    node.items().iter().filter_map(read).collect()
}

fn parse_pointer(text: &str) -> Result<String, String> {
    let protected =
        ["/apiVersion", "/kind", "/metadata", "/metadata/name", "/metadata/namespace", "/metadata/labels"];
    if !text.starts_with('/') || text.len() < 2 {
        return Err(format!("`{text}` is not a JSON pointer such as /spec/replicas"));
    }
    if protected.contains(&text) || text.starts_with("/metadata/labels/moorline.dev") {
        return Err(format!("`{text}` cannot be ignored: moorline needs it"));
    }
    Ok(text.to_owned())
}

impl Configuration {
    /// Reads `moorline.yaml`; without a usable name there is no configuration.
    pub(super) fn read(tree: &FileTree, faults: &mut Vec<Fault>) -> Option<Self> {
        let Some(file) = tree.get(CONFIGURATION_FILE) else {
            faults.push(Fault {
                file: CONFIGURATION_FILE.to_owned(),
                line: 0,
                column: 0,
                message: "is missing: a config repository begins with it".to_owned(),
                hint: Some("see config-repo-template/moorline.yaml".to_owned()),
                scope: FaultScope::Everything,
            });
            return None;
        };
        let document = Document::parse(CONFIGURATION_FILE, file, FaultScope::Everything);
        let configuration = read_configuration(&document.root());
        faults.extend(document.into_faults());
        configuration
    }
}

fn read_configuration(root: &Node<'_>) -> Option<Configuration> {
    let fields = root.fields(&["version", "name", "environments", "defaults"]);
    match fields.get("version").and_then(Node::raw_text) {
        Some(version) if version == "1" => {}
        Some(version) => {
            root.fault(format!("version {version} is not known"), Some("write version: 1".to_owned()))
        }
        None => root.fault("`version` is missing", Some("write version: 1".to_owned())),
    }
    let Some(name) = fields.get("name") else {
        root.fault("`name` is missing", Some("name this instance, for example name: shop".to_owned()));
        return None;
    };
    let instance = name.parse();
    let defaults = fields.get("defaults").map(read_defaults).unwrap_or_default();
    let mut environments = IndexMap::new();
    for (key, node) in fields.get("environments").map(Node::entries).unwrap_or_default() {
        match key.parse::<EnvironmentName>() {
            Ok(name) => {
                let settings = read_environment(&node, &name);
                environments.insert(name, settings);
            }
            Err(error) => node.fault(error.to_string(), None),
        }
    }
    check_from(&fields.get("environments").map(Node::entries).unwrap_or_default(), &environments);
    Some(Configuration { instance: instance?, environments, defaults })
}

fn read_environment(node: &Node<'_>, _name: &EnvironmentName) -> EnvironmentSettings {
    let fields = node.fields(&["branch", "from", "cluster", "namespace", "revision", "suspend", "sync"]);
    let reference = |key: &str| {
        fields.get(key).and_then(|node| node.raw_text().and_then(|text| checked_reference(node, text)))
    };
    EnvironmentSettings {
        branch: reference("branch"),
        from: fields.get("from").and_then(Node::parse),
        cluster: fields.get("cluster").and_then(Node::text),
        namespace: fields.get("namespace").and_then(Node::parse),
        revision: reference("revision"),
        suspend: fields.get("suspend").and_then(Node::text),
        sync: fields.get("sync").map(SyncSettings::read).unwrap_or_default(),
    }
}

/// Checks the name of a branch, tag or commit (git-check-ref-format).
pub(super) fn checked_reference(node: &Node<'_>, text: String) -> Option<String> {
    let odd = |char: char| char.is_control() || " ~^:?*[\\".contains(char);
    let bad = text.is_empty()
        || text.len() > 200
        || text.starts_with(['-', '/', '.'])
        || text.ends_with(['/', '.'])
        || text.contains("..")
        || text.contains("//")
        || text.contains("@{")
        || text.chars().any(odd);
    if bad {
        node.fault(format!("`{text}` is not the name of a branch, tag or commit"), None);
        return None;
    }
    Some(text)
}

fn check_from(entries: &[(String, Node<'_>)], environments: &IndexMap<EnvironmentName, EnvironmentSettings>) {
    let known: Vec<&str> = environments.keys().map(EnvironmentName::as_str).collect();
    for (key, node) in entries {
        let from =
            environments.iter().find(|(name, _)| name.as_str() == key).and_then(|(_, one)| one.from.as_ref());
        if let Some(from) = from.filter(|from| !environments.contains_key(*from)) {
            let hint = super::nearest(from.as_str(), &known).map(|near| format!("did you mean `{near}`?"));
            node.fault(format!("`from` names the environment {from}, which does not exist"), hint);
        }
    }
}

fn read_defaults(node: &Node<'_>) -> Defaults {
    let fields = node.fields(&["namespace", "release", "namespaceLabels", "sync"]);
    let standard = Defaults::default();
    let pattern = |key: &str, otherwise: String| {
        fields.get(key).and_then(|node| node.parse_with(checked_pattern)).unwrap_or(otherwise)
    };
    let labels = fields.get("namespaceLabels").map(Node::entries).unwrap_or_default();
    Defaults {
        namespace: pattern("namespace", standard.namespace),
        release: pattern("release", standard.release),
        namespace_labels: labels.into_iter().filter_map(|(key, node)| Some((key, node.text()?))).collect(),
        sync: fields.get("sync").map(SyncSettings::read).unwrap_or_default(),
    }
}

/// A pattern may hold `{team}`, `{environment}` and `{service}`, nothing else in braces.
pub(super) fn checked_pattern(text: &str) -> Result<String, String> {
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        let Some(end) = rest[start..].find('}') else {
            return Err(format!("`{text}` has an open brace"));
        };
        let word = &rest[start + 1..start + end];
        if !matches!(word, "team" | "environment" | "service") {
            return Err(format!("`{{{word}}}` is not known: use {{team}}, {{environment}} or {{service}}"));
        }
        rest = &rest[start + end + 1..];
    }
    Ok(text.to_owned())
}
