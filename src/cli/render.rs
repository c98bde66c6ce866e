//! `moorline render`: what is applied, as one YAML stream. Needs no cluster unless one is named.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::output::{Failure, print, remark};
use super::session::{Session, environment, runtime};
use crate::adapters::cluster::ClusterRead;
use crate::cluster::store;
use crate::diff::LookedUp;
use crate::helm::Remembered;
use crate::model::digest::HashKey;
use crate::model::error::chain;
use crate::model::hold::HoldReason;
use crate::model::manifest::RenderedSet;
use crate::model::name::{ApplicationId, InstanceName};
use crate::reconciler::observe::{ClusterView, ClusterViews, Desired, Observer, Reading};
use crate::settings::CommonArguments;

/// Exit codes: 0 rendered · 1 an application does not render, or a repository could not be used.
#[derive(Args, Debug)]
pub(super) struct RenderArguments {
    /// Environment
    environment: String,
    /// Service
    service: Option<String>,
    /// Branch, tag or commit of the config repository
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
    /// How to print
    #[arg(short, long, value_enum, default_value = "yaml")]
    output: Format,
    /// Print Helm's own bytes: of the whole environment, what `helm template` prints for the umbrella
    #[arg(long, conflicts_with_all = ["digest", "output"])]
    as_helm: bool,
    /// Draw random values, certificates and the time anew, as Helm does, instead of those that are remembered
    #[arg(long)]
    random: bool,
    /// Print the digest of each application's rendered set instead
    #[arg(long)]
    digest: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Yaml,
    Json,
}

pub(super) fn run(common: &CommonArguments, arguments: &RenderArguments) -> Result<ExitCode, Failure> {
    let session = Session::open(common)?;
    let (observer, reading) = runtime()?.block_on(read(&session, arguments))?;
    mark_stand_ins(&reading, arguments);
    if arguments.as_helm {
        return as_helm(&observer, &reading, arguments);
    }
    let (sets, errors) = collect(&reading, arguments);
    if sets.is_empty() && errors.is_empty() {
        let what = arguments.service.as_deref().unwrap_or("anything");
        return Err(Failure::new(format!("{} does not hold {what}", arguments.environment)));
    }
    print(&show(&observer, &sets, arguments)?)?;
    errors.iter().for_each(|error| remark(&format!("error: {error}")));
    Ok(if errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn read(session: &Session, arguments: &RenderArguments) -> Result<(Observer, Reading), Failure> {
    let name = environment(&arguments.environment)?;
    let mut options = session.options(vec![name.clone()], true)?;
    options.as_helm = arguments.as_helm;
    options.random = arguments.random;
    let mut observer = Observer::new(session.world.clone(), options);
    let revision = arguments.revision.as_deref();
    observer.read_config(revision).await.map_err(|hold| Failure::new(hold.message()))?;
    let configuration = observer.config().and_then(|config| config.repository.configuration.clone());
    if configuration.as_ref().is_some_and(|configuration| !configuration.environments.contains_key(&name)) {
        return Err(Failure::new(format!("there is no environment {name}")));
    }
    let mut views = ClusterViews::default();
    if session.settings.kubeconfig.is_some() || session.settings.context.is_some() {
        let context = configuration.as_ref().and_then(|one| one.environments.get(&name)?.cluster.clone());
        let cluster = session.world.clusters.connect(context.as_deref()).await;
        let cluster = cluster.map_err(|error| Failure::new(chain(&error)))?;
        let kinds = cluster.kinds(false).await.map_err(|error| Failure::new(chain(&error)))?;
        let version = cluster.identity().await.map_err(|error| Failure::new(chain(&error)))?.version;
        let instance = configuration.as_ref().map(|configuration| &configuration.instance);
        let (key, drawn) = drawn_before(&*cluster, session, instance).await;
        views.connected.insert(context, ClusterView { kinds, version, key, cluster, drawn });
    }
    let reading = observer.read(None, &BTreeMap::new(), &views).await;
    Ok((observer, reading))
}

/// The instance's key and what charts drew before, where our rights show them. Else stand-ins are shown.
async fn drawn_before(
    cluster: &dyn ClusterRead,
    session: &Session,
    instance: Option<&InstanceName>,
) -> (HashKey, Option<Arc<BTreeMap<ApplicationId, Arc<Remembered>>>>) {
    let namespace = &session.settings.own_namespace;
    let nothing = (HashKey::new([0; 32]), None);
    let Some(instance) = instance else { return nothing };
    let Ok(Some(key)) = store::read_key(cluster, namespace, instance).await else { return nothing };
    match store::read_all(cluster, namespace, instance).await {
        Ok(kept) => (key, Some(Arc::new(kept.drawn()))),
        Err(_) => nothing,
    }
}

/// Says which applications hold stand-ins.
fn mark_stand_ins(reading: &Reading, arguments: &RenderArguments) {
    for (id, desired) in &reading.desired {
        let asked = arguments.service.as_deref().is_none_or(|service| id.service.as_str() == service);
        if let Desired::Rendered(version) = desired
            && asked
            && version.rendered.stands_in
        {
            let what = if arguments.digest {
                "this is not the digest that is applied"
            } else {
                "stand-ins are shown"
            };
            remark(&format!(
                "note: {id} draws random values or the time: {what}; name a cluster by --context or --kubeconfig"
            ));
        }
    }
}

/// The documents of all applications, merged in Helm's order.
fn as_helm(observer: &Observer, reading: &Reading, arguments: &RenderArguments) -> Result<ExitCode, Failure> {
    let (mut parts, mut looked_up) = (Vec::new(), LookedUp::default());
    let mut compat = crate::helm::Compat::default();
    for (id, desired) in &reading.desired {
        if arguments.service.as_deref().is_some_and(|service| id.service.as_str() != service) {
            continue;
        }
        match desired {
            Desired::Rendered(version) => {
                compat = version.application.compat;
                looked_up.extend(observer.looked_up(id));
                parts.extend(version.rendered.helm.clone());
            }
            Desired::Held(holds) => {
                let words: Vec<String> = holds.iter().map(HoldReason::message).collect();
                return Err(Failure::new(format!("{id}: {}", words.join("; "))));
            }
            Desired::NeverPromoted => {}
        }
    }
    let merged = crate::helm::Rendered::merged(parts, compat);
    let mut bytes = merged.to_helm_output();
    if !looked_up.is_empty() {
        bytes = looked_up.hidden_in(&String::from_utf8_lossy(&bytes), None).into_bytes();
    }
    super::output::print_bytes(&bytes)?;
    Ok(ExitCode::SUCCESS)
}

fn collect(
    reading: &Reading,
    arguments: &RenderArguments,
) -> (Vec<(ApplicationId, RenderedSet)>, Vec<String>) {
    let mut errors: Vec<String> = reading.held.iter().map(HoldReason::message).collect();
    errors.extend(reading.held_environments.values().flatten().map(HoldReason::message));
    let mut sets = Vec::new();
    for (id, desired) in &reading.desired {
        if arguments.service.as_deref().is_some_and(|service| id.service.as_str() != service) {
            continue;
        }
        match desired {
            Desired::Rendered(version) => match version.rendered.packed.unpack() {
                Ok(set) => sets.push((id.clone(), set)),
                Err(error) => errors.push(format!("{id}: {error}")),
            },
            Desired::Held(holds) => {
                errors.extend(holds.iter().map(|hold| format!("{id}: {}", hold.message())))
            }
            Desired::NeverPromoted => {
                remark(&format!("{id} was never promoted: it has neither branch nor pin"))
            }
        }
    }
    (sets, errors)
}

fn show(
    observer: &Observer,
    sets: &[(ApplicationId, RenderedSet)],
    arguments: &RenderArguments,
) -> Result<String, Failure> {
    let failed = |error: &dyn std::error::Error| Failure::new(error.to_string());
    if arguments.digest {
        return Ok(sets.iter().map(|(id, set)| format!("{id} {}\n", set.digest)).collect());
    }
    let mut objects: Vec<(&str, Value)> = Vec::new();
    for (id, set) in sets {
        let looked_up = observer.looked_up(id);
        for manifest in set.manifests.iter() {
            let mut object = (*manifest.object).clone();
            if !looked_up.is_empty() {
                looked_up.hide(&mut object, None);
            }
            objects.push((&manifest.source, object));
        }
    }
    if arguments.output == Format::Json {
        let items: Vec<Value> = objects.into_iter().map(|(_, object)| object).collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        return Ok(serde_json::to_string_pretty(&list).map_err(|error| failed(&error))? + "\n");
    }
    let text = |(source, object): &(&str, Value)| {
        format!("---\n# Source: {source}\n{}", crate::helm::to_yaml(object))
    };
    Ok(objects.iter().map(text).collect())
}
