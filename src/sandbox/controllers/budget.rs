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
    let (mut expected, mut healthy) = (0_i64, 0_i64);
    for pod in pods {
        expected += 1;
        healthy += i64::from(is_true(pod, "Ready"));
    }
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
    let allowed = if expected == 0 { 0 } else { (healthy - desired).max(0) };
    let (status, reason) =
        if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
    let since = time(now);
    let generation = budget.number("/metadata/generation").unwrap_or(1);
    change_status(store, place, now, |budget| {
        let known = budget.items("/status/conditions").first();
        let since = known
            .filter(|known| known.text("/status") == status)
            .map_or(since, |known| known.text("/lastTransitionTime").to_owned());
        budget.put(
            "/status",
            json!({"conditions": [{"type": "DisruptionAllowed", "status": status, "reason": reason, "message": "",
                    "lastTransitionTime": since, "observedGeneration": generation}],
                "currentHealthy": healthy, "desiredHealthy": desired, "disruptionsAllowed": allowed,
                "expectedPods": expected, "observedGeneration": generation}),
        );
    });
    None
}
