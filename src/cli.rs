//! The command line: one file per command, each with its arguments and a `run`. Prints; decides nothing.

mod check;
mod command;
mod demo;
mod diff;
mod output;
mod plan;
mod render;
mod run;
mod sandbox;
mod session;
mod status;
mod template;
mod wait;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::adapters::clock::{Clock as _, Entropy as _, SystemClock, SystemEntropy};
use crate::settings::CommonArguments;
pub use output::Failure;

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
    Demo(demo::DemoArguments),
    /// Reconcile: poll, render, compare, apply, watch, record
    Run(run::RunArguments),
    /// Print what is applied, as one YAML stream
    Render(render::RenderArguments),
    /// Print what would be done, and what is held and why
    Plan(plan::PlanArguments),
    /// Compare what is wanted with what is live
    Diff(diff::DiffArguments),
    /// Show what is wanted, deployed and blocked, and how well it runs
    Status(status::StatusArguments),
    /// Validate a checkout of a config repository
    Check(check::CheckArguments),
    /// Render a chart as `helm template` does
    Template(template::TemplateArguments),
    /// Look again now
    Reconcile(command::ScopeArguments),
    /// Write nothing until resumed
    Suspend(command::SuspendArguments),
    /// End a suspension
    Resume(command::ScopeArguments),
    /// Let a blocked version be tried again
    Unblock(command::ScopeArguments),
    /// Carry out a plan that is held for confirmation
    Confirm(command::ConfirmArguments),
    /// Wait until a commit is deployed and healthy
    Wait(wait::WaitArguments),
    /// Serve an embedded Kubernetes API, to try things on
    Sandbox(sandbox::SandboxArguments),
}

/// Runs the command line.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Run(arguments) => run::run(&cli.common, arguments),
        Command::Render(arguments) => render::run(&cli.common, &arguments),
        Command::Plan(arguments) => plan::run(&cli.common, &arguments),
        Command::Diff(arguments) => diff::run(&cli.common, &arguments),
        Command::Status(arguments) => status::run(&cli.common, &arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Template(arguments) => render_template(&cli.common, &arguments),
        Command::Reconcile(arguments) => command::reconcile(&cli.common, &arguments),
        Command::Suspend(arguments) => command::suspend(&cli.common, &arguments),
        Command::Resume(arguments) => command::resume(&cli.common, &arguments),
        Command::Unblock(arguments) => command::unblock(&cli.common, &arguments),
        Command::Confirm(arguments) => command::confirm(&cli.common, &arguments),
        Command::Wait(arguments) => wait::run(&cli.common, &arguments),
        Command::Sandbox(arguments) => sandbox::run(&arguments),
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
    let mut bytes = Vec::new();
    let key = SystemEntropy.key().map_err(|error| Failure::of(&error))?;
    let chance = template::Chance { seed: *key.expose(), now: SystemClock.now().as_second() };
    // Whoever renders offline waits for no runtime.
    let served = arguments.validate.then(|| template::Served::ask(common)).transpose();
    let result = served.and_then(|served| {
        template::run(arguments, chance, served.as_ref(), &mut bytes, &mut std::io::stderr())
    });
    match result {
        Ok(()) => {
            output::print_bytes(&bytes);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            output::remark(&format!("Error: {error}"));
            if let template::TemplateError::Render(error) = &error
                && arguments.explain.applies(output::error_is_terminal())
            {
                let look = template::Look { colours: output::error_colours() };
                output::remark(template::draw(error, look).trim_end());
            }
            Ok(ExitCode::from(1))
        }
    }
}
