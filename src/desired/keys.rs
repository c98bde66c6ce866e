//! Every key of our own files, once: the strict reader knows no other, and the JSON schema is compared with it.

/// The keys of one kind of map; its name is that of the definition in the JSON schema.
#[derive(Debug)]
pub(super) struct Keys {
    /// The name of the kind.
    #[cfg_attr(not(test), expect(dead_code, reason = "the schema is compared by it"))]
    pub(super) name: &'static str,
    /// The keys.
    pub(super) list: &'static [&'static str],
}

macro_rules! keys {
    ($($constant:ident $name:literal: $($key:literal)+;)+) => {
        $(pub(super) const $constant: Keys = Keys { name: $name, list: &[$($key),+] };)+

        /// Every kind of map with known keys.
        #[cfg(test)]
        pub(super) const ALL: &[Keys] = &[$($constant),+];
    };
}

keys! {
    CONFIGURATION "configuration": "version" "name" "environments" "defaults";
    ENVIRONMENT "environment": "branch" "from" "cluster" "namespace" "registry" "revision" "helm" "suspend" "sync";
    DEFAULTS "defaults": "namespace" "release" "registry" "namespaceLabels" "sync";
    SYNC "sync": "selfHeal" "prune" "timeout" "onFailure" "extras" "hooks" "pruneKinds" "ignore";
    IGNORE "ignore": "kind" "name" "fields";
    SERVICE "service": "team" "code" "chart" "manifests" "image" "namespace" "release" "sync" "suspend" "adopt" "allow" "random" "schema";
    CODE "code": "repository" "path";
    CHART "chart": "path" "repository" "name" "version";
    MANIFESTS "manifests": "repository" "branch" "path";
    IMAGE "image": "repository" "tag" "missingAfter" "values";
    IMAGE_VALUES "imageValues": "repository" "tag" "digest";
    ALLOW "allow": "namespaces" "clusterKinds" "lookup";
    LOOKUP "lookup": "kind" "namespace" "name";
    PIN "pin": "commit" "digest";
}
