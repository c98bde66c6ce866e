//! The HTTP front: the only part of the sandbox that awaits, reads a clock and opens a socket.

mod changes;
mod stream;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use self::changes::Changes;
use super::cluster::Cluster;
use super::request::{Body, Method, Payload, Query, Request, Response};

/// The largest body that is read into memory; the API refuses smaller ones with a status.
const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// The longest that controllers sleep.
const IDLE: Duration = Duration::from_secs(30);

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A cluster that is served, and who waits for its changes.
#[derive(Clone)]
pub struct Served {
    cluster: Arc<Mutex<Cluster>>,
    changes: Arc<Changes>,
    clock: Clock,
}

impl Served {
    /// Makes a cluster ready to be served.
    pub fn new(cluster: Cluster) -> Served {
        Served::with_clock(cluster, Arc::new(now))
    }

    /// The same with a time of its own, for a simulation.
    pub fn with_clock(mut cluster: Cluster, clock: Clock) -> Served {
        let changes = Arc::new(Changes::default());
        let told = changes.clone();
        cluster.store.on_change(Arc::new(move || told.tell()));
        Served { cluster: Arc::new(Mutex::new(cluster)), changes, clock }
    }

    /// The time, as it is served.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The cluster; nobody may await while holding it.
    pub fn cluster(&self) -> MutexGuard<'_, Cluster> {
        // A panic elsewhere leaves a store that is whole: each write is one step.
        self.cluster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place of the sandbox that reads the clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// Serves a cluster on a socket, and lets its controllers work, until the future is dropped.
pub async fn serve(served: Served, listener: TcpListener) {
    tokio::join!(accept(&served, &listener), control(&served));
}

async fn accept(served: &Served, listener: &TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => drop(connections.spawn(converse(served.clone(), socket, peer))),
                // Too many open files, most likely: those that end make room.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn converse(served: Served, socket: TcpStream, _peer: SocketAddr) {
    // Without delay answers are a packet each; a socket that cannot do that is served all the same.
    let _ = socket.set_nodelay(true);
    let service = service_fn(move |request| answer(served.clone(), request));
    // A client that goes away in the middle is no concern of the server.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
}

/// Steps the controllers whenever something was written or is due, until the future is dropped.
pub async fn control(served: &Served) {
    let mut writes = served.changes.listener();
    loop {
        writes.mark_seen();
        let now = served.now();
        let due = served.cluster().step(now);
        let wait =
            due.map_or(IDLE, |due| Duration::try_from(due.duration_since(now)).unwrap_or_default().min(IDLE));
        tokio::select! {
            biased;
            () = writes.changed() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// What is answered over HTTP.
pub type Answer = http::Response<UnsyncBoxBody<Bytes, Infallible>>;

/// The connection is to be broken instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("reset on demand")]
pub struct Reset;

/// Answers one request.
///
/// # Errors
///
/// A fault on demand breaks the connection.
pub async fn answer<Content: http_body::Body>(
    served: Served,
    request: http::Request<Content>,
) -> Result<Answer, Reset>
where
    Content::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match carry_out(&served, request).await {
        Ok(done) => deliver(served, done).await,
        Err(too_large) => Ok(too_large),
    }
}

/// What a request came to, before anybody hears of it.
pub struct Done {
    response: Response,
    pretty: bool,
}

impl Done {
    /// What is to be answered.
    pub fn response(&self) -> &Response {
        &self.response
    }
}

/// Carries a request out. What delays or loses the answer comes later.
///
/// # Errors
///
/// The answer to a request that is too large.
pub async fn carry_out<Content: http_body::Body>(
    served: &Served,
    request: http::Request<Content>,
) -> Result<Done, Answer>
where
    Content::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let pretty = wants_pretty(&request);
    let request = read(request).await?;
    let response = served.cluster().handle(&request, served.now());
    Ok(Done { response, pretty })
}

/// Gives the answer, as late as its fate says.
///
/// # Errors
///
/// The connection is to be reset.
pub async fn deliver(served: Served, done: Done) -> Result<Answer, Reset> {
    let Done { response, pretty } = done;
    if !response.fate.delay.is_zero() {
        tokio::time::sleep(response.fate.delay).await;
    }
    if response.fate.lost {
        return Err(Reset);
    }
    Ok(written(served, response, pretty))
}

fn header<'a, Content>(request: &'a http::Request<Content>, name: &str) -> &'a str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn read<Content: http_body::Body>(request: http::Request<Content>) -> Result<Request, Answer>
where
    Content::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let method = match *request.method() {
        http::Method::GET | http::Method::HEAD => Method::Get,
        http::Method::POST => Method::Post,
        http::Method::PUT => Method::Put,
        http::Method::PATCH => Method::Patch,
        http::Method::DELETE => Method::Delete,
        _ => Method::Other,
    };
    let accept: Vec<&str> =
        request.headers().get_all("accept").iter().filter_map(|value| value.to_str().ok()).collect();
    let mut read = Request {
        method,
        path: request.uri().path().to_owned(),
        query: Query::parse(request.uri().query().unwrap_or_default()),
        accept: accept.join(","),
        content_type: header(&request, "content-type").to_owned(),
        agent: header(&request, "user-agent").to_owned(),
        user: header(&request, "impersonate-user").to_owned(),
        body: Payload::Empty,
    };
    match Limited::new(request.into_body(), BODY_LIMIT).collect().await {
        Ok(body) => {
            let bytes = body.to_bytes();
            if !bytes.is_empty() {
                read.body = Payload::Bytes(bytes.to_vec());
            }
            Ok(read)
        }
        Err(_) => {
            let text = format!("Request entity too large: limit is {BODY_LIMIT}");
            let mut answer = http::Response::new(Full::new(Bytes::from(text)).boxed_unsync());
            *answer.status_mut() = http::StatusCode::PAYLOAD_TOO_LARGE;
            Err(answer)
        }
    }
}

/// People who look with curl or a browser get lines.
fn wants_pretty<Content>(request: &http::Request<Content>) -> bool {
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let agent = header(request, "user-agent");
    let person = ["curl", "Wget", "Mozilla"].iter().any(|one| agent.starts_with(one));
    if query.has("pretty") { query.holds("pretty") || query.text("pretty").is_empty() } else { person }
}

fn written(served: Served, response: Response, pretty: bool) -> Answer {
    let (media, body) = match response.body {
        Body::Object(object) => ("application/json", whole(&object.to_string(), pretty)),
        Body::List(list) => ("application/json", whole(&list.text(), pretty)),
        Body::Text { media, text } => (media, Full::new(Bytes::from(text)).boxed_unsync()),
        Body::Watch(watch) => ("application/json", stream::of(served, *watch)),
    };
    let mut answer = http::Response::new(body);
    *answer.status_mut() =
        http::StatusCode::from_u16(response.code).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = http::HeaderValue::from_str(value) {
            headers.append(name, value);
        }
    };
    set("content-type", media);
    set("cache-control", "no-cache, private");
    for warning in &response.warnings {
        set("warning", &format!("299 - {warning:?}"));
    }
    if let Some(seconds) = response.retry_after {
        set("retry-after", &seconds.to_string());
    }
    answer
}

fn whole(text: &str, pretty: bool) -> UnsyncBoxBody<Bytes, Infallible> {
    let lines = || -> Option<String> {
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        serde_json::to_string_pretty(&value).ok()
    };
    let text = match pretty.then(lines).flatten() {
        Some(lines) => lines,
        None => format!("{text}\n"),
    };
    Full::new(Bytes::from(text)).boxed_unsync()
}
