//! Reads regular expressions by RE2's grammar as Go has it, with Go's complaints, and writes them
//! in the syntax of the `regex` crate. Pure functions.

use regex::Regex;

use crate::functions::strings::decode_rune;

mod class;
mod tree;

use tree::{Flags, Node, Piece};

/// A pattern that was understood.
pub(super) struct Pattern {
    /// The same in the syntax of the `regex` crate.
    pub(super) translated: String,
    /// Names of the groups from 1 on; empty for those without one.
    pub(super) names: Vec<String>,
}

type Parse<T> = Result<T, String>;

/// How deep groups may nest; Go stops at the same height.
const HEIGHT: usize = 1000;

/// Reads a pattern; the error is Go's message without `error parsing regexp: `.
pub(super) fn read(pattern: &[u8]) -> Parse<Pattern> {
    let mut parser = Parser {
        whole: pattern,
        rest: pattern,
        flags: Flags::default(),
        names: Vec::new(),
        groups: Vec::new(),
        open: Group::default(),
    };
    let node = parser.run()?;
    if node.height() > HEIGHT {
        return Err(complaint("expression nests too deeply", pattern));
    }
    let mut translated = String::with_capacity(pattern.len() + 8);
    node.write(&mut translated);
    Ok(Pattern { translated, names: parser.names })
}

fn complaint(what: &str, shown: &[u8]) -> String {
    format!("{what}: `{}`", String::from_utf8_lossy(shown))
}

/// What is being collected between two parentheses.
#[derive(Default)]
struct Group {
    alternatives: Vec<Node>,
    current: Vec<Node>,
    /// Whether the group captures.
    captures: bool,
    /// The flags to come back to at its end.
    flags: Flags,
}

impl Group {
    fn finish(mut self) -> Node {
        let last = Node::concat(std::mem::take(&mut self.current));
        if self.alternatives.is_empty() {
            return last;
        }
        self.alternatives.push(last);
        Node::Alternate(self.alternatives)
    }
}

struct Parser<'p> {
    whole: &'p [u8],
    rest: &'p [u8],
    flags: Flags,
    names: Vec<String>,
    groups: Vec<Group>,
    open: Group,
}

impl<'p> Parser<'p> {
    fn take(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or(&[]);
    }

    fn rune(&mut self) -> Parse<char> {
        let (character, width) = decode_rune(self.rest);
        if character == '\u{FFFD}' && width == 1 {
            return Err(complaint("invalid UTF-8", self.rest));
        }
        self.take(width);
        Ok(character)
    }

    fn push(&mut self, piece: Piece) {
        self.open.current.push(Node::Piece(piece));
    }

    fn literal(&mut self, character: char) {
        let fold = self.flags.fold;
        self.push(Piece::Literal(character, fold));
    }

    /// What was read since some earlier place.
    fn since(&self, start: &'p [u8]) -> &'p [u8] {
        start.get(..start.len() - self.rest.len()).unwrap_or(start)
    }

    fn run(&mut self) -> Parse<Node> {
        let mut last_repeat: Option<&'p [u8]> = None;
        while let Some(first) = self.rest.first() {
            let mut repeat = None;
            match first {
                b'(' if self.rest.get(1) == Some(&b'?') => self.perl_group()?,
                b'(' => {
                    self.names.push(String::new());
                    self.begin(true);
                    self.take(1);
                }
                b'|' => {
                    let node = Node::concat(std::mem::take(&mut self.open.current));
                    self.open.alternatives.push(node);
                    self.take(1);
                }
                b')' => {
                    self.end()?;
                    self.take(1);
                }
                b'^' => {
                    self.push(if self.flags.multi_line { Piece::LineStart } else { Piece::TextStart });
                    self.take(1);
                }
                b'$' => {
                    self.push(if self.flags.multi_line { Piece::LineEnd } else { Piece::TextEnd });
                    self.take(1);
                }
                b'.' => {
                    self.push(if self.flags.dot_all { Piece::Any } else { Piece::AnyButLine });
                    self.take(1);
                }
                b'[' => self.class()?,
                b'*' | b'+' | b'?' => {
                    let before = self.rest;
                    let (least, most) = match first {
                        b'*' => (0, None),
                        b'+' => (1, None),
                        _ => (0, Some(1)),
                    };
                    self.take(1);
                    self.repeat(least, most, before, last_repeat, false)?;
                    repeat = Some(before);
                }
                b'{' => repeat = self.counted(last_repeat)?,
                b'\\' => self.escape()?,
                _ => {
                    let character = self.rune()?;
                    self.literal(character);
                }
            }
            last_repeat = repeat;
        }
        if !self.groups.is_empty() {
            return Err(complaint("missing closing )", self.whole));
        }
        Ok(std::mem::take(&mut self.open).finish())
    }

    fn begin(&mut self, captures: bool) {
        let outer = std::mem::take(&mut self.open);
        self.groups.push(outer);
        self.open = Group { captures, flags: self.flags, ..Group::default() };
    }

    fn end(&mut self) -> Parse<()> {
        let Some(outer) = self.groups.pop() else {
            return Err(complaint("unexpected )", self.whole));
        };
        let inner = std::mem::replace(&mut self.open, outer);
        self.flags = inner.flags;
        let captures = inner.captures;
        let node = inner.finish();
        let node = if captures { Node::Capture(Box::new(node)) } else { Node::Group(Box::new(node)) };
        if self.groups.len() < HEIGHT && node.height() > HEIGHT {
            return Err(complaint("expression nests too deeply", self.whole));
        }
        self.open.current.push(node);
        Ok(())
    }

    /// Repeats what stands before; `before` begins at the operator.
    fn repeat(
        &mut self,
        least: u32,
        most: Option<u32>,
        before: &'p [u8],
        last_repeat: Option<&'p [u8]>,
        counted: bool,
    ) -> Parse<()> {
        let mut greedy = !self.flags.ungreedy;
        if self.rest.first() == Some(&b'?') {
            self.take(1);
            greedy = !greedy;
        }
        if let Some(last) = last_repeat {
            return Err(complaint("invalid nested repetition operator", self.since(last)));
        }
        let Some(inner) = self.open.current.pop() else {
            return Err(complaint("missing argument to repetition operator", self.since(before)));
        };
        let node = Node::Repeat { inner: Box::new(inner), least, most, greedy, counted };
        let repeats = counted && (least >= 2 || most.is_some_and(|most| most >= 2));
        if repeats && !node.repeats_within(1000) {
            return Err(complaint("invalid repeat count", self.since(before)));
        }
        self.open.current.push(node);
        Ok(())
    }

    /// `{n}`, `{n,}` or `{n,m}`; a brace that is none of these is a literal.
    fn counted(&mut self, last_repeat: Option<&'p [u8]>) -> Parse<Option<&'p [u8]>> {
        let before = self.rest;
        let Some((least, most, width)) = count(before) else {
            self.literal('{');
            self.take(1);
            return Ok(None);
        };
        self.take(width);
        let Some((least, most)) = least
            .zip(Some(most))
            .filter(|(least, most)| *least <= 1000 && most.is_none_or(|most| most <= 1000 && *least <= most))
        else {
            return Err(complaint("invalid repeat count", self.since(before)));
        };
        self.repeat(least, most, before, last_repeat, true)?;
        Ok(Some(before))
    }

    /// `(?P<name>`, `(?<name>`, `(?flags)` and `(?flags:`.
    fn perl_group(&mut self) -> Parse<()> {
        let start = self.rest;
        let named = match start {
            [_, _, b'P', b'<', _, ..] => Some(4),
            [_, _, b'<', _, ..] => Some(3),
            _ => None,
        };
        if let Some(name_start) = named {
            let Some(end) = memchr::memchr(b'>', start) else {
                return Err(match std::str::from_utf8(start) {
                    Ok(_) => complaint("invalid named capture", start),
                    Err(_) => complaint("invalid UTF-8", start),
                });
            };
            let name = start.get(name_start..end).unwrap_or(&[]);
            let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
            if name.is_empty() || !name.iter().all(word) {
                return Err(match std::str::from_utf8(name) {
                    Ok(_) => complaint("invalid named capture", start.get(..=end).unwrap_or(start)),
                    Err(_) => complaint("invalid UTF-8", name),
                });
            }
            self.names.push(String::from_utf8_lossy(name).into_owned());
            self.begin(true);
            self.take(end + 1);
            return Ok(());
        }
        self.take(2);
        let (mut flags, mut on, mut seen) = (self.flags, true, false);
        while !self.rest.is_empty() {
            match self.rune()? {
                'i' => flags.fold = on,
                'm' => flags.multi_line = on,
                's' => flags.dot_all = on,
                'U' => flags.ungreedy = on,
                '-' if on => {
                    (on, seen) = (false, false);
                    continue;
                }
                end @ (':' | ')') if on || seen => {
                    if end == ':' {
                        self.begin(false);
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => break,
            }
            seen = true;
        }
        Err(complaint("invalid or unsupported Perl syntax", self.since(start)))
    }

    fn escape(&mut self) -> Parse<()> {
        let simple = match self.rest.get(1) {
            Some(b'A') => Some(Piece::TextStart),
            Some(b'b') => Some(Piece::WordBoundary),
            Some(b'B') => Some(Piece::NoWordBoundary),
            Some(b'z') => Some(Piece::TextEnd),
            Some(b'C') => return Err(complaint("invalid escape sequence", b"\\C")),
            Some(b'Q') => return self.quoted(),
            _ => None,
        };
        if let Some(piece) = simple {
            self.push(piece);
            self.take(2);
            return Ok(());
        }
        if let Some(set) = self.unicode_class()?.or_else(|| self.perl_class()) {
            let fold = self.flags.fold;
            self.push(Piece::Class { set: vec![set], negated: false, fold });
            return Ok(());
        }
        let character = self.escaped_character()?;
        self.literal(character);
        Ok(())
    }

    /// `\Q…\E`
    fn quoted(&mut self) -> Parse<()> {
        self.take(2);
        let end = memchr::memmem::find(self.rest, b"\\E");
        let after = end.map_or(&[][..], |end| self.rest.get(end + 2..).unwrap_or(&[]));
        self.rest = self.rest.get(..end.unwrap_or(self.rest.len())).unwrap_or(&[]);
        while !self.rest.is_empty() {
            let character = self.rune()?;
            self.literal(character);
        }
        self.rest = after;
        Ok(())
    }

    fn escaped_character(&mut self) -> Parse<char> {
        let start = self.rest;
        self.take(1);
        if self.rest.is_empty() {
            return Err("trailing backslash at end of expression: ``".to_owned());
        }
        let character = self.rune()?;
        let octal = |byte: Option<&u8>| byte.is_some_and(|byte| (b'0'..=b'7').contains(byte));
        let found = match character {
            '0'..='7' if character == '0' || octal(self.rest.first()) => {
                let mut code = u32::from(character) - u32::from('0');
                for _ in 1..3 {
                    let Some(digit) = self.rest.first().filter(|digit| octal(Some(digit))) else { break };
                    code = code * 8 + u32::from(*digit - b'0');
                    self.take(1);
                }
                char::from_u32(code)
            }
            'x' => self.hexadecimal()?,
            'a' => Some('\x07'),
            'f' => Some('\x0C'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\x0B'),
            other if other.is_ascii() && !other.is_ascii_alphanumeric() => Some(other),
            _ => None,
        };
        found.ok_or_else(|| complaint("invalid escape sequence", self.since(start)))
    }

    /// What follows `\x`; a code that is no character matches nothing that a string can hold.
    fn hexadecimal(&mut self) -> Parse<Option<char>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let first = self.rune()?;
        if first != '{' {
            if self.rest.is_empty() {
                return Ok(None);
            }
            let second = self.rune()?;
            let digits = first.to_digit(16).zip(second.to_digit(16));
            return Ok(digits.and_then(|(high, low)| char::from_u32(high * 16 + low)));
        }
        let (mut code, mut digits) = (0_u32, 0);
        while !self.rest.is_empty() {
            let character = self.rune()?;
            if character == '}' {
                let surrogate = (0xD800..0xE000).contains(&code);
                let character = if surrogate { Some('\u{FFFD}') } else { char::from_u32(code) };
                return Ok(character.filter(|_| digits > 0));
            }
            let Some(digit) = character.to_digit(16) else { break };
            code = code * 16 + digit;
            digits += 1;
            if code > u32::from(char::MAX) {
                break;
            }
        }
        Ok(None)
    }
}

/// Reads a counted repetition: the bounds, `None` where one is too large, and its width.
fn count(text: &[u8]) -> Option<(Option<u32>, Option<u32>, usize)> {
    let number = |from: usize| {
        let digits = text.get(from..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let shown = text.get(from..from + digits)?;
        if digits == 0 || (digits > 1 && shown.first() == Some(&b'0')) {
            return None;
        }
        let value = std::str::from_utf8(shown).ok()?.parse::<u32>().unwrap_or(u32::MAX);
        Some((value, from + digits))
    };
    let (least, end) = number(1)?;
    match text.get(end)? {
        b'}' => Some((Some(least), Some(least), end + 1)),
        b',' if text.get(end + 1) == Some(&b'}') => Some((Some(least), None, end + 2)),
        b',' => {
            let (most, end) = number(end + 1)?;
            (text.get(end) == Some(&b'}')).then_some((Some(least), Some(most), end + 1))
        }
        _ => None,
    }
}

/// Whether the `regex` crate knows a Unicode class.
fn known_class(name: &str) -> bool {
    Regex::new(&format!("\\p{{{name}}}")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn complaints_are_go_s() {
        for (pattern, expected) in [
            ("a**", "invalid nested repetition operator: `**`"),
            ("(", "missing closing ): `(`"),
            ("a)", "unexpected ): `a)`"),
            ("*", "missing argument to repetition operator: `*`"),
            ("a|*?", "missing argument to repetition operator: `*?`"),
            ("[z-a]", "invalid character class range: `z-a`"),
            ("[a", "missing closing ]: `[a`"),
            ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            ("(?<n", "invalid named capture: `(?<n`"),
            ("\\8", "invalid escape sequence: `\\8`"),
            ("\\x{110000}", "invalid escape sequence: `\\x{110000`"),
            ("\\", "trailing backslash at end of expression: ``"),
            ("a{2,1}", "invalid repeat count: `{2,1}`"),
            ("(?:a{500}){500}", "invalid repeat count: `{500}`"),
            ("\\pX", "invalid character class range: `\\pX`"),
        ] {
            assert_eq!(read(pattern.as_bytes()).err().as_deref(), Some(expected), "{pattern}");
        }
    }

    #[test]
    fn patterns_are_written_anew() {
        for (pattern, expected) in [
            ("a(?i)b*", "a(?i:b)*"),
            ("[^a-z\\d]", "[^a-z0-9]"),
            ("(?P<x>a)|b{,2}", "(a)|b\\{\\,2\\}"),
            ("a{2}?", "a{2}?"),
            ("\\bx$", "(?-u:\\b)x\\z"),
        ] {
            assert_eq!(
                read(pattern.as_bytes()).map(|read| read.translated).as_deref(),
                Ok(expected),
                "{pattern}"
            );
        }
    }
}
