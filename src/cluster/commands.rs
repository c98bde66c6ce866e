//! What people ask for: keys of one ConfigMap per environment. All commands can be repeated without harm, so
//! nothing has to remember which were carried out.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use futures::StreamExt as _;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::writer::Writer;
use super::{ClusterEvent, Tell};
use crate::adapters::cluster::{ClusterError, ClusterRead, ClusterWrite, WatchEvent};
use crate::inventory::{FORMAT_ANNOTATION, Role, Unreadable, metadata};
use crate::model::inventory::{Suspension, commands_name};
use crate::model::manifest::annotation;
use crate::model::name::{ApplicationId, EnvironmentName, InstanceName, NamespaceName};
use crate::model::resource::{GroupKind, ResourceId};
use crate::sync::Confirmations;

/// The format in which commands are left.
const COMMANDS_FORMAT: u64 = 1;
/// The key part that stands for a whole environment; no service can have this name.
const WHOLE: &str = "_";

/// A thing that a person can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Look again now.
    Reconcile,
    /// Write nothing.
    Suspend,
    /// Let a blocked version be tried again.
    Unblock,
    /// Carry out a plan that was held.
    Confirm,
}

impl Verb {
    /// The last part of the key.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reconcile => "reconcile",
            Self::Suspend => "suspend",
            Self::Unblock => "unblock",
            Self::Confirm => "confirm",
        }
    }
}

/// The commands of one environment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commands {
    keys: BTreeMap<String, Value>,
    newer: Option<Unreadable>,
}

impl Commands {
    /// Reads the data of the ConfigMap; what is no JSON is ignored.
    pub fn read(object: &Value) -> Self {
        let data = object.get("data").and_then(Value::as_object);
        let parse = |(key, value): (&String, &Value)| {
            let parsed = serde_json::from_str(value.as_str()?).ok()?;
            Some((key.clone(), parsed))
        };
        Self { keys: data.into_iter().flatten().filter_map(parse).collect(), newer: newer(object) }
    }

    /// Why they cannot be understood, if a newer moorline made the ConfigMap: then nobody here knows what they forbid.
    pub fn newer(&self) -> Option<&Unreadable> {
        self.newer.as_ref()
    }

    fn get(&self, application: &ApplicationId, verb: Verb) -> impl Iterator<Item = &Value> {
        let names = [application.service.as_str(), WHOLE];
        names.into_iter().filter_map(move |name| self.keys.get(&format!("{name}.{}", verb.as_str())))
    }

    /// The suspension of an application, its own before its environment's.
    pub fn suspension(&self, application: &ApplicationId, now: Timestamp) -> Option<Suspension> {
        let parse = |value: &Value| serde_json::from_value::<Suspension>(value.clone()).ok();
        let lasting = |one: &Suspension| one.until.is_none_or(|until| until > now);
        self.get(application, Verb::Suspend).filter_map(parse).find(lasting)
    }

    /// What was confirmed and unblocked.
    pub fn confirmations(&self, application: &ApplicationId) -> Confirmations {
        let digests = |verb| {
            let text = |value: &Value| value.get("digest")?.as_str()?.parse().ok();
            self.get(application, verb).filter_map(text).collect()
        };
        Confirmations { plans: digests(Verb::Confirm), unblocked: digests(Verb::Unblock) }
    }
}

fn newer(object: &Value) -> Option<Unreadable> {
    let format = annotation(object, FORMAT_ANNOTATION)?.parse().ok()?;
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("?");
    let object = format!("ConfigMap {name}");
    (format > COMMANDS_FORMAT).then_some(Unreadable::Newer { object, format, known: COMMANDS_FORMAT })
}

fn id(namespace: &NamespaceName, instance: &InstanceName, environment: &EnvironmentName) -> ResourceId {
    ResourceId {
        kind: GroupKind::new("", "ConfigMap"),
        namespace: Some(namespace.as_str().into()),
        name: commands_name(instance, environment).into(),
    }
}

/// The environment of a ConfigMap of commands.
fn environment_of(name: &str, instance: &InstanceName) -> Option<EnvironmentName> {
    let rest = name.strip_prefix(instance.as_str())?.strip_prefix('.')?;
    rest.strip_suffix(".commands")?.parse().ok()
}

/// Reads the commands of all environments.
pub async fn read_all(
    cluster: &dyn ClusterRead,
    namespace: &NamespaceName,
    instance: &InstanceName,
) -> Result<BTreeMap<EnvironmentName, Commands>, ClusterError> {
    let selector = Role::Commands.selector(instance);
    let kind = GroupKind::new("", "ConfigMap");
    let objects = cluster.list(&kind, None, Some(namespace.as_str()), Some(&selector)).await?;
    let read = |object: &Value| {
        let name = object.pointer("/metadata/name")?.as_str()?;
        Some((environment_of(name, instance)?, Commands::read(object)))
    };
    Ok(objects.iter().filter_map(read).collect())
}

/// Makes the ConfigMap of an environment, unless it is there; gives the commands in it.
pub async fn make(
    writer: &Writer,
    namespace: &NamespaceName,
    instance: &InstanceName,
    environment: &EnvironmentName,
) -> Result<Commands, ClusterError> {
    let name = commands_name(instance, environment);
    let mut metadata = metadata(name, namespace, instance, None, Role::Commands);
    metadata["annotations"] = json!({FORMAT_ANNOTATION: COMMANDS_FORMAT.to_string()});
    match writer.put(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})).await {
        Ok(_) => Ok(Commands::default()),
        Err(ClusterError::Changed { .. }) => {
            let there = writer.reader().get(&id(namespace, instance, environment), None).await?;
            Ok(there.as_ref().map(Commands::read).unwrap_or_default())
        }
        Err(error) => Err(error),
    }
}

/// Follows the commands of all environments.
#[derive(Clone)]
pub(super) struct Follow {
    pub(super) cluster: Arc<dyn ClusterRead>,
    pub(super) namespace: NamespaceName,
    pub(super) instance: InstanceName,
    pub(super) tell: Tell,
}

impl Follow {
    pub(super) async fn run(self) -> ControlFlow<()> {
        let selector = Role::Commands.selector(&self.instance);
        let kind = GroupKind::new("", "ConfigMap");
        let mut objects = self.cluster.watch(&kind, None, Some(self.namespace.as_str()), &selector);
        while let Some(event) = objects.next().await {
            match event {
                WatchEvent::Object(object) => {
                    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("");
                    self.told(name, Some(Commands::read(&object)));
                }
                WatchEvent::Gone(id) => self.told(&id.name, None),
                WatchEvent::Started | WatchEvent::Listed | WatchEvent::Failed(_) => {}
            }
        }
        ControlFlow::Continue(())
    }

    fn told(&self, name: &str, commands: Option<Commands>) {
        if let Some(environment) = environment_of(name, &self.instance) {
            (self.tell)(ClusterEvent::Commands(environment, commands));
        }
    }
}

/// Leaves a command, or takes one back (`value` absent).
pub async fn leave(
    cluster: &dyn ClusterWrite,
    place: (&NamespaceName, &InstanceName, &EnvironmentName),
    service: Option<&str>,
    verb: Verb,
    value: Option<&Value>,
) -> Result<(), ClusterError> {
    let id = id(place.0, place.1, place.2);
    let key = format!("{}.{}", service.unwrap_or(WHOLE), verb.as_str());
    let there = cluster.get(&id, None).await?.ok_or_else(|| ClusterError::Missing {
        message: format!("{id}: the daemon makes it at its first pass over {}", place.2),
    })?;
    if let Some(newer) = newer(&there) {
        return Err(ClusterError::Rejected { message: newer.to_string() });
    }
    let has_data = there.get("data").is_some_and(Value::is_object);
    let has_key = there.pointer(&format!("/data/{key}")).is_some();
    let patch = match value {
        Some(value) if has_data => {
            json!([{"op": "add", "path": format!("/data/{key}"), "value": value.to_string()}])
        }
        Some(value) => json!([{"op": "add", "path": "/data", "value": {key: value.to_string()}}]),
        None if has_key => json!([{"op": "remove", "path": format!("/data/{key}")}]),
        None => return Ok(()),
    };
    cluster.patch(&id, None, &patch).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_suspended_by_itself_or_with_its_environment() {
        let object = json!({"data": {
            "web.suspend": r#"{"reason": "mine", "until": null, "actor": "ann"}"#,
            "_.suspend": r#"{"reason": "all", "until": "2026-01-01T00:00:00Z", "actor": null}"#,
            "web.confirm": format!("{{\"digest\": \"{}\"}}", crate::model::digest::Digest::of(b"x")),
            "broken": "{"}});
        let commands = Commands::read(&object);
        let application = |name: &str| ApplicationId::new("dev".parse().unwrap(), name.parse().unwrap());
        let (before, after) =
            ("2025-12-31T00:00:00Z".parse().unwrap(), "2026-01-02T00:00:00Z".parse().unwrap());
        assert_eq!(commands.suspension(&application("web"), after).unwrap().reason, "mine");
        assert_eq!(commands.suspension(&application("api"), before).unwrap().reason, "all");
        assert_eq!(commands.suspension(&application("api"), after), None);
        assert_eq!(commands.confirmations(&application("web")).plans.len(), 1);
        assert!(commands.confirmations(&application("api")).plans.is_empty());
    }
}
