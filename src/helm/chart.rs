//! A chart: its metadata, values, templates, files and the charts inside it. Immutable; reading
//! it from bytes is in [`load`] and [`archive`].

use std::sync::Arc;

use super::Compat;
use super::once::OncePerCompat;
use super::schema::Schema;
use super::template::{ParseError, Parsed, Words, parse};
use super::value::Text;
use super::value::object::FileTable;
use super::values::TreeMap;

mod archive;
pub(crate) mod decode;
pub(crate) mod dependency;
mod ignore;
mod load;
mod lock;
pub(crate) mod metadata;
mod remark;

pub use dependency::Dependency;
pub use ignore::IgnoreRules;
pub use load::ChartError;
pub use lock::{ChartLock, LockError, highest_version, is_exact_version};
pub(crate) use metadata::Metadata;
pub use remark::Remark;

/// A chart, parsed once and shared.
#[derive(Clone, Debug)]
pub struct Chart(pub(crate) Arc<ChartData>);

/// What a chart consists of.
#[derive(Debug)]
pub(crate) struct ChartData {
    pub(crate) metadata: Metadata,
    pub(crate) values: TreeMap,
    pub(crate) templates: Vec<ChartTemplate>,
    pub(crate) files: FileTable,
    pub(crate) schema: Option<Arc<Schema>>,
    pub(crate) children: Vec<Child>,
    /// Those of the charts inside come behind its own.
    pub(crate) remarks: Box<[Remark]>,
    /// The first document of values with several ones, which is all that Helm 3 reads.
    pub(crate) first_values: Option<TreeMap>,
}

/// A chart inside a chart.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    /// The entry in `charts/`, or the key it was supplied under.
    pub(crate) entry: String,
    /// Set for charts that did not come from `charts/`: the key of their dependency.
    pub(crate) supplied: Option<String>,
    pub(crate) chart: Chart,
}

/// A file of `templates/`.
#[derive(Debug)]
pub(crate) struct ChartTemplate {
    /// The path inside the chart.
    pub(crate) path: Text,
    pub(crate) text: Text,
    parsed: OncePerCompat<Result<Arc<Parsed>, ParseError>>,
}

impl ChartTemplate {
    /// A template that is not parsed yet.
    pub(crate) fn new(path: Text, text: Text) -> Self {
        Self { path, text, parsed: OncePerCompat::new() }
    }

    /// The compiled form, made at first use. Names in it are relative to the chart.
    pub(crate) fn parsed(&self, compat: Compat, words: &mut Words) -> Result<&Arc<Parsed>, ParseError> {
        self.parsed
            .get_or_init(compat, || parse(&self.path, &self.text, compat, words).map(Arc::new))
            .as_ref()
            .map_err(Clone::clone)
    }
}

impl Chart {
    /// Reads a chart from the files of its folder: paths relative to it, with slashes. The rules of
    /// folders apply (`.helmignore`).
    pub fn from_files(files: impl IntoIterator<Item = (String, Arc<[u8]>)>) -> Result<Self, ChartError> {
        load::from_folder(files)
    }

    /// Reads a chart from files in the order of a walk through its folder, without what `.helmignore` leaves out: for
    /// who has walked there.
    pub fn from_walk(files: Vec<(String, Arc<[u8]>)>) -> Result<Self, ChartError> {
        load::from_walk(files)
    }

    /// Reads a packaged chart: a gzipped tar with one folder in it.
    pub fn from_archive(bytes: &[u8]) -> Result<Self, ChartError> {
        load::from_archive(bytes)
    }

    /// A file of a packaged chart, by its path inside of it.
    pub fn file_of_archive(bytes: &[u8], path: &str) -> Result<Option<Arc<[u8]>>, ChartError> {
        let files = load::files_of_archive(bytes)?;
        Ok(files.into_iter().find(|(name, _)| name == path).map(|(_, bytes)| bytes))
    }

    /// The name in `Chart.yaml`.
    pub fn name(&self) -> &str {
        &self.0.metadata.name
    }

    /// The version in `Chart.yaml`.
    pub fn version(&self) -> &str {
        &self.0.metadata.version
    }

    /// The version of what the chart installs; empty if not given.
    pub fn app_version(&self) -> &str {
        &self.0.metadata.app_version
    }

    /// Whether it only lends templates to other charts.
    pub fn is_library(&self) -> bool {
        self.0.metadata.kind.eq_ignore_ascii_case("library")
    }

    /// Whether its authors advise against using it.
    pub fn is_deprecated(&self) -> bool {
        self.0.metadata.deprecated
    }

    /// What Helm remarks while it reads the files of this chart and of those inside it.
    pub fn remarks(&self) -> &[Remark] {
        &self.0.remarks
    }

    /// Whether `apiVersion` names a format that Helm reads at least in part.
    pub fn has_known_format(&self) -> bool {
        load::is_known_format(&self.0.metadata.api_version)
    }

    /// What `Chart.yaml` or `requirements.yaml` lists, in order.
    pub fn dependencies(&self) -> &[Dependency] {
        &self.0.metadata.dependencies
    }

    /// The charts in `charts/`: the entry (folder or archive name) and the chart.
    pub fn vendored(&self) -> impl Iterator<Item = (&str, &Chart)> {
        self.0
            .children
            .iter()
            .filter(|child| child.supplied.is_none())
            .map(|child| (child.entry.as_str(), &child.chart))
    }

    /// Entries of `charts/` whose chart no dependency asks for.
    pub fn unlisted(&self) -> Vec<&str> {
        self.vendored()
            .filter(|(_, chart)| !self.dependencies().iter().any(|dependency| dependency.fits(chart)))
            .map(|(entry, _)| entry)
            .collect()
    }

    /// Dependencies for which there is neither a chart in `charts/` nor a supplied one.
    pub fn missing_dependencies(&self) -> Vec<&Dependency> {
        self.dependencies().iter().filter(|dependency| self.dependency_chart(dependency).is_none()).collect()
    }

    /// The chart of a dependency, if it is here.
    pub fn dependency_chart(&self, dependency: &Dependency) -> Option<&Chart> {
        let children = &self.0.children;
        let key = dependency.key();
        let supplied = children.iter().find(|child| child.supplied.as_deref() == Some(key));
        let found = supplied.or_else(|| {
            children.iter().find(|child| child.supplied.is_none() && dependency.fits(&child.chart))
        });
        found.map(|child| &child.chart)
    }

    /// The default values.
    pub fn values(&self) -> super::Values {
        super::Values(self.0.values.clone())
    }

    /// This chart with further charts as dependencies, each under a key of its own: as if the
    /// chart listed them under that alias and they were vendored. A key that is listed already
    /// gets the supplied chart.
    ///
    /// ```
    /// # use moorline_helm::Chart;
    /// # let chart = |name: &str| Chart::from_files([(
    /// #     "Chart.yaml".to_owned(), format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n").into_bytes().into(),
    /// # )]).expect("a valid chart");
    /// let umbrella = chart("shop").with_dependency_charts([("payments".to_owned(), chart("web"))]);
    /// assert_eq!(umbrella.dependencies()[0].key(), "payments");
    /// assert!(umbrella.missing_dependencies().is_empty());
    /// ```
    #[must_use]
    pub fn with_dependency_charts(&self, charts: impl IntoIterator<Item = (String, Chart)>) -> Self {
        let data = &self.0;
        let mut metadata = data.metadata.clone();
        let mut children = data.children.clone();
        for (key, chart) in charts {
            if !metadata.dependencies.iter().any(|dependency| dependency.key() == key) {
                metadata.dependencies.push(Dependency::supplied(&chart, &key));
            }
            children.retain(|child| child.supplied.as_deref() != Some(key.as_str()));
            children.push(Child { entry: key.clone(), supplied: Some(key), chart });
        }
        self.changed(|data| {
            data.metadata = metadata;
            data.children = children;
        })
    }

    /// The same chart without values of its own: what it says of its dependencies' values is left out as well.
    pub fn without_values(&self) -> Self {
        self.changed(|data| {
            data.values = TreeMap::default();
            data.first_values = None;
        })
    }

    /// A copy with something changed. What templates were read to is not kept: it goes by the chart.
    fn changed(&self, change: impl FnOnce(&mut ChartData)) -> Self {
        let data = &self.0;
        let unread =
            |template: &ChartTemplate| ChartTemplate::new(template.path.clone(), template.text.clone());
        let mut copy = ChartData {
            metadata: data.metadata.clone(),
            values: data.values.clone(),
            templates: data.templates.iter().map(unread).collect(),
            files: data.files.clone(),
            schema: data.schema.clone(),
            children: data.children.clone(),
            remarks: data.remarks.clone(),
            first_values: data.first_values.clone(),
        };
        change(&mut copy);
        Self(Arc::new(copy))
    }

    /// Bytes of templates, files and the charts inside: what this chart holds in memory.
    pub fn size(&self) -> usize {
        let own: usize = self.0.templates.iter().map(|template| template.text.len()).sum::<usize>()
            + self.0.files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        own + self.0.children.iter().map(|child| child.chart.size()).sum::<usize>()
    }
}
