//! Both programs of a pattern find the same, and the short one gives way in time.

use proptest::prelude::*;

use super::{LARGEST, Matcher, SEEN, SHORT, long, short};
use crate::functions::regexes::pattern;

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "b",
        "-",
        "\\.",
        ".",
        "\\d",
        "\\W",
        "\\s",
        "[^a-c]",
        "[a-z0-9]",
        "[^\\d\\-]",
        "\\b",
        "^",
        "$",
        "(a|b)",
        "(?i:k)",
        "(?s:.)",
        "a*",
        "b+?",
        "(ab)?",
        "c{2,3}",
        "(?:|a)",
        "s",
        "[[:punct:]]",
        "é",
        "|",
        "\\n",
        "(?m:^)",
    ]);
    prop::collection::vec(piece, 1..7).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_short_program_finds_what_the_long_one_finds(
        pattern in pieces(),
        text in "[a-ckKsS0-9 \n.-]{0,12}",
    ) {
        let read = pattern::read(pattern.as_bytes());
        prop_assume!(read.is_ok());
        let translated = read.unwrap_or_else(|_| unreachable!()).translated;
        let Some(short) = short(&translated) else { return Ok(()) };
        let long = long(&translated, LARGEST).unwrap();
        let found: Vec<_> = short.captures_iter(&text).map(|found| groups(&found)).collect();
        let expected: Vec<_> = long.captures_iter(&text).map(|found| groups(&found)).collect();
        prop_assert_eq!(found, expected);
    }
}

fn groups(found: &regex_automata::util::captures::Captures) -> Vec<Option<(usize, usize)>> {
    found.iter().map(|group| group.map(|span| (span.start, span.end))).collect()
}

fn is_short(matcher: &Matcher, text: &[u8]) -> bool {
    let program = matcher.program(text, || Ok::<_, ()>(())).unwrap().unwrap();
    matcher.short.get().and_then(Option::as_ref).is_some_and(|short| std::sync::Arc::ptr_eq(short, &program))
}

#[test]
fn long_texts_other_letters_and_patterns_beyond_ascii_take_the_long_program() {
    let matcher = Matcher::new("[^a]+".to_owned());
    assert!(is_short(&matcher, b"bcd"));
    assert!(!is_short(&matcher, "bcé".as_bytes()));
    assert!(!is_short(&matcher, &vec![b'b'; SHORT + 1]));
    assert!(!is_short(&Matcher::new("(?i:\u{212A})".to_owned()), b"k"));
}

#[test]
fn what_is_searched_often_takes_the_long_program() {
    let matcher = Matcher::new("b".to_owned());
    let texts = (0..SEEN).take_while(|_| is_short(&matcher, &[b'b'; 15])).count();
    assert_eq!(texts, SEEN / 16);
}

#[test]
fn who_asks_is_asked_before_a_program_becomes_large() {
    let matcher = Matcher::new("(?i:[^a]{1,400})".to_owned());
    let refused = matcher.program("é".as_bytes(), || Err(()));
    assert!(refused.is_err());
    assert!(matcher.program("é".as_bytes(), || Ok::<_, ()>(())).is_ok_and(|program| program.is_some()));
}
