//! Instructions and allocations of whole `moorline template` processes, counted by valgrind's callgrind and compared
//! with what they were: time on a shared machine says little, a count says it exactly.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::charts::{helm, samples};

/// What each chart costs: thousands of instructions of the whole process, and allocations.
const PINNED: [(u64, u64); 3] = [(2_720, 2_290), (19_650, 25_960), (31_170, 27_400)];
/// By how many hundredths a count may grow; libraries of the system differ a little from machine to machine.
const SLACK: u64 = 10;

pub(crate) fn measure() {
    if Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("== instructions: no valgrind on PATH");
        return;
    }
    println!("== instructions, in thousands, and allocations of whole processes");
    let folder = tempfile::tempdir().unwrap();
    let mut grown = Vec::new();
    for ((what, place), (instructions, allocations)) in
        samples(folder.path(), &helm()).into_iter().zip(PINNED)
    {
        let found = count(&place, &folder.path().join("counts"));
        println!(
            "{what}: {} instructions (pinned {instructions}), {} allocations (pinned {allocations})",
            found.0, found.1
        );
        let over = |found: u64, pinned: u64| found * 100 > pinned * (100 + SLACK);
        if over(found.0, instructions) || over(found.1, allocations) {
            grown.push(what);
        }
    }
    assert!(grown.is_empty(), "these cost more than {SLACK} % above what is pinned: {}", grown.join(", "));
}

fn count(place: &Path, file: &Path) -> (u64, u64) {
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(env!("CARGO_BIN_EXE_moorline"))
        .args(["template", "rel"])
        .arg(place)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    let text = std::fs::read_to_string(file).unwrap();
    let instructions = text.lines().find_map(|line| line.strip_prefix("totals: ")).unwrap();
    (instructions.trim().parse::<u64>().unwrap() / 1000, allocations(&text))
}

/// Calls of the allocator, in callgrind's format: `cfn=` names the callee, `calls=` follows it.
fn allocations(text: &str) -> u64 {
    let mut names: HashMap<&str, &str> = HashMap::new();
    let (mut callee, mut count) = ("", 0);
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("cfn=").or_else(|| line.strip_prefix("fn=")) {
            // A name is written once; later only its number.
            let (number, name) = name.split_once(' ').unwrap_or((name, ""));
            if !name.is_empty() {
                names.insert(number, name);
            }
            if line.starts_with("cfn=") {
                callee = names.get(number).copied().unwrap_or_default();
            }
        } else if let Some(calls) = line.strip_prefix("calls=") {
            let allocates = ["mi_malloc_aligned", "mi_zalloc_aligned", "mi_realloc_aligned"];
            if allocates.iter().any(|name| callee.starts_with(name)) {
                count += calls.split(' ').next().and_then(|calls| calls.parse::<u64>().ok()).unwrap_or(0);
            }
        }
    }
    count
}
