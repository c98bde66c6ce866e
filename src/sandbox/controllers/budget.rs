//! Disruption budgets: how many pods there are, are healthy, and may go.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::object::Fields;
use super::super::rest::time;
use super::super::selector::LabelSelector;
use super::super::store::{Place, Store};
use super::Pace;
use super::actions::{change_status, is_active, is_true};

pub(super) fn reconcile(store: &mut Store, place: &Place, now: Timestamp, _pace: &Pace) -> Option<Timestamp> {
    let budget = store.at(place)?.clone();
    let selector = LabelSelector::of(budget.pointer("/spec/selector").unwrap_or(&Value::Null));
    let pods =
        store.list("pods", Some(&place.namespace)).filter(|pod| is_active(pod) && selector.matches(pod));
    let (mut expected, mut healthy, mut unscaled) = (0_i64, 0_i64, None);
    for pod in pods {
        unscaled = unscaled.or(without_scale(pod));
        expected += 1;
        healthy += i64::from(is_true(pod, "Ready"));
    }
    let counted =
        budget.pointer("/spec/maxUnavailable").is_some() || budget.text("/spec/minAvailable").ends_with('%');
    let unscaled = unscaled.filter(|_| counted);
    let share = |value: &Value| -> i64 {
        match value.as_str().and_then(|text| text.strip_suffix('%')).and_then(|text| text.parse::<i64>().ok())
        {
            Some(percent) => (percent.saturating_mul(expected) + 99) / 100,
            None => value.as_i64().unwrap_or_default(),
        }
    };
    let desired = match (budget.pointer("/spec/minAvailable"), budget.pointer("/spec/maxUnavailable")) {
        (Some(least), _) => share(least),
        (None, Some(most)) => (expected - share(most)).max(0),
        (None, None) => 0,
    };
    let (expected, healthy, desired) =
        if unscaled.is_some() { (0, 0, 0) } else { (expected, healthy, desired) };
    let allowed = if expected == 0 { 0 } else { (healthy - desired).max(0) };
    let (status, reason) = match unscaled {
        Some(_) => ("False", "SyncFailed"),
        None if allowed > 0 => ("True", "SufficientPods"),
        None => ("False", "InsufficientPods"),
    };
    let message =
        unscaled.map_or_else(String::new, |kind| format!("{kind} does not implement the scale subresource"));
    let since = time(now);
    let generation = budget.number("/metadata/generation").unwrap_or(1);
    change_status(store, place, now, |budget| {
        let known = budget.items("/status/conditions").first();
        let since = known
            .filter(|known| known.text("/status") == status)
            .map_or(since, |known| known.text("/lastTransitionTime").to_owned());
        budget.put(
            "/status",
            json!({"conditions": [{"type": "DisruptionAllowed", "status": status, "reason": reason, "message": message,
                    "lastTransitionTime": since, "observedGeneration": generation}],
                "currentHealthy": healthy, "desiredHealthy": desired, "disruptionsAllowed": allowed,
                "expectedPods": expected, "observedGeneration": generation}),
        );
    });
    None
}

/// The kind that made a pod, if nobody can tell how many pods it wants: it cannot be scaled.
fn without_scale(pod: &Value) -> Option<&'static str> {
    let owners = pod.items("/metadata/ownerReferences").iter();
    owners.filter(|owner| owner["controller"] == true).find_map(|owner| match owner.text("/kind") {
        "DaemonSet" => Some("daemonsets.apps"),
        "Job" => Some("jobs.batch"),
        _ => None,
    })
}
