//! Glob patterns: gobwas/glob for `.Files.Glob`, Go's filepath.Match for `.helmignore`.

/// A compiled pattern of gobwas/glob with the separator '/': `*` stops there, `**` does not.
pub(crate) struct Glob(Vec<Part>);

enum Part {
    Text(Vec<char>),
    Any,
    Super,
    Single,
    Class(Set),
    Choice(Vec<Vec<Part>>),
}

/// How deep braces may nest.
const DEPTH: usize = 50;

impl Glob {
    /// Compiles a pattern; `None` where gobwas/glob refuses it.
    pub(crate) fn compile(pattern: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(pattern).ok()?;
        let characters: Vec<char> = text.chars().take_while(|character| *character != '\0').collect();
        let mut reader = GlobReader { characters: &characters, position: 0 };
        reader.parts(0).map(Self)
    }

    /// The pattern that Helm takes for one that it cannot compile.
    pub(crate) fn everything() -> Self {
        Self(vec![Part::Super])
    }

    /// Whether the whole text matches.
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(text) else {
            return false;
        };
        let characters: Vec<char> = text.chars().collect();
        walk(&[&self.0], &characters, &mut { 200_000 })
    }
}

struct GlobReader<'p> {
    characters: &'p [char],
    position: usize,
}

impl GlobReader<'_> {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.position).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek();
        self.position += usize::from(next.is_some());
        next
    }

    /// Parts up to the end, or inside braces up to `,` or `}`, which is left. Braces need no end.
    fn parts(&mut self, level: usize) -> Option<Vec<Part>> {
        let mut parts = Vec::new();
        if level > DEPTH {
            return None;
        }
        while let Some(character) = self.peek() {
            match character {
                ',' | '}' if level > 0 => break,
                '{' => {
                    self.position += 1;
                    let mut choices = vec![self.parts(level + 1)?];
                    while self.next() == Some(',') {
                        choices.push(self.parts(level + 1)?);
                    }
                    parts.push(Part::Choice(choices));
                }
                '[' => {
                    self.position += 1;
                    parts.push(Part::Class(self.class()?));
                }
                '?' => {
                    self.position += 1;
                    parts.push(Part::Single);
                }
                '*' => {
                    self.position += 1;
                    if self.peek() == Some('*') {
                        self.position += 1;
                        parts.push(Part::Super);
                    } else {
                        parts.push(Part::Any);
                    }
                }
                _ => parts.push(Part::Text(self.text(|character| {
                    matches!(character, '?' | '*' | '[' | '{') || level > 0 && matches!(character, '}' | ',')
                }))),
            }
        }
        Some(parts)
    }

    /// Text up to a character that ends it; a backslash takes the next one as it is.
    fn text(&mut self, ends: impl Fn(char) -> bool) -> Vec<char> {
        let mut text = Vec::new();
        while let Some(character) = self.peek().filter(|character| !ends(*character)) {
            self.position += 1;
            if character == '\\' {
                text.extend(self.next());
            } else {
                text.push(character);
            }
        }
        text
    }

    /// What follows `[`: a range of two characters, or a list.
    fn class(&mut self) -> Option<Set> {
        let negated = self.peek() == Some('!');
        if negated {
            self.position += 1;
        }
        let low = self.peek()?;
        let ranges = if self.characters.get(self.position + 1) == Some(&'-') {
            self.position += 2;
            let high = self.next()?;
            if high < low {
                return None;
            }
            vec![(low, high)]
        } else {
            self.text(|character| character == ']')
                .into_iter()
                .map(|character| (character, character))
                .collect()
        };
        (self.next() == Some(']') && !ranges.is_empty()).then_some(Set { negated, ranges })
    }
}

/// Matches what is left of the pattern, the innermost parts first.
fn walk(pattern: &[&[Part]], text: &[char], fuel: &mut usize) -> bool {
    if *fuel == 0 {
        return false;
    }
    *fuel -= 1;
    let Some((parts, outer)) = pattern.split_first() else {
        return text.is_empty();
    };
    let Some((part, after)) = parts.split_first() else {
        return walk(outer, text, fuel);
    };
    let mut next = Vec::with_capacity(pattern.len());
    next.push(after);
    next.extend_from_slice(outer);
    match part {
        Part::Text(wanted) => {
            text.strip_prefix(wanted.as_slice()).is_some_and(|rest| walk(&next, rest, fuel))
        }
        Part::Single => match text.split_first() {
            Some((first, rest)) => *first != '/' && walk(&next, rest, fuel),
            None => false,
        },
        Part::Class(set) => match text.split_first() {
            Some((first, rest)) => set.contains(*first) && walk(&next, rest, fuel),
            None => false,
        },
        Part::Any | Part::Super => {
            let reach = match part {
                Part::Super => text.len(),
                _ => text.iter().position(|character| *character == '/').unwrap_or(text.len()),
            };
            (0..=reach).any(|from| walk(&next, text.get(from..).unwrap_or(&[]), fuel))
        }
        // Braces around nothing match nothing there.
        Part::Choice(choices) if choices.len() == 1 && choices.iter().all(Vec::is_empty) => false,
        Part::Choice(choices) => choices.iter().any(|choice| {
            let mut inner = Vec::with_capacity(next.len() + 1);
            inner.push(choice.as_slice());
            inner.extend_from_slice(&next);
            walk(&inner, text, fuel)
        }),
    }
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

fn character(text: &[u8]) -> Option<(char, usize)> {
    if text.is_empty() {
        return None;
    }
    Some(super::strings::decode_rune(text))
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
    use super::{Glob, file_match};

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
            ("{,a}.txt", ".txt", true),
            ("{a,{b,c}}*", "cd", true),
            ("*{", "a", false),
        ] {
            let found = Glob::compile(pattern.as_bytes()).is_some_and(|glob| glob.matches(text.as_bytes()));
            assert_eq!(found, expected, "{pattern} {text}");
        }
        for refused in ["[a", "[a-]*", "[]a]", "[c-a]"] {
            assert!(Glob::compile(refused.as_bytes()).is_none(), "{refused}");
        }
    }

    #[test]
    fn patterns_of_helmignore() {
        assert_eq!(file_match(b"*.md", b"README.md"), Some(true));
        assert_eq!(file_match(b"[^a]", b"b"), Some(true));
        assert_eq!(file_match(b"[", b"b"), None);
    }
}
