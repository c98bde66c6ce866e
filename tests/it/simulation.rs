//! The whole daemon in one thread and virtual time, over a sandbox cluster and repositories in memory: schedules of
//! commits, edits, faults, crashes and rival daemons from one seed, with invariants checked at every write and at the
//! end. `examples/moorline-sim.rs` runs as many as one has patience for, and replays and shrinks what fails.

#[path = "simulation/book.rs"]
pub(crate) mod book;
#[path = "simulation/cluster.rs"]
pub(crate) mod cluster;
#[path = "simulation/files.rs"]
pub(crate) mod files;
#[path = "simulation/play.rs"]
pub(crate) mod play;
#[path = "simulation/rest.rs"]
mod rest;
#[path = "simulation/script.rs"]
pub(crate) mod script;

#[cfg(test)]
#[path = "simulation/tests.rs"]
mod tests;
