//! Observation → a plan: every step in order, every hold with its reason, what people are shown. The planner
//! decides everything and does nothing; the executor does what the plan says and decides nothing.
//!
//! - [`Observation`] is all that is known of one application at one moment;
//! - [`plan()`] is the whole decision (RULES §3–§6). Its cases are told in `tests/it/plans`;
//! - [`Outcome`] is what acting came to, in order; [`Observation::fold`] takes it in, and the next plan judges it;
//! - [`Progress`] is what this process did since it started: a cache, never a truth. With an empty one the same
//!   plan comes out, only with some writes repeated;
//! - [`guard_environment`] keeps an environment from losing too many applications at once.

mod environment;
mod failure;
mod heal;
mod inventory;
mod observation;
mod outcome;
mod plan;
mod progress;
mod prune;
mod rebuild;
mod rollout;
mod status;
mod wanted;

pub use environment::{EnvironmentChange, guard_environment};
pub use failure::{Failure, FailureCause};
pub use inventory::HeadChange;
pub use observation::{Cluster, Commands, Confirmations, Live, Observation, Others, Recorded};
pub use outcome::{Action, Effect, Ends, Outcome};
pub use plan::{ApplyObject, ApplyReason, DeleteObject, Force, ReplicasRule, Step, SyncPlan, plan};
pub use progress::{AppliedObject, Progress, RolloutProgress, Signature};
pub use rebuild::{FoundObject, Remains, rebuild};
pub use status::ResourceState;
pub use wanted::{Wanted, WantedObject, WantedSet, WantedVersion, scaled_by};
