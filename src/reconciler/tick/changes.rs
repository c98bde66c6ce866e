//! What people are shown of a difference: field by field, with values where they are no secrets.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Tick;
use crate::diff::{self, Scope, as_stored, redacted};
use crate::inventory::PackedSet;
use crate::model::drift::{FieldChange, ObjectDrift};
use crate::model::manifest::RenderedSet;
use crate::model::resource::ResourceId;
use crate::sync::{ResourceState, SyncPlan};

impl Tick {
    /// What is not as it should be, with values: of drift that is not healed yet, and of a wanted version that is
    /// not there yet. Bodies are unpacked only for these.
    pub(super) fn changes(&mut self, plan: &SyncPlan) -> BTreeMap<ResourceId, Vec<FieldChange>> {
        // A first rollout has nothing to be told against.
        let differs = |state: &&ResourceState| match state.drift.drift {
            ObjectDrift::Changed => true,
            ObjectDrift::Pending => self.deployed.is_some(),
            _ => false,
        };
        let different: Vec<&ResourceState> = plan.resources.iter().filter(differs).collect();
        if different.is_empty() {
            return BTreeMap::new();
        }
        let unpack = |packed: &Option<PackedSet>| packed.as_ref().and_then(|packed| packed.unpack().ok());
        let (deployed, wanted) = (unpack(&self.deployed), unpack(&self.packed));
        let body = |set: &Option<RenderedSet>, id: &ResourceId| Some(set.as_ref()?.get(id)?.object.clone());
        let (key, looked_up) = (self.reach.live.key(), &self.looked_up);
        let shown = |object: &Value| redacted(&as_stored(object), key, looked_up);
        let live = &mut self.observation.live;
        let mut of = |state: &ResourceState| {
            let id = &state.drift.id;
            if state.drift.drift == ObjectDrift::Pending {
                let (before, after) = (body(&deployed, id)?, body(&wanted, id)?);
                return Some(diff::changes(&shown(&before), &shown(&after), Scope::All));
            }
            let record = live.objects.get_mut(id)?;
            let live = record.body.clone()?;
            let applied = body(&deployed, id).or_else(|| body(&wanted, id))?;
            // A field that we applied is drift, whoever has it now, and nothing extra.
            let taken = diff::changed_fields(&applied, &live);
            record.extras.retain(|extra| !taken.contains(&extra.field));
            Some(diff::changes(&shown(&live), &shown(&applied), Scope::Asked))
        };
        let changes = different.into_iter().filter_map(|state| Some((state.drift.id.clone(), of(state)?)));
        changes.filter(|(_, changes)| !changes.is_empty()).collect()
    }
}
