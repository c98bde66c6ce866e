//! The real parts that the tests of this binary run against, as `tests/install` provides them.

pub(crate) mod child;
pub(crate) mod control_plane;
pub(crate) mod git_http;
pub(crate) mod git_repository;
pub(crate) mod git_ssh;
pub(crate) mod kubectl;
pub(crate) mod moto;
pub(crate) mod node;
pub(crate) mod registry;

use std::path::PathBuf;

/// A program that `tests/install` names, by its variable.
pub(crate) fn program(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable);
    path.unwrap_or_else(|| {
        panic!("{variable} is not set: run tests/run, which installs the real parts first")
    })
    .into()
}
