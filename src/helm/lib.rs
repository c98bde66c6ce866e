//! The chart engine: what `helm template` does, in process, as a pure function.
//!
//! A [`Chart`] is read once from bytes, is immutable and may be shared by threads; an [`Engine`] says
//! whose bytes are wanted, for which cluster and within which limits. A render takes both with a
//! [`RenderInput`] and returns documents: no file, clock, network or environment is touched; time,
//! entropy and answers to `lookup` are arguments.
//!
//! ```
//! use moorline_helm::{Chart, Engine, RenderInput, Values};
//!
//! let files: Vec<(String, std::sync::Arc<[u8]>)> = vec![
//!     ("Chart.yaml".to_owned(), b"apiVersion: v2\nname: shop\nversion: 1.0.0\n"[..].into()),
//!     ("values.yaml".to_owned(), b"colour: blue\n"[..].into()),
//!     (
//!         "templates/settings.yaml".to_owned(),
//!         b"kind: ConfigMap\napiVersion: v1\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  colour: {{ .Values.colour }}\n"[..].into(),
//!     ),
//! ];
//! let chart = Chart::from_files(files)?;
//! let input = RenderInput {
//!     release: "blog".to_owned(),
//!     layers: vec![Values::parse(b"colour: red")?],
//!     ..RenderInput::default()
//! };
//! let rendered = Engine::default().render(&chart, &input)?;
//! assert_eq!(rendered.documents[0].object["data"]["colour"], "red");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod capabilities;
mod chance;
mod chart;
mod dependencies;
mod engine;
mod failure;
mod functions;
mod limits;
mod lookup;
mod notices;
mod once;
mod output;
mod render;
mod schema;
mod stack;
mod strict;
mod template;
mod value;
mod values;
mod yaml;

pub use capabilities::{Capabilities, CapabilitiesSeen};
pub use chance::{Chance, Remembered, Site};
pub use chart::{
    Chart, ChartError, ChartLock, Dependency, IgnoreRules, LockError, Remark, highest_version,
    is_exact_version,
};
pub use dependencies::enabled_dependencies;
pub use engine::Engine;
pub use failure::{Absence, Limit};
pub use limits::{Pulse, RenderLimits, TimeLimit};
pub use lookup::{Lookup, Lookups};
pub use output::{Document, Hook, Part, Rendered};
pub use render::{
    Excerpt, Explanation, Member, MissingValue, RenderError, RenderFault, RenderInput, TraceStep, UnfitValue,
};
pub use strict::{Finding, FindingKind, KeyPlaces, Strictness, chart_file_findings, repeated_keys};
pub use values::Values;
pub use values::set::{FileReader, SetError, SetKind};
pub use yaml::{YamlError, YamlLimits, parse_documents, parse_documents_within, to_string as to_yaml};

/// Whose bytes and messages to produce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compat {
    /// helm 3.19
    V3_19,
    /// helm 4.1
    V4_1,
    /// helm 4.3
    #[default]
    V4_3,
}
