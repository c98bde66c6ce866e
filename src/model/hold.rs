//! Every reason for which a step is not taken: one enum, with a sentence, what it waits for and what a person
//! can do. There is no silent skip.

use jiff::Timestamp;

use super::digest::Digest;
use super::resource::ResourceId;
use super::source::RepositoryUrl;

/// Whether a hold ends by itself or needs a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HoldClass {
    /// It ends by itself.
    Waiting,
    /// A person has to change something.
    Fault,
}

impl HoldClass {
    /// The word used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Fault => "fault",
        }
    }
}

/// Why a step is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldReason {
    /// The config repository has a fault that concerns this application.
    ConfigFault {
        /// `file:line:column: message`.
        fault: String,
        /// What to write instead.
        hint: Option<String>,
    },
    /// A repository could not be read.
    SourceUnavailable {
        /// Which one.
        repository: RepositoryUrl,
        /// Why.
        message: String,
    },
    /// A chart that is not vendored cannot be fetched now.
    ChartUnavailable {
        /// Which one, in which version, of which repository.
        chart: String,
        /// Why.
        message: String,
    },
    /// A branch, tag or commit that was followed is gone.
    RevisionMissing {
        /// In which repository.
        repository: RepositoryUrl,
        /// The branch, tag or commit.
        revision: String,
    },
    /// No commit of the branch has its image yet.
    ImageAwaited {
        /// The image, as `repository:tag`.
        image: String,
        /// The commit, its author and subject.
        commit: String,
    },
    /// An image does not exist that should.
    ImageMissing {
        /// The image, as `repository:tag`.
        image: String,
        /// What the registry says.
        message: String,
    },
    /// It cannot be told whether an image exists.
    ImageUnknown {
        /// The image, as `repository:tag`.
        image: String,
        /// Why, and what can be done.
        message: String,
    },
    /// The chart or manifests do not render.
    RenderFailed {
        /// The error.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// Its render takes long and goes on.
    Rendering,
    /// A piece of moorline's own work on it broke off.
    Bug {
        /// Where, in moorline's source, and the words of the panic.
        place: String,
    },
    /// Another daemon of this instance writes to the cluster.
    Standby {
        /// Its name; absent while it is not known who holds the lease.
        holder: Option<String>,
    },
    /// A newer moorline wrote the inventory.
    WrittenByNewer {
        /// What, and in which format.
        message: String,
    },
    /// A hook that would run before the sync.
    HookUnsupported {
        /// The hook object.
        object: ResourceId,
    },
    /// `cluster:` names no context.
    ClusterUnknown {
        /// The name.
        cluster: String,
    },
    /// The context leads to another cluster than before.
    OtherCluster {
        /// The uid of kube-system at the first rollout.
        was: String,
        /// The uid of kube-system now.
        is: String,
        /// What `moorline confirm` takes.
        plan: Digest,
    },
    /// The cluster does not answer, or is busy.
    ApiUnavailable {
        /// Why.
        message: String,
    },
    /// The API server refuses us.
    Forbidden {
        /// The API server's words.
        message: String,
    },
    /// The kind is not known to the cluster.
    KindUnknown {
        /// The object.
        object: ResourceId,
        /// Its apiVersion.
        api_version: String,
    },
    /// Code may not write there.
    NotAllowed {
        /// The object.
        object: ResourceId,
        /// The line to add to the services file.
        line: String,
    },
    /// A chart may not look there.
    LookupNotAllowed {
        /// What it asks for: a kind, a name, a namespace.
        question: String,
        /// The line to add to the services file; absent where nothing allows it.
        line: Option<String>,
    },
    /// The object belongs to another moorline.
    OtherInstance {
        /// The object or head.
        object: ResourceId,
        /// The instance on its label.
        instance: String,
    },
    /// The object belongs to another application.
    OtherApplication {
        /// The object.
        object: ResourceId,
        /// The application that owns it.
        application: String,
    },
    /// The object is tracked by Argo CD, Flux or Helm.
    OtherTool {
        /// The object.
        object: ResourceId,
        /// The tool.
        tool: &'static str,
    },
    /// Another manager owns a field that we want to set.
    FieldConflict {
        /// The object.
        object: ResourceId,
        /// The field.
        field: String,
        /// The manager.
        manager: String,
    },
    /// Another manager keeps writing over one of our fields.
    Contested {
        /// The object.
        object: ResourceId,
        /// The field.
        field: String,
        /// The manager.
        manager: String,
        /// When it is tried again.
        until: Timestamp,
    },
    /// This version failed and must not return by itself.
    Blocked {
        /// Why it failed.
        diagnosis: String,
    },
    /// The rollout failed for a passing reason and is tried again later.
    Retrying {
        /// Why it failed.
        message: String,
        /// When it is tried again.
        until: Timestamp,
    },
    /// Too much would be deleted at once.
    PruneGuard {
        /// Why it is too much.
        why: String,
        /// The objects.
        objects: Vec<ResourceId>,
        /// What `moorline confirm` takes.
        plan: Digest,
    },
    /// Pruning is switched off, and objects are left over.
    PruneDisabled {
        /// The objects.
        objects: Vec<ResourceId>,
    },
    /// An environment would lose too many applications, or vanished.
    EnvironmentShrunk {
        /// How many applications would go, of how many; or that the environment is gone.
        why: String,
        /// What `moorline confirm` takes.
        plan: Digest,
    },
    /// The namespace, release or cluster changed for an application with data.
    Moves {
        /// From where.
        from: String,
        /// To where.
        to: String,
        /// What `moorline confirm` takes.
        plan: Digest,
    },
    /// An object is being deleted and has to be gone first.
    Terminating {
        /// The object.
        object: ResourceId,
        /// Finalizers that keep it.
        finalizers: Vec<String>,
    },
    /// The state repository cannot be read, and the number of the first rollout stands there.
    StateUnavailable {
        /// Why.
        message: String,
    },
    /// The inventory cannot be understood.
    InventoryUnreadable {
        /// Why.
        message: String,
    },
    /// The deployed set that the head names cannot be found anywhere.
    SetMissing {
        /// The digest of the set.
        digest: Digest,
    },
}

impl HoldReason {
    /// The name of the reason, stable, for JSON, metrics and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ConfigFault { .. } => "ConfigFault",
            Self::SourceUnavailable { .. } => "SourceUnavailable",
            Self::ChartUnavailable { .. } => "ChartUnavailable",
            Self::RevisionMissing { .. } => "RevisionMissing",
            Self::ImageAwaited { .. } => "ImageAwaited",
            Self::ImageMissing { .. } => "ImageMissing",
            Self::ImageUnknown { .. } => "ImageUnknown",
            Self::RenderFailed { .. } => "RenderFailed",
            Self::Rendering => "Rendering",
            Self::Bug { .. } => "Bug",
            Self::Standby { .. } => "Standby",
            Self::WrittenByNewer { .. } => "WrittenByNewer",
            Self::HookUnsupported { .. } => "HookUnsupported",
            Self::ClusterUnknown { .. } => "ClusterUnknown",
            Self::OtherCluster { .. } => "OtherCluster",
            Self::ApiUnavailable { .. } => "ApiUnavailable",
            Self::Forbidden { .. } => "Forbidden",
            Self::KindUnknown { .. } => "KindUnknown",
            Self::NotAllowed { .. } => "NotAllowed",
            Self::LookupNotAllowed { .. } => "LookupNotAllowed",
            Self::OtherInstance { .. } => "OtherInstance",
            Self::OtherApplication { .. } => "OtherApplication",
            Self::OtherTool { .. } => "OtherTool",
            Self::FieldConflict { .. } => "FieldConflict",
            Self::Contested { .. } => "Contested",
            Self::Blocked { .. } => "Blocked",
            Self::Retrying { .. } => "Retrying",
            Self::PruneGuard { .. } => "PruneGuard",
            Self::PruneDisabled { .. } => "PruneDisabled",
            Self::EnvironmentShrunk { .. } => "EnvironmentShrunk",
            Self::Moves { .. } => "Moves",
            Self::Terminating { .. } => "Terminating",
            Self::StateUnavailable { .. } => "StateUnavailable",
            Self::InventoryUnreadable { .. } => "InventoryUnreadable",
            Self::SetMissing { .. } => "SetMissing",
        }
    }

    /// Whether it ends by itself.
    pub fn class(&self) -> HoldClass {
        match self {
            Self::SourceUnavailable { .. }
            | Self::ChartUnavailable { .. }
            | Self::ApiUnavailable { .. }
            | Self::Retrying { .. }
            | Self::Contested { .. }
            | Self::Terminating { .. }
            | Self::ImageAwaited { .. }
            | Self::ImageUnknown { .. }
            | Self::Rendering
            | Self::Standby { .. }
            | Self::StateUnavailable { .. } => HoldClass::Waiting,
            _ => HoldClass::Fault,
        }
    }

    /// The sentence that people read: what is held, why, and what they can do.
    #[expect(
        clippy::too_many_lines,
        reason = "one sentence for each variant, which is clearest in one place"
    )]
    pub fn message(&self) -> String {
        match self {
            Self::ConfigFault { fault, hint } => with_hint(fault, hint.as_deref()),
            Self::SourceUnavailable { repository, message } => {
                format!("{repository} cannot be read: {message}; what is deployed is kept")
            }
            Self::ChartUnavailable { chart, message } => {
                format!("the chart {chart} cannot be fetched: {message}; what is deployed is kept")
            }
            Self::RevisionMissing { repository, revision } => {
                format!("{repository} has no {revision}; what is deployed is kept until it is back")
            }
            Self::ImageAwaited { image, commit } => {
                format!("it waits for the image {image} of {commit}; nothing is deployed before it is pushed")
            }
            Self::ImageMissing { image, message } => {
                format!("the image {image} is missing: {message}; push it, or pin or commit another version")
            }
            Self::ImageUnknown { image, message } => {
                format!("it is not known whether the image {image} exists: {message}")
            }
            Self::RenderFailed { message, hint } => with_hint(message, hint.as_deref()),
            Self::Rendering => "it is still being rendered; what is deployed is kept".to_owned(),
            Self::Bug { place } => format!(
                "a fault of moorline stopped the work on it ({place}); what is deployed is kept; please report this line"
            ),
            Self::Standby { holder: Some(holder) } => {
                format!("another moorline of this instance writes to this cluster: {holder}")
            }
            Self::Standby { holder: None } => {
                "this moorline does not hold the lease of the cluster yet; it asks for it".to_owned()
            }
            Self::WrittenByNewer { message } => {
                format!("{message}; it is left alone: run the newer moorline, or delete what it wrote")
            }
            Self::HookUnsupported { object } => format!(
                "{object} is a hook that runs before the sync, which moorline cannot run yet; set sync.hooks: skip to leave it out"
            ),
            Self::ClusterUnknown { cluster } => {
                format!(
                    "the kubeconfig has no context {cluster:?}; add it, or correct `cluster:` in moorline.yaml"
                )
            }
            Self::OtherCluster { was, is, plan } => format!(
                "the context leads to cluster {is}, but the first rollout went to {was}; `moorline confirm … {plan}` accepts the new one"
            ),
            Self::ApiUnavailable { message } => format!("the cluster does not answer: {message}"),
            Self::Forbidden { message } => format!("the cluster refuses moorline: {message}"),
            Self::KindUnknown { object, api_version } => format!(
                "the cluster does not know {} in {api_version} (wanted for {object}); install its CustomResourceDefinition",
                object.kind.kind
            ),
            Self::NotAllowed { object, line } => {
                format!(
                    "the code repository may not write {object}; to allow it, add `{line}` to the services file"
                )
            }
            Self::LookupNotAllowed { question, line: Some(line) } => {
                format!(
                    "its chart may not look up {question}; to allow it, add `{line}` to the services file"
                )
            }
            Self::LookupNotAllowed { question, line: None } => {
                format!("its chart looks up {question}, which belongs to moorline alone")
            }
            Self::OtherInstance { object, instance } => {
                format!(
                    "{object} belongs to the moorline instance {instance:?}, which must let go of it first"
                )
            }
            Self::OtherApplication { object, application } => {
                format!("{object} belongs to {application}, which must let go of it first")
            }
            Self::OtherTool { object, tool } => format!(
                "{object} is tracked by {tool}; set adopt: true in the services file to take it over, and stop {tool}"
            ),
            Self::FieldConflict { object, field, manager } => {
                format!("{field} of {object} is owned by {manager:?}; remove it from Git or from {manager:?}")
            }
            Self::Contested { object, field, manager, until } => format!(
                "\"moorline\" and {manager:?} both keep writing {field} of {object}; next try at {until}"
            ),
            Self::Blocked { diagnosis } => format!(
                "this version failed and is not tried again: {diagnosis}; commit a fix, or run `moorline unblock`"
            ),
            Self::Retrying { message, until } => format!("{message}; next try at {until}"),
            Self::PruneGuard { why, objects, plan } => {
                format!("{why}: {}; `moorline confirm … {plan}` deletes them", listed(objects))
            }
            Self::PruneDisabled { objects } => {
                format!("sync.prune is off and {} left Git: {}", count(objects.len()), listed(objects))
            }
            Self::EnvironmentShrunk { why, plan } => {
                format!("{why}; `moorline confirm … {plan}` deletes them")
            }
            Self::Moves { from, to, plan } => {
                format!("it moves from {from} to {to}; `moorline confirm … {plan}` lets it")
            }
            Self::Terminating { object, finalizers } if finalizers.is_empty() => {
                format!("{object} is being deleted")
            }
            Self::Terminating { object, finalizers } => {
                format!("{object} is being deleted and waits for its finalizers {}", finalizers.join(", "))
            }
            Self::StateUnavailable { message } => {
                format!("the state repository cannot be read, so the first rollout waits: {message}")
            }
            Self::InventoryUnreadable { message } => format!("the inventory cannot be read: {message}"),
            Self::SetMissing { digest } => {
                format!(
                    "the deployed set {} is in no Secret of the inventory; the next rollout writes it anew, and draws anew the certificates and times that its charts remembered there",
                    digest.short()
                )
            }
        }
    }
}

fn with_hint(message: &str, hint: Option<&str>) -> String {
    hint.map_or_else(|| message.to_owned(), |hint| format!("{message} ({hint})"))
}

fn count(number: usize) -> String {
    if number == 1 { "1 object".to_owned() } else { format!("{number} objects") }
}

fn listed(objects: &[ResourceId]) -> String {
    const SHOWN: usize = 5;
    let mut text = objects.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if objects.len() > SHOWN {
        text.push_str(&format!(" and {} more", objects.len() - SHOWN));
    }
    text
}

/// A reason with the time since when it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Why.
    pub reason: HoldReason,
    /// Since when.
    pub since: Timestamp,
}
