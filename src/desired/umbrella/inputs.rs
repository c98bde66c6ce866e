//! What an application sees of its umbrella, as digests made once for each part: a commit to one of three hundred
//! dependencies is told from the digests of the others without going through their files.

use std::collections::{BTreeMap, BTreeSet};

use crate::desired::dependencies::Supplied;
use crate::desired::environment::has_ending;
use crate::helm::Chart;
use crate::model::digest::{Digest, DigestBuilder};
use crate::model::source::FileTree;

/// Files that Helm reads at the root of a chart; all other YAML files there are layers of services.
const CHART_FILES: [&str; 5] =
    ["Chart.yaml", "values.yaml", "requirements.yaml", "Chart.lock", "requirements.lock"];

/// The parts of an umbrella.
#[derive(Clone, Debug)]
pub(super) struct Inputs {
    /// What its own templates see beside `charts/`.
    own: Digest,
    /// What every application sees.
    shared: Digest,
    /// What the application with a key sees beyond that: its chart, vendored or fetched.
    charts: BTreeMap<String, Digest>,
}

impl Inputs {
    /// Goes through all files once.
    pub(super) fn new(
        folder: &FileTree,
        chart: &Chart,
        applications: &BTreeSet<String>,
        supplied: &[(String, Supplied)],
    ) -> Self {
        // Which keys an entry of `charts/` may be the chart of.
        let mut owners: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for dependency in chart.dependencies() {
            if applications.contains(dependency.key()) {
                owners.entry(&dependency.name).or_default().push(dependency.key());
            }
        }
        let (mut own, mut shared) = (DigestBuilder::default(), DigestBuilder::default());
        let mut charts: BTreeMap<String, DigestBuilder> = BTreeMap::new();
        for (path, file) in folder.iter() {
            let seen = match path.split_once('/') {
                None => CHART_FILES.contains(&path) || !has_ending(path, &["yaml"]),
                Some(("charts", rest)) => {
                    let keys = owners_of(rest.split('/').next().unwrap_or(rest), &owners);
                    for key in &keys {
                        let builder = charts.entry((*key).to_owned()).or_default();
                        builder.add(path.as_bytes()).add(file.id.as_bytes());
                    }
                    keys.is_empty()
                }
                Some(("manifests", _)) => false,
                Some(_) => true,
            };
            if seen {
                shared.add(path.as_bytes()).add(file.id.as_bytes());
            }
            if !path.starts_with("charts/") {
                own.add(path.as_bytes()).add(file.id.as_bytes());
            }
        }
        for (key, supplied) in supplied {
            let digest = supplied.digest.hex();
            if applications.contains(key) {
                charts.entry(key.clone()).or_default().add(digest.as_bytes());
            } else {
                shared.add(key.as_bytes()).add(digest.as_bytes());
                own.add(key.as_bytes()).add(digest.as_bytes());
            }
        }
        let charts = charts.into_iter().map(|(key, builder)| (key, builder.finish())).collect();
        Self { own: own.finish(), shared: shared.finish(), charts }
    }

    /// The digest for one application; `key` is absent for the umbrella's own templates.
    pub(super) fn of(&self, folder: &FileTree, key: Option<&str>) -> Digest {
        let Some(key) = key else { return self.own };
        let mut builder = DigestBuilder::default();
        builder.add(self.shared.hex().as_bytes());
        if let Some(chart) = self.charts.get(key) {
            builder.add(chart.hex().as_bytes());
        }
        if let Some(layer) = folder.get(&format!("{key}.yaml")) {
            builder.add(layer.id.as_bytes());
        }
        builder.finish()
    }
}

/// The keys that a folder or archive of `charts/` may be the chart of: `web`, or `web-1.2.3.tgz`.
fn owners_of<'a>(entry: &str, owners: &BTreeMap<&'a str, Vec<&'a str>>) -> Vec<&'a str> {
    let mut keys: Vec<&str> = owners.get(entry).into_iter().flatten().copied().collect();
    if has_ending(entry, &["tgz"]) {
        for (dash, _) in entry.match_indices('-') {
            keys.extend(owners.get(&entry[..dash]).into_iter().flatten());
        }
    }
    keys
}
