//! One service in one environment → its application: where its manifests come from, its namespace, release name,
//! layers and commit.

use std::collections::BTreeMap;

use super::application::{Application, Code, CodeRevision, Image, Layer, Origin};
use super::configuration::{CONFIGURATION_FILE, Configuration};
use super::environment::{Environment, plain_fault};
use super::service::{ChartSource, ImageSource, Service};
use super::umbrella::dependency_place;
use crate::model::fault::{Fault, FaultScope};
use crate::model::name::{ApplicationId, LABEL_LIMIT, NamespaceName, ServiceName};
use crate::model::policy::SyncPolicy;
use crate::model::source::{File, FileTree};

/// Resolves the applications of one environment.
pub(super) struct Resolver<'a> {
    pub(super) configuration: &'a Configuration,
    pub(super) environment: &'a Environment,
    pub(super) services: &'a BTreeMap<ServiceName, Service>,
    pub(super) tree: &'a FileTree,
}

impl Resolver<'_> {
    /// The application of one service.
    pub(super) fn resolve(&self, name: &ServiceName) -> Result<Application, Box<Fault>> {
        let standard = Service::default();
        let service = self.services.get(name).unwrap_or(&standard);
        let id = ApplicationId::new(self.environment.name.clone(), name.clone());
        let label = id.label();
        if label.len() > LABEL_LIMIT {
            let message = format!(
                "the label {label} has {} characters; at most {LABEL_LIMIT} are allowed",
                label.len()
            );
            return Err(self.fault(
                name,
                &[],
                &message,
                Some("shorten the service or environment name".to_owned()),
            ));
        }
        let origin = self.origin(name, service)?;
        let settings = &self.environment.settings;
        let policy = self.configuration.defaults.sync.over(SyncPolicy::default());
        let policy = service.sync.over(settings.sync.over(policy));
        Ok(Application {
            team: service.team.clone(),
            namespace: self.namespace(name, service)?,
            namespace_labels: self.configuration.defaults.namespace_labels.clone(),
            release: self.release(name, service)?,
            cluster: settings.cluster.clone(),
            layers: self.layers(name, &origin),
            origin,
            code: self.code(name, service),
            images: self.images(name, service)?,
            policy,
            allow: service.allow.clone(),
            random: service.random,
            schema: service.schema,
            compat: settings.helm.unwrap_or_default(),
            adopt: service.adopt,
            suspend: service.suspend.clone().or_else(|| settings.suspend.clone()),
            id,
        })
    }

    /// A fault at the first of these keys that stands in the service's file.
    #[expect(clippy::unnecessary_box_returns, reason = "every caller returns it as the error of a result")]
    fn fault(&self, service: &ServiceName, keys: &[&str], message: &str, hint: Option<String>) -> Box<Fault> {
        let scope = FaultScope::Application(self.environment.name.clone(), service.clone());
        let Some(known) = self.services.get(service) else {
            let folder = format!("environments/{}", self.environment.name);
            if service.is_environment() {
                return Box::new(plain_fault(&folder, message, hint, scope));
            }
            let (file, (line, column)) = dependency_place(&self.environment.folder, service.as_str());
            let fault = plain_fault(&format!("{folder}/{file}"), message, hint, scope);
            return Box::new(Fault { line, column, ..fault });
        };
        let (line, column) = known.places.of(keys);
        let file = format!("services/{service}.yaml");
        Box::new(Fault { file, line, column, message: message.to_owned(), hint, scope })
    }

    fn images(&self, name: &ServiceName, service: &Service) -> Result<Vec<Image>, Box<Fault>> {
        let registry = self.environment.settings.registry.as_ref();
        let registry = registry.or(self.configuration.defaults.registry.as_ref());
        let resolve = |source: &ImageSource| {
            let needs = source.repository.contains("{registry}");
            let Some(registry) = registry.map(String::as_str).or((!needs).then_some("")) else {
                let message =
                    format!("{} needs the registry of {}", source.repository, self.environment.name);
                let hint = format!(
                    "add `registry:` to environments.{} or to defaults in moorline.yaml",
                    self.environment.name
                );
                return Err(self.fault(name, &["image"], &message, Some(hint)));
            };
            let text = source.repository.replace("{registry}", registry);
            let repository = text.parse().map_err(|error| {
                self.fault(name, &["image"], &format!("{text} is no image repository: {error}"), None)
            })?;
            Ok(Image { repository, source: source.clone() })
        };
        service.images.iter().map(resolve).collect()
    }

    fn origin(&self, name: &ServiceName, service: &Service) -> Result<Origin, Box<Fault>> {
        if name.is_environment() {
            return Ok(Origin::Environment);
        }
        let umbrella = self.environment.umbrella.as_ref();
        let dependency = umbrella.is_some_and(|umbrella| umbrella.names(name.as_str()));
        match (&service.chart, &service.manifests, dependency) {
            (None, None, true) => Ok(Origin::Dependency { key: name.to_string() }),
            (Some(ChartSource::Folder(path)), None, false) => Ok(Origin::Chart { path: path.clone() }),
            (Some(ChartSource::Released(need)), None, false) => Ok(Origin::Released(need.clone())),
            (None, Some(manifests), false) => Ok(Origin::Manifests(manifests.clone())),
            (None, None, false) => Err(self.fault(
                name,
                &[],
                &format!(
                    "{name} has no chart, no manifests and is no dependency of environments/{}",
                    self.environment.name
                ),
                Some("add chart:, manifests:, or a dependency to the umbrella's Chart.yaml".to_owned()),
            )),
            (Some(_), _, true) | (_, Some(_), true) => Err(self.fault(
                name,
                &["chart", "manifests"],
                &format!(
                    "{name} has a chart or manifests of its own and is also a dependency of the umbrella"
                ),
                Some("remove one of the two".to_owned()),
            )),
            (Some(_), Some(_), false) => Err(self.fault(
                name,
                &["manifests"],
                "a service has either `chart` or `manifests`",
                Some("remove one of them".to_owned()),
            )),
        }
    }

    fn fill(&self, pattern: &str, name: &ServiceName, service: &Service) -> Option<String> {
        let team = service.team.as_ref().map(ToString::to_string);
        if pattern.contains("{team}") && team.is_none() {
            return None;
        }
        let filled = pattern
            .replace("{team}", team.as_deref().unwrap_or(""))
            .replace("{environment}", self.environment.name.as_str())
            .replace("{service}", name.as_str());
        Some(filled)
    }

    fn namespace(&self, name: &ServiceName, service: &Service) -> Result<NamespaceName, Box<Fault>> {
        if let Some(namespace) = &service.namespace {
            return Ok(namespace.clone());
        }
        let settings = &self.environment.settings;
        if let Some(namespace) = settings.namespace.as_ref().filter(|_| service.team.is_none()) {
            return Ok(namespace.clone());
        }
        let Some(text) = self.fill(&self.configuration.defaults.namespace, name, service) else {
            let stage = &self.environment.name;
            let (what, hint) = if name.is_environment() {
                ("the environment's own objects have".to_owned(), String::new())
            } else {
                (format!("{name} has"), format!("add services/{name}.yaml with its team, or "))
            };
            let message = format!("{what} no team, so the namespace pattern does not apply");
            let hint = format!("{hint}set environments.{stage}.namespace in {CONFIGURATION_FILE}");
            return Err(self.fault(name, &["team"], &message, Some(hint)));
        };
        text.parse().map_err(|error| {
            let hint = format!("set namespace:, or defaults.namespace in {CONFIGURATION_FILE}");
            self.fault(name, &["namespace", "team"], &format!("its namespace: {error}"), Some(hint))
        })
    }

    fn release(&self, name: &ServiceName, service: &Service) -> Result<String, Box<Fault>> {
        let pattern = service.release.as_deref().unwrap_or(&self.configuration.defaults.release);
        let release = self.fill(pattern, name, service).unwrap_or_else(|| name.to_string());
        // Helm: a release name is at most 53 characters (pkg/chart/common/util/validate_release_name).
        let label = |text: &str| text.parse::<NamespaceName>().is_ok() && text.len() <= 53;
        if release.split('.').all(label) && release.len() <= 53 {
            return Ok(release);
        }
        let message = format!(
            "the release name {release:?} is not a DNS label, or longer than Helm's limit of 53 characters"
        );
        let hint = format!("set release:, or defaults.release in {CONFIGURATION_FILE}");
        Err(self.fault(name, &["release"], &message, Some(hint)))
    }

    fn code(&self, name: &ServiceName, service: &Service) -> Option<Code> {
        let code = service.code.as_ref()?;
        let pin = self.environment.pins.get(name);
        let revision = match (pin, &self.environment.settings.branch) {
            (Some(pin), _) => CodeRevision::Pinned { commit: pin.commit, digest: pin.digest.clone() },
            (None, Some(branch)) => CodeRevision::Branch(branch.clone()),
            (None, None) => CodeRevision::NeverPromoted,
        };
        Some(Code { repository: code.repository.clone(), path: code.path.clone(), revision })
    }

    fn layers(&self, name: &ServiceName, origin: &Origin) -> Vec<Layer> {
        if matches!(origin, Origin::Manifests(_)) {
            return Vec::new();
        }
        let environment = &self.environment.name;
        let key = (!name.is_environment()).then(|| name.to_string());
        let mut layers = Vec::new();
        let mut add = |file: String, content: Option<&File>, under: Option<String>| {
            if let Some(content) = content {
                layers.push(Layer { file, under, content: content.clone() });
            }
        };
        add("base/values.yaml".to_owned(), self.tree.get("base/values.yaml"), None);
        let own = format!("base/{name}.yaml");
        if key.is_some() {
            add(own.clone(), self.tree.get(&own), key.clone());
        }
        let values = format!("environments/{environment}/values.yaml");
        add(values.clone(), self.environment.folder.get("values.yaml"), None);
        let layer = format!("{name}.yaml");
        if key.is_some() {
            add(format!("environments/{environment}/{layer}"), self.environment.folder.get(&layer), key);
        }
        layers
    }
}
