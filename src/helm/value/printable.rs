//! Which characters Go prints as they are: `strconv.IsPrint` by Unicode's general categories, of the version that
//! `regex-syntax` has.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, Hir, HirKind};

/// Letters, marks, numbers, punctuation and symbols, as ranges in order.
static PRINTABLE: LazyLock<Vec<(char, char)>> =
    LazyLock::new(|| match regex_syntax::parse(r"[\pL\pM\pN\pP\pS]").map(Hir::into_kind) {
        Ok(HirKind::Class(Class::Unicode(class))) => {
            class.iter().map(|range| (range.start(), range.end())).collect()
        }
        _ => Vec::new(),
    });

/// What most texts beyond ASCII are made of, known without the tables.
const USUAL: [(char, char); 10] = [
    ('\u{A1}', '\u{AC}'),
    ('\u{AE}', '\u{377}'),
    ('\u{400}', '\u{52F}'),
    ('\u{2010}', '\u{2027}'),
    ('\u{2190}', '\u{2426}'),
    ('\u{2500}', '\u{2B73}'),
    ('\u{3041}', '\u{3096}'),
    ('\u{4E00}', '\u{9FFF}'),
    ('\u{AC00}', '\u{D7A3}'),
    ('\u{1F300}', '\u{1F6D7}'),
];

/// Go's `strconv.IsPrint`.
pub(crate) fn is_printable(character: char) -> bool {
    match character {
        ' '..='~' => true,
        '\0'..='\u{A0}' => false,
        _ => USUAL.iter().any(|(from, to)| (*from..=*to).contains(&character)) || is_in_tables(character),
    }
}

fn is_in_tables(character: char) -> bool {
    let after = PRINTABLE.partition_point(|(from, _)| *from <= character);
    let range = after.checked_sub(1).and_then(|index| PRINTABLE.get(index));
    range.is_some_and(|(_, to)| character <= *to)
}

#[cfg(test)]
mod tests {
    use super::{USUAL, is_in_tables, is_printable};

    #[test]
    fn what_is_known_without_tables_is_in_them() {
        let mut known = USUAL.into_iter().flat_map(|(from, to)| from..=to);
        assert_eq!(known.find(|character| !is_in_tables(*character)), None);
    }

    /// As helm 4.3.1 quotes them.
    #[test]
    fn unassigned_private_and_invisible_characters_are_escaped() {
        let escaped =
            "\u{378}\u{AD}\u{200B}\u{2028}\u{3000}\u{E000}\u{FEFF}\u{FFFF}\u{40000}\u{94591}\u{E0001}";
        let printed = "é€中\u{FFFD}\u{FE0F}😀\u{E0100}\u{31350}";
        assert_eq!(escaped.chars().find(|character| is_printable(*character)), None);
        assert_eq!(printed.chars().find(|character| !is_printable(*character)), None);
    }
}
