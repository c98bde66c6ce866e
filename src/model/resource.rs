//! The identity of a Kubernetes object: group, kind, namespace, name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde_json::Value;

/// A group and a kind, without version: what an object is, whichever version it is written in.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize)]
pub struct GroupKind {
    /// The API group; empty for the core group.
    pub group: Arc<str>,
    /// The kind, as `Deployment`.
    pub kind: Arc<str>,
}

impl GroupKind {
    /// Puts a group and a kind together.
    pub fn new(group: &str, kind: &str) -> Self {
        Self { group: group.into(), kind: kind.into() }
    }

    /// Whether this is the kind given.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        &*self.group == group && &*self.kind == kind
    }
}

impl fmt::Display for GroupKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() {
            formatter.write_str(&self.kind)
        } else {
            write!(formatter, "{}.{}", self.kind, self.group)
        }
    }
}

/// The `apiVersion` of a manifest, split.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ApiVersion {
    /// The API group; empty for the core group.
    pub group: Arc<str>,
    /// The version, as `v1`.
    pub version: Arc<str>,
}

impl ApiVersion {
    /// Splits `apps/v1` or `v1`.
    pub fn parse(text: &str) -> Option<Self> {
        let (group, version) = text.rsplit_once('/').unwrap_or(("", text));
        let plain = |part: &str| {
            part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-')
        };
        let fits = !version.is_empty() && plain(version) && plain(group) && text.len() <= 253;
        fits.then(|| Self { group: group.into(), version: version.into() })
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() {
            formatter.write_str(&self.version)
        } else {
            write!(formatter, "{}/{}", self.group, self.version)
        }
    }
}

/// Which object: unique in a cluster.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ResourceId {
    /// Group and kind.
    pub kind: GroupKind,
    /// The namespace, absent for cluster-scoped objects.
    pub namespace: Option<Arc<str>>,
    /// The name.
    pub name: Arc<str>,
}

impl ResourceId {
    /// Reads the identity of an object in JSON; absent where apiVersion, kind or name are.
    pub fn of(object: &Value) -> Option<Self> {
        let version = ApiVersion::parse(object.get("apiVersion")?.as_str()?)?;
        let kind = object.get("kind")?.as_str()?;
        let metadata = object.get("metadata")?;
        let name = metadata.get("name")?.as_str()?;
        let namespace = metadata.get("namespace").and_then(Value::as_str).filter(|text| !text.is_empty());
        Some(Self {
            kind: GroupKind { group: version.group, kind: kind.into() },
            namespace: namespace.map(Into::into),
            name: name.into(),
        })
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(formatter, "{} {namespace}/{}", self.kind, self.name),
            None => write!(formatter, "{} {}", self.kind, self.name),
        }
    }
}

/// The one-word text form used as a key in the inventory: `group|kind|namespace|name`.
impl serde::Serialize for ResourceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let namespace = self.namespace.as_deref().unwrap_or("");
        serializer
            .collect_str(&format_args!("{}|{}|{namespace}|{}", self.kind.group, self.kind.kind, self.name))
    }
}

/// Why a text is not the key of an object.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not an object key of the form group|kind|namespace|name")]
pub struct InvalidResourceKey(String);

impl FromStr for ResourceId {
    type Err = InvalidResourceKey;

    fn from_str(text: &str) -> Result<Self, InvalidResourceKey> {
        let parts: Vec<&str> = text.split('|').collect();
        match parts.as_slice() {
            [group, kind, namespace, name] if !kind.is_empty() && !name.is_empty() => Ok(Self {
                kind: GroupKind::new(group, kind),
                namespace: (!namespace.is_empty()).then(|| (*namespace).into()),
                name: (*name).into(),
            }),
            _ => Err(InvalidResourceKey(text.chars().take(120).collect())),
        }
    }
}

impl<'de> serde::Deserialize<'de> for ResourceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_is_known_by_group_kind_namespace_and_name() {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "b"}});
        let id = ResourceId::of(&object).unwrap();
        assert_eq!(id.to_string(), "Deployment.apps b/a");
        let key = serde_json::to_value(&id).unwrap();
        assert_eq!(key, json!("apps|Deployment|b|a"));
        assert_eq!(serde_json::from_value::<ResourceId>(key).unwrap(), id);
        assert!(ResourceId::of(&json!({"kind": "X"})).is_none());
        assert!(
            ResourceId::of(&json!({"apiVersion": "a/../v1", "kind": "X", "metadata": {"name": "n"}}))
                .is_none()
        );
    }
}
