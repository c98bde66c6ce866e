//! The command line: one file per command, each with its arguments and a `run`. Prints; decides nothing.

mod check;
mod command;
mod deferred;
mod demo;
mod diff;
mod output;
mod plan;
mod promotion;
mod render;
mod run;
mod sandbox;
mod session;
mod status;
mod switches;
mod template;
mod wait;

use std::io::Write as _;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::adapters::clock::{Clock as _, Entropy as _, SystemClock, SystemEntropy};
use crate::settings::CommonArguments;
use deferred::Deferred;
pub use output::Failure;
use switches::Switches;

/// Keeps Kubernetes clusters moored to Git.
#[derive(Parser, Debug)]
#[command(name = "moorline", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    common: CommonArguments,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Show moorline at work: a cluster of its own, sample repositories, the daemon, and things to try
    Demo(Deferred<demo::DemoArguments>),
    /// Reconcile: poll, render, compare, apply, watch, record
    Run(Deferred<run::RunArguments>),
    /// Print what is applied, as one YAML stream
    Render(Deferred<render::RenderArguments>),
    /// Print what would be done, and what is held and why
    Plan(Deferred<plan::PlanArguments>),
    /// Show what an environment lacks of the one that it is promoted from
    Pending(Deferred<promotion::pending::PendingArguments>),
    /// Pin in an environment what runs in the one before it
    Promote(Deferred<promotion::promote::PromoteArguments>),
    /// Pin the version that was deployed before
    Rollback(Deferred<promotion::promote::RollbackArguments>),
    /// Compare what is wanted with what is live
    Diff(Deferred<diff::DiffArguments>),
    /// Show what is wanted, deployed and blocked, and how well it runs
    Status(Deferred<status::StatusArguments>),
    /// Validate a checkout of a config repository
    Check(Deferred<check::CheckArguments>),
    /// Render a chart as `helm template` does
    Template(Box<Deferred<Switches<template::TemplateArguments>>>),
    /// Look again now
    Reconcile(Deferred<command::ScopeArguments>),
    /// Write nothing until resumed
    Suspend(Deferred<command::SuspendArguments>),
    /// End a suspension
    Resume(Deferred<command::ScopeArguments>),
    /// Let a blocked version be tried again
    Unblock(Deferred<command::ScopeArguments>),
    /// Carry out a plan that is held for confirmation
    Confirm(Deferred<command::ConfirmArguments>),
    /// Wait until a commit is deployed and healthy
    Wait(Deferred<wait::WaitArguments>),
    /// Serve an embedded Kubernetes API, to try things on
    Sandbox(Deferred<sandbox::SandboxArguments>),
}

/// Reads the command line, once more with Helm's flags that no template sees where one of them may stand in the way.
fn parse() -> Result<Cli, clap::Error> {
    match Cli::try_parse() {
        Err(error) if error.kind() == ErrorKind::UnknownArgument => {
            let command = Cli::command().mut_subcommand("template", template::define_unheeded);
            Cli::from_arg_matches(&command.try_get_matches()?)
        }
        read => read,
    }
}

/// Runs the command line.
pub fn main() -> ExitCode {
    let cli = parse().unwrap_or_else(|error| error.exit());
    let result = match cli.command {
        Command::Demo(Deferred(arguments)) => demo::run(&arguments),
        Command::Run(Deferred(arguments)) => run::run(&cli.common, arguments),
        Command::Render(Deferred(arguments)) => render::run(&cli.common, &arguments),
        Command::Plan(Deferred(arguments)) => plan::run(&cli.common, &arguments),
        Command::Pending(Deferred(arguments)) => promotion::pending::run(&cli.common, &arguments),
        Command::Promote(Deferred(arguments)) => promotion::promote::promote(&cli.common, &arguments),
        Command::Rollback(Deferred(arguments)) => promotion::promote::rollback(&cli.common, &arguments),
        Command::Diff(Deferred(arguments)) => diff::run(&cli.common, &arguments),
        Command::Status(Deferred(arguments)) => status::run(&cli.common, &arguments),
        Command::Check(Deferred(arguments)) => check::run(&arguments),
        Command::Template(arguments) => render_template(&cli.common, &arguments.0.0),
        Command::Reconcile(Deferred(arguments)) => command::reconcile(&cli.common, &arguments),
        Command::Suspend(Deferred(arguments)) => command::suspend(&cli.common, &arguments),
        Command::Resume(Deferred(arguments)) => command::resume(&cli.common, &arguments),
        Command::Unblock(Deferred(arguments)) => command::unblock(&cli.common, &arguments),
        Command::Confirm(Deferred(arguments)) => command::confirm(&cli.common, &arguments),
        Command::Wait(Deferred(arguments)) => wait::run(&cli.common, &arguments),
        Command::Sandbox(Deferred(arguments)) => sandbox::run(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

/// `helm template` prefixes its errors with `Error: `, and so do we: scripts read it.
fn render_template(
    common: &CommonArguments,
    arguments: &template::TemplateArguments,
) -> Result<ExitCode, Failure> {
    let key = SystemEntropy.key().map_err(|error| Failure::of(&error))?;
    let chance = template::Chance { seed: *key.expose(), now: SystemClock.now().as_second() };
    // Whoever renders offline waits for no runtime.
    let served = arguments.validate.then(|| template::Served::ask(common)).transpose();
    let (mut output, mut notices) = (std::io::stdout().lock(), std::io::stderr());
    let result = served.and_then(|served| {
        template::run(arguments, chance, served.as_ref(), &mut output, &mut notices)?;
        output.flush().map_err(template::TemplateError::Print)
    });
    match result {
        Err(template::TemplateError::Print(error)) if output::has_no_reader(&error) => Ok(ExitCode::SUCCESS),
        Ok(()) => {
            // At an orderly end the allocator would return its memory piece by piece: 3 % of a large chart's time.
            signal_hook::low_level::exit(0)
        }
        Err(error) => {
            output::remark(&format!("Error: {error}"));
            if let template::TemplateError::Render(error) | template::TemplateError::Debugged(error) = &error
                && arguments.explain.applies(output::error_is_terminal())
            {
                let look = template::Look { colours: output::error_colours() };
                output::remark(template::draw(error, look).trim_end());
            }
            Ok(ExitCode::from(1))
        }
    }
}
