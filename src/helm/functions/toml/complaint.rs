//! What Helm's TOML library says of a text that is no TOML: the common mistakes, in its words. It
//! only looks for the first mistake; values are read elsewhere.

use crate::helm::value::convert;

/// The first mistake, with its line and the key that was being read.
pub(super) fn complaint(text: &str) -> Option<String> {
    let mut finder = Finder {
        characters: text.chars().collect(),
        position: 0,
        tables: Vec::new(),
        key: Vec::new(),
        seen: Vec::new(),
    };
    let message = finder.document().err()?;
    let line =
        finder.characters.iter().take(finder.position).filter(|character| **character == '\n').count() + 1;
    let keys: Vec<String> = finder.tables.iter().chain(&finder.key).cloned().collect();
    if keys.is_empty() {
        return Some(format!("toml: line {line}: {message}"));
    }
    let last = convert::quote(keys.join(".").as_bytes());
    Some(format!("toml: line {line} (last key {last}): {message}"))
}

type Find = Result<(), String>;

struct Finder {
    characters: Vec<char>,
    position: usize,
    tables: Vec<String>,
    key: Vec<String>,
    seen: Vec<String>,
}

fn shown(character: char) -> String {
    convert::quote_with(character.to_string().as_bytes(), '\'', false)
}

impl Finder {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.position).copied()
    }

    fn skip(&mut self, skipped: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&skipped) {
            self.position += 1;
        }
    }

    fn blanks(&mut self) {
        self.skip(|character| matches!(character, ' ' | '\t'));
    }

    /// Blanks, line ends and comments.
    fn gaps(&mut self) {
        loop {
            self.skip(|character| matches!(character, ' ' | '\t' | '\n' | '\r'));
            if self.peek() != Some('#') {
                return;
            }
            self.skip(|character| character != '\n');
        }
    }

    fn document(&mut self) -> Find {
        loop {
            self.key.clear();
            self.gaps();
            match self.peek() {
                None => return Ok(()),
                Some('[') => self.header()?,
                Some(_) => self.key_value()?,
            }
            self.key.clear();
            self.blanks();
            match self.peek() {
                None | Some('\n' | '\r' | '#') => {}
                Some(other) => {
                    return Err(format!(
                        "expected a top-level item to end with a newline, comment, or EOF, but got {} instead",
                        shown(other)
                    ));
                }
            }
        }
    }

    fn header(&mut self) -> Find {
        self.position += 1;
        let double = self.peek() == Some('[');
        self.position += usize::from(double);
        self.tables.clear();
        let mut names = Vec::new();
        loop {
            self.blanks();
            match self.peek() {
                Some(']') | None => {
                    return Err("unexpected end of table name (table names cannot be empty)".to_owned());
                }
                Some('.') => {
                    return Err("unexpected table separator (table names cannot be empty)".to_owned());
                }
                Some(_) => names.push(self.name()?),
            }
            self.blanks();
            match self.peek() {
                Some('.') => self.position += 1,
                Some(']') => break,
                other => {
                    return Err(format!(
                        "expected '.' or ']' to end table name, but got {} instead",
                        shown(other.unwrap_or('\0'))
                    ));
                }
            }
        }
        self.position += 1;
        if double {
            match self.peek() {
                Some(']') => self.position += 1,
                other => {
                    return Err(format!(
                        "expected end of table array name delimiter ']', but got {} instead",
                        shown(other.unwrap_or('\0'))
                    ));
                }
            }
        } else {
            self.define(&names)?;
        }
        self.tables = names;
        Ok(())
    }

    /// Each table and value may be defined once.
    fn define(&mut self, names: &[String]) -> Find {
        let whole = names.join(".");
        if self.seen.contains(&whole) {
            return Err(format!("Key '{whole}' has already been defined."));
        }
        self.seen.push(whole);
        Ok(())
    }

    fn key_value(&mut self) -> Find {
        let mut names = Vec::new();
        loop {
            self.blanks();
            match self.peek() {
                None | Some('=') => return Err("unexpected '=': key name appears blank".to_owned()),
                Some('.') => return Err("unexpected '.': keys cannot start with a '.'".to_owned()),
                Some(_) => names.push(self.name()?),
            }
            self.blanks();
            match self.peek() {
                Some('=') => break,
                Some('.') => self.position += 1,
                None => return Err("unexpected EOF; expected key separator '='".to_owned()),
                Some(other) => {
                    return Err(format!("expected '.' or '=', but got {} instead", shown(other)));
                }
            }
        }
        self.position += 1;
        let outer = self.key.len();
        self.key.extend(names);
        self.value()?;
        if self.tables.is_empty() && outer == 0 {
            let whole = self.key.clone();
            self.define(&whole)?;
        }
        Ok(())
    }

    fn name(&mut self) -> Result<String, String> {
        if let Some(mark @ ('"' | '\'')) = self.peek() {
            let from = self.position + 1;
            self.string(mark)?;
            return Ok(self.characters.get(from..self.position - 1).unwrap_or(&[]).iter().collect());
        }
        let from = self.position;
        self.skip(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '-'));
        Ok(self.characters.get(from..self.position).unwrap_or(&[]).iter().collect())
    }

    fn value(&mut self) -> Find {
        self.blanks();
        match self.peek() {
            None => Err("unexpected EOF; expected value".to_owned()),
            Some('[') => self.array(),
            Some('{') => self.inline_table(),
            Some(mark @ ('"' | '\'')) => self.string(mark),
            Some('.') => Err("floats must start with a digit, not '.'".to_owned()),
            Some('t' | 'f') => {
                let from = self.position;
                self.skip(char::is_alphabetic);
                let word: String = self.characters.get(from..self.position).unwrap_or(&[]).iter().collect();
                match word.as_str() {
                    "true" | "false" => Ok(()),
                    _ => Err(format!("expected value but found {} instead", convert::quote(word.as_bytes()))),
                }
            }
            Some('+' | '-' | 'i' | 'n' | '0'..='9') => {
                let from = self.position;
                self.skip(|character| {
                    character.is_ascii_alphanumeric() || matches!(character, '+' | '-' | '_' | '.' | ':')
                });
                number(&self.characters.get(from..self.position).unwrap_or(&[]).iter().collect::<String>())
            }
            Some(other) => Err(format!("expected value but found {} instead", shown(other))),
        }
    }

    fn string(&mut self, mark: char) -> Find {
        let long = (0..3).all(|ahead| self.characters.get(self.position + ahead) == Some(&mark));
        let width = if long { 3 } else { 1 };
        self.position += width;
        loop {
            let closed = (0..width).all(|ahead| self.characters.get(self.position + ahead) == Some(&mark));
            if closed {
                self.position += width;
                return Ok(());
            }
            match self.peek() {
                None => {
                    let marks = mark.to_string().repeat(width);
                    return Err(if mark == '"' {
                        format!("unexpected EOF; expected '{marks}'")
                    } else {
                        format!("unexpected EOF; expected \"{marks}\"")
                    });
                }
                Some('\n') if !long => return Err("strings cannot contain newlines".to_owned()),
                Some('\\') if mark == '"' => {
                    let escape = self.characters.get(self.position + 1).copied().unwrap_or('\0');
                    let known = "btnfre\"\\uxU".contains(escape) || (long && escape.is_whitespace());
                    if !known {
                        return Err(format!("invalid escape in string '\\{escape}'"));
                    }
                    self.position += 2;
                }
                Some(_) => self.position += 1,
            }
        }
    }

    fn array(&mut self) -> Find {
        self.position += 1;
        loop {
            self.gaps();
            match self.peek() {
                Some(']') => break,
                Some(',') => return Err("unexpected comma".to_owned()),
                _ => self.value()?,
            }
            self.gaps();
            match self.peek() {
                Some(',') => self.position += 1,
                Some(']') => break,
                other => {
                    let found = other.map_or("end of file".to_owned(), shown);
                    return Err(format!("expected a comma (',') or array terminator (']'), but got {found}"));
                }
            }
        }
        self.position += 1;
        Ok(())
    }

    fn inline_table(&mut self) -> Find {
        self.position += 1;
        let outer = self.key.len();
        loop {
            self.gaps();
            match self.peek() {
                Some('}') => break,
                Some(',') => return Err("unexpected comma".to_owned()),
                _ => self.key_value()?,
            }
            self.gaps();
            match self.peek() {
                Some(',') => {
                    self.position += 1;
                    self.key.truncate(outer);
                }
                Some('}') => break,
                other => {
                    let found = other.map_or("end of file".to_owned(), shown);
                    return Err(format!(
                        "expected a comma or an inline table terminator '}}', but got {found} instead"
                    ));
                }
            }
        }
        self.position += 1;
        self.key.truncate(outer);
        Ok(())
    }
}

/// The mistakes in numbers; dates and words are left to the reader.
fn number(text: &str) -> Find {
    let quoted = convert::quote(text.as_bytes());
    let plain = text.trim_start_matches(['+', '-']);
    if !plain.starts_with(|first: char| first.is_ascii_digit()) || plain.contains(':') {
        return Ok(());
    }
    let prefixed = ["0x", "0o", "0b"].iter().any(|prefix| plain.starts_with(prefix));
    let is_float = plain.contains(['.', 'e', 'E']) && !prefixed;
    let kind = if is_float { "float" } else { "integer" };
    if text.ends_with('_') || text.contains("__") {
        return Err(format!("Invalid {kind} {quoted}: underscores must be surrounded by digits"));
    }
    if is_float && plain.split(['e', 'E']).next().is_some_and(|mantissa| mantissa.ends_with('.')) {
        return Err(format!("Invalid float {quoted}: '.' must be followed by one or more digits"));
    }
    let digits = plain.bytes().take_while(u8::is_ascii_digit).count();
    if digits > 1 && plain.starts_with('0') && plain.as_bytes().get(digits) != Some(&b'-') {
        return Err(format!("Invalid {kind} {quoted}: cannot have leading zeroes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::complaint;

    #[test]
    fn mistakes_in_the_library_s_words() {
        for (text, expected) in [
            ("bad = = 1", "toml: line 1 (last key \"bad\"): expected value but found '=' instead"),
            ("= 1", "toml: line 1: unexpected '=': key name appears blank"),
            ("a", "toml: line 1: unexpected EOF; expected key separator '='"),
            ("a: b", "toml: line 1: expected '.' or '=', but got ':' instead"),
        ] {
            assert_eq!(complaint(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(complaint("a = 1\n[t]\nb = \"x\" # c\n"), None);
    }
}
