//! The loop: it owns all state and awaits nothing but events. For each application: observe → plan → act → fold.
//!
//! What the process remembers ([`crate::sync::Progress`], the index of live objects, rendered sets) saves work; what
//! has to outlive it is in the cluster or in Git, so that a restart needs no path of its own. Reading Git, rendering,
//! clusters and the state repository have tasks of their own, which tell of what they find as events; who does not
//! answer is waited for by nobody else (RULES §13).

pub mod act;
pub mod diagnose;
pub mod holds;
pub mod observe;
pub mod onlooker;
pub mod queue;
mod reader;
pub mod record;
mod refresh;
mod run;
mod tick;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::adapters::sources::SourceError;
use crate::cluster::ClusterEvent;
use crate::model::name::{ApplicationId, EnvironmentName, InstanceName, NamespaceName};
use crate::model::source::RepositoryUrl;
use reader::Read;
use tick::TickResult;

pub use run::{ApplicationDetail, Outcome, RunMode, run};

/// Everything that can wake the loop.
pub(crate) enum Event {
    /// A cluster tells something.
    Cluster(Option<String>, ClusterEvent),
    /// Something new can be read of repositories or charts.
    Sources,
    /// A repository on this machine changed.
    LocalChange(RepositoryUrl),
    /// A reading of Git ended; or it broke off, with the place.
    Read(Box<Result<Read, String>>),
    /// The instance whose heads came from the config repository, looked for because that cannot be read.
    Instance(Option<InstanceName>),
    /// The state repository was read.
    Records(Result<record::LastRecords, SourceError>),
    /// Records were written to the state repository, or could not be.
    Recorded {
        /// Applications whose records a newer moorline wrote: theirs were not written.
        newer: BTreeSet<ApplicationId>,
    },
    /// The work on an application ended; or it broke off, with the place.
    Worked(ApplicationId, Result<Box<TickResult>, String>),
}

/// What the reconciler is told at its start.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
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
    /// Whether a lease in each cluster says which daemon writes there.
    pub leader_election: bool,
}

impl Options {
    /// Whether an environment is looked after.
    pub fn includes(&self, environment: &EnvironmentName) -> bool {
        self.environments.is_empty() || self.environments.contains(environment)
    }
}
