//! What commands share: settings → the world, and one look at everything without acting.

use std::sync::Arc;
use std::time::Duration;

use super::output::Failure;
use crate::adapters::World;
use crate::adapters::clock::{SystemClock, SystemEntropy};
use crate::adapters::git::{Git, GitSettings, Limits};
use crate::adapters::kube::KubeClusters;
use crate::model::error::chain;
use crate::model::name::EnvironmentName;
use crate::reconciler::{Options, Outcome, RunMode};
use crate::settings::{CommonArguments, Settings};
use crate::telemetry::Metrics;

/// Settings with the world that they describe.
pub(super) struct Session {
    pub(super) settings: Settings,
    pub(super) world: World,
}

impl Session {
    /// Reads the settings and sets up clients; contacts nothing yet.
    pub(super) fn open(common: &CommonArguments) -> Result<Self, Failure> {
        let settings = common.resolve().map_err(|error| Failure::new(chain(&error)))?;
        let git = Git::new(GitSettings {
            data_directory: settings.data_directory.clone(),
            credentials: settings.credentials.clone(),
            limits: Limits::default(),
        })
        .map_err(|error| Failure::new(chain(&error)))?;
        let state = settings.state.clone().map(|url| {
            Arc::new(git.state(url, &settings.state_branch)) as Arc<dyn crate::adapters::sources::StateStore>
        });
        let metrics = Arc::new(Metrics::new().map_err(|error| Failure::new(chain(&error)))?);
        let world = World {
            sources: Arc::new(git),
            clusters: Arc::new(KubeClusters::new(
                settings.kubeconfig.clone(),
                settings.context.clone(),
                metrics.clone(),
            )),
            state,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            metrics: metrics.clone(),
        };
        Ok(Self { settings, world })
    }

    /// The options of the reconciler.
    pub(super) fn options(
        &self,
        environments: Vec<EnvironmentName>,
        dry_run: bool,
    ) -> Result<Options, Failure> {
        let config = self.settings.config.clone().ok_or_else(|| {
            Failure::new("no config repository was named")
                .hint("give --config URL|PATH, or set MOORLINE_CONFIG")
        })?;
        Ok(Options {
            config,
            config_branch: self.settings.config_branch.clone(),
            own_namespace: self.settings.own_namespace.clone(),
            environments,
            poll: Duration::from_mins(1),
            dry_run,
            revision: None,
            as_helm: false,
        })
    }

    /// Observes and decides once, and writes nothing.
    pub(super) async fn look(&self, environments: Vec<EnvironmentName>) -> Result<Outcome, Failure> {
        self.look_at(environments, None).await
    }

    /// The same for a revision of the config repository.
    pub(super) async fn look_at(
        &self,
        environments: Vec<EnvironmentName>,
        revision: Option<String>,
    ) -> Result<Outcome, Failure> {
        let mut options = self.options(environments, true)?;
        options.revision = revision;
        let (board, _) = tokio::sync::watch::channel(Arc::default());
        let world = World { state: None, ..self.world.clone() };
        Ok(crate::reconciler::run(world, options, RunMode::Once, board, std::future::pending()).await)
    }
}

/// A runtime for commands; the daemon uses one too.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("failed to start: {error}")))
}

/// Parses the ENV argument.
pub(super) fn environment(text: &str) -> Result<EnvironmentName, Failure> {
    text.parse().map_err(|error| Failure::new(format!("{error}")))
}
