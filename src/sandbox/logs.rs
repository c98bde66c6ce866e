//! What the containers of simulated pods have written.

use jiff::Timestamp;

use super::store::{Place, Store};

/// One line of a container's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Whose.
    pub container: String,
    /// Which run of it, counted from 0.
    pub run: i64,
    /// When.
    pub time: Timestamp,
    /// What.
    pub text: String,
}

/// How many lines are kept of each pod.
const KEPT: usize = 1_000;

/// Which lines are asked for.
#[derive(Clone, Debug, Default)]
pub struct LogQuery<'a> {
    /// Of which container.
    pub container: &'a str,
    /// Of which run.
    pub run: i64,
    /// How many from the end.
    pub tail: Option<usize>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Whether each line begins with its time.
    pub timestamps: bool,
    /// How many bytes at most.
    pub limit: Option<usize>,
}

impl Store {
    /// Notes a line.
    pub(super) fn say(&mut self, pod: &Place, line: Line) {
        let lines = self.logs.entry(pod.clone()).or_default();
        if lines.len() >= KEPT {
            lines.remove(0);
        }
        lines.push(line);
    }

    /// The lines that are asked for, as one text.
    pub fn log(&self, pod: &Place, query: &LogQuery<'_>) -> String {
        let lines: Vec<&Line> = self
            .logs
            .get(pod)
            .into_iter()
            .flatten()
            .filter(|line| line.container == query.container && line.run == query.run)
            .filter(|line| query.since.is_none_or(|since| line.time >= since))
            .collect();
        let skipped = query.tail.map_or(0, |tail| lines.len().saturating_sub(tail));
        let mut text = String::new();
        for line in lines.into_iter().skip(skipped) {
            if query.timestamps {
                text.push_str(&format!("{:.9} ", line.time));
            }
            text.push_str(&line.text);
            text.push('\n');
        }
        if let Some(limit) = query.limit.filter(|limit| *limit < text.len()) {
            let end = (0..=limit).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
            text.truncate(end);
        }
        text
    }
}
