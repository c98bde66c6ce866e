//! Words inside strings: capitals, abbreviations, wrapping, snake and camel case, with the rules
//! of the libraries that sprig uses. Pure functions.

use super::is_space;

/// Go's `strings.Title`.
pub(super) fn title(text: &str) -> String {
    let mut previous = ' ';
    let separator = |character: char| match character {
        _ if character.is_ascii() => !(character.is_ascii_alphanumeric() || character == '_'),
        _ if character.is_alphabetic() || character.is_numeric() => false,
        _ => is_space(character),
    };
    text.chars()
        .map(|character| {
            let start = separator(previous);
            previous = character;
            if start { single_upper(character) } else { character }
        })
        .collect()
}

fn single_upper(character: char) -> char {
    let mut changed = character.to_uppercase();
    match (changed.next(), changed.next()) {
        (Some(single), None) => single,
        _ => character,
    }
}

fn single_lower(character: char) -> char {
    character.to_lowercase().next().unwrap_or(character)
}

/// Lower-cases the first letter of every word.
pub(super) fn untitle(text: &str) -> String {
    let mut next = true;
    text.chars()
        .map(|character| {
            if is_space(character) {
                next = true;
                character
            } else if std::mem::take(&mut next) {
                single_lower(character)
            } else {
                character
            }
        })
        .collect()
}

/// Swaps cases; a lower-case letter after a blank becomes title case.
pub(super) fn swap_case(text: &str) -> String {
    let mut blank = true;
    text.chars()
        .map(|character| {
            if character.is_uppercase() {
                blank = false;
                single_lower(character)
            } else if character.is_lowercase() {
                blank = false;
                single_upper(character)
            } else {
                blank = is_space(character);
                character
            }
        })
        .collect()
}

/// The first byte of every word.
pub(super) fn initials(text: &[u8]) -> String {
    let mut gap = true;
    let mut out = String::new();
    for byte in text {
        let character = char::from(*byte);
        if is_space(character) {
            gap = true;
        } else if std::mem::take(&mut gap) {
            out.push(character);
        }
    }
    out
}

/// Cuts to a width with "..." at one or both ends.
pub(super) fn abbreviate(text: &[u8], offset: i64, width: i64) -> Vec<u8> {
    let Ok(width) = usize::try_from(width) else {
        return text.to_vec();
    };
    if width < 4 || text.len() <= width {
        return text.to_vec();
    }
    let mut offset = usize::try_from(offset).unwrap_or(0).min(text.len());
    if text.len() - offset < width - 3 {
        offset = text.len() - (width - 3);
    }
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or(&[]);
    if offset <= 4 {
        return [part(0, width - 3), b"..."].concat();
    }
    if width < 7 {
        return Vec::new();
    }
    if offset + width - 3 < text.len() {
        let inner = abbreviate(part(offset, text.len()), 0, i64::try_from(width - 3).unwrap_or(0));
        return [b"...".as_slice(), &inner].concat();
    }
    [b"...".as_slice(), part(text.len() - (width - 3), text.len())].concat()
}

/// Wraps at a width; long words are cut only if asked to.
pub(super) fn wrap(text: &[u8], width: i64, separator: &[u8], cut_words: bool) -> Vec<u8> {
    if text.is_empty() {
        return Vec::new();
    }
    let separator = if separator.is_empty() { b"\n" } else { separator };
    let width = usize::try_from(width).unwrap_or(1).max(1);
    let mut out = Vec::with_capacity(text.len() + 16);
    let mut offset = 0;
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or(&[]);
    while text.len() - offset > width {
        if text.get(offset) == Some(&b' ') {
            offset += 1;
            continue;
        }
        if let Some(space) = memchr::memrchr(b' ', part(offset, offset + width + 1)) {
            out.extend_from_slice(part(offset, offset + space));
            out.extend_from_slice(separator);
            offset += space + 1;
        } else if cut_words {
            out.extend_from_slice(part(offset, offset + width));
            out.extend_from_slice(separator);
            offset += width;
        } else if let Some(space) = memchr::memchr(b' ', part(offset + width, text.len())) {
            out.extend_from_slice(part(offset, offset + width + space));
            out.extend_from_slice(separator);
            offset += width + space + 1;
        } else {
            out.extend_from_slice(part(offset, text.len()));
            offset = text.len();
        }
    }
    out.extend_from_slice(part(offset, text.len()));
    out
}

fn is_connector(character: char) -> bool {
    character == '-' || character == '_' || is_space(character)
}

/// `PascalCase` by the rules of the library behind `camelcase`.
pub(super) fn camel(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let Some(start) = characters.iter().position(|character| !is_connector(*character)) else {
        // The library writes the last connector once more.
        return characters.iter().chain(characters.last()).collect();
    };
    let mut out: String = characters.iter().take(start).collect();
    let Some(first) = characters.get(start).copied() else {
        return out;
    };
    let mut upper_run = first.is_uppercase();
    let mut current = single_upper(first);
    if start + 1 == characters.len() {
        out.push(current);
        return out;
    }
    for character in characters.iter().skip(start + 1).copied() {
        let previous = std::mem::replace(&mut current, character);
        if is_connector(character) && is_connector(previous) {
            out.push(previous);
            continue;
        }
        if is_connector(previous) {
            upper_run = character.is_uppercase();
            current = single_upper(character);
        } else {
            if upper_run {
                if character.is_uppercase() {
                    current = single_lower(character);
                } else {
                    upper_run = false;
                }
            }
            out.push(previous);
        }
    }
    out.push(current);
    out
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Word {
    None,
    Number,
    Upper,
    Letters,
    Connector,
    Punctuation,
    Other,
}

fn is_punctuation(character: char) -> bool {
    // Go's category P: ASCII without the symbols $ + < = > ^ ` | ~.
    match character {
        _ if character.is_ascii() => {
            character.is_ascii_punctuation()
                && !matches!(character, '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~')
        }
        _ => matches!(character, '\u{A1}' | '\u{A7}' | '\u{AB}' | '\u{B6}' | '\u{B7}' | '\u{BB}' | '\u{BF}'
            | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205E}' | '\u{3001}'..='\u{3003}'),
    }
}

fn is_alphabet(character: char) -> bool {
    if !character.is_alphabetic() {
        return false;
    }
    !matches!(character, '\u{3034}'..='\u{30FF}' | '\u{4E00}'..='\u{9FA5}')
}

/// The next word, its kind and what remains.
fn next_word(text: &str) -> (Word, &str, &str) {
    let mut characters = text.chars();
    let Some(first) = characters.next() else {
        return (Word::None, "", "");
    };
    let while_true = |from: usize, keep: &dyn Fn(char) -> bool| {
        let rest = text.get(from..).unwrap_or("");
        from + rest
            .char_indices()
            .find(|(_, character)| !keep(*character))
            .map_or(rest.len(), |(index, _)| index)
    };
    let width = first.len_utf8();
    let (word, end) = if is_connector(first) {
        (Word::Connector, while_true(width, &is_connector))
    } else if is_punctuation(first) {
        (Word::Punctuation, while_true(width, &is_punctuation))
    } else if first.is_uppercase() {
        let end = match characters.next() {
            Some(second) if second.is_uppercase() => {
                let end = while_true(width, &|character| character.is_uppercase());
                let next = text.get(end..).unwrap_or("").chars().next();
                if next.is_some_and(is_alphabet) {
                    end - text.get(..end).unwrap_or("").chars().next_back().map_or(0, char::len_utf8)
                } else {
                    end
                }
            }
            Some(second) if is_alphabet(second) => {
                while_true(width, &|character| is_alphabet(character) && !character.is_uppercase())
            }
            _ => width,
        };
        (Word::Upper, end)
    } else if is_alphabet(first) {
        (Word::Letters, while_true(width, &|character| is_alphabet(character) && !character.is_uppercase()))
    } else if first.is_numeric() {
        (Word::Number, while_true(width, &char::is_numeric))
    } else {
        let other = |character: char| {
            !(is_connector(character)
                || is_alphabet(character)
                || character.is_numeric()
                || is_punctuation(character))
        };
        (Word::Other, while_true(width, &other))
    };
    (word, text.get(..end).unwrap_or(text), text.get(end..).unwrap_or(""))
}

fn push_lower(out: &mut String, kind: Word, word: &str, connector: char) {
    if kind != Word::Upper && kind != Word::Connector {
        out.push_str(word);
        return;
    }
    for character in word.chars() {
        if is_connector(character) {
            out.push(connector);
        } else {
            out.push(single_lower(character));
        }
    }
}

/// `snake_case` or `kebab-case` by the rules of the library behind them.
pub(super) fn separated(text: &str, connector: char) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    let (mut kind, mut word, mut rest) = next_word(text);
    while !rest.is_empty() {
        if kind != Word::Connector {
            push_lower(&mut out, kind, word, connector);
        }
        let (previous, last) = (kind, word);
        (kind, word, rest) = next_word(rest);
        match previous {
            Word::Number => {
                while matches!(kind, Word::Letters | Word::Number) {
                    push_lower(&mut out, kind, word, connector);
                    (kind, word, rest) = next_word(rest);
                }
                if !matches!(kind, Word::None | Word::Punctuation | Word::Connector) {
                    out.push(connector);
                }
            }
            Word::Connector => push_lower(&mut out, previous, last, connector),
            Word::Punctuation => {}
            _ if kind != Word::Number => {
                if !matches!(kind, Word::Connector | Word::Punctuation) {
                    out.push(connector);
                }
            }
            _ if rest.is_empty() => {}
            _ => {
                let number = word;
                (kind, word, rest) = next_word(rest);
                if kind != Word::Letters {
                    push_lower(&mut out, Word::Number, number, connector);
                    if !matches!(kind, Word::Connector | Word::Punctuation) {
                        out.push(connector);
                    }
                    continue;
                }
                out.push(connector);
                push_lower(&mut out, Word::Number, number, connector);
                while matches!(kind, Word::Letters | Word::Number) {
                    push_lower(&mut out, kind, word, connector);
                    (kind, word, rest) = next_word(rest);
                }
                if !matches!(kind, Word::None | Word::Connector | Word::Punctuation) {
                    out.push(connector);
                }
            }
        }
    }
    push_lower(&mut out, kind, word, connector);
    out
}

#[cfg(test)]
mod tests {
    use super::{camel, separated, title, wrap};

    #[test]
    fn cases() {
        assert_eq!(separated("HTTPServer2Go", '_'), "http_server2_go");
        assert_eq!(separated("HTML5Parser_x", '-'), "html5-parser-x");
        assert_eq!(camel("http_server-a b"), "HttpServerAB");
        assert_eq!(title("ab-cd eF"), "Ab-Cd EF");
        assert_eq!(wrap(b"abc defghijk l", 4, b"|", true), b"abc|defg|hijk|l");
    }
}
