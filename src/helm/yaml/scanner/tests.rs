//! Where tokens start.

use super::{Kind, Scanner};
use crate::yaml::YamlLimits;

#[test]
fn columns_count_characters_on_lines_of_any_length() {
    let text = format!("{{{}\n żółć: [ü, x]}}", "é: 1, ".repeat(100_000));
    let mut scanner = Scanner::new(text.as_bytes(), YamlLimits::default()).expect("a scanner");
    let (mut last, mut columns) = (0, Vec::new());
    loop {
        let token = scanner.next().expect("a token");
        if token.kind.is(&Kind::StreamEnd) {
            break;
        }
        if token.start.line == 1 {
            columns.push(token.start.column);
        } else {
            last = token.start.column;
        }
    }
    assert_eq!(last, 1 + 6 * 99_999 + 4);
    assert_eq!(columns, [1, 1, 5, 7, 8, 9, 11, 12, 13]);
}

/// As helm 4.3.1 says it.
#[test]
fn the_first_of_several_bad_characters_is_told() {
    for (bytes, problem) in [
        (&b"a: \x01\xFF"[..], "control characters are not allowed"),
        (b"a: \xFF\x01", "invalid leading UTF-8 octet"),
        (b"a: \xC3(\x7F", "invalid trailing UTF-8 octet"),
        (b"a: \xC2\x80\xFF", "control characters are not allowed"),
        (b"a: \xE2\x82", "incomplete UTF-8 octet sequence"),
        (b"a: \xE2\x82\xFF", "invalid trailing UTF-8 octet"),
    ] {
        let error = Scanner::new(bytes, YamlLimits::default()).err().expect("an error");
        assert_eq!(error.helm, format!("yaml: {problem}"), "{bytes:?}");
    }
    assert!(Scanner::new("a: \u{85}\u{A0}\t".as_bytes(), YamlLimits::default()).is_ok());
}
