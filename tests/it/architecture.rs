//! The walls of the house: who may name whom, what pure modules may not do, and that no file stands outside.
//!
//! A text scan: macros and re-exports could hide an arrow, so nothing is re-exported across modules.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Module → modules it may name. Adding an arrow is changing one row.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("helm", &[]),
    ("desired", &["model", "helm"]),
    ("render", &["model", "desired", "helm", "diff"]),
    ("health", &["model"]),
    ("diff", &["model", "health"]),
    ("sync", &["model", "diff", "health"]),
    ("inventory", &["model", "helm"]),
    ("promotion", &["model"]),
    ("ledger", &["model"]),
    ("report", &["model", "sync"]),
    ("telemetry", &["model", "report"]),
    ("adapters", &["model", "telemetry"]),
    ("source", &["model", "adapters"]),
    ("cluster", &["model", "helm", "diff", "sync", "inventory", "adapters", "telemetry"]),
    (
        "reconciler",
        &[
            "model",
            "desired",
            "helm",
            "render",
            "diff",
            "health",
            "sync",
            "inventory",
            "ledger",
            "report",
            "adapters",
            "source",
            "cluster",
            "telemetry",
        ],
    ),
    ("sandbox", &[]),
    ("server", &["model", "report", "telemetry"]),
    ("settings", &["model", "adapters"]),
    ("demo", &["model", "report"]),
    (
        "cli",
        &[
            "model",
            "desired",
            "render",
            "helm",
            "diff",
            "sync",
            "inventory",
            "promotion",
            "ledger",
            "report",
            "adapters",
            "cluster",
            "reconciler",
            "server",
            "settings",
            "telemetry",
            "sandbox",
            "demo",
        ],
    ),
];

/// Modules that are packages of their own, in the folder of their name: what they may name, their manifests say.
const PACKAGES: &[&str] = &["helm", "sandbox"];

const PURE: &[&str] = &[
    "model",
    "helm",
    "desired",
    "render",
    "health",
    "diff",
    "sync",
    "inventory",
    "promotion",
    "ledger",
    "report",
];

/// What pure code may not contain, and why.
const FORBIDDEN: &[(&str, &str)] = &[
    ("async fn", "pure code does not await"),
    (".await", "pure code does not await"),
    ("tokio", "pure code does not await"),
    ("kube::", "pure code knows no client"),
    ("reqwest", "pure code has no network"),
    ("std::fs", "pure code does no IO"),
    ("std::env::", "pure code does not read the environment"),
    ("TcpStream", "pure code has no network"),
    ("UdpSocket", "pure code has no network"),
    ("ToSocketAddrs", "pure code has no network"),
    ("::now()", "time is an argument"),
    ("tracing::", "pure code does not log"),
    ("println!", "libraries do not print"),
    ("maud", "pages are drawn by the server"),
    ("\\u{1b}", "terminals are painted by the command line"),
];

/// The package of the test doubles, in the folder `tests/doubles`: it names us, and only tests name it.
const DOUBLES: &str = "moorline_doubles";

/// Names that say nothing of what is inside.
const BAD_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc", "manager"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(files.len() > 50, "only {} files found", files.len());
    files
}

fn module_of(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

/// A file without comments and without the tests at its end.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn is_test(file: &str) -> bool {
    file.ends_with("tests.rs") || file.contains("/tests/")
}

#[test]
fn arrows_go_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for (file, text) in sources().iter().filter(|(file, _)| !is_test(file)) {
        let module = module_of(file);
        if matches!(module, "lib" | "main") || PACKAGES.contains(&module) {
            continue;
        }
        let may = allowed.get(module).unwrap_or_else(|| panic!("{module} has no row in MAY_USE"));
        let code = code(text);
        for (other, _) in MAY_USE.iter().filter(|(other, _)| *other != module && !may.contains(other)) {
            if code.contains(&format!("crate::{other}::")) || code.contains(&format!("crate::{other};")) {
                wrong.push(format!("{file} names {other}"));
            }
        }
        for package in PACKAGES.iter().filter(|package| code.contains(&format!("moorline_{package}"))) {
            wrong.push(format!("{file} names moorline_{package}: `crate::{package}` is seen as an arrow"));
        }
        if text.contains(DOUBLES) {
            wrong.push(format!("{file} names {DOUBLES}: the library is built without its test doubles"));
        }
        assert!(
            !code.contains("use crate::{"),
            "{file}: one `use crate::module` a line, so that arrows are seen"
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn packages_depend_on_nothing_of_ours() {
    for package in PACKAGES {
        let manifest = std::fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
        let (_, dependencies) = manifest.split_once("[dependencies]").unwrap();
        assert!(!dependencies.contains("moorline"), "{package}: {dependencies}");
        assert_eq!(MAY_USE.iter().find(|(module, _)| module == package), Some(&(*package, &[][..])));
    }
}

/// Whether a text has a word that does not go on: `.awaiting` is no `.await`.
fn has_word(text: &str, word: &str) -> bool {
    let goes_on =
        |rest: &str| word.ends_with("await") && rest.starts_with(|char: char| char.is_alphanumeric());
    text.match_indices(word).any(|(at, _)| !goes_on(&text[at + word.len()..]))
}

#[test]
fn pure_modules_do_nothing_but_compute() {
    let mut wrong = Vec::new();
    for (file, text) in sources().iter().filter(|(file, _)| PURE.contains(&module_of(file)) && !is_test(file))
    {
        let code = code(text);
        for (word, why) in FORBIDDEN.iter().filter(|(word, _)| has_word(&code, word)) {
            wrong.push(format!("{file} contains {word:?}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_write_goes_through_the_writer_that_asks_the_lease() {
    let all = sources();
    // A person's own command is a person's own write.
    let may = |file: &str| ["adapters", "cli", "cluster"].contains(&module_of(file));
    let bare = all.iter().filter(|(file, text)| code(text).contains("ClusterWrite") && !may(file));
    let bare: Vec<_> = bare.map(|(file, _)| file).collect();
    assert!(bare.is_empty(), "{bare:?}");
    // Of the cluster's own room only the guard, the writer, the lease and what connects them see a bare connection.
    let inside = [
        "cluster/commands.rs",
        "cluster/guard.rs",
        "cluster/lease.rs",
        "cluster/state.rs",
        "cluster/writer.rs",
    ];
    let bare =
        all.iter().filter(|(file, text)| module_of(file) == "cluster" && code(text).contains("ClusterWrite"));
    let bare: Vec<_> = bare.map(|(file, _)| file.as_str()).collect();
    assert_eq!(bare, inside);
}

#[test]
fn only_act_writes_objects_of_applications() {
    let applies = |text: &str| code(text).contains(".apply(") && code(text).contains("ApplyOptions");
    let all = sources();
    let appliers = all.iter().filter(|(file, text)| module_of(file) == "reconciler" && applies(text));
    let appliers: Vec<_> = appliers.map(|(file, _)| file.as_str()).collect();
    assert_eq!(appliers, ["reconciler/act/objects.rs"]);
    let shown = all.iter().filter(|(file, text)| {
        ["server", "report", "sync"].contains(&module_of(file)) && code(text).contains("Writer")
    });
    assert_eq!(shown.count(), 0);
}

#[test]
fn every_file_is_in_the_house_and_says_what_it_is() {
    let sources = sources();
    let mut wrong = Vec::new();
    for (file, text) in &sources {
        if !text.starts_with("//!") {
            wrong.push(format!("{file} does not begin with what lives in it"));
        }
        let path = Path::new(file);
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if stem == "mod" || BAD_NAMES.contains(&stem) {
            wrong.push(format!("{file} has a name that says nothing"));
        }
        if matches!(stem, "lib" | "main") {
            continue;
        }
        let parent = path.parent().unwrap();
        let owner = if parent.as_os_str().is_empty() {
            "lib.rs".to_owned()
        } else if parent.to_str().is_some_and(|parent| PACKAGES.contains(&parent)) {
            format!("{}/lib.rs", parent.display())
        } else {
            format!("{}.rs", parent.display())
        };
        let declared = sources.get(&owner).is_some_and(|owner| owner.contains(&format!("mod {stem};")));
        if !declared {
            wrong.push(format!("{file} is in no `mod` list: {owner} should name it"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_test_file_is_forgotten() {
    for (binary, main) in [("tests/it", "main.rs"), ("tests/real", "main.rs"), ("tests/doubles", "lib.rs")] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(binary);
        let text = std::fs::read_to_string(folder.join(main)).unwrap();
        let named: BTreeSet<String> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .filter(|stem| format!("{stem}.rs") != main)
            .collect();
        for stem in named {
            assert!(text.contains(&format!("mod {stem};")), "{binary}/{stem}.rs is in no `mod` list");
        }
    }
}
