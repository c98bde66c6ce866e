//! Keys as they stand in YAML text: which stand twice in one map, where a path stands, and which
//! ones `Chart.yaml` has.

use super::{Finding, FindingKind};
use crate::value::Text;
use crate::values::Tree;
use crate::yaml::{Reader, SeenKey, YamlLimits};

/// What Helm reads of `Chart.yaml`.
const CHART_KEYS: [&str; 17] = [
    "annotations",
    "apiVersion",
    "appVersion",
    "condition",
    "dependencies",
    "deprecated",
    "description",
    "home",
    "icon",
    "keywords",
    "kubeVersion",
    "maintainers",
    "name",
    "sources",
    "tags",
    "type",
    "version",
];
const DEPENDENCY_KEYS: [&str; 8] =
    ["alias", "condition", "enabled", "import-values", "name", "repository", "tags", "version"];
const MAINTAINER_KEYS: [&str; 3] = ["email", "name", "url"];

/// All keys of all documents; of what cannot be read, those before that.
fn keys(bytes: &[u8]) -> Vec<SeenKey> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let Ok(reader) = Reader::new(bytes, YamlLimits::default(), false) else {
        return Vec::new();
    };
    let mut reader = reader.noting_keys();
    while let Ok(Some(_)) = reader.document::<Tree>() {}
    reader.keys()
}

/// Where the keys of a values file stand.
#[derive(Debug)]
pub struct KeyPlaces(Vec<SeenKey>);

impl KeyPlaces {
    /// Looks at a file.
    pub fn of(bytes: &[u8]) -> Self {
        Self(keys(bytes))
    }

    /// Line and column, from 1, of the last key of a path.
    pub fn place(&self, path: &[String]) -> Option<(usize, usize)> {
        let same = |seen: &&SeenKey| {
            seen.path.len() == path.len()
                && seen.path.iter().zip(path).all(|(key, wanted)| key.bytes() == wanted.as_bytes())
        };
        self.0.iter().rev().find(same).map(|seen| (seen.line, seen.column))
    }
}

fn repeated(file: &str, output: bool, seen: &[SeenKey]) -> Vec<Finding> {
    let of = |seen: &SeenKey| {
        let key = seen.path.last().map(|key| key.lossy().into_owned()).unwrap_or_default();
        let place = if output { " of the output" } else { "" };
        let message = format!("key {key:?} stands twice in one map{place}; the last one counts");
        Finding::at(FindingKind::RepeatedKey, file, (seen.line, seen.column), message)
    };
    seen.iter().filter(|seen| seen.repeated).map(of).collect()
}

/// The keys of a YAML file that stand twice in one map.
pub fn repeated_keys(file: &str, bytes: &[u8]) -> Vec<Finding> {
    repeated(file, false, &keys(bytes))
}

/// The same for what a template made.
pub(crate) fn repeated_in_output(template: &str, bytes: &[u8]) -> Vec<Finding> {
    repeated(template, true, &keys(bytes))
}

/// What is odd in a `Chart.yaml`: keys that stand twice, and keys that Helm does not know.
pub fn chart_file_findings(file: &str, bytes: &[u8]) -> Vec<Finding> {
    let seen = keys(bytes);
    let mut findings = repeated(file, false, &seen);
    for key in &seen {
        let path: Vec<&[u8]> = key.path.iter().map(Text::bytes).collect();
        let known: &[&str] = match path.as_slice() {
            [_] => &CHART_KEYS,
            [b"dependencies", _] => &DEPENDENCY_KEYS,
            [b"maintainers", _] => &MAINTAINER_KEYS,
            _ => continue,
        };
        let name = key.path.last().map(|name| name.lossy().into_owned()).unwrap_or_default();
        if !known.contains(&name.as_str()) {
            let message = format!("unknown key {name:?}: Helm does not read it");
            let place = (key.line, key.column);
            findings.push(Finding::at(FindingKind::UnknownChartKey, file, place, message));
        }
    }
    findings
}
