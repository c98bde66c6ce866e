//! `moorline pending`: what an environment lacks of the one that it is promoted from.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::{ERROR, Picture, pin_of};
use crate::cli::output::{Failure, print, table};
use crate::cli::session::{Session, runtime, unknown};
use crate::desired::Application;
use crate::model::error::chain;
use crate::model::facts::Version;
use crate::model::history::{Comparison, ComparisonQuestion};
use crate::model::name::{EnvironmentName, ServiceName};
use crate::promotion::{PendingRow, PendingState, Side, pending_row};
use crate::report::words::{counted, moment};
use crate::settings::CommonArguments;

/// Exit codes: 0 nothing is pending · 1 something is · 2 an error.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  moorline pending prod\n  moorline pending prod web api -o json\n  moorline pending --all"
)]
pub(in crate::cli) struct PendingArguments {
    /// Environment; without one, all that are promoted from another
    environment: Option<String>,
    /// Services; without any, all
    services: Vec<String>,
    /// Compare with this environment instead of the one that `from:` names
    #[arg(long, value_name = "ENVIRONMENT")]
    from: Option<String>,
    /// Show what is the same as well
    #[arg(long)]
    all: bool,
    /// How to print
    #[arg(short, long, value_enum)]
    output: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
}

pub(in crate::cli) fn run(
    common: &CommonArguments,
    arguments: &PendingArguments,
) -> Result<ExitCode, Failure> {
    let session = Session::open(common).map_err(|failure| failure.code(ERROR))?;
    let rows = runtime()?.block_on(rows(&session, arguments)).map_err(|failure| failure.code(ERROR))?;
    let shown: Vec<&PendingRow> =
        rows.iter().filter(|row| arguments.all || row.state != PendingState::Same).collect();
    if arguments.output == Some(Format::Json) {
        let text = serde_json::to_string_pretty(&shown).map_err(|error| Failure::new(error.to_string()))?;
        print(&format!("{text}\n"))?;
    } else {
        print(&text(&shown))?;
    }
    let pending = rows.iter().any(|row| row.promotable);
    Ok(if pending { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

async fn rows(session: &Session, arguments: &PendingArguments) -> Result<Vec<PendingRow>, Failure> {
    let picture = Picture::take(session).await?;
    let named = arguments.environment.as_deref().map(|name| picture.environment(name)).transpose()?;
    let environments: Vec<EnvironmentName> = match named {
        Some(name) => vec![name],
        None => {
            let all = picture.config.repository.environments.iter();
            all.filter(|(_, one)| one.settings.from.is_some()).map(|(name, _)| name.clone()).collect()
        }
    };
    let mut rows = Vec::new();
    for environment in environments {
        let from = picture.from(&environment, arguments.from.as_deref())?;
        rows.extend(of_environment(session, &picture, &environment, &from, &arguments.services).await?);
    }
    Ok(rows)
}

/// The rows of one environment.
pub(super) async fn of_environment(
    session: &Session,
    picture: &Picture,
    environment: &EnvironmentName,
    from: &EnvironmentName,
    services: &[String],
) -> Result<Vec<PendingRow>, Failure> {
    let applications = picture.applications(environment);
    let known: Vec<&str> = applications.keys().map(ServiceName::as_str).collect();
    if let Some(stranger) = services.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(unknown(&format!("service in {environment}"), stranger, &known));
    }
    let there = picture.applications(from);
    let mut rows = Vec::new();
    for (service, application) in &applications {
        let asked = services.is_empty() || services.iter().any(|name| name == service.as_str());
        // The umbrella's own templates reach every environment with the config revision.
        if !asked || service.is_environment() || !there.contains_key(service) {
            continue;
        }
        rows.push(row(session, picture, application, from).await);
    }
    Ok(rows)
}

async fn row(
    session: &Session,
    picture: &Picture,
    application: &Application,
    from: &EnvironmentName,
) -> PendingRow {
    let (environment, service) = (&application.id.environment, &application.id.service);
    let left = picture.status(from, service).and_then(|status| status.deployed.as_ref());
    let here = picture.status(environment, service);
    let mut row = PendingRow {
        service: service.to_string(),
        environment: environment.to_string(),
        from: from.to_string(),
        state: PendingState::Unknown,
        current: current(
            application,
            here.and_then(|status| status.wanted.as_ref().or(status.deployed.as_ref())),
        ),
        candidate: left.map(side),
        commits: Vec::new(),
        migration: None,
        images_differ: false,
        config: Vec::new(),
        since: None,
        promotable: false,
        reason: None,
    };
    let Some(code) = &application.code else { return of_chart(row) };
    let commits = row.current.as_ref().and_then(|side| side.commit).zip(left.and_then(|left| left.commit));
    let compared = match commits.filter(|(right, left)| right != left) {
        None => None,
        Some((right, left)) => {
            let question = ComparisonQuestion { left, right, paths: application.version_paths() };
            Some(session.git.compare(&code.repository, &question).await)
        }
    };
    let told = compared.as_ref().map(|compared| match compared {
        Ok(compared) => Ok::<&Comparison, String>(compared),
        Err(error) => Err(chain(error)),
    });
    row = pending_row(row, told);
    if let Some(status) = here.filter(|status| !status.holds.is_empty() && row.promotable) {
        let held: Vec<&str> = status.holds.iter().map(|hold| hold.reason).collect();
        row.reason.get_or_insert_with(|| format!("{environment} is held: {}", held.join(", ")));
    }
    row
}

/// What Git pins, with the image as far as it is known.
fn current(application: &Application, known: Option<&Version>) -> Option<Side> {
    if application.code.is_none() {
        return known.map(side);
    }
    let commit = pin_of(application)?;
    let image =
        known.filter(|version| version.commit == Some(commit)).and_then(|version| version.image.clone());
    Some(Side { commit: Some(commit), chart: None, image })
}

fn side(version: &Version) -> Side {
    let chart = if version.commit.is_none() { version.chart.clone() } else { None };
    Side { commit: version.commit, chart, image: version.image.clone() }
}

/// A service without code is compared by its chart.
fn of_chart(mut row: PendingRow) -> PendingRow {
    let chart = |side: &Option<Side>| side.as_ref().and_then(|side| side.chart.clone());
    (row.state, row.reason) = match (chart(&row.current), chart(&row.candidate)) {
        (Some(here), Some(there)) if here == there => (PendingState::Same, None),
        (Some(_), Some(_)) => {
            let reason = "its chart's version stands in the umbrella: edit Chart.yaml there".to_owned();
            (PendingState::Ahead, Some(reason))
        }
        // Plain YAML of the config repository reaches every environment at once.
        (None, None) => (PendingState::Same, None),
        _ => (PendingState::Unknown, None),
    };
    row
}

fn text(rows: &[&PendingRow]) -> String {
    if rows.is_empty() {
        return "nothing is pending\n".to_owned();
    }
    let name = |side: &Option<Side>| match side {
        Some(Side { commit: Some(commit), .. }) => commit.short(),
        Some(Side { chart: Some(chart), .. }) => chart.clone(),
        _ => "-".to_owned(),
    };
    let cells = |row: &&PendingRow| {
        let state = format!("{:?}", row.state).to_lowercase();
        let commits =
            if row.commits.is_empty() { "-".to_owned() } else { counted(row.commits.len(), "commit") };
        vec![
            row.environment.clone(),
            row.service.clone(),
            state,
            name(&row.current),
            name(&row.candidate),
            commits,
        ]
    };
    let heading = ["ENVIRONMENT", "SERVICE", "STATE", "PINNED", "CANDIDATE", "COMMITS"];
    let lines = table(&heading, &rows.iter().map(cells).collect::<Vec<_>>());
    let mut lines = lines.lines();
    let mut text = format!("{}\n", lines.next().unwrap_or_default());
    for (line, row) in lines.zip(rows) {
        text.push_str(&format!("{line}\n"));
        if let Some(reason) = &row.reason {
            text.push_str(&format!("  {reason}\n"));
        }
        for commit in &row.commits {
            let mark = if commit.equivalent { "=" } else { " " };
            let request = commit.pull_request.as_deref().map(|text| format!(" {text}")).unwrap_or_default();
            let (id, author, time) = (commit.commit.short(), &commit.author, moment(commit.time));
            text.push_str(&format!(" {mark} {id} {time} {author}: {}{request}\n", commit.subject));
        }
    }
    text
}
