//! moorline keeps Kubernetes clusters moored to Git.

pub mod adapters;
pub mod helm;
pub mod model;
