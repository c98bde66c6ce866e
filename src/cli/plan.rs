//! `moorline plan`: what would be done, as lines for people or as JSON.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::output::{Failure, print, remark};
use super::session::{Session, environment, insist_known, runtime};
use crate::report::plan::PlanReport;
use crate::settings::CommonArguments;

/// Exit codes: 0 nothing to do · 1 an error · 2 there is something to do or something is held.
#[derive(Args, Debug)]
pub(super) struct PlanArguments {
    /// Environment
    environment: String,
    /// Service
    service: Option<String>,
    /// How to print
    #[arg(short, long, value_enum)]
    output: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
}

pub(super) fn run(common: &CommonArguments, arguments: &PlanArguments) -> Result<ExitCode, Failure> {
    let session = Session::open(common)?;
    let outcome = runtime()?.block_on(session.look(vec![environment(&arguments.environment)?]))?;
    let service = arguments.service.as_deref();
    insist_known(&outcome, Some(&arguments.environment), service)?;
    let plans: Vec<PlanReport> = outcome
        .plans
        .iter()
        .filter(|plan| service.is_none_or(|service| plan.application.service.as_str() == service))
        .map(PlanReport::from)
        .collect();
    if arguments.output == Some(Format::Json) {
        let text = serde_json::to_string_pretty(&plans).map_err(|error| Failure::new(error.to_string()))?;
        print(&format!("{text}\n"))?;
    } else {
        plans.iter().try_for_each(|plan| print(&text(plan)))?;
    }
    for failure in &outcome.failures {
        remark(&format!("error: {failure}"));
    }
    if !outcome.failures.is_empty() {
        return Ok(ExitCode::from(1));
    }
    let quiet = plans.iter().all(PlanReport::is_empty);
    Ok(if quiet { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn text(plan: &PlanReport) -> String {
    let lines: String = plan.lines().iter().map(|line| format!("  {line}\n")).collect();
    format!("{}\n{lines}", plan.heading())
}
