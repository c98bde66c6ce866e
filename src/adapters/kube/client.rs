//! One cluster through one kube-rs client.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use http::Request;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::{Mutex, RwLock};

use super::discovery;
use super::errors::sort;
use super::patience::Patience;
use crate::adapters::cluster::{
    Applied, ApplyOptions, ClusterError, ClusterIdentity, ClusterRead, ClusterWrite, WatchEvent,
};
use crate::model::kinds::{KindInfo, KindTable};
use crate::model::resource::{ApiVersion, GroupKind, ResourceId};
use crate::telemetry::{ApiResult, ApiVerb, Metrics};

/// How many objects a page of a list holds.
const PAGE: usize = 500;
/// The longest time for one request that is not a watch.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);

pub(super) struct KubeCluster {
    client: Client,
    /// For messages about a server that cannot be reached.
    address: Arc<str>,
    kinds: Arc<RwLock<Option<Arc<KindTable>>>>,
    discovering: Mutex<()>,
    metrics: Arc<Metrics>,
}

impl KubeCluster {
    pub(super) fn connect(mut config: kube::Config, metrics: Arc<Metrics>) -> Result<Self, ClusterError> {
        let agent = concat!("moorline/", env!("CARGO_PKG_VERSION"));
        config.headers.push((http::header::USER_AGENT, http::HeaderValue::from_static(agent)));
        let address: Arc<str> = config.cluster_url.to_string().trim_end_matches('/').into();
        let client = Client::try_from(config)
            .map_err(|error| ClusterError::Unconfigured { message: crate::model::error::chain(&error) })?;
        Ok(Self::over(client, &address, metrics))
    }

    /// Over a client that is there already.
    pub(super) fn over(client: Client, address: &str, metrics: Arc<Metrics>) -> Self {
        Self {
            client,
            address: address.into(),
            kinds: Arc::default(),
            discovering: Mutex::default(),
            metrics,
        }
    }

    async fn send(&self, request: Request<Vec<u8>>) -> Result<(u16, String), ClusterError> {
        let verb = verb_of(&request);
        let whole = tokio::time::timeout(REQUEST_TIMEOUT, self.exchange(request)).await;
        let late =
            || ClusterError::Unavailable { message: "no answer within 60 s".to_owned(), retry_after: None };
        let (status, text) = match whole.unwrap_or_else(|_| Err(late())) {
            Ok(answer) => answer,
            Err(error) => {
                self.metrics.asked_api(verb, ApiResult::Unreachable);
                return Err(error);
            }
        };
        self.metrics.asked_api(verb, ApiResult::of_status(status));
        if status < 400 {
            Ok((status, text))
        } else {
            Err(sort(kube::Error::Api(Box::new(status_of(status, &text))), &self.address))
        }
    }

    async fn exchange(&self, request: Request<Vec<u8>>) -> Result<(u16, String), ClusterError> {
        use http_body_util::BodyExt as _;
        let answer = self.client.send(request.map(kube::client::Body::from)).await;
        let answer = answer.map_err(|error| sort(error, &self.address))?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await;
        let body = body.map_err(|error| sort(error, &self.address))?.to_bytes();
        let garbled = |_| ClusterError::Garbled { message: "not UTF-8".to_owned() };
        Ok((status, String::from_utf8(body.into()).map_err(garbled)?))
    }

    async fn send_json(&self, request: Request<Vec<u8>>) -> Result<(u16, Value), ClusterError> {
        let (status, text) = self.send(request).await?;
        let value = serde_json::from_str(&text)
            .map_err(|error| ClusterError::Garbled { message: error.to_string() })?;
        Ok((status, value))
    }

    async fn info(
        &self,
        kind: &GroupKind,
        version: Option<&ApiVersion>,
    ) -> Result<(KindInfo, ApiVersion), ClusterError> {
        for refresh in [false, true] {
            let table = self.kinds(refresh).await?;
            let Some(info) = table.get(kind) else { continue };
            let wanted = version.map(|one| one.version.clone()).or_else(|| info.versions.first().cloned());
            if let Some(version) = wanted.filter(|wanted| info.versions.contains(wanted)) {
                return Ok((info.clone(), ApiVersion { group: kind.group.clone(), version }));
            }
        }
        let version = version.map_or_else(|| "any version".to_owned(), ToString::to_string);
        Err(ClusterError::KindUnknown { kind: kind.clone(), version })
    }

    async fn url(&self, id: &ResourceId, version: Option<&ApiVersion>) -> Result<String, ClusterError> {
        let (info, version) = self.info(&id.kind, version).await?;
        let namespace = id.namespace.as_deref().filter(|_| info.namespaced);
        Ok(format!("{}/{}", collection(&info, &version, namespace), encoded(&id.name)))
    }
}

/// What a request is counted as.
fn verb_of(request: &Request<Vec<u8>>) -> ApiVerb {
    let uri = request.uri();
    let query = uri.query().unwrap_or("");
    let media = request.headers().get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match request.method().as_str() {
        "GET" if matches!(uri.path(), "/api" | "/apis" | "/version") => ApiVerb::Discover,
        "GET" if query.contains("limit=") => ApiVerb::List,
        "GET" => ApiVerb::Get,
        "PATCH" if query.contains("dryRun") => ApiVerb::DryRun,
        "PATCH" if media.is_some_and(|media| media.contains("apply")) => ApiVerb::Apply,
        "PATCH" => ApiVerb::Patch,
        "POST" => ApiVerb::Create,
        "PUT" => ApiVerb::Update,
        _ => ApiVerb::Delete,
    }
}

/// An error body is a Status; anything else becomes its message.
fn status_of(code: u16, text: &str) -> kube::core::Status {
    let parsed: Option<kube::core::Status> =
        serde_json::from_str(text).ok().filter(|status: &kube::core::Status| status.code != 0);
    parsed.unwrap_or_else(|| {
        let words: String = text.chars().take(200).collect();
        kube::core::Status::failure(&format!("HTTP {code}: {words}"), "").with_code(code)
    })
}

fn collection(info: &KindInfo, version: &ApiVersion, namespace: Option<&str>) -> String {
    let root = if version.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", version.group) };
    match namespace {
        Some(namespace) => {
            format!("{root}/{}/namespaces/{}/{}", version.version, encoded(namespace), info.plural)
        }
        None => format!("{root}/{}/{}", version.version, info.plural),
    }
}

fn request(method: &str, url: &str, media: &str, body: Vec<u8>) -> Result<Request<Vec<u8>>, ClusterError> {
    let builder = Request::builder().method(method).uri(url);
    let builder = if media.is_empty() { builder } else { builder.header(http::header::CONTENT_TYPE, media) };
    builder.body(body).map_err(|error| ClusterError::Rejected { message: format!("{url}: {error}") })
}

/// Percent-encodes what may not stand in a query value.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

fn identity_of(object: &Value) -> Result<(ResourceId, ApiVersion), ClusterError> {
    let id = ResourceId::of(object);
    let version = object.get("apiVersion").and_then(Value::as_str).and_then(ApiVersion::parse);
    id.zip(version).ok_or_else(|| ClusterError::Rejected {
        message: "the object has no apiVersion, kind or name".to_owned(),
    })
}

#[async_trait]
impl ClusterRead for KubeCluster {
    async fn probe(&self) -> Result<(), ClusterError> {
        let probe = request("GET", "/api/v1/namespaces/kube-system", "", Vec::new())?;
        self.send(probe).await.map(drop)
    }

    async fn identity(&self) -> Result<ClusterIdentity, ClusterError> {
        let namespace = request("GET", "/api/v1/namespaces/kube-system", "", Vec::new())?;
        let namespace = match self.send_json(namespace).await {
            Err(ClusterError::Forbidden { .. }) => Value::Null,
            answer => answer?.1,
        };
        let (_, version) = self.send_json(request("GET", "/version", "", Vec::new())?).await?;
        let text =
            |value: &Value, at: &str| value.pointer(at).and_then(Value::as_str).unwrap_or("").to_owned();
        Ok(ClusterIdentity { uid: text(&namespace, "/metadata/uid"), version: text(&version, "/gitVersion") })
    }

    async fn kinds(&self, refresh: bool) -> Result<Arc<KindTable>, ClusterError> {
        if !refresh && let Some(table) = self.kinds.read().await.clone() {
            return Ok(table);
        }
        // One question at a time; who only wants to know what is known does not wait for it.
        let _asking = self.discovering.lock().await;
        if !refresh && let Some(table) = self.kinds.read().await.clone() {
            return Ok(table);
        }
        let mut table = KindTable::default();
        for root in ["/api", "/apis"] {
            let mut request = request("GET", root, "", Vec::new())?;
            let accept = http::HeaderValue::from_static(discovery::ACCEPT);
            request.headers_mut().insert(http::header::ACCEPT, accept);
            discovery::read(&self.send(request).await?.1, &mut table)?;
        }
        let table = Arc::new(table);
        *self.kinds.write().await = Some(table.clone());
        Ok(table)
    }

    async fn get(
        &self,
        id: &ResourceId,
        version: Option<&ApiVersion>,
    ) -> Result<Option<Value>, ClusterError> {
        let url = self.url(id, version).await?;
        match self.send_json(request("GET", &url, "", Vec::new())?).await {
            Ok((_, object)) => Ok(Some(object)),
            Err(ClusterError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn list(
        &self,
        kind: &GroupKind,
        version: Option<&ApiVersion>,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> Result<Vec<Value>, ClusterError> {
        let (info, version) = self.info(kind, version).await?;
        let base = collection(&info, &version, namespace.filter(|_| info.namespaced));
        let mut objects = Vec::new();
        let mut next = String::new();
        loop {
            let mut url = format!("{base}?limit={PAGE}");
            if let Some(selector) = selector {
                url.push_str(&format!("&labelSelector={}", encoded(selector)));
            }
            if !next.is_empty() {
                url.push_str(&format!("&continue={}", encoded(&next)));
            }
            let (_, mut page) = self.send_json(request("GET", &url, "", Vec::new())?).await?;
            page.pointer("/metadata/continue").and_then(Value::as_str).unwrap_or("").clone_into(&mut next);
            if let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) {
                objects.extend(items.into_iter().map(|item| with_type(item, kind, &version)));
            }
            if next.is_empty() {
                return Ok(objects);
            }
        }
    }

    fn watch(
        &self,
        kind: &GroupKind,
        version: Option<&ApiVersion>,
        namespace: Option<&str>,
        selector: &str,
    ) -> BoxStream<'static, WatchEvent> {
        let place = WatchPlace {
            client: self.client.clone(),
            kind: kind.clone(),
            version: version.map(|one| one.version.clone()),
            namespace: namespace.map(str::to_owned),
            selector: selector.to_owned(),
            metrics: self.metrics.clone(),
            address: self.address.clone(),
        };
        // What is served may be asked for anew at this very moment: that is awaited, in the stream.
        let kinds = self.kinds.clone();
        let stream = async move {
            let known = kinds.read().await.clone();
            match known.and_then(|table| table.get(&place.kind).cloned()) {
                Some(info) => place.stream(&info),
                None => {
                    let version = "any version".to_owned();
                    let error = ClusterError::KindUnknown { kind: place.kind, version };
                    stream::iter([WatchEvent::Failed(error)]).boxed()
                }
            }
        };
        stream::once(stream).flatten().boxed()
    }

    async fn logs(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
        lines: u32,
    ) -> Result<String, ClusterError> {
        let url = format!(
            "/api/v1/namespaces/{}/pods/{}/log?container={}&tailLines={lines}&previous={previous}&limitBytes=16384",
            encoded(namespace),
            encoded(pod),
            encoded(container)
        );
        Ok(self.send(request("GET", &url, "", Vec::new())?).await?.1)
    }
}

/// What is watched, and by whom.
struct WatchPlace {
    client: Client,
    kind: GroupKind,
    version: Option<Arc<str>>,
    namespace: Option<String>,
    selector: String,
    metrics: Arc<Metrics>,
    address: Arc<str>,
}

impl WatchPlace {
    fn stream(self, info: &KindInfo) -> BoxStream<'static, WatchEvent> {
        let Self { client, kind, version, namespace, selector, metrics, address } = self;
        let version = version.filter(|one| info.versions.contains(one));
        let version = version.or_else(|| info.versions.first().cloned()).unwrap_or_else(|| "v1".into());
        let version = ApiVersion { group: kind.group.clone(), version };
        let resource = ApiResource {
            group: kind.group.to_string(),
            version: version.version.to_string(),
            api_version: version.to_string(),
            kind: kind.kind.to_string(),
            plural: info.plural.to_string(),
        };
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(client, &namespace, &resource),
            None => Api::all_with(client, &resource),
        };
        let patience = Patience::of(api.resource_url());
        watcher(api, watcher::Config::default().labels(&selector))
            .backoff(patience)
            .map(move |event| {
                if matches!(event, Ok(watcher::Event::Init)) {
                    metrics.asked_api(ApiVerb::Watch, ApiResult::Ok);
                }
                translate(event, &kind, &version, &address)
            })
            .boxed()
    }
}

/// Items of a list do not carry their type.
fn with_type(mut object: Value, kind: &GroupKind, version: &ApiVersion) -> Value {
    if let Some(map) = object.as_object_mut() {
        map.insert("apiVersion".to_owned(), json!(version.to_string()));
        map.insert("kind".to_owned(), json!(kind.kind));
    }
    object
}

fn translate(
    event: Result<watcher::Event<DynamicObject>, watcher::Error>,
    kind: &GroupKind,
    version: &ApiVersion,
    address: &str,
) -> WatchEvent {
    let value = |object: DynamicObject| match serde_json::to_value(object) {
        Ok(value) => WatchEvent::Object(Arc::new(with_type(value, kind, version))),
        Err(error) => WatchEvent::Failed(ClusterError::Garbled { message: error.to_string() }),
    };
    match event {
        Ok(watcher::Event::Init) => WatchEvent::Started,
        Ok(watcher::Event::InitApply(object) | watcher::Event::Apply(object)) => value(object),
        Ok(watcher::Event::InitDone) => WatchEvent::Listed,
        Ok(watcher::Event::Delete(object)) => WatchEvent::Gone(ResourceId {
            kind: kind.clone(),
            namespace: object.metadata.namespace.as_deref().map(Into::into),
            name: object.metadata.name.as_deref().unwrap_or("").into(),
        }),
        Err(error) => WatchEvent::Failed(match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => sort(error, address),
            other => ClusterError::Unavailable { message: other.to_string(), retry_after: None },
        }),
    }
}

#[async_trait]
impl ClusterWrite for KubeCluster {
    async fn apply(&self, object: &Value, options: ApplyOptions) -> Result<Applied, ClusterError> {
        let (id, version) = identity_of(object)?;
        let mut url = self.url(&id, Some(&version)).await?;
        url.push_str(&format!("?fieldManager=moorline&force={}", options.force));
        if options.dry_run {
            url.push_str("&dryRun=All");
        }
        // JSON is YAML: the media type names the patch, not the writing.
        let body = object.to_string().into_bytes();
        let (status, object) =
            self.send_json(request("PATCH", &url, "application/apply-patch+yaml", body)?).await?;
        Ok(Applied { object, created: status == 201 })
    }

    async fn patch(
        &self,
        id: &ResourceId,
        version: Option<&ApiVersion>,
        patch: &Value,
    ) -> Result<Value, ClusterError> {
        let url = format!("{}?fieldManager=moorline", self.url(id, version).await?);
        let body = patch.to_string().into_bytes();
        Ok(self.send_json(request("PATCH", &url, "application/json-patch+json", body)?).await?.1)
    }

    async fn put(&self, object: &Value) -> Result<Value, ClusterError> {
        let (id, version) = identity_of(object)?;
        let body = object.to_string().into_bytes();
        let replaces = object.pointer("/metadata/resourceVersion").is_some();
        let (info, served) = self.info(&id.kind, Some(&version)).await?;
        let base = collection(&info, &served, id.namespace.as_deref().filter(|_| info.namespaced));
        let (method, url) =
            if replaces { ("PUT", format!("{base}/{}", encoded(&id.name))) } else { ("POST", base) };
        let url = format!("{url}?fieldManager=moorline");
        Ok(self.send_json(request(method, &url, "application/json", body)?).await?.1)
    }

    async fn delete(
        &self,
        id: &ResourceId,
        version: Option<&ApiVersion>,
        uid: &str,
    ) -> Result<bool, ClusterError> {
        let url = self.url(id, version).await?;
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background",
            "preconditions": {"uid": uid}});
        match self.send(request("DELETE", &url, "application/json", options.to_string().into_bytes())?).await
        {
            Ok(_) => Ok(true),
            Err(ClusterError::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
