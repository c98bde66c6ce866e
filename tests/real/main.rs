//! The whole tier: tests against a real control plane, git servers, helm and kubectl. `tests/run` runs them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its support too")]

#[allow(dead_code, reason = "a part is offered whole, whatever the tests of the day use of it")]
mod parts;

mod charts;
mod commands;
mod contract;
mod daemon;
mod dashboard;
mod demo;
mod git_sources;
mod git_state;
mod history;
mod parts_work;
mod promotion;
mod registries;
mod sandbox;
mod shop;
mod silence;
