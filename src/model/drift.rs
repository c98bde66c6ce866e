//! The difference between what we want and what is there, object by object, with an explanation per field.

use super::resource::ResourceId;

/// Whether what runs is what we brought there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub enum SyncStatus {
    /// What runs is what is wanted.
    Synced,
    /// It is not.
    OutOfSync,
    /// It could not be told.
    Unknown,
}

impl SyncStatus {
    /// The word used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Synced => "Synced",
            Self::OutOfSync => "OutOfSync",
            Self::Unknown => "Unknown",
        }
    }
}

/// A field that somebody else set on one of our objects.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ExtraField {
    /// The path, as `/metadata/annotations/example.com~1owner`.
    pub field: String,
    /// The field manager that set it.
    pub manager: String,
    /// When, as the API server recorded it.
    pub time: Option<String>,
}

/// A field that somebody else owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldOwner {
    /// The field, as the API server writes it: `.spec.template.spec.containers[name="web"].image`.
    pub field: String,
    /// The manager.
    pub manager: String,
}

/// A field with two values: as it is, and as it should be.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FieldChange {
    /// The path, as `/spec/template/spec/containers[web]/image`.
    pub field: String,
    /// As it is; absent if it is not there.
    pub before: Option<String>,
    /// As it should be; absent if it should not be there.
    pub after: Option<String>,
}

/// What is different about one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectDrift {
    /// It is as we applied it.
    InSync,
    /// It is not there.
    Missing,
    /// It is being deleted.
    Terminating,
    /// It is not as we applied it.
    Changed,
    /// Our rights do not suffice to tell.
    Unreadable,
    /// We have not applied this version of it yet.
    Pending,
}

/// One object with its difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceDrift {
    /// Which object.
    pub id: ResourceId,
    /// The difference.
    pub drift: ObjectDrift,
}
