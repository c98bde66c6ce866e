//! `moorline wait`: until a commit is deployed and healthy, blocked, or the time is up.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::output::{Failure, print};
use super::session::{Session, environment, runtime};
use crate::desired::parse_duration;
use crate::model::drift::SyncStatus;
use crate::model::health::HealthStatus;
use crate::report::status::ApplicationStatus;
use crate::report::words;
use crate::settings::CommonArguments;

/// How often it looks.
const PERIOD: Duration = Duration::from_secs(2);

/// Exit codes: 0 deployed and healthy · 1 an error · 2 the commit is blocked or held by a fault · 3 the time is up.
#[derive(Args, Debug)]
pub(super) struct WaitArguments {
    /// Environment
    environment: String,
    /// Service
    service: String,
    /// Commit of the code repository, or of the config repository (at least 7 hex digits)
    #[arg(long, value_name = "SHA")]
    commit: String,
    /// How long to wait
    #[arg(long, default_value = "10m", value_name = "DURATION")]
    timeout: String,
}

enum Verdict {
    Deployed,
    Failed(String),
    NotYet(String),
}

pub(super) fn run(common: &CommonArguments, arguments: &WaitArguments) -> Result<ExitCode, Failure> {
    let commit = arguments.commit.to_lowercase();
    if commit.len() < 7 || commit.len() > 40 || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Failure::new(format!("--commit: {commit:?} is not a commit of 7 to 40 hex digits")));
    }
    let timeout = parse_duration(&arguments.timeout)
        .ok_or_else(|| Failure::new(format!("--timeout: {:?} is not a duration", arguments.timeout)))?;
    let session = Session::open(common)?;
    let name = environment(&arguments.environment)?;
    runtime()?.block_on(async {
        let end = tokio::time::Instant::now() + timeout;
        loop {
            let outcome = session.look(vec![name.clone()]).await?;
            let status = outcome.board.applications.into_iter().find(|one| one.service == arguments.service);
            let why = match judge(status.as_ref(), &commit) {
                Verdict::Deployed => {
                    print(&format!("{name}/{}: {commit} is deployed and healthy\n", arguments.service))?;
                    return Ok(ExitCode::SUCCESS);
                }
                Verdict::Failed(why) => return Err(Failure::new(why).code(2)),
                Verdict::NotYet(why) => why,
            };
            if tokio::time::Instant::now() + PERIOD > end {
                return Err(Failure::new(format!("not within {}: {why}", arguments.timeout)).code(3));
            }
            tokio::time::sleep(PERIOD).await;
        }
    })
}

fn judge(status: Option<&ApplicationStatus>, commit: &str) -> Verdict {
    let Some(status) = status else {
        return Verdict::NotYet("the application is not known".to_owned());
    };
    let is = |version: Option<&crate::model::facts::Version>| {
        version.is_some_and(|version| {
            version.commit.is_some_and(|one| one.to_string().starts_with(commit))
                || version.config.to_string().starts_with(commit)
        })
    };
    let healthy = status.health == HealthStatus::Healthy;
    // A commit that renders to what is deployed already needs no rollout.
    let arrived =
        is(status.deployed.as_ref()) || (is(status.wanted.as_ref()) && status.sync == SyncStatus::Synced);
    if arrived && healthy && status.holds.is_empty() {
        return Verdict::Deployed;
    }
    let fault = status.holds.iter().find(|hold| hold.class == crate::model::hold::HoldClass::Fault);
    match fault {
        Some(hold) if is(status.blocked.as_ref()) || is(status.wanted.as_ref()) => {
            Verdict::Failed(hold.message.clone())
        }
        Some(hold) => Verdict::NotYet(hold.message.clone()),
        None => Verdict::NotYet(match &status.awaiting {
            Some(awaiting) => format!("it {}", words::awaiting(awaiting)),
            None => format!("it is {} and {}", status.sync.as_str(), status.health.as_str()),
        }),
    }
}
