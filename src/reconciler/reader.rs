//! The task that reads Git: what every application wants, from what repositories published last. One reading at a time,
//! beside the loop; how long it takes is nobody else's business.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;

use super::observe::{ClusterViews, ConfigState, Observer, Reading};
use super::{Event, Options};
use crate::adapters::{World, panics};
use crate::diff::LookedUp;
use crate::model::facts::Version;
use crate::model::name::ApplicationId;
use crate::model::source::RepositoryUrl;
use crate::source::{ChartRepositories, ImageRegistries, Looks, Moment, Repositories, Ring};

/// What a reading has to know of what is there.
pub(super) struct ReadRequest {
    /// Versions that are deployed.
    pub(super) deployed: BTreeMap<ApplicationId, Version>,
    /// Clusters.
    pub(super) views: ClusterViews,
}

/// What a reading came to.
pub(crate) struct Read {
    /// What every application wants.
    pub(super) reading: Reading,
    /// The config repository as last read.
    pub(super) config: Option<Arc<ConfigState>>,
    /// What charts looked up from Secrets or drew: never to be shown.
    pub(super) looked_up: BTreeMap<ApplicationId, LookedUp>,
}

/// The reader's handle; the reader ends with it.
pub(super) struct Reader {
    requests: UnboundedSender<ReadRequest>,
    repositories: Repositories,
    charts: ChartRepositories,
    registries: ImageRegistries,
    task: AbortHandle,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Reader {
    /// Starts the reader; `lasting` is false for a single pass.
    pub(super) fn start(
        world: &World,
        options: &Options,
        lasting: bool,
        events: UnboundedSender<Event>,
    ) -> Self {
        let rung = events.clone();
        let ring: Ring = Arc::new(move || {
            // Nobody listens any more when the loop has ended.
            let _ = rung.send(Event::Sources);
        });
        let poll = lasting.then_some(options.poll);
        let looks = Looks { poll, moment: Moment::default(), ring: ring.clone() };
        let repositories = Repositories::new(world.sources.clone(), looks.clone());
        let charts = ChartRepositories::new(world.charts.clone(), looks.clone());
        let registries = ImageRegistries::new(world.registries.clone(), looks);
        let world = World {
            sources: Arc::new(repositories.clone()),
            charts: Arc::new(charts.clone()),
            registries: Arc::new(registries.clone()),
            ..world.clone()
        };
        let (requests, asked) = unbounded_channel();
        let work = Work { world, options: options.clone(), ring, repositories: repositories.clone(), events };
        let task = tokio::spawn(work.run(asked)).abort_handle();
        Self { requests, repositories, charts, registries, task }
    }

    /// Asks for a reading; its end is an event.
    pub(super) fn read(&self, request: ReadRequest) {
        // The task lives as long as its handle.
        let _ = self.requests.send(request);
    }

    /// Whether an answer is on its way that may still come soon.
    pub(super) fn is_waiting(&self) -> bool {
        self.repositories.is_waiting() || self.charts.is_waiting() || self.registries.is_waiting()
    }

    /// Asks a repository now; without one, all of them.
    pub(super) fn wake(&self, only: Option<&RepositoryUrl>) {
        self.repositories.wake(only);
    }

    /// The repositories that are followed.
    pub(super) fn followed(&self) -> Vec<RepositoryUrl> {
        self.repositories.followed()
    }
}

struct Work {
    world: World,
    options: Options,
    ring: Ring,
    repositories: Repositories,
    events: UnboundedSender<Event>,
}

impl Work {
    async fn run(self, mut requests: UnboundedReceiver<ReadRequest>) {
        let mut observer = self.observer();
        while let Some(request) = requests.recv().await {
            self.repositories.begin_reading();
            let read = panics::caught(self.read(&mut observer, &request)).await;
            if read.is_err() {
                // What it remembers may be half changed.
                observer = self.observer();
            }
            if self.events.send(Event::Read(Box::new(read))).is_err() {
                return;
            }
        }
    }

    fn observer(&self) -> Observer {
        Observer::hurried(self.world.clone(), self.options.clone(), self.ring.clone())
    }

    async fn read(&self, observer: &mut Observer, request: &ReadRequest) -> Read {
        let failure = observer.read_config(self.options.revision.as_deref()).await.err();
        let reading = observer.read(failure, &request.deployed, &request.views).await;
        Read { reading, config: observer.state(), looked_up: observer.all_looked_up() }
    }
}
