//! A connection whose calls end when the cluster falls silent, instead of waiting for their own time limits.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use serde_json::Value;
use tokio::sync::watch;

use crate::adapters::cluster::{
    Applied, ApplyOptions, ClusterError, ClusterIdentity, ClusterRead, ClusterWrite, WatchEvent,
};
use crate::model::kinds::KindTable;
use crate::model::resource::{ApiVersion, GroupKind, ResourceId};

/// Why a cluster is thought to be silent; absent while it answers.
pub(super) type Silence = Option<Arc<str>>;

/// The guarded connection.
pub(super) struct Guarded {
    cluster: Arc<dyn ClusterWrite>,
    silence: watch::Receiver<Silence>,
}

impl Guarded {
    pub(super) fn new(cluster: Arc<dyn ClusterWrite>, silence: watch::Receiver<Silence>) -> Self {
        Self { cluster, silence }
    }

    async fn guarded<T>(
        &self,
        call: impl Future<Output = Result<T, ClusterError>>,
    ) -> Result<T, ClusterError> {
        let mut silence = self.silence.clone();
        tokio::select! {
            biased;
            message = silent(&mut silence) => Err(ClusterError::Unavailable { message, retry_after: None }),
            answer = call => answer,
        }
    }
}

/// Ends when the cluster is silent.
async fn silent(silence: &mut watch::Receiver<Silence>) -> String {
    let message = match silence.wait_for(Option::is_some).await {
        Ok(message) => message.as_deref().map(str::to_owned),
        Err(_) => None,
    };
    match message {
        Some(message) => message,
        // The probe is gone: nobody can tell any more, so nothing is cut short.
        None => std::future::pending().await,
    }
}

#[async_trait]
impl ClusterRead for Guarded {
    async fn probe(&self) -> Result<(), ClusterError> {
        self.cluster.probe().await
    }

    async fn identity(&self) -> Result<ClusterIdentity, ClusterError> {
        self.guarded(self.cluster.identity()).await
    }

    async fn kinds(&self, refresh: bool) -> Result<Arc<KindTable>, ClusterError> {
        self.guarded(self.cluster.kinds(refresh)).await
    }

    async fn get(
        &self,
        id: &ResourceId,
        version: Option<&ApiVersion>,
    ) -> Result<Option<Value>, ClusterError> {
        self.guarded(self.cluster.get(id, version)).await
    }

    async fn list(
        &self,
        kind: &GroupKind,
        version: Option<&ApiVersion>,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> Result<Vec<Value>, ClusterError> {
        self.guarded(self.cluster.list(kind, version, namespace, selector)).await
    }

    fn watch(
        &self,
        kind: &GroupKind,
        version: Option<&ApiVersion>,
        namespace: Option<&str>,
        selector: &str,
    ) -> BoxStream<'static, WatchEvent> {
        self.cluster.watch(kind, version, namespace, selector)
    }

    async fn logs(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
        lines: u32,
    ) -> Result<String, ClusterError> {
        self.guarded(self.cluster.logs(namespace, pod, container, previous, lines)).await
    }
}

#[async_trait]
impl ClusterWrite for Guarded {
    async fn apply(&self, object: &Value, options: ApplyOptions) -> Result<Applied, ClusterError> {
        self.guarded(self.cluster.apply(object, options)).await
    }

    async fn patch(
        &self,
        id: &ResourceId,
        version: Option<&ApiVersion>,
        patch: &Value,
    ) -> Result<Value, ClusterError> {
        self.guarded(self.cluster.patch(id, version, patch)).await
    }

    async fn put(&self, object: &Value) -> Result<Value, ClusterError> {
        self.guarded(self.cluster.put(object)).await
    }

    async fn delete(
        &self,
        id: &ResourceId,
        version: Option<&ApiVersion>,
        uid: &str,
    ) -> Result<bool, ClusterError> {
        self.guarded(self.cluster.delete(id, version, uid)).await
    }
}
