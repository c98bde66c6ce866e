//! Simulations of the whole daemon, as many as one has patience for: `moorline-sim --seeds 0..100000`, or
//! `moorline-sim --replay FILE --seed N` for a script that was printed. A failing seed is printed with its shrunk
//! script. Exit codes: 0 none failed · 1 some did.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use rayon::prelude::*;

/// The program's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[path = "../tests/it/simulation.rs"]
mod simulation;

use moorline::telemetry::{BoxMakeWriter, LogFormat, init};
use simulation::play::{play, shrink};
use simulation::script::{Step, of_seed};

/// Plays schedules of the whole daemon over worlds in memory
#[derive(Parser)]
struct Arguments {
    /// First and last seed, the last not included
    #[arg(long, value_name = "FROM..TO", default_value = "0..10000")]
    seeds: String,
    /// Play this script instead, one step a line
    #[arg(long, value_name = "FILE")]
    replay: Option<std::path::PathBuf>,
    /// The seed of the cluster's identities for --replay
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// End at the first schedule that fails
    #[arg(long)]
    first: bool,
    /// Print every seed's script as it begins
    #[arg(long)]
    verbose: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match &arguments.replay {
        Some(file) => replay(file, arguments.seed),
        None => run(&arguments),
    }
}

fn replay(file: &std::path::Path, seed: u64) -> ExitCode {
    let filter = std::env::var("MOORLINE_LOG").unwrap_or_else(|_| "moorline=info".to_owned());
    let writer = BoxMakeWriter::new(std::io::stderr);
    init(LogFormat::Text, &filter, false, writer).unwrap_or_else(|error| panic!("{error}"));
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let script: Vec<Step> = lines.map(|line| line.parse().unwrap_or_else(|why| panic!("{why}"))).collect();
    match play(&script, seed) {
        Ok(played) => {
            println!("{played:?}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            println!("{why}");
            ExitCode::from(1)
        }
    }
}

fn run(arguments: &Arguments) -> ExitCode {
    let (from, to) = arguments.seeds.split_once("..").unwrap_or((&arguments.seeds, ""));
    let from: u64 = from.parse().unwrap_or(0);
    let to: u64 = to.parse().unwrap_or(from + 1);
    let (started, done, failed) = (Instant::now(), AtomicU64::new(0), AtomicU64::new(0));
    (from..to).into_par_iter().for_each(|seed| {
        if arguments.first && failed.load(Ordering::SeqCst) > 0 {
            return;
        }
        let script = of_seed(seed);
        if arguments.verbose {
            let lines: Vec<String> = script.iter().map(Step::to_string).collect();
            eprintln!("seed {seed}\n  {}", lines.join("\n  "));
        }
        if let Err(why) = play(&script, seed) {
            failed.fetch_add(1, Ordering::SeqCst);
            let (script, why) = shrink(&script, seed, why);
            let lines: Vec<String> = script.iter().map(Step::to_string).collect();
            println!("seed {seed}: {why}\n  {}", lines.join("\n  "));
        }
        let done = done.fetch_add(1, Ordering::SeqCst) + 1;
        if done % 1000 == 0 {
            eprintln!("{}", summary(done, failed.load(Ordering::SeqCst), started));
        }
    });
    let (done, failed) = (done.into_inner(), failed.into_inner());
    println!("{}", summary(done, failed, started));
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn summary(done: u64, failed: u64, started: Instant) -> String {
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
    format!("{done} schedules, {failed} failed, {} a second", done * 1000 / milliseconds)
}
