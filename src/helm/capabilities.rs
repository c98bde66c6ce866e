//! What templates may know of the cluster: its version and the API versions it serves.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Compat;
use super::value::object::Record;
use super::value::{Object, Text, Value, convert};

/// What `helm template` offline believes the cluster to serve.
const V4: &[&str] = &[
    "v1",
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1",
    "apps/v1",
    "apps/v1beta1",
    "apps/v1beta2",
    "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1",
    "authentication.k8s.io/v1beta1",
    "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "certificates.k8s.io/v1beta1",
    "certificates.k8s.io/v1alpha1",
    "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1",
    "events.k8s.io/v1beta1",
    "extensions/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "lifecycle.k8s.io/v1alpha1",
    "networking.k8s.io/v1",
    "networking.k8s.io/v1beta1",
    "node.k8s.io/v1",
    "node.k8s.io/v1alpha1",
    "node.k8s.io/v1beta1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2",
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1beta1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1",
    "storagemigration.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1",
];

/// What `helm template` offline believes the cluster to serve.
const V3: &[&str] = &[
    "v1",
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1",
    "apps/v1",
    "apps/v1beta1",
    "apps/v1beta2",
    "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1",
    "authentication.k8s.io/v1beta1",
    "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1",
    "autoscaling/v1",
    "autoscaling/v2",
    "autoscaling/v2beta1",
    "autoscaling/v2beta2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "certificates.k8s.io/v1beta1",
    "certificates.k8s.io/v1alpha1",
    "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1",
    "events.k8s.io/v1beta1",
    "extensions/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "networking.k8s.io/v1",
    "networking.k8s.io/v1beta1",
    "node.k8s.io/v1",
    "node.k8s.io/v1alpha1",
    "node.k8s.io/v1beta1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2",
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1alpha1",
    "scheduling.k8s.io/v1beta1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1alpha1",
    "apiextensions.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1",
];

/// The cluster as `.Capabilities` shows it.
///
/// ```
/// use moorline_helm::{Capabilities, Compat};
///
/// let capabilities = Capabilities::offline(Compat::V4_3)
///     .with_kube_version("1.33.0")
///     .expect("a version")
///     .with_api_versions(["monitoring.coreos.com/v1"]);
/// assert_eq!(capabilities.kube_version(), "v1.33.0");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    pub(crate) kube_version: String,
    normalized: String,
    major: String,
    minor: String,
    pub(crate) api_versions: Vec<String>,
}

/// What a render asked of `.Capabilities`: with the same answers, another cluster renders the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CapabilitiesSeen {
    /// The version of Kubernetes.
    pub version: bool,
    /// The whole list of API versions.
    pub all: bool,
    /// Single API versions, as `apps/v1` or `apps/v1/Deployment`.
    pub asked: BTreeSet<String>,
}

impl CapabilitiesSeen {
    /// As if everything had been asked.
    pub fn everything() -> Self {
        Self { version: true, all: true, asked: BTreeSet::new() }
    }

    /// Notes the access to a field of `.Capabilities`.
    pub(crate) fn note_field(&mut self, name: &[u8]) {
        self.version |= !matches!(name, b"APIVersions" | b"HelmVersion");
    }

    /// Notes that a value was handed on, which may be asked anything later.
    pub(crate) fn note_escape(&mut self, value: &Value) {
        let Value::Object(object) = value else { return };
        match &**object {
            Object::VersionSet(_) => self.all = true,
            Object::Record(record) if is_capabilities(record) => {
                self.all = true;
                self.version = true;
            }
            _ => {}
        }
    }
}

/// Whether a record is `.Capabilities`.
pub(crate) fn is_capabilities(record: &Record) -> bool {
    record.pointer && record.type_name.ends_with(".Capabilities")
}

impl Capabilities {
    /// What `helm template` without a cluster assumes.
    pub fn offline(compat: Compat) -> Self {
        let (minor, versions) = if compat == Compat::V3_19 { ("34", V3) } else { ("37", V4) };
        let version = format!("v1.{minor}.0");
        Self {
            kube_version: version.clone(),
            normalized: version,
            major: "1".to_owned(),
            minor: minor.to_owned(),
            api_versions: versions.iter().map(|version| (*version).to_owned()).collect(),
        }
    }

    /// The same with another Kubernetes version, such as `1.33.0` or `v1.33.1-eks-2`; `None` if
    /// that is no version.
    #[must_use]
    pub fn with_kube_version(self, version: &str) -> Option<Self> {
        self.reading_kube_version(version).ok()
    }

    /// The same; the error is Helm's sentence.
    pub fn reading_kube_version(mut self, version: &str) -> Result<Self, String> {
        let components = version_components(version)
            .map_err(|problem| format!("invalid kube version '{version}': {problem}"))?;
        self.kube_version = if version.starts_with('v') { version.to_owned() } else { format!("v{version}") };
        let texts: Vec<String> = components.iter().map(u64::to_string).collect();
        self.normalized = format!("v{}", texts.join("."));
        let part = |index: usize| texts.get(index).cloned().unwrap_or_default();
        (self.major, self.minor) = (part(0), part(1));
        Ok(self)
    }

    /// The same with further API versions (`group/version` or `group/version/Kind`).
    #[must_use]
    pub fn with_api_versions<T: Into<String>>(mut self, versions: impl IntoIterator<Item = T>) -> Self {
        self.api_versions.extend(versions.into_iter().map(Into::into));
        self
    }

    /// The same, serving exactly these API versions: what discovery of a real cluster says.
    #[must_use]
    pub fn serving<T: Into<String>>(mut self, versions: impl IntoIterator<Item = T>) -> Self {
        self.api_versions = versions.into_iter().map(Into::into).collect();
        self
    }

    /// The version without anything after its numbers, which constraints are checked against.
    pub(crate) fn plain_kube_version(&self) -> &str {
        &self.normalized
    }

    /// The Kubernetes version, with a leading v.
    pub fn kube_version(&self) -> &str {
        &self.kube_version
    }

    /// The value of `.Capabilities`.
    pub(crate) fn to_value(&self, compat: Compat) -> Value {
        let v3 = compat == Compat::V3_19;
        let full = if v3 { &self.normalized } else { &self.kube_version };
        let text = |text: &str| Value::text(text);
        let versions: Arc<[Text]> =
            self.api_versions.iter().map(|version| Text::from(version.as_str())).collect();
        let kube = Record {
            type_name: if v3 { "chartutil.KubeVersion" } else { "common.KubeVersion" },
            pointer: false,
            fields: vec![("Version", text(full)), ("Major", text(&self.major)), ("Minor", text(&self.minor))],
            json_names: &[],
            omits_empty: false,
            methods: vec![("GitVersion", text(full))],
            shown: Some(Text::from(self.normalized.as_str())),
            plain: Some(Text::from(if v3 {
                format!("{{{full} {} {}}}", self.major, self.minor)
            } else {
                format!("{{{full} {} {} {}}}", self.normalized, self.major, self.minor)
            })),
        };
        let record = Record {
            type_name: if v3 { "*chartutil.Capabilities" } else { "*common.Capabilities" },
            pointer: true,
            fields: vec![
                ("KubeVersion", Value::object(Object::Record(kube))),
                ("APIVersions", Value::object(Object::VersionSet(versions))),
                ("HelmVersion", helm_version(compat)),
            ],
            json_names: &[],
            omits_empty: false,
            methods: Vec::new(),
            shown: None,
            plain: None,
        };
        Value::object(Object::Record(record))
    }
}

/// The numbers at the start of a version, as Kubernetes reads versions of any kind.
fn version_components(version: &str) -> Result<Vec<u64>, String> {
    let quoted = || convert::quote(version.as_bytes());
    let start = version.trim_start_matches(['\t', '\n', '\u{C}', '\r', ' ']);
    let start = start.strip_prefix('v').unwrap_or(start);
    let mut texts = Vec::new();
    let mut rest = start;
    loop {
        let width = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, after) = rest.split_at(width);
        if digits.is_empty() {
            break;
        }
        texts.push(digits);
        let Some(after) = after.strip_prefix('.') else { break };
        rest = after;
    }
    match texts.as_slice() {
        [] => return Err(format!("could not parse {} as version", quoted())),
        [_] => return Err(format!("illegal version string {}", quoted())),
        [first, ..] if first.len() > 1 && first.starts_with('0') => {
            let first = convert::quote(first.as_bytes());
            return Err(format!("illegal zero-prefixed version component {first} in {}", quoted()));
        }
        _ => {}
    }
    let read = |digits: &&str| {
        digits.parse::<u64>().map_err(|_| {
            let shown = convert::quote(digits.as_bytes());
            let problem = format!("strconv.ParseUint: parsing {shown}: value out of range");
            format!("illegal non-numeric version component {shown} in {}: {problem}", quoted())
        })
    };
    texts.iter().map(read).collect()
}

fn helm_version(compat: Compat) -> Value {
    let (version, commit, go, kube) = match compat {
        Compat::V3_19 => ("v3.19.0", "3d8990f0836691f0229297773f3524598f46bda6", "go1.24.7", None),
        Compat::V4_1 => ("v4.1.4", "", "go1.25.0", Some("v1.35")),
        Compat::V4_3 => ("v4.3.1", "c0d08d0d6d9424d4a14febb5e8a3e51b0dd00dff", "go1.27.2", Some("v1.37")),
    };
    let mut fields = vec![
        ("Version", Value::text(version)),
        ("GitCommit", Value::text(commit)),
        ("GitTreeState", Value::text("clean")),
        ("GoVersion", Value::text(go)),
    ];
    fields.extend(kube.map(|kube| ("KubeClientVersion", Value::text(kube))));
    Value::object(Object::Record(Record {
        type_name: "version.BuildInfo",
        pointer: false,
        fields,
        json_names: &["version", "git_commit", "git_tree_state", "go_version", "kube_client_version"],
        omits_empty: false,
        methods: Vec::new(),
        shown: None,
        plain: None,
    }))
}
