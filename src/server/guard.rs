//! What every request passes: reading methods only, a believable host, and headers that keep a browser strict.

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::{Shared, api, pages};

/// Everything from ourselves or nothing; no inline script or style, no frames, no forms to elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Refuses what is not a reading request for this host, and sets the headers of every answer.
pub(super) async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let mut response = if !matches!(*request.method(), Method::GET | Method::HEAD) {
        read_only()
    } else if shared.address.ip().is_loopback() && !is_local(request.headers(), request.uri()) {
        misdirected()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// No such page: JSON below `/api/`, a page elsewhere.
pub(super) async fn not_found(State(shared): State<Shared>, uri: Uri) -> Response {
    if uri.path().starts_with("/api/") {
        api::problem(StatusCode::NOT_FOUND, "there is nothing at this address")
    } else {
        pages::missing(&shared.board(), "There is nothing at this address.")
    }
}

fn read_only() -> Response {
    let allow = [(header::ALLOW, "GET, HEAD")];
    let text = "this server only reads: use GET or HEAD\n";
    (StatusCode::METHOD_NOT_ALLOWED, allow, text).into_response()
}

fn misdirected() -> Response {
    let text =
        "this server listens on a loopback address and answers only to localhost, 127.0.0.1 and [::1]\n";
    (StatusCode::MISDIRECTED_REQUEST, text).into_response()
}

/// Whether the request was meant for this machine. A page elsewhere can let its own name resolve to 127.0.0.1
/// and read the answers; but it cannot change the name in the request.
fn is_local(headers: &HeaderMap, uri: &Uri) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let named = host.to_str().ok().and_then(|text| text.parse::<Authority>().ok());
    named.is_some_and(|authority| is_local_name(authority.host())) && uri.host().is_none_or(is_local_name)
}

fn is_local_name(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_local() {
        for (host, local) in [
            ("localhost", true),
            ("LocalHost:8080", true),
            ("127.0.0.1:8080", true),
            ("127.1.2.3", true),
            ("[::1]:8080", true),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("10.0.0.1", false),
            ("evil.example@localhost:80", true), // user information is no host; browsers never send it
            ("localhost@evil.example", false),
            ("", false),
            (" ", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
            assert_eq!(is_local(&headers, &Uri::from_static("/")), local, "{host}");
            let absolute = Uri::from_static("http://evil.example/");
            assert!(!is_local(&headers, &absolute), "{host}");
        }
        assert!(!is_local(&HeaderMap::new(), &Uri::from_static("/")));
    }

    #[test]
    fn two_hosts_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(header::HOST, HeaderValue::from_static("localhost"));
        headers.append(header::HOST, HeaderValue::from_static("evil.example"));
        assert!(!is_local(&headers, &Uri::from_static("/")));
    }
}
