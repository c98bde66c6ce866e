//! `index.yaml` → one line of JSON for each version of each chart, as a stream: neither the text nor its values are
//! ever in memory as a whole, however large it is.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};

use saphyr_parser::{Event, Parser};

use super::super::store::Entry;

/// Versions that an index may hold, how long one text of interest may be, and how deep it may nest.
const MOST_VERSIONS: usize = 2_000_000;
const MOST_TEXT: usize = 4096;
const MOST_DEPTH: usize = 64;

/// Why an index cannot be read.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// The disk.
    Disk(std::io::Error),
    /// The text, in words that follow its name.
    Text(String),
}

impl From<std::io::Error> for Unreadable {
    fn from(error: std::io::Error) -> Self {
        Self::Disk(error)
    }
}

/// Reads an index into lines.
pub(super) fn read(text: File, lines: &mut File) -> Result<(), Unreadable> {
    let mut characters =
        Characters { reader: BufReader::with_capacity(1 << 16, text), line: Vec::new(), at: 0 };
    let mut writer = BufWriter::with_capacity(1 << 16, lines);
    let mut collector = Collector::default();
    for item in Parser::new_from_iter(&mut characters) {
        let (event, _) = item.map_err(|error| {
            let place = error.marker();
            Unreadable::Text(format!("is no YAML: line {}: {}", place.line(), error.info()))
        })?;
        if let Some(entry) = collector.take(event).map_err(Unreadable::Text)? {
            let line = serde_json::to_string(&entry).map_err(std::io::Error::other)?;
            writeln!(writer, "{line}")?;
        }
        if collector.done {
            break;
        }
    }
    if !collector.has_entries {
        return Err(Unreadable::Text("has no `entries`: no chart repository is served there".to_owned()));
    }
    Ok(writer.flush()?)
}

/// The characters of a file, line by line; what is no UTF-8 is replaced.
struct Characters<R> {
    reader: R,
    line: Vec<u8>,
    at: usize,
}

impl<R: BufRead> Iterator for Characters<R> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        if self.at >= self.line.len() {
            self.line.clear();
            self.at = 0;
            // What cannot be read ends the text, which then is incomplete YAML or short of entries.
            if self.reader.read_until(b'\n', &mut self.line).ok()? == 0 {
                return None;
            }
            if let Cow::Owned(replaced) = String::from_utf8_lossy(&self.line) {
                self.line = replaced.into_bytes();
            }
        }
        let rest = self.line.get(self.at..)?;
        // The line is UTF-8, so a character begins here and has one to four bytes.
        let length = match rest.first()? {
            0..0x80 => 1,
            0x80..0xE0 => 2,
            0xE0..0xF0 => 3,
            _ => 4,
        };
        let text = std::str::from_utf8(rest.get(..length.min(rest.len()))?).ok()?;
        self.at += length;
        text.chars().next()
    }
}

/// One open map or list.
enum Level {
    Map { key: Option<String> },
    List { items: usize },
}

#[derive(Default)]
struct Collector {
    levels: Vec<Level>,
    entry: Entry,
    versions: usize,
    has_entries: bool,
    /// Only the first document counts.
    done: bool,
}

impl Collector {
    /// Takes one event; gives an entry when one is complete.
    fn take(&mut self, event: Event<'_>) -> Result<Option<Entry>, String> {
        match event {
            Event::MappingStart(..) => self.open(Level::Map { key: None })?,
            Event::SequenceStart(..) => self.open(Level::List { items: 0 })?,
            Event::MappingEnd | Event::SequenceEnd => return self.close(),
            Event::Scalar(text, ..) => self.scalar(&text),
            Event::Alias(_) => self.scalar(""),
            Event::DocumentEnd => self.done = true,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => {}
        }
        Ok(None)
    }

    fn open(&mut self, level: Level) -> Result<(), String> {
        if self.levels.len() >= MOST_DEPTH {
            return Err(format!("nests deeper than {MOST_DEPTH} levels"));
        }
        // A map or list as a key is nothing that an index has.
        if let Some(Level::Map { key: key @ None }) = self.levels.last_mut() {
            *key = Some(String::new());
        }
        self.levels.push(level);
        if self.is_entry() {
            self.entry = Entry { name: self.key(1).to_owned(), ..Entry::default() };
        }
        if self.levels.len() == 2
            && self.key(0) == "entries"
            && matches!(self.levels.last(), Some(Level::Map { .. }))
        {
            self.has_entries = true;
        }
        Ok(())
    }

    /// Whether what was opened last is a version of a chart: a map in a list in a map in a map.
    fn is_entry(&self) -> bool {
        matches!(
            self.levels.as_slice(),
            [Level::Map { .. }, Level::Map { .. }, Level::List { .. }, Level::Map { .. }]
        ) && self.key(0) == "entries"
    }

    fn key(&self, level: usize) -> &str {
        match self.levels.get(level) {
            Some(Level::Map { key: Some(key) }) => key,
            _ => "",
        }
    }

    fn close(&mut self) -> Result<Option<Entry>, String> {
        let complete = self.is_entry();
        self.levels.pop();
        self.value_ended();
        if !complete || self.entry.version.is_empty() {
            return Ok(None);
        }
        self.versions += 1;
        if self.versions > MOST_VERSIONS {
            return Err(format!("holds more than {MOST_VERSIONS} versions"));
        }
        Ok(Some(std::mem::take(&mut self.entry)))
    }

    fn value_ended(&mut self) {
        match self.levels.last_mut() {
            Some(Level::Map { key }) => *key = None,
            Some(Level::List { items }) => *items += 1,
            None => {}
        }
    }

    fn scalar(&mut self, text: &str) {
        if let Some(Level::Map { key: key @ None }) = self.levels.last_mut() {
            *key = Some(text.chars().take(MOST_TEXT).collect());
            return;
        }
        if self.levels.len() == 2 && self.key(0) == "entries" && text.is_empty() {
            self.has_entries = true;
        }
        if self.levels.len() == 1 && self.key(0) == "entries" {
            // `entries: {}` may be written as nothing.
            self.has_entries = true;
        }
        if text.len() <= MOST_TEXT && self.key(0) == "entries" {
            match self.levels.as_slice() {
                [_, _, Level::List { .. }, Level::Map { key: Some(key) }] => match key.as_str() {
                    "version" => text.clone_into(&mut self.entry.version),
                    "digest" => text.clone_into(&mut self.entry.digest),
                    _ => {}
                },
                [_, _, Level::List { .. }, Level::Map { key: Some(key) }, Level::List { items: 0 }]
                    if key == "urls" =>
                {
                    text.clone_into(&mut self.entry.url);
                }
                _ => {}
            }
        }
        self.value_ended();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};

    use super::*;

    fn lines(text: &str) -> Result<Vec<Entry>, String> {
        let mut input = tempfile::tempfile().unwrap();
        input.write_all(text.as_bytes()).unwrap();
        input.rewind().unwrap();
        let mut output = tempfile::tempfile().unwrap();
        read(input, &mut output).map_err(|error| match error {
            Unreadable::Text(message) => message,
            Unreadable::Disk(error) => panic!("{error}"),
        })?;
        output.rewind().unwrap();
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        Ok(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    #[test]
    fn versions_urls_and_digests_are_found_in_any_form() {
        let expected = vec![
            Entry {
                name: "wéb".into(),
                version: "1.10".into(),
                url: "web-1.10.tgz".into(),
                digest: "ab".into(),
            },
            Entry { name: "wéb".into(), version: "1.2.0".into(), url: String::new(), digest: String::new() },
        ];
        let block = "apiVersion: v1\nentries:\n  wéb:\n  - annotations: {version: no, urls: [x]}\n    version: 1.10\n    maintainers:\n    - {name: a, urls: [b]}\n    urls:\n    - web-1.10.tgz\n    - other\n    digest: ab\n  - {version: \"1.2.0\"}\n  empty: []\ngenerated: x\n";
        assert_eq!(lines(block), Ok(expected.clone()));
        let json = r#"{"entries":{"wéb":[{"version":"1.10","urls":["web-1.10.tgz"],"digest":"ab"},{"version":"1.2.0"}]}}"#;
        assert_eq!(lines(json), Ok(expected));
        assert_eq!(lines("entries: {}\n"), Ok(Vec::new()));
        assert_eq!(lines("apiVersion: v1\nentries:\n"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_index_is_refused_in_words() {
        for (text, why) in [
            ("<html></html>", "has no `entries`: no chart repository is served there"),
            ("", "has no `entries`: no chart repository is served there"),
            ("entries:\n  a: [\n", "is no YAML"),
            (&"[".repeat(100), "nests deeper than 64 levels"),
        ] {
            let message = lines(text).unwrap_err();
            assert!(message.starts_with(why), "{text}: {message}");
        }
    }

    #[test]
    fn aliases_are_not_followed() {
        let bomb = "a: &a [x,x,x,x]\nb: &b [*a,*a,*a]\nentries: {web: [{version: 1.0.0, urls: [*b], keywords: *b}]}\n";
        assert_eq!(lines(bomb).unwrap().len(), 1);
    }
}
