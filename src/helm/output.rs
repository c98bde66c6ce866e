//! From what templates made to documents: splitting, hooks, order, Helm's own bytes.

use std::convert::Infallible;
use std::io::{self, Write};
use std::sync::{Arc, LazyLock};

use foldhash::HashMap;
use serde_json::Value as Json;

use super::Compat;
use super::capabilities::CapabilitiesSeen;
use super::chance::Remembered;
use super::engine::Engine;
use super::lookup::Lookup;
use super::notices::Notices;
use super::render::{RenderError, RenderFault, RenderInput};
use super::strict::{Finding, Strictness, repeated_in_output};
use super::template::machine::Machine;
use super::value::{convert, lossy};
use beside::Beside;
use reading::{File, Read, Reading};
use split::Splitter;

mod beside;
mod head;
mod reading;
mod split;

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

/// Go's `strings.TrimSpace`.
fn trim(text: &[u8]) -> &[u8] {
    super::functions::trim_space(text)
}

/// Helm's install order by kind.
const INSTALL_ORDER: [&str; 38] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// Where each of them stands there.
static PLACES: LazyLock<HashMap<&str, usize>> =
    LazyLock::new(|| INSTALL_ORDER.into_iter().zip(0..).collect());

fn sort_by_kind(documents: &mut [Document], compat: Compat) {
    let known = if compat == Compat::V3_19 { 36 } else { 38 };
    documents.sort_by_cached_key(|document| match PLACES.get(document.kind.as_str()) {
        Some(place) if *place < known => (*place, String::new()),
        _ => (usize::MAX, document.kind.clone()),
    });
}

/// Collects files and makes documents of them.
pub(crate) struct Writer {
    reading: Arc<Reading>,
    /// Reads files while others are made.
    beside: Option<Beside>,
    files: Vec<File>,
    rendered: Rendered,
    /// Of the documents so far that are no hooks: they get their texts when all could be read.
    places: Vec<Place>,
    strictness: Strictness,
}

impl Writer {
    /// An empty collection.
    pub(crate) fn new(engine: &Engine, input: &RenderInput) -> Self {
        let reading = Arc::new(Reading::new(engine.compat, input.texts_only, engine.limits.documents));
        let beside = engine.second_thread.then(|| Beside::new(Arc::clone(&reading)));
        let (rendered, strictness) = (Rendered::default(), input.strictness);
        Self { reading, beside, files: Vec::new(), rendered, places: Vec::new(), strictness }
    }

    /// Adds a file of `crds/`.
    pub(crate) fn add_crd(&mut self, source: &str, bytes: &[u8], unread: bool) -> Result<(), RenderError> {
        let read = if unread { None } else { Some(self.reading.split(bytes)) };
        for text in read.into_iter().flatten() {
            let (object, head) = self.reading.parse(source, text)?;
            let text = lossy(text).into_owned();
            let source = source.to_owned();
            self.rendered.crds.push(Document { source, text, object, kind: head.kind, hook: None });
        }
        self.rendered.crd_files.push((source.to_owned(), bytes.to_vec()));
        Ok(())
    }

    /// Adds what a template made.
    pub(crate) fn add_file(&mut self, source: &str, out: Vec<u8>, chart: &str) {
        if source.ends_with("NOTES.txt") {
            if source == format!("{chart}/templates/NOTES.txt") {
                self.rendered.notes = Some(String::from_utf8_lossy(&out).into_owned());
            }
            return;
        }
        let file = File { source: source.to_owned(), content: out, documents: None };
        match &mut self.beside {
            Some(beside) => beside.add(file),
            None => self.files.push(file),
        }
    }

    /// Adds what Helm accepts in silence.
    pub(crate) fn add_findings(&mut self, findings: Vec<Finding>) {
        self.rendered.findings.extend(findings);
    }

    /// Takes over what the machine learned.
    pub(crate) fn finish_machine(&mut self, machine: &Machine<'_>) {
        self.rendered.deterministic = machine.deterministic;
        self.rendered.seen.clone_from(&machine.seen);
        (self.rendered.drawn, self.rendered.has_drawn) = machine.draws.finish();
        self.rendered.lookups_missing.clone_from(&machine.lookups_missing);
    }

    /// Splits, parses, sorts.
    pub(crate) fn finish(mut self, chart: &str, notices: &Notices) -> Result<Rendered, RenderError> {
        let mut files = match self.beside.take() {
            Some(beside) => beside.finish(),
            None => std::mem::take(&mut self.files),
        };
        files.sort_by(|left, right| (&left.source, &left.content).cmp(&(&right.source, &right.content)));
        if let Err(mut error) = self.add_documents(&mut files, chart, notices) {
            error.lookups_missing.clone_from(&self.rendered.lookups_missing);
            if self.reading.texts_only {
                error.made = Box::new(self.broken(files));
            }
            return Err(error);
        }
        take_texts(files, self.rendered.documents.iter_mut().zip(self.places));
        sort_by_kind(&mut self.rendered.documents, self.reading.compat);
        sort_by_kind(&mut self.rendered.hooks, self.reading.compat);
        Ok(self.rendered)
    }

    /// What Helm has in hand when it cannot read what was made: whole files, and the hooks so far.
    fn broken(self, files: Vec<File>) -> Rendered {
        let filled = files.into_iter().filter(|file| !trim(&file.content).is_empty());
        let documents = filled.map(|file| Document {
            source: file.source,
            text: String::from_utf8_lossy(&file.content).into_owned(),
            object: Json::Null,
            kind: String::new(),
            hook: None,
        });
        Rendered { documents: documents.collect(), hooks: self.rendered.hooks, ..Rendered::default() }
    }

    fn add_documents(
        &mut self,
        files: &mut [File],
        chart: &str,
        notices: &Notices,
    ) -> Result<(), RenderError> {
        self.rendered.documents.reserve(files.len());
        self.places.reserve(files.len());
        let most = self.reading.most;
        let too_many = |file: &File| {
            let message = format!("render makes more than {most} documents");
            limit_error(chart, message).at(&file.source, 0, 0)
        };
        for (number, file) in files.iter_mut().enumerate() {
            let documents = file.documents.take().unwrap_or_else(|| self.reading.documents(file));
            let is_cut = documents.len() > most;
            for document in documents {
                if self.rendered.documents.len() + self.rendered.hooks.len() >= most {
                    return Err(too_many(file));
                }
                self.add_document(file, number, document, notices)?;
            }
            if is_cut {
                return Err(too_many(file));
            }
        }
        Ok(())
    }

    fn add_document(
        &mut self,
        file: &File,
        number: usize,
        document: Read,
        notices: &Notices,
    ) -> Result<(), RenderError> {
        let place = Place { file: number, start: document.start, len: document.len };
        let text = file.content.get(place.start..place.start + place.len).unwrap_or(&[]);
        let (object, head) = document.content.map_err(|error| *error)?;
        if self.strictness == Strictness::Strict {
            self.rendered.findings.extend(repeated_in_output(&file.source, text));
        }
        let hook = match head.annotation("helm.sh/hook") {
            Some(events) => {
                let Some(hook) = head.hook(events) else {
                    // An event that Helm does not know drops the whole document.
                    let quoted = convert::quote(events.as_bytes());
                    let v3 = format!("manifest_sorter.go:199: info: skipping unknown hook: {quoted}");
                    notices.structured("INFO", "skipping unknown hooks", &[("hookTypes", events)], &v3);
                    return Ok(());
                };
                Some(Box::new(hook))
            }
            None => None,
        };
        let mut document =
            Document { source: String::new(), text: String::new(), object, kind: head.kind, hook };
        if document.hook.is_some() {
            (document.source, document.text) = (file.source.clone(), lossy(text).into_owned());
            self.rendered.hooks.push(document);
        } else {
            self.rendered.documents.push(document);
            self.places.push(place);
        }
        Ok(())
    }
}

/// Where a document's text stands in what a template made.
#[derive(Clone, Copy)]
struct Place {
    file: usize,
    start: usize,
    len: usize,
}

/// Gives documents their texts. What a template made becomes the text of its last document if that is most of it.
fn take_texts<'d>(files: Vec<File>, documents: impl Iterator<Item = (&'d mut Document, Place)>) {
    let mut documents = documents.peekable();
    for (file, File { mut source, mut content, .. }) in files.into_iter().enumerate() {
        while let Some((document, place)) = documents.next_if(|(_, place)| place.file == file) {
            let is_last = documents.peek().is_none_or(|(_, next)| next.file != file);
            if is_last && place.len > content.capacity() / 2 {
                content.truncate(place.start + place.len);
                content.drain(..place.start);
                document.source = std::mem::take(&mut source);
                document.text = String::from_utf8(std::mem::take(&mut content))
                    .unwrap_or_else(|error| lossy(error.as_bytes()).into_owned());
            } else {
                document.source.clone_from(&source);
                let text = content.get(place.start..place.start + place.len).unwrap_or(&[]);
                document.text = lossy(text).into_owned();
            }
        }
    }
}

fn limit_error(chart: &str, message: String) -> RenderError {
    RenderError::new(RenderFault::Limit(super::failure::Limit::Size), chart, message)
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::reading::File;
    use super::{Document, Hook, Place, Rendered, take_texts};

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

    /// The source and text of each document that stands at a place of what templates made.
    fn taken(files: &[&[u8]], places: &[(usize, usize, usize)]) -> Vec<(String, String)> {
        let empty = Document {
            source: String::new(),
            text: String::new(),
            object: Json::Null,
            kind: String::new(),
            hook: None,
        };
        let mut documents = vec![empty; places.len()];
        let made = files.iter().enumerate();
        let made = made.map(|(number, bytes)| File {
            source: format!("a/templates/{number}"),
            content: bytes.to_vec(),
            documents: None,
        });
        let places = places.iter().map(|(file, start, len)| Place { file: *file, start: *start, len: *len });
        take_texts(made.collect(), documents.iter_mut().zip(places));
        documents.into_iter().map(|document| (document.source, document.text)).collect()
    }

    #[test]
    fn documents_get_their_part_of_what_a_template_made() {
        let document = |number: usize, text: &str| (format!("a/templates/{number}"), text.to_owned());
        let made: [&[u8]; 4] =
            [b"---\na: 1\n", b"# nothing", b"a: 2\n---\nb: 3333333333\n---\nc: 4", b"d: \xFF\n"];
        let places = [(0, 4, 5), (2, 0, 5), (2, 9, 14), (2, 27, 4), (3, 0, 5)];
        let wanted = [
            document(0, "a: 1\n"),
            document(2, "a: 2\n"),
            document(2, "b: 3333333333\n"),
            document(2, "c: 4"),
            document(3, "d: \u{FFFD}\n"),
        ];
        assert_eq!(taken(&made, &places), wanted);
        assert_eq!(taken(&[b"\n\xFF: 1"], &[(0, 1, 4)]), [document(0, "\u{FFFD}: 1")]);
    }
}
