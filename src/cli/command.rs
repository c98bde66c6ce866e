//! What people ask of the daemon, each a key of the environment's commands object: `reconcile`, `suspend`,
//! `resume`, `unblock`, `confirm`.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::output::{Failure, print};
use super::session::{Session, environment, runtime, unknown};
use crate::adapters::cluster::ClusterWrite;
use crate::cluster::commands::{self, Verb};
use crate::cluster::store;
use crate::desired::parse_duration;
use crate::model::digest::Digest;
use crate::model::error::chain;
use crate::model::name::{ApplicationId, EnvironmentName, InstanceName, ServiceName};
use crate::reconciler::observe::Observer;
use crate::settings::CommonArguments;

/// Exit codes: 0 asked · 1 an error.
#[derive(Args, Debug)]
pub(super) struct ScopeArguments {
    /// Environment
    environment: String,
    /// Service; without one, the whole environment
    service: Option<String>,
}

/// Exit codes: 0 asked · 1 an error.
#[derive(Args, Debug)]
pub(super) struct SuspendArguments {
    #[command(flatten)]
    scope: ScopeArguments,
    /// Why
    #[arg(long)]
    reason: String,
    /// For how long; without it, until resumed
    #[arg(long = "for", value_name = "DURATION")]
    duration: Option<String>,
}

/// Exit codes: 0 asked · 1 an error.
#[derive(Args, Debug)]
pub(super) struct ConfirmArguments {
    /// Environment
    environment: String,
    /// Service (left out for a plan of the whole environment), then the digest that the hold names
    #[arg(num_args = 1..=2, value_name = "[SERVICE] PLAN-DIGEST")]
    rest: Vec<String>,
}

pub(super) fn reconcile(common: &CommonArguments, scope: &ScopeArguments) -> Result<ExitCode, Failure> {
    let asker = Asker::open(common, &scope.environment)?;
    let value = json!({"at": asker.now(), "actor": actor()});
    asker.leave(scope.service.as_deref(), Verb::Reconcile, Some(&value))?;
    done(&format!("{} is looked at again", name(scope)))
}

pub(super) fn suspend(common: &CommonArguments, arguments: &SuspendArguments) -> Result<ExitCode, Failure> {
    let scope = &arguments.scope;
    let asker = Asker::open(common, &scope.environment)?;
    let until = match arguments.duration.as_deref() {
        None => Value::Null,
        Some(text) => {
            let duration = parse_duration(text).ok_or_else(|| {
                Failure::new(format!("--for: {text:?} is not a duration")).hint("write 30m or 2h")
            })?;
            json!(asker.session.world.clock.now().checked_add(duration).ok())
        }
    };
    let value = json!({"reason": arguments.reason, "until": until, "actor": actor()});
    asker.leave(scope.service.as_deref(), Verb::Suspend, Some(&value))?;
    done(&format!("{} is suspended: nothing is written until `moorline resume`", name(scope)))
}

pub(super) fn resume(common: &CommonArguments, scope: &ScopeArguments) -> Result<ExitCode, Failure> {
    let asker = Asker::open(common, &scope.environment)?;
    asker.leave(scope.service.as_deref(), Verb::Suspend, None)?;
    done(&format!("{} is resumed", name(scope)))
}

pub(super) fn unblock(common: &CommonArguments, scope: &ScopeArguments) -> Result<ExitCode, Failure> {
    let service = scope.service.as_deref().ok_or_else(|| Failure::new("name the service to unblock"))?;
    let asker = Asker::open(common, &scope.environment)?;
    let digest = asker.blocked_digest(service)?.ok_or_else(|| {
        Failure::new(format!("{} is not blocked", name(scope)))
            .hint("`moorline status` shows what is held, and why")
    })?;
    let value = json!({"digest": digest, "actor": actor()});
    asker.leave(Some(service), Verb::Unblock, Some(&value))?;
    done(&format!("{} is tried again", name(scope)))
}

pub(super) fn confirm(common: &CommonArguments, arguments: &ConfirmArguments) -> Result<ExitCode, Failure> {
    let (service, digest) = match arguments.rest.as_slice() {
        [digest] => (None, digest),
        [service, digest] => (Some(service.as_str()), digest),
        _ => return Err(Failure::new("give [SERVICE] PLAN-DIGEST")),
    };
    let digest: Digest = digest.parse().map_err(|error| Failure::new(format!("{error}")))?;
    let asker = Asker::open(common, &arguments.environment)?;
    let value = json!({"digest": digest, "actor": actor()});
    asker.leave(service, Verb::Confirm, Some(&value))?;
    done(&format!("{digest} is confirmed for {}", arguments.environment))
}

fn done(text: &str) -> Result<ExitCode, Failure> {
    print(&format!("{text}\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn name(scope: &ScopeArguments) -> String {
    scope
        .service
        .as_ref()
        .map_or_else(|| scope.environment.clone(), |service| format!("{}/{service}", scope.environment))
}

/// Who asks, as claimed.
fn actor() -> Option<String> {
    ["MOORLINE_ACTOR", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|text| !text.is_empty()))
}

/// A person's way to an environment's commands object.
struct Asker {
    session: Session,
    runtime: tokio::runtime::Runtime,
    instance: InstanceName,
    environment: EnvironmentName,
    services: BTreeSet<ServiceName>,
    context: Option<String>,
}

impl Asker {
    fn open(common: &CommonArguments, name: &str) -> Result<Self, Failure> {
        let (session, runtime) = (Session::open(common)?, runtime()?);
        let environment = environment(name)?;
        let mut observer = Observer::new(session.world.clone(), session.options(Vec::new(), true)?);
        runtime.block_on(observer.read_config(None)).map_err(|hold| Failure::new(hold.message()))?;
        let configuration = observer.config().and_then(|config| config.repository.configuration.clone());
        let configuration = configuration.ok_or_else(|| {
            Failure::new("moorline.yaml cannot be used").hint("`moorline check` says what is wrong")
        })?;
        let Some(settings) = configuration.environments.get(&environment) else {
            let known: Vec<&str> = configuration.environments.keys().map(EnvironmentName::as_str).collect();
            return Err(unknown("environment", environment.as_str(), &known));
        };
        let context = settings.cluster.clone();
        let repository = observer.config().map(|config| config.repository.clone());
        let services = repository.and_then(|one| Some(one.environments.get(&environment)?.members.clone()));
        let services = services.unwrap_or_default();
        Ok(Self { session, runtime, instance: configuration.instance, environment, services, context })
    }

    fn now(&self) -> String {
        self.session.world.clock.now().to_string()
    }

    fn leave(&self, service: Option<&str>, verb: Verb, value: Option<&Value>) -> Result<(), Failure> {
        self.runtime.block_on(async {
            let cluster = self.session.world.clusters.connect(self.context.as_deref()).await;
            let cluster = cluster.map_err(|error| Failure::of(&error))?;
            if let Some(service) = service {
                self.insist_on(&*cluster, service).await?;
            }
            let place = (&self.session.settings.own_namespace, &self.instance, &self.environment);
            commands::leave(&*cluster, place, service, verb, value)
                .await
                .map_err(|error| Failure::new(chain(&error)))
        })
    }

    /// Refuses a service that neither Git nor the inventory knows. Who may not read heads is believed.
    async fn insist_on(&self, cluster: &dyn ClusterWrite, service: &str) -> Result<(), Failure> {
        if self.services.iter().any(|one| one.as_str() == service) {
            return Ok(());
        }
        let namespace = &self.session.settings.own_namespace;
        let Ok(inventory) = store::read_heads(cluster, namespace, &self.instance).await else {
            return Ok(());
        };
        let here = inventory.heads.keys().filter(|id| id.environment == self.environment);
        let deployed: Vec<&str> = here.map(|id| id.service.as_str()).collect();
        if deployed.contains(&service) {
            return Ok(());
        }
        let known: Vec<&str> = self.services.iter().map(ServiceName::as_str).chain(deployed).collect();
        Err(unknown(&format!("service in {}", self.environment), service, &known))
    }

    fn blocked_digest(&self, service: &str) -> Result<Option<Digest>, Failure> {
        let service = service.parse().map_err(|error| Failure::new(format!("{error}")))?;
        let application = ApplicationId::new(self.environment.clone(), service);
        self.runtime.block_on(async {
            let cluster = self.session.world.clusters.connect(self.context.as_deref()).await;
            let cluster = cluster.map_err(|error| Failure::of(&error))?;
            let read =
                store::read_heads(&*cluster, &self.session.settings.own_namespace, &self.instance).await;
            let heads = read.map_err(|error| Failure::new(chain(&error)))?.heads;
            let head = heads.get(&application).map(|stored| &stored.head);
            Ok(head.and_then(|head| head.blocked.as_ref()).map(|blocked| blocked.version.digest))
        })
    }
}
