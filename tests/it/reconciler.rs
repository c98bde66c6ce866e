//! The whole reconciler over a world in memory, with paused time.

mod absence;
mod charts;
mod draws;
mod drift;
mod kill;
mod lookup;
mod lost;
mod proportion;
mod restart;
mod rights;
mod rollout;
mod silence;
mod support;
