//! Rules of roles and bindings.

use serde_json::{Value, json};

use super::names;
use super::{Findings, at, items, text};

pub(super) fn role(object: &Value, namespaced: bool, found: &mut Findings) {
    let mut without_verbs = Vec::new();
    for (index, rule) in items(object, "rules").iter().enumerate() {
        let field = format!("rules[{index}]");
        if items(rule, "verbs").is_empty() {
            without_verbs.push(format!("{field}.verbs"));
        }
        let urls = items(rule, "nonResourceURLs");
        if !urls.is_empty() {
            if namespaced {
                let why = "namespaced rules cannot apply to non-resource URLs";
                found.invalid(format!("{field}.nonResourceURLs"), &json!(urls), why);
            }
            continue;
        }
        if items(rule, "apiGroups").is_empty() {
            let why = "resource rules must supply at least one api group";
            found.required(format!("{field}.apiGroups"), why);
        }
        if items(rule, "resources").is_empty() {
            let why = "resource rules must supply at least one resource";
            found.required(format!("{field}.resources"), why);
        }
    }
    for field in without_verbs {
        found.required(field, "");
    }
}

pub(super) fn binding(object: &Value, before: Option<&Value>, namespaced: bool, found: &mut Findings) {
    let reference = at(object, "/roleRef");
    let group = text(reference, "apiGroup");
    if group != "rbac.authorization.k8s.io" {
        found.one_of("roleRef.apiGroup", group, &["rbac.authorization.k8s.io"]);
    }
    let kinds: &[&str] = if namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    found.one_of("roleRef.kind", text(reference, "kind"), kinds);
    let mut nameless = Vec::new();
    for (index, subject) in items(object, "subjects").iter().enumerate() {
        let field = format!("subjects[{index}]");
        let name = text(subject, "name");
        if name.is_empty() {
            nameless.push(format!("{field}.name"));
        }
        match text(subject, "kind") {
            "ServiceAccount" => {
                if !name.is_empty() {
                    for why in names::subdomain(name) {
                        found.invalid_text(format!("{field}.name"), name, why);
                    }
                }
                if !namespaced && text(subject, "namespace").is_empty() {
                    found.required(format!("{field}.namespace"), "");
                }
            }
            "User" | "Group" => {}
            other => found.one_of(format!("{field}.kind"), other, &["ServiceAccount", "User", "Group"]),
        }
    }
    // The API server asks for what must be there in a second pass.
    for field in nameless {
        found.required(field, "");
    }
    if text(reference, "name").is_empty() {
        found.required("roleRef.name", "");
    }
    if before.is_some_and(|before| at(before, "/roleRef") != reference) {
        let shown =
            json!({"APIGroup": group, "Kind": text(reference, "kind"), "Name": text(reference, "name")});
        found.invalid("roleRef", &shown, "field is immutable");
    }
}
