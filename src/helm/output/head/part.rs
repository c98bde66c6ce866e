//! The values of a plain head: texts, and maps of them.

use std::borrow::Cow;

use crate::chart::decode::named;
use crate::value::{Text, lossy};
use crate::yaml::{Build, Number};

/// A value of a head.
#[derive(Clone)]
pub(super) enum Part {
    Text(String),
    Map(Vec<(Cow<'static, str>, Self)>),
    /// Neither, so that the head is not plain.
    Other,
}

impl Part {
    /// A field of a map, as Go's decoder finds it.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        let Self::Map(pairs) = self else { return None };
        named(pairs.iter().map(|(key, value)| (&**key, value)), name)
    }

    /// The text of a map's field, empty if there is none; `None` if the field is no text, or this no map.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        match (self, self.field(name)) {
            (Self::Map(_), None) => Some(""),
            (_, Some(Self::Text(text))) => Some(text),
            _ => None,
        }
    }

    /// A map of texts.
    pub(super) fn texts(&self) -> Option<Vec<(String, String)>> {
        let Self::Map(pairs) = self else { return None };
        let text = |(key, value): &(Cow<'static, str>, Self)| match value {
            Self::Text(text) => Some((key.clone().into_owned(), text.clone())),
            _ => None,
        };
        pairs.iter().map(text).collect()
    }
}

impl Build for Part {
    type Pairs = Vec<(Cow<'static, str>, Self)>;
    fn add(pairs: &mut Self::Pairs, key: &[u8], value: Self) {
        const MOST: [&str; 5] = ["apiVersion", "kind", "metadata", "name", "annotations"];
        let known = MOST.iter().find(|known| known.as_bytes() == key);
        let key = known.map_or_else(|| lossy(key).into_owned().into(), |known| Cow::Borrowed(*known));
        pairs.push((key, value));
    }
    fn of_pairs(pairs: Self::Pairs) -> Self {
        Self::Map(pairs)
    }
    fn null() -> Self {
        Self::Other
    }
    fn bool(_: bool) -> Self {
        Self::Other
    }
    fn number(_: Number) -> Self {
        Self::Other
    }
    fn text(text: Cow<'_, [u8]>) -> Self {
        Self::Text(lossy(&text).into_owned())
    }
    fn list(_: Vec<Self>) -> Self {
        Self::Other
    }
    fn map(pairs: Vec<(Text, Self)>) -> Self {
        Self::Map(pairs.into_iter().map(|(key, value)| (key.lossy().into_owned().into(), value)).collect())
    }
    fn copy(&self) -> Self {
        self.clone()
    }
}
