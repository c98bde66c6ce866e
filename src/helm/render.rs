//! The pipeline from a chart and its input to documents.

#![expect(
    clippy::format_push_string,
    reason = "short strings; writing in place would give a result to ignore"
)]

use std::cmp::Reverse;
use std::rc::Rc;
use std::sync::Arc;

use foldhash::HashMap;

use super::Compat;
use super::capabilities::{Capabilities, CapabilitiesSeen};
use super::chance::Draws;
use super::chart::metadata::as_struct;
use super::chart::{Chart, ChartTemplate};
use super::dependencies::{Instance, user_values};
use super::engine::Engine;
use super::failure::{Failure, Limit, Place};
use super::functions::RegexCache;
use super::notices::Notices;
use super::output::{Reading, Rendered, Writer};
use super::stack::on_large_stack;
use super::strict::{self, Mentions, Reads, Strictness};
use super::template::machine::{Knots, Machine, Scope, Spare};
use super::template::memo::Memo;
use super::template::{Source, Template, Words};
use super::value::{Map, MapKind, Object, Text, Value};
use super::values::coalesce::coalesce_values;

mod explanation;
mod input;
mod messages;

pub use explanation::{Excerpt, Explanation, MissingValue, TraceStep, UnfitValue};
pub use input::{Member, RenderError, RenderFault, RenderInput};
use messages::{message_v3, message_v4};

/// Nested templates, blocks and parentheses that fit on any thread's stack.
const SHALLOW: usize = if cfg!(debug_assertions) { 60 } else { 160 };

/// Renders a chart on the caller's stack, or on a larger one if it nests deeply.
pub(super) fn render(engine: &Engine, chart: &Chart, input: &RenderInput) -> Result<Rendered, RenderError> {
    let most = engine.limits.depth;
    match (Render { engine, chart, input, depth: SHALLOW.min(most) }).run() {
        Err(error) if error.fault == RenderFault::Limit(Limit::Depth) && most > SHALLOW => {
            (Render { engine, chart, input, depth: most }).run_deep()
        }
        result => result,
    }
}

/// What a render looks at first.
pub(super) fn check(engine: &Engine, chart: &Chart, input: &RenderInput) -> Result<(), RenderError> {
    Render { engine, chart, input, depth: SHALLOW }.check_chart()
}

struct Render<'a> {
    engine: &'a Engine,
    chart: &'a Chart,
    input: &'a RenderInput,
    depth: usize,
}

/// A template file in its place.
struct Renderable<'c> {
    name: Text,
    base_path: Text,
    file: &'c ChartTemplate,
    root: Map,
    executed: bool,
}

impl Render<'_> {
    /// Renders on a thread with a large stack.
    fn run_deep(&self) -> Result<Rendered, RenderError> {
        let failed = || {
            RenderError::new(RenderFault::Limit(Limit::Depth), self.chart.name(), "cannot reserve a stack")
        };
        on_large_stack(|| self.run()).unwrap_or_else(|| Err(failed()))
    }

    fn run(&self) -> Result<Rendered, RenderError> {
        let notices = Notices::new(self.engine.compat);
        match self.stages(&notices) {
            Ok(mut rendered) => {
                rendered.notices = notices.lines();
                Ok(rendered)
            }
            Err(mut error) => {
                error.notices = notices.lines();
                Err(error)
            }
        }
    }

    fn stages(&self, notices: &Notices) -> Result<Rendered, RenderError> {
        self.check_chart()?;
        let values = user_values(&self.input.layers);
        let compat = self.engine.compat;
        let narrow = match &self.input.member {
            Member::Dependency(key) => Instance::of_member(self.chart, key, compat),
            Member::Whole | Member::Own => None,
        };
        let mut instance = narrow.unwrap_or_else(|| Instance::new(self.chart, self.chart.name()));
        let of_values = |message: String| RenderError::of_values(self.chart.name(), message);
        let of_dependencies = |message: String| {
            if compat == Compat::V3_19 {
                return of_values(message);
            }
            let whole = "chart dependencies processing failed";
            notices.structured("ERROR", whole, &[("error", &message)], "");
            of_values(format!("{whole}: {message}"))
        };
        instance.keep_enabled(&values, "", notices).map_err(of_dependencies)?;
        self.keep_member(&mut instance)?;
        instance.import_values(notices).map_err(of_dependencies)?;
        let coalesced = coalesce_values(&instance, &values, notices).map_err(of_values)?;
        let capabilities = self.engine.capabilities.clone().unwrap_or_else(|| Capabilities::offline(compat));
        if !self.input.skip_schema {
            let (mut misfits, mut values) = (String::new(), Vec::new());
            collect_misfits((&instance, notices), &coalesced, "", &mut misfits, &mut values);
            if !misfits.is_empty() {
                return Err(of_values(format!(
                    "values don't meet the specifications of the schema(s) in the following chart(s):\n{misfits}"
                ))
                .explained(Explanation { unfit: values, ..Explanation::default() }));
            }
        }
        self.check_kube_version(&capabilities)?;

        let reading = Reading::new(compat, self.input.texts_only, self.engine.limits.documents);
        let mut writer = Writer::new(reading, self.engine.second_thread, self.input.strictness);
        if self.input.include_crds || self.input.member != Member::Whole {
            self.collect_crds(&instance, &instance.name, &mut writer)?;
        }
        self.execute(&instance, &coalesced, &capabilities, &mut writer, &values)?;
        let mut rendered = writer.finish(self.chart.name(), notices)?;
        if !self.input.include_crds {
            rendered.crds.clear();
        }
        Ok(rendered)
    }

    fn check_chart(&self) -> Result<(), RenderError> {
        let fault = |message: String| RenderError::new(RenderFault::Chart, self.chart.name(), message);
        if self.engine.compat > Compat::V3_19 {
            if !self.chart.has_known_format() {
                return Err(fault("unsupported chart version".to_owned()));
            }
            self.chart.0.metadata.validate_for_v4().map_err(fault)?;
        }
        if self.chart.is_library() {
            return Err(fault("library charts are not installable".to_owned()));
        }
        if self.engine.compat > Compat::V3_19 && self.chart.0.metadata.api_version == "v3" {
            return Err(fault("invalid chart apiVersion".to_owned()));
        }
        match &self.input.member {
            Member::Whole => {
                let missing: Vec<&str> = self
                    .chart
                    .dependencies()
                    .iter()
                    .filter(|dependency| {
                        !self.chart.0.children.iter().any(|child| {
                            child.chart.name() == dependency.name
                                || child.supplied.as_deref() == Some(dependency.key())
                        })
                    })
                    .map(|dependency| dependency.name.as_str())
                    .collect();
                if !missing.is_empty() {
                    let start = if self.engine.compat == Compat::V3_19 {
                        "An error occurred while checking for chart dependencies. You may need to run `helm dependency build`"
                    } else {
                        "an error occurred while checking for chart dependencies. You may need to run 'helm dependency build'"
                    };
                    return Err(fault(format!(
                        "{start} to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: {}",
                        missing.join(", ")
                    )));
                }
            }
            Member::Dependency(key) => {
                let listed = self.chart.dependencies().iter().find(|dependency| dependency.key() == key);
                match listed {
                    None => return Err(fault(format!("the chart has no dependency {key:?}"))),
                    Some(dependency) if self.chart.dependency_chart(dependency).is_none() => {
                        return Err(fault(format!(
                            "dependency {key:?} has no chart: {} {} is neither in charts/ nor supplied",
                            dependency.name, dependency.version
                        )));
                    }
                    Some(_) => {}
                }
            }
            Member::Own => {}
        }
        Ok(())
    }

    /// Drops the siblings of the member.
    fn keep_member(&self, instance: &mut Instance) -> Result<(), RenderError> {
        let wanted = match &self.input.member {
            Member::Whole => return Ok(()),
            Member::Dependency(key) => Some(key.as_str()),
            Member::Own => None,
        };
        if let Some(key) = wanted
            && !instance.children.iter().any(|child| child.name == key)
        {
            let message = format!("dependency {key:?} is switched off by its condition or tags");
            return Err(RenderError::new(RenderFault::Chart, self.chart.name(), message));
        }
        instance.children.retain(|child| Some(child.name.as_str()) == wanted || child.chart.is_library());
        let kept: Vec<String> = instance.children.iter().map(|child| child.name.clone()).collect();
        instance.dependencies.retain(|dependency| kept.iter().any(|name| name == dependency.key()));
        Ok(())
    }

    fn asks_kube_version(&self) -> bool {
        !self.chart.0.metadata.kube_version.is_empty()
    }

    fn check_kube_version(&self, capabilities: &Capabilities) -> Result<(), RenderError> {
        let wanted = &self.chart.0.metadata.kube_version;
        if wanted.is_empty() {
            return Ok(());
        }
        let fits = super::chart::dependency::fits_range(wanted, capabilities.plain_kube_version());
        if fits {
            return Ok(());
        }
        let shown = if self.engine.compat == Compat::V3_19 {
            capabilities.plain_kube_version()
        } else {
            capabilities.kube_version()
        };
        let message =
            format!("chart requires kubeVersion: {wanted} which is incompatible with Kubernetes {shown}");
        Err(RenderError::new(RenderFault::KubeVersion, self.chart.name(), message))
    }

    fn collect_crds(&self, instance: &Instance, path: &str, writer: &mut Writer) -> Result<(), RenderError> {
        let own = self.input.member == Member::Whole
            || path.contains("/charts/")
            || self.input.member == Member::Own;
        if own {
            for (file, bytes) in instance.chart.0.files.iter() {
                let name = file.lossy();
                if name.starts_with("crds/")
                    && [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end))
                {
                    writer.add_crd(&format!("{path}/{name}"), bytes, self.input.crds_as_they_are)?;
                }
            }
        }
        for child in &instance.children {
            self.collect_crds(child, &format!("{path}/charts/{}", child.name), writer)?;
        }
        Ok(())
    }

    fn execute(
        &self,
        instance: &Instance,
        values: &Map,
        capabilities: &Capabilities,
        writer: &mut Writer,
        given: &Map,
    ) -> Result<(), RenderError> {
        let compat = self.engine.compat;
        let release = Map::from_pairs([
            ("Name", Value::text(self.input.release.as_str())),
            ("Namespace", Value::text(self.input.namespace.as_str())),
            ("IsUpgrade", Value::Bool(self.input.is_upgrade)),
            ("IsInstall", Value::Bool(!self.input.is_upgrade)),
            ("Revision", Value::Int(1)),
            ("Service", Value::text("Helm")),
        ]);
        let mut machine = self.machine();
        let shared = Shared { release, capabilities: capabilities.to_value(compat), compat };
        let mut files = Vec::new();
        let top = values;
        let values = values.with_kind(MapKind::Values);
        shared.collect(
            instance,
            (&instance.name, &instance.name),
            &values,
            true,
            &mut files,
            &mut machine.memo,
        );
        self.mark_executed(&instance.name, &mut files);
        // Where two files have one path, the later one counts: Helm 3's copies of a chart have that.
        files.reverse();
        files.sort_by_cached_key(|file| Reverse(parse_order(&file.name)));
        files.dedup_by(|later, first| later.name == first.name);

        let templates = self.parse_all(&files, &mut machine)?;
        if self.input.strictness == Strictness::Strict {
            machine.reads = Some(Box::new(Reads::of(top)));
        }
        for (file, template) in files.iter().zip(&templates) {
            if !file.executed {
                continue;
            }
            let about = Map::from_pairs([
                ("Name", Value::Text(file.name.clone())),
                ("BasePath", Value::Text(file.base_path.clone())),
            ]);
            file.root.insert(Text::from("Template"), Value::Map(about.with_kind(MapKind::Values)));
            machine.draws.enter_file(&file.name);
            machine.memo.enter_file();
            let mut out = Vec::with_capacity(file.file.text.len());
            let current = machine.scope.find(&file.name).cloned();
            let template = current.as_ref().unwrap_or(template);
            machine.execute_file(template, Value::Map(file.root.clone()), &mut out).map_err(
                |mut failure| {
                    let trail = std::mem::take(&mut failure.trail);
                    self.failed(&file.name, &failure)
                        .asking(&machine.lookups_missing)
                        .explained(Explanation::of_trail(*trail, instance, top))
                },
            )?;
            machine.depth = 0;
            let out = super::functions::without_no_value(out);
            writer.add_file(&file.name.lossy(), out, self.chart.name());
        }
        if let Some(reads) = machine.reads.take() {
            let mut mentions = Mentions::default();
            for file in &files {
                let parsed = file
                    .file
                    .parsed(compat, &mut machine.words)
                    .into_iter()
                    .flat_map(|parsed| &parsed.templates);
                parsed.for_each(|template| mentions.nodes(&template.body));
            }
            writer.add_findings(strict::judge(instance, given, &reads, &mentions));
        }
        writer.finish_machine(&machine);
        Ok(())
    }

    /// Partials are never executed; of a member only its own tree is.
    fn mark_executed(&self, root: &str, files: &mut [Renderable<'_>]) {
        let charts = format!("{root}/charts/");
        for file in files {
            let name = file.name.lossy();
            let below = name.starts_with(&charts);
            file.executed = !is_partial(&name)
                && match &self.input.member {
                    Member::Whole => true,
                    Member::Own => !below,
                    Member::Dependency(key) => {
                        name.strip_prefix(&charts).is_some_and(|rest| rest.split('/').next() == Some(key))
                    }
                };
        }
    }

    fn machine(&self) -> Machine<'_> {
        Machine {
            compat: self.engine.compat,
            scope: Rc::new(Scope::default()),
            limits: self.engine.limits,
            time: self
                .engine
                .time
                .as_ref()
                .map(|limit| (limit, limit.pulse.beats().saturating_add(limit.beats))),
            lookups: &self.input.lookups,
            lookups_missing: Vec::new(),
            seen: CapabilitiesSeen { version: self.asks_kube_version(), ..CapabilitiesSeen::default() },
            draws: Draws::new(self.input.chance.clone(), self.input.seed, self.input.now),
            reads: None,
            deterministic: true,
            includes: HashMap::default(),
            tpl_cache: HashMap::default(),
            knots: Knots::default(),
            words: Words::default(),
            dollar: Text::from("$"),
            spare: Spare::default(),
            memo: Memo::default(),
            regexes: RegexCache::default(),
            steps: 0,
            bytes: 0,
            depth: 0,
            deepest: 0,
            depth_limit: self.depth,
        }
    }

    /// Puts the templates of all files into the machine; gives each file's own one.
    fn parse_all(
        &self,
        files: &[Renderable<'_>],
        machine: &mut Machine<'_>,
    ) -> Result<Vec<Arc<Template>>, RenderError> {
        let mut scope = Scope::default();
        scope.names.reserve(files.len());
        let mut own = Vec::with_capacity(files.len());
        for file in files {
            let parsed = file.file.parsed(self.engine.compat, &mut machine.words).map_err(|error| {
                let go = error.go(&file.file.path, &file.name);
                let place = format!("{}:{}", file.name.lossy(), error.line);
                let last = go.rsplit(": ").next().unwrap_or(&go);
                RenderError::new(
                    RenderFault::Parse,
                    self.chart.name(),
                    format!("parse error at ({place}): {last}"),
                )
                .at(&file.name.lossy(), error.line, 0)
                .explained(Explanation {
                    excerpt: Excerpt::around(&file.file.text, error.line),
                    ..Explanation::default()
                })
            })?;
            machine.charge_bytes(parsed.bytes()).map_err(|failure| self.failed(&file.name, &failure))?;
            let source = Arc::new(Source { name: file.name.clone(), text: file.file.text.clone() });
            for template in &parsed.templates {
                let main = template.name == file.file.path;
                let placed = Arc::new(Template {
                    name: if main { file.name.clone() } else { template.name.clone() },
                    source: Arc::clone(&source),
                    body: Arc::clone(&template.body),
                });
                scope.add(&placed);
                if main {
                    own.push(placed);
                }
            }
        }
        machine.scope = Rc::new(scope);
        Ok(own)
    }

    fn failed(&self, file: &Text, failure: &Failure) -> RenderError {
        let fault = failure.limit_hit().map_or(RenderFault::Execute, RenderFault::Limit);
        let message =
            if self.engine.compat == Compat::V3_19 { message_v3(failure) } else { message_v4(failure) };
        let error = RenderError::new(fault, self.chart.name(), message);
        match &failure.place {
            Some(Place { template, line, column }) => error.at(template, *line, *column + 1),
            None => error.at(&file.lossy(), 0, 0),
        }
    }
}

/// Checks the values of a chart and of those below it.
fn collect_misfits(
    (instance, notices): (&Instance, &Notices),
    values: &Map,
    path: &str,
    out: &mut String,
    unfit: &mut Vec<UnfitValue>,
) {
    if let Some(schema) = &instance.chart.0.schema {
        let outcome = schema.check(&Value::Map(values.clone()), notices.compat);
        for urn in schema.unresolved(notices.compat) {
            notices.unresolved_urn(urn);
        }
        if let Err(found) = outcome {
            out.push_str(&format!("{}:\n{}", instance.name, found.message));
            unfit.extend(found.at.iter().map(|at| UnfitValue::find(values, path, at)));
        }
    }
    for child in &instance.children {
        if let Some(Value::Map(inner)) = values.get(child.name.as_bytes()) {
            let below = if path.is_empty() { child.name.clone() } else { format!("{path}.{}", child.name) };
            collect_misfits((child, notices), &inner, &below, out, unfit);
        }
    }
}

/// What all charts of a render share.
struct Shared {
    release: Map,
    capabilities: Value,
    compat: Compat,
}

impl Shared {
    /// Collects the templates of a chart and of those below it; returns the chart's root object.
    fn collect<'c>(
        &self,
        instance: &'c Instance,
        (path, below): (&str, &str),
        values: &Map,
        is_root: bool,
        files: &mut Vec<Renderable<'c>>,
        memo: &mut Memo,
    ) -> Map {
        let chart = &instance.chart;
        let about = chart.0.metadata.to_value(&instance.name, &instance.dependencies, is_root);
        let subcharts = Map::new();
        let root = Map::from_pairs([
            ("Chart", if self.compat == Compat::V3_19 { as_struct(&about) } else { Value::Map(about) }),
            ("Files", Value::object(Object::Files(chart.0.files.clone()))),
            ("Release", Value::Map(self.release.clone())),
            ("Capabilities", self.capabilities.clone()),
            ("Values", Value::Map(values.clone())),
            ("Subcharts", Value::Map(subcharts.clone())),
        ])
        .with_kind(MapKind::Values);
        memo.changes_by_file(root.identity());
        memo.changes_by_file(subcharts.identity());
        for child in &instance.children {
            let inner = match values.get(child.name.as_bytes()) {
                Some(Value::Map(inner)) => inner.with_kind(MapKind::Values),
                _ => Map::new().with_kind(MapKind::Values),
            };
            let child_path = join(below, &format!("charts/{}", child.name));
            let below = child.original.as_ref().map(|name| join(below, &format!("charts/{name}")));
            let paths = (child_path.as_str(), below.as_deref().unwrap_or(&child_path));
            let child_root = self.collect(child, paths, &inner, false, files, memo);
            subcharts
                .insert(Text::from(child.name.as_str()), Value::Map(child_root.with_kind(MapKind::Plain)));
        }
        let base_path = Text::from(join(path, "templates"));
        files.reserve(chart.0.templates.len());
        for file in &chart.0.templates {
            let inner = file.path.lossy();
            if chart.is_library() && !is_partial(&inner) {
                continue;
            }
            files.push(Renderable {
                name: Text::from(join(path, &inner)),
                base_path: base_path.clone(),
                file,
                root: root.clone(),
                executed: false,
            });
        }
        root
    }
}

/// Whether a file holds only what others include.
fn is_partial(path: &str) -> bool {
    let base = memchr::memrchr(b'/', path.as_bytes()).map_or(0, |slash| slash + 1);
    path.as_bytes().get(base) == Some(&b'_')
}

/// Paths as Go joins them: a chart called `.` has no folder of its own.
fn join(folder: &str, inner: &str) -> String {
    if folder == "." { inner.to_owned() } else { [folder, "/", inner].concat() }
}

/// Shallow paths before deep ones, then by name; files are parsed and executed in reverse.
fn parse_order(path: &Text) -> (usize, Text) {
    (memchr::memchr_iter(b'/', path).count(), path.clone())
}
