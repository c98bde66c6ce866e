//! Names of log fields, each once. Dotted: what it belongs to, then what it is. Values that may be secret have no
//! name here and are not logged.

/// The environment of the application.
pub const ENVIRONMENT: &str = "application.environment";
/// The service of the application.
pub const SERVICE: &str = "application.service";
/// The application as `environment/service`.
pub const APPLICATION: &str = "application.name";
/// The revision of the config repository.
pub const CONFIG: &str = "config.revision";
/// The commit of the code repository.
pub const COMMIT: &str = "revision.commit";
/// A rollout's number.
pub const ROLLOUT: &str = "rollout.number";
/// How a rollout ended.
pub const OUTCOME: &str = "rollout.outcome";
/// The digest of a rendered set.
pub const DIGEST: &str = "set.digest";
/// How many steps a plan has.
pub const STEPS: &str = "plan.steps";
/// An object.
pub const OBJECT: &str = "object.id";
/// The name of a hold's reason.
pub const HOLD: &str = "hold.reason";
/// The class of a hold.
pub const HOLD_CLASS: &str = "hold.class";
/// The wave of a sync.
pub const WAVE: &str = "sync.wave";
/// The sync status.
pub const SYNC: &str = "sync.status";
/// The health.
pub const HEALTH: &str = "health.status";
/// A Git repository.
pub const REPOSITORY: &str = "git.repository";
/// A branch, tag or commit.
pub const REVISION: &str = "git.revision";
/// A cluster, by its kubeconfig context.
pub const CLUSTER: &str = "cluster.context";
/// How many records wait for the state repository.
pub const RECORDS_WAITING: &str = "records.waiting";
/// How many records were written.
pub const RECORDS: &str = "records.count";
/// The commit of the state repository.
pub const STATE_COMMIT: &str = "state.commit";
/// How long something took, in milliseconds.
pub const DURATION: &str = "duration.ms";
/// An error with its sources, on one line.
pub const ERROR: &str = "error";
/// The class of an error.
pub const ERROR_CLASS: &str = "error.class";
/// A socket address that is listened on.
pub const ADDRESS: &str = "server.address";
