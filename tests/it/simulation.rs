//! The whole daemon in one thread and virtual time, over a sandbox cluster and repositories in memory: schedules of
//! commits, edits, faults, crashes and rival daemons from one seed, with invariants checked at every write and at the
//! end. `examples/moorline-sim.rs` runs as many as one has patience for, and replays and shrinks what fails.

pub mod book;
pub mod cluster;
pub mod files;
pub mod play;
pub mod script;

#[cfg(test)]
mod tests;
