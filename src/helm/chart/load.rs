//! Makes a chart of files: metadata, values, templates, and the charts in `charts/`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::archive::Budget;
use super::ignore::Rules;
use super::metadata::{Metadata, dependencies};
use super::{Chart, ChartData, ChartTemplate, Child, archive};
use crate::helm::value::Text;
use crate::helm::values::{Tree, TreeMap};
use crate::helm::yaml::{self, YamlError, YamlLimits};

/// A chart that cannot be read. The text is Helm's.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// A YAML file of the chart is broken.
    #[error("{helm}")]
    Yaml {
        /// The file, relative to the chart.
        file: String,
        /// What is wrong and where.
        #[source]
        error: YamlError,
        /// Helm's sentence.
        helm: String,
    },
    /// `Chart.yaml` or `requirements.yaml` says something impossible.
    #[error("{0}")]
    Metadata(String),
    /// `Chart.yaml` is not there.
    #[error("Chart.yaml file is missing")]
    NoChartFile,
    /// `.helmignore` is broken.
    #[error("{0}")]
    Ignore(String),
    /// An archive cannot be unpacked.
    #[error("{0}")]
    Archive(String),
    /// A chart inside this one cannot be read.
    #[error("error unpacking subchart {entry} in {parent}: {source}")]
    Subchart {
        /// The entry in `charts/`.
        entry: String,
        /// The chart around it.
        parent: String,
        /// What is wrong with it.
        source: Box<ChartError>,
    },
    /// Charts inside charts go too deep.
    #[error("charts are nested deeper than {0} levels")]
    TooDeep(usize),
}

impl ChartError {
    /// The file and place inside the chart, if the error has one.
    pub fn place(&self) -> Option<(&str, usize, usize)> {
        match self {
            Self::Yaml { file, error, .. } => Some((file, error.line, error.column)),
            Self::Subchart { source, .. } => source.place(),
            _ => None,
        }
    }
}

const DEPTH: usize = 32;

type Files = BTreeMap<String, Arc<[u8]>>;

/// A chart folder: the rules of `.helmignore` apply to the whole tree.
pub(super) fn from_folder(files: impl IntoIterator<Item = (String, Arc<[u8]>)>) -> Result<Chart, ChartError> {
    let files: Files = files.into_iter().collect();
    let text =
        files.get(".helmignore").map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
    let rules = Rules::parse(&text).map_err(ChartError::Ignore)?;
    let mut kept: Vec<(String, Arc<[u8]>)> = Vec::with_capacity(files.len());
    for (path, bytes) in files {
        if !is_ignored(&rules, &path) {
            kept.push((path, bytes));
        }
    }
    load(walk_order(kept), 0, &mut Budget::default())
}

fn is_ignored(rules: &Rules, path: &str) -> bool {
    path.match_indices('/').any(|(index, _)| rules.ignores(path.get(..index).unwrap_or(path), true))
        || rules.ignores(path, false)
}

/// Files in the order of a directory walk: by path parts, not by whole strings.
fn walk_order(mut files: Vec<(String, Arc<[u8]>)>) -> Vec<(String, Arc<[u8]>)> {
    files.sort_by(|left, right| left.0.split('/').cmp(right.0.split('/')));
    files
}

/// A packaged chart.
pub(super) fn from_archive(bytes: &[u8]) -> Result<Chart, ChartError> {
    let mut budget = Budget::default();
    load(archive::unpack(bytes, &mut budget)?, 0, &mut budget)
}

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

fn yaml_error(file: &str, error: YamlError, prefix: &str) -> ChartError {
    let helm = format!("{prefix}error converting YAML to JSON: {}", error.helm);
    ChartError::Yaml { file: file.to_owned(), error, helm }
}

fn read_json(file: &str, bytes: &[u8], prefix: &str) -> Result<serde_json::Value, ChartError> {
    yaml::read_first(bytes, YamlLimits::default()).map_err(|error| yaml_error(file, error, prefix))
}

fn load(files: Vec<(String, Arc<[u8]>)>, depth: usize, budget: &mut Budget) -> Result<Chart, ChartError> {
    if depth > DEPTH {
        return Err(ChartError::TooDeep(DEPTH));
    }
    let mut metadata = None;
    for (path, bytes) in &files {
        if path == "Chart.yaml" {
            let json = read_json(path, without_mark(bytes), "cannot load Chart.yaml: ")?;
            let mut read = Metadata::from_json(&json)
                .map_err(|message| ChartError::Metadata(format!("cannot load Chart.yaml: {message}")))?;
            if read.api_version.is_empty() {
                "v1".clone_into(&mut read.api_version);
            }
            metadata = Some(read);
        }
    }
    let Some(mut metadata) = metadata else {
        return Err(ChartError::NoChartFile);
    };
    let mut parts = Parts::default();
    for (path, bytes) in files {
        parts.add(path, without_mark(&bytes), &mut metadata)?;
    }
    metadata.validate().map_err(ChartError::Metadata)?;
    let children = parts.children(&metadata.name, depth, budget)?;
    let mut files = parts.files;
    files.sort();
    Ok(Chart(Arc::new(ChartData {
        metadata,
        values: parts.values,
        templates: parts.templates,
        files: files.into(),
        schema: parts.schema,
        children,
        outdated_requirements: parts.outdated_requirements,
        first_values: parts.first_values,
    })))
}

/// Whether a name ends in an extension, in exactly these letters, as Helm asks for.
fn has_extension(name: &str, extension: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, end)| end == extension)
}

/// A file of a chart.
type NamedBytes = (String, Arc<[u8]>);

#[derive(Default)]
struct Parts {
    values: TreeMap,
    templates: Vec<ChartTemplate>,
    files: Vec<(Text, Text)>,
    schema: Option<Text>,
    outdated_requirements: bool,
    first_values: Option<TreeMap>,
    charts: BTreeMap<String, Vec<NamedBytes>>,
}

impl Parts {
    fn add(&mut self, path: String, bytes: &[u8], metadata: &mut Metadata) -> Result<(), ChartError> {
        match path.as_str() {
            "Chart.yaml" | "Chart.lock" => {}
            "values.yaml" => {
                self.values = yaml::read_values(bytes, false).map_err(|error| {
                    let helm = if error.helm.starts_with("error unmarshaling") {
                        format!("cannot load values.yaml: cannot unmarshal yaml document: {}", error.helm)
                    } else {
                        format!(
                            "cannot load values.yaml: cannot unmarshal yaml document: error converting YAML to JSON: {}",
                            error.helm
                        )
                    };
                    ChartError::Yaml { file: path.clone(), error, helm }
                })?;
                if memchr::memmem::find(bytes, b"\n---").is_some() {
                    let first: Tree = yaml::read_first(bytes, YamlLimits::default())
                        .map_err(|error| yaml_error(&path, error, "cannot load values.yaml: "))?;
                    self.first_values = Some(match first {
                        Tree::Map(map) => map,
                        _ => TreeMap::default(),
                    });
                }
            }
            "values.schema.json" if bytes.is_empty() => {}
            "values.schema.json" => self.schema = Some(Text::from(bytes)),
            "requirements.yaml" => {
                let json = read_json(&path, bytes, "cannot load requirements.yaml: ")?;
                let listed = dependencies(&json).map_err(ChartError::Metadata)?;
                if !listed.is_empty() {
                    metadata.dependencies = listed;
                }
                self.outdated_requirements = metadata.api_version != "v1";
                if metadata.api_version == "v1" {
                    self.files.push((Text::from(path), Text::from(bytes)));
                }
            }
            "requirements.lock" => {
                if metadata.api_version == "v1" {
                    self.files.push((Text::from(path), Text::from(bytes)));
                }
            }
            _ if path.starts_with("templates/") => {
                self.templates.push(ChartTemplate::new(Text::from(path), Text::from(bytes)));
            }
            _ if path.starts_with("charts/") => self.add_chart_file(&path, bytes),
            _ => self.files.push((Text::from(path), Text::from(bytes))),
        }
        Ok(())
    }

    fn add_chart_file(&mut self, path: &str, bytes: &[u8]) {
        if has_extension(path, "prov") {
            self.files.push((Text::from(path), Text::from(bytes)));
            return;
        }
        let inner = path.strip_prefix("charts/").unwrap_or(path);
        let (entry, rest) = inner.split_once('/').unwrap_or((inner, ""));
        let name = if rest.is_empty() { inner } else { rest };
        self.charts.entry(entry.to_owned()).or_default().push((name.to_owned(), Arc::from(bytes)));
    }

    fn children(
        &mut self,
        parent: &str,
        depth: usize,
        budget: &mut Budget,
    ) -> Result<Vec<Child>, ChartError> {
        let mut children = Vec::new();
        for (entry, files) in std::mem::take(&mut self.charts) {
            if entry.starts_with(['_', '.']) {
                continue;
            }
            let chart = if has_extension(&entry, "tgz") {
                match files.as_slice() {
                    [(name, bytes)] if *name == entry => {
                        archive::unpack(bytes, budget).and_then(|files| load(files, depth + 1, budget))
                    }
                    _ => Err(ChartError::Archive(format!(
                        "error unpacking subchart tar in {parent}: expected {entry}"
                    ))),
                }
            } else {
                load(files, depth + 1, budget)
            };
            let chart = chart.map_err(|source| ChartError::Subchart {
                entry: entry.clone(),
                parent: parent.to_owned(),
                source: Box::new(source),
            })?;
            children.push(Child { entry, supplied: None, chart });
        }
        Ok(children)
    }
}
