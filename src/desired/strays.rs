//! Files that nobody reads and folders that are not there: a typo in a name shows itself as silence, so every file
//! that could be meant is accounted for.

use std::collections::{BTreeMap, BTreeSet};

use super::application::{Application, Origin};
use super::configuration::{CONFIGURATION_FILE, Configuration};
use super::environment::{ConfigRepository, Environment, has_ending, plain_fault};
use super::nearest;
use super::service::Service;
use super::umbrella::read_layer;
use crate::model::fault::{Fault, FaultScope};
use crate::model::name::{EnvironmentName, ServiceName};
use crate::model::source::FileTree;

/// What stands in `environments/` and is no environment.
pub(super) fn report_unlisted_folders(
    tree: &FileTree,
    configuration: &Configuration,
    faults: &mut Vec<Fault>,
) {
    let known: Vec<&str> = configuration.environments.keys().map(EnvironmentName::as_str).collect();
    for folder in tree.children("environments") {
        if known.contains(&folder) {
            continue;
        }
        let path = format!("environments/{folder}");
        if tree.has_folder(&path) {
            let hint = nearest(folder, &known).map_or_else(
                || format!("add `{folder}: {{}}` under environments in {CONFIGURATION_FILE}"),
                |near| format!("did you mean environments/{near}?"),
            );
            let message = "is not an environment of moorline.yaml";
            faults.push(plain_fault(&path, message, Some(hint), FaultScope::Nothing));
        } else if has_ending(folder, &["yaml", "yml"]) || folder.parse::<EnvironmentName>().is_ok() {
            let hint = Some("environments/ holds one folder per environment".to_owned());
            let why = tree.get(&path).and_then(|file| file.content.bytes().err());
            let message = why.unwrap_or("is not the folder of an environment");
            faults.push(plain_fault(&path, message, hint, FaultScope::Nothing));
        }
    }
}

/// Reads the layers that the umbrella does not read for its own dependencies.
pub(super) fn check_layers(environment: &Environment, applications: &[Application], faults: &mut Vec<Fault>) {
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
            if let Err(fault) = read_layer(&layer.file, &layer.content, &scope) {
                faults.push(*fault);
            }
        }
    }
}

/// Whether the folders of plain YAML in the config repository are there.
pub(super) fn check_folders(
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

/// Layers in `base/` that no application of any environment reads.
pub(super) fn stray_base_layers(repository: &ConfigRepository, tree: &FileTree) -> Vec<Fault> {
    let names: BTreeSet<&str> = repository
        .environments
        .values()
        .flat_map(|environment| environment.members.iter().map(ServiceName::as_str))
        .chain(repository.services.keys().map(ServiceName::as_str))
        .collect();
    let declared = |key: &str| {
        repository.environments.values().filter_map(|one| one.umbrella.as_ref()).any(|one| one.names(key))
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
    strays
}
