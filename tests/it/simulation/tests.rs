//! Schedules that every change must survive, and those that once did not.

use super::play::{play, shrink};
use super::script::{Step, of_seed};

fn parse(lines: &str) -> Vec<Step> {
    lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| line.parse().unwrap()).collect()
}

/// Plays seeds side by side.
fn seeds(range: std::ops::Range<u64>) {
    use rayon::prelude::*;
    let failed: Vec<String> = range
        .into_par_iter()
        .filter_map(|seed| {
            let script = of_seed(seed);
            let (script, why) = play(&script, seed).err().map(|why| shrink(&script, seed, why))?;
            let lines: Vec<String> = script.iter().map(Step::to_string).collect();
            Some(format!("seed {seed}: {why}\n  {}", lines.join("\n  ")))
        })
        .collect();
    assert!(failed.is_empty(), "{} schedules failed\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn a_script_is_read_as_it_is_written() {
    for seed in 0..200 {
        let script = of_seed(seed);
        let lines: Vec<String> = script.iter().map(Step::to_string).collect();
        assert_eq!(parse(&lines.join("\n")), script);
    }
}

#[test]
fn nothing_happens_and_all_is_deployed() {
    let played = play(&[], 1).unwrap();
    assert!(played.writes > 10, "{played:?}");
}

#[test]
fn the_same_seed_gives_the_same_play() {
    use rayon::prelude::*;
    (0..20).into_par_iter().for_each(|seed| {
        let script = of_seed(seed);
        assert_eq!(play(&script, seed), play(&script, seed), "seed {seed}");
    });
}

/// What schedules found, with the seed of their cluster; each was mended.
const MENDED: [(&str, u64, &str); 17] = [
    (
        "a field that somebody took during a first rollout is taken back",
        47,
        "revert\nmeddle prod web image\nwait 31\ncommit web good",
    ),
    (
        "a head that is written again takes its deployed set with it",
        2111,
        "meddle dev api delete\nlose prod web true\ncrash 21\ncommit web image",
    ),
    (
        "the same, when the set is needed at once",
        2712,
        "crash 2\nlose dev web true\nforce 2\nfault conflict,chance=20%,times=3\ncrash 3\nmeddle dev web value",
    ),
    (
        "a head whose answer was lost is known before Git breaks",
        6,
        "reach state true\nfault lost,times=5\ncommit api invalid\ncommit web yaml\ncommit api invalid\nfault lost,verb=patch,times=6\nmeddle prod web delete",
    ),
    (
        "the late answer to an apply does not hide what somebody changed meanwhile",
        79957,
        "wait 32\nfault latency=700,times=2\nmeddle dev pay delete\nfault latency=700,verb=patch,times=3\ncommit web good\nmeddle dev pay value",
    ),
    (
        "the late answer to an apply does not bring back what is gone",
        43915,
        "fault latency=700,verb=patch,times=5\nmeddle dev api delete",
    ),
    (
        "a service that left Git and comes back is rolled out, though one object of it waits for a word",
        82030,
        "crash 39\nextra web 3\nrestart\nmember dev web\ncrash 23\nforce 1",
    ),
    (
        "what a blocked rollout applied is not taken for the next one's",
        46679,
        "crash 32\ncommit web image\nwait 37\nrevert\nextra web 4",
    ),
    (
        "a deployed set that is written again is not taken for a rollout that began",
        86145,
        "calm\nempty\nmeddle dev api stranger\nrewind 1\ncommit web image\nfault stale=5,times=6\ncommit api good\ncommit pay good\nforce 1\nwait 22\nfault stall=1,chance=20%,times=6\ncommit web good",
    ),
    (
        "what a rollout applied that did not end is known to the next one",
        18386,
        "reach state false\nwait 14\ncommit pay good\ncommit api yaml\nfault reset,times=5\nextra pay 4\nwait 10",
    ),
    (
        "a stale read of a head does not bring back what it said before it was blocked",
        308_394,
        "commit api good\nfault stale=5,chance=20%,times=6\nmeddle prod web value\ncommit web image\nwait 44",
    ),
    (
        "what a person does while an answer is under way is not the daemon's (a mistake of the simulation)",
        307_762,
        "promote\nfault latency=700,chance=20%,times=2\nmeddle prod pay image",
    ),
    (
        "a namespace that somebody deleted during a rollout is noticed",
        452_094,
        "fault drop=1,chance=20%,times=6\ncommit web good\ncrash 20\nmeddle prod pay namespace",
    ),
    (
        "a namespace that is made again after its application's head was lost is its team's",
        472_113,
        "commit pay good\ncommit web invalid\nwait 17\nlose prod web false\ncrash 34\nmeddle prod web namespace",
    ),
    (
        "what one daemon has under way when another blocks it is no fault (a mistake of the simulation)",
        473_094,
        "empty\nrevert\ncrash 36\nfault 429=1,chance=20%,times=1\nfault latency=700,chance=20%,times=5\nwait 24\ncommit pay good\ncrash 7\nempty\nwait 33\nrival true\ncommit web good",
    ),
    (
        "what is in no set cannot be brought back, also without a pin (a mistake of the simulation)",
        554_869,
        "fault drop=1,chance=20%,times=6\npromote\nrestart\nlose prod pay true\ncrash 33\nforce 3\nmeddle prod pay delete",
    ),
    (
        "two daemons of which one has not seen the newest commit do not fight",
        1,
        "commit web image\ncommit api good\nrival true\nmeddle dev web image\nmeddle prod web note\nmeddle dev api scale\nfault conflict,chance=20%,times=6\nreach config false\nfault lost,chance=20%,times=3",
    ),
];

#[test]
fn what_was_mended_stays_mended() {
    for (what, seed, lines) in MENDED {
        assert_eq!(play(&parse(lines), seed).err(), None, "{what}");
    }
}

#[test]
fn random_schedules_keep_what_must_hold() {
    seeds(0..100);
}
