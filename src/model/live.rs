//! What we keep of a live object: hashes and states, not its body.

use std::sync::Arc;

use serde_json::Value;

use super::digest::KeyedHash;
use super::drift::ExtraField;
use super::health::Health;
use super::name::ApplicationId;
use super::resource::ResourceId;

/// The keyed hash of the fields that we own, with their values. Objects that can be scaled have a second one that
/// leaves `/spec/replicas` out, for the time that an autoscaler has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Projection {
    /// Over all fields that we own.
    pub full: KeyedHash,
    /// Over all but the replicas.
    pub without_replicas: Option<KeyedHash>,
}

impl Projection {
    /// Whether two are the same, the replicas left out if the object is scaled by somebody else.
    pub fn is_same_as(&self, other: &Self, scaled: bool) -> bool {
        match (self.without_replicas, other.without_replicas) {
            (Some(this), Some(that)) if scaled => this == that,
            _ => self.full == other.full,
        }
    }
}

impl serde::Serialize for Projection {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.without_replicas {
            Some(without) => serializer.collect_str(&format_args!("{}+{without}", self.full)),
            None => serializer.collect_str(&self.full),
        }
    }
}

impl<'de> serde::Deserialize<'de> for Projection {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let text = String::deserialize(deserializer)?;
        let (full, without) =
            text.split_once('+').map_or((text.as_str(), None), |(full, rest)| (full, Some(rest)));
        let without_replicas = without.map(str::parse).transpose().map_err(D::Error::custom)?;
        Ok(Self { full: full.parse().map_err(D::Error::custom)?, without_replicas })
    }
}

/// The replicas of an object that can be scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replicas {
    /// How many the spec asks for.
    pub wanted: i64,
    /// Whether we own the field.
    pub ours: bool,
    /// Whether another manager owns it too, or alone.
    pub others: bool,
}

/// A live object that carries our labels, or that we asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveRecord {
    /// Its uid.
    pub uid: Arc<str>,
    /// Its resourceVersion.
    pub resource_version: ResourceVersion,
    /// Its generation, where its kind has one.
    pub generation: Option<i64>,
    /// The keyed hash of the fields that we own with their values; absent where we own none.
    pub projection: Option<Projection>,
    /// Its replicas, if it can be scaled.
    pub replicas: Option<Replicas>,
    /// The apiVersion of our managedFields entry.
    pub owned_version: Option<Arc<str>>,
    /// Its health.
    pub health: Health,
    /// The application on its label.
    pub application: Option<ApplicationId>,
    /// The instance on its label.
    pub instance: Option<Arc<str>>,
    /// The tool that tracks it, where there is one.
    pub tool: Option<&'static str>,
    /// Whether `kubectl apply` has fields on it that we would take over.
    pub adoptable: bool,
    /// Its finalizers, if it is being deleted.
    pub terminating: Option<Vec<String>>,
    /// What others set on it.
    pub extras: Vec<ExtraField>,
    /// The object itself, kept only while it differs from what we expect, or on request.
    pub body: Option<Arc<Value>>,
}

/// A resourceVersion. Kubernetes 1.35 and newer promise that those of one kind compare as whole numbers
/// (KEP-5504).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceVersion(Arc<str>);

impl ResourceVersion {
    /// Takes the text as the API server wrote it.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text as the API server wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this one is surely newer than the other; false where that cannot be told.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        match (self.0.parse::<u64>(), other.0.parse::<u64>()) {
            (Ok(this), Ok(that)) => this > that,
            _ => false,
        }
    }

    /// Whether this one is surely not newer than the other; false where that cannot be told.
    pub fn is_not_newer_than(&self, other: &Self) -> bool {
        match (self.0.parse::<u64>(), other.0.parse::<u64>()) {
            (Ok(this), Ok(that)) => this <= that,
            _ => self == other,
        }
    }
}

/// A live object with its identity.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// Which object.
    pub id: ResourceId,
    /// What we know of it.
    pub record: LiveRecord,
}
