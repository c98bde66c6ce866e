//! Random documents: what is read in the short way is what the grammar reads.

use proptest::prelude::*;

use super::super::read_by_grammar;
use super::*;
use crate::values::Tree;

const PIECES: &[&str] = &[
    "\n",
    "\n",
    "\n  ",
    "\n  ",
    "\n    ",
    "\n- ",
    "\n  - ",
    "a: ",
    "b: ",
    "key:",
    ": ",
    ":",
    "- ",
    "-",
    "x",
    "1",
    "true",
    "~",
    "no",
    ".5",
    "0x1f",
    "1_0",
    "y: ",
    "12: ",
    "\"q\"",
    "'s'",
    "''",
    "\"\"",
    "\"a\\nb\"",
    "\\",
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    ", ",
    ",",
    "{}",
    "[]",
    "|",
    "|-",
    "|+",
    "|\n",
    "|\n  ",
    ">\n  ",
    ">-\n    ",
    ">+\n    ",
    "\n\n",
    "\n     ",
    "'a\n  b'",
    "\"a\n\n  b \\\n  \\ c\"",
    "''",
    "\\ ",
    "\\\n",
    "|-\n    ",
    " #",
    "#",
    " ",
    "  ",
    "---",
    "...",
    "%",
    "<<: ",
    "&a ",
    "*a",
    "? ",
    "!",
    ">",
    "http://x",
    "a b",
    "$(A)",
    "/p",
    "\t",
    "é",
    "\r",
    "{a: 1, b: [x, 'y']}",
    "{\"a\":\"b\"}",
    "[{a: b}]",
    "\"k\": ",
    "\"k\":",
    "=",
    "@",
    "`",
    ".inf",
    "a?",
    "\n  more",
    "\n    {}",
    "\n\n",
    "---\n",
    "“x”",
    "\u{2028}",
    "\u{85}",
    "\u{FEFF}",
];

/// Some keys, and below one of them one.
const SOME: Keep =
    Keep::Keys(&[(b"a", Keep::Keys(&[(b"b", Keep::Everything)])), (b"true", Keep::Everything)]);

/// What is kept under these keys.
fn some(mut whole: serde_json::Value) -> serde_json::Value {
    let Some(map) = whole.as_object_mut() else { return whole };
    map.retain(|key, _| key == "a" || key == "true");
    // A map in braces is read whole: it is short.
    if let Some(inner) = map.get_mut("a").and_then(serde_json::Value::as_object_mut) {
        inner.retain(|key, _| key == "b");
    }
    whole
}

/// What is read in the short way is what the grammar reads.
fn compare(text: &str) -> Result<bool, TestCaseError> {
    let limits = YamlLimits::default();
    let Some(short) = read::<Tree>(text.as_bytes(), limits, Keep::Everything) else { return Ok(false) };
    let long = read_by_grammar::<Tree>(text.as_bytes(), limits);
    prop_assert_eq!(Ok(&short), long.as_ref(), "{:?}", text);
    let json: serde_json::Value = read_by_grammar(text.as_bytes(), limits).unwrap();
    let read_json: Option<serde_json::Value> = read(text.as_bytes(), limits, Keep::Everything);
    prop_assert_eq!(read_json.as_ref(), Some(&json));
    prop_assert!(read::<Checked>(text.as_bytes(), limits, Keep::Everything).is_some());
    if let Some(head) = read::<serde_json::Value>(text.as_bytes(), limits, SOME) {
        prop_assert!(head.as_object().is_none_or(|map| map.keys().all(|key| key == "a" || key == "true")));
        prop_assert_eq!(some(head), some(json), "{:?}", text);
    }
    Ok(true)
}

/// Lines that mostly fit together: an indentation, perhaps an entry, a key, a value.
fn lines() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        4 => prop::sample::select(vec!["", " x", " 1", " \"q\"", " 's'", " {}", " [a, 1]", " {a: b}", " # c", " x # c"]),
        1 => prop::sample::select(vec![" |", " |-", " |+", " >", " a: b", " - a", " &a x", " !!str 1", " \"a", " x #c", ":"]),
    ];
    let line = (
        0..4_usize,
        any::<bool>(),
        prop::sample::select(vec!["a:", "b:", "1:", "on:", "\"q\":", "c", "", "#", "- d", "{}", "é", "---"]),
        value,
    );
    prop::collection::vec(line, 1..8).prop_map(|lines| {
        let texts = lines.into_iter().map(|(indent, entry, key, value)| {
            format!("{}{}{key}{value}\n", "  ".repeat(indent), if entry { "- " } else { "" })
        });
        texts.collect()
    })
}

/// A scalar of several lines, in all its styles, and what follows it.
fn scalars() -> impl Strategy<Value = String> {
    let style = prop::sample::select(vec!["'", "\"", "|\n", "|-\n", "|+\n", ">\n", ">-\n", ">+\n", ""]);
    let piece = prop::sample::select(vec![
        "a", "b c", " ", "  ", "\n", "\n  ", "\n   ", "\n    ", "\n\n", "''", "\\n", "\\\"", "\\ ", "\\\n",
        "- x", "# y", "z: 1", "---", "\n---\n", "é", "'", "\"", "\\t", " \n", "\\\\",
    ]);
    let body = prop::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat());
    let around = (prop::sample::select(vec!["k: ", "k:\n  ", "- ", "k:\n- ", "m:\n  k: "]), any::<bool>());
    (
        around,
        style,
        0..4_usize,
        body,
        prop::sample::select(vec!["", "\n", "\nz: 1\n", "\n# c\n\n", "\n  y: 2"]),
    )
        .prop_map(|((before, close), style, indent, body, after)| {
            let end = if close && style.len() == 1 { style } else { "" };
            format!("{before}{style}{}{body}{end}{after}", " ".repeat(indent))
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn scalars_are_read_as_the_grammar_reads_them(text in scalars()) {
        compare(&text)?;
    }

    #[test]
    fn pieces_are_read_as_the_grammar_reads_them(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..24)) {
        compare(&pieces.concat())?;
    }

    #[test]
    fn lines_are_read_as_the_grammar_reads_them(text in lines()) {
        compare(&text)?;
        compare(text.trim_end())?;
    }
}

#[test]
fn what_charts_are_made_of_takes_the_short_way() {
    for text in [
        "# Source: a\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: \"a\" # why\n  labels: {}\ndata:\n  a.txt: |\n    one\n\n      two\n\n  b: ~1.2\n",
        "a:\n- b: 1\n  c: [x, \"y\"]\n-   d: {e: f, \"g\": 'h'}\n\nz:\n  - -1\n  - --flag=x\n  - http://example.com/a#b\n",
        "on: 1\n\"quoted/key\": a\n1: x\n0x10: y\nend:",
        "---\na:\n  {}\nb:\n  goes on\n  here, and\n\n  there # it ends\nc: |\n\n  text\n",
        "# first\n---\n- one\n  two\n- [a]\n",
        "{}\n",
        "a: “b” – c\n",
        "- a\n- b: |-\n    text\n    more",
        "a: 'it''s  one\n  and\n\n\n   more '\nb: \"- x\\n  y\\\n    \\ z \\\"q\\\"\n  w\"\n",
        "a: >-\n  one\n  two\n\n  three\n    four\n  five\n\nb: >\n\n   x\nc: |\n\n# none\nd: |+\n\n\ne: >+\n    z\n\n",
    ] {
        assert!(compare(text).unwrap(), "{text}");
    }
}

#[test]
fn of_a_head_only_what_is_asked_for_is_kept() {
    let text = b"x: 1\na:\n  c: 1\n  b:\n    d: 2\non: 3\nz:\n- a: 1\n";
    let head: serde_json::Value = read(text, YamlLimits::default(), SOME).unwrap();
    assert_eq!(head, serde_json::json!({"a": {"b": {"d": 2}}, "true": 3}));
}
