//! Glob patterns: gobwas/glob for `.Files.Glob`, Go's filepath.Match for `.helmignore`.

/// Matches as gobwas/glob with the separator '/': `*` stops there, `**` does not.
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let mut fuel = 200_000_usize;
    walk(pattern, text, &mut fuel)
}

/// Whether gobwas/glob can compile the pattern.
pub(crate) fn is_valid(pattern: &[u8]) -> bool {
    let (mut braces, mut index) = (0_usize, 0);
    while let Some(byte) = pattern.get(index) {
        match byte {
            b'\\' => index += 1,
            b'{' => braces += 1,
            b'}' => {
                if braces == 0 {
                    return true;
                }
                braces -= 1;
            }
            b'[' => match class(pattern.get(index..).unwrap_or(&[])) {
                Some((width, _)) => index += width - 1,
                None => return false,
            },
            _ => {}
        }
        index += 1;
    }
    braces == 0
}

fn character(text: &[u8]) -> Option<(char, usize)> {
    if text.is_empty() {
        return None;
    }
    Some(super::strings::decode_rune(text))
}

fn walk(pattern: &[u8], text: &[u8], fuel: &mut usize) -> bool {
    if *fuel == 0 {
        return false;
    }
    *fuel -= 1;
    let Some((first, rest)) = pattern.split_first() else {
        return text.is_empty();
    };
    match first {
        b'*' => {
            let deep = rest.first() == Some(&b'*');
            let rest = if deep {
                rest.get(rest.iter().take_while(|byte| **byte == b'*').count()..).unwrap_or(&[])
            } else {
                rest
            };
            let mut from = 0;
            loop {
                let tail = text.get(from..).unwrap_or(&[]);
                if walk(rest, tail, fuel) {
                    return true;
                }
                match tail.first() {
                    None => return false,
                    Some(b'/') if !deep => return false,
                    Some(_) => from += 1,
                }
            }
        }
        b'?' => match character(text) {
            Some((found, width)) if found != '/' => walk(rest, text.get(width..).unwrap_or(&[]), fuel),
            _ => false,
        },
        b'[' => match (class(pattern), character(text)) {
            (Some((width, set)), Some((found, step))) => {
                set.contains(found)
                    && walk(pattern.get(width..).unwrap_or(&[]), text.get(step..).unwrap_or(&[]), fuel)
            }
            _ => false,
        },
        b'{' => alternatives(pattern).is_some_and(|(choices, after)| {
            choices.iter().any(|choice| walk(&[*choice, after].concat(), text, fuel))
        }),
        b'\\' => match rest.split_first() {
            Some((escaped, after)) => {
                text.first() == Some(escaped) && walk(after, text.get(1..).unwrap_or(&[]), fuel)
            }
            None => text.is_empty(),
        },
        _ => text.first() == Some(first) && walk(rest, text.get(1..).unwrap_or(&[]), fuel),
    }
}

/// The choices of `{a,b}` at the start, and what follows.
fn alternatives(pattern: &[u8]) -> Option<(Vec<&[u8]>, &[u8])> {
    let mut choices = Vec::new();
    let (mut depth, mut from, mut index) = (0_usize, 1, 0);
    while let Some(byte) = pattern.get(index) {
        match byte {
            b'\\' => index += 1,
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    choices.push(pattern.get(from..index)?);
                    return Some((choices, pattern.get(index + 1..)?));
                }
            }
            b',' if depth == 1 => {
                choices.push(pattern.get(from..index)?);
                from = index + 1;
            }
            _ => {}
        }
        index += 1;
    }
    None
}

struct Set {
    negated: bool,
    ranges: Vec<(char, char)>,
}

impl Set {
    fn contains(&self, character: char) -> bool {
        self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&character)) != self.negated
    }
}

/// A `[...]` at the start: its width and what it holds.
fn class(pattern: &[u8]) -> Option<(usize, Set)> {
    let close = memchr::memchr(b']', pattern)?;
    let inner = String::from_utf8_lossy(pattern.get(1..close)?).into_owned();
    let (negated, inner) = match inner.strip_prefix('!') {
        Some(inner) => (true, inner),
        None => (false, inner.as_str()),
    };
    let characters: Vec<char> = inner.chars().filter(|character| *character != '\\').collect();
    if characters.is_empty() {
        return None;
    }
    let ranges = match characters.as_slice() {
        [low, '-', high] => {
            if high < low {
                return None;
            }
            vec![(*low, *high)]
        }
        several => several.iter().map(|character| (*character, *character)).collect(),
    };
    Some((close + 1, Set { negated, ranges }))
}

/// Go's `filepath.Match`: `*` and `?` stop at '/', no braces; `None` for a malformed pattern.
pub(crate) fn file_match(pattern: &[u8], name: &[u8]) -> Option<bool> {
    check_file_pattern(pattern)?;
    let mut fuel = 200_000_usize;
    Some(file_walk(pattern, name, &mut fuel))
}

fn check_file_pattern(pattern: &[u8]) -> Option<()> {
    let mut index = 0;
    while let Some(byte) = pattern.get(index) {
        match byte {
            b'\\' if index + 1 == pattern.len() => return None,
            b'\\' => index += 1,
            b'[' => index += file_class(pattern.get(index..)?)?.0 - 1,
            _ => {}
        }
        index += 1;
    }
    Some(())
}

fn file_class(pattern: &[u8]) -> Option<(usize, Set)> {
    let mut index = 1;
    let negated = pattern.get(index) == Some(&b'^');
    if negated {
        index += 1;
    }
    let mut ranges = Vec::new();
    let next = |index: &mut usize| -> Option<char> {
        if matches!(pattern.get(*index), None | Some(b'-' | b']')) {
            return None;
        }
        if pattern.get(*index) == Some(&b'\\') {
            *index += 1;
        }
        let (found, width) = character(pattern.get(*index..)?)?;
        *index += width;
        Some(found)
    };
    loop {
        if pattern.get(index) == Some(&b']') && !ranges.is_empty() {
            return Some((index + 1, Set { negated, ranges }));
        }
        let low = next(&mut index)?;
        let mut high = low;
        if pattern.get(index) == Some(&b'-') {
            index += 1;
            high = next(&mut index)?;
        }
        ranges.push((low, high));
    }
}

fn file_walk(pattern: &[u8], name: &[u8], fuel: &mut usize) -> bool {
    if *fuel == 0 {
        return false;
    }
    *fuel -= 1;
    let Some((first, rest)) = pattern.split_first() else {
        return name.is_empty();
    };
    match first {
        b'*' => {
            let mut from = 0;
            loop {
                let tail = name.get(from..).unwrap_or(&[]);
                if file_walk(rest, tail, fuel) {
                    return true;
                }
                match tail.first() {
                    None | Some(b'/') => return false,
                    Some(_) => from += 1,
                }
            }
        }
        b'?' => match character(name) {
            Some((found, width)) if found != '/' => file_walk(rest, name.get(width..).unwrap_or(&[]), fuel),
            _ => false,
        },
        b'[' => match (file_class(pattern), character(name)) {
            (Some((width, set)), Some((found, step))) => {
                set.contains(found)
                    && file_walk(pattern.get(width..).unwrap_or(&[]), name.get(step..).unwrap_or(&[]), fuel)
            }
            _ => false,
        },
        b'\\' => rest.split_first().is_some_and(|(escaped, after)| {
            name.first() == Some(escaped) && file_walk(after, name.get(1..).unwrap_or(&[]), fuel)
        }),
        _ => name.first() == Some(first) && file_walk(rest, name.get(1..).unwrap_or(&[]), fuel),
    }
}

#[cfg(test)]
mod tests {
    use super::{file_match, matches};

    #[test]
    fn globs_of_files() {
        for (pattern, text, expected) in [
            ("*.txt", "a.txt", true),
            ("*.txt", "d/a.txt", false),
            ("**.txt", "d/a.txt", true),
            ("d/{a,b}.txt", "d/b.txt", true),
            ("[!a]*", "b", true),
            ("[a-c]?", "bd", true),
            ("config/*", "config/x/y", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn patterns_of_helmignore() {
        assert_eq!(file_match(b"*.md", b"README.md"), Some(true));
        assert_eq!(file_match(b"[^a]", b"b"), Some(true));
        assert_eq!(file_match(b"[", b"b"), None);
    }
}
