//! Charts: an application as the member of its environment's umbrella.

use std::collections::BTreeSet;

use crate::desired::{
    Application, Home, Layer, Origin, Outside, Umbrella, UnusableChart, ValuesSchema, chart_of, outside,
};
use crate::helm::{
    Capabilities, Chart, Compat, Engine, Lookups, Member, RenderFault, RenderInput as HelmInput,
    Rendered as HelmRendered, Values,
};

use super::lookup;
use super::{Draft, Needs, RenderError, RenderInput};
use crate::diff::LookedUp;

/// What Helm makes of a chart.
pub(super) struct OfChart {
    /// Helm's documents.
    pub(super) rendered: HelmRendered,
    /// The chart as `name-version`.
    pub(super) chart: Option<String>,
    /// What has to be found first: the documents are not to be used.
    pub(super) needs: Needs,
}

impl OfChart {
    fn needing(needs: Needs) -> Self {
        Self { rendered: HelmRendered::merged([], Compat::default()), chart: None, needs }
    }
}

/// Renders the chart of an application as Helm does.
pub(super) fn render(input: &RenderInput<'_>) -> Result<OfChart, RenderError> {
    let application = input.application;
    let named = |chart: &Chart| format!("{}-{}", chart.name(), chart.version());
    let umbrella = umbrella(input)?;
    let (chart, name, member) = match &application.origin {
        Origin::Dependency { key } => {
            let dependency = umbrella.dependencies().iter().find(|dependency| dependency.key() == key);
            let name = dependency.and_then(|dependency| umbrella.dependency_chart(dependency)).map(named);
            (umbrella, name, Member::Dependency(key.clone()))
        }
        Origin::Environment => {
            let name = named(&umbrella);
            (umbrella, Some(name), Member::Own)
        }
        Origin::Chart { path } => {
            let key = application.id.service.to_string();
            let chart = match of_code(input, path.as_str())? {
                Ok(chart) => chart,
                Err(needs) => return Ok(OfChart::needing(needs)),
            };
            let name = named(&chart);
            let whole = umbrella.with_dependency_charts([(key.clone(), chart)]);
            (whole, Some(name), Member::Dependency(key))
        }
        Origin::Released(need) => {
            let key = application.id.service.to_string();
            let Some(supplied) = input.supply.get(need) else {
                let dependencies = BTreeSet::from([need.clone()]);
                return Ok(OfChart::needing(Needs { dependencies, ..Needs::default() }));
            };
            let name = named(&supplied.chart);
            let whole = umbrella.with_dependency_charts([(key.clone(), supplied.chart.clone())]);
            (whole, Some(name), Member::Dependency(key))
        }
        Origin::Manifests(_) => return Ok(OfChart::needing(Needs::default())),
    };
    let helm = HelmInput {
        release: application.release.clone(),
        namespace: application.namespace.to_string(),
        layers: layers(input)?,
        member,
        include_crds: true,
        skip_schema: application.schema == ValuesSchema::Skip,
        chance: input.chance.clone(),
        seed: input.seed,
        now: input.now,
        lookups: input
            .lookups
            .map_or_else(Lookups::offline, |answers| Lookups { answers: answers.clone(), offline: false }),
        ..HelmInput::default()
    };
    let (missing, rendered) = match engine(input).render(&chart, &helm) {
        Ok(rendered) => (rendered.lookups_missing.clone(), Ok(rendered)),
        Err(error) => (error.lookups_missing.clone(), Err(broken(input, &error))),
    };
    for question in &missing {
        lookup::check(input, question)?;
    }
    if missing.is_empty() {
        return Ok(OfChart { rendered: rendered?, chart: name, needs: Needs::default() });
    }
    Ok(OfChart::needing(Needs { lookups: missing.into_iter().collect(), ..Needs::default() }))
}

/// The chart of a code repository with its dependencies, or the charts that have to be fetched for it.
fn of_code(input: &RenderInput<'_>, path: &str) -> Result<Result<Chart, Needs>, RenderError> {
    let chart = chart_of(input.files).map_err(|why| unusable(path, &why))?;
    let home = Home { folder: input.files, tree: None, path };
    let mut supplied = Vec::new();
    let mut needs = Needs::default();
    for (dependency, outside) in outside(&chart, &home, input.supply) {
        match outside {
            Outside::At(found, _) => supplied.push((dependency.key().to_owned(), found.chart)),
            Outside::Needed(need) => {
                needs.dependencies.insert(need);
            }
            Outside::Fault { file, message, hint } => {
                let file = file.unwrap_or("Chart.yaml");
                let message = format!("{path}/{file}: {message}");
                return Err(RenderError::Broken { message, hint: Some(hint) });
            }
        }
    }
    if !needs.is_empty() {
        return Ok(Err(needs));
    }
    Ok(Ok(if supplied.is_empty() { chart } else { chart.with_dependency_charts(supplied) }))
}

const SCHEMA_HINT: &str = "if the chart's schema is wrong, or refers to another host, `schema: skip` in the services file leaves it out";

/// The error without values that were looked up from Secrets: a template may fail with one in its words.
fn broken(input: &RenderInput<'_>, error: &crate::helm::RenderError) -> RenderError {
    let looked_up = LookedUp::from_secrets(input.lookups.into_iter().flat_map(|answers| answers.values()));
    let message = looked_up.hidden_in(&error.to_string(), None);
    let missing = error.explanation.missing.as_ref();
    let hint = missing.map(|missing| looked_up.hidden_in(&missing.to_string(), None));
    let of_schema = (error.fault == RenderFault::Values).then(|| SCHEMA_HINT.to_owned());
    RenderError::Broken { message, hint: hint.or(of_schema) }
}

/// The documents of a render, comments and notes left out.
pub(super) fn drafts(rendered: HelmRendered) -> Vec<Draft> {
    let all = rendered.crds.into_iter().chain(rendered.documents).chain(rendered.hooks);
    all.filter(|document| !document.object.is_null())
        .map(|document| Draft { source: document.source, object: document.object })
        .collect()
}

fn umbrella(input: &RenderInput<'_>) -> Result<Chart, RenderError> {
    match input.umbrella {
        Some(umbrella) => Ok(umbrella.chart().clone()),
        None => Umbrella::plain(&input.application.id.environment)
            .map_err(|error| RenderError::Broken { message: error.to_string(), hint: None }),
    }
}

fn unusable(path: &str, why: &UnusableChart) -> RenderError {
    let message = match why {
        UnusableChart::File(file, why) => format!("{path}/{file} {why}"),
        UnusableChart::Chart(error) => match error.place() {
            Some((file, line, column)) => format!("{path}/{file}:{line}:{column}: {error}"),
            None => format!("{path}: {error}"),
        },
    };
    let hint = matches!(why, UnusableChart::Chart(crate::helm::ChartError::NoChartFile))
        .then(|| "`chart.path` names the folder that holds Chart.yaml".to_owned());
    RenderError::Broken { message, hint }
}

/// The layers in Helm's order, and the image of the wanted commit on top.
fn layers(input: &RenderInput<'_>) -> Result<Vec<Values>, RenderError> {
    let application = input.application;
    let mut layers = application.layers.iter().map(layer).collect::<Result<Vec<_>, _>>()?;
    layers
        .extend(image_values(application, input).map(|values| values.under(application.id.service.as_str())));
    Ok(layers)
}

fn layer(layer: &Layer) -> Result<Values, RenderError> {
    let broken = |message| RenderError::Broken { message, hint: None };
    let file = &layer.file;
    let bytes = layer.content.content.bytes().map_err(|why| broken(format!("{file} {why}")))?;
    let values = Values::parse_strict(bytes)
        .map_err(|error| broken(format!("{file}:{}:{}: {}", error.line, error.column, error.message)))?;
    Ok(match &layer.under {
        Some(key) => values.under(key),
        None => values,
    })
}

fn image_values(application: &Application, input: &RenderInput<'_>) -> Option<Values> {
    let mut values = Values::default();
    let mut set = |path: &Option<String>, value: String| {
        if let Some(path) = path {
            values = std::mem::take(&mut values).set_path(path, &value);
        }
    };
    for (image, wanted) in application.images.iter().zip(&input.code.images) {
        let source = &image.source;
        set(&source.repository_value, image.repository.to_string());
        set(&source.tag_value, wanted.tag.clone());
        if let Some(digest) = &wanted.digest {
            set(&source.digest_value, digest.to_string());
        }
    }
    (!input.code.images.is_empty()).then_some(values)
}

fn engine(input: &RenderInput<'_>) -> Engine {
    let compat = input.application.compat;
    let mut engine = Engine::new(compat);
    if let (Some(kinds), Some(version)) = (input.kinds, input.kubernetes) {
        let offline = Capabilities::offline(compat);
        let versioned = offline.clone().with_kube_version(version).unwrap_or(offline);
        engine = engine.with_capabilities(versioned.serving(kinds.api_versions()));
    }
    match &input.time {
        Some(time) => engine.with_time_limit(time.clone()),
        None => engine,
    }
}
