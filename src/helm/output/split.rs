//! Where one document ends and the next one begins in what a template made. Pure functions.

use memchr::memmem::Finder;

use crate::Compat;
use crate::functions::trim_space as trim;

/// Cuts texts at `---`, as one version of Helm does.
pub(super) struct Splitter {
    /// Helm before 4.3 takes all blanks around a marker.
    eager: bool,
    /// Made once for all files.
    marker: Finder<'static>,
}

impl Splitter {
    pub(super) fn new(compat: Compat) -> Self {
        Self { eager: compat < Compat::V4_3, marker: Finder::new(b"\n---") }
    }

    /// The documents of a file that hold more than blanks, found one by one.
    ///
    /// A marker counts at the start of any line, inside of a text as well.
    pub(super) fn split<'a>(&'a self, content: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let content = if self.eager { trim(content) } else { trim_start(content) };
        let first = if content.starts_with(b"---") { self.behind_marker(content) } else { content };
        let mut rest = Some(first);
        let parts = std::iter::from_fn(move || {
            let from = rest.take()?;
            let Some(end) = self.marker.find(from) else { return Some(from) };
            rest = Some(self.behind_marker(from.get(end + 1..).unwrap_or(&[])));
            from.get(..=end)
        });
        let cut = if self.eager { trim } else { trim_start };
        parts.map(cut).filter(|part| !trim(part).is_empty())
    }

    /// What stands behind a marker and its blanks.
    fn behind_marker<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        let text = text.get(3..).unwrap_or(&[]);
        let is_blank = |byte: &u8| match byte {
            b' ' | b'\t' => true,
            b'\n' | 0x0C | b'\r' => self.eager,
            _ => false,
        };
        let blanks = text.iter().take_while(|byte| is_blank(byte)).count();
        text.get(blanks..).unwrap_or(&[])
    }
}

fn trim_start(text: &[u8]) -> &[u8] {
    let trimmed = trim(text);
    if trimmed.is_empty() {
        return trimmed;
    }
    let start = trimmed.as_ptr().addr() - text.as_ptr().addr();
    text.get(start..).unwrap_or(trimmed)
}
