//! An embedded Kubernetes API: a synchronous store, the rules of the API server, and an HTTP front, for the demo and
//! for fast tests.

pub mod apply;
pub mod patch;
pub mod schema;
