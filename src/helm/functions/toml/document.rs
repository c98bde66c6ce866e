//! Reads TOML as Helm's library does, with its complaints: which keys may be set again is its own
//! idea of it.

use std::collections::{BTreeMap, HashSet};

use super::cursor::{Cursor, Found, Kind, Mistake, Word, is_blank, is_line_end, shown};
use super::words;
use crate::value::convert::quote;
use crate::value::{Map, Text, Value};

pub(super) type Table = BTreeMap<String, Entry>;

/// What a key holds.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Plain(Value),
    /// A list that is written as one.
    List(Vec<Entry>),
    Table(Table),
    /// A list that is written as tables.
    Tables(Vec<Table>),
}

/// How deep lists and tables may stand inside of each other.
const DEPTH: usize = 250;

/// Reads a text; the error is the library's message.
pub(super) fn read(text: &[u8], old: bool) -> Result<Value, String> {
    let text = [&b"\xff\xfe"[..], b"\xfe\xff", b"\xef\xbb\xbf"]
        .iter()
        .find_map(|mark| text.strip_prefix(*mark))
        .unwrap_or(text);
    if text.iter().take(6).any(|byte| *byte == 0) {
        let message = "files cannot contain NULL bytes; probably using UTF-16; TOML files must be UTF-8";
        return Err(format!("toml: line 1: {message}"));
    }
    let mut reader = Reader {
        cursor: Cursor::new(text, old),
        context: Vec::new(),
        key: String::new(),
        line: 1,
        root: Table::new(),
        implicit: HashSet::new(),
        lists: HashSet::new(),
    };
    match reader.document() {
        Ok(()) => Ok(value(Entry::Table(reader.root))),
        Err(Mistake { line, message }) => {
            let key = reader.last_key();
            let about =
                if key.is_empty() { String::new() } else { format!(" (last key {})", quote(key.as_bytes())) };
            Err(format!("toml: line {line}{about}: {message}"))
        }
    }
}

fn value(entry: Entry) -> Value {
    let map = |table: Table| {
        Value::Map(Map::from_pairs(table.into_iter().map(|(key, entry)| (Text::from(key), value(entry)))))
    };
    match entry {
        Entry::Plain(value) => value,
        Entry::List(entries) => Value::list(entries.into_iter().map(value).collect()),
        Entry::Table(table) => map(table),
        Entry::Tables(tables) => Value::list(tables.into_iter().map(map).collect()),
    }
}

struct Reader<'t> {
    cursor: Cursor<'t>,
    /// The table that keys belong to.
    context: Vec<String>,
    /// The key that is being set.
    key: String,
    /// The line of the key or the name of a table.
    line: usize,
    root: Table,
    /// Tables that only names of others made, and inline ones: they may be set once more.
    implicit: HashSet<String>,
    /// Keys of lists.
    lists: HashSet<String>,
}

impl Reader<'_> {
    fn last_key(&self) -> String {
        match (self.key.is_empty(), self.context.is_empty()) {
            (true, _) => joined(&self.context),
            (false, true) => self.key.clone(),
            (false, false) => format!("{}.{}", joined(&self.context), self.key),
        }
    }

    fn fault<T>(&self, message: String) -> Found<T> {
        Err(Mistake { line: self.line, message })
    }

    fn document(&mut self) -> Found<()> {
        loop {
            let next = self.cursor.next()?;
            match next {
                None => return Ok(()),
                _ if is_blank(next) || is_line_end(next) => {}
                Some('#') => self.cursor.comment()?,
                Some('[') => {
                    self.header()?;
                    self.line_end()?;
                }
                Some(_) => {
                    self.cursor.back();
                    let outer = self.context.clone();
                    self.pair(0)?;
                    self.context = outer;
                    self.key.clear();
                    self.line_end()?;
                }
            }
        }
    }

    /// Nothing more may stand in the line.
    fn line_end(&mut self) -> Found<()> {
        loop {
            let next = self.cursor.next()?;
            match next {
                None => {
                    self.cursor.back();
                    return Ok(());
                }
                Some('#') => return self.cursor.comment(),
                _ if is_blank(next) => {}
                _ if is_line_end(next) => return Ok(()),
                other => {
                    let other = shown(other);
                    return Err(self.cursor.mistake(format!(
                        "expected a top-level item to end with a newline, comment, or EOF, but got {other} instead"
                    )));
                }
            }
        }
    }

    fn header(&mut self) -> Found<()> {
        let several = self.cursor.peek()? == Some('[');
        if several {
            self.cursor.next()?;
        }
        let mut path = Vec::new();
        loop {
            self.cursor.skip_blanks()?;
            match self.cursor.peek()? {
                None | Some(']') => {
                    let message = "unexpected end of table name (table names cannot be empty)";
                    // The library takes the character to see that it is the end.
                    return Err(self.cursor.mistake(message));
                }
                Some('.') => {
                    return Err(self
                        .cursor
                        .mistake("unexpected table separator (table names cannot be empty)"));
                }
                Some(first) => self.part(first, &mut path)?,
            }
            match self.cursor.next()? {
                Some('.') => {}
                Some(']') => break,
                other => {
                    let other = shown(other);
                    let message = format!("expected '.' or ']' to end table name, but got {other} instead");
                    return Err(self.cursor.mistake(message));
                }
            }
        }
        if several {
            let next = self.cursor.next()?;
            if next != Some(']') {
                let next = shown(next);
                let message =
                    format!("expected end of table array name delimiter ']', but got {next} instead");
                return Err(self.cursor.mistake(message));
            }
        }
        self.enter(&path, several)?;
        self.lists.remove(&joined(&self.context));
        Ok(())
    }

    /// A part of a key or of a table's name, with what is blank behind it.
    fn part(&mut self, first: char, path: &mut Vec<String>) -> Found<()> {
        let part = match first {
            '"' | '\'' => words::text(&self.cursor.quoted_name()?)?,
            _ => self.cursor.bare_name()?,
        };
        if path.is_empty() {
            self.line = self.cursor.line();
        }
        path.push(part);
        self.cursor.skip_blanks()
    }

    /// The parts of a key up to the equals sign.
    fn key_path(&mut self) -> Found<Vec<String>> {
        self.cursor.skip_blanks()?;
        match self.cursor.peek()? {
            None | Some('=') => return Err(self.cursor.mistake("unexpected '=': key name appears blank")),
            Some('.') => return Err(self.cursor.mistake("unexpected '.': keys cannot start with a '.'")),
            Some(_) => {}
        }
        let mut path = Vec::new();
        loop {
            self.cursor.skip_blanks()?;
            match self.cursor.peek()? {
                None | Some('=') => return Err(self.cursor.mistake("unexpected '='")),
                Some('.') => return Err(self.cursor.mistake("unexpected '.'")),
                Some(first) => self.part(first, &mut path)?,
            }
            match self.cursor.next()? {
                Some('.') => {}
                Some('=') => return Ok(path),
                None => return Err(self.cursor.mistake("unexpected EOF; expected key separator '='")),
                other => {
                    let message = format!("expected '.' or '=', but got {} instead", shown(other));
                    let before = other == Some('\n');
                    return Err(if before {
                        self.cursor.mistake_before(message)
                    } else {
                        self.cursor.mistake(message)
                    });
                }
            }
        }
    }

    /// A key with its value; gives both. The context is that of the key's last part then.
    fn pair(&mut self, depth: usize) -> Found<(Vec<String>, Entry)> {
        let path = self.key_path()?;
        let (last, parents) =
            path.split_last().map_or(("", &[][..]), |(last, parents)| (last.as_str(), parents));
        last.clone_into(&mut self.key);
        for parent in parents {
            let mut inner = self.context.clone();
            inner.push(parent.clone());
            self.implicit.insert(joined(&inner));
            self.enter(&inner, false)?;
        }
        let entry = self.entry(false, depth)?;
        let key = self.key.clone();
        self.set(&key, entry.clone())?;
        let place = joined(&[self.context.as_slice(), &[key]].concat());
        if matches!(entry, Entry::List(_)) {
            self.lists.insert(place)
        } else {
            self.lists.remove(&place)
        };
        Ok((path, entry))
    }

    fn entry(&mut self, in_list: bool, depth: usize) -> Found<Entry> {
        if depth > DEPTH {
            return Err(self.cursor.mistake(format!("nests deeper than {DEPTH} levels")));
        }
        self.cursor.skip_blanks()?;
        match self.cursor.next()? {
            Some('[') => self.list(depth),
            Some('{') => self.inline(in_list, depth),
            first => {
                let word = self.cursor.value(first)?;
                plain(&word, self.cursor.old).map(Entry::Plain)
            }
        }
    }

    fn list(&mut self, depth: usize) -> Found<Entry> {
        let place = joined(&[self.context.as_slice(), std::slice::from_ref(&self.key)].concat());
        self.lists.insert(place);
        let mut entries = Vec::new();
        let mut closed = false;
        while !closed {
            let next = self.cursor.next()?;
            match next {
                _ if is_blank(next) || is_line_end(next) => continue,
                Some('#') => {
                    self.cursor.comment()?;
                    continue;
                }
                Some(',') => return Err(self.cursor.mistake("unexpected comma")),
                Some(']') => break,
                _ => self.cursor.back(),
            }
            entries.push(self.entry(true, depth + 1)?);
            closed =
                self.after_item(']', "expected a comma (',') or array terminator (']'), but got ", "")?;
        }
        Ok(Entry::List(entries))
    }

    /// What is between an item of a list or a table and the next; true at the end.
    fn after_item(&mut self, end: char, before: &str, after: &str) -> Found<bool> {
        let newlines = end == ']' || !self.cursor.old;
        loop {
            let next = self.cursor.next()?;
            match next {
                _ if is_blank(next) => {}
                _ if is_line_end(next) && newlines => {}
                _ if is_line_end(next) => {
                    return Err(self.cursor.mistake_before("newlines not allowed within inline tables"));
                }
                Some('#') => self.cursor.comment()?,
                Some(',') => return Ok(false),
                Some(character) if character == end => return Ok(true),
                other => {
                    let got = other.map_or("end of file".to_owned(), |other| format!("'{other}'"));
                    return Err(self.cursor.mistake(format!("{before}{got}{after}")));
                }
            }
        }
    }

    fn inline(&mut self, in_list: bool, depth: usize) -> Found<Entry> {
        let mut top = Table::new();
        let (outer, outer_key) = (self.context.clone(), std::mem::take(&mut self.key));
        self.context.push(outer_key.clone());
        let context = self.context.clone();
        self.implicit.insert(joined(&context));
        self.enter(&context, in_list)?;
        let mut closed = false;
        while !closed {
            let next = self.cursor.next()?;
            match next {
                _ if is_blank(next) => continue,
                _ if is_line_end(next) && !self.cursor.old => continue,
                _ if is_line_end(next) => {
                    return Err(self.cursor.mistake_before("newlines not allowed within inline tables"));
                }
                Some('#') => {
                    self.cursor.comment()?;
                    continue;
                }
                Some(',') => return Err(self.cursor.mistake("unexpected comma")),
                Some('}') => break,
                _ => self.cursor.back(),
            }
            let (path, entry) = self.pair(depth + 1)?;
            self.put(&mut top, &path, entry)?;
            self.context.clone_from(&context);
            closed = self.after_pair()?;
        }
        self.context = outer;
        self.key = outer_key;
        Ok(Entry::Table(top))
    }

    fn after_pair(&mut self) -> Found<bool> {
        const WORDS: (&str, &str) =
            ("expected a comma or an inline table terminator '}', but got ", " instead");
        if self.after_item('}', WORDS.0, WORDS.1)? {
            return Ok(true);
        }
        self.cursor.skip_blanks()?;
        if self.cursor.peek()? != Some('}') {
            return Ok(false);
        }
        if self.cursor.old {
            return Err(self.cursor.mistake("trailing comma not allowed in inline tables"));
        }
        self.after_item('}', WORDS.0, WORDS.1)
    }

    /// Puts a value of an inline table below the parts of its key.
    fn put(&self, top: &mut Table, path: &[String], entry: Entry) -> Found<()> {
        let Some((last, parents)) = path.split_last() else { return Ok(()) };
        let mut table = top;
        for parent in parents {
            let inner = table.entry(parent.clone()).or_insert_with(|| Entry::Table(Table::new()));
            let Entry::Table(inner) = inner else {
                return self.fault(format!("{} is not a table", quote(joined(&self.context).as_bytes())));
            };
            table = inner;
        }
        table.insert(last.clone(), entry);
        Ok(())
    }

    /// Makes a table the one that keys belong to.
    fn enter(&mut self, path: &[String], several: bool) -> Found<()> {
        let Some((last, parents)) = path.split_last() else { return Ok(()) };
        if path.len() > DEPTH {
            return self.fault(format!("nests deeper than {DEPTH} levels"));
        }
        let mut table = &mut self.root;
        for (index, parent) in parents.iter().enumerate() {
            let so_far = path.get(..=index).unwrap_or(path);
            if !table.contains_key(parent) {
                self.implicit.insert(joined(so_far));
                table.insert(parent.clone(), Entry::Table(Table::new()));
            }
            table = match table.get_mut(parent) {
                Some(Entry::Table(inner)) => inner,
                Some(Entry::Tables(tables)) if !tables.is_empty() => match tables.last_mut() {
                    Some(inner) => inner,
                    None => return Ok(()),
                },
                _ => return self.fault(format!("Key '{}' was already created as a hash.", joined(so_far))),
            };
        }
        self.context = parents.to_vec();
        if several {
            match table.entry(last.clone()).or_insert_with(|| Entry::Tables(Vec::new())) {
                Entry::Tables(tables) => tables.push(Table::new()),
                _ => {
                    let path = joined(path);
                    return self
                        .fault(format!("Key '{path}' was already created and cannot be used as an array."));
                }
            }
        } else {
            self.set(last, Entry::Table(Table::new()))?;
        }
        self.context.push(last.clone());
        Ok(())
    }

    /// Sets a key of the current table.
    fn set(&mut self, key: &str, entry: Entry) -> Found<()> {
        let mut table = &mut self.root;
        for (index, part) in self.context.iter().enumerate() {
            table = match table.get_mut(part) {
                Some(Entry::Table(inner)) => inner,
                Some(Entry::Tables(tables)) if !tables.is_empty() => match tables.last_mut() {
                    Some(inner) => inner,
                    None => return Ok(()),
                },
                _ => {
                    let so_far = joined(self.context.get(..=index).unwrap_or(&[]));
                    return self.fault(format!("Key '{so_far}' has already been defined."));
                }
            };
        }
        if !table.contains_key(key) {
            table.insert(key.to_owned(), entry);
            return Ok(());
        }
        let place = joined(&[self.context.as_slice(), &[key.to_owned()]].concat());
        let implicit = self.implicit.remove(&place);
        if self.lists.contains(&place) && (implicit || self.cursor.old) {
            table.insert(key.to_owned(), entry);
            return Ok(());
        }
        if implicit {
            return Ok(());
        }
        self.fault(format!("Key '{place}' has already been defined."))
    }
}

/// A key as messages show it.
fn joined(path: &[String]) -> String {
    let parts =
        path.iter().map(|part| String::from_utf8_lossy(&super::key_text(part.as_bytes())).into_owned());
    parts.collect::<Vec<_>>().join(".")
}

fn plain(word: &Word, old: bool) -> Found<Value> {
    match word.kind {
        Kind::Bool => Ok(Value::Bool(word.text == "true")),
        Kind::Integer => words::integer(word),
        Kind::Float => words::float(word),
        Kind::Time => words::time(word, old),
        _ => words::text(word).map(Value::text),
    }
}
