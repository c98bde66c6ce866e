//! Which of the charts inside a chart take part in a render, under which names, and with which
//! values imported from them.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::Compat;
use super::chart::{Chart, Dependency};
use super::value::{Map, Value};
use super::values::coalesce::{coalesce_tables, coalesce_values, deep_copy, merge_values};
use super::values::{Tree, Values};

/// A chart in one place of one render.
pub(crate) struct Instance {
    pub(crate) chart: Chart,
    /// The alias, else the name.
    pub(crate) name: String,
    /// Dependencies that are left on; `None` if the chart lists none.
    pub(crate) dependencies: Vec<Dependency>,
    listed: bool,
    pub(crate) children: Vec<Instance>,
    /// Values after imports, which replace the chart's own.
    imported: RefCell<Option<Map>>,
}

impl Instance {
    /// The chart as it is, with its vendored charts below it.
    pub(crate) fn new(chart: &Chart, name: &str) -> Self {
        Self {
            chart: chart.clone(),
            name: name.to_owned(),
            dependencies: chart.dependencies().to_vec(),
            listed: !chart.dependencies().is_empty(),
            children: chart
                .0
                .children
                .iter()
                .map(|child| {
                    let name = child.supplied.as_deref().unwrap_or_else(|| child.chart.name());
                    Self::new(&child.chart, name)
                })
                .collect(),
            imported: RefCell::new(None),
        }
    }

    /// A fresh copy of the chart's default values.
    pub(crate) fn default_values(&self, compat: Compat) -> Map {
        match (&*self.imported.borrow(), &self.chart.0.first_values) {
            (Some(map), _) => deep_copy(map),
            (None, Some(first)) if compat == Compat::V3_19 => thaw(first),
            (None, _) => thaw(&self.chart.0.values),
        }
    }

    /// Keeps the dependencies that conditions and tags leave on, here and below.
    pub(crate) fn keep_enabled(&mut self, values: &Map, path: &str, compat: Compat) -> Result<(), String> {
        if !self.listed {
            return Ok(());
        }
        self.resolve_names();
        let coalesced = coalesce_values(self, values, compat)?;
        let root = Value::Map(coalesced.clone());
        let off: BTreeSet<String> = self
            .dependencies
            .iter()
            .filter(|dependency| !is_on(dependency, &root, path))
            .map(|dependency| dependency.key().to_owned())
            .collect();
        self.children.retain(|child| !off.contains(&child.name));
        self.dependencies.retain(|dependency| !off.contains(dependency.key()));
        for child in &mut self.children {
            let path = format!("{path}{}.", child.name);
            child.keep_enabled(&coalesced, &path, compat)?;
        }
        self.listed = !self.dependencies.is_empty();
        Ok(())
    }

    /// Gives every listed dependency a chart under its key; charts that nobody lists stay.
    fn resolve_names(&mut self) {
        let data = &self.chart.0;
        let mut children: Vec<Self> = data
            .children
            .iter()
            .filter(|child| child.supplied.is_none())
            .filter(|child| !self.dependencies.iter().any(|dependency| dependency.fits(&child.chart)))
            .map(|child| Self::new(&child.chart, child.chart.name()))
            .collect();
        for dependency in &self.dependencies {
            if let Some(chart) = self.chart.dependency_chart(dependency) {
                children.push(Self::new(chart, dependency.key()));
            }
        }
        self.children = children;
    }

    /// Imports values of children, from the leaves up.
    pub(crate) fn import_values(&self, compat: Compat) -> Result<(), String> {
        for child in &self.children {
            child.import_values(compat)?;
        }
        if !self.listed {
            return Ok(());
        }
        let values = merge_values(self, &Map::new(), compat)?;
        let imports = Map::new();
        for dependency in &self.dependencies {
            for import in &dependency.import_values {
                let (child, parent) = match import {
                    Json::String(name) => (format!("exports.{name}"), ".".to_owned()),
                    Json::Object(map) => (json_text(map.get("child")), json_text(map.get("parent"))),
                    _ => continue,
                };
                let path = format!("{}.{child}", dependency.key());
                let Some(Value::Map(table)) = at_path(&Value::Map(values.clone()), &path) else {
                    continue;
                };
                coalesce_tables(&imports, &nested(&parent, table), true, compat);
            }
        }
        let merged = deep_copy(&values);
        coalesce_tables(&merged, &imports, true, compat);
        *self.imported.borrow_mut() = Some(merged);
        Ok(())
    }
}

/// Go's `%v` of a field of the map form.
fn json_text(json: Option<&Json>) -> String {
    match json {
        Some(Json::String(text)) => text.clone(),
        None | Some(Json::Null) => "<nil>".to_owned(),
        Some(other) => other.to_string(),
    }
}

fn nested(path: &str, table: Map) -> Map {
    if path == "." {
        return table;
    }
    path.split('.').rev().fold(table, |inner, key| Map::from_pairs([(key, Value::Map(inner))]))
}

/// Makes mutable values of frozen ones.
pub(crate) fn thaw(values: &super::values::TreeMap) -> Map {
    match Value::from_tree(&Tree::Map(values.clone())) {
        Value::Map(map) => map,
        _ => Map::new(),
    }
}

fn at_path(root: &Value, path: &str) -> Option<Value> {
    path.split('.').try_fold(root.clone(), |value, key| match value {
        Value::Map(map) => map.get(key.as_bytes()),
        _ => None,
    })
}

/// Tags first, then the first boolean that the condition's paths find.
fn is_on(dependency: &Dependency, root: &Value, path: &str) -> bool {
    let mut on = true;
    if let Some(Value::Map(tags)) = at_path(root, "tags") {
        let flags: Vec<bool> = dependency
            .tags
            .iter()
            .filter_map(|tag| match tags.get(tag.as_bytes()) {
                Some(Value::Bool(flag)) => Some(flag),
                _ => None,
            })
            .collect();
        on = flags.is_empty() || flags.contains(&true);
    }
    for condition in dependency.condition.trim().split(',').filter(|condition| !condition.is_empty()) {
        if let Some(Value::Bool(flag)) = at_path(root, &format!("{path}{condition}")) {
            return flag;
        }
    }
    on
}

/// The keys of the dependencies that conditions and tags leave on, in the order of the chart.
///
/// ```
/// use moorline::helm::{Chart, Values, enabled_dependencies};
///
/// # let chart = |text: &str| Chart::from_files([("Chart.yaml".to_owned(), text.as_bytes().into())]);
/// let umbrella = chart("apiVersion: v2
/// name: shop
/// version: 1.0.0
/// dependencies:
/// - {name: web, version: '*', alias: front}
/// - {name: mail, version: '*', condition: mail.enabled}
/// ")?;
/// let layers = [Values::parse(b"mail: {enabled: false}")?];
/// assert_eq!(enabled_dependencies(&umbrella, &layers)?, ["front"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn enabled_dependencies(chart: &Chart, layers: &[Values]) -> Result<Vec<String>, super::RenderError> {
    let mut instance = Instance::new(chart, chart.name());
    let values = user_values(layers);
    instance
        .keep_enabled(&values, "", Compat::default())
        .map_err(|message| super::RenderError::of_values(chart.name(), message))?;
    Ok(instance.dependencies.iter().map(|dependency| dependency.key().to_owned()).collect())
}

/// All layers as one mutable map.
pub(crate) fn user_values(layers: &[Values]) -> Map {
    let mut layers = layers.iter();
    let Some(first) = layers.next() else {
        return Map::new();
    };
    let merged = layers.fold(first.clone(), |merged, layer| merged.merge(layer));
    thaw(&merged.0)
}
