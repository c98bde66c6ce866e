//! `moorline run`: the daemon, or one pass.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::output::{Failure, remark};
use super::session::{Session, runtime};
use crate::desired::parse_duration;
use crate::model::status::Board;
use crate::reconciler::{Outcome, RunMode};
use crate::settings::{CommonArguments, environments};

/// Exit codes: 0 done (or stopped by a signal) · 1 a repository, the state push or a cluster could not be used ·
/// 3 with --once, something is held, degraded or still progressing.
#[derive(Args, Debug)]
pub(super) struct RunArguments {
    /// Look after this environment alone (repeatable)
    #[arg(long, value_name = "NAME")]
    environment: Vec<String>,
    /// How often repositories are asked
    #[arg(long, default_value = "60s", env = "MOORLINE_POLL", value_name = "DURATION")]
    poll: String,
    /// One pass until nothing moves
    #[arg(long)]
    once: bool,
    /// Decide and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Where the dashboard listens
    #[arg(long, value_name = "ADDRESS", env = "MOORLINE_LISTEN")]
    listen: Option<String>,
}

pub(super) fn run(common: &CommonArguments, arguments: RunArguments) -> Result<ExitCode, Failure> {
    let poll =
        parse_duration(&arguments.poll).filter(|poll| *poll >= Duration::from_secs(1)).ok_or_else(|| {
            Failure::new(format!("--poll: {:?} is not a duration of at least 1s", arguments.poll))
                .hint("write 60s or 5m")
        })?;
    let session = Session::open(common)?;
    let names = environments(&arguments.environment).map_err(|error| Failure::of(&error))?;
    let mut options = session.options(names, arguments.dry_run)?;
    options.poll = poll;
    if session.settings.state.is_none() && !arguments.dry_run {
        remark("warning: no state repository (--state): what is deployed is not recorded");
    }
    let mode = if arguments.once { RunMode::Once } else { RunMode::Forever };
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let (sender, receiver) = tokio::sync::watch::channel(Arc::new(Board::default()));
        let _server = start_server(&arguments, mode, receiver).await?;
        Ok(crate::reconciler::run(session.world, options, mode, sender, stop_signal()).await)
    })?;
    // Blocking work that hangs on a dead host must not hold up the exit.
    runtime.shutdown_timeout(Duration::from_millis(200));
    Ok(conclude(&outcome, mode))
}

async fn start_server(
    _arguments: &RunArguments,
    _mode: RunMode,
    _board: tokio::sync::watch::Receiver<Arc<Board>>,
) -> Result<(), Failure> {
    Ok(())
}

fn conclude(outcome: &Outcome, mode: RunMode) -> ExitCode {
    if mode == RunMode::Forever {
        return ExitCode::SUCCESS;
    }
    for failure in &outcome.failures {
        remark(&format!("error: {failure}"));
    }
    if !outcome.failures.is_empty() {
        return ExitCode::from(1);
    }
    for application in &outcome.board.applications {
        for hold in &application.holds {
            remark(&format!(
                "{}/{}: {}: {}",
                application.environment, application.service, hold.reason, hold.message
            ));
        }
    }
    if outcome.needs_attention() { ExitCode::from(3) } else { ExitCode::SUCCESS }
}

/// SIGTERM or Ctrl-C.
async fn stop_signal() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(signal) => signal,
        Err(_) => return std::future::pending().await,
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
