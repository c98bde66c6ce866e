//! `moorline run`: the daemon, or one pass.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;

use super::output::{Failure, remark};
use super::session::{Session, runtime};
use crate::desired::parse_duration;
use crate::model::error::chain;
use crate::reconciler::{Outcome, RunMode};
use crate::report::status::Board;
use crate::settings::{CommonArguments, environments};
use crate::telemetry::{self, BoxMakeWriter, LogFormat, wants_colours};

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
    /// Whether a Lease in each cluster says which of several daemons writes there; without it, one alone may run
    #[arg(long, env = "MOORLINE_LEADER_ELECTION", value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set,
        num_args = 0..=1, default_missing_value = "true")]
    leader_election: bool,
    /// Where the dashboard listens; `off` for nowhere [default: 127.0.0.1:8080, if it is free]
    #[arg(long, value_name = "ADDRESS", env = "MOORLINE_LISTEN")]
    listen: Option<String>,
    /// How log lines are written
    #[arg(long, value_enum, default_value = "text", env = "MOORLINE_LOG_FORMAT")]
    log_format: LogFormat,
    /// Which log lines are written, as `info` or `moorline=debug`
    #[arg(long, default_value = "moorline=info,warn", env = "MOORLINE_LOG", value_name = "FILTER")]
    log: String,
}

/// The port of the dashboard, if nobody says otherwise.
const DEFAULT_ADDRESS: &str = "127.0.0.1:8080";

pub(super) fn run(common: &CommonArguments, arguments: RunArguments) -> Result<ExitCode, Failure> {
    let poll =
        parse_duration(&arguments.poll).filter(|poll| *poll >= Duration::from_secs(1)).ok_or_else(|| {
            Failure::new(format!("--poll: {:?} is not a duration of at least 1s", arguments.poll))
                .hint("write 60s or 5m")
        })?;
    let colours = wants_colours(std::io::stderr().is_terminal(), std::env::var("NO_COLOR").ok().as_deref());
    telemetry::init(arguments.log_format, &arguments.log, colours, BoxMakeWriter::new(std::io::stderr))
        .map_err(|error| Failure::new(chain(&error)))?;
    let session = Session::open(common)?;
    let names = environments(&arguments.environment).map_err(|error| Failure::of(&error))?;
    let runtime = runtime()?;
    runtime.block_on(session.insist_on(&names))?;
    let mut options = session.options(names, arguments.dry_run)?;
    options.poll = poll;
    options.leader_election = arguments.leader_election;
    if session.settings.state.is_none() && !arguments.dry_run {
        remark("warning: no state repository (--state): what is deployed is not recorded");
    }
    let mode = if arguments.once { RunMode::Once } else { RunMode::Forever };
    let outcome = runtime.block_on(async {
        let (sender, receiver) = tokio::sync::watch::channel(Arc::new(Board::default()));
        let (ended, end) = tokio::sync::oneshot::channel::<()>();
        let server = match listener(&arguments, mode).await? {
            Some(listener) => {
                let metrics = session.world.metrics.clone();
                let stopped = async move {
                    let _ = end.await;
                };
                Some(tokio::spawn(crate::server::serve(listener, receiver, metrics, stopped)))
            }
            None => None,
        };
        let outcome = crate::reconciler::run(session.world, options, mode, sender, stop_signal()).await;
        drop(ended);
        if let Some(server) = server {
            // Answers in hand get a moment; nobody's slow reading holds up the exit.
            let _ = tokio::time::timeout(Duration::from_secs(1), server).await;
        }
        Ok(outcome)
    })?;
    // Blocking work that hangs on a dead host must not hold up the exit.
    runtime.shutdown_timeout(Duration::from_millis(200));
    Ok(conclude(&outcome, mode))
}

/// A single pass opens no port. A busy default port is a warning, a busy `--listen` an error.
async fn listener(arguments: &RunArguments, mode: RunMode) -> Result<Option<TcpListener>, Failure> {
    if mode == RunMode::Once || arguments.listen.as_deref() == Some("off") {
        return Ok(None);
    }
    let address = arguments.listen.as_deref().unwrap_or(DEFAULT_ADDRESS);
    match TcpListener::bind(address).await {
        Ok(listener) => {
            let address =
                listener.local_addr().map_or_else(|_| address.to_owned(), |address| address.to_string());
            remark(&format!("dashboard: http://{address}/"));
            Ok(Some(listener))
        }
        Err(error) if arguments.listen.is_none() => {
            remark(&format!("warning: no dashboard: {address}: {error} (--listen ADDRESS chooses another)"));
            Ok(None)
        }
        Err(error) => {
            Err(Failure::new(format!("--listen {address}: {error}")).hint("choose a free port, or `off`"))
        }
    }
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
            remark(&format!("{}/{}: {}", application.environment, application.service, hold.line()));
        }
    }
    if outcome.needs_attention() { ExitCode::from(3) } else { ExitCode::SUCCESS }
}

/// SIGTERM, Ctrl-C, or the end of the terminal.
pub(super) async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut hangup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
