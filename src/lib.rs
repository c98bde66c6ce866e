//! moorline keeps Kubernetes clusters moored to Git.

pub mod adapters;
pub mod cli;
pub mod desired;
pub mod diff;
pub mod health;
pub mod helm;
pub mod ledger;
pub mod model;
pub mod reconciler;
pub mod render;
pub mod server;
pub mod settings;
pub mod sync;
pub mod telemetry;
