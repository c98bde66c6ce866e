//! One cluster, looked after by tasks of its own: the connection, discovery, watches and the live index they feed, the
//! inventory, commands, the probe that finds out whether it answers, the lease that says who writes, and the one
//! [`writer::Writer`] through which every write goes.
//!
//! Nothing here waits for another cluster, and nobody waits for it: what becomes known is told as [`ClusterEvent`]s.
//! Calls to a cluster that has fallen silent end at once. It decides nothing about applications.

pub mod commands;
pub mod connection;
pub mod contact;
mod guard;
pub mod lease;
pub mod live;
mod probe;
pub mod rebuild;
pub mod state;
pub mod store;
pub mod watches;
pub mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::adapters::cluster::ClusterError;
use crate::model::inventory::StoredHead;
use crate::model::kinds::KindTable;
use crate::model::name::{ApplicationId, EnvironmentName, NamespaceName};
use commands::Commands;
use lease::LeaseState;
use state::ClusterState;
use store::{Inventory, InventoryError};

/// What becomes known of a cluster.
pub enum ClusterEvent {
    /// It is connected, and its inventory was read.
    Connected(Box<ClusterState>),
    /// It could not be connected; it is tried again.
    Unconnected(InventoryError),
    /// It no longer answers, and why that is thought; or it answers again.
    Silent(Option<Arc<str>>),
    /// What it serves, and which version it has.
    Discovered {
        /// The kinds.
        kinds: Arc<KindTable>,
        /// The version, as `v1.37.2`.
        version: String,
    },
    /// The commands of an environment changed; absent if their ConfigMap is gone.
    Commands(EnvironmentName, Option<Commands>),
    /// Objects of an application changed.
    Live(ApplicationId),
    /// A place was listed, or its watch failed.
    Listed {
        /// Whether our rights do not suffice to watch it in all of the cluster.
        refused: bool,
    },
    /// Who may write changed. With the lease comes the inventory as the daemon before left it.
    Lease(LeaseState, Option<Box<Inventory>>),
    /// A head as another daemon wrote it.
    Head(ApplicationId, Box<StoredHead>),
    /// The search for what is left of applications without heads ended.
    Searched {
        /// The applications that were looked for.
        applications: Vec<ApplicationId>,
        /// The heads that could be put together.
        found: Result<BTreeMap<ApplicationId, StoredHead>, ClusterError>,
    },
}

/// Where events go.
pub type Tell = Arc<dyn Fn(ClusterEvent) + Send + Sync>;

/// How a cluster is worked with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// moorline's own namespace.
    pub own_namespace: NamespaceName,
    /// Whether nothing may be written.
    pub dry_run: bool,
    /// Whether the process goes on for ever: then the lease is held all the time, and things are watched that a single
    /// pass reads once.
    pub lasting: bool,
    /// Whether a lease says who writes.
    pub leader_election: bool,
}
