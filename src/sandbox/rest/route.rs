//! Paths: what a request is about.

use percent_encoding::percent_decode_str;

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Objects.
    Objects(Target),
    /// `/api`.
    LegacyRoot,
    /// `/apis`.
    Groups,
    /// `/apis/GROUP`.
    Group(String),
    /// `/api/v1`, `/apis/GROUP/VERSION`.
    Version(String, String),
    /// `/openapi/v3` and below.
    OpenApi(String),
    /// Whatever else, without a slash at its end.
    Other(String),
}

/// The part of the API that a path names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    /// Empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The resource.
    pub plural: String,
    /// The namespace.
    pub namespace: Option<String>,
    /// The object.
    pub name: Option<String>,
    /// A part of the object.
    pub subresource: String,
}

/// Reads a path.
pub(super) fn route(path: &str) -> Route {
    let steps: Vec<String> = path
        .split('/')
        .filter(|step| !step.is_empty())
        .map(|step| percent_decode_str(step).decode_utf8_lossy().into_owned())
        .collect();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    match steps.as_slice() {
        ["api"] => Route::LegacyRoot,
        ["apis"] => Route::Groups,
        ["apis", group] => Route::Group((*group).to_owned()),
        ["api", version] => Route::Version(String::new(), (*version).to_owned()),
        ["apis", group, version] => Route::Version((*group).to_owned(), (*version).to_owned()),
        ["openapi", "v3", rest @ ..] => Route::OpenApi(rest.join("/")),
        ["api", version, rest @ ..] => Route::Objects(target("", version, rest)),
        ["apis", group, version, rest @ ..] => Route::Objects(target(group, version, rest)),
        other => Route::Other(format!("/{}", other.join("/"))),
    }
}

fn target(group: &str, version: &str, rest: &[&str]) -> Target {
    let mut target = Target { group: group.to_owned(), version: version.to_owned(), ..Target::default() };
    let rest = match rest {
        // The namespace itself and its parts.
        ["namespaces"] | ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => rest,
        ["namespaces", namespace, rest @ ..] => {
            target.namespace = Some((*namespace).to_owned());
            rest
        }
        rest => rest,
    };
    let mut steps = rest.iter();
    target.plural.push_str(steps.next().copied().unwrap_or_default());
    target.name = steps.next().map(|name| (*name).to_owned());
    target.subresource.push_str(&steps.copied().collect::<Vec<_>>().join("/"));
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read() {
        let objects = |path: &str| match route(path) {
            Route::Objects(target) => format!(
                "{}|{}|{}|{}|{}|{}",
                target.group,
                target.version,
                target.namespace.unwrap_or_default(),
                target.plural,
                target.name.unwrap_or_default(),
                target.subresource
            ),
            other => format!("{other:?}"),
        };
        assert_eq!(objects("/api/v1/namespaces/a/pods/b/log"), "|v1|a|pods|b|log");
        assert_eq!(objects("/api/v1/namespaces/a"), "|v1||namespaces|a|");
        assert_eq!(objects("/api/v1/namespaces/a/finalize"), "|v1||namespaces|a|finalize");
        assert_eq!(objects("/apis/apps/v1/deployments"), "apps|v1||deployments||");
        assert_eq!(objects("/apis/rbac/v1/clusterroles/system%3Anode"), "rbac|v1||clusterroles|system:node|");
        assert_eq!(route("/apis/apps/v1/"), Route::Version("apps".into(), "v1".into()));
        assert_eq!(route("/healthz/"), Route::Other("/healthz".into()));
    }
}
