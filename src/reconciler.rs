//! The loop: observe → decide → act → record, for one application at a time and many side by side.
//!
//! A tick takes no input: polls, watches, webhooks and commands only ring the bell, and a restart needs no path of
//! its own. What the process remembers ([`crate::sync::Progress`], the index of live objects, rendered sets) saves
//! work and nothing else.

pub mod act;
pub mod cluster;
pub mod commands;
pub mod diagnose;
pub mod holds;
pub mod inventory;
pub mod live;
pub mod observe;
pub mod onlooker;
mod rebuild;
pub mod record;
mod refresh;
mod run;
mod tick;

use crate::model::name::{ApplicationId, EnvironmentName, NamespaceName};
use crate::model::source::RepositoryUrl;
use std::time::Duration;

pub use run::{ApplicationDetail, Outcome, RunMode, run};

/// Everything that can wake the reconciler.
#[derive(Debug)]
pub enum Event {
    /// Objects of an application changed.
    Live(ApplicationId),
    /// A kind was listed, or its watch failed.
    Listed {
        /// Whether our rights do not suffice to watch it in all of the cluster.
        refused: bool,
    },
    /// A commands object changed.
    Commands,
    /// A repository on this machine changed, or a webhook says so.
    Sources,
    /// Records were written to the state repository, or could not be.
    Recorded,
}

/// What the reconciler is told at its start.
#[derive(Clone, Debug)]
pub struct Options {
    /// The config repository.
    pub config: RepositoryUrl,
    /// Its branch; absent means the remote's HEAD.
    pub config_branch: Option<String>,
    /// moorline's own namespace.
    pub own_namespace: NamespaceName,
    /// The environments to look after; none means all.
    pub environments: Vec<EnvironmentName>,
    /// How often repositories are asked.
    pub poll: Duration,
    /// Decide and write nothing.
    pub dry_run: bool,
    /// A revision of the config repository other than its branch's head.
    pub revision: Option<String>,
    /// Draw random values and times anew, whatever is remembered.
    pub random: bool,
    /// Keep Helm's own documents of every render.
    pub as_helm: bool,
}

impl Options {
    /// Whether an environment is looked after.
    pub fn includes(&self, environment: &EnvironmentName) -> bool {
        self.environments.is_empty() || self.environments.contains(environment)
    }
}
