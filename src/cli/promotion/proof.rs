//! Whether an edited config repository still means something: nothing is pushed that does not render, or whose images
//! do not exist.

use std::collections::BTreeSet;

use super::super::session::Session;
use crate::desired::{Application, ConfigRepository, Origin, Supply};
use crate::helm::Chance;
use crate::model::error::chain;
use crate::model::fault::Fault;
use crate::model::image::ImageTag;
use crate::model::name::{EnvironmentName, ServiceName};
use crate::model::source::{CommitSha, FileTree};
use crate::render::{RenderInput, WantedCode, render};

/// What is wrong with the edited services of an environment; empty if nothing is.
pub(super) async fn faults(
    session: &Session,
    tree: &FileTree,
    environment: &EnvironmentName,
    services: &BTreeSet<ServiceName>,
) -> Vec<String> {
    let config = ConfigRepository::read(tree);
    let (applications, _) = config.applications(tree, environment);
    let mut faults: Vec<String> = Vec::new();
    let concerns = |fault: &&Fault| services.iter().any(|service| fault.holds(environment, service));
    faults.extend(config.faults.iter().filter(concerns).map(ToString::to_string));
    for application in applications.iter().filter(|one| services.contains(&one.id.service)) {
        faults.extend(of_application(session, &config, tree, application).await);
    }
    faults.sort();
    faults.dedup();
    faults
}

async fn of_application(
    session: &Session,
    config: &ConfigRepository,
    tree: &FileTree,
    application: &Application,
) -> Vec<String> {
    let Some(commit) = super::pin_of(application) else { return Vec::new() };
    let mut faults = missing_images(session, application, commit).await;
    match files_of(session, application, commit, tree).await {
        Ok(files) => faults.extend(render_fault(config, tree, application, commit, &files)),
        Err(why) => faults.push(why),
    }
    faults
}

async fn missing_images(session: &Session, application: &Application, commit: CommitSha) -> Vec<String> {
    let mut faults = Vec::new();
    for image in &application.images {
        let (name, reference) = (&application.id, format!("{}:{}", image.repository, image.tag(commit)));
        let Ok(tag) = image.tag(commit).parse::<ImageTag>() else { continue };
        match session.world.registries.find(&image.repository, std::slice::from_ref(&tag)).await {
            Ok(found) if found.images.contains_key(&tag) => {}
            Ok(found) if found.repository_missing => faults.push(format!(
                "{name}: the image {reference} does not exist: its repository does not exist in this registry"
            )),
            Ok(_) => faults.push(format!(
                "{name}: the image {reference} does not exist; moorline copies no images: push it there first"
            )),
            Err(error) => faults.push(format!("{name}: {}", chain(&error))),
        }
    }
    faults
}

async fn files_of(
    session: &Session,
    application: &Application,
    commit: CommitSha,
    tree: &FileTree,
) -> Result<FileTree, String> {
    match (&application.origin, &application.code) {
        (Origin::Chart { path }, Some(code)) => {
            let files = session.world.sources.tree(&code.repository, None, commit, path, None).await;
            files.map_err(|error| format!("{}: {}", application.id, chain(&error)))
        }
        (Origin::Manifests(source), _) if source.repository.is_none() => {
            Ok(tree.subtree(source.path.as_str()))
        }
        _ => Ok(FileTree::default()),
    }
}

fn render_fault(
    config: &ConfigRepository,
    tree: &FileTree,
    application: &Application,
    commit: CommitSha,
    files: &FileTree,
) -> Option<String> {
    // What comes from elsewhere is rendered by the daemon, which says so.
    let elsewhere = match &application.origin {
        Origin::Manifests(source) => source.repository.is_some(),
        Origin::Released(_) => true,
        _ => false,
    };
    let configuration = config.configuration.as_ref().filter(|_| !elsewhere)?;
    let environment = &application.id.environment;
    let input = RenderInput {
        instance: &configuration.instance,
        own_namespace: &"moorline".parse().ok()?,
        application,
        umbrella: config.environments.get(environment).and_then(|one| one.umbrella.as_ref()),
        folder: &tree.subtree(&format!("environments/{environment}")),
        files,
        code: &WantedCode::tagged(application, commit),
        kinds: None,
        kubernetes: None,
        supply: &Supply::new(),
        lookups: None,
        chance: Chance::StandIns,
        seed: [0; 32],
        now: 0,
        time: None,
    };
    render(&input).err().map(|error| format!("{}: {}", application.id, chain(&error)))
}
