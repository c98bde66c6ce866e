//! A client of any API server.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, RequestBuilder};
use serde_json::Value;

use super::mask::Mask;

/// How long anything may take to come about.
const PATIENCE: Duration = Duration::from_secs(20);

/// An API server.
#[derive(Debug)]
pub(crate) struct Server {
    url: String,
    token: String,
    client: Client,
    count: AtomicUsize,
    /// Makes namespaces of several runs differ.
    run: String,
    /// Whether controllers bring a namespace's first objects.
    awaits_accounts: bool,
}

/// What a request was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    code: u16,
    warnings: Vec<String>,
    text: String,
}

impl Server {
    pub(crate) fn new(url: &str, token: &str, awaits_accounts: bool) -> Server {
        drop(rustls::crypto::ring::default_provider().install_default());
        // A loopback server of this test: its certificate is its own.
        let client = Client::builder()
            .tls_danger_accept_invalid_certs(true)
            .user_agent("contract/1")
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .unwrap();
        let run = std::process::id() % 10_000;
        Server {
            url: url.to_owned(),
            token: token.to_owned(),
            client,
            count: AtomicUsize::new(0),
            run: format!("{run:04}"),
            awaits_accounts,
        }
    }

    pub(crate) fn unique_namespace(&self) -> String {
        format!("contract-{}-{:03}", self.run, self.count.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn make_namespace(&self, name: &str) {
        let body = format!("{{\"metadata\": {{\"name\": \"{name}\"}}}}");
        let answer = self.send("POST", "/api/v1/namespaces", &body, "");
        assert_eq!(answer.code, 201, "no namespace: {}", answer.text);
        if self.awaits_accounts {
            for path in ["serviceaccounts/default", "configmaps/kube-root-ca.crt"] {
                let path = format!("/api/v1/namespaces/{name}/{path}");
                self.wait(&path, "/metadata/name", path.rsplit('/').next().unwrap()).unwrap();
            }
        }
    }

    pub(crate) fn drop_namespace(&self, name: &str, made: bool) {
        if made {
            self.send("DELETE", &format!("/api/v1/namespaces/{name}"), "", "");
        }
    }

    /// Waits until a part of an object has a value, or the object is gone.
    pub(crate) fn wait(&self, path: &str, pointer: &str, wanted: &str) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.send("GET", path, "", "");
            let value = answer.value();
            let there = value.pointer(pointer).unwrap_or(&Value::Null);
            let there = there.as_str().map_or_else(|| there.to_string(), str::to_owned);
            if (pointer == "gone" && answer.code == 404) || (pointer != "gone" && there == wanted) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(there);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &str, accept: &str) -> Answer {
        let (method, kind) = match method {
            "APPLY" => ("PATCH", "application/apply-patch+yaml"),
            "MERGE" => ("PATCH", "application/merge-patch+json"),
            "STRATEGIC" => ("PATCH", "application/strategic-merge-patch+json"),
            "JSON" => ("PATCH", "application/json-patch+json"),
            other => (other, "application/json"),
        };
        let url = format!("{}{path}", self.url);
        let mut request: RequestBuilder = self.client.request(method.parse().unwrap(), url);
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if !accept.is_empty() {
            request = request.header("accept", accept);
        }
        if !body.trim().is_empty() {
            request = request.header("content-type", kind).body(json_of(body));
        }
        let response = request.send().unwrap();
        let code = response.status().as_u16();
        let warnings = response.headers().get_all("warning").iter();
        let warnings = warnings.map(|warning| warning.to_str().unwrap_or("").to_owned()).collect();
        Answer { code, warnings, text: response.text().unwrap_or_default() }
    }
}

/// A body is written as YAML, or after a bar as it is.
fn json_of(body: &str) -> String {
    if let Some(raw) = body.trim_start().strip_prefix("| ") {
        return raw.to_owned();
    }
    let value: Value = serde_yaml::from_str(body).unwrap_or_else(|error| panic!("{error} in\n{body}"));
    value.to_string()
}

impl Answer {
    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// One line: the code, warnings, and the body with keys in order. The lines of a watch stand in a list.
    pub(crate) fn line(&self, mask: &Mask) -> String {
        let mut line = self.code.to_string();
        for warning in &self.warnings {
            line.push_str(&format!(" [{}]", mask.text(warning)));
        }
        line.push(' ');
        if let Ok(value) = serde_json::from_str::<Value>(&self.text) {
            return line + &mask.value(&value).to_string();
        }
        let events: Result<Vec<Value>, _> = self.text.lines().map(serde_json::from_str::<Value>).collect();
        match events {
            Ok(events) => line + &mask.value(&Value::Array(events)).to_string(),
            Err(_) => line + &mask.text(&self.text).replace('\n', "\\n"),
        }
    }
}
