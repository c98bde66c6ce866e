//! What is made once for each version of Helm, when it is first asked for.

use std::sync::OnceLock;

use super::Compat;

#[derive(Debug)]
pub(super) struct OncePerCompat<T> {
    v3_19: OnceLock<T>,
    v4_1: OnceLock<T>,
    v4_3: OnceLock<T>,
}

impl<T> OncePerCompat<T> {
    pub(super) const fn new() -> Self {
        Self { v3_19: OnceLock::new(), v4_1: OnceLock::new(), v4_3: OnceLock::new() }
    }

    pub(super) fn get_or_init(&self, compat: Compat, make: impl FnOnce() -> T) -> &T {
        let cell = match compat {
            Compat::V3_19 => &self.v3_19,
            Compat::V4_1 => &self.v4_1,
            Compat::V4_3 => &self.v4_3,
        };
        cell.get_or_init(make)
    }
}
