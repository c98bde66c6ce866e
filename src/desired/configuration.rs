//! `moorline.yaml`: the instance, its environments and the defaults; and `sync:`, which stands in several files.

use std::collections::BTreeMap;
use std::time::Duration;

use indexmap::IndexMap;

use super::document::{Document, Node};
use super::keys;
use crate::helm::Compat;
use crate::model::fault::{Fault, FaultScope};
use crate::model::image::ImageRepository;
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
    /// What `{registry}` in the repositories of images stands for.
    pub registry: Option<String>,
    /// Whose bytes charts are rendered to; absent means the newest Helm.
    pub helm: Option<Compat>,
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
    /// What `{registry}` in the repositories of images stands for where an environment says nothing.
    pub registry: Option<String>,
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
            registry: None,
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

impl SyncSettings {
    /// Reads `sync:`.
    pub(super) fn read(node: &Node<'_>) -> Self {
        let fields = node.fields(&keys::SYNC);
        Self {
            self_heal: fields.get("selfHeal").and_then(Node::boolean),
            prune: fields.get("prune").and_then(Node::boolean),
            timeout: fields.get("timeout").and_then(read_timeout),
            on_failure: fields.get("onFailure").and_then(|node| {
                node.one_of(&[("restore", OnFailure::Restore), ("leave", OnFailure::Leave)])
            }),
            extras: fields
                .get("extras")
                .and_then(|node| node.one_of(&[("keep", Extras::Keep), ("remove", Extras::Remove)])),
            hooks: fields
                .get("hooks")
                .and_then(|node| node.one_of(&[("hold", Hooks::Hold), ("skip", Hooks::Skip)])),
            prune_kinds: fields.get("pruneKinds").map(|node| node.texts(checked_kind)),
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

fn read_timeout(node: &Node<'_>) -> Option<Duration> {
    let timeout = node.duration()?;
    if timeout.is_zero() {
        let hint = Some("give a rollout time to become healthy, such as 10m".to_owned());
        node.fault("a timeout of nothing would block every rollout", hint);
        return None;
    }
    Some(timeout)
}

/// The kind of an object, as `Deployment`.
pub(super) fn checked_kind(text: &str) -> Result<String, String> {
    let starts = text.starts_with(|char: char| char.is_ascii_uppercase());
    if starts && text.len() <= 63 && text.chars().all(|char| char.is_ascii_alphanumeric()) {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} is not a kind such as Deployment: a capital letter, then letters and digits"))
    }
}

fn read_ignore(node: &Node<'_>) -> Vec<IgnoreRule> {
    let read = |node: &Node<'_>| {
        let fields = node.fields(&keys::IGNORE);
        let kind = fields.needed("kind", node, "the kind of the objects, as Deployment");
        let pointers = fields.needed("fields", node, "JSON pointers, as [/spec/replicas]");
        let pointers = pointers.map(|node| node.texts(parse_pointer));
        Some(IgnoreRule {
            kind: kind?.parse_with(checked_kind)?,
            name: fields.get("name").and_then(Node::text),
            fields: pointers?,
        })
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
                hint: Some(if tree.get("moorline.yml").is_some() {
                    "rename moorline.yml".to_owned()
                } else {
                    "see config-repo-template/moorline.yaml".to_owned()
                }),
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
    let fields = root.fields(&keys::CONFIGURATION);
    if let Some(node) = fields.needed("version", root, "write version: 1")
        && node.raw_text().is_some_and(|version| version != "1")
    {
        node.fault("this version of the format is not known", Some("write version: 1".to_owned()));
    }
    let instance = fields.needed("name", root, "name this instance, for example name: shop")?.parse();
    let defaults = fields.get("defaults").map(read_defaults).unwrap_or_default();
    let hint = "list at least one, as environments: {dev: {branch: dev}}";
    let entries = fields.needed("environments", root, hint).map(Node::entries).unwrap_or_default();
    let mut environments = IndexMap::new();
    for (key, node) in &entries {
        match key.parse::<EnvironmentName>() {
            Ok(name) => {
                environments.insert(name, read_environment(node));
            }
            Err(error) => node.fault(error.to_string(), None),
        }
    }
    check_from(&entries, &environments);
    Some(Configuration { instance: instance?, environments, defaults })
}

fn read_environment(node: &Node<'_>) -> EnvironmentSettings {
    let fields = node.fields(&keys::ENVIRONMENT);
    let reference = |key: &str| {
        fields.get(key).and_then(|node| node.raw_text().and_then(|text| checked_reference(node, text)))
    };
    EnvironmentSettings {
        branch: reference("branch"),
        from: fields.get("from").and_then(Node::parse),
        cluster: fields.get("cluster").and_then(Node::text),
        namespace: fields.get("namespace").and_then(Node::parse),
        registry: fields.get("registry").and_then(|node| node.parse_with(checked_registry)),
        helm: fields.get("helm").and_then(|node| {
            node.one_of(&[("4.3", Compat::V4_3), ("4.1", Compat::V4_1), ("3.19", Compat::V3_19)])
        }),
        revision: reference("revision"),
        suspend: fields.get("suspend").and_then(Node::reason),
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
        let named = environments.iter().find(|(name, _)| name.as_str() == key);
        let Some((name, from)) = named.and_then(|(name, one)| Some((name, one.from.as_ref()?))) else {
            continue;
        };
        let node = node.fields(&keys::ENVIRONMENT).get("from").cloned().unwrap_or_else(|| node.clone());
        if from == name {
            let hint = Some("name the environment that this one is promoted from".to_owned());
            node.fault("`from` names the environment itself", hint);
        } else if !environments.contains_key(from) {
            let hint = super::nearest(from.as_str(), &known).map_or_else(
                || format!("known: {}", known.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            node.fault(format!("`from` names the environment {from}, which does not exist"), Some(hint));
        }
    }
}

fn read_defaults(node: &Node<'_>) -> Defaults {
    let fields = node.fields(&keys::DEFAULTS);
    let standard = Defaults::default();
    let namespace = fields.get("namespace").and_then(|node| node.parse_with(checked_namespace));
    let release = fields.get("release").and_then(|node| node.parse_with(checked_release));
    let labels = fields.get("namespaceLabels").map(read_labels).unwrap_or_default();
    Defaults {
        namespace: namespace.unwrap_or(standard.namespace),
        release: release.unwrap_or(standard.release),
        registry: fields.get("registry").and_then(|node| node.parse_with(checked_registry)),
        namespace_labels: labels,
        sync: fields.get("sync").map(SyncSettings::read).unwrap_or_default(),
    }
}

/// Host and port of a registry, and what all its repositories have in front of their names.
fn checked_registry(text: &str) -> Result<String, String> {
    let repository = format!("{text}/image").parse::<ImageRepository>();
    match repository {
        Ok(_) if !text.ends_with('/') => Ok(text.to_owned()),
        Ok(_) => Err(format!("`{text}` ends with a slash: leave it out")),
        Err(error) => Err(format!("`{text}` is no registry: {error}")),
    }
}

fn read_labels(node: &Node<'_>) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (key, node) in node.entries() {
        if let Err(why) = check_label_key(&key) {
            node.fault(why, None);
            continue;
        }
        if let Some(value) = node.parse_with(checked_label_value) {
            labels.insert(key, value);
        }
    }
    labels
}

/// Kubernetes: an optional prefix that is a DNS name, then at most 63 letters, digits, `-`, `_` and `.`.
fn check_label_key(key: &str) -> Result<(), String> {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let is_domain = |prefix: &str| {
        prefix.len() <= 253 && prefix.split('.').all(|part| part.parse::<NamespaceName>().is_ok())
    };
    if name.is_empty() || !is_label_text(name) || prefix.is_some_and(|prefix| !is_domain(prefix)) {
        return Err(format!("{key:?} is not the key of a label, as team or example.com/team"));
    }
    if prefix.is_some_and(|prefix| prefix == "moorline.dev" || prefix.ends_with(".moorline.dev")) {
        return Err(format!("the label {key} is moorline's own"));
    }
    Ok(())
}

fn checked_label_value(value: &str) -> Result<String, String> {
    if is_label_text(value) {
        Ok(value.to_owned())
    } else {
        Err(format!("{value:?} is not the value of a label: at most 63 letters, digits, '-', '_' and '.'"))
    }
}

fn is_label_text(text: &str) -> bool {
    let plain = |char: char| char.is_ascii_alphanumeric();
    let ends = text.is_empty() || text.starts_with(plain) && text.ends_with(plain);
    ends && text.len() <= 63 && text.chars().all(|char| plain(char) || "-_.".contains(char))
}

/// The pattern of a namespace: filled in, it is a DNS label.
fn checked_namespace(text: &str) -> Result<String, String> {
    let pattern = checked_pattern(text)?;
    match filled_with_x(&pattern).parse::<NamespaceName>() {
        Ok(_) => Ok(pattern),
        Err(_) => Err(format!(
            "`{text}` cannot become a namespace: beside the braces, lower-case letters, digits and '-'"
        )),
    }
}

/// The pattern of a release name: filled in, it is DNS labels with dots between them.
pub(super) fn checked_release(text: &str) -> Result<String, String> {
    let pattern = checked_pattern(text)?;
    if filled_with_x(&pattern).split('.').all(|part| part.parse::<NamespaceName>().is_ok()) {
        Ok(pattern)
    } else {
        Err(format!(
            "`{text}` cannot become a release name: beside the braces, lower-case letters, digits, '-' and '.'"
        ))
    }
}

fn filled_with_x(pattern: &str) -> String {
    ["{team}", "{environment}", "{service}"]
        .iter()
        .fold(pattern.to_owned(), |text, word| text.replace(word, "x"))
}

/// A pattern may hold `{team}`, `{environment}` and `{service}`, nothing else in braces.
fn checked_pattern(text: &str) -> Result<String, String> {
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
