//! From what templates made to documents: each gets its text, its hook and its place.

use std::sync::Arc;

use serde_json::Value as Json;

use super::beside::Files;
use super::order::sort_by_kind;
use super::reading::{File, Read, Reading};
use super::{Document, Rendered};
use crate::failure::Limit;
use crate::functions::trim_space as trim;
use crate::notices::Notices;
use crate::render::{RenderError, RenderFault};
use crate::strict::{Finding, Strictness, repeated_in_output};
use crate::template::machine::Machine;
use crate::value::{convert, lossy};

/// Collects files and makes documents of them.
pub(crate) struct Writer {
    reading: Arc<Reading>,
    files: Files,
    rendered: Rendered,
    /// Of the documents so far that are no hooks: they get their texts when all could be read.
    places: Vec<Place>,
    strictness: Strictness,
}

impl Writer {
    /// An empty collection; `beside` is whether a second thread may read.
    pub(crate) fn new(reading: Reading, beside: bool, strictness: Strictness) -> Self {
        let reading = Arc::new(reading);
        let files = Files::new(Arc::clone(&reading), beside);
        Self { reading, files, rendered: Rendered::default(), places: Vec::new(), strictness }
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
        self.files.add(File { source: source.to_owned(), content: out, documents: None });
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
        let mut files = self.files.finish();
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
    RenderError::new(RenderFault::Limit(Limit::Size), chart, message)
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::{Document, File, Place, take_texts};

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
