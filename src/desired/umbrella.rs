//! An environment's folder as a Helm umbrella chart: which of its dependencies are applications.

mod inputs;

use std::collections::{BTreeMap, BTreeSet};

use self::inputs::Inputs;
use super::dependencies::{Home, Outside, Supplied, Supply, outside};
use super::document::Document;
use crate::helm::{Chart, ChartError, Dependency, Values, enabled_dependencies};
use crate::model::chart::ChartNeed;
use crate::model::digest::Digest;
use crate::model::fault::{Fault, FaultScope};
use crate::model::name::EnvironmentName;
use crate::model::source::{File, FileContent, FileTree};

/// The umbrella of an environment.
#[derive(Clone, Debug)]
pub struct Umbrella {
    chart: Chart,
    applications: BTreeSet<String>,
    declared: BTreeSet<String>,
    own_templates: bool,
    needed: BTreeMap<String, ChartNeed>,
    fetched: BTreeSet<ChartNeed>,
    inputs: Inputs,
}

impl Umbrella {
    /// Reads the folder; absent if it is no chart, or one that cannot be used.
    pub(super) fn read(
        name: &EnvironmentName,
        folder: &FileTree,
        tree: &FileTree,
        supply: &Supply,
        faults: &mut Vec<Fault>,
    ) -> Option<Self> {
        let reporter = Reporter { environment: name, folder };
        if folder.get("Chart.yaml").is_none() {
            for stray in ["charts", "templates"] {
                if folder.has_folder(stray) {
                    let hint = Some("add Chart.yaml, or remove the folder".to_owned());
                    faults.push(reporter.whole(stray, "needs a Chart.yaml beside it", hint));
                }
            }
            return None;
        }
        let chart = match chart_of(folder) {
            Ok(chart) => chart,
            Err(why) => {
                faults.push(reporter.of_chart(why));
                return None;
            }
        };
        for unlisted in chart.unlisted() {
            let message = "is not a dependency of Chart.yaml".to_owned();
            let hint = Some(format!("list {unlisted} under dependencies, or remove the folder"));
            faults.push(reporter.whole(&format!("charts/{unlisted}"), &message, hint));
        }
        let path = format!("environments/{name}");
        let home = Home { folder, tree: Some(tree), path: &path };
        let (mut needed, mut fetched) = (BTreeMap::new(), BTreeSet::new());
        let mut supplied: Vec<(String, Supplied)> = Vec::new();
        let mut broken = Vec::new();
        for (dependency, outside) in outside(&chart, &home, supply) {
            let key = dependency.key().to_owned();
            match outside {
                Outside::At(found, need) => {
                    fetched.extend(need);
                    supplied.push((key, found));
                }
                Outside::Needed(need) => {
                    needed.insert(key, need);
                }
                fault @ Outside::Fault { .. } => broken.push((dependency, fault)),
            }
        }
        let chart = with_charts(chart, &supplied);
        let layers = layers(name, folder, tree, &chart, faults);
        let enabled = match enabled_dependencies(&chart, &layers) {
            Ok(enabled) => enabled,
            Err(error) => {
                faults.push(reporter.whole("Chart.yaml", &error.to_string(), None));
                return None;
            }
        };
        let is_library =
            |dependency: &Dependency| chart.dependency_chart(dependency).is_some_and(Chart::is_library);
        let is_on = |key: &str| enabled.iter().any(|one| one == key);
        let applications: BTreeSet<String> = chart
            .dependencies()
            .iter()
            .filter(|dependency| is_on(dependency.key()) && !is_library(dependency))
            .map(|dependency| dependency.key().to_owned())
            .collect();
        for (dependency, fault) in broken.iter().filter(|(one, _)| applications.contains(one.key())) {
            faults.push(reporter.missing(dependency, fault));
        }
        needed.retain(|key, _| is_on(key));
        fetched.extend(needed.values().cloned());
        let declared = chart.dependencies().iter().map(|dependency| dependency.key().to_owned()).collect();
        let own_templates =
            folder.has_folder("crds") || folder.below("templates").any(|(path, _)| is_template(path));
        let inputs = Inputs::new(folder, &chart, &applications, &supplied);
        Some(Self { chart, applications, declared, own_templates, needed, fetched, inputs })
    }

    /// An umbrella for environments whose folder is no chart: charts of code repositories are put into it.
    pub fn plain(environment: &EnvironmentName) -> Result<Chart, ChartError> {
        let text = format!("apiVersion: v2\nname: {environment}\nversion: 0.0.0\n");
        Chart::from_files([("Chart.yaml".to_owned(), text.as_bytes().into())])
    }

    /// The chart.
    pub fn chart(&self) -> &Chart {
        &self.chart
    }

    /// Keys of dependencies that are applications: switched on, and no libraries.
    pub fn applications(&self) -> impl Iterator<Item = &str> {
        self.applications.iter().map(String::as_str)
    }

    /// Whether a dependency has this key, switched on or not.
    pub fn names(&self, key: &str) -> bool {
        self.declared.contains(key)
    }

    /// Whether the umbrella has templates of its own.
    pub fn has_own_templates(&self) -> bool {
        self.own_templates
    }

    /// Charts that have to be fetched before the dependencies with these keys can be rendered. Whether they are
    /// applications or libraries is not known yet.
    pub fn needed(&self) -> &BTreeMap<String, ChartNeed> {
        &self.needed
    }

    /// All charts that come from chart repositories, fetched already or not.
    pub fn fetched(&self) -> &BTreeSet<ChartNeed> {
        &self.fetched
    }

    /// The digest of what an application can see of the umbrella: neither other services' layers nor other
    /// dependencies' charts. `key` is absent for the umbrella's own templates.
    pub fn inputs(&self, folder: &FileTree, key: Option<&str>) -> Digest {
        self.inputs.of(folder, key)
    }
}

/// The chart with those of its dependencies that are at hand.
fn with_charts(chart: Chart, supplied: &[(String, Supplied)]) -> Chart {
    if supplied.is_empty() {
        return chart;
    }
    chart.with_dependency_charts(supplied.iter().map(|(key, supplied)| (key.clone(), supplied.chart.clone())))
}

fn is_template(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    !name.starts_with('_') && !name.starts_with('.') && name != "NOTES.txt"
}

/// Why a folder is no usable chart.
#[derive(Debug)]
pub enum UnusableChart {
    /// A file has no bytes to read.
    File(String, &'static str),
    /// The engine refuses it.
    Chart(ChartError),
}

/// The files of a folder as a chart. Links, submodules and LFS pointers are faults, never left out silently.
pub fn chart_of(folder: &FileTree) -> Result<Chart, UnusableChart> {
    let mut files = Vec::with_capacity(folder.len());
    for (path, file) in folder.iter() {
        match &file.content {
            FileContent::Bytes(bytes) => files.push((path.to_owned(), bytes.clone())),
            other => {
                let why = other.bytes().err().unwrap_or("cannot be read");
                return Err(UnusableChart::File(path.to_owned(), why));
            }
        }
    }
    Chart::from_files(files).map_err(UnusableChart::Chart)
}

/// All layers of an environment, in Helm's order, for conditions and tags. A layer that cannot be read is a
/// fault of the service it belongs to, or of the environment.
fn layers(
    name: &EnvironmentName,
    folder: &FileTree,
    tree: &FileTree,
    chart: &Chart,
    faults: &mut Vec<Fault>,
) -> Vec<Values> {
    let keys: Vec<&str> = chart.dependencies().iter().map(Dependency::key).collect();
    let mut layers = Vec::new();
    let mut add = |path: String, file: Option<&File>, key: Option<&str>| {
        let Some(file) = file else { return };
        let scope = match key.map(str::parse) {
            Some(Ok(service)) => FaultScope::Application(name.clone(), service),
            _ => FaultScope::Environment(name.clone()),
        };
        match read_layer(&path, file, &scope) {
            Ok(values) => layers.push(match key {
                Some(key) => values.under(key),
                None => values,
            }),
            Err(fault) => faults.push(*fault),
        }
    };
    add("base/values.yaml".to_owned(), tree.get("base/values.yaml"), None);
    for key in &keys {
        let path = format!("base/{key}.yaml");
        add(path.clone(), tree.get(&path), Some(key));
    }
    add(format!("environments/{name}/values.yaml"), folder.get("values.yaml"), None);
    for key in &keys {
        let file = format!("{key}.yaml");
        add(format!("environments/{name}/{file}"), folder.get(&file), Some(key));
    }
    layers
}

/// Parses one layer with the engine's reader; duplicate keys are a fault.
pub(super) fn read_layer(path: &str, file: &File, scope: &FaultScope) -> Result<Values, Box<Fault>> {
    let fault = |line, column, message: String| {
        let (file, scope) = (path.to_owned(), scope.clone());
        Box::new(Fault { file, line, column, message, hint: None, scope })
    };
    let bytes = file.content.bytes().map_err(|why| fault(0, 0, why.to_owned()))?;
    Values::parse_strict(bytes).map_err(|error| fault(error.line, error.column, error.message.clone()))
}

struct Reporter<'a> {
    environment: &'a EnvironmentName,
    folder: &'a FileTree,
}

impl Reporter<'_> {
    fn whole(&self, file: &str, message: &str, hint: Option<String>) -> Fault {
        let scope = FaultScope::Environment(self.environment.clone());
        let file = format!("environments/{}/{file}", self.environment);
        Fault { file, line: 0, column: 0, message: message.to_owned(), hint, scope }
    }

    fn of_chart(&self, why: UnusableChart) -> Fault {
        match why {
            UnusableChart::File(path, why) => self.whole(&path, why, None),
            UnusableChart::Chart(error) => match error.place() {
                Some((file, line, column)) => {
                    Fault { line, column, ..self.whole(file, &error.to_string(), None) }
                }
                None => self.whole("Chart.yaml", &error.to_string(), None),
            },
        }
    }

    fn missing(&self, dependency: &Dependency, why: &Outside) -> Fault {
        let key = dependency.key();
        let (own, message, hint) = match why {
            Outside::Fault { file, message, hint } => (*file, message.as_str(), Some(hint.clone())),
            Outside::At(..) | Outside::Needed(_) => (None, "is not there", None),
        };
        let scope = match key.parse() {
            Ok(service) => FaultScope::Application(self.environment.clone(), service),
            Err(_) => FaultScope::Environment(self.environment.clone()),
        };
        let (file, (line, column)) = match own {
            Some(file) => (file, (0, 0)),
            None => dependency_place(self.folder, key),
        };
        Fault { line, column, scope, ..self.whole(file, message, hint) }
    }
}

/// Where a dependency is listed: in `Chart.yaml`, or in `requirements.yaml` of older charts.
pub(super) fn dependency_place(folder: &FileTree, key: &str) -> (&'static str, (usize, usize)) {
    let find = |file: &'static str| {
        let document = Document::parse(file, folder.get(file)?, FaultScope::Nothing);
        let place = |by| document.place_of_item("dependencies", by, key);
        Some((file, place("alias").or_else(|| place("name"))?))
    };
    ["Chart.yaml", "requirements.yaml"].into_iter().find_map(find).unwrap_or(("Chart.yaml", (0, 0)))
}
