//! Registries over real connections: what is there and what is not, every way of proving who we are, pauses, silence,
//! and answers of something that is no registry. Nothing of ours may reach a host that it is not for.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::*;

/// What a server was asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) authorization: Option<String>,
    pub(super) accept: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) body: String,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        Self {
            method: request.method().to_string(),
            path: request.uri().path_and_query().unwrap().to_string(),
            authorization: header("authorization"),
            accept: header("accept"),
            agent: header("user-agent"),
            body: String::new(),
        }
    }

    /// Method and path.
    fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

type Answerer = dyn Fn(&Asked) -> Response<Body> + Send + Sync;

#[derive(Clone)]
struct Served {
    asked: Arc<Mutex<Vec<Asked>>>,
    answer: Arc<Answerer>,
}

pub(super) struct Server {
    pub(super) place: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub(super) async fn start(answer: impl Fn(&Asked) -> Response<Body> + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let served = Served { asked: Arc::default(), answer: Arc::new(answer) };
        let asked = served.asked.clone();
        let router = Router::new().fallback(any(serve)).with_state(served);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { place, asked }
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    fn repository(&self, path: &str) -> ImageRepository {
        format!("{}/{path}", self.place).parse().unwrap()
    }
}

async fn serve(State(served): State<Served>, request: Request) -> Response<Body> {
    let mut asked = Asked::of(&request);
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    asked.body = String::from_utf8(body.to_vec()).unwrap();
    served.asked.lock().unwrap().push(asked.clone());
    (served.answer)(&asked)
}

pub(super) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response<Body> {
    let mut builder = Response::builder().status(StatusCode::from_u16(status).unwrap());
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body.into()).unwrap()
}

const INDEX: &str =
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

fn there() -> ImageDigest {
    ImageDigest::of(INDEX.as_bytes())
}

/// The answer for a tag that exists.
fn image(asked: &Asked) -> Response<Body> {
    let digest = there().to_string();
    let headers = [
        ("docker-content-digest", digest.as_str()),
        ("content-type", "application/vnd.oci.image.index.v1+json"),
    ];
    answer(200, &headers, if asked.method == "HEAD" { "" } else { INDEX })
}

fn settings() -> RegistrySettings {
    RegistrySettings::default()
}

/// The same with a password for each prefix.
fn with_passwords(folder: &Path, prefixes: &[&str]) -> RegistrySettings {
    let file = folder.join("password");
    std::fs::write(&file, "canary\n").unwrap();
    let credential = |prefix: &&str| CredentialEntry {
        prefix: (*prefix).to_owned(),
        username: Some("me".to_owned()),
        password_file: Some(file.clone()),
        ..CredentialEntry::default()
    };
    RegistrySettings { credentials: prefixes.iter().map(credential).collect(), ..settings() }
}

fn registries(settings: RegistrySettings) -> ImageRegistries {
    ImageRegistries::with_deadline(settings, Duration::from_secs(2)).unwrap()
}

pub(super) fn tags(list: &[&str]) -> Vec<ImageTag> {
    list.iter().map(|tag| tag.parse().unwrap()).collect()
}

pub(super) fn names(found: &Found) -> Vec<&str> {
    found.images.keys().map(ImageTag::as_str).collect()
}

const BASIC: &str = "Basic bWU6Y2FuYXJ5";

#[tokio::test]
async fn tags_that_exist_are_told_with_the_digest_of_their_index() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/v2/team/web/manifests/v1" | "/v2/team/web/manifests/v2" => image(asked),
        _ => answer(404, &[], ""),
    })
    .await;
    let registries = registries(settings());
    let repository = server.repository("team/web");
    let found = registries.find(&repository, &tags(&["v1", "v3", "v2", "v1"])).await.unwrap();
    assert_eq!(names(&found), ["v1", "v2"]);
    assert!(found.images.values().all(|digest| *digest == there()) && !found.repository_missing);
    let asked = server.asked();
    assert_eq!(asked.len(), 3, "{asked:?}");
    for asked in &asked {
        assert_eq!((asked.method.as_str(), &asked.authorization), ("HEAD", &None));
        assert_eq!(asked.accept.as_deref(), Some(MANIFESTS.join(", ").as_str()));
    }
    assert_eq!(registries.find(&repository, &[]).await.unwrap(), Found::default());
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_digest_exists_or_not() {
    let here = there().to_string();
    let own = here.clone();
    let other = ImageDigest::of(b"other");
    let server = Server::start(move |asked| {
        let name = asked.path.strip_prefix("/v2/a/manifests/").unwrap_or_default();
        if name == own || name == other.to_string() { image(asked) } else { answer(404, &[], "") }
    })
    .await;
    let registries = registries(settings());
    let repository = server.repository("a");
    assert_eq!(registries.has(&repository, &there()).await, Ok(true));
    assert_eq!(registries.has(&repository, &ImageDigest::of(b"nowhere")).await, Ok(false));
    let lie = registries.has(&repository, &other).await.unwrap_err();
    assert_eq!(
        lie.to_string(),
        format!(
            "the registry {} answers with what cannot be used: asked for {other}, it answers with {here}",
            server.place
        )
    );
}

#[tokio::test]
async fn a_repository_that_does_not_exist_is_no_error() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/v2/here/tags/list?n=1" => answer(200, &[], r#"{"name":"here","tags":["x"]}"#),
        _ => answer(404, &[], r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#),
    })
    .await;
    let registries = registries(settings());
    for (path, repository_missing) in [("here", false), ("gone", true)] {
        let found = registries.find(&server.repository(path), &tags(&["v1", "v2"])).await.unwrap();
        assert_eq!(found, Found { images: BTreeMap::new(), repository_missing }, "{path}");
    }
    assert_eq!(registries.has(&server.repository("gone"), &there()).await, Ok(false));
}

#[tokio::test]
async fn where_head_says_too_little_the_manifest_is_read() {
    let server = Server::start(|asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("HEAD", "/v2/a/manifests/bare" | "/v2/a/manifests/page") => answer(200, &[], ""),
        ("HEAD", "/v2/a/manifests/odd") => answer(200, &[("docker-content-digest", "md5:00")], ""),
        ("HEAD", _) => answer(405, &[], ""),
        ("GET", "/v2/a/manifests/bare" | "/v2/a/manifests/refused") => answer(200, &[], INDEX),
        ("GET", "/v2/a/manifests/page") => answer(200, &[], "<html>sign in</html>"),
        ("GET", "/v2/a/manifests/lie") => {
            let digest = ImageDigest::of(b"other").to_string();
            answer(200, &[("docker-content-digest", &digest)], INDEX)
        }
        ("GET", "/v2/a/manifests/large") => answer(200, &[], vec![b' '; (4 << 20) + 1]),
        _ => answer(404, &[], ""),
    })
    .await;
    let registries = registries(settings());
    let repository = server.repository("a");
    for tag in ["bare", "refused"] {
        let found = registries.find(&repository, &tags(&[tag])).await.unwrap();
        assert_eq!(found.images.into_values().collect::<Vec<_>>(), [there()], "{tag}");
    }
    for (tag, words) in [
        ("page", "what it gives for page is no manifest of an image"),
        ("odd", "\"md5:00\" is no digest"),
        ("lie", "it says sha256:"),
        ("large", "the manifest of large has more than 4194304 bytes"),
    ] {
        let error = registries.find(&repository, &tags(&[tag])).await.unwrap_err();
        assert!(matches!(error, RegistryError::Unusable { .. }), "{tag}: {error}");
        assert!(error.to_string().contains(words), "{tag}: {error}");
        assert_eq!(error.class(), ErrorClass::Config);
    }
}

#[tokio::test]
async fn a_user_and_password_are_said_where_they_are_asked_for() {
    let server = Server::start(|asked| match asked.authorization.as_deref() {
        Some(BASIC) => image(asked),
        _ => answer(401, &[("www-authenticate", "Basic realm=\"r\"")], ""),
    })
    .await;
    let repository = server.repository("team/web");
    let folder = tempfile::tempdir().unwrap();
    let known = registries(with_passwords(folder.path(), &[&format!("oci://{}/team", server.place)]));
    assert_eq!(names(&known.find(&repository, &tags(&["a", "b"])).await.unwrap()), ["a", "b"]);
    let asked = server.asked();
    let said: Vec<_> = asked.iter().map(|asked| asked.authorization.is_some()).collect();
    assert_eq!(said, [false, true, true], "one challenge is enough");
    let stranger = registries(settings()).find(&repository, &tags(&["a"])).await.unwrap_err();
    assert!(matches!(stranger, RegistryError::NoCredentials { .. }), "{stranger:?}");
    let remedy = stranger.hint().unwrap();
    assert!(remedy.contains(&format!("for oci://{}/team/web", server.place)), "{remedy}");
    let elsewhere = known.find(&server.repository("other/web"), &tags(&["a"])).await.unwrap_err();
    assert!(matches!(elsewhere, RegistryError::NoCredentials { .. }), "{elsewhere:?}");
    // A new password is read when the old one is refused.
    std::fs::write(folder.path().join("password"), "wrong").unwrap();
    let late = registries(with_wrong_password(folder.path(), &server.place));
    let denied = late.find(&repository, &tags(&["a"])).await.unwrap_err();
    let RegistryError::Denied { message, remedy, .. } = &denied else { panic!("{denied:?}") };
    assert!(message.contains("answered 401 Unauthorized for a"), "{message}");
    assert!(remedy.contains(&format!("`credentials` oci://{}", server.place)), "{remedy}");
    std::fs::write(folder.path().join("password"), "canary").unwrap();
    assert_eq!(names(&late.find(&repository, &tags(&["a"])).await.unwrap()), ["a"]);
    assert!(!format!("{stranger:?} {denied:?}").contains("canary"));
}

fn with_wrong_password(folder: &Path, place: &str) -> RegistrySettings {
    let settings = with_passwords(folder, &[&format!("oci://{place}")]);
    std::fs::write(folder.join("password"), "wrong").unwrap();
    settings
}

#[tokio::test]
async fn docker_s_own_file_is_read_and_its_stores_are_named() {
    let server = Server::start(|asked| match asked.authorization.as_deref() {
        Some(BASIC) => image(asked),
        _ => answer(401, &[("www-authenticate", "Basic realm=\"r\"")], ""),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    let registries = registries(RegistrySettings { docker_config: Some(file.clone()), ..settings() });
    let repository = server.repository("web");
    let place = &server.place;
    for (text, expected) in [
        (
            format!(r#"{{"auths":{{"{place}":{{}}}},"credsStore":"desktop"}}"#),
            Err("leaves them to \"desktop\""),
        ),
        (
            format!(r#"{{"auths":{{"{place}":{{"auth":"{}"}}}}}}"#, BASE64.encode("me:no")),
            Err("check what docker's config.json has"),
        ),
        (format!(r#"{{"auths":{{"{place}":{{"auth":"{}"}}}}}}"#, BASE64.encode("me:canary")), Ok(())),
    ] {
        std::fs::write(&file, &text).unwrap();
        let outcome = registries.find(&repository, &tags(&["a"])).await;
        match (outcome, expected) {
            (Ok(found), Ok(())) => assert_eq!(names(&found), ["a"]),
            (Err(error), Err(words)) => {
                let remedy = error.hint().unwrap();
                assert!(remedy.contains(words), "{remedy}");
            }
            (outcome, _) => panic!("{text}: {outcome:?}"),
        }
    }
}

/// A registry that wants a token, made out at `realm` for pulling alone.
fn closed(realm: String) -> impl Fn(&Asked) -> Response<Body> + Send + Sync + 'static {
    move |asked| match asked.authorization.as_deref() {
        Some("Bearer given") => image(asked),
        _ => {
            let challenge =
                format!("Bearer realm=\"{realm}\",service=\"s\",scope=\"repository:other/secret:pull,push\"");
            answer(401, &[("www-authenticate", &challenge)], "")
        }
    }
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_for_pulling_alone() {
    let tokens = Server::start(|_| answer(200, &[], r#"{"token":"given","expires_in":60}"#)).await;
    let server = Server::start(closed(format!("http://{}/token", tokens.place))).await;
    let folder = tempfile::tempdir().unwrap();
    // The registry's password is not for whoever gives its tokens.
    let registries = registries(with_passwords(folder.path(), &[&format!("oci://{}", server.place)]));
    let repository = server.repository("team/web");
    let list: Vec<String> = (0..20).map(|number| format!("v{number}")).collect();
    let list: Vec<&str> = list.iter().map(String::as_str).collect();
    assert_eq!(registries.find(&repository, &tags(&list)).await.unwrap().images.len(), 20);
    assert_eq!(registries.find(&repository, &tags(&["later"])).await.unwrap().images.len(), 1);
    let asked = tokens.asked();
    let lines: Vec<String> = asked.iter().map(Asked::line).collect();
    assert_eq!(lines, ["GET /token?service=s&scope=repository%3Ateam%2Fweb%3Apull"]);
    assert_eq!(asked[0].authorization, None, "another host gets nothing");
    assert_eq!(server.asked().len(), 22, "one is asked twice");
}

#[tokio::test]
async fn who_gives_tokens_is_told_what_is_for_him_alone() {
    let tokens = Server::start(|asked| match asked.authorization.as_deref() {
        Some(BASIC) => answer(200, &[], r#"{"access_token":"given"}"#),
        _ => answer(401, &[], ""),
    })
    .await;
    let server = Server::start(closed(format!("http://{}/token", tokens.place))).await;
    let folder = tempfile::tempdir().unwrap();
    let (registry, realm) = (format!("oci://{}", server.place), format!("http://{}/", tokens.place));
    for (prefixes, expected) in [
        (&[registry.as_str(), &realm][..], Ok(())),
        (&[&registry], Err("name that address under `credentials`")),
        // A registry that the settings do not know gets no token made out with what is another's.
        (&[&realm], Err("name a user and a passwordFile for oci://")),
    ] {
        let registries = registries(with_passwords(folder.path(), prefixes));
        let outcome = registries.find(&server.repository("a"), &tags(&["v1"])).await;
        let told = tokens.asked();
        match expected {
            Ok(()) => {
                assert_eq!(names(&outcome.unwrap()), ["v1"]);
                assert_eq!(told[0].authorization.as_deref(), Some(BASIC));
            }
            Err(words) => {
                let remedy = outcome.unwrap_err().hint().unwrap();
                assert!(remedy.contains(words), "{remedy}");
                assert_eq!(told[0].authorization, None);
            }
        }
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let tokens = Server::start(move |_| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        answer(200, &[], format!(r#"{{"token":"t{number}"}}"#))
    })
    .await;
    let realm = format!("http://{}/token", tokens.place);
    let valid: Arc<Mutex<String>> = Arc::new(Mutex::new("Bearer t0".to_owned()));
    let now = valid.clone();
    let server = Server::start(move |asked| {
        if asked.authorization.as_ref() == Some(&*now.lock().unwrap()) {
            return image(asked);
        }
        answer(401, &[("www-authenticate", &format!("Bearer realm=\"{realm}\""))], "")
    })
    .await;
    let registries = registries(settings());
    assert_eq!(names(&registries.find(&server.repository("a"), &tags(&["v1"])).await.unwrap()), ["v1"]);
    *valid.lock().unwrap() = "Bearer t1".to_owned();
    assert_eq!(names(&registries.find(&server.repository("a"), &tags(&["v1"])).await.unwrap()), ["v1"]);
    assert_eq!(tokens.asked().len(), 2);
    *valid.lock().unwrap() = "Bearer never".to_owned();
    let error = registries.find(&server.repository("a"), &tags(&["v1"])).await.unwrap_err();
    assert!(matches!(error, RegistryError::NoCredentials { .. }), "{error:?}");
    assert_eq!(tokens.asked().len(), 1, "once more, and not for ever");
}

#[tokio::test]
async fn refusals_are_told_apart_and_never_tell_a_secret() {
    let server = Server::start(|asked| match asked.path.split('/').nth(2).unwrap_or_default() {
        "broken" => answer(502, &[], ""),
        "forbidden" => answer(403, &[], ""),
        "teapot" => answer(418, &[], ""),
        "round" => answer(307, &[("location", asked.path.as_str())], ""),
        "cloud" => answer(307, &[("location", "http://169.254.169.254/latest/")], ""),
        "user" => answer(307, &[("location", "http://u:canary@127.0.0.1/")], ""),
        "realm" => answer(401, &[("www-authenticate", "Bearer realm=\"http://169.254.169.254/\"")], ""),
        _ => answer(404, &[], ""),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let place = server.place.clone();
    for (path, class, words) in [
        ("broken", ErrorClass::Transient, "cannot be reached: http://"),
        ("forbidden", ErrorClass::Config, "wants credentials, and there are none"),
        ("teapot", ErrorClass::Config, "answered 418"),
        ("round", ErrorClass::Config, "from one address to the next"),
        ("cloud", ErrorClass::Config, "169.254.169.254 is no address to fetch from"),
        ("user", ErrorClass::Config, "names a user or password"),
        ("realm", ErrorClass::Config, "169.254.169.254 is no address to fetch from"),
    ] {
        let registries = registries(with_passwords(folder.path(), &[&format!("oci://{place}/other")]));
        let error = registries.find(&server.repository(path), &tags(&["v1"])).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(words), "{path}: {text}");
        assert_eq!(error.class(), class, "{path}");
        assert!(error.hint().is_some() && !text.contains("canary"), "{text}");
    }
}

#[tokio::test]
async fn a_registry_that_wants_a_pause_gets_it() {
    let server = Server::start(|_| answer(429, &[("retry-after", "7")], "")).await;
    let registries = registries(settings());
    let error = registries.find(&server.repository("a"), &tags(&["v1", "v2"])).await.unwrap_err();
    let pause = Some(Duration::from_secs(7));
    assert_eq!(error, RegistryError::Throttled { host: server.place.clone(), retry_after: pause });
    assert!(error.to_string().ends_with("takes no more questions for 7 s"), "{error}");
    assert_eq!((error.class(), server.asked().len()), (ErrorClass::Transient, 1));
    let again = registries.find(&server.repository("b"), &tags(&["v1"])).await.unwrap_err();
    assert!(matches!(again, RegistryError::Throttled { .. }), "{again:?}");
    assert!(server.asked().is_empty(), "in its pause it is not asked");
}

#[tokio::test]
async fn a_redirect_takes_no_credentials_along() {
    let other = Server::start(image).await;
    let elsewhere = other.place.clone();
    let server = Server::start(move |asked| match asked.authorization.as_deref() {
        Some(BASIC) => answer(307, &[("location", &format!("http://{elsewhere}{}", asked.path))], ""),
        _ => answer(401, &[("www-authenticate", "Basic realm=\"r\"")], ""),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let registries = registries(with_passwords(folder.path(), &[&format!("oci://{}", server.place)]));
    let found = registries.find(&server.repository("a"), &tags(&["v1"])).await.unwrap();
    assert_eq!(names(&found), ["v1"]);
    let strange = other.asked();
    assert_eq!(strange.iter().map(Asked::line).collect::<Vec<_>>(), ["HEAD /v2/a/manifests/v1"]);
    assert_eq!(strange[0].authorization, None);
}

#[tokio::test]
async fn whoever_is_silent_is_given_up_in_time() {
    let never = || Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let server = Server::start(move |asked| match asked.method.as_str() {
        "HEAD" => answer(405, &[], ""),
        _ => answer(200, &[], never()),
    })
    .await;
    let registries = registries(settings());
    let (repository, list) = (server.repository("a"), tags(&["v1", "v2"]));
    let begun = std::time::Instant::now();
    let asks = (0..20).map(|_| registries.find(&repository, &list));
    for outcome in futures::future::join_all(asks).await {
        assert!(matches!(outcome, Err(RegistryError::Unreachable { .. })), "{outcome:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert!(server.asked().len() <= 2 * hosts::AT_A_TIME);
    let nobody: ImageRepository = "127.0.0.1:1/a".parse().unwrap();
    let error = registries.find(&nobody, &list).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn eight_questions_at_a_time_are_enough() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let (now, most) = (Arc::new(Mutex::new(0_usize)), Arc::new(Mutex::new(0_usize)));
    let counted = most.clone();
    let slow = move |request: Request| {
        let (now, most) = (now.clone(), counted.clone());
        async move {
            {
                let mut now = now.lock().unwrap();
                *now += 1;
                let mut most = most.lock().unwrap();
                *most = (*most).max(*now);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            *now.lock().unwrap() -= 1;
            let method = request.method().to_string();
            image(&Asked { method, ..Asked::default() })
        }
    };
    let router = Router::new().fallback(any(slow));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let registries = registries(settings());
    let list: Vec<ImageTag> = (0..30).map(|number| format!("v{number}").parse().unwrap()).collect();
    let repositories: Vec<ImageRepository> =
        (0..3).map(|number| format!("{place}/r{number}").parse().unwrap()).collect();
    let asks = repositories.iter().map(|repository| registries.find(repository, &list));
    for found in futures::future::join_all(asks).await {
        assert_eq!(found.unwrap().images.len(), 30);
    }
    assert_eq!(*most.lock().unwrap(), hosts::AT_A_TIME);
}
