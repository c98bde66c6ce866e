//! `check --strict`: what Helm accepts in silence, of each environment's umbrella as a whole. Its `values.yaml` counts
//! as given, like every other layer, so that a key that no chart knows is found there as well.

use crate::desired::{Application, ConfigRepository, Environment, Layer, Origin, Umbrella};
use crate::helm::{
    Chance, Engine, Finding, KeyPlaces, Member, RenderInput, Strictness, Values, chart_file_findings,
};
use crate::model::source::FileTree;

/// All findings, as lines that begin with their place.
pub(super) fn findings(config: &ConfigRepository, tree: &FileTree) -> Vec<String> {
    let mut all: Vec<Vec<Finding>> = Vec::new();
    for environment in config.environments.values() {
        let Some(umbrella) = &environment.umbrella else { continue };
        let applications: Vec<Application> = config
            .applications(tree, &environment.name)
            .0
            .into_iter()
            .filter(|application| {
                matches!(application.origin, Origin::Dependency { .. } | Origin::Environment)
            })
            .collect();
        all.push(of_environment(environment, umbrella, &applications));
    }
    // What is common to the environments may well be for one of them only.
    let in_all = |finding: &&Finding| {
        let is_common = finding.file.as_ref().is_some_and(|file| file.starts_with("base/"));
        !is_common || all.iter().all(|one| one.contains(finding))
    };
    let mut found: Vec<&Finding> = all.iter().flatten().filter(in_all).collect();
    found.sort_by_key(|finding| told(finding));
    found.dedup_by_key(|finding| told(finding));
    found.into_iter().map(ToString::to_string).collect()
}

/// What a person sees of a finding, by which they are sorted.
fn told(finding: &Finding) -> (&Option<String>, usize, usize, &str) {
    (&finding.file, finding.line, finding.column, &finding.message)
}

fn of_environment(
    environment: &Environment,
    umbrella: &Umbrella,
    applications: &[Application],
) -> Vec<Finding> {
    let chart_file = format!("environments/{}/Chart.yaml", environment.name);
    let mut found = Vec::new();
    if let Some(bytes) = environment.folder.get("Chart.yaml").and_then(|file| file.content.bytes().ok()) {
        found.extend(chart_file_findings(&chart_file, bytes));
    }
    // A chart that is not here may read any value: without it there is nothing to judge by.
    let (Some(first), true) = (applications.first(), umbrella.needed().is_empty()) else {
        return found;
    };
    let layers = layers(applications);
    let Some(values) = layers.iter().map(|layer| values(layer)).collect::<Option<Vec<Values>>>() else {
        return found;
    };
    let input = RenderInput {
        release: first.release.clone(),
        namespace: first.namespace.to_string(),
        layers: values,
        member: Member::Whole,
        include_crds: true,
        strictness: Strictness::Strict,
        chance: Chance::StandIns,
        ..RenderInput::default()
    };
    // A render that fails is a fault, which is told of without this.
    let chart = umbrella.chart().without_values();
    let Ok(rendered) = Engine::new(first.compat).render(&chart, &input) else {
        return found;
    };
    let places: Vec<(&Layer, KeyPlaces)> = layers
        .iter()
        .filter_map(|layer| Some((*layer, KeyPlaces::of(layer.content.content.bytes().ok()?))))
        .collect();
    found
        .extend(rendered.findings.into_iter().map(|finding| placed(environment, umbrella, &places, finding)));
    found
}

/// The layers of all applications, each once, in Helm's order: what is common before an environment's own, what is
/// for all services before what is for one.
fn layers(applications: &[Application]) -> Vec<&Layer> {
    let mut layers: Vec<&Layer> = Vec::new();
    for layer in applications.iter().flat_map(|application| &application.layers) {
        if !layers.iter().any(|known| known.file == layer.file) {
            layers.push(layer);
        }
    }
    layers.sort_by_key(|layer| (!layer.file.starts_with("base/"), layer.under.is_some()));
    layers
}

fn values(layer: &Layer) -> Option<Values> {
    let values = Values::parse_strict(layer.content.content.bytes().ok()?).ok()?;
    Some(match &layer.under {
        Some(key) => values.under(key),
        None => values,
    })
}

/// A finding in a template stands in that file; one about a given value where the last layer gives it.
fn placed(
    environment: &Environment,
    umbrella: &Umbrella,
    places: &[(&Layer, KeyPlaces)],
    finding: Finding,
) -> Finding {
    let folder = format!("environments/{}", environment.name);
    if let Some(file) = &finding.file {
        let below = file.strip_prefix(umbrella.chart().name()).filter(|below| below.starts_with('/'));
        let file = below.map_or_else(|| file.clone(), |below| format!("{folder}{below}"));
        return Finding { file: Some(file), ..finding };
    }
    let given = places.iter().rev().find_map(|(layer, keys)| {
        let path = match (&layer.under, finding.path.split_first()) {
            (None, _) => finding.path.as_slice(),
            (Some(key), Some((first, rest))) if key == first => rest,
            _ => return None,
        };
        Some((layer.file.clone(), keys.place(path)?))
    });
    let (file, (line, column)) = given.unwrap_or((folder, (0, 0)));
    Finding { file: Some(file), line, column, ..finding }
}
