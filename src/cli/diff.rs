//! `moorline diff`: what is wanted against what is live, object by object, as the API server would store it.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::output::{Failure, colours, paint, print, remark};
use super::session::{Session, environment, insist_known, runtime};
use crate::adapters::cluster::{ApplyOptions, ClusterError, ClusterWrite};
use crate::diff::{as_stored, changed_fields, extra_fields, redacted};
use crate::inventory::PackedSet;
use crate::model::error::chain;
use crate::model::manifest::Manifest;
use crate::model::resource::ResourceId;
use crate::reconciler::ApplicationDetail;
use crate::report::hold::HoldStatus;
use crate::settings::CommonArguments;

/// Exit codes: 0 same · 1 differs · 2 an error. KUBECTL_EXTERNAL_DIFF names a program to compare with.
#[derive(Args, Debug)]
pub(super) struct DiffArguments {
    /// Environment
    environment: String,
    /// Service
    service: Option<String>,
    /// Branch, tag or commit of the config repository
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
}

/// One object's two sides.
struct Pair {
    id: ResourceId,
    live: String,
    wanted: String,
    extras: Vec<String>,
}

pub(super) fn run(common: &CommonArguments, arguments: &DiffArguments) -> Result<ExitCode, Failure> {
    compare(common, arguments).map_err(|failure| failure.code(2))
}

fn compare(common: &CommonArguments, arguments: &DiffArguments) -> Result<ExitCode, Failure> {
    let session = Session::open(common)?;
    let name = environment(&arguments.environment)?;
    let (pairs, failures) = runtime()?.block_on(async {
        let outcome = session.look_at(vec![name], arguments.revision.clone()).await?;
        insist_known(&outcome, Some(&arguments.environment), arguments.service.as_deref())?;
        let mut pairs = Vec::new();
        let chosen = |detail: &&ApplicationDetail| {
            arguments.service.as_deref().is_none_or(|service| detail.application.service.as_str() == service)
        };
        for detail in outcome.details.iter().filter(chosen) {
            pairs.extend(pairs_of(&session, detail).await?);
        }
        let mut failures = outcome.failures;
        let plans = outcome.plans.iter();
        let relevant = plans.filter(|plan| {
            arguments.service.as_deref().is_none_or(|service| plan.application.service.as_str() == service)
        });
        for plan in relevant {
            for hold in &plan.holds {
                remark(&format!("{}: {}", plan.application, HoldStatus::from(hold).line()));
                if matches!(
                    hold,
                    crate::model::hold::HoldReason::RenderFailed { .. }
                        | crate::model::hold::HoldReason::ConfigFault { .. }
                ) {
                    failures.push(format!("{} cannot be rendered", plan.application));
                }
            }
        }
        Ok::<_, Failure>((pairs, failures))
    })?;
    let different: Vec<&Pair> = pairs.iter().filter(|pair| pair.live != pair.wanted).collect();
    match std::env::var("KUBECTL_EXTERNAL_DIFF").ok().filter(|program| !program.trim().is_empty()) {
        Some(program) if !different.is_empty() => external(&program, &different)?,
        _ => different.iter().try_for_each(|pair| print(&unified(pair)))?,
    }
    for pair in pairs.iter().filter(|pair| !pair.extras.is_empty()) {
        print(&format!("# extra fields of {} (they stay):\n", pair.id))?;
        pair.extras.iter().try_for_each(|extra| print(&format!("#   {extra}\n")))?;
    }
    if !failures.is_empty() {
        return Err(Failure::new(failures.join("; ")));
    }
    Ok(if different.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn pairs_of(session: &Session, detail: &ApplicationDetail) -> Result<Vec<Pair>, Failure> {
    let cluster = session.world.clusters.connect(detail.context.as_deref()).await;
    let cluster = cluster.map_err(|error| Failure::new(chain(&error)))?;
    let mut pairs = Vec::new();
    let set = detail.set.as_ref().map(PackedSet::unpack).transpose();
    let set = set.map_err(|error| Failure::new(chain(&error)))?;
    for manifest in set.iter().flat_map(|set| set.manifests.iter()) {
        pairs.push(pair(&*cluster, manifest, detail).await?);
    }
    for id in &detail.leaving {
        let live = cluster.get(id, None).await.map_err(|error| Failure::new(chain(&error)))?;
        if let Some(live) = live {
            let live = yaml(&shown(&live, detail));
            pairs.push(Pair { id: id.clone(), live, wanted: String::new(), extras: Vec::new() });
        }
    }
    Ok(pairs)
}

/// An object without the values that nobody may see.
fn shown(object: &Value, detail: &ApplicationDetail) -> Value {
    redacted(object, &detail.key, &detail.looked_up)
}

async fn pair(
    cluster: &dyn ClusterWrite,
    manifest: &Manifest,
    detail: &ApplicationDetail,
) -> Result<Pair, Failure> {
    let failed = |error: &ClusterError| Failure::new(format!("{}: {}", manifest.id, chain(error)));
    let id = manifest.id.clone();
    let live = match cluster.get(&id, Some(&manifest.api_version)).await {
        Ok(live) => live,
        // A kind that is not there yet has no objects.
        Err(ClusterError::KindUnknown { .. }) => None,
        Err(ClusterError::Forbidden { message }) => {
            remark(&format!("{id} is left out: {message}"));
            return Ok(Pair { id, live: String::new(), wanted: String::new(), extras: Vec::new() });
        }
        Err(error) => return Err(failed(&error)),
    };
    let options = ApplyOptions { force: true, dry_run: true };
    let wanted = match cluster.apply(&as_stored(&manifest.object), options).await {
        Ok(applied) => applied.object,
        Err(ClusterError::KindUnknown { .. } | ClusterError::Missing { .. }) => (*manifest.object).clone(),
        Err(ClusterError::Forbidden { .. }) => return Ok(by_fields(manifest, live.as_ref(), detail)),
        Err(error) => return Err(failed(&error)),
    };
    let extras = live.as_ref().map(extras_of).unwrap_or_default();
    let live = live.map(|live| yaml(&without_counters(shown(&live, detail)))).unwrap_or_default();
    Ok(Pair { id, live, wanted: yaml(&without_counters(shown(&wanted, detail))), extras })
}

/// Where a dry run is not allowed, fields are compared by name.
fn by_fields(manifest: &Manifest, live: Option<&Value>, detail: &ApplicationDetail) -> Pair {
    let id = manifest.id.clone();
    let Some(live) = live else {
        let wanted = yaml(&shown(&manifest.object, detail));
        return Pair { id, live: String::new(), wanted, extras: Vec::new() };
    };
    let fields = changed_fields(&manifest.object, live);
    let lines: String = fields.iter().map(|field| format!("{field} differs\n")).collect();
    Pair { id, live: String::new(), wanted: lines, extras: extras_of(live) }
}

fn extras_of(live: &Value) -> Vec<String> {
    extra_fields(live)
        .into_iter()
        .map(|extra| {
            format!(
                "{} by {}{}",
                extra.field,
                extra.manager,
                extra.time.map(|time| format!(" at {time}")).unwrap_or_default()
            )
        })
        .collect()
}

/// A dry run raises these without anything being different.
fn without_counters(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for counter in ["resourceVersion", "generation", "uid", "creationTimestamp"] {
            metadata.shift_remove(counter);
        }
    }
    if let Some(map) = object.as_object_mut() {
        map.shift_remove("status");
    }
    object
}

fn yaml(object: &Value) -> String {
    serde_yaml::to_string(object).unwrap_or_default()
}

fn unified(pair: &Pair) -> String {
    let diff = similar::TextDiff::from_lines(&pair.live, &pair.wanted);
    let text = diff
        .unified_diff()
        .context_radius(3)
        .header(&format!("live {}", pair.id), &format!("wanted {}", pair.id))
        .to_string();
    let colours = colours();
    let paint_line = |line: &str| {
        let code = match line.as_bytes().first() {
            Some(b'+') => "32",
            Some(b'-') => "31",
            Some(b'@') => "36",
            _ => return format!("{line}\n"),
        };
        format!("{}\n", paint(line, code, colours))
    };
    text.lines().map(paint_line).collect()
}

/// Runs the person's own program over two folders, as kubectl does.
fn external(program: &str, pairs: &[&Pair]) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("KUBECTL_EXTERNAL_DIFF: {error}"));
    let root = tempfile::tempdir().map_err(|error| failed(&error))?;
    let folders = [root.path().join("LIVE"), root.path().join("MERGED")];
    for folder in &folders {
        std::fs::create_dir(folder).map_err(|error| failed(&error))?;
    }
    for pair in pairs {
        let id = &pair.id;
        let name = format!(
            "{}.{}.{}.{}",
            id.kind.group,
            id.kind.kind,
            id.namespace.as_deref().unwrap_or(""),
            id.name
        );
        for (folder, text) in folders.iter().zip([&pair.live, &pair.wanted]) {
            let mut file = std::fs::File::create(folder.join(&name)).map_err(|error| failed(&error))?;
            file.write_all(text.as_bytes()).map_err(|error| failed(&error))?;
        }
    }
    let mut words = program.split_whitespace();
    let mut command = std::process::Command::new(words.next().unwrap_or("diff"));
    let status = command.args(words).args(&folders).status().map_err(|error| failed(&error))?;
    // Like diff: 0 and 1 are answers, anything else is an error.
    match status.code() {
        Some(0 | 1) => Ok(()),
        _ => Err(failed(&format!("{program} ended with {status}"))),
    }
}
