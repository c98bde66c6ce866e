//! The characters of a TOML text and the values in it that are one word: strings, numbers, dates,
//! with the complaints of Helm's library. What they mean together is for [`super::document`].

use crate::value::convert::{quote, quote_with};

/// What is wrong, and in which line.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) line: usize,
    pub(super) message: String,
}

pub(super) type Found<T> = Result<T, Mistake>;

/// A word, as it is written.
#[derive(Debug)]
pub(super) struct Word {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// The line that it ends in.
    pub(super) line: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Raw,
    Escaped,
    Multiline,
    RawMultiline,
    Bool,
    Integer,
    Float,
    Time,
}

pub(super) struct Cursor<'t> {
    text: &'t [u8],
    position: usize,
    /// Where the current word began.
    start: usize,
    line: usize,
    at_end: bool,
    /// Whether as Helm 3's library, which knows TOML 1.0 only.
    pub(super) old: bool,
}

/// A character as Go's `%q` shows it; the end is a zero.
pub(super) fn shown(character: Option<char>) -> String {
    quote_with(character.unwrap_or('\0').to_string().as_bytes(), '\'', false)
}

pub(super) fn is_blank(character: Option<char>) -> bool {
    matches!(character, Some(' ' | '\t'))
}

pub(super) fn is_line_end(character: Option<char>) -> bool {
    matches!(character, Some('\n' | '\r'))
}

fn is_digit(character: Option<char>) -> bool {
    character.is_some_and(|character| character.is_ascii_digit())
}

fn is_hex(character: Option<char>) -> bool {
    character.is_some_and(|character| character.is_ascii_hexdigit())
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t [u8], old: bool) -> Self {
        Self { text, position: 0, start: 0, line: 1, at_end: false, old }
    }

    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// Takes a character; `None` at the end.
    pub(super) fn next(&mut self) -> Found<Option<char>> {
        let rest = self.text.get(self.position..).unwrap_or(&[]);
        let Some(first) = rest.first().copied() else {
            self.at_end = true;
            return Ok(None);
        };
        if first == b'\n' {
            self.line += 1;
        }
        let (character, width) = crate::functions::strings::decode_rune(rest);
        if character == '\u{FFFD}' && width == 1 {
            return Err(self.here(format!("invalid UTF-8 byte: 0x{first:02x}")));
        }
        let lone = character == '\r' && rest.get(1) != Some(&b'\n');
        if lone || (character.is_ascii_control() && !matches!(character, '\t' | '\r' | '\n')) {
            return Err(self.here(format!("TOML files cannot contain control characters: '0x{first:02x}'")));
        }
        self.position += width;
        Ok(Some(character))
    }

    /// Gives the last character back.
    pub(super) fn back(&mut self) {
        if self.at_end {
            self.at_end = false;
            return;
        }
        let before = self.text.get(..self.position).unwrap_or(&[]);
        let first = before.iter().rposition(|byte| byte & 0xC0 != 0x80).unwrap_or(0);
        self.position = first;
        if self.text.get(first) == Some(&b'\n') {
            self.line -= 1;
        }
    }

    pub(super) fn peek(&mut self) -> Found<Option<char>> {
        let character = self.next()?;
        self.back();
        Ok(character)
    }

    pub(super) fn accept(&mut self, wanted: char) -> Found<bool> {
        if self.next()? == Some(wanted) {
            return Ok(true);
        }
        self.back();
        Ok(false)
    }

    pub(super) fn skip_blanks(&mut self) -> Found<()> {
        while is_blank(self.next()?) {}
        self.back();
        self.start = self.position;
        Ok(())
    }

    /// The rest of a line.
    pub(super) fn comment(&mut self) -> Found<()> {
        loop {
            let character = self.next()?;
            if character.is_none() || is_line_end(character) {
                self.back();
                return Ok(());
            }
        }
    }

    fn here(&self, message: String) -> Mistake {
        Mistake { line: self.line, message }
    }

    /// A mistake at this place; at the end it is that of the last line with something in it.
    pub(super) fn mistake(&self, message: impl Into<String>) -> Mistake {
        let ended = self.position.checked_sub(1).is_some_and(|last| self.text.get(last) == Some(&b'\n'));
        Mistake { line: self.line - usize::from(self.at_end && ended), message: message.into() }
    }

    /// A mistake of the line that has just ended.
    pub(super) fn mistake_before(&self, message: impl Into<String>) -> Mistake {
        Mistake { line: self.line - 1, message: message.into() }
    }

    fn current(&self) -> &[u8] {
        self.text.get(self.start..self.position).unwrap_or(&[])
    }

    fn word(&self, kind: Kind) -> Word {
        Word { kind, text: String::from_utf8_lossy(self.current()).into_owned(), line: self.line }
    }

    /// Letters, digits, `_` and `-`; may be none.
    pub(super) fn bare_name(&mut self) -> Found<String> {
        self.start = self.position;
        while self.next()?.is_some_and(|next| next.is_ascii_alphanumeric() || matches!(next, '_' | '-')) {}
        self.back();
        Ok(String::from_utf8_lossy(self.current()).into_owned())
    }

    /// A string whose first mark is the next character.
    pub(super) fn quoted_name(&mut self) -> Found<Word> {
        match self.next()? {
            Some('"') => self.string(),
            _ => self.raw_string(),
        }
    }

    /// A word that begins with a character that was taken.
    pub(super) fn value(&mut self, first: Option<char>) -> Found<Word> {
        if is_digit(first) {
            self.back();
            self.start = self.position;
            return self.number_or_time();
        }
        self.back();
        self.start = self.position;
        self.next()?;
        match first {
            Some(mark @ ('"' | '\'')) => {
                if self.accept(mark)? {
                    if self.accept(mark)? {
                        self.start = self.position;
                        return if mark == '"' { self.multiline() } else { self.raw_multiline() };
                    }
                    self.back();
                }
                return if mark == '"' { self.string() } else { self.raw_string() };
            }
            Some('.') => return Err(self.mistake("floats must start with a digit, not '.'")),
            Some('-' | '+') => return self.signed(),
            _ => {}
        }
        let named = matches!(first, Some('i' | 'n'));
        if named && ((self.accept('n')? && self.accept('f')?) || (self.accept('a')? && self.accept('n')?)) {
            return Ok(self.word(Kind::Float));
        }
        match first {
            Some(letter) if letter.is_alphabetic() => {
                self.back();
                self.flag()
            }
            None => Err(self.mistake("unexpected EOF; expected value")),
            Some('\n') => Err(self.mistake_before("expected value but found '\\n' instead")),
            other => Err(self.mistake(format!("expected value but found {} instead", shown(other)))),
        }
    }

    fn flag(&mut self) -> Found<Word> {
        let from = self.position;
        while self.next()?.is_some_and(char::is_alphabetic) {}
        self.back();
        let text = self.text.get(from..self.position).unwrap_or(&[]);
        if text == b"true" || text == b"false" {
            return Ok(self.word(Kind::Bool));
        }
        Err(self.mistake(format!("expected value but found {} instead", quote(text))))
    }

    /// Ends a string: the closing marks are not part of it.
    fn string_end(&mut self, kind: Kind, marks: usize) -> Found<Word> {
        for _ in 0..marks {
            self.back();
        }
        let word = self.word(kind);
        for _ in 0..marks {
            self.next()?;
        }
        self.start = self.position;
        Ok(word)
    }

    fn string(&mut self) -> Found<Word> {
        self.start = self.position;
        let mut kind = Kind::Raw;
        loop {
            match self.next()? {
                None => return Err(self.mistake("unexpected EOF; expected '\"'")),
                Some('\n' | '\r') => return Err(self.mistake_before("strings cannot contain newlines")),
                Some('\\') => {
                    kind = Kind::Escaped;
                    self.escape()?;
                }
                Some('"') => return self.string_end(kind, 1),
                Some(_) => {}
            }
        }
    }

    fn raw_string(&mut self) -> Found<Word> {
        self.start = self.position;
        loop {
            match self.next()? {
                None => return Err(self.mistake("unexpected EOF; expected \"'\"")),
                Some('\n' | '\r') => return Err(self.mistake_before("strings cannot contain newlines")),
                Some('\'') => return self.string_end(Kind::Raw, 1),
                Some(_) => {}
            }
        }
    }

    fn multiline(&mut self) -> Found<Word> {
        loop {
            match self.next()? {
                None => return Err(self.mistake("unexpected EOF; expected '\"\"\"'")),
                Some('\\') => {
                    if !is_line_end(self.next()?) {
                        self.back();
                        self.escape()?;
                    }
                }
                Some('"') => {
                    if self.closes('"')? {
                        return self.string_end(Kind::Multiline, 3);
                    }
                }
                Some(_) => {}
            }
        }
    }

    fn raw_multiline(&mut self) -> Found<Word> {
        loop {
            match self.next()? {
                None => return Err(self.mistake("unexpected EOF; expected \"'''\"")),
                Some('\'') => {
                    if self.closes('\'')? {
                        return self.string_end(Kind::RawMultiline, 3);
                    }
                }
                Some(_) => {}
            }
        }
    }

    /// Whether the marks after one end the string; two more may belong to it.
    fn closes(&mut self, mark: char) -> Found<bool> {
        if !self.accept(mark)? {
            return Ok(false);
        }
        if !self.accept(mark)? {
            self.back();
            return Ok(false);
        }
        if self.peek()? != Some(mark) {
            return Ok(true);
        }
        let (five, escaped, complaint) = if mark == '"' {
            (&b"\"\"\"\"\""[..], Some(&b"\\\"\"\"\"\""[..]), "unexpected '\"\"\"\"\"\"'")
        } else {
            (&b"'''''"[..], None, "unexpected \"''''''\"")
        };
        let current = self.current();
        if current.ends_with(five) && !escaped.is_some_and(|escaped| current.ends_with(escaped)) {
            return Err(self.mistake(complaint));
        }
        self.back();
        self.back();
        Ok(false)
    }

    fn escape(&mut self) -> Found<()> {
        let (count, name) = match self.next()? {
            Some('b' | 't' | 'n' | 'f' | 'r' | '"' | ' ' | '\t' | '\\') => return Ok(()),
            Some('e') if !self.old => return Ok(()),
            Some('x') if !self.old => (2, "two hexadecimal digits after '\\x'"),
            Some('u') => (4, "four hexadecimal digits after '\\u'"),
            Some('U') => (8, "eight hexadecimal digits after '\\U'"),
            other => {
                let message = format!("invalid escape in string '\\{}'", other.unwrap_or('\0'));
                return Err(if self.at_end { self.mistake_before(message) } else { self.mistake(message) });
            }
        };
        for _ in 0..count {
            if !is_hex(self.next()?) {
                let got = quote(self.current());
                return Err(self.mistake(format!("expected {name}, but got {got} instead")));
            }
        }
        Ok(())
    }

    fn while_some(&mut self, kind: Kind, belongs: fn(Option<char>) -> bool) -> Found<Word> {
        while belongs(self.next()?) {}
        self.back();
        Ok(self.word(kind))
    }

    fn number_or_time(&mut self) -> Found<Word> {
        if self.next()? == Some('0') {
            let base = self.next()?;
            match base {
                Some('_') => return self.decimal(),
                Some('.' | 'e' | 'E') => return self.float(),
                Some('b') => return self.with_base("a binary", |next| matches!(next, Some('0' | '1'))),
                Some('o') => return self.with_base("an octal", |next| matches!(next, Some('0'..='7'))),
                Some('x') => return self.with_base("a hexadecimal", is_hex),
                _ if is_digit(base) => {}
                _ => {
                    self.back();
                    return Ok(self.word(Kind::Integer));
                }
            }
        }
        loop {
            let next = self.next()?;
            match next {
                Some('-' | ':') => {
                    let mut word = self.while_some(Kind::Time, |next| {
                        is_digit(next)
                            || matches!(next, Some('-' | ':' | 'T' | 't' | ' ' | '.' | 'Z' | 'z' | '+'))
                    })?;
                    word.text = word.text.trim().to_owned();
                    return Ok(word);
                }
                Some('_') => return self.decimal(),
                Some('.' | 'e' | 'E') => return self.float(),
                _ if is_digit(next) => {}
                _ => {
                    self.back();
                    return Ok(self.word(Kind::Integer));
                }
            }
        }
    }

    fn with_base(&mut self, name: &str, is_one: fn(Option<char>) -> bool) -> Found<Word> {
        let next = self.peek()?;
        if !is_one(next) {
            let current = String::from_utf8_lossy(self.current()).into_owned();
            return Err(self.mistake(format!("not {name} number: '{current}{}'", next.unwrap_or('\0'))));
        }
        loop {
            let next = self.next()?;
            if !is_one(next) && next != Some('_') {
                self.back();
                return Ok(self.word(Kind::Integer));
            }
        }
    }

    fn decimal(&mut self) -> Found<Word> {
        loop {
            let next = self.next()?;
            match next {
                Some('.' | 'e' | 'E') => return self.float(),
                Some('_') => {}
                _ if is_digit(next) => {}
                _ => {
                    self.back();
                    return Ok(self.word(Kind::Integer));
                }
            }
        }
    }

    fn float(&mut self) -> Found<Word> {
        self.while_some(Kind::Float, |next| {
            is_digit(next) || matches!(next, Some('_' | '.' | '-' | '+' | 'e' | 'E'))
        })
    }

    fn signed(&mut self) -> Found<Word> {
        let first = self.next()?;
        match first {
            Some('i' | 'n') => {
                let rest = if first == Some('i') { ['n', 'f'] } else { ['a', 'n'] };
                if !self.accept(rest[0])? || !self.accept(rest[1])? {
                    let current = String::from_utf8_lossy(self.current()).into_owned();
                    return Err(self.mistake(format!("invalid float: '{current}'")));
                }
                return Ok(self.word(Kind::Float));
            }
            Some('0') => {
                if let Some(base @ ('b' | 'o' | 'x')) = self.peek()? {
                    let current = String::from_utf8_lossy(self.current()).into_owned();
                    let message = format!("cannot use sign with non-decimal numbers: '{current}{base}'");
                    return Err(self.mistake(message));
                }
            }
            Some('.') => return Err(self.mistake("floats must start with a digit, not '.'")),
            _ => {}
        }
        if is_digit(first) {
            return self.decimal();
        }
        Err(self.mistake(format!("expected a digit but got {}", shown(first))))
    }
}
