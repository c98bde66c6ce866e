//! The whole reconciler over the test doubles, with paused time.

mod absence;
mod charts;
mod draws;
mod drift;
mod images;
mod kill;
mod lookup;
mod lost;
mod proportion;
mod restart;
mod rights;
mod rollout;
mod silence;
mod support;
