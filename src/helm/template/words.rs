//! Names, chains of names and whole actions, each made once for all the templates of a render: few of them, written often.

use std::sync::Arc;

use super::known::Known;
use super::parser::Stacks;
use super::repeats::Repeats;
use crate::value::Text;

/// How many names, and chains of them, a chart has for sure.
const NAMES: usize = 112;
const PATHS: usize = 56;

/// The names of a chain, as `.Values.image.tag`; empty for a word without fields.
#[derive(Clone, Debug, Default)]
pub(crate) struct Path(Option<Arc<[Text]>>);

impl std::ops::Deref for Path {
    type Target = [Text];
    fn deref(&self) -> &[Text] {
        self.0.as_deref().unwrap_or(&[])
    }
}

impl<'a> IntoIterator for &'a Path {
    type Item = &'a Text;
    type IntoIter = std::slice::Iter<'a, Text>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Path {
    /// Whether it is written so, a dot before each name.
    fn is_written(&self, written: &[u8]) -> bool {
        let mut rest = written;
        self.iter().all(|name| {
            let behind = rest.strip_prefix(b".").and_then(|rest| rest.strip_prefix(name.bytes()));
            rest = behind.unwrap_or(&[]);
            behind.is_some()
        }) && rest.is_empty()
    }
}

/// The names, chains and actions so far, and what parsers leave for each other.
#[derive(Debug, Default)]
pub(crate) struct Words {
    names: Known<Text>,
    paths: Known<Path>,
    /// The names of the chain that is being read.
    chain: Vec<Text>,
    pub(super) repeats: Repeats,
    pub(super) stacks: Stacks,
}

impl Words {
    /// The text of a name.
    pub(super) fn name(&mut self, name: &[u8]) -> Text {
        let hash = self.names.hash(name);
        if let Some(known) = self.names.find(hash, |known| known.bytes() == name) {
            return known.clone();
        }
        let text = Text::from(name);
        self.names.keep(hash, text.clone(), NAMES);
        text
    }

    /// The names of a chain as it is written, a dot before each.
    pub(super) fn path(&mut self, written: &[u8]) -> Path {
        let hash = self.paths.hash(written);
        if let Some(known) = self.paths.find(hash, |known| known.is_written(written)) {
            return known.clone();
        }
        let mut chain = std::mem::take(&mut self.chain);
        chain.extend(written.split(|byte| *byte == b'.').skip(1).map(|name| self.name(name)));
        let path = Path(Some(chain.drain(..).collect()));
        self.chain = chain;
        self.paths.keep(hash, path.clone(), PATHS);
        path
    }
}
