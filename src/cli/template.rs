//! `moorline template`: a drop-in for `helm template` on the native engine.

use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};

mod explain;
mod files;
mod folder;
mod strict;
mod unheeded;
mod validate;

pub(super) use explain::{Explain, Look, draw};
pub(super) use unheeded::define as define_unheeded;
pub(super) use validate::Served;

use crate::helm::{
    Capabilities, Chart, ChartError, Compat, Engine, RenderError, RenderInput, RenderLimits, Rendered,
    SetKind, Strictness, Values,
};

/// The namespace of who names none.
const DEFAULT: &str = "default";

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
/// Arguments of `moorline template`.
#[derive(Debug, clap::Args)]
#[command(args_override_self = true)]
pub(super) struct TemplateArguments {
    /// The release's name; it may be left out.
    #[arg(value_names = ["NAME", "CHART"], num_args = 1..=2, required = true)]
    pub name_and_chart: Vec<String>,
    /// The release's name, for who gives it by a flag; no template.
    #[arg(long, value_name = "NAME")]
    pub name_template: Option<String>,
    /// Leaves the name at release-name, as Helm does here.
    #[arg(short = 'g', long)]
    pub generate_name: bool,
    /// A file of values; may be repeated, later ones win. "-" reads standard input.
    #[arg(short = 'f', long = "values", value_name = "FILE", value_delimiter = ',')]
    pub values: Vec<PathBuf>,
    /// Sets values: key=value,other.key=value.
    #[arg(long, value_name = "K=V", allow_hyphen_values = true)]
    pub set: Vec<String>,
    /// Sets values as strings.
    #[arg(long, value_name = "K=V", allow_hyphen_values = true)]
    pub set_string: Vec<String>,
    /// Sets values as JSON.
    #[arg(long, value_name = "K=JSON", allow_hyphen_values = true)]
    pub set_json: Vec<String>,
    /// Sets a value to the content of a file.
    #[arg(long, value_name = "K=FILE", allow_hyphen_values = true)]
    pub set_file: Vec<String>,
    /// Sets a value to the rest of the argument, as it is.
    #[arg(long, value_name = "K=TEXT", allow_hyphen_values = true)]
    pub set_literal: Vec<String>,
    /// The namespace that templates see.
    #[arg(short = 'n', long, default_value = DEFAULT)]
    pub namespace: String,
    /// The Kubernetes version that templates see.
    #[arg(long, value_name = "VERSION")]
    pub kube_version: Option<String>,
    /// Further API versions that templates see.
    #[arg(short = 'a', long, value_name = "VERSION", value_delimiter = ',')]
    pub api_versions: Vec<String>,
    /// Prints the CRDs of the chart as well.
    #[arg(long)]
    pub include_crds: bool,
    /// Prints only what these templates make.
    #[arg(short = 's', long, value_name = "TEMPLATE")]
    pub show_only: Vec<String>,
    /// Writes a file for each template to this folder instead of printing them.
    #[arg(long, value_name = "FOLDER", conflicts_with = "show_only")]
    pub output_dir: Option<PathBuf>,
    /// Puts the release's name into the paths below `--output-dir`.
    #[arg(long, requires = "output_dir")]
    pub release_name: bool,
    /// Prints what was made even if it turns out not to be readable.
    #[arg(long)]
    pub debug: bool,
    /// Leaves hooks out.
    #[arg(long)]
    pub no_hooks: bool,
    /// Leaves test hooks out.
    #[arg(long)]
    pub skip_tests: bool,
    /// Does not check values against the chart's schema.
    #[arg(long)]
    pub skip_schema_validation: bool,
    /// Templates see an upgrade instead of an installation.
    #[arg(long)]
    pub is_upgrade: bool,
    /// Whose output to produce: 4.3, 4.1 or 3.19.
    #[arg(long, value_name = "VERSION", default_value = "4.3", value_parser = parse_compat)]
    pub helm_compat: Compat,
    /// Takes the Kubernetes version and the API versions from the cluster of `--kubeconfig` and `--context`, and
    /// refuses objects of kinds that it does not know. `lookup` finds nothing, as without.
    #[arg(long)]
    pub validate: bool,
    /// Refuses what Helm accepts in silence: given values that nothing reads, values that are missing, keys that
    /// stand twice, unknown keys of Chart.yaml. Prints all findings on standard error, nothing on standard
    /// output, and exits with 1.
    #[arg(long)]
    pub strict: bool,
    /// Shows, below Helm's words, the line that failed, what included it, and the value that is missing.
    #[arg(
        long,
        value_name = "WHEN",
        value_enum,
        default_value_t = Explain::Auto,
        default_missing_value = "always",
        num_args = 0..=1,
        require_equals = true
    )]
    pub explain: Explain,
}

fn parse_compat(text: &str) -> Result<Compat, String> {
    match text {
        "4.3" | "4" => Ok(Compat::V4_3),
        "4.1" => Ok(Compat::V4_1),
        "3.19" | "3" => Ok(Compat::V3_19),
        _ => Err("known are 4.3, 4.1 and 3.19".to_owned()),
    }
}

/// What differs from run to run; the caller reads the clock and the system's entropy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chance {
    /// Where random values come from.
    pub seed: [u8; 32],
    /// Seconds since 1970.
    pub now: i64,
}

/// Why nothing was printed.
#[derive(Debug, thiserror::Error)]
pub(super) enum TemplateError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// The chart is not there.
    #[error("path {path:?} not found")]
    NoChart {
        /// The path that was given.
        path: String,
    },
    /// A file, flag or chart is wrong; the text is Helm's.
    #[error("{0}")]
    Helm(String),
    /// The render failed; the text is Helm's.
    #[error("{0}{advice}", advice = if .0.had_release() { "\n\nUse --debug flag to render out invalid YAML" } else { "" })]
    Render(#[from] RenderError),
    /// The same with `--debug`: what was made before is printed.
    #[error("{0}")]
    Debugged(RenderError),
    /// A file or folder of `--output-dir` cannot be written.
    #[error("cannot write {path}: {error}")]
    WriteFile {
        /// Which one.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// What Helm accepts in silence and `--strict` does not, a line each.
    #[error("--strict finds what Helm accepts in silence:\n{}", .0.join("\n"))]
    Strict(Vec<String>),
    /// Notices cannot be written.
    #[error("cannot write notices: {0}")]
    Write(std::io::Error),
    /// The output cannot be written.
    #[error("cannot write to standard output: {0}")]
    Print(std::io::Error),
}

/// Renders a chart and prints on `output` the bytes that `helm template` would print.
///
/// `served` is what a cluster serves, if templates shall see that one. Notices go to `notices` as they come up.
pub(super) fn run(
    arguments: &TemplateArguments,
    chance: Chance,
    served: Option<&Served>,
    output: &mut dyn Write,
    notices: &mut dyn Write,
) -> Result<(), TemplateError> {
    let (name, chart) = name_and_chart(arguments).map_err(TemplateError::Helm)?;
    let capabilities = match served {
        Some(served) => served.capabilities(Capabilities::offline(arguments.helm_compat))?,
        None => capabilities(arguments)?,
    };
    let (values, files) = values(arguments)?;
    let place = chart;
    let chart = read_chart(place, arguments.helm_compat, notices)?;
    for notice in chart_notices(&chart, arguments.helm_compat) {
        writeln!(notices, "{notice}").map_err(TemplateError::Write)?;
    }
    let input = RenderInput {
        release: name.to_owned(),
        namespace: if arguments.namespace.is_empty() { DEFAULT } else { &arguments.namespace }.to_owned(),
        layers: vec![values],
        include_crds: arguments.include_crds,
        crds_as_they_are: true,
        // What is checked against a cluster may be a list, whose items have to be there.
        texts_only: served.is_none(),
        is_upgrade: arguments.is_upgrade,
        skip_schema: arguments.skip_schema_validation,
        strictness: if arguments.strict { Strictness::Strict } else { Strictness::AsHelm },
        seed: chance.seed,
        now: chance.now,
        ..RenderInput::default()
    };
    // Umbrellas of hundreds of charts are rendered at once here.
    let limits = RenderLimits { bytes: 1 << 30, ..RenderLimits::default() };
    let engine = Engine::new(arguments.helm_compat)
        .with_capabilities(capabilities)
        .with_limits(limits)
        .with_second_thread();
    if let Err(fault) = check_release_name(name) {
        // Helm looks at the chart first.
        engine.check(&chart, &input)?;
        return Err(refuse_name(&fault, arguments.helm_compat, notices));
    }
    let result = engine.render(&chart, &input);
    let remarks = match &result {
        Ok(rendered) => &rendered.notices,
        Err(error) => &error.notices,
    };
    for remark in remarks {
        writeln!(notices, "{remark}").map_err(TemplateError::Write)?;
    }
    if result.is_err() && arguments.strict {
        // A key that stands twice may well be the cause.
        for finding in strict::findings(place, &files, &[])? {
            writeln!(notices, "{finding}").map_err(TemplateError::Write)?;
        }
    }
    let rendered = match result {
        Err(error) if arguments.debug && error.had_release() => {
            show(arguments, &error.made, output)?;
            return Err(TemplateError::Debugged(error));
        }
        result => result?,
    };
    if let Some(served) = served {
        served.check(&rendered)?;
    }
    if arguments.strict {
        let findings = strict::findings(place, &files, &rendered.findings)?;
        if !findings.is_empty() {
            return Err(TemplateError::Strict(findings));
        }
    }
    match &arguments.output_dir {
        Some(folder) => {
            let choice = (!arguments.no_hooks, arguments.skip_tests);
            let told = files::write(&rendered, choice, folder, arguments.release_name.then_some(name))?;
            output.write_all(&told).map_err(TemplateError::Print)?;
        }
        None => show(arguments, &rendered, output)?,
    }
    // The process ends here: taking charts and documents apart would be a tenth of its work.
    std::mem::forget((chart, rendered));
    Ok(())
}

/// The release's name and the chart's place (Helm's `NameAndChart`).
fn name_and_chart(arguments: &TemplateArguments) -> Result<(&str, &str), String> {
    let flag = arguments.name_template.as_deref().filter(|name| !name.is_empty());
    match (arguments.name_and_chart.as_slice(), flag) {
        ([_, _], _) if arguments.generate_name => {
            Err("cannot set --generate-name and also specify a name".to_owned())
        }
        ([_, _], Some(_)) => Err("cannot set --name-template and also specify a name".to_owned()),
        ([name, chart], None) => Ok((name, chart)),
        ([_], Some(name)) if name.contains("{{") => {
            Err(format!("--name-template {name:?}: give the name itself, it is not read as a template"))
        }
        ([chart], name) => Ok((name.unwrap_or("release-name"), chart)),
        _ => Err("template takes a name and a chart".to_owned()),
    }
}

/// Prints the documents of a render that the flags ask for.
fn show(
    arguments: &TemplateArguments,
    rendered: &Rendered,
    output: &mut dyn Write,
) -> Result<(), TemplateError> {
    let (hooks, skip_tests) = (!arguments.no_hooks, arguments.skip_tests);
    let printed = if arguments.show_only.is_empty() {
        rendered.print(hooks, skip_tests, output)
    } else {
        let only = rendered.only(&arguments.show_only, arguments.helm_compat, hooks, skip_tests);
        output.write_all(&only.map_err(TemplateError::Helm)?)
    };
    printed.map_err(TemplateError::Print)
}

/// Whether Kubernetes could name a release's objects after it (Helm's `ValidateReleaseName`); the error is Helm's.
fn check_release_name(name: &str) -> Result<(), String> {
    const LONGEST: usize = 53;
    let is_alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = |label: &[u8]| {
        let ends = [label.first(), label.last()];
        ends.into_iter().all(|end| end.is_some_and(is_alphanumeric))
            && label.iter().all(|byte| is_alphanumeric(byte) || *byte == b'-')
    };
    if name.len() <= LONGEST && name.as_bytes().split(|byte| *byte == b'.').all(is_label) {
        return Ok(());
    }
    let pattern = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?";
    Err(format!(
        r"release name {name:?}: invalid release name, must match regex ^{pattern}(\.{pattern})*$ and the length must not be longer than {LONGEST}"
    ))
}

/// The error about a release's name; Helm 4 remarks it as well.
fn refuse_name(fault: &str, compat: Compat, notices: &mut dyn Write) -> TemplateError {
    if compat == Compat::V3_19 {
        return TemplateError::Helm(fault.to_owned());
    }
    let remark = writeln!(notices, r#"level=ERROR msg="release name check failed" error={fault:?}"#);
    match remark {
        Ok(()) => TemplateError::Helm(format!("release name check failed: {fault}")),
        Err(error) => TemplateError::Write(error),
    }
}

/// What Helm remarks about a chart.
fn chart_notices(chart: &Chart, compat: Compat) -> Vec<&'static str> {
    let mut notices = Vec::new();
    if compat > Compat::V3_19 && !chart.has_known_format() {
        return notices;
    }
    notices.extend(chart.remarks().iter().map(|remark| remark.line(compat)));
    // That a library cannot be installed comes before.
    if chart.is_deprecated() && !chart.is_library() {
        notices.push(if compat == Compat::V3_19 {
            "WARNING: This chart is deprecated"
        } else {
            r#"level=WARN msg="this chart is deprecated""#
        });
    }
    notices
}

/// A values file and its text.
type ValuesFile<'a> = (&'a Path, Vec<u8>);

/// Files first, then flags, which change what the files said.
fn values(arguments: &TemplateArguments) -> Result<(Values, Vec<ValuesFile<'_>>), TemplateError> {
    let (mut values, mut files) = (Values::default(), Vec::new());
    for path in &arguments.values {
        let (bytes, read) = read_values(path, arguments.helm_compat)?;
        values = values.merge(&read);
        files.push((path.as_path(), bytes));
    }
    Ok((flags(arguments, values)?, files))
}

fn read_values(path: &Path, compat: Compat) -> Result<(Vec<u8>, Values), TemplateError> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin()
            .read_to_end(&mut bytes)
            .map_err(|error| TemplateError::Read { path: path.to_owned(), error })?;
        bytes
    } else {
        std::fs::read(path).map_err(|error| {
            let verb = if error.kind() == std::io::ErrorKind::IsADirectory { "read" } else { "open" };
            TemplateError::Helm(format!("{verb} {}: {}", path.display(), system_words(&error)))
        })?
    };
    let values = Values::parse_as(&bytes, compat).map_err(|error| {
        TemplateError::Helm(format!("failed to parse {}: {}", path.display(), error.helm))
    })?;
    Ok((bytes, values))
}

fn read(path: &Path) -> Result<Vec<u8>, TemplateError> {
    std::fs::read(path).map_err(|error| TemplateError::Read { path: path.to_owned(), error })
}

fn flags(arguments: &TemplateArguments, mut values: Values) -> Result<Values, TemplateError> {
    let compat = arguments.helm_compat;
    let kinds = [
        (&arguments.set_json, SetKind::Json),
        (&arguments.set, SetKind::Typed),
        (&arguments.set_string, SetKind::Text),
    ];
    let wrong = |error: crate::helm::SetError| TemplateError::Helm(error.to_string());
    for (expressions, kind) in kinds {
        for expression in expressions {
            values = values.set_as(expression, kind, compat).map_err(wrong)?;
        }
    }
    let content =
        |path: &str| std::fs::read(path).map_err(|error| format!("open {path}: {}", system_words(&error)));
    for expression in &arguments.set_file {
        values = values.set_files(expression, &content, compat).map_err(wrong)?;
    }
    for expression in &arguments.set_literal {
        values = values.set_as(expression, SetKind::Literal, compat).map_err(wrong)?;
    }
    Ok(values)
}

/// An error of the system in Go's words.
fn system_words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        _ => error.to_string(),
    }
}

fn capabilities(arguments: &TemplateArguments) -> Result<Capabilities, TemplateError> {
    let mut capabilities = Capabilities::offline(arguments.helm_compat);
    if let Some(version) = arguments.kube_version.as_ref().filter(|version| !version.is_empty()) {
        capabilities = capabilities.reading_kube_version(version).map_err(TemplateError::Helm)?;
    }
    Ok(capabilities.with_api_versions(arguments.api_versions.iter().cloned()))
}

fn read_chart(path: &str, compat: Compat, notices: &mut dyn Write) -> Result<Chart, TemplateError> {
    let place = Path::new(path);
    if place.is_dir() {
        let files = folder::read_folder(place, compat, notices)?;
        return Chart::from_walk(files).map_err(|error| unusable(&error, compat, notices));
    }
    if place.is_file() {
        return Chart::from_archive(&read(place)?).map_err(|error| unusable(&error, compat, notices));
    }
    Err(TemplateError::NoChart { path: path.to_owned() })
}

/// Why a chart cannot be used, in Helm's words, behind what Helm remarks before them.
fn unusable(error: &ChartError, compat: Compat, notices: &mut dyn Write) -> TemplateError {
    for remark in error.remarks(compat) {
        if let Err(error) = writeln!(notices, "{}", remark.line(compat)) {
            return TemplateError::Write(error);
        }
    }
    TemplateError::Helm(error.sentence(compat))
}

#[cfg(test)]
mod tests;
