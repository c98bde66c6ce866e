//! Things that are found by how they are written, each kept with its hash, so that none is hashed twice.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// The hash of what is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hash(u64);

/// What was kept, of one kind.
#[derive(Debug)]
pub(super) struct Known<T> {
    table: HashTable<(Hash, T)>,
    state: RandomState,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self { table: HashTable::new(), state: RandomState::default() }
    }
}

impl<T> Known<T> {
    /// The hash of what is written, for this table alone.
    pub(super) fn hash(&self, written: &[u8]) -> Hash {
        let mut hasher = self.state.build_hasher();
        hasher.write(written);
        Hash(hasher.finish())
    }

    /// What is written so, by its hash.
    pub(super) fn find(&self, hash: Hash, is_so: impl Fn(&T) -> bool) -> Option<&T> {
        self.table.find(hash.0, |(known, thing)| *known == hash && is_so(thing)).map(|(_, thing)| thing)
    }

    /// Keeps what was not found. The first takes room for so many.
    pub(super) fn keep(&mut self, hash: Hash, thing: T, many: usize) {
        if self.table.is_empty() {
            self.table.reserve(many, |(hash, _)| hash.0);
        }
        self.table.insert_unique(hash.0, (hash, thing), |(hash, _)| hash.0);
    }

    /// How many are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }
}
