//! Why an application does not render.

use crate::model::error::{Classified, ErrorClass};
use crate::model::hold::HoldReason;
use crate::model::manifest::InvalidManifest;
use crate::model::resource::ResourceId;

/// Why an application does not render; each becomes a hold of that application alone.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RenderError {
    /// A template, values file or manifest is wrong.
    #[error("{message}")]
    Broken {
        /// File, line and what is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A document is no Kubernetes object.
    #[error(transparent)]
    Manifest(#[from] InvalidManifest),
    /// The same object twice.
    #[error("{object} is rendered twice: by {first} and by {second}")]
    Twice {
        /// The object.
        object: ResourceId,
        /// One source.
        first: String,
        /// The other source.
        second: String,
    },
    /// A hook that would run before the sync.
    #[error("{object} is a hook that runs before the sync")]
    Hook {
        /// The hook.
        object: ResourceId,
    },
    /// Code may not write there.
    #[error("the code repository may not write {object}")]
    NotAllowed {
        /// The object.
        object: ResourceId,
        /// The line to add to the services file.
        line: String,
    },
    /// A chart may not look there.
    #[error("the chart may not look up {question}")]
    LookupNotAllowed {
        /// What it asks for.
        question: String,
        /// The line to add to the services file, where one allows it.
        line: Option<String>,
    },
}

impl Classified for RenderError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Config
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Broken { hint, .. } => hint.clone(),
            Self::NotAllowed { line, .. } => Some(format!("add `{line}` to the services file")),
            Self::LookupNotAllowed { line, .. } => {
                line.as_ref().map(|line| format!("add `{line}` to the services file"))
            }
            Self::Hook { .. } => Some("set sync.hooks: skip to leave hooks out".to_owned()),
            Self::Manifest(_) | Self::Twice { .. } => None,
        }
    }
}

impl RenderError {
    /// The hold that this error becomes.
    pub fn hold(&self) -> HoldReason {
        match self {
            Self::Hook { object } => HoldReason::HookUnsupported { object: object.clone() },
            Self::NotAllowed { object, line } => {
                HoldReason::NotAllowed { object: object.clone(), line: line.clone() }
            }
            Self::LookupNotAllowed { question, line } => {
                HoldReason::LookupNotAllowed { question: question.clone(), line: line.clone() }
            }
            other => HoldReason::RenderFailed { message: other.to_string(), hint: other.hint() },
        }
    }
}
