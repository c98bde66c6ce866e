//! `--validate`: what a cluster serves, for templates to see and for their objects to be checked
//! against. Reads the cluster; writes nothing.

use std::sync::Arc;

use serde_json::Value;

use super::TemplateError;
use crate::cli::session::{Session, runtime};
use crate::helm::{Capabilities, Rendered};
use crate::model::kinds::KindTable;
use crate::model::resource::{ApiVersion, GroupKind};
use crate::settings::CommonArguments;

/// What a cluster serves.
#[derive(Debug)]
pub(in crate::cli) struct Served {
    version: String,
    kinds: Arc<KindTable>,
}

impl Served {
    /// Asks the cluster of the settings.
    pub(in crate::cli) fn ask(common: &CommonArguments) -> Result<Self, TemplateError> {
        let unreachable = |message: String| {
            let words = "cluster reachability check failed: kubernetes cluster unreachable";
            TemplateError::Helm(format!("{words}: {message}"))
        };
        let session = Session::open(common).map_err(|failure| unreachable(failure.message().to_owned()))?;
        let runtime = runtime().map_err(|failure| unreachable(failure.message().to_owned()))?;
        let asked = runtime.block_on(async {
            let cluster = session.world.clusters.connect(None).await?;
            let version = cluster.identity().await?.version;
            Ok::<_, crate::adapters::cluster::ClusterError>(Self {
                version,
                kinds: cluster.kinds(false).await?,
            })
        });
        asked.map_err(|error| unreachable(error.to_string()))
    }

    /// What templates see of the cluster.
    pub(super) fn capabilities(&self, offline: Capabilities) -> Result<Capabilities, TemplateError> {
        let versioned = offline.reading_kube_version(&self.version).map_err(TemplateError::Helm)?;
        Ok(versioned.serving(self.kinds.api_versions()))
    }

    /// Refuses objects of kinds that the cluster does not know, in Helm's words. Hooks are not looked at, as in Helm.
    pub(super) fn check(&self, rendered: &Rendered) -> Result<(), TemplateError> {
        let objects = rendered.documents.iter().map(|document| &document.object).flat_map(items);
        let mut problems: Vec<String> = Vec::new();
        for problem in objects.filter_map(|(object, listed)| self.problem(object, listed)) {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        let all = match problems.as_slice() {
            [] => return Ok(()),
            [only] => only.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        Err(TemplateError::Helm(format!("unable to build kubernetes objects from release manifest: {all}")))
    }

    fn problem(&self, object: &Value, listed: bool) -> Option<String> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (version, kind) = (text("/apiVersion"), text("/kind"));
        let invalid = |what: &str| Some(format!("error validating \"\": error validating data: {what}"));
        match (version.is_empty(), kind.is_empty()) {
            (true, true) => return invalid("[apiVersion not set, kind not set]"),
            (true, false) => return invalid("apiVersion not set"),
            (false, true) => return invalid("kind not set"),
            (false, false) => {}
        }
        let served = ApiVersion::parse(version)
            .is_some_and(|version| self.kinds.serves(&GroupKind::new(&version.group, kind), &version));
        if served {
            return None;
        }
        if listed {
            return Some(format!("unable to recognize no matches for kind {kind:?} in version {version:?}"));
        }
        Some(format!(
            "resource mapping not found for name: {:?} namespace: {:?} from \"\": no matches for kind {kind:?} in version {version:?}\nensure CRDs are installed first",
            text("/metadata/name"),
            text("/metadata/namespace")
        ))
    }
}

/// The objects of a document, and whether they stand in a list: whatever has items is one for Helm's client
/// (apimachinery's `unstructured`). A document of comments has none.
fn items(object: &Value) -> Vec<(&Value, bool)> {
    match object.get("items").and_then(Value::as_array) {
        Some(items) => items.iter().map(|item| (item, true)).collect(),
        None if object.is_null() => Vec::new(),
        None => vec![(object, false)],
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Served;
    use crate::helm::{Capabilities, Chart, Compat, Engine, RenderInput};
    use crate::model::kinds::KindTable;
    use crate::model::resource::GroupKind;

    fn check(manifest: &str) -> Result<(), String> {
        let files =
            [("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n"), ("templates/a.yaml", manifest)];
        let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().into()));
        let mut kinds = KindTable::default();
        kinds.add(GroupKind::new("", "ConfigMap"), "v1", "configmaps", true, true);
        let served = Served { version: "v1.37.2".to_owned(), kinds: Arc::new(kinds) };
        let capabilities = served.capabilities(Capabilities::offline(Compat::V4_3)).unwrap();
        let engine = Engine::default().with_capabilities(capabilities);
        let rendered = engine.render(&Chart::from_files(files).unwrap(), &RenderInput::default()).unwrap();
        served.check(&rendered).map_err(|error| error.to_string())
    }

    #[test]
    fn kinds_that_the_cluster_lacks_are_refused_in_the_words_of_helm() {
        let known = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Capabilities.KubeVersion.Minor | quote }}}\n";
        assert_eq!(check(known), Ok(()));
        assert_eq!(check("# nothing\n"), Ok(()));
        let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap}\n";
        assert_eq!(check(list), Ok(()));
        let unknown = "apiVersion: v1\nkind: ConfigMapList\nitems:\n- {apiVersion: v1, kind: ConfigMap}\n- {apiVersion: a.b/v1, kind: Boat}\n";
        assert_eq!(
            check(unknown),
            Err("unable to build kubernetes objects from release manifest: unable to recognize no matches for kind \"Boat\" in version \"a.b/v1\"".to_owned())
        );
        assert_eq!(
            check("apiVersion: a.b/v1\nkind: Foo\nmetadata: {name: f}\n---\nkind: Bar\n"),
            Err("unable to build kubernetes objects from release manifest: [error validating \"\": error validating data: apiVersion not set, resource mapping not found for name: \"f\" namespace: \"\" from \"\": no matches for kind \"Foo\" in version \"a.b/v1\"\nensure CRDs are installed first]".to_owned())
        );
    }

    #[test]
    fn a_hook_is_not_looked_at() {
        let hook = "apiVersion: a.b/v1\nkind: Foo\nmetadata: {name: f, annotations: {helm.sh/hook: test}}\n";
        assert_eq!(check(hook), Ok(()));
    }
}
