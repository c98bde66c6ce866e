//! What others wrote and we ship: licences that Apache-2.0 can be given away with, one TLS stack, nothing from
//! outside the registry. Advisories need a database from the network: `cargo deny check advisories` or
//! `cargo audit` read the same lock file.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

const LICENCES: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates that would bring a second TLS stack, or that are withdrawn in favour of another.
const BANNED: [&str; 8] = [
    "aws-lc-rs",
    "aws-lc-sys",
    "boring-sys",
    "libssh2-sys",
    "native-tls",
    "openssl",
    "openssl-sys",
    "s2n-tls",
];

fn packages() -> Vec<Value> {
    // Crates of other platforms need not be on this machine.
    let versions = Command::new("rustc").arg("-vV").output().unwrap();
    let versions = String::from_utf8(versions.stdout).unwrap();
    let host = versions.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// An SPDX expression without nesting deeper than one pair of brackets: any alternative whose parts are all fine.
fn is_allowed(expression: &str) -> bool {
    let plain = expression.replace('/', " OR ");
    let fine = |part: &str| {
        let part = part.trim_matches(|char: char| char == '(' || char == ')' || char.is_whitespace());
        LICENCES.contains(&part)
    };
    let bracketed = plain.contains('(') && plain.contains(") AND");
    if bracketed {
        // `(A OR B) AND C`
        return plain.split(" AND ").all(|group| group.split(" OR ").any(fine));
    }
    plain.split(" OR ").any(|alternative| alternative.split(" AND ").all(fine))
}

#[test]
fn every_licence_may_be_shipped_with_ours() {
    let bad: BTreeSet<String> = packages()
        .iter()
        .filter(|package| !is_allowed(package["license"].as_str().unwrap_or("none")))
        .map(|package| format!("{} {}: {}", package["name"], package["version"], package["license"]))
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(
        is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0") && !is_allowed("(MIT OR Apache-2.0) AND GPL-3.0")
    );
    assert!(is_allowed("MIT/Apache-2.0") && !is_allowed("GPL-3.0-only"));
}

#[test]
fn there_is_one_tls_stack_and_everything_comes_from_the_registry() {
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        assert!(!BANNED.contains(&name), "{name}");
        let source = package["source"].as_str();
        assert!(source.is_none_or(|source| source.starts_with("registry+")), "{name}: {source:?}");
    }
}
