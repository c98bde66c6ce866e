//! Manifests × live objects: what differs, and who made it so. The field manager's own record (managedFields)
//! tells which fields are ours, so that a verdict needs neither the API nor guesses at defaults.

mod adoption;
mod changes;
mod compare;
mod extras;
mod managed;
mod projection;
mod redact;

pub use adoption::{Adoption, adoption, tracked_by};
pub use changes::{Scope, changes};
pub use compare::{changed_fields, without_ignored};
pub use extras::extra_fields;
pub use managed::{FIELD_MANAGER, Owner, labels_of_ours, owner_of};
pub use projection::observe;
pub use redact::{LookedUp, as_stored, redacted};
