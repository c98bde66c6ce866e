//! `services/<name>.yaml`: whose a service is, where its code, chart or manifests and image are.

use std::time::Duration;

use jiff::SignedDuration;

use super::application::{Random, ValuesSchema};
use super::configuration::{SyncSettings, checked_kind, checked_reference, checked_release};
use super::document::{Document, Node, Places};
use super::keys;
use crate::model::chart::{ChartAddress, ChartNeed};
use crate::model::fault::{Fault, FaultScope};
use crate::model::image::ImageRepository;
use crate::model::name::{NamespaceName, ServiceName, TeamName};
use crate::model::source::{File, RepositoryPath, RepositoryUrl};

/// A service as its file describes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Service {
    /// The team.
    pub team: Option<TeamName>,
    /// The code repository.
    pub code: Option<CodeSource>,
    /// The chart, unless the umbrella depends on it.
    pub chart: Option<ChartSource>,
    /// Plain YAML.
    pub manifests: Option<ManifestSource>,
    /// The images whose tags follow the code.
    pub images: Vec<ImageSource>,
    /// A namespace of its own.
    pub namespace: Option<NamespaceName>,
    /// A release name of its own.
    pub release: Option<String>,
    /// Sync options.
    pub sync: SyncSettings,
    /// Why it is suspended.
    pub suspend: Option<String>,
    /// Whether objects that another tool tracks may be taken over.
    pub adopt: bool,
    /// What code may write outside its own namespace.
    pub allow: Allow,
    /// What becomes of random values and times that its chart draws.
    pub random: Random,
    /// Whether values have to fit the schemas of its chart.
    pub schema: ValuesSchema,
    /// Where its keys stand.
    pub(super) places: Places,
}

/// `code:`.
#[derive(Clone, Debug, PartialEq)]
pub struct CodeSource {
    /// The repository.
    pub repository: RepositoryUrl,
    /// Only commits that touch this path count.
    pub path: RepositoryPath,
}

/// `chart:`: where the chart is.
#[derive(Clone, Debug, PartialEq)]
pub enum ChartSource {
    /// A folder in the code repository, at the wanted commit.
    Folder(RepositoryPath),
    /// A chart of a chart repository.
    Released(ChartNeed),
}

/// `manifests:`: plain YAML.
#[derive(Clone, Debug, PartialEq)]
pub struct ManifestSource {
    /// The repository; absent means the config repository.
    pub repository: Option<RepositoryUrl>,
    /// The branch followed in another repository; absent means its HEAD.
    pub branch: Option<String>,
    /// The folder.
    pub path: RepositoryPath,
}

/// How long after its commit an image may be built.
const MISSING_AFTER: Duration = Duration::from_hours(1);

/// `image:`.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageSource {
    /// The pattern of the image's repository, without tag: `{registry}` is the environment's.
    pub repository: String,
    /// The pattern of the tag: `{commit}` is the full commit.
    pub tag: String,
    /// How long after its commit an image that is not there is called missing.
    pub missing_after: SignedDuration,
    /// Where the chart takes the repository from.
    pub repository_value: Option<String>,
    /// Where the chart takes the tag from.
    pub tag_value: Option<String>,
    /// Where the chart takes the digest from.
    pub digest_value: Option<String>,
}

/// `allow:`: what code may do beyond its own namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    /// Namespaces it may write into.
    pub namespaces: Vec<String>,
    /// Cluster-scoped kinds it may write.
    pub cluster_kinds: Vec<String>,
    /// Objects that `lookup` may read: kind, namespace, name.
    pub lookup: Vec<(String, Option<String>, Option<String>)>,
}

impl Service {
    /// Where the first of these keys stands: file, line and column.
    pub fn place_of(&self, name: &ServiceName, keys: &[&str]) -> String {
        let (line, column) = self.places.of(keys);
        format!("services/{name}.yaml:{line}:{column}")
    }

    /// Reads one services file. A service with faults is returned all the same: its faults hold it.
    pub(super) fn read(name: &ServiceName, path: &str, file: &File, faults: &mut Vec<Fault>) -> Self {
        let document = Document::parse(path, file, FaultScope::Service(name.clone()));
        let service = read_service(&document.root());
        faults.extend(document.into_faults());
        service
    }
}

fn read_service(root: &Node<'_>) -> Service {
    let fields = root.fields(&keys::SERVICE);
    fields.needed("team", root, "name the team that owns this service");
    let service = Service {
        team: fields.get("team").and_then(Node::parse),
        code: fields.get("code").and_then(read_code),
        chart: fields.get("chart").and_then(read_chart),
        manifests: fields.get("manifests").and_then(read_manifests),
        images: fields.get("image").map(read_images).unwrap_or_default(),
        namespace: fields.get("namespace").and_then(Node::parse),
        release: fields.get("release").and_then(|node| node.parse_with(checked_release)),
        sync: fields.get("sync").map(SyncSettings::read).unwrap_or_default(),
        suspend: fields.get("suspend").and_then(Node::reason),
        adopt: fields.get("adopt").and_then(Node::boolean).unwrap_or(false),
        allow: fields.get("allow").map(read_allow).unwrap_or_default(),
        random: fields
            .get("random")
            .and_then(|node| node.one_of(&[("remember", Random::Remember), ("fresh", Random::Fresh)]))
            .unwrap_or_default(),
        schema: fields
            .get("schema")
            .and_then(|node| node.one_of(&[("check", ValuesSchema::Check), ("skip", ValuesSchema::Skip)]))
            .unwrap_or_default(),
        places: fields.places(),
    };
    let in_code = matches!(service.chart, Some(ChartSource::Folder(_)));
    if let Some(chart) = fields.get("chart").filter(|_| in_code && fields.get("code").is_none()) {
        let hint = "add code: {repository: …}, or name a chart repository".to_owned();
        chart.fault("a chart in a code repository needs `code`", Some(hint));
    }
    if let (Some(node), Some(_)) = (fields.get("manifests"), &service.chart) {
        node.fault("a service has either `chart` or `manifests`", Some("remove one of them".to_owned()));
    }
    let follows = service.images.iter().any(|image| image.tag.contains("{commit}"));
    if let Some(node) = fields.get("image").filter(|_| follows && fields.get("code").is_none()) {
        let hint = "add code: {repository: …}, or give a tag without {commit}".to_owned();
        node.fault("the image's tag is a commit, so `code` is needed", Some(hint));
    }
    service
}

fn read_code(node: &Node<'_>) -> Option<CodeSource> {
    let fields = node.fields(&keys::CODE);
    let repository = fields.needed("repository", node, "the address of the Git repository");
    let repository = repository.and_then(Node::parse);
    let path = fields.get("path").map_or(Some(RepositoryPath::default()), Node::parse);
    Some(CodeSource { repository: repository?, path: path? })
}

fn read_chart(node: &Node<'_>) -> Option<ChartSource> {
    let fields = node.fields(&keys::CHART);
    let Some(repository) = fields.get("repository") else {
        for key in ["name", "version"] {
            if let Some(node) = fields.get(key) {
                let hint = "name the chart repository, or give `path` alone".to_owned();
                node.fault(format!("`{key}` needs `repository`"), Some(hint));
            }
        }
        let hint =
            "the folder of the chart in the code repository, or `repository` with `name` and `version`";
        return Some(ChartSource::Folder(fields.needed("path", node, hint)?.parse()?));
    };
    if let Some(node) = fields.get("path") {
        let hint = "a chart of a chart repository has no path: remove one of the two".to_owned();
        node.fault("`path` and `repository` are both there", Some(hint));
    }
    let name = fields.needed("name", node, "the chart's name in the repository");
    let version = fields.needed("version", node, "a version as 1.2.3, or a range as ^1.2");
    let address = ChartAddress { repository: repository.parse()?, name: name?.parse()? };
    Some(ChartSource::Released(ChartNeed { address, version: version?.parse_with(checked_version)? }))
}

fn checked_version(text: &str) -> Result<String, String> {
    crate::helm::highest_version(text, [])?;
    Ok(text.to_owned())
}

fn read_manifests(node: &Node<'_>) -> Option<ManifestSource> {
    let fields = node.fields(&keys::MANIFESTS);
    let path = fields.needed("path", node, "the folder that holds the YAML files");
    let path = path.and_then(Node::parse);
    let repository = fields.get("repository");
    let branch =
        fields.get("branch").and_then(|node| node.raw_text().and_then(|text| checked_reference(node, text)));
    if let Some(node) = fields.get("branch").filter(|_| repository.is_none()) {
        node.fault(
            "`branch` needs `repository`: without one, manifests come from the config repository at its revision",
            Some("remove `branch`, or name the repository".to_owned()),
        );
    }
    let repository = match repository.map(Node::parse) {
        Some(parsed) => Some(parsed?),
        None => None,
    };
    Some(ManifestSource { repository, branch, path: path? })
}

/// One image, or a list of them.
fn read_images(node: &Node<'_>) -> Vec<ImageSource> {
    if !node.is_list() {
        return read_image(node).into_iter().collect();
    }
    let mut images: Vec<ImageSource> = Vec::new();
    for item in node.items() {
        let Some(image) = read_image(&item) else { continue };
        if images.iter().any(|other| other.repository == image.repository) {
            let hint = Some("an image is named once".to_owned());
            item.fault(format!("{} stands twice in the list", image.repository), hint);
        } else {
            images.push(image);
        }
    }
    images
}

fn read_image(node: &Node<'_>) -> Option<ImageSource> {
    let fields = node.fields(&keys::IMAGE);
    let repository = fields.needed("repository", node, "the repository of the image, without a tag");
    let values = fields.get("values").map(|node| node.fields(&keys::IMAGE_VALUES));
    let repository = repository.and_then(|node| node.parse_with(checked_image));
    let tag = fields.get("tag").map_or(Some("{commit}".to_owned()), |node| node.parse_with(checked_tag));
    let path = |key: &str| values.as_ref().and_then(|fields| fields.get(key)?.parse_with(checked_value_path));
    let (repository_value, tag_value, digest_value) = (path("repository"), path("tag"), path("digest"));
    let missing_after = fields.get("missingAfter").map_or(Some(MISSING_AFTER), Node::duration);
    let missing_after = SignedDuration::try_from(missing_after?).ok()?;
    let (repository, tag) = (repository?, tag?);
    Some(ImageSource { repository, tag, missing_after, repository_value, tag_value, digest_value })
}

fn checked_image(text: &str) -> Result<String, String> {
    // The registry of an environment is known later.
    let example = text.replace("{registry}", "registry.example.com");
    match example.parse::<ImageRepository>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("`{text}` is not an image repository: {error}")),
    }
}

fn checked_tag(text: &str) -> Result<String, String> {
    let rest = text.replace("{commit}", "");
    let plain = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
    if rest.chars().all(plain) && !text.is_empty() {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is not a tag: letters, digits, '.', '_', '-' and {{commit}}"))
    }
}

fn checked_value_path(text: &str) -> Result<String, String> {
    let plain = |char: char| char.is_ascii_alphanumeric() || "_-".contains(char);
    let parts = text.split('.').all(|part| !part.is_empty() && part.chars().all(plain));
    if parts {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is not a path of values such as image.tag"))
    }
}

fn read_allow(node: &Node<'_>) -> Allow {
    let fields = node.fields(&keys::ALLOW);
    let namespace = |text: &str| text.parse::<NamespaceName>().map(|name| name.to_string());
    let namespaces = fields.get("namespaces").map(|node| node.texts(namespace));
    let cluster_kinds = fields.get("clusterKinds").map(|node| node.texts(checked_kind));
    let lookups = fields.get("lookup").map(Node::items).unwrap_or_default();
    let lookup = lookups.iter().filter_map(|node| {
        let fields = node.fields(&keys::LOOKUP);
        let kind = fields.needed("kind", node, "the kind of the objects that `lookup` may read");
        let text = |key: &str| fields.get(key).and_then(Node::text);
        Some((kind?.parse_with(checked_kind)?, text("namespace"), text("name")))
    });
    Allow {
        namespaces: namespaces.unwrap_or_default(),
        cluster_kinds: cluster_kinds.unwrap_or_default(),
        lookup: lookup.collect(),
    }
}
