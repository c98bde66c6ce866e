//! What a chart says about its values besides its templates: `values.yaml`, the schema, the
//! conditions of its dependencies.

use serde_json::Value as Json;

use super::tree_has;
use crate::dependencies::Instance;
use crate::schema;
use crate::value::Text;

/// The chart that a path of values belongs to, and the path in its own values.
pub(super) fn owner<'i, 'p>(top: &'i Instance, path: &'p [Text]) -> (&'i Instance, &'p [Text]) {
    if let [first, rest @ ..] = path
        && !rest.is_empty()
        && let Some(child) = top.children.iter().find(|child| child.name.as_bytes() == first.bytes())
    {
        return owner(child, rest);
    }
    (top, path)
}

/// Whether Helm itself reads a key of a chart's values.
pub(super) fn is_for_helm(chart: &Instance, key: &Text) -> bool {
    match key.bytes() {
        b"tags" => !chart.chart.dependencies().is_empty(),
        b"exports" => true,
        _ => false,
    }
}

/// Whether a condition of a dependency, here or below, looks at a path or below it.
pub(super) fn switches_a_chart(top: &Instance, path: &[Text]) -> bool {
    let here = |chart: &Instance, path: &[Text]| {
        let wanted = path.iter().map(|key| key.lossy()).collect::<Vec<_>>().join(".");
        chart.chart.dependencies().iter().any(|dependency| {
            dependency.condition.split(',').map(str::trim).any(|condition| {
                condition == wanted
                    || condition.strip_prefix(&wanted).is_some_and(|rest| rest.starts_with('.'))
            })
        })
    };
    let (chart, inner) = owner(top, path);
    here(top, path) || here(chart, inner)
}

/// Whether some `values.yaml` has a path, be it with null.
pub(super) fn is_declared(top: &Instance, path: &[Text]) -> bool {
    if tree_has(&top.chart.0.values, path) {
        return true;
    }
    let is_global = path.first().is_some_and(|key| key.bytes() == b"global");
    top.children.iter().any(|child| {
        let inner = match path {
            _ if is_global => Some(path),
            [first, rest @ ..] if child.name.as_bytes() == first.bytes() => Some(rest),
            _ => None,
        };
        inner.is_some_and(|inner| is_declared(child, inner))
    })
}

/// What a schema says about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InSchema {
    /// There is no schema, or it says nothing of that place.
    Silent,
    /// The schema lists the key or lets any be there.
    Listed,
    /// The schema lists keys of that place, and not this one.
    NotListed,
}

/// What the schema of the chart that a path belongs to says about it.
pub(super) fn in_schema(top: &Instance, path: &[Text]) -> InSchema {
    let (chart, path) = owner(top, path);
    let Some(root) = chart.chart.0.schema.as_ref().and_then(|schema| schema::parse(schema.text()).ok())
    else {
        return InSchema::Silent;
    };
    let Some((last, before)) = path.split_last() else {
        return InSchema::Silent;
    };
    let mut current = &root;
    for key in before {
        match step(&root, current, &key.lossy()) {
            Ok(next) => current = next,
            // Of what is below a key that is not listed, the schema does not speak.
            Err(_) => return InSchema::Silent,
        }
    }
    match step(&root, current, &last.lossy()) {
        Ok(_) => InSchema::Listed,
        Err(answer) => answer,
    }
}

/// The schema of a key; where there is none, what that means.
fn step<'s>(root: &'s Json, schema: &'s Json, key: &str) -> Result<&'s Json, InSchema> {
    const OPEN: [&str; 9] = [
        "additionalProperties",
        "patternProperties",
        "unevaluatedProperties",
        "allOf",
        "anyOf",
        "oneOf",
        "if",
        "dependentSchemas",
        "propertyNames",
    ];
    let schema = match schema.get("$ref").and_then(Json::as_str).map(|reference| reference.strip_prefix('#'))
    {
        Some(Some(pointer)) => root.pointer(pointer).ok_or(InSchema::Silent)?,
        Some(None) => return Err(InSchema::Silent),
        None => schema,
    };
    if let Some(inner) = schema.get("properties").and_then(|properties| properties.get(key)) {
        return Ok(inner);
    }
    // Where any key may stand, the one that stands there tells nothing.
    if OPEN.iter().any(|word| schema.get(word).is_some()) {
        return Err(InSchema::Silent);
    }
    let listed = schema.get("properties").and_then(Json::as_object).is_some_and(|listed| !listed.is_empty());
    Err(if listed { InSchema::NotListed } else { InSchema::Silent })
}
