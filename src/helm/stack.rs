//! Room for what nests deeper than any thread's stack has place for.

/// It is reserved, not used.
const SIZE: usize = if cfg!(debug_assertions) { 1 << 30 } else { 256 << 20 };

/// Runs something on a thread with a large stack; nothing if there can be none.
pub(super) fn on_large_stack<T: Send>(run: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        std::thread::Builder::new().stack_size(SIZE).spawn_scoped(scope, run).ok()?.join().ok()
    })
}
