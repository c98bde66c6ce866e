//! Every way moorline touches the world, one narrow trait each. The implementations are private to this
//! module: the reconciler knows the traits alone.

pub mod cluster;
pub mod git;
pub mod kube;
pub mod sources;
