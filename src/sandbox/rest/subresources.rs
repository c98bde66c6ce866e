//! Parts of objects: scales, logs, bindings, evictions, tokens, the finalizers of namespaces.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::super::failure::{Failure, Named, invalid};
use super::super::logs::LogQuery;
use super::super::object::Fields;
use super::super::request::{Body, Method, Response};
use super::super::selector::LabelSelector;
use super::super::store::{Place, Store};
use super::super::versions;
use super::decode::body_of;
use super::delete::DeleteOptions;
use super::write::{Tracking, time};
use super::{Call, patching, success};

/// Tokens are good for so many seconds at least.
const SHORTEST_TOKEN: i64 = 600;

impl Store {
    pub(super) fn about_subresource(&mut self, call: &Call<'_>) -> Result<Response, Failure> {
        let method = call.request.method;
        if method == Method::Post {
            self.check_namespace(&call.resource, &call.namespace, &json!({"metadata": {"name": call.name}}))?;
        }
        match (call.subresource.as_str(), method) {
            ("scale", Method::Get) => {
                let scale = Arc::new(self.scale_of(call, &*self.live(call)?));
                let scales = call.resource.as_scales();
                Ok(Response::new(200, call.view.of_object(&scales, scale, call.now)))
            }
            ("scale", Method::Put | Method::Patch) => self.set_scale(call),
            ("log", Method::Get) => self.read_log(call),
            ("binding", Method::Post) => self.bind(call),
            ("eviction", Method::Post) => self.evict(call),
            ("token", Method::Post) => self.token(call),
            ("finalize", Method::Put) => self.finalize(call),
            ("ephemeralcontainers" | "resize" | "approval", Method::Get) => {
                let live = self.live(call)?;
                Ok(call.answer(200, &live))
            }
            ("ephemeralcontainers" | "resize" | "approval", Method::Put) => self.put(call),
            ("ephemeralcontainers" | "resize" | "approval", Method::Patch) => self.patch(call),
            ("exec" | "attach" | "portforward" | "proxy", _) => Err(Failure::bad_request(
                "the containers of this cluster are simulated: nothing can be reached in them",
            )),
            _ => Err(Failure::method_not_allowed()),
        }
    }

    fn live(&self, call: &Call<'_>) -> Result<Arc<Value>, Failure> {
        let live = self.get(&call.resource.collection, &call.namespace, &call.name);
        live.cloned().ok_or_else(|| Failure::not_found(&call.resource.named, &call.name))
    }

    /// Where a resource keeps its scale: wanted, there, and the selector as text.
    fn scale_paths(&self, call: &Call<'_>) -> (String, String, Option<String>) {
        if !call.resource.custom {
            return ("/spec/replicas".to_owned(), "/status/replicas".to_owned(), None);
        }
        let definition =
            self.get("customresourcedefinitions.apiextensions.k8s.io", "", &call.resource.named.to_string());
        let version = definition.and_then(|definition| {
            let versions = definition.items("/spec/versions");
            versions.iter().find(|one| one.text("/name") == call.resource.kind.version)
        });
        let path = |field: &str| {
            let text = version.map(|one| one.text(&format!("/subresources/scale/{field}")));
            text.unwrap_or_default().replace('.', "/")
        };
        let selector = Some(path("labelSelectorPath")).filter(|path| !path.is_empty());
        (path("specReplicasPath"), path("statusReplicasPath"), selector)
    }

    fn scale_of(&self, call: &Call<'_>, live: &Value) -> Value {
        let (wanted, there, selector) = self.scale_paths(call);
        let selector = match selector {
            Some(path) => live.text(&path).to_owned(),
            None => match live.pointer("/spec/selector") {
                Some(Value::Object(map)) if call.resource.collection == "replicationcontrollers" => {
                    LabelSelector::of_labels(map).text()
                }
                Some(selector) => LabelSelector::of(selector).text(),
                None => String::new(),
            },
        };
        let mut metadata = json!({"name": live.name(), "namespace": live.namespace(), "uid": live.uid(),
            "resourceVersion": live.text("/metadata/resourceVersion"),
            "creationTimestamp": live.text("/metadata/creationTimestamp")});
        if live.namespace().is_empty() {
            metadata.take_out("/namespace");
        }
        let mut spec = json!({});
        if let Some(replicas) = live.number(&wanted).filter(|replicas| *replicas != 0) {
            spec.put("/replicas", json!(replicas));
        }
        let mut status = json!({"replicas": live.number(&there).unwrap_or_default()});
        if !selector.is_empty() {
            status.put("/selector", json!(selector));
        }
        json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec,
            "status": status})
    }

    fn set_scale(&mut self, call: &Call<'_>) -> Result<Response, Failure> {
        let caller = call.caller()?;
        let live = self.live(call)?;
        let sent = body_of(call.request, ("autoscaling", "v1", "Scale"))?;
        let scale = if call.request.method == Method::Put {
            sent
        } else {
            let media = call.request.content_type.split(';').next().unwrap_or_default().trim();
            let shown = self.scale_of(call, &live);
            let merge = "application/merge-patch+json";
            let media = if media == "application/json-patch+json" { media } else { merge };
            let patched = self.patched(&call.resource, media, &shown, &sent);
            patched.map_err(|error| patching::refusal(&call.resource, &call.name, error))?
        };
        let version = scale.text("/metadata/resourceVersion");
        if !version.is_empty() && version != live.text("/metadata/resourceVersion") {
            return Err(Failure::modified(&call.resource.named, &call.name));
        }
        let replicas = scale.number("/spec/replicas").unwrap_or_default();
        if replicas < 0 {
            let cause = super::super::failure::invalid(
                "spec.replicas",
                &json!(replicas),
                "must be greater than or equal to 0",
            );
            return Err(Failure::invalid(&Named::new("autoscaling", "Scale"), &call.name, &[cause]));
        }
        let mut object = live.as_ref().clone();
        object.put(&self.scale_paths(call).0, json!(replicas));
        let written = self.replace(&call.resource, &live, object, "scale", &caller, Tracking::Update)?;
        Ok(Response::object(self.scale_of(call, &written.object)))
    }

    fn read_log(&self, call: &Call<'_>) -> Result<Response, Failure> {
        let pod = self.live(call)?;
        let query = &call.request.query;
        let all: Vec<&str> = ["/spec/containers", "/spec/initContainers"]
            .iter()
            .flat_map(|list| pod.items(list))
            .map(|container| container.text("/name"))
            .collect();
        let main = pod.items("/spec/containers");
        let container = match (query.text("container"), main) {
            ("", [only]) => only.text("/name"),
            ("", _) => {
                let message = format!(
                    "a container name must be specified for pod {}, choose one of: [{}]",
                    call.name,
                    main.iter().map(|one| one.text("/name")).collect::<Vec<_>>().join(" ")
                );
                return Err(Failure::bad_request(message));
            }
            (name, _) if all.contains(&name) => name,
            (name, _) => {
                let message = format!("container {name} is not valid for pod {}", call.name);
                return Err(Failure::bad_request(message));
            }
        };
        let statuses = ["/status/containerStatuses", "/status/initContainerStatuses"];
        let status =
            statuses.iter().flat_map(|list| pod.items(list)).find(|status| status.text("/name") == container);
        let restarts = status.and_then(|status| status.number("/restartCount")).unwrap_or_default();
        let waiting = status.map_or("ContainerCreating", |status| status.text("/state/waiting/reason"));
        let previous = query.holds("previous");
        let ended_before = status.is_some_and(|status| status.pointer("/lastState/terminated").is_some());
        if previous && !ended_before {
            let message =
                format!("previous terminated container \"{container}\" in pod \"{}\" not found", call.name);
            return Err(Failure::bad_request(message));
        }
        if !previous && !waiting.is_empty() && !ended_before {
            let said = match waiting {
                "ErrImagePull" | "ImagePullBackOff" => "trying and failing to pull image".to_owned(),
                waiting => waiting.to_owned(),
            };
            let message =
                format!("container \"{container}\" in pod \"{}\" is waiting to start: {said}", call.name);
            return Err(Failure::bad_request(message));
        }
        // A container that waits to be started again shows its last run, whichever is asked for.
        let run = if previous && waiting.is_empty() { restarts - 1 } else { restarts };
        let since = match query.number::<i64>("sinceSeconds") {
            Some(seconds) => call.now.checked_sub(SignedDuration::from_secs(seconds)).ok(),
            None => query.text("sinceTime").parse().ok(),
        };
        let text = self.log(
            &Place::new("pods", &call.namespace, &call.name),
            &LogQuery {
                container,
                run: run.max(0),
                tail: query.number("tailLines"),
                since,
                timestamps: query.holds("timestamps"),
                limit: query.number("limitBytes"),
            },
        );
        Ok(Response::new(200, Body::Text { media: "text/plain", text }))
    }

    fn bind(&mut self, call: &Call<'_>) -> Result<Response, Failure> {
        let caller = call.caller()?;
        let live = self.live(call)?;
        let binding = body_of(call.request, ("", "v1", "Binding"))?;
        if !live.text("/spec/nodeName").is_empty() {
            let why =
                format!("pod {} is already assigned to node {:?}", call.name, live.text("/spec/nodeName"));
            return Err(Failure::conflict(&Named::new("", "pods/binding"), &call.name, &why));
        }
        self.assign(&live, binding.text("/target/name"), &caller)?;
        let mut response = success(json!({}));
        response.code = 201;
        Ok(response)
    }

    /// Puts a pod onto a node.
    pub(crate) fn assign(
        &mut self,
        pod: &Arc<Value>,
        node: &str,
        caller: &super::Caller,
    ) -> Result<(), Failure> {
        let Some(resource) = self.catalog.of_collection("pods").cloned() else { return Ok(()) };
        let mut object = pod.as_ref().clone();
        object.put("/spec/nodeName", json!(node));
        let condition = json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null,
            "lastTransitionTime": time(caller.now),
            "observedGeneration": pod.number("/metadata/generation").unwrap_or(1)});
        object.put("/status/conditions", json!([condition]));
        if caller.dry_run {
            return Ok(());
        }
        self.commit(&resource, object, super::super::objects::Change::Modified);
        Ok(())
    }

    fn evict(&mut self, call: &Call<'_>) -> Result<Response, Failure> {
        let caller = call.caller()?;
        let pod = self.live(call)?;
        let sent = body_of(call.request, ("policy", "v1", "Eviction"))?;
        let budgets: Vec<Arc<Value>> = self
            .list("poddisruptionbudgets.policy", Some(&call.namespace))
            .filter(|budget| {
                budget
                    .pointer("/spec/selector")
                    .is_some_and(|selector| LabelSelector::of(selector).matches(&pod))
            })
            .cloned()
            .collect();
        let runs = !matches!(pod.text("/status/phase"), "Succeeded" | "Failed" | "Pending");
        if budgets.len() > 1 && runs {
            let message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
            let mut failure = Failure::internal(message);
            message.clone_into(&mut failure.message);
            return Err(failure);
        }
        if let Some(budget) = budgets.first().filter(|_| runs)
            && budget.number("/status/disruptionsAllowed").unwrap_or_default() < 1
        {
            let healthy = budget.number("/status/currentHealthy").unwrap_or_default();
            let needed = budget.number("/status/desiredHealthy").unwrap_or_default();
            let message = format!(
                "The disruption budget {} needs {needed} healthy pods and has {healthy} currently",
                budget.name()
            );
            let refused = "Cannot evict pod as it would violate the pod's disruption budget.";
            let failure = Failure::too_many_requests(refused, 0);
            return Err(failure.with_cause("DisruptionBudget", &message, ""));
        }
        let options = DeleteOptions {
            grace: sent.number("/deleteOptions/gracePeriodSeconds"),
            dry_run: caller.dry_run,
            ..DeleteOptions::default()
        };
        self.delete(&call.resource, &call.namespace, &call.name, &options, &caller)?;
        let mut response = success(json!({}));
        response.code = 201;
        Ok(response)
    }

    fn token(&mut self, call: &Call<'_>) -> Result<Response, Failure> {
        let account = self.live(call)?;
        let mut sent = body_of(call.request, ("authentication.k8s.io", "v1", "TokenRequest"))?;
        let seconds = sent.number("/spec/expirationSeconds").unwrap_or(3600);
        if seconds < SHORTEST_TOKEN {
            let why = "may not specify a duration less than 10 minutes";
            let causes = [invalid("spec.expirationSeconds", &json!(seconds), why)];
            return Err(Failure::invalid(&Named::new("authentication.k8s.io", "TokenRequest"), "", &causes));
        }
        let expires = call.now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(call.now);
        let user = format!("system:serviceaccount:{}:{}", call.namespace, call.name);
        let claims = json!({"sub": user, "iss": "https://kubernetes.default.svc.cluster.local",
            "exp": expires.as_second(), "iat": call.now.as_second(), "jti": self.ids.uid(),
            "kubernetes.io": {"namespace": call.namespace, "serviceaccount": {"name": call.name, "uid": account.uid()}}});
        let encoded = |text: String| URL_SAFE_NO_PAD.encode(text);
        let head = encoded(json!({"alg": "none"}).to_string());
        let token = format!("{head}.{}.{}", encoded(claims.to_string()), self.ids.suffix(27));
        if sent.items("/spec/audiences").is_empty() {
            sent.put("/spec/audiences", json!(["https://kubernetes.default.svc.cluster.local"]));
        }
        sent.put("/kind", json!("TokenRequest"));
        sent.put("/apiVersion", json!("authentication.k8s.io/v1"));
        sent.put(
            "/metadata",
            json!({"name": call.name, "namespace": call.namespace,
            "creationTimestamp": time(call.now)}),
        );
        sent.put("/spec/expirationSeconds", json!(seconds));
        sent.put("/status", json!({"token": token, "expirationTimestamp": time(expires)}));
        let mut response = Response::object(sent);
        response.code = 201;
        Ok(response)
    }

    fn finalize(&mut self, call: &Call<'_>) -> Result<Response, Failure> {
        let caller = call.caller()?;
        let live = self.live(call)?;
        let sent = body_of(call.request, ("", "v1", "Namespace"))?;
        let mut object = live.as_ref().clone();
        object.put("/spec/finalizers", sent.pointer("/spec/finalizers").cloned().unwrap_or(json!([])));
        let written = self.replace(&call.resource, &live, object, "finalize", &caller, Tracking::Update)?;
        let shown = versions::read_as(&written.object, &call.resource);
        Ok(call.answer(200, &shown))
    }
}
