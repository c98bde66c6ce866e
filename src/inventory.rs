//! The inventory as objects: heads in ConfigMaps, rendered sets in Secrets, the key of the fingerprints in a Secret.
//! Encoding, decoding, and the number of the format in which each is written; no calls.
//!
//! What a newer moorline wrote is never taken apart by guesswork and never written over (RULES §14).

mod head;
mod key;
mod set;

use serde_json::{Value, json};

use crate::model::manifest::{APPLICATION_LABEL, INSTANCE_LABEL};
use crate::model::name::{ApplicationId, InstanceName, NamespaceName};

pub use head::{decode_head, encode_head};
pub use key::{decode_key, encode_key, key_name};
pub use set::{
    PARTS, PENDING_KEY, PackedSet, Part, decode_part, decode_sets, encode_progress, encode_set, is_begun,
    newer_set,
};

/// What an object of the inventory is.
pub const ROLE_LABEL: &str = "moorline.dev/role";
/// The annotation with the number of the format in which a set is written; where it is absent, 1.
pub const FORMAT_ANNOTATION: &str = "moorline.dev/format";

/// The roles of moorline's own objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// What one application has deployed.
    Head,
    /// A part of a rendered set.
    Set,
    /// The keys of the fingerprints.
    Keys,
    /// What people ask for.
    Commands,
    /// Who may write.
    Lease,
}

impl Role {
    /// The value of the label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Set => "set",
            Self::Keys => "keys",
            Self::Commands => "commands",
            Self::Lease => "lease",
        }
    }

    /// The selector of all objects of one instance in this role.
    pub fn selector(self, instance: &InstanceName) -> String {
        format!("{INSTANCE_LABEL}={instance},{}", self.selector_of_all())
    }

    /// The selector of all objects of every instance in this role.
    pub fn selector_of_all(self) -> String {
        format!("{ROLE_LABEL}={}", self.as_str())
    }
}

/// Why an object of the inventory cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It does not hold what it should.
    #[error("{object} cannot be understood: {why}")]
    Broken {
        /// The object.
        object: String,
        /// Why.
        why: String,
    },
    /// A newer moorline wrote it.
    #[error("{object} is written in format {format}, and this moorline reads up to {known}")]
    Newer {
        /// The object.
        object: String,
        /// The number of its format.
        format: u64,
        /// The newest that is understood.
        known: u64,
    },
}

/// The metadata of an object of the inventory.
pub fn metadata(
    name: String,
    namespace: &NamespaceName,
    instance: &InstanceName,
    application: Option<&ApplicationId>,
    role: Role,
) -> Value {
    let mut labels = json!({INSTANCE_LABEL: instance.as_str(), ROLE_LABEL: role.as_str()});
    if let Some(application) = application {
        labels[APPLICATION_LABEL] = json!(application.label());
    }
    json!({"name": name, "namespace": namespace.as_str(), "labels": labels})
}
