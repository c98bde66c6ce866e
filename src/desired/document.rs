//! Strict reading of our own YAML files: every fault of a file at once, each with line, column and the nearest
//! valid key. Knows nothing of what the keys mean.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use saphyr_parser::{Event, Parser};
use serde_yaml::Value;

use super::nearest::nearest;
use crate::model::fault::{Fault, FaultScope};
use crate::model::source::File;

/// The largest of our own files; values layers and manifests have limits of their own.
const FILE_LIMIT: usize = 1 << 20;
/// How deep our own files may nest.
const DEPTH_LIMIT: usize = 32;

/// One parsed file.
pub(super) struct Document {
    file: String,
    scope: FaultScope,
    value: Value,
    positions: Positions,
    faults: RefCell<Vec<Fault>>,
}

impl Document {
    /// Parses a file; a file that is no YAML is one fault and reads as empty.
    pub(super) fn parse(file: &str, content: &File, scope: FaultScope) -> Self {
        let mut document = Self {
            file: file.to_owned(),
            scope,
            value: Value::Null,
            positions: Positions::default(),
            faults: RefCell::default(),
        };
        match document.read(content) {
            Ok((value, positions)) => {
                document.value = value;
                document.positions = positions;
            }
            Err((line, column, message)) => {
                let scope = document.scope.clone();
                let fault = Fault { file: file.to_owned(), line, column, message, hint: None, scope };
                document.faults.borrow_mut().push(fault);
            }
        }
        document
    }

    fn read(&self, content: &File) -> Result<(Value, Positions), (usize, usize, String)> {
        let whole = |message: String| (0, 0, message);
        let bytes = content.content.bytes().map_err(|why| whole(why.to_owned()))?;
        if bytes.len() > FILE_LIMIT {
            return Err(whole(format!("has {} bytes; the limit is {FILE_LIMIT}", bytes.len())));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| whole("is not UTF-8 text".to_owned()))?;
        let positions = Positions::read(text)?;
        let value = serde_yaml::from_str(text).map_err(|error| {
            let (line, column) = error.location().map_or((0, 0), |place| (place.line(), place.column()));
            (line, column, first_part(&error.to_string()))
        })?;
        Ok((value, positions))
    }

    /// The root of the document.
    pub(super) fn root(&self) -> Node<'_> {
        Node { document: self, value: &self.value, path: String::new() }
    }

    /// All faults found so far.
    pub(super) fn into_faults(self) -> Vec<Fault> {
        self.faults.into_inner()
    }

    fn fault(&self, path: &str, message: String, hint: Option<String>, scope: Option<FaultScope>) {
        let (line, column) = self.positions.of(path);
        let scope = scope.unwrap_or_else(|| self.scope.clone());
        let fault = Fault { file: self.file.clone(), line, column, message, hint, scope };
        self.faults.borrow_mut().push(fault);
    }
}

/// serde_yaml ends its messages with the place, which we print in front.
fn first_part(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).to_owned()
}

/// A value inside a [`Document`], with its path for messages.
#[derive(Clone)]
pub(super) struct Node<'a> {
    document: &'a Document,
    value: &'a Value,
    path: String,
}

impl<'a> Node<'a> {
    /// Whether there is nothing here.
    pub(super) fn is_empty(&self) -> bool {
        self.value.is_null()
    }

    /// Whether this is a map.
    pub(super) fn is_map(&self) -> bool {
        self.value.is_mapping()
    }

    /// Reports a fault at this value.
    pub(super) fn fault(&self, message: impl Into<String>, hint: Option<String>) {
        self.document.fault(&self.path, message.into(), hint, None);
    }

    /// Reports a fault that holds back something narrower than the document.
    pub(super) fn fault_in(&self, scope: FaultScope, message: impl Into<String>, hint: Option<String>) {
        self.document.fault(&self.path, message.into(), hint, Some(scope));
    }

    /// The value under a known key of a map; every other key of the map is a fault.
    pub(super) fn fields(&self, known: &'static [&'static str]) -> Fields<'a> {
        let mut found = HashMap::new();
        for (key, node) in self.entries() {
            match known.iter().find(|name| **name == key) {
                Some(name) => {
                    found.insert(*name, node);
                }
                None => {
                    let hint = nearest(&key, known).map_or_else(
                        || format!("known keys: {}", known.join(", ")),
                        |near| format!("did you mean `{near}`?"),
                    );
                    self.document.fault(&node.path, format!("unknown key `{key}`"), Some(hint), None);
                }
            }
        }
        Fields { found }
    }

    /// All entries of a map with free keys, in their order. Anything but a map (or nothing) is a fault.
    pub(super) fn entries(&self) -> Vec<(String, Node<'a>)> {
        let Value::Mapping(map) = self.value else {
            if !self.value.is_null() {
                self.fault(format!("expected a map, found {}", kind_of(self.value)), None);
            }
            return Vec::new();
        };
        let mut entries = Vec::with_capacity(map.len());
        for (key, value) in map {
            let key = match key {
                Value::String(key) => key.clone(),
                Value::Bool(key) => key.to_string(),
                Value::Number(key) => key.to_string(),
                other => {
                    self.fault(format!("a key must be a text, found {}", kind_of(other)), None);
                    continue;
                }
            };
            let path = child(&self.path, &key);
            entries.push((key, Node { document: self.document, value, path }));
        }
        entries
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Vec<Node<'a>> {
        let Value::Sequence(items) = self.value else {
            if !self.value.is_null() {
                self.fault(format!("expected a list, found {}", kind_of(self.value)), None);
            }
            return Vec::new();
        };
        let node = |(index, value)| Node {
            document: self.document,
            value,
            path: child(&self.path, &format!("{index}")),
        };
        items.iter().enumerate().map(node).collect()
    }

    /// A text as it is written, even where YAML would read a number.
    pub(super) fn raw_text(&self) -> Option<String> {
        match self.value {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => {
                self.document.positions.scalars.get(&self.path).map(|scalar| scalar.text.clone())
            }
            other => {
                self.fault(format!("expected a text, found {}", kind_of(other)), None);
                None
            }
        }
    }

    /// A text.
    pub(super) fn text(&self) -> Option<String> {
        match self.value {
            Value::String(text) => Some(text.clone()),
            other => {
                self.fault(
                    format!("expected a text, found {}", kind_of(other)),
                    matches!(other, Value::Number(_) | Value::Bool(_)).then(|| "put it in quotes".to_owned()),
                );
                None
            }
        }
    }

    /// A text parsed into a type of ours; its error becomes the fault.
    pub(super) fn parse<T: FromStr>(&self) -> Option<T>
    where
        T::Err: Display,
    {
        self.parse_with(|text| text.parse::<T>())
    }

    /// A text parsed by a function; its error becomes the fault.
    pub(super) fn parse_with<T, E: Display>(&self, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let text = self.text()?;
        match parse(&text) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.fault(error.to_string(), None);
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn one_of<T: Copy>(&self, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text()?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let hint = nearest(&text, &known).map_or_else(
            || format!("one of: {}", known.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        self.fault(format!("unknown value `{text}`"), Some(hint));
        None
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Option<bool> {
        match self.value {
            Value::Bool(flag) => Some(*flag),
            other => {
                self.fault(format!("expected true or false, found {}", kind_of(other)), None);
                None
            }
        }
    }

    /// A duration as `90s`, `10m`, `2h` or `1h30m`.
    pub(super) fn duration(&self) -> Option<Duration> {
        let text = self.raw_text()?;
        let parsed = parse_duration(&text);
        if parsed.is_none() {
            let hint = Some("write it as 90s, 10m, 2h or 1h30m".to_owned());
            self.fault(format!("`{text}` is not a duration"), hint);
        }
        parsed
    }
}

/// The fields of a map with known keys.
pub(super) struct Fields<'a> {
    found: HashMap<&'static str, Node<'a>>,
}

impl<'a> Fields<'a> {
    /// The value of a key; a key without value counts as absent.
    pub(super) fn get(&self, key: &str) -> Option<&Node<'a>> {
        self.found.get(key).filter(|node| !node.is_empty())
    }
}

/// Reads `90s`, `10m`, `2h`, `1h30m`; at most a year.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut total: u64 = 0;
    let mut digits = String::new();
    for char in text.chars() {
        let unit = match char {
            '0'..='9' if digits.len() < 9 => {
                digits.push(char);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86400,
            _ => return None,
        };
        total = total.checked_add(digits.parse::<u64>().ok()?.checked_mul(unit)?)?;
        digits.clear();
    }
    let whole = digits.is_empty() && !text.is_empty() && total <= 366 * 86400;
    whole.then(|| Duration::from_secs(total))
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a map",
        Value::Tagged(_) => "a tagged value",
    }
}

fn child(path: &str, key: &str) -> String {
    format!("{path}\u{1f}{key}")
}

struct Scalar {
    text: String,
}

/// Where each path of a document stands: the key of a map's entry, the first character of a list's item.
#[derive(Default)]
struct Positions {
    places: HashMap<String, (usize, usize)>,
    scalars: HashMap<String, Scalar>,
}

/// One open map or list while positions are collected.
enum Level {
    Map { path: String, key: Option<String> },
    List { path: String, next: usize },
}

impl Positions {
    fn of(&self, path: &str) -> (usize, usize) {
        let mut path = path;
        loop {
            if let Some(place) = self.places.get(path) {
                return *place;
            }
            match path.rsplit_once('\u{1f}') {
                Some((parent, _)) => path = parent,
                None => return (1, 1),
            }
        }
    }

    fn read(text: &str) -> Result<Self, (usize, usize, String)> {
        let mut positions = Self::default();
        let mut levels: Vec<Level> = Vec::new();
        for item in Parser::new_from_str(text) {
            let (event, span) = item.map_err(|error| {
                let marker = error.marker();
                (marker.line(), marker.col() + 1, error.info().to_owned())
            })?;
            let place = (span.start.line(), span.start.col() + 1);
            match event {
                Event::MappingStart(..) => {
                    let path = positions.enter(&mut levels, place, None);
                    levels.push(Level::Map { path, key: None });
                }
                Event::SequenceStart(..) => {
                    let path = positions.enter(&mut levels, place, None);
                    levels.push(Level::List { path, next: 0 });
                }
                Event::Scalar(value, ..) => {
                    positions.enter(&mut levels, place, Some(&value));
                }
                Event::Alias(_) => {
                    positions.enter(&mut levels, place, Some(""));
                }
                Event::MappingEnd | Event::SequenceEnd => {
                    levels.pop();
                }
                _ => {}
            }
            if levels.len() > DEPTH_LIMIT {
                return Err((place.0, place.1, format!("is nested deeper than {DEPTH_LIMIT} levels")));
            }
        }
        Ok(positions)
    }

    /// Notes where a value stands and returns its path. In a map, values alternate between keys and values.
    fn enter(&mut self, levels: &mut [Level], place: (usize, usize), scalar: Option<&str>) -> String {
        let path = match levels.last_mut() {
            None => String::new(),
            Some(Level::List { path, next }) => {
                let path = child(path, &format!("{next}"));
                *next += 1;
                self.places.insert(path.clone(), place);
                path
            }
            Some(Level::Map { path, key }) => match key.take() {
                None => {
                    let name = scalar.unwrap_or("?").to_owned();
                    let path = child(path, &name);
                    self.places.entry(path.clone()).or_insert(place);
                    *key = Some(name);
                    return path;
                }
                Some(name) => child(path, &name),
            },
        };
        if let Some(text) = scalar {
            self.scalars.insert(path.clone(), Scalar { text: text.to_owned() });
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document::parse("moorline.yaml", &File::of_bytes(text.as_bytes()), FaultScope::Everything)
    }

    #[test]
    fn an_unknown_key_names_its_place_and_the_nearest_key() {
        let document = document("version: 1\nenvironments:\n  dev: {brnch: dev}\n");
        let root = document.root().fields(&["version", "environments"]);
        for (_, node) in root.get("environments").unwrap().entries() {
            node.fields(&["branch", "cluster"]);
        }
        let faults = document.into_faults();
        assert_eq!(faults[0].to_string(), "moorline.yaml:3:9: unknown key `brnch`");
        assert_eq!(faults[0].hint.as_deref(), Some("did you mean `branch`?"));
    }

    #[test]
    fn broken_yaml_is_one_fault_with_a_place() {
        for text in ["a: [1\nb: 2\n", "a: 1\na: 2\n", "\t- x", "a: &x [*x]", "&a [&b [*a]]"] {
            let faults = document(text).into_faults();
            assert_eq!(faults.len(), 1, "{text:?}: {faults:?}");
        }
    }

    #[test]
    fn bombs_and_towers_hit_limits() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let previous = format!("*a{}", level - 1);
            bomb.push_str(&format!("a{level}: &a{level} [{}]\n", [previous.as_str(); 10].join(", ")));
        }
        assert_eq!(document(&bomb).into_faults().len(), 1);
        assert!(document(&"[".repeat(100)).into_faults()[0].message.contains("deeper than 32"));
        assert_eq!(document(&"[".repeat(5000)).into_faults().len(), 1);
        let large = "a".repeat(FILE_LIMIT + 1);
        assert!(document(&large).into_faults()[0].message.contains("limit"));
    }

    #[test]
    fn numbers_can_be_read_as_they_are_written() {
        let document = document("pin: 1234567890123456789012345678901234567890\nodd: 1e10\n");
        let root = document.root().fields(&["pin", "odd"]);
        let pin = root.get("pin").unwrap().raw_text().unwrap();
        assert_eq!(pin, "1234567890123456789012345678901234567890");
        assert_eq!(root.get("odd").unwrap().raw_text().unwrap(), "1e10");
    }

    #[test]
    fn durations_have_units() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("1h30m", 5400), ("0s", 0)] {
            assert_eq!(parse_duration(text), Some(Duration::from_secs(seconds)));
        }
        for bad in ["", "10", "m", "1x", "-1s", "99999999999h", "400d", "1.5h"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
