//! Fields of our objects that others set: they stay, and are listed with their manager.

use std::collections::HashSet;

use serde_json::Value;

use super::managed::{entries, leaves, own_entry};
use crate::model::drift::ExtraField;

/// At most this many extra fields of one object are listed.
const LIMIT: usize = 100;

/// Fields outside status that another manager holds and we do not.
pub fn extra_fields(object: &Value) -> Vec<ExtraField> {
    let ours: HashSet<String> =
        own_entry(object).map(|entry| leaves(entry.fields)).unwrap_or_default().into_iter().collect();
    let mut extras = Vec::new();
    for entry in entries(object).filter(|entry| !entry.is_ours()) {
        for field in leaves(entry.fields) {
            if field.starts_with("/status") || ours.contains(&field) || extras.len() == LIMIT {
                continue;
            }
            extras.push(ExtraField {
                field,
                manager: entry.manager.to_owned(),
                time: entry.time.map(str::to_owned),
            });
        }
    }
    extras.sort_by(|one, other| (&one.field, &one.manager).cmp(&(&other.field, &other.manager)));
    extras.dedup_by(|one, other| one.field == other.field && one.manager == other.manager);
    extras
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_of_others_are_listed_with_their_manager() {
        let object = json!({"metadata": {"managedFields": [
            {"manager": "moorline", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "kubectl-annotate", "operation": "Update", "time": "2026-01-01T00:00:00Z",
             "fieldsV1": {"f:metadata": {"f:annotations": {"f:example.com/owner": {}}}, "f:spec": {"f:replicas": {}}}},
            {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {"f:replicas": {}}}}
        ]}});
        let extras = extra_fields(&object);
        assert_eq!(extras.len(), 1);
        assert_eq!(extras[0].field, "/metadata/annotations/example.com~1owner");
        assert_eq!(extras[0].manager, "kubectl-annotate");
    }
}
