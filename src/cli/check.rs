//! `moorline check`: validates a checkout of a config repository, offline; every fault at once.

mod strict;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::output::{Failure, print};
use crate::adapters::checkout::read_checkout;
use crate::desired::{Application, ChartSource, ConfigRepository, Origin, Supply, Umbrella};
use crate::helm::Chance;
use crate::model::error::Classified as _;
use crate::model::fault::Fault;
use crate::model::name::{ApplicationId, EnvironmentName};
use crate::model::source::FileTree;
use crate::render::{RenderInput, WantedCode, render};

/// Exit codes: 0 no fault · 1 faults, findings of `--strict`, or the folder cannot be read.
#[derive(Args, Debug)]
pub(super) struct CheckArguments {
    /// The checkout
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Refuse what Helm accepts in silence as well: values that no chart reads, values that are missing, unknown keys
    /// of Chart.yaml
    #[arg(long)]
    strict: bool,
    /// Print the JSON schema of our files instead
    #[arg(long)]
    schema: bool,
}

pub(super) fn run(arguments: &CheckArguments) -> Result<ExitCode, Failure> {
    if arguments.schema {
        print(&format!("{:#}\n", crate::desired::schema()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let tree = read_checkout(&arguments.path)
        .map_err(|error| Failure::new(format!("failed to read {}: {error}", arguments.path.display())))?;
    let lines = check(&tree, arguments.strict);
    for line in &lines {
        print(&format!("{line}\n"))?;
    }
    for line in not_vendored(&tree) {
        print(&format!("{line}\n"))?;
    }
    if lines.is_empty() {
        let config = ConfigRepository::read(&tree);
        let applications: usize =
            config.environments.values().map(|environment| environment.members.len()).sum();
        print(&format!(
            "{} environments, {applications} applications: no faults\n",
            config.environments.len()
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::from(1))
}

/// What is not looked at, because its chart is neither in the repository nor asked for here.
fn not_vendored(tree: &FileTree) -> Vec<String> {
    let config = ConfigRepository::read(tree);
    let mut lines = Vec::new();
    for environment in config.environments.values() {
        for (key, need) in environment.umbrella.iter().flat_map(Umbrella::needed) {
            let place = environment.place_of_dependency(key);
            lines.push(format!(
                "note: {place}: {need} is not vendored: the daemon fetches it, check does not"
            ));
        }
    }
    for (name, service) in &config.services {
        if let Some(ChartSource::Released(need)) = &service.chart {
            let place = service.place_of(name, &["chart"]);
            lines.push(format!(
                "note: {place}: {need} is not vendored: the daemon fetches it, check does not"
            ));
        }
    }
    lines
}

/// Whether a chart that an application sees is not there.
fn waits_for_charts(config: &ConfigRepository, application: &Application) -> bool {
    let environment = config.environments.get(&application.id.environment);
    let umbrella = environment.and_then(|environment| environment.umbrella.as_ref());
    application.origin.is_chart() && umbrella.is_some_and(|umbrella| !umbrella.needed().is_empty())
}

/// Every fault as `file:line:column: message`, with its hint behind it.
fn check(tree: &FileTree, strict: bool) -> Vec<String> {
    let config = ConfigRepository::read(tree);
    let mut lines: Vec<String> = config.faults.iter().map(fault_line).collect();
    // A file that several environments read is told of once.
    lines.dedup();
    for name in config.environments.keys() {
        for line in render_faults(&config, tree, name) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    if strict {
        lines.extend(strict::findings(&config, tree));
    }
    lines
}

fn fault_line(fault: &Fault) -> String {
    match &fault.hint {
        Some(hint) => format!("{fault} ({hint})"),
        None => fault.to_string(),
    }
}

/// Faults of rendering what lies in the config repository itself.
fn render_faults(config: &ConfigRepository, tree: &FileTree, environment: &EnvironmentName) -> Vec<String> {
    let Some(configuration) = &config.configuration else {
        return Vec::new();
    };
    let Ok(own_namespace) = "moorline".parse() else {
        return Vec::new();
    };
    let folder = tree.subtree(&format!("environments/{environment}"));
    let mut lines = Vec::new();
    for application in config.applications(tree, environment).0 {
        if config.faults.iter().any(|fault| fault.holds(environment, &application.id.service)) {
            continue;
        }
        if waits_for_charts(config, &application) {
            continue;
        }
        let files = match &application.origin {
            Origin::Dependency { .. } | Origin::Environment => FileTree::default(),
            Origin::Manifests(source) if source.repository.is_none() => tree.subtree(source.path.as_str()),
            Origin::Manifests(_) | Origin::Chart { .. } | Origin::Released(_) => continue,
        };
        let input = RenderInput {
            instance: &configuration.instance,
            own_namespace: &own_namespace,
            application: &application,
            umbrella: config.environments.get(environment).and_then(|one| one.umbrella.as_ref()),
            folder: &folder,
            files: &files,
            code: &WantedCode::default(),
            kinds: None,
            kubernetes: None,
            supply: &Supply::new(),
            lookups: None,
            chance: Chance::StandIns,
            seed: [0; 32],
            now: 0,
            time: None,
        };
        if let Err(error) = render(&input) {
            let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
            lines.push(format!("{}{hint}", placed(tree, &application.id, &error.to_string())));
        }
    }
    lines
}

/// The message of an error of rendering, with its file in front. Such errors name their place in words of their
/// own, and the engine calls an environment's folder by the name of its chart.
fn placed(tree: &FileTree, application: &ApplicationId, message: &str) -> String {
    let environment = &application.environment;
    for word in message.split([' ', '(', ')', '"', ',']) {
        let mut parts = word.split(':');
        let path = parts.next().unwrap_or_default();
        let below = path.split_once('/').map(|(_, rest)| format!("environments/{environment}/{rest}"));
        let Some(file) =
            [Some(path.to_owned()), below].into_iter().flatten().find(|file| tree.get(file).is_some())
        else {
            continue;
        };
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<usize>().ok());
        let place = match (number(parts.next()), number(parts.next())) {
            (Some(line), column) => format!("{file}:{line}:{}", column.unwrap_or(1)),
            (None, _) => file,
        };
        return match message.strip_prefix(word).map(|rest| rest.trim_start_matches([':', ' '])) {
            Some(rest) if !rest.starts_with("and ") => format!("{place}: {rest}"),
            _ => format!("{place}: {application}: {message}"),
        };
    }
    let own = format!("services/{}.yaml", application.service);
    let file = if tree.get(&own).is_some() { own } else { format!("environments/{environment}") };
    format!("{file}: {application}: {message}")
}
