//! What `pending`, `promote` and `rollback` share: the config repository as it stands, what runs where, and one commit
//! of edits that is proved before it is written.

pub(super) mod pending;
pub(super) mod promote;
mod proof;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

use super::output::Failure;
use super::session::{Session, unknown};
use crate::adapters::sources::Author;
use crate::desired::{Application, CodeRevision};
use crate::model::name::{EnvironmentName, ServiceName};
use crate::model::source::CommitSha;
use crate::reconciler::Outcome;
use crate::reconciler::observe::{ConfigState, Observer};
use crate::report::status::ApplicationStatus;

/// The error of a command of this family.
const ERROR: u8 = 2;

/// Git and the clusters at one moment.
struct Picture {
    config: Arc<ConfigState>,
    outcome: Outcome,
}

impl Picture {
    /// Reads everything once, writing nothing.
    async fn take(session: &Session) -> Result<Self, Failure> {
        let mut observer = Observer::new(session.world.clone(), session.options(Vec::new(), true)?);
        observer.read_config(None).await.map_err(|hold| Failure::new(hold.message()).code(ERROR))?;
        let config = observer.state().ok_or_else(|| Failure::new("the config repository is empty"))?;
        let outcome = session.look(Vec::new()).await?;
        Ok(Self { config, outcome })
    }

    fn status(&self, environment: &EnvironmentName, service: &ServiceName) -> Option<&ApplicationStatus> {
        let names = |one: &&ApplicationStatus| {
            one.environment == environment.as_str() && one.service == service.as_str()
        };
        self.outcome.board.applications.iter().find(names)
    }

    /// The environment that one is promoted from: as named, else as `from:` says.
    fn from(&self, environment: &EnvironmentName, named: Option<&str>) -> Result<EnvironmentName, Failure> {
        if let Some(named) = named {
            return self.environment(named);
        }
        let from = self.config.repository.environments[environment].settings.from.clone();
        from.ok_or_else(|| {
            Failure::new(format!("{environment} is promoted from nowhere"))
                .hint(format!("add `from:` to environments.{environment} in moorline.yaml, or give --from"))
                .code(ERROR)
        })
    }

    /// An environment by its name.
    fn environment(&self, name: &str) -> Result<EnvironmentName, Failure> {
        let known: Vec<&str> =
            self.config.repository.environments.keys().map(EnvironmentName::as_str).collect();
        let found = self.config.repository.environments.keys().find(|known| known.as_str() == name);
        found.cloned().ok_or_else(|| unknown("environment", name, &known).code(ERROR))
    }

    /// The applications of an environment.
    fn applications(&self, environment: &EnvironmentName) -> BTreeMap<ServiceName, Application> {
        let (applications, _) = self.config.repository.applications(&self.config.tree, environment);
        applications.into_iter().map(|one| (one.id.service.clone(), one)).collect()
    }
}

/// The commit that an application is pinned to.
fn pin_of(application: &Application) -> Option<CommitSha> {
    match application.code.as_ref()?.revision {
        CodeRevision::Pinned { commit, .. } => Some(commit),
        _ => None,
    }
}

/// The person at the keyboard, as git knows them.
fn author() -> Author {
    let asked = |key: &str| {
        let output = Command::new("git").args(["config", "--get", key]).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let of = |variable: &str, key: &str| {
        std::env::var(variable).ok().filter(|value| !value.is_empty()).or_else(|| asked(key))
    };
    let standard = Author::default();
    Author {
        name: of("GIT_AUTHOR_NAME", "user.name").unwrap_or(standard.name),
        email: of("GIT_AUTHOR_EMAIL", "user.email").unwrap_or(standard.email),
    }
}
