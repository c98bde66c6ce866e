//! moorline keeps Kubernetes clusters moored to Git.

pub mod helm;
