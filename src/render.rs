//! An application and its files → the ordered manifests that are applied: charts and plain YAML rendered, the
//! image of the wanted commit set, namespaces and labels filled in, and what may not be written refused.

mod chart;
mod error;
mod image;
mod lookup;
mod permission;
mod plain;
mod scope;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

pub use error::RenderError;

use crate::desired::{Application, Image, Origin, Supply, Umbrella};
use crate::helm;
use crate::model::chart::ChartNeed;
use crate::model::digest::{Digest, DigestBuilder, canonical_json};
use crate::model::image::ImageDigest;
use crate::model::kinds::KindTable;
use crate::model::manifest::{APPLICATION_LABEL, HookPhase, INSTANCE_LABEL, Manifest, RenderedSet};
use crate::model::name::{InstanceName, NamespaceName};
use crate::model::policy::Hooks;
use crate::model::resource::GroupKind;
use crate::model::source::{CommitSha, FileTree};

/// Raised when the same inputs render to something else than before.
const RENDERER: &str = "2";

/// The commit that an application wants, and its images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedCode {
    /// The commit.
    pub commit: Option<CommitSha>,
    /// The images, in the order of the application's.
    pub images: Vec<WantedImage>,
}

/// One image of the wanted commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedImage {
    /// The tag.
    pub tag: String,
    /// The digest, where it is known: then that is deployed, whatever becomes of the tag.
    pub digest: Option<ImageDigest>,
}

impl WantedCode {
    /// A commit with its images by their tags alone.
    pub fn tagged(application: &Application, commit: CommitSha) -> Self {
        let image = |image: &Image| WantedImage { tag: image.tag(commit), digest: None };
        Self { commit: Some(commit), images: application.images.iter().map(image).collect() }
    }

    /// The references of an application's images, as `repository:tag@digest`.
    pub fn references(&self, application: &Application) -> Vec<String> {
        let reference = |(image, wanted): (&Image, &WantedImage)| match &wanted.digest {
            Some(digest) => format!("{}:{}@{digest}", image.repository, wanted.tag),
            None => format!("{}:{}", image.repository, wanted.tag),
        };
        application.images.iter().zip(&self.images).map(reference).collect()
    }
}

/// Answers to `lookup`; an empty object means that nothing was found.
pub type Answers = BTreeMap<helm::Lookup, Value>;

/// All that rendering may look at.
pub struct RenderInput<'a> {
    /// The instance.
    pub instance: &'a InstanceName,
    /// moorline's own namespace.
    pub own_namespace: &'a NamespaceName,
    /// The application.
    pub application: &'a Application,
    /// The umbrella of its environment, where its folder is one.
    pub umbrella: Option<&'a Umbrella>,
    /// The folder of its environment.
    pub folder: &'a FileTree,
    /// The files that hold its chart or manifests, where they are not in the folder of its environment: a folder of
    /// the code repository, or one of plain YAML.
    pub files: &'a FileTree,
    /// The wanted commit.
    pub code: &'a WantedCode,
    /// What the cluster serves, where it is reachable.
    pub kinds: Option<&'a KindTable>,
    /// The version of the cluster, as `v1.37.2`.
    pub kubernetes: Option<&'a str>,
    /// Charts of chart repositories that the application asked for so far.
    pub supply: &'a Supply,
    /// Answers to the questions that the chart asked so far; absent without a cluster: then nothing is ever found.
    pub lookups: Option<&'a Answers>,
    /// Whether random values and times of charts are remembered, new, or stand-ins.
    pub chance: helm::Chance,
    /// Where new random values come from; secret.
    pub seed: [u8; 32],
    /// The time, in seconds since 1970, for what is drawn now.
    pub now: i64,
    /// How long its chart may take to render.
    pub time: Option<helm::TimeLimit>,
}

/// The result of rendering.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The manifests.
    pub set: RenderedSet,
    /// The chart as `name-version`.
    pub chart: Option<String>,
    /// The references of its images.
    pub images: Vec<String>,
    /// What a person should know: hooks that were left out.
    pub notices: Vec<String>,
    /// What it asked of the cluster's discovery.
    pub seen: Seen,
    /// What its chart drew, where that is remembered.
    pub drawn: helm::Remembered,
    /// Whether it holds stand-ins for what would be drawn.
    pub stands_in: bool,
}

/// What came of rendering.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The manifests.
    Rendered(Box<Rendered>),
    /// Something is missing: find it, and render again with it and with what was given before.
    Needs(Needs),
}

/// What has to be found before an application can be rendered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Questions of its chart to the cluster.
    pub lookups: BTreeSet<helm::Lookup>,
    /// Charts of chart repositories.
    pub dependencies: BTreeSet<ChartNeed>,
}

impl Needs {
    fn is_empty(&self) -> bool {
        self.lookups.is_empty() && self.dependencies.is_empty()
    }
}

/// A document before labels and namespaces.
struct Draft {
    source: String,
    object: Value,
}

impl RenderInput<'_> {
    /// The digest of all inputs but what is drawn: equal digests render equally where nothing is.
    pub fn digest(&self) -> Digest {
        let mut builder = DigestBuilder::default();
        builder.add(RENDERER.as_bytes());
        builder.add(env!("CARGO_PKG_VERSION").as_bytes());
        builder.add(self.instance.as_str().as_bytes());
        builder.add(format!("{:?}", self.application).as_bytes());
        builder.add(format!("{:?}", self.code).as_bytes());
        let files = match (&self.application.origin, self.umbrella) {
            (Origin::Dependency { key }, Some(umbrella)) => umbrella.inputs(self.folder, Some(key)),
            (Origin::Dependency { .. } | Origin::Environment, _) => self.folder.digest(),
            _ => self.files.digest(),
        };
        builder.add(files.hex().as_bytes());
        if let (Origin::Chart { .. } | Origin::Released(_), Some(umbrella)) =
            (&self.application.origin, self.umbrella)
        {
            builder.add(
                umbrella.inputs(self.folder, Some(self.application.id.service.as_str())).hex().as_bytes(),
            );
        }
        for (need, supplied) in self.supply {
            builder.add(need.to_string().as_bytes()).add(supplied.digest.hex().as_bytes());
        }
        // Stand-ins are no version of anything.
        builder.add(&[u8::from(self.chance == helm::Chance::StandIns)]);
        for (question, answer) in self.lookups.into_iter().flatten() {
            builder.add(format!("{question:?}").as_bytes());
            builder.add(canonical_json(answer).as_bytes());
        }
        builder.finish()
    }

    /// The digest of what the cluster answers to all that a render asked it.
    pub fn facts(&self, seen: &Seen) -> Digest {
        let mut builder = DigestBuilder::default();
        let Some(kinds) = self.kinds else { return builder.finish() };
        let capabilities = &seen.capabilities;
        if capabilities.version {
            builder.add(self.kubernetes.unwrap_or("").as_bytes());
        }
        if capabilities.all {
            builder.add(kinds.api_versions_text().as_bytes());
        }
        for asked in &capabilities.asked {
            builder.add(asked.as_bytes()).add(&[u8::from(kinds.has_api(asked))]);
        }
        for kind in &seen.kinds {
            builder
                .add(kind.to_string().as_bytes())
                .add(format!("{:?}", kinds.is_namespaced(kind)).as_bytes());
        }
        builder.finish()
    }
}

/// What a render asked of the cluster's discovery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// `.Capabilities`, as its chart did.
    pub capabilities: helm::CapabilitiesSeen,
    /// Whether these kinds live in a namespace.
    pub kinds: BTreeSet<GroupKind>,
}

impl Seen {
    /// As if everything had been asked: what is known of a render that failed.
    pub fn everything() -> Self {
        Self { capabilities: helm::CapabilitiesSeen::everything(), kinds: BTreeSet::new() }
    }
}

/// Renders an application.
pub fn render(input: &RenderInput<'_>) -> Result<Outcome, RenderError> {
    let application = input.application;
    let (mut chart, mut needs) = (None, Needs::default());
    let mut seen = Seen::default();
    let (mut drawn, mut has_drawn) = (helm::Remembered::default(), false);
    let mut of_chart = || -> Result<Vec<Draft>, RenderError> {
        let of_chart = chart::render(input)?;
        chart = of_chart.chart;
        needs = of_chart.needs;
        drawn = of_chart.rendered.drawn.clone();
        has_drawn = of_chart.rendered.has_drawn;
        seen.capabilities = of_chart.rendered.seen.clone();
        Ok(chart::drafts(of_chart.rendered))
    };
    let drafts = match &application.origin {
        Origin::Manifests(source) => plain::read(input.files, &source.path, &application.id.environment)?,
        Origin::Environment => {
            let own = input.umbrella.is_some_and(Umbrella::has_own_templates);
            let mut drafts = if own { of_chart()? } else { Vec::new() };
            drafts.extend(plain::read_environment(input.folder, &application.id.environment)?);
            drafts
        }
        Origin::Dependency { .. } | Origin::Chart { .. } | Origin::Released(_) => of_chart()?,
    };
    if !needs.is_empty() {
        return Ok(Outcome::Needs(needs));
    }
    let references = input.code.references(application);
    seen.kinds = drafts.iter().filter_map(|draft| scope::kind_of(&draft.object)).collect();
    let (manifests, notices) = finish(input, drafts, &references)?;
    let set = RenderedSet::new(manifests);
    let stands_in = has_drawn && input.chance == helm::Chance::StandIns;
    Ok(Outcome::Rendered(Box::new(Rendered {
        set,
        chart,
        images: references,
        notices,
        seen,
        drawn,
        stands_in,
    })))
}

/// Renders an application as Helm's own documents, before anything is filled in; nothing for plain YAML.
pub fn render_as_helm(input: &RenderInput<'_>) -> Result<helm::Rendered, RenderError> {
    Ok(chart::render(input)?.rendered)
}

/// Turns documents into manifests.
fn finish(
    input: &RenderInput<'_>,
    drafts: Vec<Draft>,
    references: &[String],
) -> Result<(Vec<Manifest>, Vec<String>), RenderError> {
    let scopes = scope::Scopes::new(&drafts, input.kinds);
    let mut notices = Vec::new();
    let mut manifests: BTreeMap<_, Manifest> = BTreeMap::new();
    for mut draft in drafts {
        for (image, reference) in input.application.images.iter().zip(references) {
            image::set(&mut draft.object, image, reference);
        }
        scopes.fill_namespace(&mut draft.object, &input.application.namespace);
        let manifest = Manifest::parse(draft.object, &draft.source)?;
        match manifest.hook() {
            None => {}
            Some(HookPhase::Test) => continue,
            Some(HookPhase::Before) if input.application.policy.hooks == Hooks::Hold => {
                return Err(RenderError::Hook { object: manifest.id });
            }
            Some(_) => {
                notices.push(format!("the hook {} is left out: hooks are not run yet", manifest.id));
                continue;
            }
        }
        permission::check(input, &manifest)?;
        let manifest = labelled(manifest, input)?;
        if let Some(other) = manifests.get(&manifest.id) {
            return Err(RenderError::Twice {
                object: manifest.id.clone(),
                first: other.source.to_string(),
                second: manifest.source.to_string(),
            });
        }
        manifests.insert(manifest.id.clone(), manifest);
    }
    Ok((manifests.into_values().collect(), notices))
}

fn labelled(manifest: Manifest, input: &RenderInput<'_>) -> Result<Manifest, RenderError> {
    let mut object = (*manifest.object).clone();
    let application = input.application.id.label();
    let metadata = object.get_mut("metadata").and_then(Value::as_object_mut);
    if let Some(metadata) = metadata {
        // What the API server itself writes does not belong in a manifest.
        for field in
            ["creationTimestamp", "managedFields", "resourceVersion", "uid", "generation", "selfLink"]
        {
            metadata.shift_remove(field);
        }
        let labels = metadata.entry("labels").or_insert_with(|| json!({}));
        if labels.is_null() {
            *labels = json!({});
        }
        if let Some(labels) = labels.as_object_mut() {
            labels.insert(INSTANCE_LABEL.to_owned(), json!(input.instance.as_str()));
            labels.insert(APPLICATION_LABEL.to_owned(), json!(application));
        }
    }
    if let Some(map) = object.as_object_mut() {
        map.shift_remove("status");
    }
    let object = crate::diff::without_ignored(&manifest.id, &object, &input.application.policy.ignore);
    Ok(Manifest::parse(object, &manifest.source)?)
}

#[cfg(test)]
mod tests;
