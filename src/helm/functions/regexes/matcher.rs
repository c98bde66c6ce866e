//! Makes the programs that search for a translated pattern: one that is made quickly, for short texts, and one that
//! searches quickly. Both find the same.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use regex_automata::meta::{BuildError, Config, Regex};
use regex_automata::util::syntax;

/// Bytes that the program of a usual pattern does not exceed, and that none may.
pub(super) const USUAL: usize = 128 << 10;
pub(super) const LARGEST: usize = 8 << 20;
/// Bytes that a pattern takes while it is used.
pub(super) const DFA: usize = 512 << 10;
/// How deep the groups of a translated pattern may nest.
const NESTED: u32 = 250;

/// Longer texts are not searched by the program for short ones, and nothing is once it has seen so many bytes: by then
/// the other one has paid off.
const SHORT: usize = 1 << 10;
const SEEN: usize = 4 << 10;

/// A pattern, and the programs that were made of it so far.
#[derive(Debug)]
pub(super) struct Matcher {
    translated: String,
    /// `None` inside where the pattern does not allow it.
    short: OnceLock<Option<Arc<Regex>>>,
    long: OnceLock<Arc<Regex>>,
    seen: AtomicUsize,
}

impl Matcher {
    pub(super) fn new(translated: String) -> Self {
        Self { translated, short: OnceLock::new(), long: OnceLock::new(), seen: AtomicUsize::new(0) }
    }

    /// The program for a text; none if it would be larger than any may be. Before one is made that is larger than usual,
    /// the caller may refuse.
    pub(super) fn program<E>(
        &self,
        text: &[u8],
        larger: impl FnOnce() -> Result<(), E>,
    ) -> Result<Option<Arc<Regex>>, E> {
        if text.len() <= SHORT && text.is_ascii() && self.seen.load(Ordering::Relaxed) < SEEN {
            self.seen.fetch_add(text.len() + 1, Ordering::Relaxed);
            if let Some(short) = self.short.get_or_init(|| short(&self.translated)) {
                return Ok(Some(Arc::clone(short)));
            }
        }
        if let Some(long) = self.long.get() {
            return Ok(Some(Arc::clone(long)));
        }
        let made = match long(&self.translated, USUAL) {
            Ok(regex) => Some(regex),
            Err(_) => {
                larger()?;
                long(&self.translated, LARGEST).ok()
            }
        };
        Ok(made.map(|made| Arc::clone(self.long.get_or_init(|| Arc::new(made)))))
    }
}

/// For ASCII only, where a class is a set of bytes and no automaton over UTF-8, without what makes long searches quick.
/// Letters beyond ASCII may stand for letters of it where case does not count, so the pattern must be ASCII as well.
fn short(translated: &str) -> Option<Arc<Regex>> {
    let plain = translated.is_ascii() && !translated.contains("\\x") && !translated.contains("\\p");
    let config = Config::new().auto_prefilter(false).hybrid(false).dfa(false).onepass(false);
    plain.then(|| build(translated, config.nfa_size_limit(Some(USUAL)), false).ok().map(Arc::new)).flatten()
}

fn long(translated: &str, bytes: usize) -> Result<Regex, Box<BuildError>> {
    build(translated, Config::new().nfa_size_limit(Some(bytes)).hybrid_cache_capacity(DFA), true)
}

fn build(translated: &str, config: Config, unicode: bool) -> Result<Regex, Box<BuildError>> {
    let syntax = syntax::Config::new().utf8(false).unicode(unicode).nest_limit(NESTED);
    let mut builder = Regex::builder();
    builder.configure(config.utf8_empty(false)).syntax(syntax).build(translated).map_err(Box::new)
}

#[cfg(test)]
mod tests;
