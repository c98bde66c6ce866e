//! Collects what templates made. A second thread may read it while others still run.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::reading::{File, Reading};

/// What is worth waking another thread: a tenth of a millisecond of work.
const BATCH_BYTES: usize = 16 << 10;

/// Files that wait to be read, or were.
type Batch = Vec<File>;

/// The files of a render.
pub(super) struct Files {
    reading: Arc<Reading>,
    /// Whether there may be a second thread.
    beside: bool,
    waiting: Batch,
    waiting_bytes: usize,
    /// There is none before the first batch is full: small charts need none.
    thread: Option<Thread>,
}

/// The thread and what goes to and fro.
struct Thread {
    to: Sender<Batch>,
    /// Both threads take from it, this one when it has nothing else to do.
    todo: Arc<Mutex<Receiver<Batch>>>,
    done: Receiver<Batch>,
    handle: JoinHandle<()>,
    files: usize,
}

impl Files {
    pub(super) fn new(reading: Arc<Reading>, beside: bool) -> Self {
        Self { reading, beside, waiting: Vec::new(), waiting_bytes: 0, thread: None }
    }

    /// Adds a file; it may be read from now on.
    pub(super) fn add(&mut self, file: File) {
        self.waiting_bytes += file.content.len();
        self.waiting.push(file);
        if !self.beside || self.waiting_bytes < BATCH_BYTES {
            return;
        }
        if self.thread.is_none() {
            self.thread = Thread::start(&self.reading);
        }
        if let Some(thread) = &mut self.thread {
            self.waiting_bytes = 0;
            thread.hand_over(std::mem::take(&mut self.waiting));
        }
    }

    /// All files in no order; what was not worth handing over is not read yet.
    pub(super) fn finish(&mut self) -> Vec<File> {
        let mut files = std::mem::take(&mut self.waiting);
        let Some(thread) = self.thread.take() else { return files };
        self.reading.read(&mut files);
        files.extend(thread.finish(&self.reading));
        files
    }
}

impl Thread {
    /// Nothing where the system has no thread left.
    fn start(reading: &Arc<Reading>) -> Option<Self> {
        let (to, todo) = channel::<Batch>();
        let todo = Arc::new(Mutex::new(todo));
        let (finished, done) = channel();
        let (theirs, reading) = (Arc::clone(&todo), Arc::clone(reading));
        let work = move || {
            while let Some(mut batch) = next(&theirs) {
                reading.read(&mut batch);
                // Nobody listens where the render failed.
                if finished.send(batch).is_err() {
                    break;
                }
            }
        };
        let handle = std::thread::Builder::new().name("reading".to_owned()).spawn(work).ok()?;
        Some(Self { to, todo, done, handle, files: 0 })
    }

    fn hand_over(&mut self, batch: Batch) {
        self.files += batch.len();
        // It cannot fail: the other end is held here as well.
        let _ = self.to.send(batch);
    }

    /// Helps with what is left; gives all files that were handed over.
    fn finish(self, reading: &Reading) -> Vec<File> {
        let Self { to, todo, done, handle, files: handed_over } = self;
        drop(to);
        let mut files = Vec::with_capacity(handed_over);
        while let Some(mut batch) = next(&todo) {
            reading.read(&mut batch);
            files.extend(batch);
        }
        // Whether the thread has ended is not waited for.
        while files.len() < handed_over {
            match done.recv() {
                Ok(batch) => files.extend(batch),
                Err(_) => panic_as(handle.join()),
            }
        }
        files
    }
}

/// Goes on with the panic of the thread: unless it panics, it gives back what it takes.
fn panic_as(ended: std::thread::Result<()>) -> ! {
    match ended {
        Err(panic) => std::panic::resume_unwind(panic),
        Ok(()) => unreachable!("the thread gives back each batch before it takes the next one"),
    }
}

/// The next batch; nothing when there will be none.
fn next(todo: &Mutex<Receiver<Batch>>) -> Option<Batch> {
    todo.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use crate::Compat;
    use crate::notices::Notices;
    use crate::output::{Reading, Rendered, Writer};
    use crate::render::RenderError;
    use crate::strict::Strictness;

    type Files = Vec<(String, String)>;

    /// What comes of files by one thread, and by two.
    fn by_one_and_two(
        (compat, texts_only, most): (Compat, bool, usize),
        files: &Files,
    ) -> [Result<Rendered, RenderError>; 2] {
        [false, true].map(|beside| {
            let notices = Notices::new(compat);
            let mut writer = Writer::new(Reading::new(compat, texts_only, most), beside, Strictness::AsHelm);
            for (source, content) in files {
                writer.add_file(source, content.clone().into_bytes(), "a");
            }
            writer.finish("a", &notices)
        })
    }

    /// Files of 1 to 3 KiB, backwards, with hooks and documents of comments among them.
    fn files(count: usize) -> Files {
        let file = |number: usize| {
            let mut content = String::new();
            for document in 0..=number % 3 {
                let kind = ["Deployment", "ConfigMap", "Namespace"][(number + document) % 3];
                let _ = write!(
                    content,
                    "---\n# {number}\napiVersion: v1\nkind: {kind}\nmetadata:\n  name: n{number}\n"
                );
                if number.is_multiple_of(7) {
                    content.push_str("  annotations: {helm.sh/hook: pre-install}\n");
                }
                let _ = writeln!(content, "data:\n  text: {}", "x".repeat(1_000));
            }
            (format!("a/templates/{number:04}.yaml"), content)
        };
        (0..count).rev().map(file).collect()
    }

    #[test]
    fn two_threads_read_what_one_reads() {
        for (compat, texts_only) in [(Compat::V4_3, true), (Compat::V3_19, true), (Compat::V4_3, false)] {
            for count in [0, 1, 20, 300] {
                let [one, two] = by_one_and_two((compat, texts_only, 1_000), &files(count));
                assert_eq!(one, two);
                let rendered = one.unwrap();
                let documents = rendered.documents.len() + rendered.hooks.len();
                assert_eq!(documents, (0..count).map(|number| number % 3 + 1).sum::<usize>());
            }
        }
    }

    #[test]
    fn the_first_fault_in_order_is_told_whichever_thread_finds_it() {
        for places in [&[3_usize, 250][..], &[250, 3], &[299], &[0], &[120, 121]] {
            let mut files = files(300);
            for place in places {
                files[299 - place].1.push_str("---\na: [\n");
            }
            let [one, two] = by_one_and_two((Compat::V4_3, true, 1_000), &files);
            assert_eq!(one, two);
            let first = format!("a/templates/{:04}.yaml", places.iter().min().unwrap());
            assert_eq!(one.unwrap_err().template, Some(first));
        }
    }

    #[test]
    fn a_file_of_too_many_documents_is_refused_even_if_helm_would_drop_them() {
        let dropped = "---\nmetadata: {annotations: {helm.sh/hook: unknown}}\n";
        for (times, is_refused) in [(100, false), (101, true), (5_000, true)] {
            let files = vec![("a/templates/x.yaml".to_owned(), dropped.repeat(times))];
            let [one, two] = by_one_and_two((Compat::V4_3, true, 100), &files);
            assert_eq!(one, two);
            assert_eq!(one.is_err(), is_refused, "{times}");
        }
    }
}
