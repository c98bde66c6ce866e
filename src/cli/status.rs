//! `moorline status`: what is wanted, deployed and blocked, without a daemon.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::output::{Failure, colours, in_colour, print, remark, table};
use super::session::{Session, environment, insist_known, runtime};
use crate::report::mark::Mark;
use crate::report::status::ApplicationStatus;
use crate::report::{version, words};
use crate::settings::CommonArguments;

/// Exit codes: 0 shown · 1 a repository or the cluster could not be used.
#[derive(Args, Debug)]
pub(super) struct StatusArguments {
    /// Environment
    environment: Option<String>,
    /// Service
    service: Option<String>,
    /// How to print
    #[arg(short, long, value_enum)]
    output: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Wide,
    Json,
}

pub(super) fn run(common: &CommonArguments, arguments: &StatusArguments) -> Result<ExitCode, Failure> {
    let session = Session::open(common)?;
    let names = arguments.environment.as_deref().map(environment).transpose()?.into_iter().collect();
    let outcome = runtime()?.block_on(session.look(names))?;
    let service = arguments.service.as_deref();
    insist_known(&outcome, arguments.environment.as_deref(), service)?;
    let applications: Vec<&ApplicationStatus> = outcome
        .board
        .applications
        .iter()
        .filter(|one| service.is_none_or(|service| one.service == service))
        .collect();
    if arguments.output == Some(Format::Json) {
        let text =
            serde_json::to_string_pretty(&applications).map_err(|error| Failure::new(error.to_string()))?;
        print(&format!("{text}\n"))?;
    } else {
        print(&text(&applications, arguments.output == Some(Format::Wide)))?;
    }
    for failure in &outcome.failures {
        remark(&format!("error: {failure}"));
    }
    Ok(if outcome.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn text(applications: &[&ApplicationStatus], wide: bool) -> String {
    let mut heading = vec!["ENVIRONMENT", "SERVICE", "SYNC", "HEALTH", "WANTED", "DEPLOYED"];
    if wide {
        heading.extend(["NAMESPACE", "BLOCKED", "CHART", "IMAGE"]);
    }
    let row = |one: &&ApplicationStatus| {
        let mut row = vec![
            one.environment.clone(),
            one.service.clone(),
            one.sync.as_str().to_owned(),
            one.health.as_str().to_owned(),
            version::wanted(one),
            version::cell(one.deployed.as_ref()),
        ];
        if wide {
            let shown = one.deployed.as_ref().or(one.wanted.as_ref());
            row.push(one.namespace.clone());
            row.push(version::cell(one.blocked.as_ref()));
            row.push(shown.and_then(|version| version.chart.clone()).unwrap_or_else(|| "-".to_owned()));
            row.push(shown.and_then(|version| version.image.clone()).unwrap_or_else(|| "-".to_owned()));
        }
        row
    };
    let rows: Vec<Vec<String>> = applications.iter().map(row).collect();
    let mut lines: Vec<String> = table(&heading, &rows).lines().map(str::to_owned).collect();
    let colours = colours();
    let mut text = String::new();
    text.push_str(&format!("{}\n", lines.remove(0)));
    for (line, application) in lines.iter().zip(applications) {
        text.push_str(&format!("{}\n", in_colour(line, Mark::of(application), colours)));
        for hold in &application.holds {
            text.push_str(&format!("  {}\n", hold.line()));
        }
        if let Some(awaiting) = &application.awaiting {
            text.push_str(&format!("  awaiting: {}\n", words::awaiting(awaiting)));
        }
        if let Some(suspended) = &application.suspended {
            text.push_str(&format!("  suspended: {}\n", suspended.reason));
        }
        for notice in &application.notices {
            text.push_str(&format!("  notice: {notice}\n"));
        }
        if wide {
            for resource in &application.resources {
                let place = if resource.namespace.is_empty() {
                    String::new()
                } else {
                    format!("{}/", resource.namespace)
                };
                let (sync, health) = (resource.sync.as_str(), resource.health.as_str());
                let line = format!(
                    "  {} {place}{} {sync} {health} {}",
                    resource.kind, resource.name, resource.message
                );
                text.push_str(&format!("{}\n", line.trim_end()));
                for extra in &resource.extras {
                    text.push_str(&format!("    extra {} by {}\n", extra.field, extra.manager));
                }
            }
        }
    }
    text
}
