//! Benchmarks against a real API server: cold sync, the second pass, healed drift, memory, a quiet minute, one
//! commit of many applications. Each figure of moorline's stands beside a bare loop's of the same run.
//!
//! Usage: `cargo bench --bench cluster -- [cold|drift|busy|memory|all] [--applications N] [--rounds N] [--trials N]`,
//! with the parts of `tests/install` in the environment; `tests/bench` does all that.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock, and its counts are far below 2^52"
)]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on panics")]

mod bare;
mod drift;
mod fleet;
mod measure;

/// The parts that the whole tier of tests runs on, as they are.
#[allow(dead_code, reason = "a part is offered whole, whatever the benchmarks use of it")]
#[path = "../../tests/real/parts"]
mod parts {
    pub(crate) mod control_plane;
    pub(crate) mod git_repository;
    pub(crate) mod kubectl;
    pub(crate) mod node;

    /// A program that `tests/install` names, by its variable.
    pub(crate) fn program(variable: &str) -> std::path::PathBuf {
        let path = std::env::var_os(variable);
        path.unwrap_or_else(|| panic!("{variable} is not set: run tests/bench")).into()
    }
}

use std::time::{Duration, Instant};

use fleet::Fleet;
use measure::{Audit, Ended, Process, Verbs};
use parts::control_plane::ControlPlane;

/// Requests of the bare loop that are under way at once.
const IN_FLIGHT: usize = 32;

struct Arguments {
    what: String,
    applications: usize,
    rounds: usize,
    trials: usize,
}

fn arguments() -> Arguments {
    let mut read = Arguments { what: "all".to_owned(), applications: 1000, rounds: 2, trials: 240 };
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        let mut number = || given.next().and_then(|text| text.parse().ok()).unwrap();
        match argument.as_str() {
            "--applications" => read.applications = number(),
            "--rounds" => read.rounds = number(),
            "--trials" => read.trials = number(),
            // Cargo adds it.
            "--bench" => {}
            what => what.clone_into(&mut read.what),
        }
    }
    read
}

fn main() {
    let arguments = arguments();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let wants = |what: &str| arguments.what == what || arguments.what == "all";
    if wants("cold") {
        cold(&runtime, &arguments);
    }
    if wants("drift") {
        running(&runtime, &arguments);
    }
    if wants("busy") {
        busy(&runtime, &arguments);
    }
    if wants("memory") {
        memory(&arguments);
    }
}

/// Cold sync beside the bare loop, A B B A, each pair on a control plane of its own, and the second pass.
fn cold(runtime: &tokio::runtime::Runtime, arguments: &Arguments) {
    println!("== cold sync, {} applications × 6 objects", arguments.applications);
    let mut ratios = Vec::new();
    for round in 0..arguments.rounds {
        let plane = ControlPlane::start();
        let fleet = Fleet::create("bench", arguments.applications);
        let (mut ours, mut bare) = (0.0, 0.0);
        for turn in 0..2 {
            if (round + turn) % 2 == 0 {
                ours = cold_moorline(&plane, &fleet);
                second_pass(&plane, &fleet);
            } else {
                bare = runtime.block_on(bare::sync(&plane, "bare", arguments.applications, IN_FLIGHT));
            }
            Audit::of(&plane).settle();
        }
        println!("round {round}: ratio {:.3}", ours / bare);
        ratios.push(ours / bare);
    }
    ratios.sort_by(f64::total_cmp);
    println!("cold sync / bare loop, objects per second: {ratios:.3?}");
}

fn cold_moorline(plane: &ControlPlane, fleet: &Fleet) -> f64 {
    let audit = Audit::of(plane);
    let started = Instant::now();
    let ended = Process::start(fleet.command(plane, &["run", "--once"])).end();
    let wall = started.elapsed();
    let requests = audit.requests("moorline/");
    let verbs = Verbs::count(&requests);
    let objects = fleet.objects();
    let last = measure::last_apply(&requests).unwrap().since_start(&audit);
    let rate = objects as f64 / last.as_secs_f64();
    println!(
        "moorline: {objects} objects, last applied after {:.2} s = {rate:.0} objects/s; first write after {:.2} s; whole pass {:.2} s, {}",
        last.as_secs_f64(),
        measure::first_write(&requests).unwrap().since_start(&audit).as_secs_f64(),
        wall.as_secs_f64(),
        told(&ended, objects),
    );
    println!("  requests: {verbs}; per object {:.3}", requests.len() as f64 / objects as f64);
    fleet.verify(&requests);
    rate
}

fn told(ended: &Ended, objects: usize) -> String {
    format!(
        "exit {}, own CPU {:.2} s ({:.3} ms per object), peak RSS {:.1} MiB",
        ended.code,
        ended.cpu.as_secs_f64(),
        ended.cpu.as_secs_f64() * 1000.0 / objects as f64,
        ended.peak_kib as f64 / 1024.0
    )
}

fn second_pass(plane: &ControlPlane, fleet: &Fleet) {
    Audit::of(plane).settle();
    let audit = Audit::of(plane);
    let started = Instant::now();
    let ended = Process::start(fleet.command(plane, &["run", "--once"])).end();
    let wall = started.elapsed();
    let requests = audit.requests("moorline/");
    let mutating = requests.iter().filter(|request| request.mutates).count();
    println!(
        "second pass: {:.2} s, {mutating} mutating requests, {}; requests: {}",
        wall.as_secs_f64(),
        told(&ended, fleet.objects()),
        Verbs::count(&requests)
    );
}

/// The daemon at its full number of applications: memory, a quiet minute, one commit, drift.
fn running(runtime: &tokio::runtime::Runtime, arguments: &Arguments) {
    let plane = ControlPlane::start();
    let fleet = Fleet::create("bench", arguments.applications);
    println!("== the daemon at {} applications × 6 objects", arguments.applications);
    let daemon = start_daemon(&plane, &fleet);
    println!("idle: {:.1} MiB RSS", daemon.rss_kib() as f64 / 1024.0);
    quiet_minute(&plane, &daemon);
    // Two daemons of one instance would take back each other's work.
    daemon.end_by_signal();
    one_commit(&plane, &fleet);
    runtime.block_on(bare::sync(&plane, "bare", arguments.applications, IN_FLIGHT));
    let daemon = start_daemon(&plane, &fleet);
    runtime.block_on(drift::compare(&plane, &fleet, arguments.trials));
    daemon.end_by_signal();
}

fn start_daemon(plane: &ControlPlane, fleet: &Fleet) -> Process {
    let first = Process::start(fleet.command(plane, &["run", "--once"])).end();
    assert_eq!(first.code, 0, "the first pass");
    Audit::of(plane).settle();
    let daemon = Process::start(fleet.command(plane, &["run", "--listen", "off", "--poll", "60s"]));
    Audit::of(plane).settle();
    std::thread::sleep(Duration::from_secs(3));
    daemon
}

fn quiet_minute(plane: &ControlPlane, daemon: &Process) {
    let (audit, cpu) = (Audit::of(plane), daemon.cpu());
    std::thread::sleep(Duration::from_mins(1));
    let verbs = Verbs::count(&audit.requests("moorline/"));
    let used = daemon.cpu().saturating_sub(cpu);
    println!("a quiet minute: requests: {verbs}; own CPU {} ms", used.as_millis());
}

/// A commit that changes one ConfigMap of one application, with a daemon that polls each second.
fn one_commit(plane: &ControlPlane, fleet: &Fleet) {
    let daemon = Process::start(fleet.command(plane, &["run", "--listen", "off", "--poll", "1s"]));
    Audit::of(plane).settle();
    let mut delays = Vec::new();
    for trial in 0..5 {
        let audit = Audit::of(plane);
        let pushed = fleet.commit_one(trial);
        let requests = audit.until_write("moorline/", Duration::from_mins(1));
        let applied = measure::last_apply(&requests).unwrap();
        delays.push(applied.since(pushed).as_secs_f64());
        Audit::of(plane).settle();
        if trial == 0 {
            println!("one commit: requests: {}", Verbs::count(&audit.requests("moorline/")));
        }
    }
    delays.sort_by(f64::total_cmp);
    println!("one commit: push → applied, seconds with a poll each second: {delays:.3?}");
    daemon.end_by_signal();
}

/// Heals while everything else is rolled out, with a daemon that polls each second.
fn busy(runtime: &tokio::runtime::Runtime, arguments: &Arguments) {
    let plane = ControlPlane::start();
    let fleet = Fleet::create("bench", arguments.applications);
    println!("== heals beside {} rollouts", arguments.applications);
    runtime.block_on(bare::sync(&plane, "bare", 1, IN_FLIGHT));
    start_daemon(&plane, &fleet).end_by_signal();
    let daemon = Process::start(fleet.command(&plane, &["run", "--listen", "off", "--poll", "1s"]));
    Audit::of(&plane).settle();
    runtime.block_on(drift::compare_busy(&plane, &fleet, arguments.trials));
    println!("after it: {:.1} MiB RSS", daemon.rss_kib() as f64 / 1024.0);
    daemon.end_by_signal();
}

/// Resident memory of the idle daemon by the number of applications.
fn memory(arguments: &Arguments) {
    println!("== memory of the idle daemon");
    let mut points = Vec::new();
    for applications in [10, 100, arguments.applications] {
        let plane = ControlPlane::start();
        let fleet = Fleet::create("bench", applications);
        let daemon = start_daemon(&plane, &fleet);
        let kib = daemon.rss_kib();
        println!("{applications} applications, {} objects: {:.1} MiB", fleet.objects(), kib as f64 / 1024.0);
        points.push((fleet.objects() as f64, kib as f64 * 1024.0));
        daemon.end_by_signal();
    }
    let (slope, intercept) = measure::line(&points);
    println!("{:.0} bytes per object above {:.1} MiB", slope, intercept / 1024.0 / 1024.0);
}
