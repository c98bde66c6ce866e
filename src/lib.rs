//! moorline keeps Kubernetes clusters moored to Git.

pub mod adapters;
pub mod desired;
pub mod health;
pub mod helm;
pub mod model;
