//! Bounds on one render, so that no chart can take a machine down. Plain numbers, and a pulse that others beat.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A pulse by which a render knows how long it takes without reading a clock: whoever renders makes it beat.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// One beat.
    pub fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many beats there were.
    pub fn beats(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long a render may take, in beats of a pulse, and what that is in words.
#[derive(Clone, Debug)]
pub struct TimeLimit {
    /// The pulse.
    pub pulse: Pulse,
    /// The beats that a render may take.
    pub beats: u64,
    /// What that is, as `30 seconds`.
    pub words: &'static str,
}

/// What one render may use. The defaults are far above what real charts need: of 1,126 charts of 80 repositories the
/// greediest made 16 MiB.
///
/// ```
/// use moorline_helm::RenderLimits;
///
/// let limits = RenderLimits { steps: 1_000_000, ..RenderLimits::default() };
/// assert!(limits.bytes > 1 << 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenderLimits {
    /// Evaluated commands, loop rounds and function work.
    pub steps: u64,
    /// Bytes that templates and functions make, as text or in memory, whether or not they are kept.
    pub bytes: usize,
    /// Nested templates, blocks and parentheses.
    pub depth: usize,
    /// Bytes of one regular expression.
    pub regex: usize,
    /// Documents of the whole render.
    pub documents: usize,
}

impl Default for RenderLimits {
    fn default() -> Self {
        Self { steps: 200_000_000, bytes: 256 << 20, depth: 12_000, regex: 64 << 10, documents: 50_000 }
    }
}
