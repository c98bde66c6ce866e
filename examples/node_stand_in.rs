//! Plays the nodes of a test control plane: `cargo run --example node_stand_in -- KUBECONFIG`.

#[path = "../tests/real/parts/node.rs"]
mod node;

use kube::config::{KubeConfigOptions, Kubeconfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: node_stand_in KUBECONFIG")?;
    // Both of the libraries' providers may be compiled in; this one is ours.
    drop(rustls::crypto::ring::default_provider().install_default());
    let kubeconfig = Kubeconfig::read_from(path)?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    tokio::select! {
        ended = node::run(kube::Client::try_from(config)?) => Ok(ended?),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}
