//! `moorline plan`: the plan value, for people or as JSON.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::output::{Failure, print, remark};
use super::session::{Session, environment, insist_known, runtime};
use crate::settings::CommonArguments;
use crate::sync::{Step, SyncPlan};

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
    let plans: Vec<&SyncPlan> = outcome
        .plans
        .iter()
        .filter(|plan| service.is_none_or(|service| plan.application.service.as_str() == service))
        .collect();
    if arguments.output == Some(Format::Json) {
        let list: Vec<Value> = plans.iter().map(|plan| plan_json(plan)).collect();
        let text = serde_json::to_string_pretty(&list).map_err(|error| Failure::new(error.to_string()))?;
        print(&format!("{text}\n"))?;
    } else {
        plans.iter().try_for_each(|plan| print(&plan_text(plan)))?;
    }
    for failure in &outcome.failures {
        remark(&format!("error: {failure}"));
    }
    if !outcome.failures.is_empty() {
        return Ok(ExitCode::from(1));
    }
    let quiet = plans.iter().all(|plan| plan.steps.is_empty() && plan.holds.is_empty());
    Ok(if quiet { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn plan_text(plan: &SyncPlan) -> String {
    let mut text = format!("{}: {} and {}\n", plan.application, plan.sync.as_str(), plan.health.as_str());
    for step in &plan.steps {
        for line in step_lines(step) {
            text.push_str(&format!("  {line}\n"));
        }
    }
    for hold in &plan.holds {
        text.push_str(&format!("  held ({}, {}): {}\n", hold.name(), hold.class().as_str(), hold.message()));
    }
    if plan.steps.is_empty() && plan.holds.is_empty() {
        text.push_str("  nothing to do\n");
    } else if !plan.steps.is_empty() {
        text.push_str(&format!("  plan {}\n", plan.digest()));
    }
    text
}

fn step_lines(step: &Step) -> Vec<String> {
    match step {
        Step::CreateNamespace { namespace, .. } => vec![format!("create namespace {namespace}")],
        Step::WriteSet { rollout, .. } => vec![format!("write the rendered set of rollout {rollout}")],
        Step::DryRun { objects } => vec![format!("try {} changes without writing", objects.len())],
        Step::Apply { wave, objects } => objects
            .iter()
            .map(|object| {
                let adopt = if object.adopt { ", taking over the fields of kubectl apply" } else { "" };
                format!("apply {} (wave {wave}, {}{adopt})", object.id, reason(object.reason))
            })
            .collect(),
        Step::AwaitHealth { wave, .. } => vec![format!("wait for the health of wave {wave}")],
        Step::RemoveExtras { objects } => {
            objects.iter().map(|(id, fields)| format!("remove {} from {id}", fields.join(", "))).collect()
        }
        Step::Delete { objects } => objects.iter().map(|object| format!("delete {}", object.id)).collect(),
        Step::SwitchHead { rollout, leaving } => {
            let mut lines = vec![format!("note rollout {rollout} as deployed")];
            lines.extend(leaving.iter().map(|id| format!("keep {id} until its deletion is confirmed")));
            lines
        }
        Step::Block { diagnosis, .. } => vec![format!("block this version: {diagnosis}")],
        Step::Unblock => vec!["lift the block".to_owned()],
        Step::Forget { objects } => objects.iter().map(|id| format!("let go of {id}")).collect(),
        Step::NoteRemoved { .. } => vec!["note that the application is gone".to_owned()],
        Step::RemoveHead => vec!["remove its inventory".to_owned()],
    }
}

fn reason(reason: crate::sync::ApplyReason) -> &'static str {
    match reason {
        crate::sync::ApplyReason::Rollout => "rollout",
        crate::sync::ApplyReason::Heal => "heal",
        crate::sync::ApplyReason::Restore => "restore",
    }
}

fn plan_json(plan: &SyncPlan) -> Value {
    let steps: Vec<String> = plan.steps.iter().flat_map(step_lines).collect();
    let holds: Vec<Value> = plan
        .holds
        .iter()
        .map(|hold| json!({"reason": hold.name(), "class": hold.class(), "message": hold.message()}))
        .collect();
    json!({
        "environment": plan.application.environment,
        "service": plan.application.service,
        "sync": plan.sync,
        "health": plan.health,
        "digest": plan.digest(),
        "steps": steps,
        "holds": holds,
    })
}
