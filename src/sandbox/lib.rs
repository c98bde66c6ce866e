//! An embedded Kubernetes API: a synchronous store, the rules of the API server, simulated controllers, and an HTTP
//! front, for the demo and for fast tests.
//!
//! ```text
//!   HTTP ──► front ──► rest ──► rules ──► store ◄── controllers
//!  (awaits)            schema, apply, patch          (stepped with the time)
//! ```
//!
//! Only [`front`] awaits, reads a clock and opens sockets. All else is a function of a seed, of requests and of the
//! times that come with them, so that a simulation can drive it.

pub mod apply;
pub mod bootstrap;
pub mod catalog;
pub mod cluster;
pub mod controllers;
pub mod failure;
pub mod faults;
pub mod front;
pub mod ids;
pub mod logs;
pub mod object;
pub mod objects;
pub mod patch;
pub mod request;
mod rest;
mod rules;
pub mod schema;
pub mod selector;
pub mod store;
mod tables;
pub mod versions;
pub mod view;
pub mod watch;
