//! What Helm silently accepts and a careful reader would not: values that nothing reads, values that
//! are not there, keys that stand twice, keys that `Chart.yaml` does not have. Judges what a render
//! noted while it ran; changes nothing in it.

use std::fmt;

use super::dependencies::Instance;
use super::failure::{Absence, Absent, Place};
use super::value::{Map, Text, Value};
use super::values::TreeMap;

mod known;
mod mentions;
mod reads;
mod written;

pub(crate) use mentions::Mentions;
pub(crate) use reads::{Reads, is_guard};
pub(crate) use written::repeated_in_output;
pub use written::{KeyPlaces, chart_file_findings, repeated_keys};

/// How much a render looks for beyond what Helm refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// What Helm accepts is accepted.
    #[default]
    AsHelm,
    /// What Helm accepts in silence is collected as findings.
    Strict,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// No template reads a given value, and the chart does not declare it.
    NeverRead,
    /// A given value is one that the chart's schema does not describe.
    UnknownToSchema,
    /// A template uses a value that is in no values.
    MissingValue,
    /// A key stands twice in one map.
    RepeatedKey,
    /// `Chart.yaml` has no such key.
    UnknownChartKey,
}

/// Something that Helm accepts in silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub kind: FindingKind,
    /// The file, unless it is one that the engine does not know: a given value has only a path.
    pub file: Option<String>,
    /// The line, from 1; 0 if it has no place.
    pub line: usize,
    /// The column, from 1; 0 if it has no place.
    pub column: usize,
    /// The path of a given value from the top of all values.
    pub path: Vec<String>,
    /// The sentence.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(formatter, "{file}:")?;
            if self.line > 0 {
                write!(formatter, "{}:{}:", self.line, self.column)?;
            }
            formatter.write_str(" ")?;
        }
        formatter.write_str(&self.message)
    }
}

impl Finding {
    /// A finding in a file.
    fn at(kind: FindingKind, file: &str, (line, column): (usize, usize), message: String) -> Self {
        Self { kind, file: Some(file.to_owned()), line, column, path: Vec::new(), message }
    }
}

/// The findings of a render about values.
pub(crate) fn judge(instance: &Instance, given: &Map, reads: &Reads, mentions: &Mentions) -> Vec<Finding> {
    let mut judge = Judge { top: instance, reads, mentions, findings: Vec::new() };
    judge.given(Some(instance), given, &mut Vec::new());
    for (absent, place) in reads.missing() {
        judge.missing(absent, place, given);
    }
    judge.findings.sort_by(|left, right| {
        (&left.file, left.line, left.column).cmp(&(&right.file, right.line, right.column))
    });
    judge.findings
}

struct Judge<'j> {
    top: &'j Instance,
    reads: &'j Reads,
    mentions: &'j Mentions,
    findings: Vec<Finding>,
}

impl Judge<'_> {
    /// The values that a user gave at a path; `chart` is set where they are those of a whole chart.
    fn given(&mut self, chart: Option<&Instance>, given: &Map, path: &mut Vec<Text>) {
        let whole = self.reads.whole(path);
        for (key, value) in given.entries() {
            path.push(key.clone());
            self.given_key(chart, whole, &value, path);
            path.pop();
        }
    }

    fn given_key(&mut self, chart: Option<&Instance>, whole: bool, value: &Value, path: &mut Vec<Text>) {
        let Some(key) = path.last().cloned() else {
            return;
        };
        let below = match value {
            Value::Map(map) => Some(map),
            _ => None,
        };
        if let Some(chart) = chart {
            let child = chart.children.iter().find(|child| child.name.as_bytes() == key.bytes());
            if let (Some(child), Some(map)) = (child, below) {
                self.given(Some(child), map, path);
                return;
            }
            let listed =
                chart.chart.dependencies().iter().any(|listed| listed.key().as_bytes() == key.bytes());
            if listed || known::is_for_helm(chart, &key) {
                return;
            }
            if key.bytes() == b"global" {
                if let Some(map) = below {
                    self.given(None, map, path);
                }
                return;
            }
        }
        if whole {
            self.given_to_a_whole(value, path);
            return;
        }
        if self.reads.key(path) {
            match below {
                Some(map) if self.mentions.as_whole(path, self.top) || self.reads.whole(path) => {
                    self.below_a_whole(map, path);
                }
                Some(map) => self.given(None, map, path),
                None => {}
            }
            return;
        }
        let switches = known::switches_a_chart(self.top, path);
        if switches || self.mentions.key(path, self.top) || known::is_declared(self.top, path) {
            return;
        }
        let schema = known::in_schema(self.top, path);
        if schema == known::InSchema::Listed {
            return;
        }
        let nor = if schema == known::InSchema::NotListed { ", nor does values.schema.json" } else { "" };
        let message = format!(
            "{}: no template reads this value, and the chart's values.yaml does not have it{nor}",
            shown(path)
        );
        self.push(FindingKind::NeverRead, path, message);
    }

    /// What reads a map as a whole reads every key; only a schema can tell a wrong one.
    fn given_to_a_whole(&mut self, value: &Value, path: &mut Vec<Text>) {
        if known::in_schema(self.top, path) == known::InSchema::NotListed
            && !known::is_declared(self.top, path)
        {
            let message = format!("{}: values.schema.json does not list this key", shown(path));
            self.push(FindingKind::UnknownToSchema, path, message);
            return;
        }
        if let Value::Map(map) = value {
            self.below_a_whole(map, path);
        }
    }

    fn below_a_whole(&mut self, map: &Map, path: &mut Vec<Text>) {
        for (key, value) in map.entries() {
            path.push(key);
            self.given_to_a_whole(&value, path);
            path.pop();
        }
    }

    fn push(&mut self, kind: FindingKind, path: &[Text], message: String) {
        let path = path.iter().map(|key| key.lossy().into_owned()).collect();
        self.findings.push(Finding { kind, file: None, line: 0, column: 0, path, message });
    }

    fn missing(&mut self, absent: &Absent, place: &Place, given: &Map) {
        let Some(mut path) = self.reads.path_of(&absent.holder).map(<[Text]>::to_vec) else {
            return;
        };
        path.push(absent.key.clone());
        if absent.absence != Absence::Unset || known::is_declared(self.top, &path) || has(given, &path) {
            return;
        }
        let message = format!(
            "{}: {:?} is in no values, and neither default nor a condition guards it",
            absent.expression,
            absent.key.lossy()
        );
        let spot = (place.line, place.column + 1);
        let finding = Finding::at(FindingKind::MissingValue, &place.template, spot, message);
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}

/// Whether values have a path, be it with null.
fn has(values: &Map, path: &[Text]) -> bool {
    match path {
        [] => true,
        [key, rest @ ..] => match values.get(key) {
            Some(Value::Map(inner)) => has(&inner, rest),
            found => found.is_some() && rest.is_empty(),
        },
    }
}

/// Whether a tree has a path, be it with null.
fn tree_has(values: &TreeMap, path: &[Text]) -> bool {
    match path {
        [] => true,
        [key, rest @ ..] => match values.get(key) {
            Some(super::values::Tree::Map(inner)) => tree_has(inner, rest),
            found => found.is_some() && rest.is_empty(),
        },
    }
}

fn shown(path: &[Text]) -> String {
    path.iter().map(|key| key.lossy()).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests;
