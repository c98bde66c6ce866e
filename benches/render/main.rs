//! Benchmarks without a cluster: what a render costs beside the real `helm template`, and what a whole pass costs
//! over the test doubles, by the number of applications.
//!
//! Usage: `cargo bench --bench render -- [charts|processes|corpus|instructions|passes|fleet]`; charts need
//! `MOORLINE_HELM4` (`tests/bench` gives it).

#![expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on panics")]

/// The program's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod charts;
mod corpus;
mod fleet;
mod instructions;
mod large;
mod passes;
mod processes;

use std::time::{Duration, Instant};

fn main() {
    let what = std::env::args().skip(1).find(|argument| argument != "--bench");
    let wants = |name: &str| what.as_deref().is_none_or(|what| what == name);
    if wants("charts") {
        charts::measure();
    }
    if wants("processes") {
        processes::measure();
    }
    if wants("corpus") {
        corpus::measure();
    }
    if wants("instructions") {
        instructions::measure();
    }
    if wants("passes") {
        passes::measure();
    }
    if wants("fleet") {
        fleet::measure();
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let started = Instant::now();
    let made = std::hint::black_box(work());
    (started.elapsed(), made)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
