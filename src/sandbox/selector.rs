//! Label and field selectors, as queries write them.

use serde_json::{Map, Value};

use super::failure::Failure;
use super::object::Fields;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Missing(String),
    Above(String, i64),
    Below(String, i64),
}

/// Which objects are asked for, by their labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
}

impl LabelSelector {
    /// Reads a `labelSelector`.
    pub fn parse(text: &str) -> Result<LabelSelector, Failure> {
        let mut requirements = Vec::new();
        for part in split(text) {
            if part.trim().is_empty() {
                continue;
            }
            let part = part.trim();
            requirements.push(requirement(part).ok_or_else(|| Failure::bad_request(misread(part)))?);
        }
        Ok(LabelSelector { requirements })
    }

    /// The `selector` of an object: `matchLabels` and `matchExpressions`.
    pub fn of(selector: &Value) -> LabelSelector {
        let mut requirements = Vec::new();
        for (key, value) in selector.map("/matchLabels").into_iter().flatten() {
            let value = value.as_str().unwrap_or_default().to_owned();
            requirements.push(Requirement::In(key.clone(), vec![value]));
        }
        for expression in selector.items("/matchExpressions") {
            let key = expression.text("/key").to_owned();
            let values = expression.items("/values").iter();
            let values = values.filter_map(Value::as_str).map(str::to_owned).collect();
            requirements.push(match expression.text("/operator") {
                "In" => Requirement::In(key, values),
                "NotIn" => Requirement::NotIn(key, values),
                "Exists" => Requirement::Exists(key),
                _ => Requirement::Missing(key),
            });
        }
        LabelSelector { requirements }
    }

    /// A map of labels that must all be there.
    pub fn of_labels(labels: &Map<String, Value>) -> LabelSelector {
        let one = |(key, value): (&String, &Value)| {
            Requirement::In(key.clone(), vec![value.as_str().unwrap_or_default().to_owned()])
        };
        LabelSelector { requirements: labels.iter().map(one).collect() }
    }

    /// Whether everything is selected.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether an object has the labels.
    pub fn matches(&self, object: &Value) -> bool {
        self.requirements.is_empty() || self.matches_labels(object.map("/metadata/labels"))
    }

    /// Whether these are the labels.
    pub fn matches_labels(&self, labels: Option<&Map<String, Value>>) -> bool {
        let value = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
        let number = |key: &str| value(key).and_then(|value| value.parse::<i64>().ok());
        self.requirements.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => {
                value(key).is_some_and(|value| values.iter().any(|one| one == value))
            }
            Requirement::NotIn(key, values) => {
                value(key).is_none_or(|value| values.iter().all(|one| one != value))
            }
            Requirement::Exists(key) => value(key).is_some(),
            Requirement::Missing(key) => value(key).is_none(),
            Requirement::Above(key, limit) => number(key).is_some_and(|number| number > *limit),
            Requirement::Below(key, limit) => number(key).is_some_and(|number| number < *limit),
        })
    }

    /// The selector as a scale's status writes it.
    pub fn text(&self) -> String {
        let mut parts: Vec<String> = self
            .requirements
            .iter()
            .map(|requirement| match requirement {
                Requirement::In(key, values) => match values.as_slice() {
                    [value] => format!("{key}={value}"),
                    values => format!("{key} in ({})", values.join(",")),
                },
                Requirement::NotIn(key, values) => format!("{key} notin ({})", values.join(",")),
                Requirement::Exists(key) => key.clone(),
                Requirement::Missing(key) => format!("!{key}"),
                Requirement::Above(key, limit) => format!("{key}>{limit}"),
                Requirement::Below(key, limit) => format!("{key}<{limit}"),
            })
            .collect();
        parts.sort();
        parts.join(",")
    }
}

/// Why a part is no requirement.
fn misread(part: &str) -> String {
    let operators = ['=', '!', '<', '>', '(', ')'];
    let is_operator = |letter: &char| operators.contains(letter);
    let first = part.chars().next().filter(|letter| is_operator(letter) && *letter != '!');
    if let Some(found) = first {
        return format!("found '{found}', expected: !, identifier, or 'end of string'");
    }
    let operator = part.split_whitespace().nth(1);
    if matches!(operator, Some("in" | "notin")) && !part.contains('(') {
        return "unable to parse requirement: found '' expected: '('".to_owned();
    }
    if part.contains("===") {
        return "unable to parse requirement: found '=', expected: identifier".to_owned();
    }
    // After the key comes an operator, after the value nothing.
    let after_key = part.find(operators).and_then(|start| part.get(start..)).unwrap_or_default();
    let value = after_key.trim_start_matches(operators).trim_start();
    match value.chars().find(is_operator) {
        Some(found) => format!("found '{found}', expected: ',' or 'end of string'"),
        None => match part.split_whitespace().nth(1) {
            Some(word) => {
                format!("found '{word}', expected: in, notin, =, ==, !=, gt, lt, ',' or 'end of string'")
            }
            None => format!("unable to parse requirement: {part}"),
        },
    }
}

/// Splits at commas outside parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (index, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(text.get(start..index).unwrap_or_default());
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

fn requirement(part: &str) -> Option<Requirement> {
    let key = |text: &str| {
        let text = text.trim();
        (!text.is_empty() && !text.contains([' ', '(', ')'])).then(|| text.to_owned())
    };
    if let Some((head, values)) = part.split_once('(') {
        let values: Vec<String> =
            values.strip_suffix(')')?.split(',').map(|value| value.trim().to_owned()).collect();
        let (name, operator) = head.trim().rsplit_once(char::is_whitespace)?;
        return match operator {
            "in" => Some(Requirement::In(key(name)?, values)),
            "notin" => Some(Requirement::NotIn(key(name)?, values)),
            _ => None,
        };
    }
    if let Some((name, value)) = part.split_once("!=") {
        return Some(Requirement::NotIn(key(name)?, vec![value.trim().to_owned()]));
    }
    if let Some((name, value)) = part.split_once('=') {
        let value = value.strip_prefix('=').unwrap_or(value).trim();
        if value.contains(['=', '!', '(', ')', ' ']) {
            return None;
        }
        return Some(Requirement::In(key(name)?, vec![value.to_owned()]));
    }
    if let Some((name, value)) = part.split_once('>') {
        return Some(Requirement::Above(key(name)?, value.trim().parse().ok()?));
    }
    if let Some((name, value)) = part.split_once('<') {
        return Some(Requirement::Below(key(name)?, value.trim().parse().ok()?));
    }
    match part.strip_prefix('!') {
        Some(name) => Some(Requirement::Missing(key(name)?)),
        None => Some(Requirement::Exists(key(part)?)),
    }
}

/// Which objects are asked for, by a few of their fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    requirements: Vec<(String, String, bool)>,
}

/// Fields by which objects of built-in kinds can be selected, beside name and namespace.
const SELECTABLE: &[(&str, &[&str])] = &[
    (
        "pods",
        &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
    ),
    (
        "events",
        &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
    ),
    (
        "events.events.k8s.io",
        &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "reason",
            "reportingController",
            "type",
        ],
    ),
    ("secrets", &["type"]),
    ("namespaces", &["status.phase"]),
    ("nodes", &["spec.unschedulable"]),
    ("replicasets.apps", &["status.replicas"]),
    ("replicationcontrollers", &["status.replicas"]),
    ("jobs.batch", &["status.successful"]),
    ("services", &["spec.clusterIP", "spec.type"]),
    ("certificatesigningrequests.certificates.k8s.io", &["spec.signerName"]),
];

impl FieldSelector {
    /// Reads a `fieldSelector` for objects of a resource (`plural.group`).
    pub fn parse(text: &str, resource: &str, more: &[String]) -> Result<FieldSelector, Failure> {
        let known = SELECTABLE.iter().find(|(name, _)| *name == resource).map_or(&[][..], |(_, known)| known);
        let mut requirements = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (field, value, equal) = match (part.split_once("!="), part.split_once('=')) {
                (Some((field, value)), _) => (field, value, false),
                (None, Some((field, value))) => (field, value.strip_prefix('=').unwrap_or(value), true),
                (None, None) => {
                    return Err(Failure::bad_request(format!(
                        "invalid selector: '{text}'; can't understand '{part}'"
                    )));
                }
            };
            let selectable = matches!(field, "metadata.name" | "metadata.namespace")
                || known.contains(&field)
                || more.iter().any(|one| one == field);
            if !selectable {
                return Err(Failure::bad_request(format!("field label not supported: {field}")));
            }
            requirements.push((field.to_owned(), value.to_owned(), equal));
        }
        Ok(FieldSelector { requirements })
    }

    /// Only the object of that name.
    pub fn and_name(mut self, name: &str) -> FieldSelector {
        self.requirements.push(("metadata.name".to_owned(), name.to_owned(), true));
        self
    }

    /// Whether everything is selected.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// The name that is asked for, if one is.
    pub fn name(&self) -> Option<&str> {
        self.requirements
            .iter()
            .find(|(field, _, equal)| *equal && field == "metadata.name")
            .map(|(_, value, _)| value.as_str())
    }

    /// Whether an object has the fields.
    pub fn matches(&self, object: &Value) -> bool {
        self.requirements.iter().all(|(field, value, equal)| (field_of(object, field) == *value) == *equal)
    }
}

fn field_of(object: &Value, field: &str) -> String {
    let field = match field {
        "source" => "source.component",
        "status.successful" => "status.succeeded",
        field => field,
    };
    // Both writings of an event are stored as the older one.
    let field = match field.strip_prefix("regarding.") {
        Some(rest) => format!("involvedObject.{rest}"),
        None => field.to_owned(),
    };
    let pointer = format!("/{}", field.replace('.', "/"));
    match object.pointer(&pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => {
            let number = field.starts_with("status.replicas") || field.starts_with("status.succeeded");
            match field.as_str() {
                _ if number => "0".to_owned(),
                "spec.unschedulable" | "spec.hostNetwork" => "false".to_owned(),
                _ => String::new(),
            }
        }
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels() {
        let object = json!({"metadata": {"labels": {"app": "web", "tier": "front", "n": "3"}}});
        for (selector, expected) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier!=back", true),
            ("app in (web, api),tier", true),
            ("app notin (web)", false),
            ("!app", false),
            ("!none", true),
            ("none!=x", true),
            ("n>2,n<4", true),
            ("n>3", false),
        ] {
            let parsed = LabelSelector::parse(selector);
            assert_eq!(parsed.map(|parsed| parsed.matches(&object)), Ok(expected), "{selector}");
        }
        for wrong in ["a b", "a in", "a in (b", "(x)", "a=b=c", "=x"] {
            assert!(LabelSelector::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn fields() {
        let pod = json!({"metadata": {"name": "a", "namespace": "b"}, "spec": {"nodeName": "n1"}});
        let matches = |text: &str| FieldSelector::parse(text, "pods", &[]).map(|one| one.matches(&pod));
        assert_eq!(matches("metadata.name=a,spec.nodeName==n1"), Ok(true));
        assert_eq!(matches("spec.nodeName!=n1"), Ok(false));
        assert_eq!(matches("status.phase=Running"), Ok(false));
        assert_eq!(
            matches("spec.x=1").map_err(|error| error.message),
            Err("field label not supported: spec.x".into())
        );
    }
}
