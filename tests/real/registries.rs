//! Image registries: an OCI registry as it is packaged, open and closed, and the API of AWS as moto imitates it, with
//! two accounts.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_ecr::Client;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use moorline::adapters::credentials::CredentialEntry;
use moorline::adapters::registry::{
    ImageRegistries, Registries, RegistryEntry, RegistryError, RegistrySettings,
};
use moorline::helm::{Chart, Engine, RenderInput};
use moorline::model::error::Classified as _;
use moorline::model::image::{ImageDigest, ImageRepository, ImageTag};

use crate::parts::moto::{ACCOUNT, Moto};
use crate::parts::registry::Registry;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// One who writes into a registry, as a build does.
struct Pusher {
    client: reqwest::Client,
    base: String,
    login: Option<(&'static str, &'static str)>,
}

impl Pusher {
    fn new(registry: &Registry, path: &str, login: Option<(&'static str, &'static str)>) -> Self {
        let client = reqwest::Client::new();
        Self { client, base: format!("http://{}/v2/{path}", registry.host()), login }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> reqwest::Response {
        let request = match self.login {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        };
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
        answer
    }

    async fn put_manifest(&self, name: &str, kind: &str, text: &str) {
        let url = format!("{}/manifests/{name}", self.base);
        let request = self.client.put(url).header("content-type", kind).body(text.to_owned());
        self.send(request).await;
    }

    /// Pushes an image for one platform, and an index of it under a tag; the digests of both.
    async fn push(&self, tag: &str) -> (ImageDigest, ImageDigest) {
        let config = format!(r#"{{"architecture":"amd64","os":"linux","comment":"{tag}"}}"#);
        let digest = ImageDigest::of(config.as_bytes());
        let begun = self.send(self.client.post(format!("{}/blobs/uploads/", self.base))).await;
        let place = begun.headers()["location"].to_str().unwrap().to_owned();
        let mut place = begun.url().join(&place).unwrap();
        place.query_pairs_mut().append_pair("digest", &digest.to_string());
        self.send(self.client.put(place).body(config.clone())).await;
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{digest}","size":{}}},"layers":[]}}"#,
            config.len()
        );
        let image = ImageDigest::of(manifest.as_bytes());
        self.put_manifest(&image.to_string(), MANIFEST, &manifest).await;
        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{{"mediaType":"{MANIFEST}","digest":"{image}","size":{},"platform":{{"architecture":"amd64","os":"linux"}}}}]}}"#,
            manifest.len()
        );
        self.put_manifest(tag, INDEX, &index).await;
        (ImageDigest::of(index.as_bytes()), image)
    }
}

fn tags<'a>(list: impl IntoIterator<Item = &'a str>) -> Vec<ImageTag> {
    list.into_iter().map(|tag| tag.parse().unwrap()).collect()
}

fn repository(host: &str, path: &str) -> ImageRepository {
    format!("{host}/{path}").parse().unwrap()
}

#[tokio::test]
#[ignore = "needs a registry"]
async fn an_open_registry_tells_what_it_has() {
    let registries = ImageRegistries::new(RegistrySettings::default()).unwrap();
    let registry = Registry::start();
    let pusher = Pusher::new(&registry, "team/web", None);
    let (index, image) = pusher.push("v1").await;
    let (other, _) = pusher.push("v2").await;
    let web = repository(&registry.host(), "team/web");
    let list: Vec<String> = (0..60).map(|number| format!("v{number}")).collect();
    let found = registries.find(&web, &tags(list.iter().map(String::as_str))).await.unwrap();
    let expected = [("v1", index), ("v2", other)].map(|(tag, digest)| (tag.parse().unwrap(), digest));
    assert_eq!(found.images, expected.into());
    for (digest, there) in [(index, true), (image, true), (ImageDigest::of(b"nothing"), false)] {
        assert_eq!(registries.has(&web, &digest).await, Ok(there), "{digest}");
    }
    let absent = registries.find(&web, &tags(["v7"])).await.unwrap();
    assert!(absent.images.is_empty() && !absent.repository_missing, "{absent:?}");
    let gone = registries.find(&repository(&registry.host(), "team/gone"), &tags(["v1"])).await.unwrap();
    assert!(gone.images.is_empty() && gone.repository_missing, "{gone:?}");
}

#[tokio::test]
#[ignore = "needs a registry"]
async fn a_closed_registry_is_told_who_we_are() {
    let files = [
        ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
        ("templates/t.yaml", "line: {{ htpasswd \"me\" \"canary\" }}\n"),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), Arc::from(text.as_bytes())));
    let rendered =
        Engine::default().render(&Chart::from_files(files).unwrap(), &RenderInput::default()).unwrap();
    let stranger = ImageRegistries::new(RegistrySettings::default()).unwrap();
    let registry = Registry::start_closed(rendered.documents[0].object["line"].as_str().unwrap());
    let (index, _) = Pusher::new(&registry, "web", Some(("me", "canary"))).push("v1").await;
    let (web, list) = (repository(&registry.host(), "web"), tags(["v1", "v2"]));
    let error = stranger.find(&web, &list).await.unwrap_err();
    assert!(matches!(error, RegistryError::NoCredentials { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains(&format!("oci://{}/web", registry.host())), "{error:?}");
    let folder = tempfile::tempdir().unwrap();
    let by_settings = |password: &str| {
        let file = folder.path().join(password);
        fs::write(&file, password).unwrap();
        let entry = CredentialEntry {
            prefix: format!("oci://{}", registry.host()),
            username: Some("me".to_owned()),
            password_file: Some(file),
            ..CredentialEntry::default()
        };
        RegistrySettings { credentials: vec![entry], ..RegistrySettings::default() }
    };
    let by_docker = RegistrySettings {
        docker_config: Some(registry.helm_configuration("me:canary")),
        ..RegistrySettings::default()
    };
    for settings in [by_settings("canary"), by_docker] {
        let found = ImageRegistries::new(settings).unwrap().find(&web, &list).await.unwrap();
        assert_eq!(found.images, [("v1".parse().unwrap(), index)].into());
    }
    let wrong = ImageRegistries::new(by_settings("guess")).unwrap().find(&web, &list).await.unwrap_err();
    assert!(matches!(wrong, RegistryError::Denied { .. }), "{wrong:?}");
    assert!(!format!("{wrong:?} {error:?}").contains("guess"));
}

/// Runs a test of this binary once more, with these variables and none of AWS's besides.
fn once_more(test: &str, variables: &[(&str, &str)]) {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("registries::{test}"), "--ignored", "--nocapture"]);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    let output = command.env("HOME", home.path()).envs(variables.iter().copied()).output().unwrap();
    let said =
        format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert!(!said.contains("canary"), "{said}");
}

/// Tells a run of a test that it is the one inside.
const INSIDE: &str = "MOORLINE_TEST_INSIDE";

const OTHER_ACCOUNT: &str = "222233334444";

fn host(account: &str) -> String {
    format!("{account}.dkr.ecr.us-east-2.amazonaws.com")
}

fn role() -> String {
    format!("arn:aws:iam::{OTHER_ACCOUNT}:role/images")
}

/// Writes images into an account, as a build does; by the variables of the environment.
async fn fill(role: Option<String>, path: &str, count: usize) -> Vec<(ImageTag, ImageDigest)> {
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let base = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-2"))
        .http_client(http)
        .load()
        .await;
    let mut config = aws_sdk_ecr::config::Builder::from(&base);
    if let Some(role) = role {
        let role = AssumeRoleProvider::builder(role).session_name("build").configure(&base);
        config = config.credentials_provider(role.build().await);
    }
    let client = Client::from_conf(config.build());
    client.create_repository().repository_name(path).send().await.unwrap();
    let mut images = Vec::new();
    for number in 0..count {
        let (tag, manifest) =
            (format!("v{number}"), format!(r#"{{"schemaVersion":2,"number":"{path} {number}"}}"#));
        let digest = ImageDigest::of(manifest.as_bytes());
        let put = client.put_image().repository_name(path).image_tag(&tag).image_manifest(manifest);
        let put = put.image_manifest_media_type(MANIFEST).image_digest(digest.to_string());
        put.send().await.unwrap();
        images.push((tag.parse().unwrap(), digest));
    }
    images
}

#[tokio::test]
#[ignore = "needs moto"]
async fn registries_of_two_accounts_are_asked_in_batches() {
    if std::env::var_os(INSIDE).is_none() {
        let moto = Moto::start();
        return once_more(
            "registries_of_two_accounts_are_asked_in_batches",
            &[
                (INSIDE, "yes"),
                ("AWS_ENDPOINT_URL", &moto.endpoint()),
                ("AWS_ACCESS_KEY_ID", "AKIATEST"),
                ("AWS_SECRET_ACCESS_KEY", "canary"),
                ("AWS_EC2_METADATA_DISABLED", "true"),
            ],
        );
    }
    let entry =
        RegistryEntry { prefix: host(OTHER_ACCOUNT), role_arn: Some(role()), ..RegistryEntry::default() };
    let settings = RegistrySettings { registries: vec![entry], ..RegistrySettings::default() };
    let (with_role, without) =
        (ImageRegistries::new(settings).unwrap(), ImageRegistries::new(RegistrySettings::default()).unwrap());
    let own = fill(None, "team/web", 25).await;
    let others = fill(Some(role()), "team/other", 3).await;
    let list: Vec<String> = (0..250).map(|number| format!("v{number}")).collect();
    let list = tags(list.iter().map(String::as_str));
    for (account, path, images) in [(ACCOUNT, "team/web", &own), (OTHER_ACCOUNT, "team/other", &others)] {
        let repository = repository(&host(account), path);
        let found = with_role.find(&repository, &list).await.unwrap();
        assert_eq!(found.images, images.iter().cloned().collect(), "{account}");
        assert!(!found.repository_missing);
        assert_eq!(with_role.has(&repository, &images[0].1).await, Ok(true));
        assert_eq!(with_role.has(&repository, &ImageDigest::of(b"nothing")).await, Ok(false));
    }
    let absent = with_role.find(&repository(&host(ACCOUNT), "team/web"), &tags(["x"])).await.unwrap();
    assert!(absent.images.is_empty() && !absent.repository_missing, "{absent:?}");
    // What is not in this account, and the other account's without the role: moto says "no such repository" there,
    // where AWS refuses.
    for (account, path) in [(ACCOUNT, "team/other"), (OTHER_ACCOUNT, "team/other")] {
        let gone = without.find(&repository(&host(account), path), &list).await.unwrap();
        assert!(gone.images.is_empty() && gone.repository_missing, "{account}: {gone:?}");
    }
}

#[tokio::test]
#[ignore = "needs moto"]
async fn without_credentials_of_aws_that_is_what_is_said() {
    if std::env::var_os(INSIDE).is_none() {
        let moto = Moto::start();
        return once_more(
            "without_credentials_of_aws_that_is_what_is_said",
            &[(INSIDE, "yes"), ("AWS_ENDPOINT_URL", &moto.endpoint()), ("AWS_EC2_METADATA_DISABLED", "true")],
        );
    }
    let registries = ImageRegistries::new(RegistrySettings::default()).unwrap();
    let error = registries.find(&repository(&host(ACCOUNT), "team/web"), &tags(["v1"])).await.unwrap_err();
    assert!(matches!(error, RegistryError::NoCredentials { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("AWS_ACCESS_KEY_ID"), "{error:?}");
}
