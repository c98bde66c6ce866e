//! Finds the places of what `--strict` refuses: in the chart's own files and in the files of values.

use std::path::Path;
use std::sync::Arc;

use super::{TemplateError, ValuesFile, read};
use crate::helm::{Chart, Finding, KeyPlaces, chart_file_findings, repeated_keys};

/// All findings as lines: those of the chart's files, of the values files, and of the render.
pub(super) fn findings(
    chart: &str,
    values: &[ValuesFile<'_>],
    rendered: &[Finding],
) -> Result<Vec<String>, TemplateError> {
    let mut lines: Vec<String> = of_chart(chart)?.iter().map(ToString::to_string).collect();
    let mut places = Vec::new();
    for (path, bytes) in values {
        let name = path.display().to_string();
        lines.extend(repeated_keys(&name, bytes).iter().map(ToString::to_string));
        places.push((name, KeyPlaces::of(bytes)));
    }
    lines.extend(rendered.iter().map(|finding| {
        if finding.file.is_some() {
            return finding.to_string();
        }
        let place = places.iter().rev().find_map(|(name, keys)| {
            keys.place(&finding.path).map(|(line, column)| format!("{name}:{line}:{column}"))
        });
        format!("{}: {finding}", place.as_deref().unwrap_or("--set"))
    }));
    Ok(lines)
}

fn of_chart(chart: &str) -> Result<Vec<Finding>, TemplateError> {
    let place = Path::new(chart);
    let file = |name: &str| -> Result<Option<Arc<[u8]>>, TemplateError> {
        if place.is_dir() {
            let path = place.join(name);
            return if path.is_file() { Ok(Some(Arc::from(read(&path)?))) } else { Ok(None) };
        }
        Chart::file_of_archive(&read(place)?, name).map_err(|error| TemplateError::Helm(error.to_string()))
    };
    let shown = |name: &str| place.join(name).display().to_string();
    let mut findings = Vec::new();
    if let Some(bytes) = file("Chart.yaml")? {
        findings.extend(chart_file_findings(&shown("Chart.yaml"), &bytes));
    }
    if let Some(bytes) = file("values.yaml")? {
        findings.extend(repeated_keys(&shown("values.yaml"), &bytes));
    }
    Ok(findings)
}
