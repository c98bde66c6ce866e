//! An environment's folder as a Helm umbrella chart.

use crate::model::fault::Fault;
use crate::model::name::EnvironmentName;
use crate::model::source::FileTree;

/// The umbrella.
#[derive(Clone, Debug)]
pub struct Umbrella {}

impl Umbrella {
    pub(super) fn read(
        _name: &EnvironmentName,
        _folder: &FileTree,
        _tree: &FileTree,
        _faults: &mut Vec<Fault>,
    ) -> Option<Self> {
        None
    }

    /// Keys of dependencies that are applications.
    pub fn applications(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether a dependency has this key.
    pub fn names(&self, _key: &str) -> bool {
        false
    }

    /// Whether the umbrella has templates of its own.
    pub fn has_own_templates(&self) -> bool {
        false
    }
}
