//! Label selectors: their rules, and whether they select.

use serde_json::Value;

use super::names;
use super::{Findings, entries, items, text};

/// The rules of a label selector.
pub(super) fn check(selector: &Value, field: &str, found: &mut Findings) {
    for (key, value) in entries(selector, "matchLabels") {
        let field = format!("{field}.matchLabels");
        for why in names::qualified(key) {
            found.invalid_text(&field, key, &why);
        }
        let value = value.as_str().unwrap_or("");
        for why in names::label_value(value) {
            found.invalid_text(&field, value, why);
        }
    }
    for (index, expression) in items(selector, "matchExpressions").iter().enumerate() {
        let field = format!("{field}.matchExpressions[{index}]");
        let values = items(expression, "values");
        match text(expression, "operator") {
            "In" | "NotIn" => {
                if values.is_empty() {
                    found.required(
                        format!("{field}.values"),
                        "must be specified when `operator` is 'In' or 'NotIn'",
                    );
                }
            }
            "Exists" | "DoesNotExist" => {
                if !values.is_empty() {
                    let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                    found.forbidden(format!("{field}.values"), why);
                }
            }
            other => found.invalid_text(format!("{field}.operator"), other, "not a valid selector operator"),
        }
        for why in names::qualified(text(expression, "key")) {
            found.invalid_text(format!("{field}.key"), text(expression, "key"), &why);
        }
    }
}

/// Whether it can be read at all.
pub(super) fn is_readable(selector: &Value) -> bool {
    let mut found = Findings::default();
    check(selector, "", &mut found);
    found.causes.is_empty()
}

/// Whether it asks for anything.
pub(super) fn is_empty(selector: &Value) -> bool {
    entries(selector, "matchLabels").is_empty() && items(selector, "matchExpressions").is_empty()
}

/// Whether labels are selected.
pub(super) fn selects(selector: &Value, labels: &Value) -> bool {
    let all =
        entries(selector, "matchLabels").iter().all(|(key, value)| labels.get(key.as_str()) == Some(*value));
    all && items(selector, "matchExpressions").iter().all(|expression| {
        let there = labels.get(text(expression, "key"));
        let listed = there.is_some_and(|value| items(expression, "values").contains(value));
        match text(expression, "operator") {
            "In" => listed,
            "NotIn" => !listed,
            "Exists" => there.is_some(),
            "DoesNotExist" => there.is_none(),
            _ => false,
        }
    })
}
