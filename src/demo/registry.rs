//! The demo's image registry: as much of the OCI distribution protocol as it takes to push a manifest and to ask for it.
//! It keeps what it is given in memory, within limits, and serves this machine alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;

use crate::model::image::ImageDigest;

/// The media type of the demo's images.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
/// The largest manifest, and how many are kept.
const BYTES: usize = 1 << 20;
const MANIFESTS: usize = 1_000;

/// The registry. Cheap to clone.
#[derive(Clone, Default)]
pub struct DemoRegistry {
    /// Manifests by repository and by tag or digest.
    manifests: Arc<Mutex<BTreeMap<(String, String), Stored>>>,
}

#[derive(Clone)]
struct Stored {
    media_type: String,
    content: Bytes,
}

impl DemoRegistry {
    /// Keeps a manifest under a tag and under its digest.
    pub fn push(&self, repository: &str, tag: &str, content: &str) -> ImageDigest {
        self.store(repository, tag, MANIFEST.to_owned(), Bytes::copy_from_slice(content.as_bytes()))
    }

    fn store(&self, repository: &str, tag: &str, media_type: String, content: Bytes) -> ImageDigest {
        let digest = ImageDigest::of(&content);
        let stored = Stored { media_type, content };
        let mut manifests = self.manifests.lock().unwrap_or_else(PoisonError::into_inner);
        while manifests.len() + 2 > MANIFESTS {
            manifests.pop_first();
        }
        for name in [tag.to_owned(), digest.to_string()] {
            manifests.insert((repository.to_owned(), name), stored.clone());
        }
        digest
    }

    fn tags(&self, repository: &str) -> Response {
        let manifests = self.manifests.lock().unwrap_or_else(PoisonError::into_inner);
        let names = manifests.keys().filter(|(other, _)| other == repository).map(|(_, name)| name.as_str());
        let tags: Vec<&str> = names.filter(|name| !name.contains(':')).collect();
        if tags.is_empty() {
            return refusal(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "there is no such repository");
        }
        Json(json!({"name": repository, "tags": tags})).into_response()
    }

    /// Serves until the task ends.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let routes = Router::new()
            .route("/v2/", any(|| async { StatusCode::OK }))
            .route("/v2/{*path}", any(answer))
            .layer(DefaultBodyLimit::max(BYTES))
            .with_state(self);
        axum::serve(listener, routes).await
    }
}

async fn answer(
    State(registry): State<DemoRegistry>,
    method: Method,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(repository) = path.strip_suffix("/tags/list") {
        return registry.tags(repository);
    }
    let Some((repository, name)) = path.split_once("/manifests/") else {
        return refusal(StatusCode::NOT_FOUND, "UNSUPPORTED", "the demo's registry has manifests alone");
    };
    match method {
        Method::PUT => {
            let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let media_type = media_type.unwrap_or(MANIFEST).to_owned();
            let digest = registry.store(repository, name, media_type, body);
            (StatusCode::CREATED, [(DIGEST, digest.to_string())]).into_response()
        }
        Method::GET | Method::HEAD => {
            let manifests = registry.manifests.lock().unwrap_or_else(PoisonError::into_inner);
            match manifests.get(&(repository.to_owned(), name.to_owned())) {
                Some(stored) => {
                    let digest = ImageDigest::of(&stored.content).to_string();
                    let headers = [(CONTENT_TYPE, stored.media_type.clone()), (DIGEST, digest)];
                    (headers, stored.content.clone()).into_response()
                }
                None => refusal(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "there is no such manifest"),
            }
        }
        _ => refusal(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "manifests are put and got"),
    }
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({"errors": [{"code": code, "message": message}]}))).into_response()
}
