//! Environments: which services are in one (RULES §1), with which layers, pins and namespaces.

use std::collections::{BTreeMap, BTreeSet};

use super::application::{Application, Code, CodeRevision, Image, Layer, Origin};
use super::configuration::{CONFIGURATION_FILE, Configuration, EnvironmentSettings};
use super::document::{Document, Node};
use super::keys;
use super::nearest;
use super::service::Service;
use super::umbrella::{Umbrella, dependency_place, read_layer};
use crate::model::fault::{Fault, FaultScope};
use crate::model::manifest::TEAM_LABEL;
use crate::model::name::{
    ApplicationId, EnvironmentName, InvalidName, LABEL_LIMIT, NamespaceName, ServiceName,
};
use crate::model::policy::SyncPolicy;
use crate::model::source::{CommitSha, File, FileTree};

/// Files of an environment's folder that are not a service's layer.
const OWN_FILES: [&str; 3] = ["values.yaml", "versions.yaml", "requirements.yaml"];

/// A pin of `versions.yaml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The commit of the code repository.
    pub commit: CommitSha,
    /// The image digest that goes with it.
    pub digest: Option<String>,
}

/// The config repository at one revision.
#[derive(Clone, Debug)]
pub struct ConfigRepository {
    /// `moorline.yaml`; absent if it cannot be used.
    pub configuration: Option<Configuration>,
    /// Every service that has a file.
    pub services: BTreeMap<ServiceName, Service>,
    /// Every environment of `moorline.yaml`.
    pub environments: BTreeMap<EnvironmentName, Environment>,
    /// Every fault found.
    pub faults: Vec<Fault>,
}

/// One environment with its folder.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Its name.
    pub name: EnvironmentName,
    /// Its settings.
    pub settings: EnvironmentSettings,
    /// Its folder, an umbrella chart.
    pub folder: FileTree,
    /// The umbrella, where the folder has a `Chart.yaml` that can be used.
    pub umbrella: Option<Umbrella>,
    /// The services that are in it.
    pub members: BTreeSet<ServiceName>,
    /// Its pins.
    pub pins: BTreeMap<ServiceName, Pin>,
}

impl ConfigRepository {
    /// Reads a whole config repository. Never fails: what cannot be used is in `faults`.
    pub fn read(tree: &FileTree) -> Self {
        let mut faults = Vec::new();
        let configuration = Configuration::read(tree, &mut faults);
        let services = read_services(tree, &mut faults);
        let mut environments = BTreeMap::new();
        if let Some(configuration) = &configuration {
            for (name, settings) in &configuration.environments {
                let environment = Environment::read(name, settings, tree, &services, &mut faults);
                environments.insert(name.clone(), environment);
            }
            report_unlisted_folders(tree, configuration, &mut faults);
        }
        let mut repository = Self { configuration, services, environments, faults };
        let mut more = Vec::new();
        for (name, environment) in &repository.environments {
            let (applications, faults) = repository.applications(tree, name);
            // What follows from a fault that is reported already is no news.
            let is_held =
                |service: &ServiceName| repository.faults.iter().any(|one| one.holds(name, service));
            more.extend(faults.into_iter().filter(
                |fault| !matches!(&fault.scope, FaultScope::Application(_, service) if is_held(service)),
            ));
            check_layers(environment, &applications, &mut more);
            check_folders(tree, &applications, &repository.services, &mut more);
        }
        repository.faults.extend(more);
        repository.report_stray_base_layers(tree);
        repository
    }

    /// The applications of an environment, and the faults found while resolving them.
    pub fn applications(&self, tree: &FileTree, name: &EnvironmentName) -> (Vec<Application>, Vec<Fault>) {
        let mut faults = Vec::new();
        let (Some(configuration), Some(environment)) = (&self.configuration, self.environments.get(name))
        else {
            return (Vec::new(), faults);
        };
        let resolver = Resolver { configuration, environment, services: &self.services, tree };
        let mut applications = Vec::new();
        for service in &environment.members {
            match resolver.resolve(service) {
                Ok(application) => applications.push(application),
                Err(fault) => faults.push(fault),
            }
        }
        (applications, faults)
    }
}

/// Reads the layers that the umbrella does not read for its own dependencies.
fn check_layers(environment: &Environment, applications: &[Application], faults: &mut Vec<Fault>) {
    let umbrella = environment.umbrella.as_ref();
    let mut seen = BTreeSet::new();
    for application in applications {
        for layer in &application.layers {
            let is_read = match &layer.under {
                Some(key) => umbrella.is_some_and(|umbrella| umbrella.names(key)),
                None => umbrella.is_some(),
            };
            if is_read || !seen.insert(&layer.file) {
                continue;
            }
            let scope = match &layer.under {
                Some(_) => FaultScope::Application(environment.name.clone(), application.id.service.clone()),
                None => FaultScope::Environment(environment.name.clone()),
            };
            if let Err(fault) = read_layer(&layer.file, &layer.content, scope) {
                faults.push(*fault);
            }
        }
    }
}

/// Whether the folders of plain YAML in the config repository are there.
fn check_folders(
    tree: &FileTree,
    applications: &[Application],
    services: &BTreeMap<ServiceName, Service>,
    faults: &mut Vec<Fault>,
) {
    for application in applications {
        let Origin::Manifests(source) = &application.origin else { continue };
        let path = source.path.as_str();
        if source.repository.is_some() || tree.has_folder(path) {
            continue;
        }
        let id = &application.id;
        let place = services.get(&id.service).map_or((1, 1), |service| service.places.of(&["manifests"]));
        let (message, hint) = match tree.get(path).map(|file| file.content.bytes()) {
            Some(Err(why)) => (format!("manifests.path: {path} {why}"), None),
            Some(Ok(_)) => (format!("manifests.path: {path} is a file"), Some("name its folder".to_owned())),
            None => (
                format!("manifests.path: the config repository has no folder {path}"),
                nearest_folder(tree, path).map(|near| format!("did you mean {near}?")),
            ),
        };
        faults.push(Fault {
            file: format!("services/{}.yaml", id.service),
            line: place.0,
            column: place.1,
            message,
            hint,
            scope: FaultScope::Application(id.environment.clone(), id.service.clone()),
        });
    }
}

/// A sibling of a folder that is not there, whose name is close.
fn nearest_folder(tree: &FileTree, path: &str) -> Option<String> {
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    let siblings = tree.children(parent);
    let near = nearest(name, &siblings)?;
    Some(if parent.is_empty() { near.to_owned() } else { format!("{parent}/{near}") })
}

impl ConfigRepository {
    /// Layers in `base/` that no application of any environment reads.
    fn report_stray_base_layers(&mut self, tree: &FileTree) {
        let names: BTreeSet<&str> = self
            .environments
            .values()
            .flat_map(|environment| environment.members.iter().map(ServiceName::as_str))
            .chain(self.services.keys().map(ServiceName::as_str))
            .collect();
        let declared = |key: &str| {
            self.environments.values().filter_map(|one| one.umbrella.as_ref()).any(|one| one.names(key))
        };
        let known: Vec<&str> = names.iter().copied().collect();
        let mut strays = Vec::new();
        for (path, _) in tree.below("base").filter(|(path, _)| !path.contains('/')) {
            let hint = match (path.strip_suffix(".yaml"), path.strip_suffix(".yml")) {
                (Some(stem), _) if stem == "values" || names.contains(stem) || declared(stem) => continue,
                (Some(stem), _) => nearest(stem, &known).map_or_else(
                    || format!("add services/{stem}.yaml, or remove the file"),
                    |near| format!("did you mean {near}.yaml?"),
                ),
                (_, Some(stem)) => format!("rename it to {stem}.yaml"),
                (None, None) => continue,
            };
            let file = format!("base/{path}");
            strays.push(plain_fault(
                &file,
                "belongs to no service and no dependency",
                Some(hint),
                FaultScope::Nothing,
            ));
        }
        self.faults.extend(strays);
        self.faults.sort();
        self.faults.dedup();
    }
}

fn read_services(tree: &FileTree, faults: &mut Vec<Fault>) -> BTreeMap<ServiceName, Service> {
    let mut services = BTreeMap::new();
    for (path, file) in tree.below("services") {
        let full = format!("services/{path}");
        let Some(stem) = path.strip_suffix(".yaml").filter(|_| !path.contains('/')) else {
            if !path.starts_with('.') && !path.ends_with(".md") {
                let hint = path.strip_suffix(".yml").map_or_else(
                    || "services/ holds one <service>.yaml per service".to_owned(),
                    |stem| format!("rename it to {stem}.yaml"),
                );
                faults.push(plain_fault(&full, "is not a services file", Some(hint), FaultScope::Nothing));
            }
            continue;
        };
        match ServiceName::parse_given(stem) {
            Ok(name) => {
                let service = Service::read(&name, &full, file, faults);
                services.insert(name, service);
            }
            Err(error) => {
                let hint = match &error {
                    InvalidName::Reserved { .. } => "choose another name for the service",
                    _ => "name the file after the service, as payments-api.yaml",
                };
                let hint = Some(hint.to_owned());
                faults.push(plain_fault(&full, &error.to_string(), hint, FaultScope::Nothing));
            }
        }
    }
    services
}

/// A fault of a whole file or folder.
fn plain_fault(file: &str, message: &str, hint: Option<String>, scope: FaultScope) -> Fault {
    Fault { file: file.to_owned(), line: 0, column: 0, message: message.to_owned(), hint, scope }
}

fn report_unlisted_folders(tree: &FileTree, configuration: &Configuration, faults: &mut Vec<Fault>) {
    let known: Vec<&str> = configuration.environments.keys().map(EnvironmentName::as_str).collect();
    for folder in tree.children("environments") {
        if known.contains(&folder) {
            continue;
        }
        if !tree.has_folder(&format!("environments/{folder}")) {
            let is_yaml = [".yaml", ".yml"].iter().any(|ending| folder.ends_with(ending));
            if is_yaml || folder.parse::<EnvironmentName>().is_ok() {
                let hint = Some("environments/ holds one folder per environment".to_owned());
                let why =
                    tree.get(&format!("environments/{folder}")).and_then(|file| file.content.bytes().err());
                let message = why.unwrap_or("is not the folder of an environment");
                faults.push(plain_fault(
                    &format!("environments/{folder}"),
                    message,
                    hint,
                    FaultScope::Nothing,
                ));
            }
        } else {
            let hint = nearest(folder, &known).map_or_else(
                || format!("add `{folder}: {{}}` under environments in {CONFIGURATION_FILE}"),
                |near| format!("did you mean environments/{near}?"),
            );
            let file = format!("environments/{folder}");
            faults.push(plain_fault(
                &file,
                "is not an environment of moorline.yaml",
                Some(hint),
                FaultScope::Nothing,
            ));
        }
    }
}

impl Environment {
    /// Reads an environment's folder.
    fn read(
        name: &EnvironmentName,
        settings: &EnvironmentSettings,
        tree: &FileTree,
        services: &BTreeMap<ServiceName, Service>,
        faults: &mut Vec<Fault>,
    ) -> Self {
        let path = format!("environments/{name}");
        let folder = tree.subtree(&path);
        let scope = FaultScope::Environment(name.clone());
        if folder.is_empty() {
            let why = tree.get(&path).map(|file| file.content.bytes().err().unwrap_or("is a file"));
            let hint = match why {
                Some(_) => "make it a folder".to_owned(),
                None => "add the folder, or remove the environment from moorline.yaml".to_owned(),
            };
            let message = why.unwrap_or("does not exist");
            faults.push(plain_fault(&path, message, Some(hint), scope.clone()));
        }
        let umbrella = Umbrella::read(name, &folder, tree, faults);
        let mut members = BTreeSet::new();
        for key in umbrella.iter().flat_map(Umbrella::applications) {
            match key.parse::<ServiceName>() {
                Ok(service) => {
                    members.insert(service);
                }
                Err(error) => {
                    let (file, (line, column)) = dependency_place(&folder, key);
                    let hint = Some("give the dependency an alias that is a DNS label".to_owned());
                    let fault =
                        plain_fault(&format!("{path}/{file}"), &error.to_string(), hint, scope.clone());
                    faults.push(Fault { line, column, ..fault });
                }
            }
        }
        for service in layered_services(name, &folder, services, umbrella.as_ref(), faults) {
            members.insert(service);
        }
        if umbrella.as_ref().is_some_and(Umbrella::has_own_templates) || folder.has_folder("manifests") {
            members.insert(ServiceName::environment());
        }
        let pins = read_pins(name, &folder, &members, faults);
        Self { name: name.clone(), settings: settings.clone(), folder, umbrella, members, pins }
    }
}

/// Services with a layer file that are not dependencies of the umbrella.
fn layered_services(
    environment: &EnvironmentName,
    folder: &FileTree,
    services: &BTreeMap<ServiceName, Service>,
    umbrella: Option<&Umbrella>,
    faults: &mut Vec<Fault>,
) -> Vec<ServiceName> {
    let mut layered = Vec::new();
    let known: Vec<&str> = services.keys().map(ServiceName::as_str).collect();
    for (path, _) in folder.iter() {
        let file = format!("environments/{environment}/{path}");
        let Some(stem) = path.strip_suffix(".yaml").filter(|_| !path.contains('/')) else {
            if let Some(stem) = path.strip_suffix(".yml").filter(|_| !path.contains('/')) {
                let hint = Some(format!("rename it to {stem}.yaml"));
                faults.push(plain_fault(&file, "is read by nobody", hint, FaultScope::Nothing));
            }
            continue;
        };
        if OWN_FILES.contains(&path) || path == "Chart.yaml" || umbrella.is_some_and(|one| one.names(stem)) {
            continue;
        }
        match ServiceName::parse_given(stem) {
            Ok(service) if services.contains_key(&service) => layered.push(service),
            parsed => {
                let (message, otherwise) = match parsed {
                    Ok(_) => (
                        "belongs to no service and no dependency".to_owned(),
                        format!("add services/{stem}.yaml, or make {stem} a dependency of the umbrella"),
                    ),
                    Err(error) => (
                        error.to_string(),
                        "a layer is named after its service; values for all of them stand in values.yaml"
                            .to_owned(),
                    ),
                };
                let hint =
                    nearest(stem, &known).map_or(otherwise, |near| format!("did you mean {near}.yaml?"));
                let scope = stem.parse().map_or(FaultScope::Nothing, |service| {
                    FaultScope::Application(environment.clone(), service)
                });
                faults.push(plain_fault(&file, &message, Some(hint), scope));
            }
        }
    }
    layered
}

fn read_pins(
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
    let digest = fields.get("digest").map(Node::parse::<crate::model::digest::Digest>);
    Some(Pin {
        commit: commit?,
        digest: match digest {
            Some(digest) => Some(digest?.to_string()),
            None => None,
        },
    })
}

/// Resolves the applications of one environment.
struct Resolver<'a> {
    configuration: &'a Configuration,
    environment: &'a Environment,
    services: &'a BTreeMap<ServiceName, Service>,
    tree: &'a FileTree,
}

impl Resolver<'_> {
    fn resolve(&self, name: &ServiceName) -> Result<Application, Fault> {
        let standard = Service::default();
        let service = self.services.get(name).unwrap_or(&standard);
        let id = ApplicationId::new(self.environment.name.clone(), name.clone());
        let label = id.label();
        if label.len() > LABEL_LIMIT {
            let message = format!(
                "the label {label} has {} characters; at most {LABEL_LIMIT} are allowed",
                label.len()
            );
            return Err(self.fault(
                name,
                &[],
                &message,
                Some("shorten the service or environment name".to_owned()),
            ));
        }
        let origin = self.origin(name, service)?;
        let settings = &self.environment.settings;
        let policy = self.configuration.defaults.sync.over(SyncPolicy::default());
        let policy = service.sync.over(settings.sync.over(policy));
        Ok(Application {
            team: service.team.clone(),
            namespace: self.namespace(name, service)?,
            namespace_labels: self.namespace_labels(service),
            release: self.release(name, service)?,
            cluster: settings.cluster.clone(),
            layers: self.layers(name, &origin),
            origin,
            code: self.code(name, service),
            image: service.image.clone().map(|source| Image { source }),
            policy,
            allow: service.allow.clone(),
            adopt: service.adopt,
            suspend: service.suspend.clone().or_else(|| settings.suspend.clone()),
            id,
        })
    }

    /// A fault at the first of these keys that stands in the service's file.
    fn fault(&self, service: &ServiceName, keys: &[&str], message: &str, hint: Option<String>) -> Fault {
        let scope = FaultScope::Application(self.environment.name.clone(), service.clone());
        let Some(known) = self.services.get(service) else {
            let folder = format!("environments/{}", self.environment.name);
            if service.is_environment() {
                return plain_fault(&folder, message, hint, scope);
            }
            let (file, (line, column)) = dependency_place(&self.environment.folder, service.as_str());
            return Fault { line, column, ..plain_fault(&format!("{folder}/{file}"), message, hint, scope) };
        };
        let (line, column) = known.places.of(keys);
        let file = format!("services/{service}.yaml");
        Fault { file, line, column, message: message.to_owned(), hint, scope }
    }

    fn origin(&self, name: &ServiceName, service: &Service) -> Result<Origin, Fault> {
        if name.is_environment() {
            return Ok(Origin::Environment);
        }
        let umbrella = self.environment.umbrella.as_ref();
        let dependency = umbrella.is_some_and(|umbrella| umbrella.names(name.as_str()));
        match (&service.chart, &service.manifests, dependency) {
            (None, None, true) => Ok(Origin::Dependency { key: name.to_string() }),
            (Some(chart), None, false) => Ok(Origin::Chart { path: chart.path.clone() }),
            (None, Some(manifests), false) => Ok(Origin::Manifests(manifests.clone())),
            (None, None, false) => Err(self.fault(
                name,
                &[],
                &format!(
                    "{name} has no chart, no manifests and is no dependency of environments/{}",
                    self.environment.name
                ),
                Some("add chart:, manifests:, or a dependency to the umbrella's Chart.yaml".to_owned()),
            )),
            (Some(_), _, true) | (_, Some(_), true) => Err(self.fault(
                name,
                &["chart", "manifests"],
                &format!(
                    "{name} has a chart or manifests of its own and is also a dependency of the umbrella"
                ),
                Some("remove one of the two".to_owned()),
            )),
            (Some(_), Some(_), false) => Err(self.fault(
                name,
                &["manifests"],
                "a service has either `chart` or `manifests`",
                Some("remove one of them".to_owned()),
            )),
        }
    }

    fn fill(&self, pattern: &str, name: &ServiceName, service: &Service) -> Option<String> {
        let team = service.team.as_ref().map(ToString::to_string);
        if pattern.contains("{team}") && team.is_none() {
            return None;
        }
        let filled = pattern
            .replace("{team}", team.as_deref().unwrap_or(""))
            .replace("{environment}", self.environment.name.as_str())
            .replace("{service}", name.as_str());
        Some(filled)
    }

    fn namespace(&self, name: &ServiceName, service: &Service) -> Result<NamespaceName, Fault> {
        if let Some(namespace) = &service.namespace {
            return Ok(namespace.clone());
        }
        let settings = &self.environment.settings;
        if let Some(namespace) = settings.namespace.as_ref().filter(|_| service.team.is_none()) {
            return Ok(namespace.clone());
        }
        let Some(text) = self.fill(&self.configuration.defaults.namespace, name, service) else {
            let stage = &self.environment.name;
            let (what, hint) = if name.is_environment() {
                ("the environment's own objects have".to_owned(), String::new())
            } else {
                (format!("{name} has"), format!("add services/{name}.yaml with its team, or "))
            };
            let message = format!("{what} no team, so the namespace pattern does not apply");
            let hint = format!("{hint}set environments.{stage}.namespace in {CONFIGURATION_FILE}");
            return Err(self.fault(name, &["team"], &message, Some(hint)));
        };
        text.parse().map_err(|error| {
            let hint = format!("set namespace:, or defaults.namespace in {CONFIGURATION_FILE}");
            self.fault(name, &["namespace", "team"], &format!("its namespace: {error}"), Some(hint))
        })
    }

    fn namespace_labels(&self, service: &Service) -> BTreeMap<String, String> {
        let mut labels = self.configuration.defaults.namespace_labels.clone();
        if let Some(team) = &service.team {
            labels.insert(TEAM_LABEL.to_owned(), team.to_string());
        }
        labels
    }

    fn release(&self, name: &ServiceName, service: &Service) -> Result<String, Fault> {
        let pattern = service.release.as_deref().unwrap_or(&self.configuration.defaults.release);
        let release = self.fill(pattern, name, service).unwrap_or_else(|| name.to_string());
        // Helm: a release name is at most 53 characters (pkg/chart/common/util/validate_release_name).
        let label = |text: &str| text.parse::<NamespaceName>().is_ok() && text.len() <= 53;
        if release.split('.').all(label) && release.len() <= 53 {
            return Ok(release);
        }
        let message = format!(
            "the release name {release:?} is not a DNS label, or longer than Helm's limit of 53 characters"
        );
        let hint = format!("set release:, or defaults.release in {CONFIGURATION_FILE}");
        Err(self.fault(name, &["release"], &message, Some(hint)))
    }

    fn code(&self, name: &ServiceName, service: &Service) -> Option<Code> {
        let code = service.code.as_ref()?;
        let pin = self.environment.pins.get(name);
        let revision = match (pin, &self.environment.settings.branch) {
            (Some(pin), _) => CodeRevision::Pinned { commit: pin.commit, digest: pin.digest.clone() },
            (None, Some(branch)) => CodeRevision::Branch(branch.clone()),
            (None, None) => CodeRevision::NeverPromoted,
        };
        Some(Code { repository: code.repository.clone(), path: code.path.clone(), revision })
    }

    fn layers(&self, name: &ServiceName, origin: &Origin) -> Vec<Layer> {
        if matches!(origin, Origin::Manifests(_)) {
            return Vec::new();
        }
        let environment = &self.environment.name;
        let key = (!name.is_environment()).then(|| name.to_string());
        let mut layers = Vec::new();
        let mut add = |file: String, content: Option<&File>, under: Option<String>| {
            if let Some(content) = content {
                layers.push(Layer { file, under, content: content.clone() });
            }
        };
        add("base/values.yaml".to_owned(), self.tree.get("base/values.yaml"), None);
        let own = format!("base/{name}.yaml");
        if key.is_some() {
            add(own.clone(), self.tree.get(&own), key.clone());
        }
        let values = format!("environments/{environment}/values.yaml");
        add(values.clone(), self.environment.folder.get("values.yaml"), None);
        let layer = format!("{name}.yaml");
        if key.is_some() {
            add(format!("environments/{environment}/{layer}"), self.environment.folder.get(&layer), key);
        }
        layers
    }
}
