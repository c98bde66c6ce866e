//! Whole processes: `moorline template` beside `helm template`, with their processor time and peak memory.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::charts::{helm, samples};
use crate::{median, milliseconds, timed};

const PAIRS: usize = 15;

pub(crate) fn measure() {
    println!("== whole processes, medians of {PAIRS} pairs in turn");
    let helm = helm();
    let folder = tempfile::tempdir().unwrap();
    // As users have it: a file that a linker wrote piece by piece is kept in smaller pages, which costs each start 50
    // page faults more than one that was copied, as that of helm is.
    let ours = folder.path().join("moorline");
    fs::copy(env!("CARGO_BIN_EXE_moorline"), &ours).unwrap();
    let ours = ours.to_str().unwrap();
    for (what, place) in samples(folder.path(), &helm) {
        pair((&helm, ours), what, &place);
    }
}

fn pair((helm, ours): (&str, &str), what: &str, place: &Path) {
    let output = |program: &str| template(program, place).output().unwrap().stdout;
    assert!(output(helm) == output(ours), "{what}: not Helm's bytes");
    let (mut theirs, mut mine, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..PAIRS {
        let run = |program| timed(|| template(program, place).status().unwrap()).0;
        // Whoever comes second finds warmer caches: both take turns.
        let (one, other) = if round % 2 == 0 {
            let one = run(helm);
            (one, run(ours))
        } else {
            let other = run(ours);
            (run(helm), other)
        };
        theirs.push(one);
        mine.push(other);
        ratios.push(one.as_secs_f64() / other.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    let (their_cost, our_cost) = (cost(helm, place), cost(ours, place));
    println!(
        "{what}: helm {:.1} ms, {:.1} ms of processor, {} MiB; moorline {:.1} ms, {:.1} ms, {} MiB; ratio {:.1} [{:.1}-{:.1}] by the clock, {:.1} by processor",
        milliseconds(median(theirs)),
        milliseconds(their_cost.0),
        their_cost.1 / 1024,
        milliseconds(median(mine)),
        milliseconds(our_cost.0),
        our_cost.1 / 1024,
        ratios[ratios.len() / 2],
        ratios[0],
        ratios[ratios.len() - 1],
        their_cost.0.as_secs_f64() / our_cost.0.as_secs_f64(),
    );
}

fn template(program: &str, place: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["template", "rel"]).arg(place).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Processor time of one run, the mean of some, and its peak of memory in KiB. Python has what the
/// standard library here lacks: what children used.
fn cost(program: &str, place: &Path) -> (Duration, u64) {
    const RUNS: u32 = 10;
    let script = format!(
        "import resource,subprocess,sys\nfor _ in range({RUNS}): subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL)\nr=resource.getrusage(resource.RUSAGE_CHILDREN)\nprint(r.ru_utime+r.ru_stime,r.ru_maxrss)"
    );
    let mut python = Command::new("python3");
    python.args(["-c", &script, program, "template", "rel"]).arg(place);
    let out = python.output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let (seconds, memory) = text.trim().split_once(' ').unwrap();
    (Duration::from_secs_f64(seconds.parse::<f64>().unwrap()) / RUNS, memory.parse().unwrap())
}
