//! Which of the charts inside a chart take part in a render, under which names, and with which
//! values imported from them.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::Compat;
use super::chart::{Chart, Dependency};
use super::notices::Notices;
use super::value::{Entries, Map, Value, convert};
use super::values::coalesce::{coalesce_values, deep_copy, merge_tables, merge_values};
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
    /// The name in the paths of what is below, where that is another one.
    pub(crate) original: Option<String>,
    /// Whether dependencies that have no say in the render are left out from the beginning.
    narrowed: bool,
}

impl Instance {
    /// The chart as it is, with its vendored charts below it.
    pub(crate) fn new(chart: &Chart, name: &str) -> Self {
        Self {
            chart: chart.clone(),
            name: name.to_owned(),
            dependencies: chart.dependencies().to_vec(),
            listed: chart.0.metadata.lists_dependencies,
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
            original: None,
            narrowed: false,
        }
    }

    /// The chart for a render of one dependency: only this one and libraries, so that the cost does not grow with the
    /// siblings. `None` where a sibling may have a say: through imports, through a condition that its defaults answer,
    /// through a schema of the whole, or through what Helm 3 shares between copies of a chart.
    pub(crate) fn of_member(chart: &Chart, key: &str, compat: Compat) -> Option<Self> {
        let listed = chart.dependencies();
        let wanted = listed.iter().find(|dependency| dependency.key() == key)?;
        let imports = listed.iter().any(|dependency| !dependency.import_values.is_empty());
        if compat == Compat::V3_19 || imports || chart.0.schema.is_some() {
            return None;
        }
        let tags = if wanted.tags.is_empty() { None } else { Some("tags") };
        let asked = wanted.condition.split(',').map(|path| path.trim().split('.').next().unwrap_or(""));
        let asked: BTreeSet<&str> = asked.chain(tags).filter(|name| *name != key).collect();
        if listed.iter().any(|sibling| asked.contains(sibling.key()))
            || chart.0.children.iter().any(|child| asked.contains(child.chart.name()))
        {
            return None;
        }
        let libraries: BTreeSet<&str> = chart
            .0
            .children
            .iter()
            .filter(|child| child.chart.is_library())
            .map(|child| child.supplied.as_deref().unwrap_or_else(|| child.chart.name()))
            .collect();
        let needed = |dependency: &&Dependency| {
            dependency.key() == key
                || libraries.contains(dependency.name.as_str())
                || libraries.contains(dependency.key())
        };
        Some(Self {
            chart: chart.clone(),
            name: chart.name().to_owned(),
            dependencies: listed.iter().filter(needed).cloned().collect(),
            listed: true,
            children: Vec::new(),
            imported: RefCell::new(None),
            original: None,
            narrowed: true,
        })
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
    pub(crate) fn keep_enabled(&mut self, values: &Map, path: &str, notices: &Notices) -> Result<(), String> {
        if !self.listed {
            return Ok(());
        }
        self.resolve_names(notices.compat);
        let coalesced = coalesce_values(self, values, notices)?;
        let root = Value::Map(coalesced.clone());
        let tagged: Vec<bool> =
            self.dependencies.iter().map(|dependency| on_by_tags(dependency, &root, notices)).collect();
        let off: BTreeSet<String> = self
            .dependencies
            .iter()
            .zip(tagged)
            .filter(|(dependency, tagged)| {
                !on_by_condition(dependency, &root, path, notices).unwrap_or(*tagged)
            })
            .map(|(dependency, _)| dependency.key().to_owned())
            .collect();
        self.children.retain(|child| !off.contains(&child.name));
        self.dependencies.retain(|dependency| !off.contains(dependency.key()));
        for child in &mut self.children {
            let path = format!("{path}{}.", child.name);
            child.keep_enabled(&coalesced, &path, notices)?;
        }
        self.listed = !self.dependencies.is_empty();
        Ok(())
    }

    /// Gives every listed dependency a chart under its key; charts that nobody lists stay.
    fn resolve_names(&mut self, compat: Compat) {
        let data = &self.chart.0;
        let mut children: Vec<Self> = data
            .children
            .iter()
            .filter(|child| child.supplied.is_none() && (!self.narrowed || child.chart.is_library()))
            .filter(|child| !self.lists(&child.chart))
            .map(|child| Self::new(&child.chart, child.chart.name()))
            .collect();
        for dependency in &self.dependencies {
            if let Some(chart) = self.chart.dependency_chart(dependency) {
                let mut child = Self::new(chart, dependency.key());
                if compat == Compat::V3_19 {
                    child.share_as_helm_3_does(&children);
                }
                children.push(child);
            }
        }
        self.children = children;
    }

    fn lists(&self, chart: &Chart) -> bool {
        let listed = if self.narrowed { self.chart.dependencies() } else { &self.dependencies };
        listed.iter().any(|dependency| dependency.fits(chart))
    }

    /// Copies of one chart share their metadata and their charts in Helm 3: what the first one
    /// changed there, the next ones find, and what is below an alias keeps the path of the original.
    fn share_as_helm_3_does(&mut self, others: &[Self]) {
        if !self.listed {
            self.original = Some(self.chart.name().to_owned());
        }
        if others.iter().any(|other| std::sync::Arc::ptr_eq(&other.chart.0, &self.chart.0)) {
            for dependency in &mut self.dependencies {
                dependency.import_values.clear();
                if let Some(alias) = &dependency.alias {
                    dependency.name.clone_from(alias);
                }
            }
        }
    }

    /// Imports values of children, from the leaves up.
    pub(crate) fn import_values(&self, notices: &Notices) -> Result<(), String> {
        for child in &self.children {
            child.import_values(notices)?;
        }
        if !self.listed {
            return Ok(());
        }
        let values = merge_values(self, &Map::new(), notices)?;
        let imports = Map::new();
        for dependency in &self.dependencies {
            let key = dependency.key();
            for import in &dependency.import_values {
                let (child, parent, named) = match import {
                    Json::String(name) => (format!("exports.{name}"), ".".to_owned(), false),
                    Json::Object(map) => (json_text(map.get("child")), json_text(map.get("parent")), true),
                    _ => continue,
                };
                match table(&Value::Map(values.clone()), &format!("{key}.{child}")) {
                    Ok(table) => merge_tables(&imports, &nested(&parent, table), notices),
                    Err(missing) => missing_table(notices, key, &missing, named),
                }
            }
        }
        // Only what is imported has parts in common with the values.
        let merged = if imports.read(Entries::len) == 0 { values } else { deep_copy(&values) };
        merge_tables(&merged, &imports, notices);
        *self.imported.borrow_mut() = Some(merged);
        Ok(())
    }
}

fn missing_table(notices: &Notices, chart: &str, missing: &str, named: bool) {
    let error = format!("{} is not a table", convert::quote(missing.as_bytes()));
    if named {
        let v3 =
            format!("dependencies.go:270: Warning: ImportValues missing table from chart {chart}: {error}");
        let fields = [("chart", chart), ("error", error.as_str())];
        notices.structured("WARN", "ImportValues missing table from chart", &fields, &v3);
    } else {
        let v3 = format!("dependencies.go:287: Warning: ImportValues missing table: {error}");
        notices.structured("WARN", "ImportValues missing table", &[("error", error.as_str())], &v3);
    }
}

/// Go's `%v` of a field of the map form.
pub(crate) fn json_text(json: Option<&Json>) -> String {
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

/// The table at a path; the error names the part that is none.
fn table(root: &Value, path: &str) -> Result<Map, String> {
    let mut table = match root {
        Value::Map(map) => map.clone(),
        _ => Map::new(),
    };
    for name in path.split('.') {
        table = match table.get(name.as_bytes()) {
            Some(Value::Map(inner)) => inner,
            _ => return Err(name.to_owned()),
        };
    }
    Ok(table)
}

fn on_by_tags(dependency: &Dependency, root: &Value, notices: &Notices) -> bool {
    let Ok(tags) = table(root, "tags") else {
        return true;
    };
    let mut flags = Vec::new();
    for tag in &dependency.tags {
        match tags.get(tag.as_bytes()) {
            Some(Value::Bool(flag)) => flags.push(flag),
            None => {}
            Some(_) => {
                let chart = dependency.key();
                let v3 = format!(
                    "dependencies.go:95: Warning: Tag '{tag}' for chart {chart} returned non-bool value"
                );
                let fields = [("tag", tag.as_str()), ("chart", chart)];
                notices.structured("WARN", "returned non-bool value", &fields, &v3);
            }
        }
    }
    flags.is_empty() || flags.contains(&true)
}

/// What the first boolean says that the condition's paths find.
fn on_by_condition(dependency: &Dependency, root: &Value, path: &str, notices: &Notices) -> Option<bool> {
    for condition in dependency.condition.trim().split(',').filter(|condition| !condition.is_empty()) {
        let whole = format!("{path}{condition}");
        let (tables, key) =
            whole.rsplit_once('.').map_or(("", whole.as_str()), |(tables, key)| (tables, key));
        let found = match (tables, root) {
            ("", Value::Map(map)) if !whole.contains('.') => map.get(key.as_bytes()),
            _ => table(root, tables).ok().and_then(|table| table.get(key.as_bytes())),
        };
        match found {
            Some(Value::Bool(flag)) => return Some(flag),
            None | Some(Value::Map(_)) => {}
            Some(_) => {
                let chart = dependency.key();
                let v3 = format!(
                    "dependencies.go:64: Warning: Condition path '{condition}' for chart {chart} returned non-bool value"
                );
                let fields = [("path", condition), ("chart", chart)];
                notices.structured("WARN", "returned non-bool value", &fields, &v3);
            }
        }
    }
    None
}

/// The keys of the dependencies that conditions and tags leave on, in the order of the chart.
///
/// ```
/// use moorline_helm::{Chart, Values, enabled_dependencies};
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
        .keep_enabled(&values, "", &Notices::new(Compat::default()))
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
