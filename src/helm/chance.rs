//! What charts draw (random texts, keys, certificates, the time) and how it stays what it was: each value is known by
//! the place where it was drawn. Entropy and time are arguments; nothing here reads either.

mod json;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use sha2::Digest as _;

use super::failure::Failure;
use super::functions::Entropy;
use super::value::Text;

/// For so many rollouts a value is kept whose place is gone.
const KEPT_ROLLOUTS: u32 = 5;
/// A certificate is drawn anew when a third of its time is left, and no more than this, in seconds.
const RENEWAL: i64 = 30 * 86_400;

/// Where random values and times of a render come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Chance {
    /// New ones at every render, as Helm's: from the seed and the time of the input.
    #[default]
    Fresh,
    /// Those that were drawn before; what is new comes from the seed, by its place, and the time of the input.
    Remembered(Arc<Remembered>),
    /// Visibly marked ones, the same for everybody.
    StandIns,
}

/// The place where a value was drawn.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site {
    /// The file that was being executed, as its path below the top chart: chart and template.
    pub template: String,
    /// The named template inside it that drew, empty for the file itself.
    pub define: String,
    /// The function.
    pub function: String,
    /// How many values the same function drew before it in the same place.
    pub ordinal: u32,
}

/// A value that was drawn.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Drawn {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// A certificate and its key.
    Certificate { cert: String, key: String },
    /// Seconds since 1970.
    Time(i64),
    /// Bytes that the function mixes with its arguments at every render.
    Salt([u8; 32]),
}

#[derive(Clone, PartialEq, Eq)]
struct Entry {
    /// What the arguments were: with others, the value is drawn anew.
    arguments: String,
    value: Drawn,
    /// When it is drawn anew, in seconds since 1970.
    until: Option<i64>,
    /// For how many rollouts its place was gone.
    missed: u32,
}

/// Values that were drawn, by their places. They are secret: nothing shows them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Remembered {
    entries: BTreeMap<Site, Entry>,
}

impl fmt::Debug for Remembered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Remembered({} values)", self.entries.len())
    }
}

impl Remembered {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The places.
    pub fn sites(&self) -> impl Iterator<Item = &Site> {
        self.entries.keys()
    }

    /// A digest of places and values, that tells whether two renders would draw the same.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = sha2::Sha256::new();
        for (site, entry) in &self.entries {
            let text = json::entry(site, &Entry { missed: 0, ..entry.clone() }).to_string();
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text);
        }
        hasher.finalize().into()
    }

    /// The texts among them that must not be shown.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter_map(|(site, entry)| match &entry.value {
            Drawn::Text(text) if site.function != "uuidv4" => Some(text.as_str()),
            Drawn::Certificate { key, .. } => Some(key.as_str()),
            Drawn::Text(_) | Drawn::Number(_) | Drawn::Time(_) | Drawn::Salt(_) => None,
        })
    }

    /// These, and those of another memory for places that are not known here.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let mut entries = other.entries.clone();
        entries.extend(self.entries.iter().map(|(site, entry)| (site.clone(), entry.clone())));
        Self { entries }
    }

    /// Without certificates that end soon.
    #[must_use]
    pub fn at(&self, now: i64) -> Self {
        let lasting = self.entries.iter().filter(|(_, entry)| entry.until.is_none_or(|until| until > now));
        Self { entries: lasting.map(|(site, entry)| (site.clone(), entry.clone())).collect() }
    }

    /// The values for the places of another memory; fewer where some are unknown.
    #[must_use]
    pub fn of_sites(&self, other: &Self) -> Self {
        let known =
            other.entries.keys().filter_map(|site| Some((site.clone(), self.entries.get(site)?.clone())));
        Self { entries: known.collect() }
    }

    /// What is kept after a render that drew `drawn`: these, and for five rollouts those whose place is gone.
    #[must_use]
    pub fn after(&self, drawn: &Self) -> Self {
        let gone = self.entries.iter().filter(|(site, _)| !drawn.entries.contains_key(*site));
        let gone = gone.map(|(site, entry)| {
            (site.clone(), Entry { missed: entry.missed.saturating_add(1), ..entry.clone() })
        });
        let mut entries: BTreeMap<Site, Entry> =
            gone.filter(|(_, entry)| entry.missed <= KEPT_ROLLOUTS).collect();
        entries.extend(drawn.entries.iter().map(|(site, entry)| (site.clone(), entry.clone())));
        Self { entries }
    }

    /// As JSON, for the Secret that keeps it.
    pub fn to_json(&self) -> serde_json::Value {
        self.entries.iter().map(|(site, entry)| json::entry(site, entry)).collect()
    }

    /// Reads what [`Self::to_json`] wrote; what cannot be read is left out, and drawn anew.
    pub fn from_json(value: &serde_json::Value) -> Self {
        let items = value.as_array().into_iter().flatten();
        Self { entries: items.filter_map(json::read_entry).collect() }
    }
}

/// The draws of one render.
pub(crate) struct Draws {
    chance: Chance,
    seed: [u8; 32],
    now: i64,
    /// The stream of [`Chance::Fresh`].
    stream: Entropy,
    /// The file that is executed.
    file: String,
    /// The named template that is about to draw.
    define: String,
    counts: BTreeMap<(String, String, &'static str), u32>,
    drawn: Remembered,
    /// Whether anything was drawn.
    used: bool,
}

/// What a function makes of entropy and time.
pub(crate) struct Made {
    /// The value.
    pub(crate) value: Drawn,
    /// How long it lasts: from the time it was made, in seconds.
    pub(crate) lasts: Option<i64>,
}

impl From<Drawn> for Made {
    fn from(value: Drawn) -> Self {
        Self { value, lasts: None }
    }
}

impl Draws {
    pub(crate) fn new(chance: Chance, seed: [u8; 32], now: i64) -> Self {
        Self {
            chance,
            seed,
            now,
            stream: Entropy::new(seed),
            file: String::new(),
            define: String::new(),
            counts: BTreeMap::new(),
            drawn: Remembered::default(),
            used: false,
        }
    }

    /// A file begins; its name starts with that of the top chart, which is no part of the place.
    pub(crate) fn enter_file(&mut self, name: &Text) {
        below_top(&name.lossy()).clone_into(&mut self.file);
    }

    /// Notes which template is about to draw. The text of a `tpl` is known by its content.
    pub(crate) fn enter_template(&mut self, name: &Text, source: &Text) {
        let name = name.lossy();
        self.define = if name == "gotpl" {
            let hash = sha2::Sha256::digest(source.bytes());
            let hex: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
            format!("tpl {hex}")
        } else if below_top(&name) == self.file {
            String::new()
        } else {
            name.into_owned()
        };
    }

    /// Whether stand-ins are to be made.
    pub(crate) fn stands_in(&self) -> bool {
        self.chance == Chance::StandIns
    }

    /// What was drawn, and whether anything was.
    pub(crate) fn finish(&self) -> (Remembered, bool) {
        (self.drawn.clone(), self.used)
    }

    /// A value for this place: the remembered one if it was drawn with the same arguments, else a new one.
    pub(crate) fn draw(
        &mut self,
        function: &'static str,
        arguments: &[&[u8]],
        make: impl FnOnce(&mut Entropy, i64) -> Result<Made, Failure>,
    ) -> Result<Drawn, Failure> {
        self.used = true;
        let known = match &self.chance {
            Chance::Fresh => return make(&mut self.stream, self.now).map(|made| made.value),
            Chance::StandIns => return make(&mut Entropy::new([0; 32]), 0).map(|made| made.value),
            Chance::Remembered(known) => Arc::clone(known),
        };
        let count = self.counts.entry((self.file.clone(), self.define.clone(), function)).or_default();
        let site = Site {
            template: self.file.clone(),
            define: self.define.clone(),
            function: function.to_owned(),
            ordinal: *count,
        };
        *count += 1;
        let arguments = fingerprint(arguments);
        let same = known.entries.get(&site).filter(|entry| entry.arguments == arguments);
        let entry = match same {
            Some(entry) => Entry { missed: 0, ..entry.clone() },
            None => {
                let mut entropy = Entropy::new(self.seed_of(&site, &arguments));
                if dated(function) {
                    // A renewed certificate has a new key.
                    entropy = entropy.mixed(&self.now.to_be_bytes());
                }
                let Made { value, lasts } = make(&mut entropy, self.now)?;
                // What never was valid, or not for a day, is not renewed: it would be drawn at every render.
                let lasts = lasts.filter(|lasts| *lasts >= 86_400);
                let until = lasts.map(|lasts| self.now.saturating_add(lasts - RENEWAL.min(lasts / 3)));
                Entry { arguments, value, until, missed: 0 }
            }
        };
        let value = entry.value.clone();
        self.drawn.entries.insert(site, entry);
        Ok(value)
    }

    fn seed_of(&self, site: &Site, arguments: &str) -> [u8; 32] {
        let mut hasher = sha2::Sha256::new();
        hasher.update(self.seed);
        for part in [&*site.template, &*site.define, &*site.function, &site.ordinal.to_string(), arguments] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        hasher.finalize().into()
    }
}

/// Whether a function's values end at a time of their own.
fn dated(function: &str) -> bool {
    function.starts_with("genCA") || function.contains("Cert")
}

fn fingerprint(arguments: &[&[u8]]) -> String {
    let mut hasher = sha2::Sha256::new();
    for argument in arguments {
        hasher.update((argument.len() as u64).to_le_bytes());
        hasher.update(argument);
    }
    hasher.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

fn below_top(path: &str) -> &str {
    path.split_once('/').map_or(path, |(_, rest)| rest)
}

#[cfg(test)]
mod tests;
