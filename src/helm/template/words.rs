//! Names, chains of names and whole actions, each made once for all the templates of a render: few of them, written often.

use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use super::parser::Stacks;
use super::repeats::Repeats;
use crate::helm::value::Text;

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

/// The names, chains and actions so far, and what parsers leave for each other.
#[derive(Debug, Default)]
pub(crate) struct Words {
    names: HashSet<Text>,
    paths: HashMap<Text, Path>,
    pub(super) repeats: Repeats,
    pub(super) stacks: Stacks,
}

impl Words {
    /// The text of a name.
    pub(super) fn name(&mut self, name: &[u8]) -> Text {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        let text = Text::from(name);
        self.names.insert(text.clone());
        text
    }

    /// The names of a chain as it is written, a dot before each.
    pub(super) fn path(&mut self, written: &[u8]) -> Path {
        if let Some(known) = self.paths.get(written) {
            return known.clone();
        }
        let names = written.split(|byte| *byte == b'.').skip(1).map(|name| self.name(name)).collect();
        let path = Path(Some(names));
        self.paths.insert(Text::from(written), path.clone());
        path
    }
}
