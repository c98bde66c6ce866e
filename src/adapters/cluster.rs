//! A Kubernetes cluster: reading, watching and writing. Only `cluster/` receives a [`ClusterWrite`], and hands on a
//! writer that asks the lease first.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use serde_json::Value;

use crate::model::drift::FieldOwner;
use crate::model::error::{Classified, ErrorClass};
use crate::model::kinds::KindTable;
use crate::model::resource::{ApiVersion, GroupKind, ResourceId};

/// Why a call to a cluster failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// No such context, or it cannot be used.
    #[error("the kubeconfig cannot be used: {message}")]
    Unconfigured {
        /// Why.
        message: String,
    },
    /// Connection errors, 429, 5xx, unreachable webhooks: never the fault of what we sent.
    #[error("the API server is not available: {message}")]
    Unavailable {
        /// Why.
        message: String,
        /// How long it asks us to wait.
        retry_after: Option<Duration>,
    },
    /// Our rights do not suffice.
    #[error("forbidden: {message}")]
    Forbidden {
        /// The API server's words.
        message: String,
    },
    /// A quota is used up; it may be free again later.
    #[error("quota: {message}")]
    Quota {
        /// The API server's words.
        message: String,
    },
    /// The object is invalid, or an admission rule denies it.
    #[error("rejected: {message}")]
    Rejected {
        /// The API server's words.
        message: String,
    },
    /// Other managers own fields that we want to set.
    #[error("conflict: {message}")]
    Conflict {
        /// The API server's words.
        message: String,
        /// The fields.
        owners: Vec<FieldOwner>,
    },
    /// The object changed since it was read, or exists already.
    #[error("changed meanwhile: {message}")]
    Changed {
        /// The API server's words.
        message: String,
    },
    /// The object, its namespace or its kind is not there.
    #[error("not found: {message}")]
    Missing {
        /// The API server's words.
        message: String,
    },
    /// The kind is not served.
    #[error("{kind} is not served in {version}")]
    KindUnknown {
        /// The kind.
        kind: GroupKind,
        /// The version, or `any version`.
        version: String,
    },
    /// Another daemon of this instance writes to the cluster.
    #[error("another moorline writes to this cluster: {holder}")]
    NotLeader {
        /// Its name.
        holder: String,
    },
    /// An answer that cannot be understood.
    #[error("the API server's answer cannot be understood: {message}")]
    Garbled {
        /// What is wrong with it.
        message: String,
    },
}

impl Classified for ClusterError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Unavailable { .. } | Self::Quota { .. } | Self::Garbled { .. } => ErrorClass::Transient,
            Self::Conflict { .. } | Self::Changed { .. } | Self::NotLeader { .. } => ErrorClass::Conflict,
            Self::Unconfigured { .. }
            | Self::Forbidden { .. }
            | Self::Rejected { .. }
            | Self::Missing { .. }
            | Self::KindUnknown { .. } => ErrorClass::Config,
        }
    }
}

/// What a watch tells.
#[derive(Clone, Debug)]
pub enum WatchEvent {
    /// A list begins; objects follow.
    Started,
    /// An object of the list, or a changed one.
    Object(Arc<Value>),
    /// The list is complete: what it did not name is gone.
    Listed,
    /// An object was deleted.
    Gone(ResourceId),
    /// The watch failed and is tried again.
    Failed(ClusterError),
}

/// Who a cluster is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterIdentity {
    /// The uid of the namespace kube-system; empty where our rights do not suffice to read it.
    pub uid: String,
    /// The version, as `v1.37.2`.
    pub version: String,
}

/// Reading a cluster.
#[async_trait]
pub trait ClusterRead: Send + Sync {
    /// Whether it answers: one small request that needs the whole API server, its store included.
    async fn probe(&self) -> Result<(), ClusterError>;

    /// Who it is.
    async fn identity(&self) -> Result<ClusterIdentity, ClusterError>;

    /// Which kinds it serves; cached unless `refresh`.
    async fn kinds(&self, refresh: bool) -> Result<Arc<KindTable>, ClusterError>;

    /// One object, in a version or the preferred one.
    async fn get(&self, id: &ResourceId, version: Option<&ApiVersion>)
    -> Result<Option<Value>, ClusterError>;

    /// All objects of a kind, in one namespace or all, that match a label selector.
    async fn list(
        &self,
        kind: &GroupKind,
        version: Option<&ApiVersion>,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> Result<Vec<Value>, ClusterError>;

    /// Watches a kind by label selector, forever: it lists, watches, and starts anew by itself.
    fn watch(
        &self,
        kind: &GroupKind,
        version: Option<&ApiVersion>,
        namespace: Option<&str>,
        selector: &str,
    ) -> BoxStream<'static, WatchEvent>;

    /// The last lines of a container's log.
    async fn logs(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
        lines: u32,
    ) -> Result<String, ClusterError>;
}

/// How an object is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApplyOptions {
    /// Take fields from other managers.
    pub force: bool,
    /// Decide and write nothing.
    pub dry_run: bool,
}

/// The answer to an apply.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The object as stored.
    pub object: Value,
    /// Whether it was not there before.
    pub created: bool,
}

/// Writing to a cluster.
#[async_trait]
pub trait ClusterWrite: ClusterRead {
    /// Server-side apply under the field manager `moorline`.
    async fn apply(&self, object: &Value, options: ApplyOptions) -> Result<Applied, ClusterError>;

    /// A JSON patch.
    async fn patch(
        &self,
        id: &ResourceId,
        version: Option<&ApiVersion>,
        patch: &Value,
    ) -> Result<Value, ClusterError>;

    /// Creates an object without resourceVersion, replaces one with it only if it has not changed since.
    async fn put(&self, object: &Value) -> Result<Value, ClusterError>;

    /// Deletes the object with this uid, in the background. True if it was there.
    async fn delete(
        &self,
        id: &ResourceId,
        version: Option<&ApiVersion>,
        uid: &str,
    ) -> Result<bool, ClusterError>;
}

/// The clusters that we can reach.
#[async_trait]
pub trait Clusters: Send + Sync {
    /// Connects to a context, or to the default one. The same context gives the same cluster.
    async fn connect(&self, context: Option<&str>) -> Result<Arc<dyn ClusterWrite>, ClusterError>;
}
