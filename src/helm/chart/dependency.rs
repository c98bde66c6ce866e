//! What a chart asks for: the items of `dependencies`, in `Chart.yaml` or `requirements.yaml`.

use serde_json::Value as Json;

use super::Chart;
use super::decode::{Misfit, Spot, flag, lookup, sanitize, structs, text, texts};
use crate::functions::semver::{Constraint, Version};

/// A chart that another chart asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dependency {
    /// The chart's name.
    pub name: String,
    /// The versions that fit.
    pub version: String,
    /// Where it comes from; empty if only vendored.
    pub repository: String,
    /// Paths into the values, comma-separated; the first boolean decides.
    pub condition: String,
    /// Groups that `tags:` in the values switch.
    pub tags: Vec<String>,
    /// The name it is known by, if another.
    pub alias: Option<String>,
    /// Values of the child that become values of the parent.
    pub import_values: Vec<Json>,
}

impl Dependency {
    /// The name under which values, templates and applications know it: the alias, else the name.
    pub fn key(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }

    /// A dependency on a chart that was supplied.
    pub(crate) fn supplied(chart: &Chart, key: &str) -> Self {
        Self {
            name: chart.name().to_owned(),
            version: chart.version().to_owned(),
            alias: Some(key.to_owned()),
            ..Self::default()
        }
    }

    /// Whether a chart has the name and a version that fits.
    pub(crate) fn fits(&self, chart: &Chart) -> bool {
        self.name == chart.name() && fits_range(&self.version, chart.version())
    }
}

/// Whether a version is in a range; what cannot be read does not fit.
pub(crate) fn fits_range(range: &str, version: &str) -> bool {
    match (Constraint::parse(range), Version::parse(version)) {
        (Ok(constraint), Ok(version)) => constraint.allows(&version),
        _ => false,
    }
}

/// Whether `dependencies` is a list, be it an empty one.
pub(crate) fn lists_dependencies(json: &Json) -> bool {
    lookup(json, "dependencies").is_some_and(Json::is_array)
}

/// The dependencies of `Chart.yaml` or `requirements.yaml`; `None` stands for a null.
pub(crate) fn dependencies(json: &Json) -> Result<Vec<Option<Dependency>>, Misfit> {
    structs(json, &Spot::top("Metadata"), "dependencies", "Dependency", dependency)
}

/// The dependencies of `requirements.yaml` where `Chart.yaml` lists some as well: Go reads the second list into the
/// structs of the first, place by place, and what it leaves out stays.
pub(crate) fn dependencies_over(
    json: &Json,
    before: &[Dependency],
) -> Result<Vec<Option<Dependency>>, Misfit> {
    let mut listed = dependencies(json)?;
    let items = lookup(json, "dependencies").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    for ((item, read), known) in items.iter().zip(&mut listed).zip(before) {
        let Some(read) = read else { continue };
        let is_said = |field: &str| lookup(item, field).is_some_and(|value| !value.is_null());
        for (field, read, known) in [
            ("name", &mut read.name, &known.name),
            ("version", &mut read.version, &known.version),
            ("repository", &mut read.repository, &known.repository),
            ("condition", &mut read.condition, &known.condition),
        ] {
            if !is_said(field) {
                read.clone_from(known);
            }
        }
        if !is_said("alias") {
            read.alias.clone_from(&known.alias);
        }
        // A list is nothing by a null, too.
        if lookup(item, "tags").is_none() {
            read.tags.clone_from(&known.tags);
        }
        if lookup(item, "import-values").is_none() {
            read.import_values.clone_from(&known.import_values);
        }
    }
    Ok(listed)
}

fn dependency(item: &Json, spot: &Spot) -> Result<Dependency, Misfit> {
    let clean = |field: &str| {
        text(item, spot, field).map(|mut text| {
            sanitize(&mut text);
            text
        })
    };
    let alias = text(item, spot, "alias")?;
    let condition = clean("condition")?;
    flag(item, spot, "enabled")?;
    let import_values = match lookup(item, "import-values") {
        Some(Json::Array(items)) => items.clone(),
        None | Some(Json::Null) => Vec::new(),
        Some(other) => {
            return Err(spot.field("import-values").misfit(other, "[]interface {}", "[]interface {}"));
        }
    };
    let name = clean("name")?;
    let repository = clean("repository")?;
    let mut tags = texts(item, spot, "tags")?;
    tags.iter_mut().for_each(sanitize);
    Ok(Dependency {
        name,
        version: clean("version")?,
        repository,
        condition,
        tags,
        alias: (!alias.is_empty()).then_some(alias),
        import_values,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Dependency, dependencies, dependencies_over};

    /// As helm 4.3.1 and 3.19.0 do.
    #[test]
    fn what_requirements_leave_out_stays_as_the_chart_says_it() {
        let before = json!({"dependencies": [
            {"name": "q", "version": "1", "alias": "z", "condition": "c", "repository": "r", "tags": ["a", "b"],
             "import-values": ["x"]},
            {"name": "w", "version": "1", "alias": "y"},
            {"name": "gone", "version": "1"},
        ]});
        let before: Vec<Dependency> = dependencies(&before).unwrap().into_iter().flatten().collect();
        let over = json!({"dependencies": [
            {"name": "n", "alias": null, "condition": "", "tags": null},
            {"name": "w", "version": "2", "alias": "new", "tags": ["t"]},
        ]});
        let over: Vec<Dependency> =
            dependencies_over(&over, &before).unwrap().into_iter().flatten().collect();
        let first = Dependency {
            name: "n".to_owned(),
            condition: String::new(),
            tags: Vec::new(),
            ..before.first().unwrap().clone()
        };
        let second = Dependency {
            name: "w".to_owned(),
            version: "2".to_owned(),
            alias: Some("new".to_owned()),
            tags: vec!["t".to_owned()],
            ..Dependency::default()
        };
        assert_eq!(over, [first, second]);
    }
}
