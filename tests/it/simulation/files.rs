//! The repositories of a simulation: files of four services in two environments, made from a few numbers. Two have
//! plain YAML in the config repository; the third has a chart in a code repository, followed in dev, pinned in prod;
//! the fourth, once somebody adds it, is a chart of a chart repository that the umbrellas depend on.

use std::collections::{BTreeMap, BTreeSet};

use moorline::model::source::{CommitSha, FileTree};
use moorline_doubles::packaged;

/// What a service's manifests are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quality {
    /// They become healthy.
    Good,
    /// Their image never starts.
    BadImage,
    /// They are no YAML.
    BadYaml,
    /// The API server refuses them.
    Invalid,
}

/// One service in Git.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    /// The number of the commit that last changed it: in a ConfigMap and as the tag of its image.
    pub(crate) value: u32,
    /// What its manifests are like.
    pub(crate) quality: Quality,
    /// Further ConfigMaps.
    pub(crate) extras: BTreeSet<u8>,
}

/// All of Git's config repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// The services.
    pub(crate) services: BTreeMap<&'static str, Service>,
    /// The commit of the code repository that prod is pinned to.
    pub(crate) pin: Option<CommitSha>,
    /// Which service is in which environment.
    pub(crate) members: BTreeSet<(&'static str, &'static str)>,
    /// An empty repository, as after an accident.
    pub(crate) empty: bool,
}

/// The services with plain YAML in the config repository.
pub(crate) const SERVICES: [&str; 2] = ["api", "web"];
/// The service with a chart in a code repository.
pub(crate) const CODED: &str = "pay";
/// The service that is a chart of the chart repository.
pub(crate) const CHARTED: &str = "cache";
/// The chart repository.
pub(crate) const CHARTS: &str = "https://charts.example.com/stable";
/// Every application that a simulation begins with.
pub(crate) const MEMBERS: [(&str, &str); 5] =
    [("dev", "api"), ("dev", "web"), ("prod", "web"), ("dev", CODED), ("prod", CODED)];
/// The applications of the chart repository's chart.
pub(crate) const LATER: [(&str, &str); 2] = [("dev", CHARTED), ("prod", CHARTED)];

impl Service {
    /// What a simulation begins with.
    pub(crate) fn first() -> Self {
        Self { value: 1, quality: Quality::Good, extras: (0..5).collect() }
    }

    /// The files of the code repository.
    pub(crate) fn code(&self) -> FileTree {
        let files = self.chart(CODED).into_iter().map(|(path, text)| (format!("chart/{path}"), text));
        FileTree::from_contents(files)
    }

    /// The archive that the chart repository offers.
    pub(crate) fn archive(&self) -> Vec<u8> {
        let files = self.chart(CHARTED);
        let files = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        packaged(CHARTED, files).unwrap_or_else(|_| unreachable!("short paths, written to memory"))
    }

    /// The version of its chart.
    pub(crate) fn version(&self) -> String {
        format!("0.1.{}", self.value)
    }

    fn chart(&self, name: &str) -> Vec<(String, String)> {
        let about = format!("apiVersion: v2\nname: {name}\nversion: {}\n", self.version());
        let mut files =
            vec![("Chart.yaml".to_owned(), about), ("templates/all.yaml".to_owned(), manifests(name, self))];
        files.extend(self.extras.iter().map(|extra| {
            (format!("templates/extra{extra}.yaml"), map(&format!("{name}-extra{extra}"), "1"))
        }));
        files
    }

    /// Whether its manifests hold an object. `name` is that of a ConfigMap or Deployment.
    pub(crate) fn names(&self, service: &str, name: &str) -> bool {
        let extra = name.strip_prefix(service).and_then(|rest| rest.strip_prefix("-extra"));
        match extra.and_then(|number| number.parse::<u8>().ok()) {
            None => name == service,
            Some(number) => self.extras.contains(&number),
        }
    }
}

impl Config {
    /// What a simulation begins with.
    pub(crate) fn first() -> Self {
        Self {
            services: SERVICES.into_iter().map(|name| (name, Service::first())).collect(),
            pin: None,
            members: MEMBERS.into(),
            empty: false,
        }
    }

    /// The files.
    pub(crate) fn tree(&self) -> FileTree {
        if self.empty {
            return FileTree::default();
        }
        let mut files = vec![(
            "moorline.yaml".to_owned(),
            "version: 1\nname: sim\nenvironments: {dev: {branch: main, namespace: blue-dev}, prod: {namespace: blue-prod}}\ndefaults: {sync: {timeout: 20s}}\n"
                .to_owned(),
        )];
        let coded =
            "team: blue\ncode: {repository: \"https://git.example.com/pay.git\"}\nchart: {path: chart}\n";
        files.push((format!("services/{CODED}.yaml"), coded.to_owned()));
        if let Some(commit) = self.pin.filter(|_| self.members.contains(&("prod", CODED))) {
            files.push(("environments/prod/versions.yaml".to_owned(), format!("{CODED}: \"{commit}\"\n")));
        }
        for (name, service) in self.services.iter().filter(|(name, _)| **name != CHARTED) {
            let text = format!("team: blue\nmanifests: {{path: k8s/{name}}}\n");
            files.push((format!("services/{name}.yaml"), text));
            files.push((format!("k8s/{name}/all.yaml"), manifests(name, service)));
            for extra in &service.extras {
                let text = map(&format!("{name}-extra{extra}"), "1");
                files.push((format!("k8s/{name}/extra{extra}.yaml"), text));
            }
        }
        files.extend(
            self.members
                .iter()
                .map(|(stage, name)| (format!("environments/{stage}/{name}.yaml"), String::new())),
        );
        if let Some(charted) = self.services.get(CHARTED) {
            let stages = self.members.iter().filter(|(_, name)| *name == CHARTED).map(|(stage, _)| *stage);
            files.extend(
                stages.map(|stage| (format!("environments/{stage}/Chart.yaml"), umbrella(stage, charted))),
            );
        }
        FileTree::from_contents(files)
    }

    /// Whether a service is in an environment.
    pub(crate) fn has(&self, environment: &str, service: &str) -> bool {
        self.members.iter().any(|(stage, one)| *stage == environment && *one == service)
    }
}

fn umbrella(stage: &str, charted: &Service) -> String {
    format!(
        "apiVersion: v2\nname: {stage}\nversion: 0.1.0\ndependencies:\n- {{name: {CHARTED}, version: {}, repository: \"{CHARTS}\"}}\n",
        charted.version()
    )
}

fn map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{value: \"{value}\"}}\n")
}

fn manifests(name: &str, service: &Service) -> String {
    let (value, tag) = match service.quality {
        Quality::BadYaml => return "{".to_owned(),
        Quality::Invalid => (format!("{}\", \"bad key!\": \"1", service.value), service.value.to_string()),
        Quality::BadImage => (service.value.to_string(), format!("missing-{}", service.value)),
        Quality::Good => (service.value.to_string(), service.value.to_string()),
    };
    format!(
        "{}---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: 1\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec: {{containers: [{{name: {name}, image: \"shop/{name}:{tag}\"}}]}}\n",
        map(name, &value)
    )
}
