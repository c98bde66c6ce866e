//! Kubernetes over kube-rs: one client per context, requests built here so that bodies are read once.

mod client;
mod discovery;
mod errors;
mod patience;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::sync::Mutex;

use super::cluster::{ClusterError, ClusterWrite, Clusters};
use crate::telemetry::Metrics;
use client::KubeCluster;

/// Contexts of a kubeconfig, connected on first use.
pub struct KubeClusters {
    kubeconfig: Option<PathBuf>,
    context: Option<String>,
    metrics: Arc<Metrics>,
    connected: Mutex<HashMap<Option<String>, Arc<KubeCluster>>>,
}

impl KubeClusters {
    /// Uses a kubeconfig file, else `KUBECONFIG`, else `~/.kube/config`, else the service account of a pod.
    /// `context` is the default context; an environment's own `cluster:` is never overridden by it.
    pub fn new(kubeconfig: Option<PathBuf>, context: Option<String>, metrics: Arc<Metrics>) -> Self {
        Self { kubeconfig, context, metrics, connected: Mutex::default() }
    }

    async fn config(&self, context: Option<&str>) -> Result<kube::Config, ClusterError> {
        let unconfigured = |error: &dyn std::error::Error| ClusterError::Unconfigured {
            message: crate::model::error::chain(error),
        };
        let file = match &self.kubeconfig {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        };
        let file = match file {
            Ok(file) => file,
            Err(error) if self.kubeconfig.is_some() || context.is_some() => return Err(unconfigured(&error)),
            Err(error) => return kube::Config::incluster().map_err(|_| unconfigured(&error)),
        };
        let wanted = context.map(str::to_owned).or_else(|| self.context.clone());
        if let Some(wanted) =
            wanted.as_ref().filter(|wanted| !file.contexts.iter().any(|one| one.name == **wanted))
        {
            let known: Vec<&str> = file.contexts.iter().map(|one| one.name.as_str()).collect();
            let message = format!("it has no context {wanted:?} (it has: {})", known.join(", "));
            return Err(ClusterError::Unconfigured { message });
        }
        let options = KubeConfigOptions { context: wanted, ..KubeConfigOptions::default() };
        kube::Config::from_custom_kubeconfig(file, &options).await.map_err(|error| unconfigured(&error))
    }
}

#[async_trait]
impl Clusters for KubeClusters {
    async fn connect(&self, context: Option<&str>) -> Result<Arc<dyn ClusterWrite>, ClusterError> {
        let key = context.map(str::to_owned);
        if let Some(cluster) = self.connected.lock().await.get(&key) {
            return Ok(cluster.clone());
        }
        // A program for credentials may take its time: nobody who wants another context waits for it.
        let (config, metrics) = (self.config(context).await?, self.metrics.clone());
        let connecting = tokio::task::spawn_blocking(move || KubeCluster::connect(config, metrics));
        let unconfigured =
            |error: tokio::task::JoinError| ClusterError::Unconfigured { message: error.to_string() };
        let cluster = Arc::new(connecting.await.map_err(unconfigured)??);
        Ok(self.connected.lock().await.entry(key).or_insert(cluster).clone())
    }
}

/// One cluster behind a client that is there already; the default context, and no other.
pub struct OneKubeCluster(Arc<KubeCluster>);

impl OneKubeCluster {
    /// Takes the client.
    pub fn new(client: kube::Client, metrics: Arc<Metrics>) -> Self {
        Self(Arc::new(KubeCluster::over(client, "the cluster", metrics)))
    }
}

#[async_trait]
impl Clusters for OneKubeCluster {
    async fn connect(&self, context: Option<&str>) -> Result<Arc<dyn ClusterWrite>, ClusterError> {
        match context {
            None => Ok(self.0.clone()),
            Some(context) => {
                Err(ClusterError::Unconfigured { message: format!("it has no context {context:?}") })
            }
        }
    }
}
