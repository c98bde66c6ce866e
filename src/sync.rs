//! Facts + time → a plan: every step in order, every hold with its reason, what people are shown. The planner
//! decides everything and does nothing; the executor does what the plan says and decides nothing.
//!
//! - [`plan()`] is the whole decision for one application (RULES §4–§6);
//! - [`Progress`] is what this process did since it started: a cache, never a truth. With an empty one the same
//!   plan comes out, only with some writes repeated;
//! - [`guard_environment`] keeps an environment from losing too many applications at once.

mod environment;
mod facts;
mod heal;
mod plan;
mod progress;
mod prune;
mod rebuild;
mod rollout;
mod status;

pub use environment::{EnvironmentChange, guard_environment};
pub use facts::{Confirmations, Facts, Wanted, WantedObject, WantedSet, WantedVersion, scaled_by};
pub use plan::{ApplyObject, ApplyReason, DeleteObject, ReplicasRule, Step, SyncPlan, plan};
pub use progress::{AppliedObject, Failure, FailureKind, Progress, RolloutProgress};
pub use rebuild::{FoundObject, Remains, rebuild};
pub use status::ResourceState;
