//! Looking without the right to read Secrets: what the keyed hashes of the head would tell is told by comparing
//! fields. For commands that only show; the daemon never decides by this.

use std::collections::BTreeSet;

use crate::diff::changed_fields;
use crate::model::inventory::{Head, HeadObject};
use crate::model::live::{LiveRecord, Projection};
use crate::model::manifest::RenderedSet;
use crate::model::resource::{GroupKind, ResourceId};
use crate::sync::WantedSet;

/// What people are told about it.
pub(super) const NOTICE: &str =
    "compared field by field: the Secrets of moorline's own namespace may not be read with these rights";

/// What is compared.
pub(super) struct Comparison<'a> {
    /// What Git asks for, with bodies.
    pub(super) wanted: Option<(&'a WantedSet, &'a RenderedSet)>,
    /// The live record of an object.
    pub(super) live: &'a dyn Fn(&ResourceId) -> Option<&'a LiveRecord>,
    /// Kinds that may not be read.
    pub(super) unreadable: &'a BTreeSet<GroupKind>,
}

/// Puts hashes into a head that say what a comparison of fields says.
pub(super) fn compare(head: &mut Head, with: &Comparison<'_>) {
    let same_version = with.wanted.is_some_and(|(wanted, _)| head.has_deployed(wanted.digest));
    for (id, object) in &mut head.objects {
        compare_object(id, object, with, same_version);
    }
}

fn compare_object(id: &ResourceId, object: &mut HeadObject, with: &Comparison<'_>, same_version: bool) {
    let live = (with.live)(id);
    let projection = live.and_then(|live| live.projection);
    let wanted = with.wanted.and_then(|(set, bodies)| Some((set.get(id)?, bodies.get(id)?)));
    let Some((wanted, manifest)) = wanted else {
        object.projection = projection.unwrap_or_default();
        return;
    };
    if with.unreadable.contains(&id.kind) {
        if same_version {
            object.desired = wanted.desired;
        }
        return;
    }
    let body = live.and_then(|live| live.body.as_deref());
    let same = body.is_some_and(|body| changed_fields(&manifest.object, body).is_empty());
    if same || same_version {
        object.desired = wanted.desired;
    }
    // Where another version is wanted, nobody can tell the deployed one's values without the set.
    object.projection =
        if same || !same_version { projection.unwrap_or_default() } else { Projection::default() };
}
