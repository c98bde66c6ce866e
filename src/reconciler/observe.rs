//! Git → what every application wants: the config repository, the heads of code repositories, the files of
//! charts and manifests, rendered where an input changed. Reads, decides nothing about the cluster.

mod answering;
mod chance;
mod listing;
mod rendering;
mod shelf;
mod wanting;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

pub use rendering::{ClusterView, ClusterViews, PackedRendering};

use super::Options;
use crate::adapters::World;
use crate::adapters::clock::Beating;
use crate::adapters::sources::SourceError;
use crate::desired::{Application, CodeRevision, ConfigRepository, Origin};
use crate::diff::LookedUp;
use crate::helm::Pulse;
use crate::model::digest::Digest;
use crate::model::facts::{Awaiting, Version};
use crate::model::fault::Fault;
use crate::model::hold::HoldReason;
use crate::model::name::{ApplicationId, EnvironmentName, ServiceName};
use crate::model::source::{CommitSha, FileTree, References, RepositoryPath, RepositoryUrl};
use crate::render::WantedCode;
use crate::source::Ring;
use listing::list_environment;
use rendering::{Prepared, Renderer, Setting};
use shelf::Shelf;
use wanting::{NotWanting, Wanting};

/// Charts may bring the need for other charts so many times over.
const CHART_ROUNDS: usize = 4;

/// The config repository as last read.
#[derive(Clone)]
pub struct ConfigState {
    /// Its commit.
    pub commit: CommitSha,
    /// Its files.
    pub tree: FileTree,
    /// Its meaning.
    pub repository: Arc<ConfigRepository>,
}

/// What an application wants, before a cluster is looked at.
#[derive(Clone, Debug)]
pub enum Desired {
    /// A rendered version.
    Rendered(Box<RenderedVersion>),
    /// It cannot be told.
    Held(Vec<HoldReason>),
    /// Code without branch or pin.
    NeverPromoted,
}

/// A rendered version with where it came from.
#[derive(Clone, Debug)]
pub struct RenderedVersion {
    /// The application.
    pub application: Arc<Application>,
    /// The commit of its code.
    pub code: WantedCode,
    /// The revision of the config repository.
    pub config: CommitSha,
    /// The digest of all inputs.
    pub inputs: Digest,
    /// The result.
    pub rendered: Arc<PackedRendering>,
}

/// The environments of a reading, and what each of their applications wants.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// What each application wants.
    pub desired: BTreeMap<ApplicationId, Desired>,
    /// Newer commits that are waited for.
    pub awaiting: BTreeMap<ApplicationId, Awaiting>,
    /// The services of each environment that was read in full.
    pub members: BTreeMap<EnvironmentName, BTreeSet<ServiceName>>,
    /// What holds applications that are not in `desired`, by environment; an environment that is neither here nor
    /// in `members` is gone.
    pub held_environments: BTreeMap<EnvironmentName, Vec<HoldReason>>,
    /// What holds everything.
    pub held: Vec<HoldReason>,
    /// Repositories that could not be read.
    pub failures: Vec<HoldReason>,
    /// Contexts of environments.
    pub contexts: BTreeMap<EnvironmentName, Option<String>>,
}

type TreeKey = (RepositoryUrl, RepositoryPath);

/// Reads Git, keeping what did not change.
pub struct Observer {
    world: World,
    options: Options,
    config: Option<Arc<ConfigState>>,
    references: HashMap<RepositoryUrl, Result<References, Arc<SourceError>>>,
    trees: HashMap<TreeKey, (CommitSha, FileTree)>,
    /// Environments that follow a revision of their own, as last read, with the main revision of that time.
    revisions: HashMap<EnvironmentName, (CommitSha, Arc<ConfigState>)>,
    renderer: Renderer,
    shelf: Shelf,
}

impl Observer {
    /// Nothing read yet. Renders are waited for, however long they take.
    pub fn new(world: World, options: Options) -> Self {
        Self::with(world, options, None)
    }

    /// The same for one that waits for no render that takes long, and rings when it can be read.
    pub fn hurried(world: World, options: Options, ring: Ring) -> Self {
        Self::with(world, options, Some(ring))
    }

    fn with(world: World, options: Options, ring: Option<Ring>) -> Self {
        Self {
            shelf: Shelf::new(world.charts.clone(), world.clock.clone(), world.workers.clone()),
            renderer: Renderer::new(world.workers.clone(), ring),
            world,
            options,
            config: None,
            references: HashMap::new(),
            trees: HashMap::new(),
            revisions: HashMap::new(),
        }
    }

    /// The config repository as last read.
    pub fn config(&self) -> Option<&ConfigState> {
        self.config.as_deref()
    }

    /// The same, to be kept.
    pub fn state(&self) -> Option<Arc<ConfigState>> {
        self.config.clone()
    }

    /// What the chart of an application looked up from Secrets: never to be shown.
    pub fn looked_up(&self, application: &ApplicationId) -> LookedUp {
        self.renderer.looked_up(application)
    }

    /// The same of every application whose chart did so.
    pub fn all_looked_up(&self) -> BTreeMap<ApplicationId, LookedUp> {
        self.renderer.all_looked_up()
    }

    /// All faults of the config repository as last read.
    pub fn faults(&self) -> &[Fault] {
        self.config.as_ref().map_or(&[], |config| &config.repository.faults)
    }

    /// Reads the config repository at its branch, or at a revision.
    pub async fn read_config(&mut self, revision: Option<&str>) -> Result<(), HoldReason> {
        let url = self.options.config.clone();
        let references =
            self.world.sources.references(&url).await.map_err(|error| source_hold(&url, &error))?;
        let (reference, commit) = self.config_commit(&references, revision)?;
        self.references.insert(url.clone(), Ok(references));
        if let Some(config) = self.config.clone().filter(|config| config.commit == commit) {
            // The same files may mean other charts than before.
            if self.shelf.bring(&config.repository.needs()).await {
                let repository = Arc::new(self.meaning_of(&config.tree).await?);
                self.config = Some(Arc::new(ConfigState { commit, tree: config.tree.clone(), repository }));
            }
            return Ok(());
        }
        let previous = self.config.as_ref().map(|config| &config.tree);
        let tree = self
            .world
            .sources
            .tree(&url, reference.as_deref(), commit, &RepositoryPath::default(), previous)
            .await
            .map_err(|error| source_hold(&url, &error))?;
        let repository = Arc::new(self.meaning_of(&tree).await?);
        self.config = Some(Arc::new(ConfigState { commit, tree, repository }));
        Ok(())
    }

    /// Reads a config repository with the charts that its umbrellas depend on.
    async fn meaning_of(&mut self, tree: &FileTree) -> Result<ConfigRepository, HoldReason> {
        let mut repository = self.parse(tree).await?;
        // What a chart says of its values may switch others on, which then are needed too.
        for _ in 0..CHART_ROUNDS {
            if !self.shelf.bring(&repository.needs()).await {
                break;
            }
            repository = self.parse(tree).await?;
        }
        Ok(repository)
    }

    async fn parse(&self, tree: &FileTree) -> Result<ConfigRepository, HoldReason> {
        let (tree, supply) = (tree.clone(), self.shelf.supply().clone());
        let read = self.world.workers.finish(move || ConfigRepository::read_with(&tree, &supply)).await;
        read.map_err(|place| HoldReason::Bug { place })
    }

    fn config_commit(
        &self,
        references: &References,
        revision: Option<&str>,
    ) -> Result<(Option<String>, CommitSha), HoldReason> {
        let branch = self.options.config_branch.clone().or_else(|| references.head_branch.clone());
        let wanted = revision.map(str::to_owned).or(branch).unwrap_or_else(|| "HEAD".to_owned());
        resolve(references, &wanted).ok_or_else(|| HoldReason::RevisionMissing {
            repository: self.options.config.clone(),
            revision: wanted,
        })
    }

    /// Asks every code repository for its heads, once each.
    async fn read_references(&mut self, applications: &[Application]) {
        let mut repositories: BTreeSet<RepositoryUrl> = BTreeSet::new();
        for application in applications {
            if let Some(code) = &application.code
                && matches!(code.revision, CodeRevision::Branch(_))
            {
                repositories.insert(code.repository.clone());
            }
            if let Origin::Manifests(source) = &application.origin {
                repositories.extend(source.repository.clone());
            }
        }
        repositories.remove(&self.options.config);
        let sources = &self.world.sources;
        let ask = |url: RepositoryUrl| async move {
            let answer = sources.references(&url).await.map_err(Arc::new);
            (url, answer)
        };
        let answers = futures::future::join_all(repositories.into_iter().map(ask)).await;
        self.references.extend(answers);
    }

    /// Reads the heads of code repositories and the files that the environments name, and renders what changed.
    /// The config repository is taken as last read; `failure` is why it could not be read anew.
    pub async fn read(
        &mut self,
        failure: Option<HoldReason>,
        deployed: &BTreeMap<ApplicationId, Version>,
        views: &ClusterViews,
    ) -> Reading {
        let mut reading = Reading::default();
        if let Some(hold) = failure {
            reading.failures.push(hold.clone());
            if self.config.is_none() {
                reading.held.push(hold);
            }
        }
        let Some(config) = self.config.clone() else {
            return reading;
        };
        self.read_environments(&config, deployed, views, &mut reading).await;
        reading
    }

    async fn read_environments(
        &mut self,
        config: &Arc<ConfigState>,
        deployed: &BTreeMap<ApplicationId, Version>,
        views: &ClusterViews,
        reading: &mut Reading,
    ) {
        let repository = &config.repository;
        if repository.configuration.is_none() {
            let faults = repository
                .faults
                .iter()
                .filter(|fault| matches!(fault.scope, crate::model::fault::FaultScope::Everything));
            reading.held.extend(faults.map(fault_hold));
            return;
        }
        // A tree has every file of the repository: one for all, never one for each.
        let mut all: Vec<(Application, Arc<ConfigState>)> = Vec::new();
        let names = repository.environments.keys().filter(|name| self.options.includes(name));
        let names: Vec<EnvironmentName> = names.cloned().collect();
        for name in &names {
            match self.environment_at(config, name).await {
                Ok(config) => list_environment(&config, name, &self.shelf, reading, &mut all),
                Err(hold) => {
                    reading.held_environments.insert(name.clone(), vec![hold]);
                }
            }
            let settings = &repository.environments[name].settings;
            reading.contexts.insert(name.clone(), settings.cluster.clone());
        }
        let applications: Vec<Application> = all.iter().map(|(application, _)| application.clone()).collect();
        self.read_references(&applications).await;
        let mut prepared = Vec::new();
        for (application, config) in all {
            let id = application.id.clone();
            if !views.has(application.cluster.as_ref()) {
                reading.desired.insert(id, Desired::Held(Vec::new()));
                continue;
            }
            match self.prepare(application, &config, deployed.get(&id)).await {
                Ok(Some((one, awaiting))) => {
                    reading.awaiting.extend(awaiting.map(|awaiting| (id, awaiting)));
                    prepared.push(one);
                }
                Ok(None) => {
                    reading.desired.insert(id, Desired::NeverPromoted);
                }
                Err(not_wanting) => {
                    let NotWanting { hold, awaiting } = *not_wanting;
                    reading.awaiting.extend(awaiting.map(|awaiting| (id.clone(), awaiting)));
                    if matches!(
                        hold,
                        HoldReason::SourceUnavailable { .. }
                            | HoldReason::RevisionMissing { .. }
                            | HoldReason::ImageUnknown { .. }
                    ) {
                        reading.failures.push(hold.clone());
                    }
                    reading.desired.insert(id, Desired::Held(vec![hold]));
                }
            }
        }
        self.render_changed(prepared, views, reading).await;
    }

    /// Renders every application whose inputs changed.
    async fn render_changed(&mut self, prepared: Vec<Prepared>, views: &ClusterViews, reading: &mut Reading) {
        let Some(config) = &self.config else { return };
        let Some(configuration) = &config.repository.configuration else { return };
        let pulse = Pulse::default();
        let beaten = pulse.clone();
        let setting = Arc::new(Setting {
            instance: configuration.instance.clone(),
            options: self.options.clone(),
            views: views.clone(),
            metrics: self.world.metrics.clone(),
            pulse,
            _beating: Beating::start(move || beaten.beat()),
            entropy: self.world.entropy.clone(),
            now: self.world.clock.now().as_second(),
        });
        let rendered = self.renderer.render(prepared, &mut self.shelf, &setting).await;
        self.shelf.tidy();
        for (one, inputs, result) in rendered {
            let id = one.application.id.clone();
            let desired = match result {
                Ok(rendered) => Desired::Rendered(Box::new(RenderedVersion {
                    application: one.application.clone(),
                    code: one.code.clone(),
                    config: one.config,
                    inputs,
                    rendered,
                })),
                Err(hold) => {
                    if matches!(hold, HoldReason::ChartUnavailable { .. }) {
                        reading.failures.push(hold.clone());
                    }
                    Desired::Held(vec![hold])
                }
            };
            reading.desired.insert(id, desired);
        }
    }

    /// The config repository for an environment: another revision if it asks for one.
    async fn environment_at(
        &mut self,
        config: &Arc<ConfigState>,
        name: &EnvironmentName,
    ) -> Result<Arc<ConfigState>, HoldReason> {
        let settings = &config.repository.environments[name].settings;
        let Some(revision) = &settings.revision else {
            return Ok(config.clone());
        };
        let url = &self.options.config;
        let Some(Ok(references)) = self.references.get(url) else { return Ok(config.clone()) };
        let (reference, commit) = resolve(references, revision).ok_or_else(|| {
            HoldReason::RevisionMissing { repository: url.clone(), revision: revision.clone() }
        })?;
        if commit == config.commit {
            return Ok(config.clone());
        }
        if let Some((main, known)) = self.revisions.get(name)
            && *main == config.commit
            && known.commit == commit
            && !self.shelf.bring(&known.repository.needs()).await
        {
            return Ok(known.clone());
        }
        let root = RepositoryPath::default();
        let tree =
            self.world.sources.tree(url, reference.as_deref(), commit, &root, Some(&config.tree)).await;
        let mut tree = tree.map_err(|error| source_hold(url, &error))?;
        // The environments themselves are described by the main revision alone.
        if let Some(file) = config.tree.get("moorline.yaml") {
            tree.insert("moorline.yaml".to_owned(), file.clone());
        }
        let repository = Arc::new(self.meaning_of(&tree).await?);
        let state = Arc::new(ConfigState { commit, tree, repository });
        self.revisions.insert(name.clone(), (config.commit, state.clone()));
        Ok(state)
    }

    /// Finds the commit and files of an application; nothing if it was never promoted.
    async fn prepare(
        &mut self,
        application: Application,
        config: &Arc<ConfigState>,
        deployed: Option<&Version>,
    ) -> Result<Option<(Prepared, Option<Awaiting>)>, Box<NotWanting>> {
        self.refuse_local(&application)?;
        let Some(wanting) = self.wanting(&application, deployed).await? else { return Ok(None) };
        let Wanting { code, reference, awaiting } = wanting;
        let files = self.files_of(&application, config, &code, reference.as_deref()).await?;
        let source = config.repository.clone();
        let application = Arc::new(application);
        Ok(Some((Prepared { application, code, config: config.commit, source, files }, awaiting)))
    }

    /// Repositories on this machine may be named only by a config repository that lies on it too (RULES §8): whoever
    /// may write to a remote one must not reach the daemon's own disk.
    fn refuse_local(&self, application: &Application) -> Result<(), HoldReason> {
        if self.options.config.is_local() {
            return Ok(());
        }
        let code = application.code.as_ref().map(|code| &code.repository);
        let manifests = match &application.origin {
            Origin::Manifests(source) => source.repository.as_ref(),
            _ => None,
        };
        match code.into_iter().chain(manifests).find(|repository| repository.is_local()) {
            None => Ok(()),
            Some(repository) => Err(HoldReason::ConfigFault {
                fault: format!(
                    "{repository} lies on the daemon's own machine, the config repository does not"
                ),
                hint: Some("name a repository by https or ssh".to_owned()),
            }),
        }
    }

    fn head_of(&self, repository: &RepositoryUrl, branch: &str) -> Result<CommitSha, HoldReason> {
        let missing = || HoldReason::RevisionMissing {
            repository: repository.clone(),
            revision: format!("branch {branch}"),
        };
        match self.references.get(repository) {
            Some(Ok(references)) => references.branches.get(branch).copied().ok_or_else(missing),
            Some(Err(error)) => Err(source_hold(repository, error)),
            None => Err(missing()),
        }
    }

    async fn files_of(
        &mut self,
        application: &Application,
        config: &ConfigState,
        code: &WantedCode,
        reference: Option<&str>,
    ) -> Result<FileTree, HoldReason> {
        match &application.origin {
            // The environment's folder is at hand as a whole; what was released lies on the shelf.
            Origin::Dependency { .. } | Origin::Environment | Origin::Released(_) => Ok(FileTree::default()),
            Origin::Manifests(source) => match &source.repository {
                None => Ok(config.tree.subtree(source.path.as_str())),
                Some(repository) => {
                    let branch = source.branch.clone().or_else(|| self.default_branch(repository));
                    let branch = branch.unwrap_or_else(|| "HEAD".to_owned());
                    let head = self.head_of(repository, &branch)?;
                    self.tree_at(repository, Some(&format!("refs/heads/{branch}")), head, &source.path).await
                }
            },
            Origin::Chart { path } => {
                let repository = application.code.as_ref().map(|code| code.repository.clone());
                let (Some(repository), Some(commit)) = (repository, code.commit) else {
                    return Ok(FileTree::default());
                };
                self.tree_at(&repository, reference, commit, path).await
            }
        }
    }

    fn default_branch(&self, repository: &RepositoryUrl) -> Option<String> {
        match self.references.get(repository) {
            Some(Ok(references)) => references.head_branch.clone(),
            _ => None,
        }
    }

    async fn tree_at(
        &mut self,
        repository: &RepositoryUrl,
        reference: Option<&str>,
        commit: CommitSha,
        path: &RepositoryPath,
    ) -> Result<FileTree, HoldReason> {
        let key = (repository.clone(), path.clone());
        let known = self.trees.get(&key);
        if let Some((_, tree)) = known.filter(|(at, _)| *at == commit) {
            return Ok(tree.clone());
        }
        let previous = known.map(|(_, tree)| tree.clone());
        let tree = self.world.sources.tree(repository, reference, commit, path, previous.as_ref()).await;
        let tree = tree.map_err(|error| source_hold(repository, &error))?;
        self.trees.insert(key, (commit, tree.clone()));
        Ok(tree)
    }
}

/// A branch, tag or commit among references: the full name of the reference, and the commit.
fn resolve(references: &References, wanted: &str) -> Option<(Option<String>, CommitSha)> {
    if let Some(commit) = references.branches.get(wanted) {
        return Some((Some(format!("refs/heads/{wanted}")), *commit));
    }
    if let Some(commit) = references.tags.get(wanted) {
        return Some((Some(format!("refs/tags/{wanted}")), *commit));
    }
    wanted.parse().ok().map(|commit| (None, commit))
}

fn fault_hold(fault: &Fault) -> HoldReason {
    HoldReason::ConfigFault { fault: fault.to_string(), hint: fault.hint.clone() }
}

/// The hold that an unreadable repository becomes.
pub fn source_hold(repository: &RepositoryUrl, error: &SourceError) -> HoldReason {
    match error {
        SourceError::Missing { revision, .. } => {
            HoldReason::RevisionMissing { repository: repository.clone(), revision: revision.clone() }
        }
        other => HoldReason::SourceUnavailable {
            repository: repository.clone(),
            message: crate::model::error::chain(other),
        },
    }
}
