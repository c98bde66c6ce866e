//! `check --strict`: what Helm accepts in silence, of each environment's umbrella as a whole. Its `values.yaml` counts
//! as given, like every other layer, so that a key that no chart knows is found there as well.

use std::collections::BTreeSet;

use crate::desired::{Application, ConfigRepository, Environment, Layer, Origin, Umbrella};
use crate::helm::{
    Chance, Engine, Finding, KeyPlaces, Member, RenderInput, Strictness, Values, chart_file_findings,
};
use crate::model::source::FileTree;

/// All findings, as lines that begin with their place.
pub(super) fn findings(config: &ConfigRepository, tree: &FileTree) -> Vec<String> {
    let mut all: Vec<BTreeSet<Line>> = Vec::new();
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
    let in_all = |line: &&Line| !line.file.starts_with("base/") || all.iter().all(|one| one.contains(line));
    let lines: BTreeSet<&Line> = all.iter().flatten().filter(in_all).collect();
    lines.into_iter().map(Line::shown).collect()
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    file: String,
    place: (usize, usize),
    message: String,
}

impl Line {
    fn shown(&self) -> String {
        match self.place {
            (0, _) => format!("{}: {}", self.file, self.message),
            (line, column) => format!("{}:{line}:{column}: {}", self.file, self.message),
        }
    }

    fn of(file: &str, finding: Finding) -> Self {
        Self { file: file.to_owned(), place: (finding.line, finding.column), message: finding.message }
    }
}

fn of_environment(
    environment: &Environment,
    umbrella: &Umbrella,
    applications: &[Application],
) -> BTreeSet<Line> {
    let chart_file = format!("environments/{}/Chart.yaml", environment.name);
    let mut lines = BTreeSet::new();
    if let Some(bytes) = environment.folder.get("Chart.yaml").and_then(|file| file.content.bytes().ok()) {
        lines.extend(
            chart_file_findings(&chart_file, bytes).into_iter().map(|finding| Line::of(&chart_file, finding)),
        );
    }
    // A chart that is not here may read any value: without it there is nothing to judge by.
    let (Some(first), true) = (applications.first(), umbrella.needed().is_empty()) else {
        return lines;
    };
    let layers = layers(applications);
    let Some(values) = layers.iter().map(|layer| values(layer)).collect::<Option<Vec<Values>>>() else {
        return lines;
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
        return lines;
    };
    let places: Vec<(&Layer, KeyPlaces)> = layers
        .iter()
        .filter_map(|layer| Some((*layer, KeyPlaces::of(layer.content.content.bytes().ok()?))))
        .collect();
    for finding in rendered.findings {
        lines.insert(placed(environment, umbrella, &places, finding));
    }
    lines
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
) -> Line {
    let folder = format!("environments/{}", environment.name);
    if let Some(file) = &finding.file {
        let below = file.strip_prefix(umbrella.chart().name()).filter(|below| below.starts_with('/'));
        let file = below.map_or_else(|| file.clone(), |below| format!("{folder}{below}"));
        return Line::of(&file, finding);
    }
    let given = places.iter().rev().find_map(|(layer, keys)| {
        let path = match (&layer.under, finding.path.split_first()) {
            (None, _) => finding.path.as_slice(),
            (Some(key), Some((first, rest))) if key == first => rest,
            _ => return None,
        };
        Some((layer.file.clone(), keys.place(path)?))
    });
    let (file, place) = given.unwrap_or((folder, (0, 0)));
    Line { file, place, message: finding.message }
}
