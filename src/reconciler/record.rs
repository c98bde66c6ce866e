//! Records on their way to the state repository: one queue, one writer, batches. The apply path never waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::Event;
use crate::adapters::World;
use crate::adapters::sources::{Author, CommitRequest, FileEdit, SourceError, StateStore};
use crate::ledger::{self, Entry};
use crate::model::error::chain;
use crate::model::name::{ApplicationId, InstanceName};
use crate::model::record::Record;

/// The most records of one commit.
const BATCH: usize = 500;
/// How long after a failure the next try comes, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// The queue's handle.
pub struct Recorder {
    sender: UnboundedSender<Entry>,
    waiting: Arc<AtomicUsize>,
    failure: watch::Receiver<Option<String>>,
    task: AbortHandle,
}

impl Drop for Recorder {
    /// Whoever ends the reconciler ends its writer: nothing of it outlives it.
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Recorder {
    /// Starts the writer.
    pub(super) fn start(
        world: &World,
        instance: InstanceName,
        events: UnboundedSender<Event>,
    ) -> Option<Self> {
        let store = world.state.clone()?;
        let (sender, receiver) = unbounded_channel();
        let (failed, failure) = watch::channel(None);
        let waiting = Arc::new(AtomicUsize::new(0));
        let writer =
            Writer { store, instance, clock: world.clock.clone(), waiting: waiting.clone(), failed, events };
        let task = tokio::spawn(writer.run(receiver)).abort_handle();
        Some(Self { sender, waiting, failure, task })
    }

    /// Queues a record.
    pub fn record(&self, entry: Entry) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        if self.sender.send(entry).is_err() {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// How many records are not in the state repository yet.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Why the last push failed, if it did.
    pub fn failure(&self) -> Option<String> {
        self.failure.borrow().clone()
    }
}

struct Writer {
    store: Arc<dyn StateStore>,
    instance: InstanceName,
    clock: Arc<dyn crate::adapters::clock::Clock>,
    waiting: Arc<AtomicUsize>,
    failed: watch::Sender<Option<String>>,
    events: UnboundedSender<Event>,
}

impl Writer {
    async fn run(self, mut receiver: UnboundedReceiver<Entry>) {
        let mut batch = Vec::new();
        while receiver.recv_many(&mut batch, BATCH).await > 0 {
            let mut wait = BACKOFF.0;
            while let Err(error) = self.write(&batch).await {
                let message = chain(&error);
                tracing::warn!(records.waiting = self.waiting.load(Ordering::SeqCst), error = %message, "Failed to write records to the state repository");
                self.failed.send_replace(Some(message));
                let _ = self.events.send(Event::Recorded { newer: BTreeSet::new() });
                tokio::time::sleep(wait).await;
                wait = wait.saturating_mul(2).min(BACKOFF.1);
            }
            self.failed.send_replace(None);
            self.waiting.fetch_sub(batch.len(), Ordering::SeqCst);
            batch.clear();
            let _ = self.events.send(Event::Recorded { newer: BTreeSet::new() });
        }
    }

    async fn write(&self, batch: &[Entry]) -> Result<(), SourceError> {
        let (entries, instance, time) = (batch.to_vec(), self.instance.clone(), self.clock.now().as_second());
        let events = self.events.clone();
        let prepare = move |files: &crate::model::source::FileTree| {
            let current = |path: &str| {
                let bytes = files.get(path)?.content.bytes().ok()?;
                String::from_utf8(bytes.to_vec()).ok()
            };
            let newer: BTreeSet<ApplicationId> =
                ledger::written_by_newer(&entries, &current).into_iter().cloned().collect();
            for application in &newer {
                tracing::warn!(application.name = %application, "A newer moorline wrote the record of {application} in the state repository: it is not written over, and this rollout is not recorded there");
            }
            if !newer.is_empty() {
                let _ = events.send(Event::Recorded { newer });
            }
            let commit = ledger::commit(&instance, &entries, &current)?;
            let edits = commit
                .edits
                .into_iter()
                .map(|edit| FileEdit { path: edit.path, content: Some(edit.content) });
            Some(CommitRequest {
                author: Author::default(),
                message: commit.message,
                trailers: commit.trailers,
                edits: edits.collect(),
                time,
            })
        };
        if let Some(commit) = self.store.commit(&prepare).await? {
            tracing::info!(records.count = batch.len(), state.commit = %commit, "Recorded {} in the state repository", plural(batch.len()));
        }
        Ok(())
    }
}

/// What the state repository says of every application.
#[derive(Clone, Debug, Default)]
pub struct LastRecords {
    /// The last record of each.
    pub records: BTreeMap<ApplicationId, Record>,
    /// Those whose records a newer moorline wrote.
    pub newer: BTreeSet<ApplicationId>,
}

/// Reads the last record of every application in the state repository.
pub async fn last_records(store: &dyn StateStore) -> Result<LastRecords, SourceError> {
    let files = store.files().await?;
    let mut last = LastRecords::default();
    for (path, file) in files.below("environments") {
        let text = file.content.bytes().ok().and_then(|bytes| std::str::from_utf8(bytes).ok());
        let Some(text) = text else { continue };
        if ledger::is_newer(text) {
            last.newer.extend(ledger::application_of(&format!("environments/{path}")));
        } else if let Some(file) = ledger::read(text) {
            let application = ApplicationId::new(file.environment.clone(), file.service.clone());
            last.records.insert(application, file.into_record());
        }
    }
    Ok(last)
}

fn plural(records: usize) -> String {
    if records == 1 { "1 rollout".to_owned() } else { format!("{records} rollouts") }
}
