//! Makes a chart of files: metadata, values, templates, and the charts in `charts/`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::archive::Budget;
use super::decode::Misfit;
use super::dependency::{dependencies_over, lists_dependencies};
use super::ignore::IgnoreRules;
use super::lock;
use super::metadata::Metadata;
use super::remark::Remark;
use super::{Chart, ChartData, ChartTemplate, Child, archive};
use crate::Compat;
use crate::schema::Schema;
use crate::value::Text;
use crate::values::{Tree, TreeMap};
use crate::yaml::{self, YamlError, YamlLimits};

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
        /// Helm 3's sentence.
        helm_v3: String,
    },
    /// `Chart.yaml` or `requirements.yaml` says something impossible.
    #[error("{message}")]
    Metadata {
        /// Helm 4's sentence.
        message: String,
        /// Helm 3's sentence.
        message_v3: String,
    },
    /// Something is wrong, and Helm has remarks before it comes to that.
    #[error("{source}")]
    Remarked {
        /// The remarks, in order.
        remarks: Vec<Remark>,
        /// What is wrong.
        source: Box<ChartError>,
    },
    /// `Chart.yaml` names a format that Helm 4 does not know, which it says before all else. Helm 3 does not look.
    #[error("unsupported chart version")]
    UnknownFormat(Box<ChartError>),
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
    fn metadata(message: String) -> Self {
        Self::Metadata { message_v3: message.clone(), message }
    }

    fn misfit(file: &str, misfit: Misfit) -> Self {
        Self::Metadata {
            message: format!("cannot load {file}: {}", misfit.v4),
            message_v3: format!("cannot load {file}: {}", misfit.v3),
        }
    }

    /// The sentence of a particular Helm.
    pub fn sentence(&self, compat: Compat) -> String {
        match self {
            Self::Yaml { helm_v3, .. } if compat == Compat::V3_19 => helm_v3.clone(),
            Self::Metadata { message_v3, .. } if compat == Compat::V3_19 => message_v3.clone(),
            Self::Remarked { source, .. } => source.sentence(compat),
            Self::UnknownFormat(source) if compat == Compat::V3_19 => source.sentence(compat),
            Self::Subchart { entry, parent, source } => {
                format!("error unpacking subchart {entry} in {parent}: {}", source.sentence(compat))
            }
            other => other.to_string(),
        }
    }

    /// What Helm remarks before it.
    pub fn remarks(&self, compat: Compat) -> &[Remark] {
        match self {
            Self::Remarked { remarks, .. } => remarks,
            Self::UnknownFormat(source) if compat == Compat::V3_19 => source.remarks(compat),
            _ => &[],
        }
    }

    /// The file and place inside the chart, if the error has one.
    pub fn place(&self) -> Option<(&str, usize, usize)> {
        match self {
            Self::Yaml { file, error, .. } => Some((file, error.line, error.column)),
            Self::Subchart { source, .. } | Self::Remarked { source, .. } => source.place(),
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
    let rules = IgnoreRules::parse(&text).map_err(ChartError::Ignore)?;
    let mut kept: Vec<(String, Arc<[u8]>)> = Vec::with_capacity(files.len());
    for (path, bytes) in files {
        let folder = path.rfind('/').map_or("", |end| path.get(..=end).unwrap_or(""));
        // The last file that was kept often stands in the same folder.
        let known = kept.last().is_some_and(|(last, _)| last.starts_with(folder));
        if (known || !is_in_ignored(&rules, &path)) && !rules.ignores(&path, false) {
            kept.push((path, bytes));
        }
    }
    from_walk(walk_order(kept))
}

/// Files in the order of a walk through a chart's folder, without those that are ignored.
pub(super) fn from_walk(files: Vec<NamedBytes>) -> Result<Chart, ChartError> {
    load_top(files, &mut Budget::default())
}

/// Whether a folder that a file stands in is ignored.
fn is_in_ignored(rules: &IgnoreRules, path: &str) -> bool {
    path.match_indices('/').any(|(index, _)| rules.ignores(path.get(..index).unwrap_or(path), true))
}

/// Files in the order of a directory walk: by path parts, not by whole strings.
fn walk_order(mut files: Vec<(String, Arc<[u8]>)>) -> Vec<(String, Arc<[u8]>)> {
    files.sort_by(|left, right| ranks(&left.0).cmp(ranks(&right.0)));
    files
}

/// The bytes of a path such that the end of a part comes before all that may go on with it.
fn ranks(path: &str) -> impl Iterator<Item = u16> {
    path.bytes().map(|byte| if byte == b'/' { 0 } else { u16::from(byte) + 1 })
}

/// A packaged chart.
pub(super) fn from_archive(bytes: &[u8]) -> Result<Chart, ChartError> {
    let mut budget = Budget::default();
    load_top(archive::unpack(bytes, &mut budget)?, &mut budget)
}

/// The files of a packaged chart.
pub(super) fn files_of_archive(bytes: &[u8]) -> Result<Vec<NamedBytes>, ChartError> {
    archive::unpack(bytes, &mut Budget::default())
}

fn without_mark(bytes: Arc<[u8]>) -> Text {
    match bytes.strip_prefix(b"\xEF\xBB\xBF") {
        Some(rest) => Text::from(rest),
        None => Text::from(bytes),
    }
}

fn yaml_error(file: &str, error: YamlError) -> ChartError {
    let helm = format!("cannot load {file}: {}", error.unmarshal());
    ChartError::Yaml { file: file.to_owned(), error, helm_v3: helm.clone(), helm }
}

fn read_json(file: &str, bytes: &[u8]) -> Result<serde_json::Value, ChartError> {
    yaml::read_first(bytes, YamlLimits::default()).map_err(|error| yaml_error(file, error))
}

/// The outermost chart. Helm 4 looks at the version of its format, and of no other's, before anything else.
fn load_top(files: Vec<NamedBytes>, budget: &mut Budget) -> Result<Chart, ChartError> {
    let chart_file = files.iter().find(|(path, _)| path == "Chart.yaml").map(|(_, bytes)| bytes.clone());
    let mut remarks = Vec::new();
    load(files, 0, budget, &mut remarks).map_err(|source| {
        let error = if remarks.is_empty() {
            source
        } else {
            ChartError::Remarked { remarks, source: Box::new(source) }
        };
        match chart_file {
            Some(bytes) if names_unknown_format(&without_mark(bytes.clone())) => {
                ChartError::UnknownFormat(Box::new(error))
            }
            _ => error,
        }
    })
}

/// Whether a `Chart.yaml` says another `apiVersion` than those that Helm 4 knows.
fn names_unknown_format(chart_file: &[u8]) -> bool {
    let Ok(json) = read_json("Chart.yaml", chart_file) else {
        return false;
    };
    match json.get("apiVersion") {
        Some(serde_json::Value::String(version)) => !is_known_format(version),
        Some(serde_json::Value::Bool(_) | serde_json::Value::Number(_)) => true,
        _ => false,
    }
}

/// Whether Helm 4 knows the `apiVersion` of a chart.
pub(super) fn is_known_format(version: &str) -> bool {
    matches!(version, "" | "v1" | "v2" | "v3")
}

fn read_metadata(bytes: &[u8]) -> Result<Metadata, ChartError> {
    let json = read_json("Chart.yaml", bytes)?;
    let mut read = Metadata::from_json(&json).map_err(|misfit| ChartError::misfit("Chart.yaml", misfit))?;
    if read.api_version.is_empty() {
        "v1".clone_into(&mut read.api_version);
    }
    Ok(read)
}

/// `Chart.lock` is not used here, but Helm refuses a chart whose lock it cannot read.
fn check_lock(file: &str, bytes: &[u8]) -> Result<(), ChartError> {
    let json = read_json(file, bytes)?;
    lock::check(&json).map_err(|misfit| ChartError::misfit(file, misfit))
}

/// The older place of dependencies: a list here takes the place of the one in `Chart.yaml`, even where it is empty or
/// null; what its items leave out stays.
fn read_requirements(path: &str, bytes: &[u8], metadata: &mut Metadata) -> Result<(), ChartError> {
    let json = read_json(path, bytes)?;
    if !matches!(json, serde_json::Value::Object(_) | serde_json::Value::Null) {
        let misfit = Misfit::document(&json, "v2.Metadata", "chart.Metadata");
        return Err(ChartError::misfit(path, misfit));
    }
    let listed = dependencies_over(&json, &metadata.dependencies);
    let listed = listed.map_err(|misfit| ChartError::misfit(path, misfit))?;
    if json.get("dependencies").is_some() {
        metadata.take_dependencies(listed, lists_dependencies(&json));
    }
    Ok(())
}

fn load(
    files: Vec<NamedBytes>,
    depth: usize,
    budget: &mut Budget,
    remarks: &mut Vec<Remark>,
) -> Result<Chart, ChartError> {
    if depth > DEPTH {
        return Err(ChartError::TooDeep(DEPTH));
    }
    let before = remarks.len();
    let mut metadata = None;
    for (path, bytes) in &files {
        if path == "Chart.yaml" {
            let read = read_metadata(&without_mark(bytes.clone()))?;
            metadata = Some(read);
        }
    }
    let Some(mut metadata) = metadata else {
        return Err(ChartError::NoChartFile);
    };
    let mut parts = Parts { templates: Vec::with_capacity(files.len()), ..Parts::default() };
    for (path, bytes) in files {
        parts.add(path, without_mark(bytes), &mut metadata, remarks)?;
    }
    metadata.validate().map_err(ChartError::metadata)?;
    let children = parts.children(&metadata.name, depth, budget, remarks)?;
    let mut files = parts.files;
    files.sort();
    Ok(Chart(Arc::new(ChartData {
        metadata,
        values: parts.values,
        templates: parts.templates,
        files: files.into(),
        schema: parts.schema.map(|text| Arc::new(Schema::new(text))),
        children,
        remarks: remarks.get(before..).unwrap_or(&[]).into(),
        first_values: parts.first_values,
    })))
}

/// Whether a name ends in an extension, in exactly these letters, as Helm asks for.
fn has_extension(name: &str, extension: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, end)| end == extension)
}

/// A file of a chart.
pub(super) type NamedBytes = (String, Arc<[u8]>);

#[derive(Default)]
struct Parts {
    values: TreeMap,
    templates: Vec<ChartTemplate>,
    files: Vec<(Text, Text)>,
    schema: Option<Text>,
    first_values: Option<TreeMap>,
    charts: BTreeMap<String, Vec<NamedBytes>>,
}

impl Parts {
    fn add(
        &mut self,
        path: String,
        bytes: Text,
        metadata: &mut Metadata,
        remarks: &mut Vec<Remark>,
    ) -> Result<(), ChartError> {
        let is_outdated = metadata.api_version != "v1";
        match path.as_str() {
            "Chart.yaml" => {}
            "Chart.lock" => check_lock(&path, &bytes)?,
            "values.yaml" => self.add_values(&path, &bytes)?,
            "values.schema.json" => self.schema = Some(bytes),
            "requirements.yaml" => {
                if is_outdated {
                    remarks.push(Remark::OutdatedRequirements);
                }
                read_requirements(&path, &bytes, metadata)?;
                if !is_outdated {
                    self.files.push((Text::from(path), bytes));
                }
            }
            "requirements.lock" => {
                check_lock(&path, &bytes)?;
                if is_outdated {
                    remarks.push(Remark::OutdatedLock);
                } else {
                    self.files.push((Text::from(path), bytes));
                }
            }
            _ if path.starts_with("templates/") => {
                self.templates.push(ChartTemplate::new(Text::from(path), bytes));
            }
            _ if path.starts_with("charts/") => self.add_chart_file(&path, bytes),
            _ => self.files.push((Text::from(path), bytes)),
        }
        Ok(())
    }

    /// Helm 4 merges all documents, Helm 3 reads the first one.
    fn add_values(&mut self, path: &str, bytes: &[u8]) -> Result<(), ChartError> {
        let first = || yaml::read_first::<Tree>(bytes, YamlLimits::default());
        self.values = yaml::read_values(bytes, false).map_err(|error| {
            let helm = format!("cannot load values.yaml: {}", error.helm);
            let helm_v3 = match first().err() {
                Some(error) => error.unmarshal(),
                None => error.helm.replace("cannot unmarshal yaml document: ", ""),
            };
            let helm_v3 = format!("cannot load values.yaml: {helm_v3}");
            ChartError::Yaml { file: path.to_owned(), error, helm, helm_v3 }
        })?;
        // Helm 4 also evens out line ends before it reads, which the end of a block scalar shows.
        let uneven = bytes.last() != Some(&b'\n') || memchr::memchr(b'\r', bytes).is_some();
        let marked = bytes.starts_with(b"---") || memchr::memmem::find(bytes, b"\n---").is_some();
        if uneven || marked {
            self.first_values = Some(match first() {
                Ok(Tree::Map(map)) => map,
                _ => TreeMap::default(),
            });
        }
        Ok(())
    }

    fn add_chart_file(&mut self, path: &str, bytes: Text) {
        if has_extension(path, "prov") {
            self.files.push((Text::from(path), bytes));
            return;
        }
        let inner = path.strip_prefix("charts/").unwrap_or(path);
        let (entry, rest) = inner.split_once('/').unwrap_or((inner, ""));
        let name = if rest.is_empty() { inner } else { rest };
        self.charts.entry(entry.to_owned()).or_default().push((name.to_owned(), bytes.into()));
    }

    fn children(
        &mut self,
        parent: &str,
        depth: usize,
        budget: &mut Budget,
        remarks: &mut Vec<Remark>,
    ) -> Result<Vec<Child>, ChartError> {
        let mut children = Vec::new();
        for (entry, files) in std::mem::take(&mut self.charts) {
            if entry.starts_with(['_', '.']) {
                continue;
            }
            let chart = if has_extension(&entry, "tgz") {
                match files.as_slice() {
                    [(name, bytes)] if *name == entry => archive::unpack(bytes, budget)
                        .and_then(|files| load(files, depth + 1, budget, remarks)),
                    _ => Err(ChartError::Archive(format!(
                        "error unpacking subchart tar in {parent}: expected {entry}"
                    ))),
                }
            } else {
                load(files, depth + 1, budget, remarks)
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

#[cfg(test)]
mod tests {
    use super::from_folder;
    use crate::Compat;

    #[track_caller]
    fn refused(files: &[(&str, &str)]) -> [(String, usize); 2] {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().into()));
        let error = from_folder(files).expect_err("is refused");
        [Compat::V4_3, Compat::V3_19].map(|compat| (error.sentence(compat), error.remarks(compat).len()))
    }

    #[test]
    fn an_unknown_format_comes_before_all_else_in_helm_4() {
        let chart = "apiVersion: 2\nname: c\nversion: 0.1.0\n";
        let lock = "cannot load Chart.lock: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string into Go value of type chart.Lock";
        assert_eq!(
            refused(&[("Chart.yaml", chart), ("Chart.lock", "x")]),
            [("unsupported chart version".to_owned(), 0), (lock.to_owned(), 0)]
        );
        let [fourth, third] = refused(&[("Chart.yaml", "apiVersion: v9\nkeywords: a\n")]);
        assert_eq!(fourth.0, "unsupported chart version");
        assert!(third.0.contains("keywords"), "{third:?}");
    }

    #[test]
    fn remarks_come_before_errors() {
        let chart = |version: &str| format!("apiVersion: {version}\nname: c\nversion: 0.1.0\n");
        let remarked = |version: &str| {
            let chart = chart(version);
            refused(&[("Chart.yaml", chart.as_str()), ("requirements.yaml", "x")]).map(|(_, remarks)| remarks)
        };
        assert_eq!(remarked("v2"), [1, 1]);
        assert_eq!(remarked("v1"), [0, 0]);
        assert_eq!(remarked("v9"), [0, 1]);
        let (outer, inner) = (chart("v2"), "apiVersion: v2\nversion: 0.1.0\n");
        let below = [
            ("Chart.yaml", outer.as_str()),
            ("requirements.lock", "dependencies: []"),
            ("charts/a/Chart.yaml", inner),
            ("charts/a/requirements.yaml", "dependencies: []"),
        ];
        assert_eq!(refused(&below).map(|(_, remarks)| remarks), [2, 2], "and those of the charts inside");
    }
}
