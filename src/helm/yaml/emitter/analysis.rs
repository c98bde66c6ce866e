//! Which styles can hold a string, how numbers look, in which order keys stand.

use crate::value::{Text, convert};

/// What a string allows.
#[expect(clippy::struct_excessive_bools, reason = "the findings of libyaml")]
pub(super) struct Analysis {
    pub(super) multiline: bool,
    pub(super) plain: bool,
    pub(super) single: bool,
    pub(super) block: bool,
}

/// Whether JSON, or go-yaml where it reads JSON, takes a string for another one or for none: bytes that are no text,
/// control characters, and line breaks that JSON does not know.
pub(super) fn is_changed_by_json(text: &[u8]) -> bool {
    let ascii = |byte: &u8| *byte < 0x7F;
    if all(text, |byte| ascii(&byte)) {
        return false;
    }
    let odd = |character| matches!(character, '\u{7F}'..='\u{9F}' | '\u{FFFE}' | '\u{FFFF}');
    std::str::from_utf8(text).map_or(true, |text| text.contains(odd))
}

/// Without early exits, so that it is done in wide steps.
fn all(text: &[u8], wanted: impl Fn(u8) -> bool) -> bool {
    text.iter().fold(true, |so_far, byte| so_far & wanted(*byte))
}

/// A number after its way through JSON: an integer if it fits, else the shortest float.
pub(super) fn number_text(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e21 {
        // It was JSON before, with the shortest digits that read back, and zeros after them.
        let text = convert::float_json(value).unwrap_or_default();
        if text == "-0" {
            return "0".to_owned();
        }
        if text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok() {
            return text;
        }
    }
    convert::float_general(value)
}

pub(super) fn character_width(text: &[u8], index: usize) -> usize {
    match text.get(index) {
        Some(byte) if byte & 0xE0 == 0xC0 => 2,
        Some(byte) if byte & 0xF0 == 0xE0 => 3,
        Some(byte) if byte & 0xF8 == 0xF0 => 4,
        _ => 1,
    }
}

pub(super) fn last_character(text: &[u8], end: usize) -> usize {
    let mut index = end.saturating_sub(1);
    while index > 0 && text.get(index).is_some_and(|byte| byte & 0xC0 == 0x80) {
        index -= 1;
    }
    index
}

pub(super) fn break_width(text: &[u8], index: usize) -> usize {
    match text.get(index) {
        Some(b'\n' | b'\r') => 1,
        Some(0xC2) if text.get(index + 1) == Some(&0x85) => 2,
        Some(0xE2)
            if text.get(index + 1) == Some(&0x80) && matches!(text.get(index + 2), Some(0xA8 | 0xA9)) =>
        {
            3
        }
        _ => 0,
    }
}

pub(super) fn is_printable(text: &[u8], index: usize) -> bool {
    match text.get(index) {
        Some(0x0A | 0x20..=0x7E | 0xC3..=0xEC | 0xEE) => true,
        Some(0xC2) => text.get(index + 1).is_some_and(|next| *next >= 0xA0),
        Some(0xED) => text.get(index + 1).is_some_and(|next| *next < 0xA0),
        Some(0xEF) => !matches!(
            (text.get(index + 1), text.get(index + 2)),
            (Some(0xBB), Some(0xBF)) | (Some(0xBF), Some(0xBE | 0xBF))
        ),
        _ => false,
    }
}

fn is_blank_or_end(text: &[u8], index: usize) -> bool {
    matches!(text.get(index), None | Some(b' ' | b'\t')) || break_width(text, index) > 0
}

/// Whether it is words and paths alone, which every style can hold.
fn is_simple(text: &[u8]) -> bool {
    let of_words =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-' | b'.' | b'/' | b'_');
    let first = text.first().is_some_and(|first| first.is_ascii_alphanumeric() || *first == b'/');
    first && text.last() != Some(&b' ') && all(text, of_words)
}

/// Which styles can hold a string.
pub(super) fn analyze(text: &[u8]) -> Analysis {
    if text.is_empty() {
        return Analysis { multiline: false, plain: true, single: true, block: false };
    }
    if is_simple(text) {
        return Analysis { multiline: false, plain: true, single: true, block: true };
    }
    analyze_characters(text)
}

fn analyze_characters(text: &[u8]) -> Analysis {
    let mut indicators = text.starts_with(b"---") || text.starts_with(b"...");
    let (mut line_breaks, mut special) = (false, false);
    let (mut edge, mut trailing_space, mut break_space, mut space_break) = (false, false, false, false);
    let (mut previous_space, mut previous_break) = (false, false);
    let mut preceded = true;
    let mut index = 0;
    while let Some(byte) = text.get(index) {
        let width = character_width(text, index);
        let followed = is_blank_or_end(text, index + width);
        indicators |= match byte {
            b'#' | b',' | b'[' | b']' | b'{' | b'}' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"'
            | b'%' | b'@' | b'`'
                if index == 0 =>
            {
                true
            }
            b'?' | b'-' if index == 0 => followed,
            b':' => followed,
            b'#' => preceded,
            _ => false,
        };
        special |= !is_printable(text, index);
        let last = index + width == text.len();
        if *byte == b' ' {
            edge |= index == 0 || last;
            trailing_space |= last;
            break_space |= previous_break;
            previous_space = true;
            previous_break = false;
        } else if break_width(text, index) > 0 {
            line_breaks = true;
            edge |= index == 0 || last;
            space_break |= previous_space;
            previous_space = false;
            previous_break = true;
        } else {
            previous_space = false;
            previous_break = false;
        }
        preceded = is_blank_or_end(text, index);
        index += width;
    }
    let flawed = space_break || special;
    Analysis {
        multiline: line_breaks,
        plain: !(indicators || edge || break_space || flawed || line_breaks),
        single: !(break_space || flawed),
        block: !(trailing_space || flawed),
    }
}

/// Sorts keys as go-yaml does: digits by value, letters after everything else; version 3 has them
/// before other characters where a digit is in front.
pub(super) fn sort_naturally<V>(pairs: &mut [(Text, V)], version_3: bool) {
    // The order is not always transitive, which a library sort may punish: insertion is safe,
    // and the pairs come almost sorted.
    if pairs.iter().all(|(key, _)| key.iter().all(u8::is_ascii_lowercase)) {
        pairs.sort_by(|left, right| left.0.cmp(&right.0));
        return;
    }
    for index in 1..pairs.len() {
        let mut place = index;
        while place > 0
            && let (Some(left), Some(right)) = (pairs.get(place - 1), pairs.get(place))
            && naturally_less(&right.0, &left.0, version_3)
        {
            pairs.swap(place - 1, place);
            place -= 1;
        }
    }
}

fn naturally_less(left: &[u8], right: &[u8], version_3: bool) -> bool {
    // Bytes of ASCII are characters as they are.
    if left.is_ascii() && right.is_ascii() {
        return characters_less(left, right, version_3);
    }
    let characters = |text: &[u8]| -> Vec<char> { String::from_utf8_lossy(text).chars().collect() };
    characters_less(&characters(left), &characters(right), version_3)
}

fn characters_less<C: Copy + PartialEq + Into<char>>(left: &[C], right: &[C], version_3: bool) -> bool {
    let shared = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    let at = |text: &[C], index: usize| text.get(index).map(|character| -> char { (*character).into() });
    let (Some(first), Some(second)) = (at(left, shared), at(right, shared)) else {
        return left.len() < right.len();
    };
    let before = shared.checked_sub(1).and_then(|last| at(left, last));
    let after_digit = version_3 && before.is_some_and(char::is_numeric);
    match (first.is_alphabetic(), second.is_alphabetic()) {
        (true, true) => return first < second,
        (false, true) => return !after_digit,
        (true, false) => return after_digit,
        (false, false) => {}
    }
    let zero = first == '0' || second == '0';
    let digits = left.iter().take(shared).rev().map(|character| (*character).into());
    let leading = zero && digits.take_while(|c: &char| c.is_numeric()).any(|c| c != '0');
    let number = |text: &[C]| {
        let tail = text.iter().skip(shared).map(|character| (*character).into());
        let tail: Vec<char> = tail.take_while(|c: &char| c.is_numeric()).collect();
        let value = tail.iter().fold(i64::from(leading), |sum, digit| {
            sum.wrapping_mul(10).wrapping_add(i64::from(u32::from(*digit)) - 48)
        });
        (value, tail.len())
    };
    let (left_number, left_width) = number(left);
    let (right_number, right_width) = number(right);
    if left_number != right_number {
        return left_number < right_number;
    }
    if left_width != right_width {
        return left_width < right_width;
    }
    first < second
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{analyze_characters, is_simple};

    proptest! {
        #[test]
        fn simple_texts_need_no_look_at_their_characters(text in "[-a-z0-9 ./_:#é]{1,6}") {
            if is_simple(text.as_bytes()) {
                let found = analyze_characters(text.as_bytes());
                prop_assert!(!found.multiline && found.plain && found.single && found.block);
            }
        }
    }
}
