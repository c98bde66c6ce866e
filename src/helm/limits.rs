//! Bounds on one render, so that no chart can take a machine down. Plain numbers.

/// What one render may use. The defaults are far above what real charts need.
///
/// ```
/// use moorline::helm::RenderLimits;
///
/// let limits = RenderLimits { steps: 1_000_000, ..RenderLimits::default() };
/// assert!(limits.bytes > 1 << 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenderLimits {
    /// Evaluated commands, loop rounds and function work.
    pub steps: u64,
    /// Bytes that templates and functions make.
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
        Self {
            steps: 200_000_000,
            bytes: 1 << 30,
            depth: 12_000,
            regex: 64 << 10,
            documents: 50_000,
        }
    }
}
