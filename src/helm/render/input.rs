//! What a render takes, and how it fails.

use std::fmt;

use super::explanation::Explanation;
use crate::chance::Chance;
use crate::failure::Limit;
use crate::lookup::{Lookup, Lookups};
use crate::output::Rendered;
use crate::strict::Strictness;
use crate::values::Values;

/// Which part of an umbrella is rendered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Member {
    /// Everything, as `helm template` does.
    #[default]
    Whole,
    /// One dependency and what is below it, by its key. It sees the umbrella's named templates
    /// and library dependencies, but no sibling.
    Dependency(String),
    /// Only the umbrella's own templates; they see no dependency but libraries.
    Own,
}

/// Everything that one render depends on, besides the chart and the engine.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of `helm template`")]
#[derive(Clone, Debug)]
pub struct RenderInput {
    /// `.Release.Name`
    pub release: String,
    /// `.Release.Namespace`
    pub namespace: String,
    /// Values, the later ones on top, as with `-f`.
    pub layers: Vec<Values>,
    /// The part of an umbrella.
    pub member: Member,
    /// Answers to `lookup`.
    pub lookups: Lookups,
    /// Whether random values and times are new ones.
    pub chance: Chance,
    /// Where new random values come from.
    pub seed: [u8; 32],
    /// Seconds since 1970: what `now` returns where it is not remembered.
    pub now: i64,
    /// Whether the output contains the files of `crds/`.
    pub include_crds: bool,
    /// Whether files of `crds/` are only printed, as `helm template` does, and may hold anything.
    pub crds_as_they_are: bool,
    /// Only texts are asked for: documents have no object. It saves a third of the time of large charts.
    pub texts_only: bool,
    /// `.Release.IsUpgrade` instead of `.Release.IsInstall`.
    pub is_upgrade: bool,
    /// Whether values may break the chart's schema.
    pub skip_schema: bool,
    /// Whether to look for what Helm accepts in silence; see [`super::Rendered::findings`].
    pub strictness: Strictness,
}

impl Default for RenderInput {
    fn default() -> Self {
        Self {
            release: "release-name".to_owned(),
            namespace: "default".to_owned(),
            layers: Vec::new(),
            member: Member::Whole,
            lookups: Lookups::offline(),
            chance: Chance::Fresh,
            seed: [0; 32],
            now: 0,
            include_crds: false,
            crds_as_they_are: false,
            texts_only: false,
            is_upgrade: false,
            skip_schema: false,
            strictness: Strictness::AsHelm,
        }
    }
}

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenderFault {
    /// The chart cannot be installed or lacks dependencies.
    Chart,
    /// The chart is not made for the cluster's version.
    KubeVersion,
    /// The values do not fit the chart.
    Values,
    /// A template cannot be parsed.
    Parse,
    /// A template failed while it ran.
    Execute,
    /// What a template made is no YAML.
    Output,
    /// A limit of the engine was hit.
    Limit(Limit),
}

/// A render that failed. `Display` is Helm's message, verbatim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderError {
    /// What kind of thing went wrong.
    pub fault: RenderFault,
    /// The chart it happened in.
    pub chart: String,
    /// The template, as its path from the top chart.
    pub template: Option<String>,
    /// The line in the template, or for [`RenderFault::Output`] in its output, from 1.
    pub line: Option<usize>,
    /// The column, from 1.
    pub column: Option<usize>,
    /// Helm's message.
    pub message: String,
    /// Questions to the cluster that had no answer before it failed; ask and render again.
    pub lookups_missing: Vec<Lookup>,
    /// What Helm prints on standard error before the message.
    pub notices: Vec<String>,
    /// What is known beyond Helm's words.
    pub explanation: Box<Explanation>,
    /// What was made before it turned out not to be readable, with [`RenderInput::texts_only`]: each file is one document.
    pub made: Box<Rendered>,
}

impl fmt::Display for RenderError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for RenderError {}

impl RenderError {
    pub(crate) fn new(fault: RenderFault, chart: &str, message: impl Into<String>) -> Self {
        Self {
            fault,
            chart: chart.to_owned(),
            template: None,
            line: None,
            column: None,
            message: message.into(),
            lookups_missing: Vec::new(),
            notices: Vec::new(),
            explanation: Box::default(),
            made: Box::default(),
        }
    }

    /// The error with what is known beyond Helm's words.
    pub(crate) fn explained(mut self, explanation: Explanation) -> Self {
        self.explanation = Box::new(explanation);
        self
    }

    /// Values that do not fit.
    pub(crate) fn of_values(chart: &str, message: impl Into<String>) -> Self {
        Self::new(RenderFault::Values, chart, message)
    }

    /// The error with its place.
    pub(crate) fn at(mut self, template: &str, line: usize, column: usize) -> Self {
        self.template = Some(template.to_owned());
        self.line = (line > 0).then_some(line);
        self.column = (column > 0).then_some(column);
        self
    }

    /// The error of a render that asked questions without an answer.
    pub(crate) fn asking(mut self, questions: &[Lookup]) -> Self {
        self.lookups_missing = questions.to_vec();
        self
    }

    /// Whether Helm adds its advice about `--debug`: it does once it had a release in hand.
    pub fn had_release(&self) -> bool {
        matches!(
            self.fault,
            RenderFault::KubeVersion
                | RenderFault::Parse
                | RenderFault::Execute
                | RenderFault::Output
                | RenderFault::Limit(_)
        )
    }
}
