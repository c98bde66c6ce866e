//! Git over HTTP: the real `git http-backend` behind a small server that can ask for a token, fail and redirect.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use tokio::io::AsyncWriteExt;
use tokio::sync::oneshot;

use super::program;

/// No repository of the tests comes near it.
const BODY_LIMIT: usize = 256 << 20;

/// What the server does with the next request instead of answering it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// None at all: lets one request through before the next in line.
    Pass,
    /// Answers 503 and does nothing.
    Unavailable,
    /// Answers 429 and does nothing.
    TooManyRequests,
    /// Does what is asked, then answers 502: the client cannot know.
    LostAnswer,
    /// Sends the client elsewhere: the text is put before path and query.
    Redirect(String),
}

/// A server for all bare repositories in a folder; it ends on drop.
#[derive(Debug)]
pub(crate) struct GitHttp {
    port: u16,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    authorization: Option<String>,
    versions: bool,
    requests: Mutex<Vec<String>>,
    mishaps: Mutex<VecDeque<(String, Mishap)>>,
}

impl GitHttp {
    /// Serves to everyone.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::serve(folder, None, true)
    }

    /// Serves to everyone, and knows nothing of the protocol's version 2.
    pub(crate) fn start_with_old_protocol(folder: &Path) -> Self {
        Self::serve(folder, None, false)
    }

    /// Serves to those who know the user name and the token.
    pub(crate) fn start_with_token(folder: &Path, user: &str, token: &str) -> Self {
        let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{token}"));
        Self::serve(folder, Some(format!("Basic {credentials}")), true)
    }

    /// The URL of a repository in the folder.
    pub(crate) fn url(&self, repository: &str) -> String {
        format!("http://127.0.0.1:{}/{repository}", self.port)
    }

    /// Method, path and query of every request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The next request whose path and query contain the text meets with this mishap; several stand in line.
    pub(crate) fn prepare(&self, path_contains: &str, mishap: Mishap) {
        self.shared.mishaps.lock().unwrap().push_back((path_contains.to_owned(), mishap));
    }

    fn serve(folder: &Path, authorization: Option<String>, versions: bool) -> Self {
        let shared = Arc::new(Shared {
            folder: folder.to_owned(),
            authorization,
            versions,
            requests: Mutex::default(),
            mishaps: Mutex::default(),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, stopped) = oneshot::channel();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        // A thread of its own: blocking code under test may hold up the runtime of its test.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    ended = async { axum::serve(listener, router).await } => ended.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Self { port, shared, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for GitHttp {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let target = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    shared.requests.lock().unwrap().push(format!("{} {target}", request.method()));
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if shared.authorization.is_some() && given != shared.authorization.as_deref() {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"git\"")])
            .into_response();
    }
    let mishap = shared.mishap(&target);
    match &mishap {
        Some(Mishap::Unavailable) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Some(Mishap::TooManyRequests) => return StatusCode::TOO_MANY_REQUESTS.into_response(),
        Some(Mishap::Redirect(elsewhere)) => {
            return (StatusCode::FOUND, [(header::LOCATION, format!("{elsewhere}{target}"))]).into_response();
        }
        Some(Mishap::LostAnswer | Mishap::Pass) | None => {}
    }
    let response = backend(&shared, request).await;
    if mishap == Some(Mishap::LostAnswer) { StatusCode::BAD_GATEWAY.into_response() } else { response }
}

impl Shared {
    fn mishap(&self, target: &str) -> Option<Mishap> {
        let mut mishaps = self.mishaps.lock().unwrap();
        let next = mishaps.iter().position(|(part, _)| target.contains(part))?;
        mishaps.remove(next).map(|(_, mishap)| mishap)
    }
}

/// Runs the program by the rules of CGI; it unpacks a compressed body by itself.
async fn backend(shared: &Shared, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let header =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Collected, so that a chunked body has a length to tell.
    let body = axum::body::to_bytes(body, BODY_LIMIT).await.unwrap();
    let mut command = tokio::process::Command::new(program("MOORLINE_GIT_HTTP_BACKEND"));
    command
        .env("GIT_PROJECT_ROOT", &shared.folder)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", parts.uri.path())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", if shared.versions { header("git-protocol") } else { "" })
        .env("REMOTE_ADDR", "127.0.0.1")
        // Whoever came this far may push. The folder may belong to another user than the one who runs the tests.
        .envs([
            ("GIT_CONFIG_COUNT", "2"),
            ("GIT_CONFIG_KEY_0", "http.receivepack"),
            ("GIT_CONFIG_VALUE_0", "true"),
        ])
        .envs([("GIT_CONFIG_KEY_1", "safe.directory"), ("GIT_CONFIG_VALUE_1", "*")])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeding = tokio::spawn(async move { drop(stdin.write_all(&body).await) });
    let output = child.wait_with_output().await.unwrap();
    feeding.await.unwrap();
    response(&output.stdout)
}

fn response(output: &[u8]) -> Response {
    let Some(end) = output.windows(4).position(|window| window == b"\r\n\r\n") else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut status = StatusCode::OK;
    let mut headers = HeaderMap::new();
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let (name, value) = line.split_once(':').unwrap();
        if name == "Status" {
            status = value.trim().split(' ').next().unwrap().parse().unwrap();
        } else {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.insert(name, HeaderValue::from_str(value.trim()).unwrap());
        }
    }
    (status, headers, Body::from(Bytes::copy_from_slice(&output[end + 4..]))).into_response()
}
