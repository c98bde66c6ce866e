//! Requests, by the rules of the API server: one entry for every transport, [`Store::handle`].

mod decode;
mod delete;
mod discovery;
mod openapi;
mod patching;
mod protobuf;
mod read;
mod reviews;
mod route;
mod subresources;
mod write;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::catalog::Resource;
use super::failure::{Failure, Named};
use super::faults::{Asked, Fault};
use super::object::Fields;
use super::request::{Body, Method, Request, Response};
use super::schema::FieldValidation;
use super::store::Store;
use super::versions;
use super::view::View;
use super::watch::WatchFault;
pub(super) use delete::{DeleteOptions, Propagation};
use route::{Route, Target, route};
pub(super) use write::Written;
pub(crate) use write::time;

/// Who writes, when and how.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The field manager.
    pub manager: String,
    /// The time.
    pub now: Timestamp,
    /// Whether nothing is to be kept.
    pub dry_run: bool,
    /// What becomes of unknown fields.
    pub validation: FieldValidation,
    /// Whether it is the cluster itself, which may write where people may not.
    pub system: bool,
}

impl Caller {
    /// A part of the cluster.
    pub fn system(manager: &str, now: Timestamp) -> Caller {
        Caller {
            manager: manager.to_owned(),
            now,
            dry_run: false,
            validation: FieldValidation::Ignore,
            system: true,
        }
    }
}

/// A request about objects, read.
pub(super) struct Call<'a> {
    request: &'a Request,
    resource: Arc<Resource>,
    verb: &'static str,
    /// The namespace of the path; empty for none.
    namespace: String,
    /// The name of the path; empty for none.
    name: String,
    subresource: String,
    now: Timestamp,
    view: View,
    /// How many versions a read lags behind.
    stale: u64,
    watch_fault: Option<WatchFault>,
}

impl Call<'_> {
    fn caller(&self) -> Result<Caller, Failure> {
        let query = &self.request.query;
        let dry_run = match query.text("dryRun") {
            "" => false,
            "All" => true,
            other => {
                let cause = super::schema::Cause {
                    reason: "FieldValueNotSupported",
                    field: "dryRun".to_owned(),
                    message: format!("Unsupported value: [{other:?}]: supported values: \"All\""),
                };
                let options = Named::new("meta.k8s.io", self.options_kind());
                return Err(Failure::invalid(&options, "", &[cause]));
            }
        };
        let validation = match query.text("fieldValidation") {
            "" | "Warn" => FieldValidation::Warn,
            "Strict" => FieldValidation::Strict,
            "Ignore" => FieldValidation::Ignore,
            other => {
                let cause = super::schema::Cause {
                    reason: "FieldValueNotSupported",
                    field: "fieldValidation".to_owned(),
                    message: format!(
                        "Unsupported value: {other:?}: supported values: \"\", \"Ignore\", \"Strict\", \"Warn\""
                    ),
                };
                let options = Named::new("meta.k8s.io", self.options_kind());
                return Err(Failure::invalid(&options, "", &[cause]));
            }
        };
        let agent = self.request.agent.split('/').next().unwrap_or_default();
        let manager = match query.text("fieldManager") {
            "" if agent.is_empty() => "unknown",
            "" => agent,
            manager => manager,
        };
        let manager = manager.chars().take(128).collect();
        Ok(Caller { manager, now: self.now, dry_run, validation, system: false })
    }

    /// The object that was sent.
    fn body(&self) -> Result<Value, Failure> {
        let kind = &self.resource.kind;
        decode::body_of(self.request, (&kind.group, &kind.version, &kind.kind))
    }

    /// Warnings about fields that stand twice, or the refusal of them.
    fn duplicates(&self, caller: &Caller) -> Result<Vec<String>, Failure> {
        let found = decode::duplicates(self.request);
        let found: Vec<String> = found.iter().map(|path| format!("duplicate field {path:?}")).collect();
        let kind = &self.resource.kind;
        match caller.validation {
            FieldValidation::Ignore => Ok(Vec::new()),
            FieldValidation::Strict if !found.is_empty() => Err(Failure::bad_request(format!(
                "{0} in version {1:?} cannot be handled as a {0}: strict decoding error: {2}",
                kind.kind,
                kind.version,
                found.join(", ")
            ))),
            _ => Ok(found),
        }
    }

    fn options_kind(&self) -> &'static str {
        match self.verb {
            "create" => "CreateOptions",
            "update" => "UpdateOptions",
            "patch" => "PatchOptions",
            _ => "DeleteOptions",
        }
    }

    /// An object as the client wants to see it.
    fn answer(&self, code: u16, object: &Arc<Value>) -> Response {
        let shown = versions::read_as(object, &self.resource);
        Response::new(code, self.view.of_object(&self.resource, shown, self.now))
    }

    fn written(&self, written: Written) -> Response {
        let code = if written.created { 201 } else { 200 };
        let mut response = self.answer(code, &written.object);
        response.warnings = written.warnings;
        response
    }
}

impl Store {
    /// Answers a request. Watches are answered with a cursor that the transport polls.
    pub fn handle(&mut self, request: &Request, now: Timestamp) -> Response {
        match route(&request.path) {
            Route::Objects(target) => self.about_objects(request, target, now),
            Route::OpenApi(path) if request.method == Method::Get => self.openapi(&path),
            other if request.method == Method::Get => self.about_the_server(&other, request),
            _ => Failure::method_not_allowed().into(),
        }
    }

    fn about_the_server(&self, route: &Route, request: &Request) -> Response {
        match route {
            Route::LegacyRoot => self.legacy_root(request),
            Route::Groups => self.groups(request),
            Route::Group(group) => self.group(group),
            Route::Version(group, version) => self.group_version(group, version),
            Route::Other(path) => match path.as_str() {
                // Written for people, whoever asks.
                "/version" => Response::new(
                    200,
                    Body::Text { media: "application/json", text: format!("{:#}", version()) },
                ),
                "/healthz" | "/livez" | "/readyz" => Response::text(200, "ok"),
                "/" => Response::object(self.paths()),
                // Clients fall back to the older document when the newer one lacks a kind; it has nothing to add.
                "/openapi/v2" => Response::new(
                    200,
                    Body::Text {
                        media: "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
                        text: String::new(),
                    },
                ),
                path if is_probe(path) => Response::text(200, "ok"),
                _ => not_a_page(),
            },
            Route::Objects(_) | Route::OpenApi(_) => not_a_page(),
        }
    }

    fn about_objects(&mut self, request: &Request, target: Target, now: Timestamp) -> Response {
        if !self.catalog.serves(&target.group, &target.version) {
            if request.method != Method::Get {
                return Failure::no_such_resource().into();
            }
            return not_a_page();
        }
        let found = self.catalog.find(&target.group, &target.version, &target.plural);
        let Some(resource) = found.cloned() else {
            return Failure::no_such_resource().into();
        };
        // A collection of the cluster has no namespaces in its paths, and an object of a namespace is in one.
        let misplaced = (target.namespace.is_some() && !resource.kind.namespaced)
            || (target.namespace.is_none() && resource.kind.namespaced && target.name.is_some());
        let known = target.subresource.is_empty() || resource.has_subresource(&target.subresource);
        if misplaced || !known {
            return Failure::no_such_resource().into();
        }
        let Some(verb) = verb(request, &target) else {
            return Failure::method_not_allowed().into();
        };
        let view = match View::accepted(&request.accept, &request.query) {
            Ok(view) => view,
            Err(failure) if verb == "get" && target.subresource == "log" => {
                drop(failure);
                View::Plain
            }
            Err(failure) => return failure.into(),
        };
        let mut call = Call {
            request,
            resource,
            verb,
            namespace: target.namespace.unwrap_or_default(),
            name: target.name.unwrap_or_default(),
            subresource: target.subresource,
            now,
            view,
            stale: 0,
            watch_fault: None,
        };
        self.with_faults(&mut call)
    }

    /// Carries a request out, or fails it as the faults want.
    fn with_faults(&mut self, call: &mut Call<'_>) -> Response {
        let resource = if call.subresource.is_empty() {
            call.resource.named.to_string()
        } else {
            format!("{}/{}", call.resource.named, call.subresource)
        };
        let asked =
            Asked { verb: call.verb, resource: &resource, namespace: &call.namespace, name: &call.name };
        let faults = self.faults.decide(&asked);
        let mut delay = std::time::Duration::ZERO;
        let (mut lost, mut refusal) = (false, None);
        for fault in faults {
            match fault {
                Fault::Latency(latency) => delay += latency,
                Fault::TooManyRequests(seconds) => {
                    let message = "too many requests, please try again later";
                    refusal = Some(Failure::too_many_requests(message, seconds));
                }
                Fault::ServerError => refusal = Some(Failure::internal("a fault on demand")),
                Fault::Conflict if matches!(call.verb, "update" | "patch" | "delete") => {
                    refusal = Some(Failure::modified(&call.resource.named, &call.name));
                }
                Fault::Conflict => {}
                Fault::Forbidden => refusal = Some(no_right(call)),
                Fault::Reset => {
                    lost = true;
                    refusal = Some(Failure::internal("a connection reset on demand"));
                }
                Fault::LostAnswer => lost = true,
                Fault::StaleRead(versions) => call.stale = versions,
                Fault::DropWatch(after) => call.watch_fault = Some(WatchFault::DropAfter(after)),
                Fault::StallWatch(after) => call.watch_fault = Some(WatchFault::StallAfter(after)),
            }
        }
        let mut response = match refusal {
            Some(failure) => failure.into(),
            None => self.carry_out(call).unwrap_or_else(Response::from),
        };
        if let Some(warning) = deprecation(call) {
            response.warnings.insert(0, warning.to_owned());
        }
        response.fate.delay = delay;
        response.fate.lost = lost;
        response
    }

    fn carry_out(&mut self, call: &Call<'_>) -> Result<Response, Failure> {
        if !call.subresource.is_empty() && call.subresource != "status" {
            return self.about_subresource(call);
        }
        if call.verb == "create" && reviews::is_review(&call.resource) {
            return self.review(call);
        }
        let readable = call.subresource == "status" && call.verb == "get";
        if !readable && call.subresource.is_empty() && !call.resource.allows(call.verb) {
            return Err(Failure::method_not_allowed());
        }
        match call.verb {
            "get" => self.read(call),
            "list" => self.read_list(call),
            "watch" => self.begin_watch(call),
            "create" => self.post(call),
            "update" => self.put(call),
            "patch" => self.patch(call),
            "delete" => self.delete_one(call),
            _ => self.delete_many(call),
        }
    }
}

fn verb(request: &Request, target: &Target) -> Option<&'static str> {
    let named = target.name.is_some();
    Some(match (request.method, named) {
        (Method::Get, _) if request.query.holds("watch") && target.subresource.is_empty() => "watch",
        (Method::Get, true) => "get",
        (Method::Get, false) => "list",
        (Method::Post, false) => "create",
        (Method::Post, true) if !target.subresource.is_empty() => "create",
        (Method::Put, true) => "update",
        (Method::Patch, true) => "patch",
        (Method::Delete, true) => "delete",
        (Method::Delete, false) => "deletecollection",
        _ => return None,
    })
}

/// What the API server says of kinds that it means to give up.
fn deprecation(call: &Call<'_>) -> Option<&'static str> {
    let kind = &call.resource.kind;
    match (&*kind.group, &*kind.plural) {
        ("", "endpoints") => {
            Some("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice")
        }
        ("", "componentstatuses") => Some("v1 ComponentStatus is deprecated in v1.19+"),
        _ => None,
    }
}

fn no_right(call: &Call<'_>) -> Failure {
    let user = if call.request.user.is_empty() { "administrator" } else { &call.request.user };
    let (group, plural) = (&call.resource.kind.group, &call.resource.kind.plural);
    let part = if call.subresource.is_empty() { String::new() } else { format!("/{}", call.subresource) };
    let scope = if call.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace \"{}\"", call.namespace)
    };
    let verb = call.verb;
    let why =
        format!("User \"{user}\" cannot {verb} resource \"{plural}{part}\" in API group \"{group}\" {scope}");
    Failure::forbidden(&call.resource.named, &call.name, &why)
}

fn not_a_page() -> Response {
    Response::text(404, "404 page not found\n")
}

fn is_probe(path: &str) -> bool {
    ["/healthz/", "/livez/", "/readyz/"]
        .iter()
        .any(|probe| path.strip_prefix(probe).is_some_and(|check| ["ping", "log", "etcd"].contains(&check)))
}

fn version() -> Value {
    json!({"major": "1", "minor": "37", "emulationMajor": "1", "emulationMinor": "37",
        "minCompatibilityMajor": "1", "minCompatibilityMinor": "36", "gitVersion": "v1.37.2",
        "gitCommit": "", "gitTreeState": "", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "",
        "compiler": "", "platform": "linux/amd64"})
}

/// A short answer to a request that succeeded and has nothing to show.
fn success(details: Value) -> Response {
    Response::new(
        200,
        Body::Object(Arc::new(json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
            "status": "Success", "details": details}))),
    )
}

/// What a deleted object is remembered by.
fn deletion_details(resource: &Resource, object: &Value) -> Value {
    let mut details = json!({"name": object.name()});
    if !resource.named.group.is_empty() {
        details.put("/group", json!(resource.named.group));
    }
    details.put("/kind", json!(resource.named.word));
    details.put("/uid", json!(object.uid()));
    details
}
