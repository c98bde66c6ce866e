//! One application as the config repository asks for it: where its manifests come from, with which values,
//! into which namespace, under which options. Which commit its code is at is found out later.

use std::collections::BTreeMap;

use super::service::{Allow, ImageSource, ManifestSource};
use crate::helm::Compat;
use crate::model::chart::ChartNeed;
use crate::model::image::ImageRepository;
use crate::model::name::{ApplicationId, NamespaceName, TeamName};
use crate::model::policy::SyncPolicy;
use crate::model::source::{CommitSha, File, RepositoryPath, RepositoryUrl};

/// What one service is to be in one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Application {
    /// Its name.
    pub id: ApplicationId,
    /// The team; absent for third-party charts and the umbrella's own templates.
    pub team: Option<TeamName>,
    /// The namespace of its objects.
    pub namespace: NamespaceName,
    /// Labels for the namespace if moorline creates it, the same for all applications in it.
    pub namespace_labels: BTreeMap<String, String>,
    /// `.Release.Name`.
    pub release: String,
    /// The kubeconfig context; absent means the default one.
    pub cluster: Option<String>,
    /// Where its manifests come from.
    pub origin: Origin,
    /// Values layers in Helm's order.
    pub layers: Vec<Layer>,
    /// Its code, where it has any.
    pub code: Option<Code>,
    /// Its images, where the service names any.
    pub images: Vec<Image>,
    /// The effective sync options.
    pub policy: SyncPolicy,
    /// What code may write outside its own namespace.
    pub allow: Allow,
    /// Whether objects that another tool tracks may be taken over.
    pub adopt: bool,
    /// What becomes of random values and times that its chart draws.
    pub random: Random,
    /// Whether values have to fit the schemas of its chart.
    pub schema: ValuesSchema,
    /// Whose bytes its chart is rendered to.
    pub compat: Compat,
    /// Why it is suspended in Git.
    pub suspend: Option<String>,
}

impl Application {
    /// Which paths make a commit of its code a version; none where each commit is one (RULES §9).
    pub fn version_paths(&self) -> Vec<RepositoryPath> {
        let Some(code) = self.code.as_ref().filter(|code| !code.path.as_str().is_empty()) else {
            return Vec::new();
        };
        let chart = match &self.origin {
            Origin::Chart { path } => Some(path.clone()),
            _ => None,
        };
        [code.path.clone()].into_iter().chain(chart).collect()
    }
}

/// What becomes of random values and times that a chart draws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Random {
    /// They are drawn once and remembered.
    #[default]
    Remember,
    /// They are drawn anew whenever the chart is rendered, as by Helm.
    Fresh,
}

/// Whether values have to fit the schemas of a chart and its dependencies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ValuesSchema {
    /// They have to, as by Helm.
    #[default]
    Check,
    /// Nobody looks, as with Helm's `--skip-schema-validation`: for schemas that refer to another host.
    Skip,
}

/// Where manifests come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// A dependency of the umbrella, by its key (alias or name).
    Dependency {
        /// The key.
        key: String,
    },
    /// A chart in the code repository.
    Chart {
        /// The folder.
        path: RepositoryPath,
    },
    /// A chart of a chart repository.
    Released(ChartNeed),
    /// Plain YAML.
    Manifests(ManifestSource),
    /// The umbrella's own templates and `manifests/`.
    Environment,
}

impl Origin {
    /// Whether it is rendered as a part of the umbrella.
    pub fn is_chart(&self) -> bool {
        !matches!(self, Self::Manifests(_))
    }

    /// Whether the manifests come from a repository that the config repository's reviewers do not see.
    pub fn is_code(&self) -> bool {
        match self {
            Self::Chart { .. } => true,
            Self::Manifests(source) => source.repository.is_some(),
            Self::Dependency { .. } | Self::Released(_) | Self::Environment => false,
        }
    }
}

/// One file of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// The file, for messages.
    pub file: String,
    /// The key under which it is placed; absent means the root.
    pub under: Option<String>,
    /// The file itself.
    pub content: File,
}

/// The code of a service in an environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    /// The repository.
    pub repository: RepositoryUrl,
    /// Only commits that touch this path count.
    pub path: RepositoryPath,
    /// Which commit.
    pub revision: CodeRevision,
}

/// Which commit of the code an environment wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeRevision {
    /// The head of a branch.
    Branch(String),
    /// A commit named in `versions.yaml`.
    Pinned {
        /// The commit.
        commit: CommitSha,
        /// The image digest that goes with it.
        digest: Option<String>,
    },
    /// No branch and no pin: never promoted, nothing is deployed.
    NeverPromoted,
}

/// An image of a service in an environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// Its repository in this environment.
    pub repository: ImageRepository,
    /// Tag pattern and value paths.
    pub source: ImageSource,
}

impl Image {
    /// The tag for a commit.
    pub fn tag(&self, commit: CommitSha) -> String {
        self.source.tag.replace("{commit}", &commit.to_string())
    }
}
