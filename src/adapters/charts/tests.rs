//! Chart repositories over real connections: an index with ETag, redirects to another host, refusals, slow servers,
//! wrong digests; a registry with tokens and pages. Nothing of ours may reach a host that it is not for.

use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use axum::routing::any;

use super::*;

/// What a server was asked: path with query, and the headers that matter.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    path: String,
    authorization: Option<String>,
    known: Option<String>,
}

type Answerer = dyn Fn(&Asked) -> Response<Body> + Send + Sync;

#[derive(Clone)]
struct Served {
    asked: Arc<Mutex<Vec<Asked>>>,
    answer: Arc<Answerer>,
}

struct Server {
    place: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    async fn start(answer: impl Fn(&Asked) -> Response<Body> + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let served = Served { asked: Arc::default(), answer: Arc::new(answer) };
        let asked = served.asked.clone();
        let router = Router::new().fallback(any(serve)).with_state(served);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { place, asked }
    }

    fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    fn chart(&self, scheme: &str, path: &str) -> ChartAddress {
        ChartAddress {
            repository: format!("{scheme}://{}{path}", self.place).parse().unwrap(),
            name: "web".parse().unwrap(),
        }
    }
}

async fn serve(State(served): State<Served>, request: Request) -> Response<Body> {
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let path = request.uri().path_and_query().unwrap().to_string();
    let asked = Asked { path, authorization: header("authorization"), known: header("if-none-match") };
    served.asked.lock().unwrap().push(asked.clone());
    (served.answer)(&asked)
}

fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response<Body> {
    let mut builder = Response::builder().status(StatusCode::from_u16(status).unwrap());
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body.into()).unwrap()
}

fn repositories(folder: &Path, prefixes: &[&str]) -> ChartRepositories {
    let file = folder.join("token");
    std::fs::File::create(&file).unwrap().write_all(b"canary\n").unwrap();
    let credential = |prefix: &&str| CredentialEntry {
        prefix: (*prefix).to_owned(),
        username: Some("me".to_owned()),
        password_file: Some(file.clone()),
        ..CredentialEntry::default()
    };
    ChartRepositories::new(ChartSettings {
        data_directory: folder.join("data"),
        credentials: prefixes.iter().map(credential).collect(),
        capacity: 1 << 20,
    })
    .unwrap()
}

fn index(url: &str, digest: &str) -> String {
    format!(
        "apiVersion: v1\nentries:\n  web:\n  - version: 1.2.0\n    urls: [{url}]\n    digest: {digest}\n  - {{version: 1.1.0, urls: []}}\n"
    )
}

const ARCHIVE: &[u8] = b"the archive";

fn archive_digest() -> String {
    Digest::of(ARCHIVE).hex()
}

use crate::model::digest::Digest;

#[tokio::test]
async fn an_index_is_asked_for_again_only_to_hear_that_it_is_the_same() {
    let server = Server::start(|asked| match (asked.path.as_str(), asked.known.as_deref()) {
        ("/stable/index.yaml", Some("\"one\"")) => answer(304, &[], ""),
        ("/stable/index.yaml", _) => {
            answer(200, &[("etag", "\"one\"")], index("web-1.2.0.tgz", &archive_digest()))
        }
        ("/stable/web-1.2.0.tgz", _) => answer(200, &[], ARCHIVE),
        _ => answer(404, &[], ""),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let chart = server.chart("http", "/stable/");
    let first = repositories(folder.path(), &[]);
    assert_eq!(first.versions(&chart).await.unwrap().list, ["1.2.0"]);
    assert_eq!(&*first.archive(&chart, "1.2.0").await.unwrap().bytes, ARCHIVE);
    assert_eq!(first.versions(&chart).await.unwrap().list, ["1.2.0"]);
    let paths: Vec<String> = server.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths, ["/stable/index.yaml", "/stable/web-1.2.0.tgz"], "a moment later nothing is asked");
    // Another process on the same folder.
    let second = repositories(folder.path(), &[]);
    assert_eq!(second.kept(&chart, "1.2.0").await.unwrap().digest.hex(), archive_digest());
    assert_eq!(
        second.versions(&chart).await.unwrap(),
        Versions { list: vec!["1.2.0".into()], outdated: None }
    );
    assert_eq!(second.archive(&chart, "1.2.0").await.unwrap().digest.hex(), archive_digest());
    let asked = server.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].known.as_deref(), Some("\"one\""));
    let missing = second.archive(&chart, "9.9.9").await.unwrap_err().to_string();
    assert!(missing.ends_with("has no version 9.9.9 of web"), "{missing}");
}

#[tokio::test]
async fn credentials_go_to_their_own_host_alone() {
    let other = Server::start(|_| answer(200, &[], ARCHIVE)).await;
    let elsewhere = other.place.clone();
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/a/index.yaml" => answer(200, &[], index(&format!("http://{elsewhere}/web.tgz"), "")),
        "/b/index.yaml" => answer(200, &[], index("web.tgz", "")),
        "/b/web.tgz" => answer(302, &[("location", &format!("http://{elsewhere}/moved.tgz"))], ""),
        _ => answer(404, &[], ""),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let charts = repositories(folder.path(), &[&format!("http://{}/", server.place)]);
    for path in ["/a", "/b"] {
        let archive = charts.archive(&server.chart("http", path), "1.2.0").await.unwrap();
        assert_eq!(&*archive.bytes, ARCHIVE);
    }
    let own = server.asked();
    assert_eq!(own.len(), 3);
    assert!(own.iter().all(|asked| asked.authorization.is_some()), "{own:?}");
    let strange = other.asked();
    assert_eq!(strange.len(), 2);
    assert!(strange.iter().all(|asked| asked.authorization.is_none()), "{strange:?}");
}

#[tokio::test]
async fn refusals_are_told_apart_and_never_tell_a_secret() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/denied/index.yaml" => answer(401, &[], ""),
        "/busy/index.yaml" => answer(429, &[("retry-after", "7")], ""),
        "/broken/index.yaml" => answer(502, &[], ""),
        "/page/index.yaml" => answer(200, &[], "<html>"),
        "/round/index.yaml" => answer(302, &[("location", "/round/index.yaml")], ""),
        "/cloud/index.yaml" => answer(302, &[("location", "http://169.254.169.254/latest/")], ""),
        "/user/index.yaml" => answer(302, &[("location", "http://u:canary@127.0.0.1/")], ""),
        "/wrong/index.yaml" => answer(200, &[], index("web.tgz", &"0".repeat(64))),
        "/wrong/web.tgz" => answer(200, &[], ARCHIVE),
        _ => answer(404, &[], ""),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let charts = repositories(folder.path(), &[&format!("http://{}/", server.place)]);
    for (path, class, words) in [
        ("/denied", ErrorClass::Config, "answered 401"),
        ("/busy", ErrorClass::Transient, "to be tried again after 7 s"),
        ("/broken", ErrorClass::Transient, "answered 502"),
        ("/page", ErrorClass::Config, "no chart repository is served there"),
        ("/gone", ErrorClass::Config, "it has no index.yaml"),
        ("/round", ErrorClass::Config, "from one address to the next"),
        ("/cloud", ErrorClass::Config, "169.254.169.254 is no address to fetch from"),
        ("/user", ErrorClass::Config, "names a user or password"),
        ("/wrong", ErrorClass::Config, "the index says 0000"),
    ] {
        let error = charts.archive(&server.chart("http", path), "1.2.0").await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(words), "{path}: {text}");
        assert_eq!(error.class(), class, "{path}");
        assert!(!text.contains("canary"), "{text}");
    }
}

#[tokio::test]
async fn a_slow_server_is_given_up_and_an_old_index_serves_on() {
    let slow = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_slow = slow.clone();
    let server = Server::start(move |asked| {
        if is_slow.load(std::sync::atomic::Ordering::SeqCst) {
            return answer(
                200,
                &[],
                Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>()),
            );
        }
        match asked.path.as_str() {
            "/index.yaml" => answer(200, &[], index("web.tgz", "")),
            _ => answer(200, &[], ARCHIVE),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let chart = server.chart("http", "");
    repositories(folder.path(), &[]).archive(&chart, "1.2.0").await.unwrap();
    slow.store(true, std::sync::atomic::Ordering::SeqCst);
    let later = repositories(folder.path(), &[]);
    let versions = later.versions(&chart).await.unwrap();
    assert_eq!(versions.list, ["1.2.0"]);
    assert!(matches!(versions.outdated, Some(ChartSourceError::Unreachable { .. })), "{versions:?}");
    assert_eq!(&*later.archive(&chart, "1.2.0").await.unwrap().bytes, ARCHIVE);
    let fresh = tempfile::tempdir().unwrap();
    let error = repositories(fresh.path(), &[]).versions(&chart).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Transient);
}

#[tokio::test]
async fn archives_are_kept_up_to_a_size_and_never_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().to_owned(), 1000);
    let chart = ChartAddress { repository: "https://h/a".parse().unwrap(), name: "web".parse().unwrap() };
    for number in 0..5_u8 {
        let bytes = vec![number; 400];
        let archive = ChartArchive { digest: Digest::of(&bytes), bytes: bytes.into() };
        store.keep(&chart, &number.to_string(), &archive).await.unwrap();
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let mut there = Vec::new();
    for number in 0..5_u8 {
        there.push(store.archive(&chart, &number.to_string()).await.is_some());
    }
    assert_eq!(there, [false, false, false, true, true]);
    let path = folder.path().join("archives").join(Digest::of(&[4; 400]).hex());
    std::fs::write(&path, b"other").unwrap();
    assert!(store.archive(&chart, "4").await.is_none());
    assert!(!path.exists(), "what is broken is fetched again");
}

/// A registry that wants a token, which `realm` gives, and serves two pages of tags.
fn registry(
    realm: String,
    chart: &'static [u8],
) -> impl Fn(&Asked) -> Response<Body> + Send + Sync + 'static {
    let digest = Digest::of(chart);
    move |asked| {
        if asked.authorization.as_deref() != Some("Bearer given") {
            let challenge =
                format!("Bearer realm=\"{realm}\",service=\"r\",scope=\"repository:charts/web:pull\"");
            return answer(401, &[("www-authenticate", &challenge)], "");
        }
        let blob = format!("/v2/charts/web/blobs/{digest}");
        match asked.path.as_str() {
            "/v2/charts/web/tags/list?n=1000" => {
                let link = "</v2/charts/web/tags/list?last=x&n=1000>; rel=\"next\"";
                answer(200, &[("link", link)], r#"{"tags":["1.2.0","1.3.0_build.4"]}"#)
            }
            "/v2/charts/web/tags/list?last=x&n=1000" => answer(200, &[], r#"{"tags":["latest"]}"#),
            "/v2/charts/web/manifests/1.3.0_build.4" => answer(
                200,
                &[],
                format!(
                    r#"{{"layers":[{{"mediaType":"application/vnd.cncf.helm.chart.provenance.v1.prov","digest":"sha256:00"}},{{"mediaType":"application/vnd.cncf.helm.chart.content.v1.tar+gzip","digest":"{digest}"}}]}}"#
                ),
            ),
            "/v2/charts/web/manifests/1.2.0" => answer(200, &[], r#"{"layers":[]}"#),
            path if path == blob => answer(200, &[], ARCHIVE),
            _ => answer(404, &[], ""),
        }
    }
}

#[tokio::test]
async fn a_registry_gives_tokens_tags_and_charts() {
    let tokens = Server::start(|_| answer(200, &[], r#"{"token":"given"}"#)).await;
    let server = Server::start(registry(format!("http://{}/token", tokens.place), ARCHIVE)).await;
    let folder = tempfile::tempdir().unwrap();
    let charts = repositories(folder.path(), &[&format!("oci://{}/charts", server.place)]);
    let chart = server.chart("oci", "/charts");
    assert_eq!(charts.versions(&chart).await.unwrap().list, ["1.2.0", "1.3.0+build.4", "latest"]);
    assert_eq!(&*charts.archive(&chart, "1.3.0+build.4").await.unwrap().bytes, ARCHIVE);
    let error = charts.archive(&chart, "1.2.0").await.unwrap_err().to_string();
    assert!(error.ends_with("version 1.2.0 of web is no Helm chart"), "{error}");
    let error = charts.archive(&chart, "7.0.0").await.unwrap_err().to_string();
    assert!(error.ends_with("has no version 7.0.0 of web"), "{error}");
    let tokens = tokens.asked();
    assert!(tokens[0].path.starts_with("/token?service=r&scope=repository"), "{tokens:?}");
    assert!(
        tokens.iter().all(|asked| asked.authorization.is_none()),
        "another host gets nothing: {tokens:?}"
    );
    let bearers = server.asked();
    assert!(bearers.iter().all(|asked| !format!("{asked:?}").contains("Basic")), "{bearers:?}");
}

#[tokio::test]
async fn a_token_of_the_same_host_is_asked_for_with_its_credentials() {
    let place: Arc<Mutex<String>> = Arc::default();
    let own = place.clone();
    let server = Server::start(move |asked| {
        if asked.path.starts_with("/token") {
            return match &asked.authorization {
                Some(basic) if basic.starts_with("Basic ") => answer(200, &[], r#"{"access_token":"given"}"#),
                _ => answer(403, &[], ""),
            };
        }
        registry(format!("http://{}/token", own.lock().unwrap()), b"another archive")(asked)
    })
    .await;
    place.lock().unwrap().clone_from(&server.place);
    let folder = tempfile::tempdir().unwrap();
    let chart = server.chart("oci", "/charts");
    let stranger = repositories(folder.path(), &[]).versions(&chart).await.unwrap_err();
    assert_eq!(stranger.class(), ErrorClass::Config, "{stranger}");
    let charts = repositories(folder.path(), &[&format!("oci://{}", server.place)]);
    assert_eq!(charts.versions(&chart).await.unwrap().list.len(), 3);
    // What the registry sends is not what its manifest names.
    let error = charts.archive(&chart, "1.3.0+build.4").await.unwrap_err();
    assert!(matches!(error, ChartSourceError::Missing { .. } | ChartSourceError::Unusable { .. }), "{error}");
}
