//! Cuts template source into tokens by the rules of Go's text/template: trimming, comments,
//! words, numbers; text by text and action by action, as the parser asks for them. Errors are tokens; the parser turns
//! them into messages.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Error,
    End,
    Text,
    LeftDelimiter,
    RightDelimiter,
    Assign,
    Declare,
    Pipe,
    Character,
    Bool,
    CharConstant,
    Complex,
    Number,
    Identifier,
    /// `.A`, or several of them in a row
    Field,
    Dot,
    Variable,
    LeftParen,
    RightParen,
    String,
    RawString,
    Nil,
    Block,
    Break,
    Continue,
    Define,
    Else,
    EndKeyword,
    If,
    Range,
    Template,
    With,
    /// A whole action that was parsed before.
    Repeat,
}

/// A token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Whether spaces stand before it in its action.
    pub(super) spaced: bool,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// How many tokens most files have at most. The list is made once for all the files of a render.
const MANY: usize = 2_700;

/// Cuts one source.
pub(super) struct Lexer<'a> {
    input: &'a [u8],
    position: usize,
    start: usize,
    parens: usize,
    spaced: bool,
    /// The tokens so far.
    pub(super) tokens: Vec<Token>,
    /// How many more there would be if each field were one: what a template takes is counted in them.
    pub(super) merged: usize,
    /// The message of the error that ended them.
    pub(super) error: Option<String>,
    /// Whether an action or a comment begins here.
    at_action: bool,
    /// Whether there are no more.
    pub(super) ended: bool,
}

/// What trimming takes away and words are parted by.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Which bytes go on a word.
const WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || byte == b'_';
        byte += 1;
    }
    table
};

impl<'a> Lexer<'a> {
    /// Before the first token, with an empty list for them.
    pub(super) fn new(input: &'a [u8], mut tokens: Vec<Token>) -> Self {
        tokens.reserve(MANY.max(input.len() / 12));
        Self {
            input,
            position: 0,
            start: 0,
            parens: 0,
            spaced: false,
            tokens,
            merged: 0,
            error: None,
            at_action: false,
            ended: false,
        }
    }

    /// Cuts the text before the next action, if there is any; false where that or the end was cut.
    pub(super) fn reaches_action(&mut self) -> bool {
        if self.at_action {
            return true;
        }
        let Some(length) = self.next_delimiter() else {
            self.position = self.input.len();
            if self.position > self.start {
                self.emit(Kind::Text);
            }
            self.emit(Kind::End);
            self.ended = true;
            return false;
        };
        self.at_action = true;
        self.text_until(self.position + length)
    }

    /// What is left, behind what was cut.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.input.get(self.position..).unwrap_or(&[])
    }

    /// Cuts the action that begins here, or passes a comment.
    pub(super) fn action(&mut self) {
        self.at_action = false;
        let cut = self.left_delimiter().and_then(|action| if action { self.inside_action() } else { Ok(()) });
        if let Err(error) = cut {
            self.fail(error);
        }
    }

    /// Makes one token of an action that is so long.
    pub(super) fn repeat(&mut self, length: usize) {
        self.at_action = false;
        let trims =
            matches!(self.rest().get(..length), Some([.., space, b'-', b'}', b'}']) if is_space(*space));
        self.position += length;
        self.emit(Kind::Repeat);
        if trims {
            self.skip_spaces();
            self.ignore();
        }
    }

    /// Ends the tokens.
    pub(super) fn fail(&mut self, error: String) {
        self.emit(Kind::Error);
        self.error = Some(error);
        self.ended = true;
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.input.get(self.position + ahead).copied()
    }

    fn emit(&mut self, kind: Kind) {
        let spaced = std::mem::take(&mut self.spaced);
        self.tokens.push(Token { kind, spaced, start: offset(self.start), end: offset(self.position) });
        self.start = self.position;
    }

    /// Starts anew.
    fn ignore(&mut self) {
        self.start = self.position;
    }

    /// How far it is to the next `{{`.
    fn next_delimiter(&self) -> Option<usize> {
        let rest = self.rest();
        memchr::memchr_iter(b'{', rest).find(|at| rest.get(at + 1) == Some(&b'{'))
    }

    /// Cuts the text up to a delimiter; true if there is none.
    fn text_until(&mut self, delimiter: usize) -> bool {
        let mut end = delimiter;
        if has_left_trim(self.input.get(delimiter + 2..).unwrap_or(&[])) {
            let text = self.input.get(self.start..delimiter).unwrap_or(&[]);
            let kept = text.iter().rposition(|byte| !is_space(*byte)).map_or(0, |last| last + 1);
            end = self.start + kept;
        }
        self.position = end;
        let empty = end <= self.start;
        if !empty {
            self.emit(Kind::Text);
        }
        self.position = delimiter;
        self.ignore();
        empty
    }

    /// Reads `{{`; false if it opened a comment, which is then skipped.
    fn left_delimiter(&mut self) -> Result<bool, String> {
        self.position += 2;
        let marker = if has_left_trim(self.rest()) { 2 } else { 0 };
        if self.input.get(self.position + marker..).unwrap_or(&[]).starts_with(b"/*") {
            self.position += marker;
            self.ignore();
            self.comment()?;
            return Ok(false);
        }
        self.emit(Kind::LeftDelimiter);
        self.position += marker;
        self.ignore();
        self.parens = 0;
        Ok(true)
    }

    fn comment(&mut self) -> Result<(), String> {
        self.position += 2;
        let rest = self.rest();
        let mut stars = memchr::memchr_iter(b'*', rest);
        let Some(length) = stars.find(|at| rest.get(at + 1) == Some(&b'/')) else {
            return Err("unclosed comment".to_owned());
        };
        self.position += length + 2;
        let (delimiter, trim) = self.at_right_delimiter();
        if !delimiter {
            return Err("comment ends before closing delimiter".to_owned());
        }
        self.position += if trim { 4 } else { 2 };
        if trim {
            self.skip_spaces();
        }
        self.ignore();
        Ok(())
    }

    fn skip_spaces(&mut self) {
        while self.byte(0).is_some_and(is_space) {
            self.position += 1;
        }
    }

    fn at_right_delimiter(&self) -> (bool, bool) {
        let rest = self.rest();
        match rest {
            [b'}', b'}', ..] => (true, false),
            [space, b'-', b'}', b'}', ..] if is_space(*space) => (true, true),
            _ => (false, false),
        }
    }

    fn inside_action(&mut self) -> Result<(), String> {
        loop {
            let Some(byte) = self.byte(0) else {
                return Err("unclosed action".to_owned());
            };
            let space = is_space(byte);
            if space || byte == b'}' {
                let (delimiter, trim) = self.at_right_delimiter();
                if delimiter {
                    if self.parens > 0 {
                        return Err("unclosed left paren".to_owned());
                    }
                    self.right_delimiter(trim);
                    return Ok(());
                }
            }
            if space { self.space() } else { self.word(byte)? }
        }
    }

    fn right_delimiter(&mut self, trim: bool) {
        if trim {
            self.position += 2;
            self.ignore();
        }
        self.position += 2;
        self.emit(Kind::RightDelimiter);
        if trim {
            self.skip_spaces();
            self.ignore();
        }
    }

    fn space(&mut self) {
        if let [b' ', next, ..] = self.rest()
            && *next != b'-'
            && !is_space(*next)
        {
            self.position += 1;
            self.pass_space();
            return;
        }
        let from = self.position;
        self.skip_spaces();
        let last = self.position - 1;
        let tail = self.input.get(last..).unwrap_or(&[]);
        if tail.get(1) == Some(&b'-') && tail.get(2..).is_some_and(|rest| rest.starts_with(b"}}")) {
            self.position = last;
            if last == from {
                return;
            }
        }
        self.pass_space();
    }

    fn pass_space(&mut self) {
        self.spaced = true;
        self.ignore();
    }

    fn word(&mut self, byte: u8) -> Result<(), String> {
        match byte {
            b'=' => self.single(Kind::Assign),
            b':' if self.byte(1) == Some(b'=') => {
                self.position += 2;
                self.emit(Kind::Declare);
            }
            b':' => {
                self.position += 1;
                return Err("expected :=".to_owned());
            }
            b'|' => self.single(Kind::Pipe),
            b'"' => self.quoted(b'"', Kind::String, "unterminated quoted string")?,
            b'\'' => self.quoted(b'\'', Kind::CharConstant, "unterminated character constant")?,
            b'`' => self.raw_string()?,
            b'$' => {
                self.position += 1;
                self.field_or_variable(Kind::Variable)?;
            }
            b'.' if !self.byte(1).is_some_and(|next| next.is_ascii_digit()) => {
                self.position += 1;
                self.field_or_variable(Kind::Field)?;
            }
            b'+' | b'-' | b'.' | b'0'..=b'9' => self.number()?,
            b'(' => {
                self.parens += 1;
                self.single(Kind::LeftParen);
            }
            b')' => {
                if self.parens == 0 {
                    self.position += 1;
                    return Err("unexpected right paren".to_owned());
                }
                self.parens -= 1;
                self.single(Kind::RightParen);
            }
            _ if self.alphanumeric().is_some() => self.identifier()?,
            0x20..=0x7E => self.single(Kind::Character),
            _ => {
                let character = self.character();
                return Err(format!("unrecognized character in action: {}", unicode(character)));
            }
        }
        Ok(())
    }

    fn single(&mut self, kind: Kind) {
        self.position += 1;
        self.emit(kind);
    }

    fn character(&self) -> char {
        let rest = self.rest();
        let head = rest.get(..rest.len().min(4)).unwrap_or(&[]);
        String::from_utf8_lossy(head).chars().next().unwrap_or('\u{FFFD}')
    }

    /// The width of the letter, digit or underscore here.
    fn alphanumeric(&self) -> Option<usize> {
        match self.byte(0)? {
            byte if byte.is_ascii_alphanumeric() || byte == b'_' => Some(1),
            byte if byte.is_ascii() => None,
            _ => {
                let character = self.character();
                (character != '\u{FFFD}' && (character.is_alphabetic() || character.is_numeric()))
                    .then(|| character.len_utf8())
            }
        }
    }

    fn skip_alphanumeric(&mut self) {
        loop {
            let rest = self.rest();
            let end = rest.iter().position(|byte| !WORD[usize::from(*byte)]).unwrap_or(rest.len());
            self.position += end;
            match rest.get(end) {
                Some(byte) if !byte.is_ascii() => match self.alphanumeric() {
                    Some(width) => self.position += width,
                    None => return,
                },
                _ => return,
            }
        }
    }

    fn at_terminator(&self) -> bool {
        match self.byte(0) {
            None | Some(b' ' | b'\t' | b'\r' | b'\n' | b'.' | b',' | b'|' | b':' | b')' | b'(') => true,
            Some(_) => self.rest().starts_with(b"}}"),
        }
    }

    fn bad_character(&self) -> String {
        format!("bad character {}", unicode(self.character()))
    }

    fn field_or_variable(&mut self, kind: Kind) -> Result<(), String> {
        let from = self.position;
        self.skip_alphanumeric();
        if !self.at_terminator() {
            return Err(self.bad_character());
        }
        let bare = self.position == from && kind == Kind::Field;
        if kind == Kind::Field && !bare {
            self.further_fields();
        }
        self.emit(if bare { Kind::Dot } else { kind });
        Ok(())
    }

    /// Fields of a field go on its token, as far as nothing is wrong with them.
    fn further_fields(&mut self) {
        while let [b'.', first, ..] = self.rest()
            && WORD[usize::from(*first)]
            && !first.is_ascii_digit()
        {
            let before = self.position;
            self.position += 1;
            self.skip_alphanumeric();
            if !self.at_terminator() {
                self.position = before;
                return;
            }
            self.merged += 1;
        }
    }

    fn identifier(&mut self) -> Result<(), String> {
        self.skip_alphanumeric();
        if !self.at_terminator() {
            return Err(self.bad_character());
        }
        let kind = match self.input.get(self.start..self.position).unwrap_or(&[]) {
            b"true" | b"false" => Kind::Bool,
            b"nil" => Kind::Nil,
            b"block" => Kind::Block,
            b"break" => Kind::Break,
            b"continue" => Kind::Continue,
            b"define" => Kind::Define,
            b"else" => Kind::Else,
            b"end" => Kind::EndKeyword,
            b"if" => Kind::If,
            b"range" => Kind::Range,
            b"template" => Kind::Template,
            b"with" => Kind::With,
            _ => Kind::Identifier,
        };
        self.emit(kind);
        Ok(())
    }

    fn quoted(&mut self, mark: u8, kind: Kind, problem: &str) -> Result<(), String> {
        self.position += 1;
        loop {
            let found = memchr::memchr3(mark, b'\\', b'\n', self.rest());
            self.position = found.map_or(self.input.len(), |found| self.position + found);
            match self.byte(0) {
                Some(byte) if byte == mark => break,
                Some(b'\\') if !matches!(self.byte(1), None | Some(b'\n')) => self.position += 2,
                _ => return Err(problem.to_owned()),
            }
        }
        self.position += 1;
        self.emit(kind);
        Ok(())
    }

    fn raw_string(&mut self) -> Result<(), String> {
        self.position += 1;
        let Some(length) = memchr::memchr(b'`', self.rest()) else {
            self.position = self.input.len();
            return Err("unterminated raw quoted string".to_owned());
        };
        self.position += length + 1;
        self.emit(Kind::RawString);
        Ok(())
    }

    fn number(&mut self) -> Result<(), String> {
        let whole = self.scan_number();
        let bad = |lexer: &Self| {
            let text = lexer.input.get(lexer.start..lexer.position).unwrap_or(&[]);
            format!("bad number syntax: {}", crate::value::convert::quote(text))
        };
        if !whole {
            return Err(bad(self));
        }
        if matches!(self.byte(0), Some(b'+' | b'-')) {
            if !self.scan_number() || self.input.get(self.position - 1) != Some(&b'i') {
                return Err(bad(self));
            }
            self.emit(Kind::Complex);
            return Ok(());
        }
        self.emit(Kind::Number);
        Ok(())
    }

    fn accept(&mut self, set: &[u8]) -> bool {
        let found = self.byte(0).is_some_and(|byte| set.contains(&byte));
        if found {
            self.position += 1;
        }
        found
    }

    fn scan_number(&mut self) -> bool {
        self.accept(b"+-");
        let (mut decimal, mut hexadecimal) = (true, false);
        let mut digits: &[u8] = b"0123456789_";
        if self.accept(b"0") {
            if self.accept(b"xX") {
                (decimal, hexadecimal) = (false, true);
                digits = b"0123456789abcdefABCDEF_";
            } else if self.accept(b"oO") {
                decimal = false;
                digits = b"01234567_";
            } else if self.accept(b"bB") {
                decimal = false;
                digits = b"01_";
            }
        }
        while self.accept(digits) {}
        if self.accept(b".") {
            while self.accept(digits) {}
        }
        if (decimal && self.accept(b"eE")) || (hexadecimal && self.accept(b"pP")) {
            self.accept(b"+-");
            while self.accept(b"0123456789_") {}
        }
        self.accept(b"i");
        if let Some(width) = self.alphanumeric() {
            self.position += width;
            return false;
        }
        true
    }
}

/// Files are far below 4 GiB.
fn offset(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

fn has_left_trim(rest: &[u8]) -> bool {
    matches!(rest, [b'-', space, ..] if is_space(*space))
}

/// Go's `%#U`.
fn unicode(character: char) -> String {
    let code = format!("U+{:04X}", u32::from(character));
    if crate::value::printable::is_printable(character) { format!("{code} '{character}'") } else { code }
}
