//! `moorline demo`: a shop with sample repositories in a folder, a sandbox cluster, and the daemon on them.
//!
//! - [`shop`] makes the repositories;
//! - [`registry`] keeps its images;
//! - [`tries`] are the lines to paste;
//! - [`view`] says in text what the board shows;
//! - [`screen`] keeps that text at the bottom of a terminal, log lines above it.
//!
//! Nothing here decides or reads a cluster: the daemon of the demo is the daemon.

pub mod registry;
pub mod screen;
pub mod shop;
pub mod tries;
pub mod view;
