//! The quick tier's integration tests: one binary, no real parts.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod architecture;
mod config_repository;
mod contract;
mod dependencies;
mod formats;
mod helm;
mod plans;
mod reconciler;
mod sandbox;
mod server;
mod simulation;
