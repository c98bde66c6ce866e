//! What a render made: documents, hooks, and Helm's own bytes of them.

use std::convert::Infallible;
use std::io::{self, Write};

use serde_json::Value as Json;

use super::Compat;
use super::capabilities::CapabilitiesSeen;
use super::chance::Remembered;
use super::functions::trim_space as trim;
use super::lookup::Lookup;
use super::strict::Finding;
use order::sort_by_kind;
pub(crate) use reading::Reading;
use split::Splitter;
pub(crate) use writer::Writer;

mod beside;
mod head;
mod order;
mod reading;
mod split;
mod writer;

/// One document of a render.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The template it came from: `chart/templates/x.yaml`.
    pub source: String,
    /// The text as Helm prints it.
    pub text: String,
    /// The parsed content; null for a document of comments, and where only texts were asked for.
    pub object: Json,
    /// `kind`, empty if there is none.
    pub kind: String,
    /// What the hook annotations say, for hooks.
    pub hook: Option<Box<Hook>>,
}

impl Document {
    fn part(&self) -> Part<'_> {
        Part { of_crds: false, source: &self.source, text: self.text.as_bytes() }
    }

    /// Whether this is a hook that `helm test` runs.
    fn is_test(&self) -> bool {
        self.hook.as_ref().is_some_and(|hook| hook.events.iter().any(|event| event == "test"))
    }
}

/// When and how a hook runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hook {
    /// `pre-install`, `test` and so on.
    pub events: Vec<String>,
    /// Lighter ones run first.
    pub weight: i64,
    /// `before-hook-creation`, `hook-succeeded`, `hook-failed`.
    pub delete_policies: Vec<String>,
}

/// What a render made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// Documents in Helm's install order.
    pub documents: Vec<Document>,
    /// The files of `crds/`, one entry per document, in Helm's order.
    pub crds: Vec<Document>,
    /// Hooks, in the order that `helm template` prints them.
    pub hooks: Vec<Document>,
    /// The chart's notes.
    pub notes: Option<String>,
    /// Questions to the cluster that had no answer; ask and render again.
    pub lookups_missing: Vec<Lookup>,
    /// False if the render drew on time, entropy or lookups.
    pub deterministic: bool,
    /// What was asked of `.Capabilities`.
    pub seen: CapabilitiesSeen,
    /// What was drawn on time and entropy, under [`super::chance::Chance::Remembered`]: new values and remembered ones.
    pub drawn: Remembered,
    /// Whether anything was drawn on time or entropy.
    pub has_drawn: bool,
    /// What Helm prints on standard error beside the documents.
    pub notices: Vec<String>,
    /// What Helm accepts in silence, under [`super::strict::Strictness::Strict`].
    pub findings: Vec<Finding>,
    /// Whole files of `crds/`, as Helm prints them.
    crd_files: Vec<(String, Vec<u8>)>,
}

/// What goes into a file of its own, or the end of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'r> {
    /// Whether it is of `crds/`.
    pub of_crds: bool,
    /// The template it came from: `chart/templates/x.yaml`.
    pub source: &'r str,
    /// The text as Helm prints it.
    pub text: &'r [u8],
}

impl Part<'_> {
    /// Appends it as Helm prints it, its source first.
    pub fn print(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"---\n# Source: ");
        out.extend_from_slice(self.source.as_bytes());
        out.push(b'\n');
        out.extend_from_slice(self.text);
        out.push(b'\n');
    }

    /// How many bytes are printed.
    fn bytes(&self) -> usize {
        self.source.len() + self.text.len() + "---\n# Source: \n\n".len()
    }
}

/// What happens before so many more bytes are appended to others.
type Before<'b, E> = dyn FnMut(&mut Vec<u8>, usize) -> Result<(), E> + 'b;

impl Rendered {
    /// The bytes that `helm template` prints.
    pub fn to_helm_output(&self) -> Vec<u8> {
        self.helm_output(true, false)
    }

    /// The same with the choices of `--no-hooks` and `--skip-tests`.
    pub fn helm_output(&self, hooks: bool, skip_tests: bool) -> Vec<u8> {
        let bytes: usize = self.each_part(hooks, skip_tests).map(|part| part.bytes()).sum();
        let mut out = Vec::with_capacity(bytes + 1);
        let Ok(()) = self.put::<Infallible>(hooks, skip_tests, &mut out, &mut |_, _| Ok(()));
        out
    }

    /// Prints the same, some kilobytes at once: the memory for all of it costs more than the writing.
    pub fn print(&self, hooks: bool, skip_tests: bool, out: &mut dyn Write) -> io::Result<()> {
        const CHUNK: usize = 8 << 10;
        let mut waiting = Vec::with_capacity(CHUNK);
        self.put::<io::Error>(hooks, skip_tests, &mut waiting, &mut |waiting, more| {
            if waiting.len() + more > CHUNK {
                out.write_all(waiting)?;
                waiting.clear();
            }
            Ok(())
        })?;
        out.write_all(&waiting)
    }

    /// Appends what is printed; before each part, of so many bytes, what is there may be taken away.
    fn put<E>(
        &self,
        hooks: bool,
        skip_tests: bool,
        out: &mut Vec<u8>,
        before: &mut Before<'_, E>,
    ) -> Result<(), E> {
        let mut put = |part: Part<'_>, out: &mut Vec<u8>| {
            before(out, part.bytes())?;
            part.print(out);
            Ok(())
        };
        for part in self.crd_parts().chain(self.documents.iter().map(Document::part)) {
            put(part, out)?;
        }
        // Each part begins with a line of its own, so that white space is at the end of the last one alone.
        out.truncate(trim(out).len());
        out.push(b'\n');
        self.hook_parts(hooks, skip_tests).try_for_each(|part| put(part, out))
    }

    /// What `--output-dir` of Helm writes to files, in its order.
    pub fn parts(&self, hooks: bool, skip_tests: bool) -> Vec<Part<'_>> {
        self.each_part(hooks, skip_tests).collect()
    }

    fn each_part(&self, hooks: bool, skip_tests: bool) -> impl Iterator<Item = Part<'_>> {
        let documents = self.documents.iter().map(Document::part);
        self.crd_parts().chain(documents).chain(self.hook_parts(hooks, skip_tests))
    }

    fn crd_parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.crd_files.iter().map(|(source, text)| Part { of_crds: true, source, text })
    }

    fn hook_parts(&self, hooks: bool, skip_tests: bool) -> impl Iterator<Item = Part<'_>> {
        let wanted = self.hooks.iter().filter(move |hook| hooks && !(skip_tests && hook.is_test()));
        wanted.map(Document::part)
    }

    /// What `--show-only` prints of the templates that match the given patterns; the error is
    /// Helm's sentence.
    pub fn only(
        &self,
        patterns: &[String],
        compat: Compat,
        hooks: bool,
        skip_tests: bool,
    ) -> Result<Vec<u8>, String> {
        let whole = self.helm_output(hooks, skip_tests);
        let splitter = Splitter::new(compat);
        let parts: Vec<&[u8]> = splitter.split(&whole).collect();
        let mut out = Vec::new();
        for pattern in patterns {
            let mut found = false;
            for part in &parts {
                let source = part
                    .strip_prefix(b"# Source: ")
                    .and_then(|rest| rest.split(|byte| *byte == b'\n').next());
                let Some(slash) = source.and_then(|source| memchr::memchr(b'/', source)) else {
                    continue;
                };
                let inner = source.and_then(|source| source.get(slash + 1..)).unwrap_or(&[]);
                if super::functions::glob::file_match(pattern.as_bytes(), inner) == Some(true) {
                    found = true;
                    out.extend_from_slice(b"---\n");
                    out.extend_from_slice(part);
                    out.push(b'\n');
                }
            }
            if !found {
                return Err(format!("could not find template {pattern} in chart"));
            }
        }
        Ok(out)
    }

    /// Puts renders of members together in Helm's install order.
    #[must_use]
    pub fn merged(parts: impl IntoIterator<Item = Self>, compat: Compat) -> Self {
        let mut whole = Self { deterministic: true, ..Self::default() };
        for part in parts {
            whole.documents.extend(part.documents);
            whole.crds.extend(part.crds);
            whole.crd_files.extend(part.crd_files);
            whole.hooks.extend(part.hooks);
            whole.notes = whole.notes.or(part.notes);
            whole.lookups_missing.extend(part.lookups_missing);
            whole.deterministic &= part.deterministic;
            whole.has_drawn |= part.has_drawn;
        }
        whole.documents.sort_by(|left, right| left.source.cmp(&right.source));
        whole.hooks.sort_by(|left, right| left.source.cmp(&right.source));
        sort_by_kind(&mut whole.documents, compat);
        sort_by_kind(&mut whole.hooks, compat);
        whole
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::{Document, Hook, Rendered};

    #[test]
    fn what_is_printed_in_pieces_is_the_whole() {
        let document = |number: usize, text: &str, hook| Document {
            source: format!("a/templates/{number}.yaml"),
            text: text.to_owned(),
            object: Json::Null,
            kind: String::new(),
            hook,
        };
        let long = "x: 1\n".repeat(3_000);
        for (documents, hooks) in [(0, 0), (0, 2), (1, 0), (1, 1), (40, 30)] {
            for text in ["a: 1", "a: 1\n \n\n", "\n", &long] {
                let mut rendered = Rendered {
                    documents: (0..documents).map(|number| document(number, text, None)).collect(),
                    hooks: (0..hooks).map(|number| document(number, text, Some(Box::default()))).collect(),
                    ..Rendered::default()
                };
                let hook = Box::new(Hook { events: vec!["test".to_owned()], ..Hook::default() });
                rendered.hooks.push(document(hooks, text, Some(hook)));
                for (hooks, skip_tests) in [(true, false), (true, true), (false, false)] {
                    let mut pieces = Vec::new();
                    rendered.print(hooks, skip_tests, &mut pieces).unwrap();
                    assert_eq!(pieces, rendered.helm_output(hooks, skip_tests));
                }
            }
        }
    }
}
