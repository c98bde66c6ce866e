//! Dependencies of a chart that are not in its `charts/`: from a folder of the same repository, or from a chart
//! repository in the version that `Chart.lock` names, else in the highest one that fits. What was fetched is handed
//! in; what is still needed is told.

use std::collections::BTreeMap;

use super::umbrella::{UnusableChart, chart_of};
use crate::helm::{Chart, ChartLock, Dependency, LockError};
use crate::model::chart::{ChartAddress, ChartNeed};
use crate::model::digest::Digest;
use crate::model::source::FileTree;

/// A chart that was fetched.
#[derive(Clone, Debug)]
pub struct Supplied {
    /// The chart.
    pub chart: Chart,
    /// The digest of its archive.
    pub digest: Digest,
}

/// Charts that were fetched, by what was needed.
pub type Supply = BTreeMap<ChartNeed, Supplied>;

/// What becomes of a dependency that is not in `charts/`.
#[derive(Clone, Debug)]
pub(crate) enum Outside {
    /// It is at hand; it was fetched where a need is named.
    At(Supplied, Option<ChartNeed>),
    /// It has to be fetched first.
    Needed(ChartNeed),
    /// It cannot be had.
    Fault {
        /// The file of the chart that is wrong, where it is not the one that lists the dependency.
        file: Option<&'static str>,
        /// What is wrong.
        message: String,
        /// What to do.
        hint: String,
    },
}

/// Where a chart lies: what a relative path in it may reach.
pub(crate) struct Home<'a> {
    /// The chart's own files.
    pub(crate) folder: &'a FileTree,
    /// All files that may be reached; absent where the chart's own are all that is known.
    pub(crate) tree: Option<&'a FileTree>,
    /// The chart's folder in its repository.
    pub(crate) path: &'a str,
}

/// Says of every dependency without a chart what becomes of it, in the order in which they are listed.
pub(crate) fn outside(chart: &Chart, home: &Home<'_>, supply: &Supply) -> Vec<(Dependency, Outside)> {
    let missing = chart.missing_dependencies();
    if missing.is_empty() {
        return Vec::new();
    }
    let lock = read_lock(chart, home.folder);
    let is_missing = |dependency: &Dependency| missing.contains(&dependency);
    let all = chart.dependencies().iter().enumerate().filter(|(_, dependency)| is_missing(dependency));
    all.map(|(place, dependency)| {
        let of_path = dependency.repository.strip_prefix("file://");
        let outside = match (of_path, dependency.repository.is_empty()) {
            (Some(path), _) => local(dependency, path, home),
            (None, true) => fault(
                format!("the dependency {} is neither in charts/ nor has a repository", dependency.name),
                format!(
                    "vendor the chart into {}/charts/{}, or remove the dependency",
                    home.path, dependency.name
                ),
            ),
            (None, false) => remote(dependency, place, lock.as_ref(), home, supply),
        };
        (dependency.clone(), outside)
    })
    .collect()
}

fn fault(message: String, hint: String) -> Outside {
    Outside::Fault { file: None, message, hint }
}

type Lock = (&'static str, Result<ChartLock, LockError>);

fn read_lock(chart: &Chart, folder: &FileTree) -> Option<Lock> {
    ["Chart.lock", "requirements.lock"].into_iter().find_map(|name| {
        let bytes = folder.get(name)?.content.bytes();
        let lock = bytes.map_err(|why| LockError::Broken(why.to_owned()));
        Some((name, lock.and_then(|bytes| ChartLock::read(bytes, chart))))
    })
}

fn remote(
    dependency: &Dependency,
    place: usize,
    lock: Option<&Lock>,
    home: &Home<'_>,
    supply: &Supply,
) -> Outside {
    let name = &dependency.name;
    let version = match lock {
        None => dependency.version.clone(),
        Some((_, Ok(lock))) => match lock.version(place, dependency) {
            Some(version) => version.to_owned(),
            None => dependency.version.clone(),
        },
        Some((file, Err(error))) => {
            let message = format!("{error}, so the version of {name} cannot be told");
            let hint = format!("run `helm dependency update {}` and commit {file}", home.path);
            return Outside::Fault { file: Some(file), message, hint };
        }
    };
    let address = match (dependency.repository.parse(), name.parse()) {
        (Ok(repository), Ok(name)) => ChartAddress { repository, name },
        (Err(error), _) => {
            return fault(
                format!("the repository of the dependency {name} cannot be used: {error}"),
                "write https://, http://, oci://, or file:// with a path of this repository".to_owned(),
            );
        }
        (_, Err(error)) => {
            return fault(error.to_string(), "write the chart's name as its repository has it".to_owned());
        }
    };
    if let Err(error) = crate::helm::highest_version(&version, []) {
        let hint = "write a version as 1.2.3, or a range as ^1.2".to_owned();
        return fault(format!("the version of the dependency {name}: {error}"), hint);
    }
    let need = ChartNeed { address, version };
    match supply.get(&need) {
        Some(supplied) => Outside::At(supplied.clone(), Some(need)),
        None => Outside::Needed(need),
    }
}

/// A chart in another folder of the same repository.
fn local(dependency: &Dependency, path: &str, home: &Home<'_>) -> Outside {
    let name = &dependency.name;
    let Some(tree) = home.tree else {
        return fault(
            format!("the dependency {name} lies outside of the chart's folder: {}", dependency.repository),
            format!("vendor it: run `helm dependency build {}` and commit charts/", home.path),
        );
    };
    let Some(path) = relative(home.path, path) else {
        return fault(
            format!("the dependency {name} lies outside of this repository: {}", dependency.repository),
            "write a path relative to the chart that stays in the repository, or vendor it into charts/"
                .to_owned(),
        );
    };
    let files = tree.subtree(&path);
    let hint = format!("put the chart into {path}, or correct the repository of {name}");
    if files.is_empty() {
        return fault(format!("the dependency {name} is not at {path}"), hint);
    }
    let chart = match chart_of(&files) {
        Ok(chart) => chart,
        Err(UnusableChart::File(file, why)) => return fault(format!("{path}/{file} {why}"), hint),
        Err(UnusableChart::Chart(error)) => {
            return fault(format!("the chart at {path} cannot be used: {error}"), hint);
        }
    };
    match crate::helm::highest_version(&dependency.version, [chart.version()]) {
        Ok(Some(_)) if chart.name() == name => Outside::At(Supplied { chart, digest: files.digest() }, None),
        _ => fault(
            format!(
                "the chart at {path} is {} {}, the dependency asks for {name} {}",
                chart.name(),
                chart.version(),
                dependency.version
            ),
            format!("correct the version of {name}"),
        ),
    }
}

/// A path relative to a folder, as one of the repository; nothing if it leaves it.
fn relative(folder: &str, path: &str) -> Option<String> {
    if path.starts_with('/') || path.contains(['\\', '\0', '%']) {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            git if git.eq_ignore_ascii_case(".git") => return None,
            plain => parts.push(plain),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(text: &str) -> (Chart, FileTree) {
        let folder = FileTree::from_contents([("Chart.yaml", text)]);
        (chart_of(&folder).unwrap(), folder)
    }

    const UMBRELLA: &str = "apiVersion: v2\nname: dev\nversion: 0.1.0\ndependencies:\n- {name: web, version: ^1.2, repository: 'https://charts.example.com'}\n- {name: db, version: '1.0.0', repository: 'oci://r.example.com/charts', alias: data}\n";

    #[test]
    fn without_a_lock_the_constraint_is_needed() {
        let (chart, folder) = chart(UMBRELLA);
        let home = Home { folder: &folder, tree: Some(&folder), path: "environments/dev" };
        let needs: Vec<String> = outside(&chart, &home, &Supply::new())
            .into_iter()
            .map(|(dependency, outside)| match outside {
                Outside::Needed(need) => format!("{}: {need}", dependency.key()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            needs,
            ["web: web ^1.2 of https://charts.example.com", "data: db 1.0.0 of oci://r.example.com/charts"]
        );
    }

    #[test]
    fn a_lock_of_another_list_names_the_remedy() {
        let (chart, mut folder) = chart(UMBRELLA);
        let lock = "dependencies:\n- {name: web, version: 1.2.9, repository: 'https://charts.example.com'}\ndigest: sha256:00\n";
        folder.insert("Chart.lock".to_owned(), crate::model::source::File::of_bytes(lock.as_bytes()));
        let home = Home { folder: &folder, tree: Some(&folder), path: "environments/dev" };
        for (_, outside) in outside(&chart, &home, &Supply::new()) {
            let Outside::Fault { file, message, hint } = outside else { panic!("{outside:?}") };
            assert_eq!(file, Some("Chart.lock"));
            assert!(message.starts_with("is out of sync with the dependencies"), "{message}");
            assert_eq!(hint, "run `helm dependency update environments/dev` and commit Chart.lock");
        }
    }

    #[test]
    fn folders_of_the_same_repository_are_found_and_others_refused() {
        for (path, found) in [
            ("../../charts/common", Some("charts/common")),
            ("./lib", Some("environments/dev/lib")),
            ("../../../etc", None),
            ("/etc", None),
            ("../../.git/x", None),
            ("..%2f..", None),
        ] {
            assert_eq!(relative("environments/dev", path).as_deref(), found, "{path}");
        }
        let umbrella = "apiVersion: v2\nname: dev\nversion: 0.1.0\ndependencies:\n- {name: web, version: ^1.2, repository: 'file://../../charts/web'}\n- {name: db, version: ^2, repository: 'file://../../charts/db'}\n- {name: gone, version: '*', repository: 'file://../gone'}\n- {name: out, version: '*', repository: 'file:///etc'}\n";
        let (chart, folder) = chart(umbrella);
        let tree = FileTree::from_contents([
            ("charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.3.0\n"),
            ("charts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.3.0\n"),
        ]);
        let home = Home { folder: &folder, tree: Some(&tree), path: "environments/dev" };
        let found: Vec<String> = outside(&chart, &home, &Supply::new())
            .into_iter()
            .map(|(_, outside)| match outside {
                Outside::At(supplied, _) => supplied.chart.version().to_owned(),
                Outside::Fault { message, .. } => message,
                Outside::Needed(need) => panic!("{need}"),
            })
            .collect();
        assert_eq!(
            found,
            [
                "1.3.0",
                "the chart at charts/db is db 1.3.0, the dependency asks for db ^2",
                "the dependency gone is not at environments/gone",
                "the dependency out lies outside of this repository: file:///etc",
            ]
        );
    }
}
