//! What Helm asks of a manifest: its kind and its annotations, with the types that Go's decoder demands. Pure functions.

use serde_json::Value as Json;

use super::Hook;
use crate::Compat;
use crate::chart::decode::lookup;
use crate::chart::decode::{self, Misfit, Spot};
use crate::yaml::{self, YamlLimits};
use part::Part;

mod part;

/// The head of a document.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// `kind`, empty if there is none.
    pub(super) kind: String,
    annotations: Vec<(String, String)>,
}

impl Head {
    /// The head of a document in plain YAML whose fields have the types that are asked for, without the rest of it;
    /// everything else takes the long way, which finds the words.
    pub(super) fn plain(text: &[u8]) -> Option<Self> {
        let top = yaml::read_plain_head::<Part>(text, YamlLimits::default())?;
        top.text_of("apiVersion")?;
        let kind = top.text_of("kind")?.to_owned();
        let annotations = match top.field("metadata") {
            None => Vec::new(),
            Some(metadata) => {
                metadata.text_of("name")?;
                match metadata.field("annotations") {
                    None => Vec::new(),
                    Some(annotations) => annotations.texts()?,
                }
            }
        };
        Some(Self { kind, annotations })
    }

    /// The head of a parsed document; the error is Helm's.
    pub(super) fn of(object: &Json, compat: Compat) -> Result<Self, String> {
        let words = |misfit: Misfit| if compat == Compat::V3_19 { misfit.v3 } else { misfit.v4 };
        match object {
            Json::Null => return Ok(Self::default()),
            Json::Object(_) => {}
            other => {
                return Err(words(Misfit::document(other, "util.SimpleHead", "releaseutil.SimpleHead")));
            }
        }
        let top = Spot::top("SimpleHead");
        decode::text(object, &top, "apiVersion").map_err(words)?;
        let kind = decode::text(object, &top, "kind").map_err(words)?;
        let mut annotations = Vec::new();
        if let Some(metadata) = lookup(object, "metadata").filter(|metadata| !metadata.is_null()) {
            let wanted = r#"struct { Name string "json:\"name\""; Annotations map[string]string "json:\"annotations\"" }"#;
            let spot = top.field("metadata");
            if !metadata.is_object() {
                return Err(words(spot.misfit(metadata, wanted, wanted)));
            }
            // The struct has no name of its own.
            let spot = spot.owned_by("");
            annotations = decode::text_map(metadata, &spot, "annotations").map_err(words)?;
            decode::text(metadata, &spot, "name").map_err(words)?;
        }
        Ok(Self { kind, annotations })
    }

    /// An annotation.
    pub(super) fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.iter().rev().find(|(known, _)| known == key).map(|(_, text)| text.as_str())
    }

    /// What the annotations say of a hook with these events; `None` if one is unknown.
    pub(super) fn hook(&self, events: &str) -> Option<Hook> {
        let mut hook = Hook::default();
        for event in events.split(',') {
            let event = event.trim().to_lowercase();
            if !EVENTS.contains(&event.as_str()) {
                return None;
            }
            hook.events.push(if event == "test-success" { "test".to_owned() } else { event });
        }
        let weight = self.annotation("helm.sh/hook-weight");
        hook.weight = weight.and_then(|weight| weight.parse().ok()).unwrap_or(0);
        if let Some(policies) = self.annotation("helm.sh/hook-delete-policy") {
            hook.delete_policies = policies.split(',').map(|policy| policy.trim().to_lowercase()).collect();
        }
        Some(hook)
    }
}

const EVENTS: [&str; 10] = [
    "pre-install",
    "post-install",
    "pre-delete",
    "post-delete",
    "pre-upgrade",
    "post-upgrade",
    "pre-rollback",
    "post-rollback",
    "test",
    "test-success",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// What the short way finds is what the long way finds; whether there is a short way.
    fn compare(text: &str) -> bool {
        let object: Json = yaml::read_first(text.as_bytes(), YamlLimits::default()).unwrap();
        let whole = Head::of(&object, Compat::V4_3);
        let kept = yaml::read_head(text.as_bytes(), YamlLimits::default()).unwrap();
        assert_eq!(Head::of(&kept, Compat::V4_3), whole, "{text}");
        let Some(mut plain) = Head::plain(text.as_bytes()) else { return false };
        plain.annotations.sort();
        assert_eq!(Ok(plain), whole, "{text}");
        true
    }

    #[test]
    fn plain_heads_are_read_in_the_short_way() {
        for text in [
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  a: b\n",
            "kind: Pod\nmetadata:\n  annotations:\n    helm.sh/hook: test, pre-install\n    a: \"b\"\n",
            "metadata: {}\nspec:\n  kind: x\n",
            "a: 1\n",
        ] {
            assert!(compare(text), "{text}");
        }
    }

    #[test]
    fn other_heads_are_read_in_the_long_way() {
        for text in [
            "kind: 1\n",
            "kind: [a]\n",
            "apiVersion: true\n",
            "metadata: 1\n",
            "metadata:\n  name: {}\n",
            "metadata:\n  annotations:\n    a: 1\n",
            "metadata:\n  annotations:\n    a:\n",
            "metadata:\n",
            "# nothing\n",
            "- a\n",
        ] {
            assert!(!compare(text), "{text}");
        }
    }

    /// Go's decoder takes fields in any case; of several the last one in the order of their names.
    #[test]
    fn fields_are_known_in_any_case() {
        let head = |text: &str| {
            compare(text);
            Head::of(&yaml::read_head(text.as_bytes(), YamlLimits::default()).unwrap(), Compat::V4_3).unwrap()
        };
        assert_eq!(head("Kind: Pod\n").kind, "Pod");
        assert_eq!(head("kind: Service\nKIND: Pod\nKind: Job\n").kind, "Service");
        assert_eq!(head("KIND: Pod\nKind: Job\nspec: {}\n").kind, "Job");
        let head = head("METADATA:\n  Annotations:\n    helm.sh/hook: test-success\n    Helm.sh/hook: b\n");
        assert_eq!(head.annotation("helm.sh/hook"), Some("test-success"));
        assert_eq!(head.hook("test-success").unwrap().events, ["test"]);
        assert_eq!(head.hook("never"), None);
    }
}
