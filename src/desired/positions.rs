//! Where everything in a YAML file stands, and the limits on how much there may be: found out from the parser's
//! events, before any value is built.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser};

/// How deep our own files may nest.
const DEPTH_LIMIT: usize = 32;
/// The most values of one of our own files, each alias counted with all that it stands for.
const VALUE_LIMIT: usize = 100_000;

/// Where each path of a document stands: the key of a map's entry, the first character of a list's item.
#[derive(Default)]
pub(super) struct Positions {
    places: HashMap<String, (usize, usize)>,
    /// Scalars as they are written.
    pub(super) scalars: HashMap<String, String>,
}

/// One open map or list while positions are collected.
struct Level {
    path: String,
    inside: Inside,
    anchor: usize,
    /// How many values were counted before it.
    before: usize,
}

enum Inside {
    Map { key: Option<String> },
    List { next: usize },
}

impl Positions {
    /// Where a path stands, or the nearest thing around it.
    pub(super) fn of(&self, path: &str) -> (usize, usize) {
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

    /// Goes through a text; a text that is no YAML, or beyond a limit, is refused.
    pub(super) fn read(text: &str) -> Result<Self, Unreadable> {
        let mut collector = Collector::default();
        for item in Parser::new_from_str(text) {
            let (event, span) = item.map_err(|error| {
                let marker = error.marker();
                // The parser looks ahead and has a limit of its own behind ours.
                let message = match error.info() {
                    "recursion limit exceeded" => too_deep(),
                    other => other.to_owned(),
                };
                Unreadable::at((marker.line(), marker.col() + 1), message)
            })?;
            collector.take(event, (span.start.line(), span.start.col() + 1))?;
        }
        Ok(collector.positions)
    }
}

/// Goes through a file's events before any value is built, so that limits hold before memory is spent.
#[derive(Default)]
struct Collector {
    positions: Positions,
    levels: Vec<Level>,
    documents: usize,
    values: usize,
    /// Anchor → how many values it stands for; absent while it is still open.
    sizes: HashMap<usize, usize>,
}

impl Collector {
    fn take(&mut self, event: Event<'_>, place: (usize, usize)) -> Result<(), Unreadable> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    let message = "a second document begins here".to_owned();
                    let hint = Some("this file holds one document: remove the `---`".to_owned());
                    return Err(Unreadable { place, message, hint });
                }
            }
            Event::MappingStart(anchor, _) => self.open(place, anchor, Inside::Map { key: None }),
            Event::SequenceStart(anchor, _) => self.open(place, anchor, Inside::List { next: 0 }),
            Event::Scalar(value, _, anchor, _) => {
                self.enter(place, Some(&value))?;
                self.values += 1;
                self.sizes.insert(anchor, 1);
            }
            Event::Alias(anchor) => {
                self.enter(place, None)?;
                let Some(size) = self.sizes.get(&anchor) else {
                    return Err(Unreadable::at(
                        place,
                        "an alias stands inside of what it stands for".to_owned(),
                    ));
                };
                self.values = self.values.saturating_add(*size);
            }
            Event::MappingEnd | Event::SequenceEnd => {
                if let Some(level) = self.levels.pop() {
                    self.sizes.insert(level.anchor, self.values.saturating_sub(level.before));
                }
            }
            _ => {}
        }
        if self.levels.len() > DEPTH_LIMIT {
            return Err(Unreadable::at(place, too_deep()));
        }
        if self.values > VALUE_LIMIT {
            let message = format!("holds more than {VALUE_LIMIT} values, those of aliases included");
            return Err(Unreadable::at(place, message));
        }
        Ok(())
    }

    fn open(&mut self, place: (usize, usize), anchor: usize, inside: Inside) {
        // A map as the key of a map is told of when values are read.
        let path = self.enter(place, None).unwrap_or_default();
        self.values += 1;
        // Anchors may be given anew; while this one is open it stands for nothing yet.
        self.sizes.remove(&anchor);
        self.levels.push(Level { path, inside, anchor, before: self.values - 1 });
    }

    /// Notes where a value stands and returns its path. In a map, values alternate between keys and values.
    fn enter(&mut self, place: (usize, usize), scalar: Option<&str>) -> Result<String, Unreadable> {
        let Some(level) = self.levels.last_mut() else {
            return Ok(String::new());
        };
        let path = match &mut level.inside {
            Inside::List { next } => {
                let path = child(&level.path, &format!("{next}"));
                *next += 1;
                self.positions.places.insert(path.clone(), place);
                path
            }
            Inside::Map { key } => match key.take() {
                None => {
                    let name = scalar.unwrap_or("?").to_owned();
                    let path = child(&level.path, &name);
                    *key = Some(name);
                    if scalar.is_some() && self.positions.places.contains_key(&path) {
                        let name = key.as_deref().unwrap_or_default();
                        let message = format!("the key `{}` is there twice", shown(name));
                        return Err(Unreadable::at(place, message));
                    }
                    self.positions.places.insert(path.clone(), place);
                    return Ok(path);
                }
                Some(name) => child(&level.path, &name),
            },
        };
        if let Some(text) = scalar {
            self.positions.scalars.insert(path.clone(), text.to_owned());
        }
        Ok(path)
    }
}

/// The path of an entry or item.
pub(super) fn child(path: &str, key: &str) -> String {
    format!("{path}\u{1f}{key}")
}

/// A text of somebody else inside a message, not longer than people read.
pub(super) fn shown(text: &str) -> String {
    let cut: String = text.chars().take(80).collect();
    if text.chars().nth(80).is_some() { format!("{cut}…") } else { cut }
}

fn too_deep() -> String {
    format!("is nested deeper than {DEPTH_LIMIT} levels")
}

/// Why a file cannot be read at all.
pub(super) struct Unreadable {
    pub(super) place: (usize, usize),
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Unreadable {
    pub(super) fn whole(message: String) -> Self {
        Self { place: (0, 0), message, hint: None }
    }

    pub(super) fn at(place: (usize, usize), message: String) -> Self {
        Self { place, message, hint: None }
    }
}
