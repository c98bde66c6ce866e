//! `Chart.lock` and `requirements.lock`: which version each dependency was resolved to, and the digest by which Helm
//! tells that the list of dependencies has changed since.

use serde_json::{Value as Json, json};
use sha2::Digest as _;

use super::Chart;
use super::decode::{Misfit, Spot, structs, text};
use super::decode::{lookup, scalar_text};
use super::dependency::{Dependency, dependencies};
use crate::Compat;
use crate::functions::dates;
use crate::functions::semver::{Constraint, Version};
use crate::yaml::{self, YamlLimits};

/// A lock file, read.
#[derive(Clone, Debug, PartialEq)]
pub struct ChartLock {
    dependencies: Vec<Dependency>,
    digest: String,
}

/// Why a lock file cannot be used; the text follows the file's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// It is broken.
    #[error("cannot be read: {0}")]
    Broken(String),
    /// The dependencies are not those that it was made for.
    #[error("is out of sync with the dependencies")]
    OutOfSync,
}

impl ChartLock {
    /// Reads a lock file, and makes sure that it fits the chart's dependencies, as `helm dependency build` does.
    pub fn read(bytes: &[u8], chart: &Chart) -> Result<Self, LockError> {
        let json: Json = yaml::read_first(bytes, YamlLimits::default())
            .map_err(|error| LockError::Broken(format!("line {}: {}", error.line, error.message)))?;
        let lock = Self {
            dependencies: dependencies(&json)
                .map_err(|misfit| LockError::Broken(misfit.v4))?
                .into_iter()
                .flatten()
                .collect(),
            digest: lookup(&json, "digest").and_then(scalar_text).unwrap_or_default(),
        };
        let wanted = chart.dependencies();
        let helm_3 = digest_of(&json!([list(wanted), list(&lock.dependencies)]));
        let helm_2 = || digest_of(&json!({"dependencies": list(wanted)}));
        let old = chart.0.metadata.api_version == "v1";
        if lock.digest == helm_3 || old && lock.digest == helm_2() {
            Ok(lock)
        } else {
            Err(LockError::OutOfSync)
        }
    }

    /// The version that the dependency at this place of the list was resolved to.
    pub fn version(&self, place: usize, dependency: &Dependency) -> Option<&str> {
        let fits = |locked: &&Dependency| locked.name == dependency.name;
        let same = self.dependencies.get(place).filter(fits);
        same.or_else(|| self.dependencies.iter().find(fits)).map(|locked| locked.version.as_str())
    }
}

/// Checks the types of a lock's fields.
pub(super) fn check(json: &Json) -> Result<(), Misfit> {
    match json {
        Json::Null => return Ok(()),
        Json::Object(_) => {}
        other => return Err(Misfit::document(other, "v2.Lock", "chart.Lock")),
    }
    let top = Spot::top("Lock");
    structs(json, &top, "dependencies", "Dependency", |item, spot| {
        for field in ["alias", "condition", "name", "repository", "version"] {
            text(item, spot, field)?;
        }
        Ok(())
    })?;
    text(json, &top, "digest")?;
    match lookup(json, "generated") {
        None | Some(Json::Null) => {}
        Some(Json::String(time)) => {
            if let Err(problem) = dates::read_rfc3339(time) {
                let message = format!("error unmarshaling JSON: while decoding JSON: {problem}");
                return Err(Misfit { v4: message.clone(), v3: message });
            }
        }
        Some(other) => {
            let v3 = "error unmarshaling JSON: while decoding JSON: Time.UnmarshalJSON: input is not a JSON string";
            let v4 = top.field("generated").misfit(other, "time.Time", "time.Time").v4;
            return Err(Misfit { v4, v3: v3.to_owned() });
        }
    }
    Ok(())
}

/// The digest of JSON as Go writes it.
fn digest_of(value: &Json) -> String {
    // Go escapes what HTML could take for its own; in JSON such characters stand in texts alone.
    let text = value.to_string();
    let text = text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    let text = text.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    let hash = sha2::Sha256::digest(text.as_bytes());
    format!("sha256:{}", hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// Dependencies in the order and with the omissions of Helm's struct.
fn list(dependencies: &[Dependency]) -> Json {
    let one = |dependency: &Dependency| {
        let mut map = serde_json::Map::new();
        map.insert("name".to_owned(), json!(dependency.name));
        let mut text = |key: &str, value: &str, always: bool| {
            if always || !value.is_empty() {
                map.insert(key.to_owned(), json!(value));
            }
        };
        text("version", &dependency.version, false);
        text("repository", &dependency.repository, true);
        text("condition", &dependency.condition, false);
        if !dependency.tags.is_empty() {
            map.insert("tags".to_owned(), json!(dependency.tags));
        }
        if !dependency.import_values.is_empty() {
            let sorted: Vec<Json> = dependency.import_values.iter().map(sorted).collect();
            map.insert("import-values".to_owned(), Json::Array(sorted));
        }
        if let Some(alias) = &dependency.alias {
            map.insert("alias".to_owned(), json!(alias));
        }
        Json::Object(map)
    };
    Json::Array(dependencies.iter().map(one).collect())
}

/// Go writes maps in the order of their keys.
fn sorted(value: &Json) -> Json {
    match value {
        Json::Object(map) => {
            let mut entries: Vec<(&String, &Json)> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            Json::Object(entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        Json::Array(items) => Json::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// The highest version that fits a constraint, by Helm's rules: prereleases only where the constraint names one, and
/// what is no version never. The error is the constraint's.
///
/// ```
/// use moorline_helm::highest_version;
///
/// let versions = ["1.2.0", "1.10.0", "2.0.0-rc.1", "latest"];
/// assert_eq!(highest_version("^1.2", versions), Ok(Some("1.10.0")));
/// assert_eq!(highest_version(">=2.0.0-0", versions), Ok(Some("2.0.0-rc.1")));
/// assert_eq!(highest_version("*", versions), Ok(Some("1.10.0")));
/// assert!(highest_version("newest", versions).is_err());
/// ```
pub fn highest_version<'v>(
    constraint: &str,
    versions: impl IntoIterator<Item = &'v str>,
) -> Result<Option<&'v str>, String> {
    let constraint = Constraint::parse(constraint).map_err(|error| error.message(Compat::V4_3))?;
    let mut highest: Option<(Version, &str)> = None;
    for text in versions {
        let Ok(version) = Version::parse(text) else { continue };
        let higher = highest.as_ref().is_none_or(|(other, _)| version.compare(other).is_gt());
        if higher && constraint.allows(&version) {
            highest = Some((version, text));
        }
    }
    Ok(highest.map(|(_, text)| text))
}

/// Whether a text names one version and not a range: `1.2.3`, `v1.2.3-rc.1+build`.
pub fn is_exact_version(text: &str) -> bool {
    let parts = text.strip_prefix('v').unwrap_or(text);
    let numbers = parts.split(['-', '+']).next().unwrap_or(parts);
    numbers.split('.').count() == 3
        && numbers.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
        && Version::parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digest was printed by helm 4.3.1 for these dependencies.
    const CHART: &str = r#"apiVersion: v2
name: umb
version: 0.1.0
dependencies:
- name: common
  version: ">=1.0.0 <2.0.0"
  repository: file://../charts-src/common
  tags: [a, "b&c"]
- name: web
  version: ^2.0.0
  repository: file://../charts-src/web
  alias: front
  condition: front.enabled,global.x
  import-values: [data, {parent: y, child: x}]
"#;
    const LOCK: &str = "dependencies:
- name: common
  repository: file://../charts-src/common
  version: 1.4.0
- name: web
  repository: file://../charts-src/web
  version: 2.0.1
digest: sha256:a521e78484ad13692bad9e92d1f27d8c1b1d676bc0c5624d3c2acc5dbe97f077
";

    fn read(chart: &str, lock: &str) -> Result<ChartLock, LockError> {
        let chart = Chart::from_files([("Chart.yaml".to_owned(), chart.as_bytes().into())]).unwrap();
        ChartLock::read(lock.as_bytes(), &chart)
    }

    #[test]
    fn a_lock_of_helm_fits_until_the_list_changes() {
        let lock = read(CHART, LOCK).unwrap();
        let wanted = |name: &str| Dependency { name: name.to_owned(), ..Dependency::default() };
        assert_eq!(lock.version(1, &wanted("web")), Some("2.0.1"));
        assert_eq!(lock.version(0, &wanted("web")), Some("2.0.1"));
        assert_eq!(lock.version(0, &wanted("other")), None);
        for (from, to) in [("^2.0.0", "^2.0.1"), ("tags: [a,", "tags: [x,"), ("alias: front", "alias: back")]
        {
            assert_eq!(read(&CHART.replace(from, to), LOCK), Err(LockError::OutOfSync), "{from}");
        }
        assert_eq!(read(CHART, &LOCK.replace("2.0.1", "2.0.2")), Err(LockError::OutOfSync));
        assert!(matches!(read(CHART, "dependencies: ["), Err(LockError::Broken(_))));
    }

    #[test]
    fn versions_that_stand_alone_are_exact() {
        for exact in ["1.2.3", "v1.2.3", "1.2.3-rc.1", "1.2.3+build", "0.0.0"] {
            assert!(is_exact_version(exact), "{exact}");
        }
        for range in
            ["1.2", "^1.2.3", "1.2.x", "*", "", "1.2.3 - 2.0.0", ">=1.2.3", "1.2.3 || 2.0.0", "=1.2.3"]
        {
            assert!(!is_exact_version(range), "{range}");
        }
    }
}
