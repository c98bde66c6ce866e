//! Where tokens start.

use super::{Kind, Scanner};
use crate::helm::yaml::YamlLimits;

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
