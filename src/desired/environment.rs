//! Environments: which services are in one (RULES §1), with which layers, pins and namespaces.

use std::collections::{BTreeMap, BTreeSet};

use super::application::Application;
use super::configuration::{Configuration, EnvironmentSettings};
use super::dependencies::Supply;
use super::nearest;
use super::pins::{Pin, read_pins};
use super::resolver::Resolver;
use super::service::Service;
use super::strays::{check_folders, check_layers, report_unlisted_folders, stray_base_layers};
use super::umbrella::{Umbrella, dependency_place};
use crate::model::chart::ChartNeed;
use crate::model::fault::{Fault, FaultScope};
use crate::model::manifest::TEAM_LABEL;
use crate::model::name::{EnvironmentName, InvalidName, NamespaceName, ServiceName, TeamName};
use crate::model::source::FileTree;

/// Files of an environment's folder that are not a service's layer.
const OWN_FILES: [&str; 3] = ["values.yaml", "versions.yaml", "requirements.yaml"];

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
        Self::read_with(tree, &Supply::new())
    }

    /// The same with charts that were fetched, as [`Self::needs`] of an earlier reading asked for.
    pub fn read_with(tree: &FileTree, supply: &Supply) -> Self {
        let mut faults = Vec::new();
        let configuration = Configuration::read(tree, &mut faults);
        let services = read_services(tree, &mut faults);
        let mut environments = BTreeMap::new();
        if let Some(configuration) = &configuration {
            for (name, settings) in &configuration.environments {
                let environment = Environment::read(name, settings, tree, &services, supply, &mut faults);
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
        more.extend(stray_base_layers(&repository, tree));
        repository.faults.extend(more);
        repository.faults.sort();
        repository.faults.dedup();
        repository
    }

    /// Charts of the umbrellas that come from chart repositories, fetched already or not.
    pub fn needs(&self) -> BTreeSet<ChartNeed> {
        let umbrellas = self.environments.values().filter_map(|environment| environment.umbrella.as_ref());
        umbrellas.flat_map(|umbrella| umbrella.fetched().iter().cloned()).collect()
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
                Err(fault) => faults.push(*fault),
            }
        }
        name_teams_of_namespaces(&mut applications);
        (applications, faults)
    }
}

/// Gives the namespaces their team: the one of all its applications that have a team. Who creates the namespace
/// makes no difference, and one that teams share is nobody's.
fn name_teams_of_namespaces(applications: &mut [Application]) {
    let mut teams: BTreeMap<NamespaceName, BTreeSet<TeamName>> = BTreeMap::new();
    for application in &*applications {
        let team = application.team.clone();
        teams.entry(application.namespace.clone()).or_default().extend(team);
    }
    for application in applications {
        let mut of_namespace = teams[&application.namespace].iter();
        if let (Some(team), None) = (of_namespace.next(), of_namespace.next()) {
            application.namespace_labels.insert(TEAM_LABEL.to_owned(), team.to_string());
        }
    }
}

fn read_services(tree: &FileTree, faults: &mut Vec<Fault>) -> BTreeMap<ServiceName, Service> {
    let mut services = BTreeMap::new();
    for (path, file) in tree.below("services") {
        let full = format!("services/{path}");
        let Some(stem) = path.strip_suffix(".yaml").filter(|_| !path.contains('/')) else {
            if !path.starts_with('.') && !has_ending(path, &["md"]) {
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

/// Whether a file's name has one of these endings.
pub(super) fn has_ending(path: &str, endings: &[&str]) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| endings.contains(&ending))
}

/// A fault of a whole file or folder.
pub(super) fn plain_fault(file: &str, message: &str, hint: Option<String>, scope: FaultScope) -> Fault {
    Fault { file: file.to_owned(), line: 0, column: 0, message: message.to_owned(), hint, scope }
}

impl Environment {
    /// Where the umbrella lists a dependency: the file, line and column.
    pub fn place_of_dependency(&self, key: &str) -> String {
        let (file, (line, column)) = dependency_place(&self.folder, key);
        format!("environments/{}/{file}:{line}:{column}", self.name)
    }

    /// Whether a dependency is known to be an application, and no library, before its chart is there.
    pub fn is_known_application(&self, key: &str, services: &BTreeMap<ServiceName, Service>) -> bool {
        let has_file = key.parse().is_ok_and(|name: ServiceName| services.contains_key(&name));
        has_file || self.folder.get(&format!("{key}.yaml")).is_some()
    }

    /// Reads an environment's folder.
    fn read(
        name: &EnvironmentName,
        settings: &EnvironmentSettings,
        tree: &FileTree,
        services: &BTreeMap<ServiceName, Service>,
        supply: &Supply,
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
        let umbrella = Umbrella::read(name, &folder, tree, supply, faults);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The labels that each application of a repository gives its namespace.
    fn labels_of_namespaces(services: &[(&str, &str)]) -> Vec<String> {
        let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
        let mut files = vec![
            ("moorline.yaml".to_owned(), "version: 1\nname: shop\nenvironments:\n  dev: {branch: dev, namespace: core-dev}\ndefaults: {namespaceLabels: {tier: all}}\n".to_owned()),
            ("environments/dev/Chart.yaml".to_owned(), "apiVersion: v2\nname: dev\nversion: 0.1.0\n".to_owned()),
            ("environments/dev/templates/a.yaml".to_owned(), manifest.to_owned()),
        ];
        for (name, text) in services {
            files.push((
                format!("services/{name}.yaml"),
                format!("{text}\nmanifests: {{path: k8s/{name}}}\n"),
            ));
            files.push((format!("environments/dev/{name}.yaml"), String::new()));
            files.push((format!("k8s/{name}/a.yaml"), manifest.to_owned()));
        }
        let tree = FileTree::from_contents(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
        let repository = ConfigRepository::read(&tree);
        assert_eq!(repository.faults, []);
        let (applications, _) = repository.applications(&tree, &"dev".parse().unwrap());
        let label = |application: &Application| {
            let labels: Vec<String> =
                application.namespace_labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("{} {} {}", application.id.service, application.namespace, labels.join(" "))
        };
        applications.iter().map(label).collect()
    }

    #[test]
    fn whoever_creates_a_namespace_gives_it_the_team_of_all_in_it() {
        let labels = labels_of_namespaces(&[("api", "team: core"), ("web", "team: core")]);
        assert_eq!(
            labels,
            [
                "api core-dev moorline.dev/team=core tier=all",
                "environment core-dev moorline.dev/team=core tier=all",
                "web core-dev moorline.dev/team=core tier=all",
            ]
        );
    }

    #[test]
    fn a_namespace_that_teams_share_has_no_team() {
        let labels = labels_of_namespaces(&[
            ("api", "team: core"),
            ("shop", "team: sales\nnamespace: core-dev"),
            ("web", "team: web"),
        ]);
        assert_eq!(
            labels,
            [
                "api core-dev tier=all",
                "environment core-dev tier=all",
                "shop core-dev tier=all",
                "web web-dev moorline.dev/team=web tier=all",
            ]
        );
    }
}
