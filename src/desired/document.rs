//! Strict reading of our own YAML files: every fault of a file at once, each with line, column and the nearest
//! valid key. Knows nothing of what the keys mean.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use serde_yaml::Value;

use super::keys::Keys;
use super::nearest::nearest;
use super::positions::{Positions, Unreadable, child, shown};
use crate::model::fault::{Fault, FaultScope};
use crate::model::source::File;

/// The largest of our own files; values layers and manifests have limits of their own.
const FILE_LIMIT: usize = 1 << 20;

/// One parsed file.
pub(super) struct Document {
    file: String,
    scope: FaultScope,
    value: Value,
    positions: Positions,
    /// Whether there is something to read; what is missing in a broken file is no fault of its own.
    is_readable: bool,
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
            is_readable: true,
            faults: RefCell::default(),
        };
        match Self::read(content) {
            Ok((value, positions)) => {
                document.value = value;
                document.positions = positions;
            }
            Err(Unreadable { place: (line, column), message, hint }) => {
                let scope = document.scope.clone();
                let fault = Fault { file: file.to_owned(), line, column, message, hint, scope };
                document.faults.borrow_mut().push(fault);
                document.is_readable = false;
            }
        }
        document
    }

    fn read(content: &File) -> Result<(Value, Positions), Unreadable> {
        let bytes = content.content.bytes().map_err(|why| Unreadable::whole(why.to_owned()))?;
        if bytes.len() > FILE_LIMIT {
            let message = format!("has {} bytes; the limit is {FILE_LIMIT}", bytes.len());
            return Err(Unreadable::whole(message));
        }
        let text =
            std::str::from_utf8(bytes).map_err(|_| Unreadable::whole("is not UTF-8 text".to_owned()))?;
        let positions = Positions::read(text)?;
        let value = serde_yaml::from_str(text).map_err(|error| {
            let place = error.location().map_or((0, 0), |place| (place.line(), place.column()));
            Unreadable { place, message: first_part(&error.to_string()), hint: None }
        })?;
        Ok((value, positions))
    }

    /// The root of the document.
    pub(super) fn root(&self) -> Node<'_> {
        Node { document: self, value: &self.value, path: String::new(), scope: None }
    }

    /// The place of the item of a list in which a key has this value.
    pub(super) fn place_of_item(&self, list: &str, key: &str, value: &str) -> Option<(usize, usize)> {
        let items = self.value.get(list)?.as_sequence()?;
        let index = items.iter().position(|item| item.get(key).and_then(Value::as_str) == Some(value))?;
        Some(self.positions.of(&child(&child("", list), &format!("{index}"))))
    }

    /// All faults found so far.
    pub(super) fn into_faults(self) -> Vec<Fault> {
        self.faults.into_inner()
    }

    fn fault(&self, path: &str, message: String, hint: Option<String>, scope: Option<FaultScope>) {
        if !self.is_readable {
            return;
        }
        let (line, column) = self.positions.of(path);
        let scope = scope.unwrap_or_else(|| self.scope.clone());
        let fault = Fault { file: self.file.clone(), line, column, message, hint, scope };
        self.faults.borrow_mut().push(fault);
    }
}

fn unknown_key(key: &str, known: &Keys) -> (String, String) {
    if key == "<<" {
        let hint = "repeat the keys; a whole value can be shared by an alias".to_owned();
        return ("merge keys are not read in this file".to_owned(), hint);
    }
    let hint = nearest(key, known.list).map_or_else(
        || format!("known keys: {}", known.list.join(", ")),
        |near| format!("did you mean `{near}`?"),
    );
    (format!("unknown key `{}`", shown(key)), hint)
}

/// `serde_yaml` ends its messages with the place, which we print in front.
fn first_part(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).to_owned()
}

/// A value inside a [`Document`], with its path for messages.
#[derive(Clone)]
pub(super) struct Node<'a> {
    document: &'a Document,
    value: &'a Value,
    path: String,
    /// What faults of this value hold back, where that is narrower than the document.
    scope: Option<FaultScope>,
}

impl<'a> Node<'a> {
    /// This value, with faults below it that hold back something narrower than the document.
    pub(super) fn within(&self, scope: &FaultScope) -> Self {
        Self { scope: Some(scope.clone()), ..self.clone() }
    }

    /// Whether there is nothing here.
    pub(super) fn is_empty(&self) -> bool {
        self.value.is_null()
    }

    /// Whether it is a list.
    pub(super) fn is_list(&self) -> bool {
        matches!(self.value, Value::Sequence(_))
    }

    /// Whether it is a map.
    pub(super) fn is_map(&self) -> bool {
        self.value.is_mapping()
    }

    /// The line and column of this value.
    fn place(&self) -> (usize, usize) {
        self.document.positions.of(&self.path)
    }

    /// A reason in words, as `suspend` wants it.
    pub(super) fn reason(&self) -> Option<String> {
        match self.value {
            Value::Bool(true) => {
                self.fault("a reason is expected", Some("say why, as suspend: stock-taking".to_owned()));
                None
            }
            Value::Bool(false) => {
                self.fault("a reason is expected", Some("to resume, remove the key".to_owned()));
                None
            }
            _ => self.text(),
        }
    }

    /// Texts of a list, each parsed by a function.
    pub(super) fn texts<T, E: Display>(&self, parse: impl Fn(&str) -> Result<T, E>) -> Vec<T> {
        self.items().iter().filter_map(|node| node.parse_with(&parse)).collect()
    }

    /// Reports a fault at this value.
    pub(super) fn fault(&self, message: impl Into<String>, hint: Option<String>) {
        self.document.fault(&self.path, message.into(), hint, self.scope.clone());
    }

    /// Reports a fault that holds back something narrower than the document.
    pub(super) fn fault_in(&self, scope: FaultScope, message: impl Into<String>, hint: Option<String>) {
        self.document.fault(&self.path, message.into(), hint, Some(scope));
    }

    /// The value under a known key of a map; every other key of the map is a fault.
    pub(super) fn fields(&self, known: &'static Keys) -> Fields<'a> {
        let mut found = HashMap::new();
        for (key, node) in self.entries() {
            if let Some(name) = known.list.iter().find(|name| **name == key) {
                found.insert(*name, node);
            } else {
                let (message, hint) = unknown_key(&key, known);
                node.fault(message, Some(hint));
            }
        }
        Fields { known, found }
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
        let mut known = HashSet::with_capacity(map.len());
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
            let node = Node { document: self.document, value, path, scope: self.scope.clone() };
            if !known.insert(key.clone()) {
                node.fault(format!("`{}` is there twice, as a text and as a number", shown(&key)), None);
                continue;
            }
            entries.push((key, node));
        }
        entries
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Vec<Node<'a>> {
        let Value::Sequence(items) = self.value else {
            if !self.value.is_null() {
                let hint = matches!(self.value, Value::String(_) | Value::Number(_) | Value::Bool(_));
                let hint = hint.then(|| "write it in brackets, as [a, b]".to_owned());
                self.fault(format!("expected a list, found {}", kind_of(self.value)), hint);
            }
            return Vec::new();
        };
        let node = |(index, value)| Node {
            document: self.document,
            value,
            path: child(&self.path, &format!("{index}")),
            scope: self.scope.clone(),
        };
        items.iter().enumerate().map(node).collect()
    }

    /// A text as it is written, even where YAML would read a number.
    pub(super) fn raw_text(&self) -> Option<String> {
        match self.value {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => {
                let written = self.document.positions.scalars.get(&self.path).cloned();
                if written.is_none() {
                    // Behind an alias it is not known how it was written.
                    self.fault("a text is expected here", Some("put it in quotes".to_owned()));
                }
                written
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
        self.parse_with(str::parse::<T>)
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
        self.fault(format!("unknown value `{}`", shown(&text)), Some(hint));
        None
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Option<bool> {
        match self.value {
            Value::Bool(flag) => Some(*flag),
            other => {
                let hint = matches!(other, Value::String(_))
                    .then(|| "write true or false, without quotes".to_owned());
                self.fault(format!("expected true or false, found {}", kind_of(other)), hint);
                None
            }
        }
    }

    /// A duration as `90s`, `10m`, `2h` or `1h30m`.
    pub(super) fn duration(&self) -> Option<Duration> {
        let text = self.raw_text()?;
        let parsed = parse_duration(&text);
        if parsed.is_none() {
            let hint = Some("write it as 90s, 10m, 2h or 1h30m; at most a year".to_owned());
            self.fault(format!("`{}` is not a duration", shown(&text)), hint);
        }
        parsed
    }
}

/// The fields of a map with known keys.
pub(super) struct Fields<'a> {
    known: &'static Keys,
    found: HashMap<&'static str, Node<'a>>,
}

impl<'a> Fields<'a> {
    /// The value of a key; a key without value counts as absent.
    pub(super) fn get(&self, key: &str) -> Option<&Node<'a>> {
        debug_assert!(self.known.list.contains(&key), "{key} is read but not listed in keys.rs");
        self.found.get(key).filter(|node| !node.is_empty())
    }

    /// The value of a key that must be there; without it the map is at fault, with this hint.
    pub(super) fn needed(&self, key: &str, of: &Node<'a>, hint: &str) -> Option<&Node<'a>> {
        let node = self.get(key);
        if node.is_none() && (of.is_map() || of.is_empty()) {
            of.fault(format!("`{key}` is missing"), Some(hint.to_owned()));
        }
        node
    }

    /// Where each key stands that is there.
    pub(super) fn places(&self) -> Places {
        Places(self.found.iter().map(|(key, node)| (*key, node.place())).collect())
    }
}

/// Where the keys of a map stand, for faults that are found after its file was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Places(BTreeMap<&'static str, (usize, usize)>);

impl Places {
    /// The place of the first of these keys that is there, else the top of the file.
    pub(super) fn of(&self, keys: &[&str]) -> (usize, usize) {
        keys.iter().find_map(|key| self.0.get(key)).copied().unwrap_or((1, 1))
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

#[cfg(test)]
mod tests {
    use super::*;

    const TOP: Keys = Keys { name: "top", list: &["version", "environments"] };
    const STAGE: Keys = Keys { name: "stage", list: &["branch", "cluster"] };
    const PINS: Keys = Keys { name: "pins", list: &["pin", "odd"] };

    fn document(text: &str) -> Document {
        Document::parse("moorline.yaml", &File::of_bytes(text.as_bytes()), FaultScope::Everything)
    }

    #[test]
    fn an_unknown_key_names_its_place_and_the_nearest_key() {
        let document = document("version: 1\nenvironments:\n  dev: {brnch: dev}\n");
        let root = document.root().fields(&TOP);
        for (_, node) in root.get("environments").unwrap().entries() {
            node.fields(&STAGE);
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
        let root = document.root().fields(&PINS);
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
