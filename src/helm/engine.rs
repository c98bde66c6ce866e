//! What many renders have in common: whose bytes, for which cluster, within which limits.

use super::Compat;
use super::capabilities::Capabilities;
use super::chart::Chart;
use super::limits::{RenderLimits, TimeLimit};
use super::output::Rendered;
use super::render::{self, RenderError, RenderInput};

/// Renders charts. It holds no state: one serves any number of charts, renders and threads.
///
/// ```
/// use moorline_helm::{Capabilities, Compat, Engine, RenderLimits};
///
/// let cluster = Capabilities::offline(Compat::V4_3).reading_kube_version("1.33.0")?;
/// let engine = Engine::new(Compat::V4_3)
///     .with_capabilities(cluster)
///     .with_limits(RenderLimits { documents: 100, ..RenderLimits::default() });
/// # let _ = engine;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Engine {
    pub(super) compat: Compat,
    pub(super) capabilities: Option<Capabilities>,
    pub(super) limits: RenderLimits,
    pub(super) time: Option<TimeLimit>,
    pub(super) second_thread: bool,
}

impl Engine {
    /// An engine that renders as this version of Helm, for the cluster that `helm template` assumes.
    #[must_use]
    pub fn new(compat: Compat) -> Self {
        Self { compat, ..Self::default() }
    }

    /// With the `.Capabilities` of a cluster.
    #[must_use]
    pub fn with_capabilities(self, capabilities: Capabilities) -> Self {
        Self { capabilities: Some(capabilities), ..self }
    }

    /// With other limits on what one render may use.
    #[must_use]
    pub fn with_limits(self, limits: RenderLimits) -> Self {
        Self { limits, ..self }
    }

    /// With a limit on how long one render may take; without, a render takes as long as its steps last.
    #[must_use]
    pub fn with_time_limit(self, time: TimeLimit) -> Self {
        Self { time: Some(time), ..self }
    }

    /// With a second thread for large charts, which reads what templates made while others still run. It is for who
    /// waits for a single render; of many at once each is better off with its own thread alone.
    #[must_use]
    pub fn with_second_thread(self) -> Self {
        Self { second_thread: true, ..self }
    }

    /// Whether the chart can be rendered at all, by its `Chart.yaml` and the charts that are there; [`Engine::render`]
    /// looks first, too.
    pub fn check(&self, chart: &Chart, input: &RenderInput) -> Result<(), RenderError> {
        render::check(self, chart, input)
    }

    /// Renders a chart: its documents, or Helm's words about why there are none.
    pub fn render(&self, chart: &Chart, input: &RenderInput) -> Result<Rendered, RenderError> {
        render::render(self, chart, input)
    }
}
