//! What is known of a failed render beyond Helm's words, as data for whoever shows it. Made only
//! once a render failed; draws nothing.

use std::collections::{HashSet, VecDeque};
use std::fmt;

use crate::dependencies::Instance;
use crate::failure::{Absence, Absent, Step, Trail};
use crate::value::{Map, Value};

/// Lines shown before the one that is wrong.
const BEFORE: usize = 3;
/// Lines shown after it.
const AFTER: usize = 2;
/// How many maps of values are looked at to find one.
const MAPS: usize = 100_000;

/// What is known of a failed render beyond its message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The templates on the way to the failure, the innermost first.
    pub steps: Vec<TraceStep>,
    /// The value whose absence is behind the failure.
    pub missing: Option<MissingValue>,
    /// The lines around the fault: of a template that cannot be parsed, or of output that is no YAML.
    pub excerpt: Option<Excerpt>,
    /// The values that the chart's schema refuses.
    pub unfit: Vec<UnfitValue>,
}

/// One template on the way to a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceStep {
    /// The file, as its path from the top chart.
    pub template: String,
    /// The named template in it; the file's own name outside of any.
    pub within: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in bytes, from 1.
    pub column: usize,
    /// The expression, as Go prints it.
    pub expression: String,
    /// The line's text.
    pub text: String,
}

/// A value that a template asked for and that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingValue {
    /// The expression, as `.Values.ingress.host`.
    pub expression: String,
    /// The first key on its way that is not there, as `ingress`.
    pub key: String,
    /// In which way it is not there.
    pub absence: Absence,
    /// The path by which a values file or `--set` can give the value; absent if it is no part of the values.
    pub path: Option<String>,
    /// The chart inside the chart that sees the value, as the leading keys of the path; absent for the chart itself.
    pub subchart: Option<String>,
}

/// Some lines of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The number of the first line.
    pub first: usize,
    /// The lines.
    pub lines: Vec<String>,
}

/// A value that a schema refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnfitValue {
    /// The path by which a values file or `--set` gives it; empty for all values.
    pub path: String,
    /// The value, if it is short: no map and no list.
    pub value: Option<String>,
}

impl Explanation {
    /// What the trail of a failure says about the values of a render.
    pub(super) fn of_trail(trail: Trail, instance: &Instance, values: &Map) -> Self {
        Self {
            steps: trail.steps.into_iter().map(TraceStep::from).collect(),
            missing: trail.absent.map(|absent| MissingValue::find(&absent, instance, values)),
            ..Self::default()
        }
    }
}

impl From<Step> for TraceStep {
    fn from(step: Step) -> Self {
        Self {
            template: step.place.template,
            within: step.within,
            line: step.place.line,
            column: step.place.column + 1,
            expression: step.expression,
            text: step.text,
        }
    }
}

impl Excerpt {
    /// The lines around a line that counts from 1; nothing if there is no such line.
    pub(crate) fn around(text: &[u8], line: usize) -> Option<Self> {
        let first = line.checked_sub(1)?.saturating_sub(BEFORE);
        let lines: Vec<String> = text
            .split(|byte| *byte == b'\n')
            .skip(first)
            .take(line - first + AFTER)
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect();
        (first + lines.len() >= line).then_some(Self { first: first + 1, lines })
    }
}

impl fmt::Display for MissingValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.absence {
            Absence::Unset => "is not set",
            Absence::Null => "is null",
            Absence::Empty => "is empty",
        };
        write!(formatter, "{}: {:?} {how}", self.expression, self.key)
    }
}

impl MissingValue {
    fn find(absent: &Absent, instance: &Instance, values: &Map) -> Self {
        let key = absent.key.lossy().into_owned();
        let path = path_of(&absent.holder, values).map(|mut path| {
            path.push(key.clone());
            path.extend(absent.below.iter().map(|name| name.lossy().into_owned()));
            // Every chart has a copy of what is global; all of it is given at the top.
            if let Some(global) = path.iter().position(|part| part == "global") {
                path.drain(..global);
            }
            path
        });
        let subchart = path.as_ref().and_then(|path| subchart(path, instance));
        let path = path.map(|path| joined(&path));
        Self { expression: absent.expression.clone(), key, absence: absent.absence, path, subchart }
    }
}

/// A path as `--set` reads it.
fn joined(path: &[String]) -> String {
    path.iter().map(|part| part.replace('.', "\\.")).collect::<Vec<_>>().join(".")
}

/// The leading keys of a path that are charts inside of charts.
fn subchart(path: &[String], instance: &Instance) -> Option<String> {
    let mut charts = Vec::new();
    let mut children = &instance.children;
    for part in path {
        let Some(child) = children.iter().find(|child| child.name == *part) else {
            break;
        };
        charts.push(part.clone());
        children = &child.children;
    }
    (!charts.is_empty()).then(|| joined(&charts))
}

/// The shortest way to a map inside of values, which may hold themselves.
fn path_of(wanted: &Map, values: &Map) -> Option<Vec<String>> {
    let mut waiting = VecDeque::from([(values.clone(), Vec::new())]);
    let mut known = HashSet::from([values.identity()]);
    let mut left = MAPS;
    while let Some((map, path)) = waiting.pop_front() {
        if map.same(wanted) {
            return Some(path);
        }
        for (key, value) in map.entries() {
            if let Value::Map(inner) = value
                && known.insert(inner.identity())
            {
                left = left.checked_sub(1)?;
                let mut path = path.clone();
                path.push(key.lossy().into_owned());
                waiting.push_back((inner, path));
            }
        }
    }
    None
}

impl UnfitValue {
    /// The value that a JSON pointer leads to, in the values of a chart that stand at a path.
    pub(super) fn find(values: &Map, path: &str, pointer: &str) -> Self {
        let mut current = Some(Value::Map(values.clone()));
        let mut parts: Vec<String> = if path.is_empty() { Vec::new() } else { vec![path.to_owned()] };
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            current = match current {
                Some(Value::Map(map)) => map.get(part.as_bytes()),
                Some(value) => {
                    part.parse::<usize>().ok().and_then(|index| value.items()?.get(index).cloned())
                }
                None => None,
            };
            parts.push(part.replace('.', "\\."));
        }
        let value = match &current {
            Some(Value::Map(_) | Value::List(_)) | None => None,
            Some(value) => Some(crate::schema::to_json(value).to_string()),
        };
        Self { path: parts.join("."), value }
    }
}
