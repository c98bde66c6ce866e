//! Questions to the API that are answered and not kept: may somebody do something, who is asking.

use serde_json::{Value, json};

use super::super::catalog::Resource;
use super::super::failure::Failure;
use super::super::faults::{Asked, Fault};
use super::super::object::Fields;
use super::super::request::Response;
use super::super::store::Store;
use super::Call;
use super::decode::typed;

/// Whether objects of this resource are questions.
pub(super) fn is_review(resource: &Resource) -> bool {
    matches!(resource.kind.group.as_str(), "authorization.k8s.io" | "authentication.k8s.io")
}

/// What an administrator may do: everything, and what everybody may.
fn everything() -> Value {
    const OPEN: [&[&str]; 2] = [
        &["/healthz", "/livez", "/readyz", "/version", "/version/"],
        &[
            "/api",
            "/api/*",
            "/apis",
            "/apis/*",
            "/healthz",
            "/livez",
            "/openapi",
            "/openapi/*",
            "/readyz",
            "/version",
            "/version/",
        ],
    ];
    let create = |group: &str, resources: &[&str]| json!({"verbs": ["create"], "apiGroups": [group], "resources": resources});
    let get = OPEN.map(|pages| json!({"verbs": ["get"], "nonResourceURLs": pages}));
    json!({
        "resourceRules": [
            {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
            create("authorization.k8s.io", &["selfsubjectaccessreviews", "selfsubjectrulesreviews"]),
            create("authentication.k8s.io", &["selfsubjectreviews"]),
        ],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}, get[0], get[1]],
        "incomplete": false})
}

impl Store {
    pub(super) fn review(&mut self, call: &Call<'_>) -> Result<Response, Failure> {
        let mut review = call.body()?;
        typed(&call.resource, &mut review)?;
        let user = if call.request.user.is_empty() { "administrator" } else { &call.request.user };
        let status = match call.resource.kind.kind.as_str() {
            "SelfSubjectRulesReview" => everything(),
            "SelfSubjectReview" => json!({"userInfo": {"username": user, "uid": user,
                "groups": ["system:masters", "system:authenticated"]}}),
            "TokenReview" => json!({"authenticated": !review.text("/spec/token").is_empty(),
                "user": {"username": user}}),
            _ => self.access(&review),
        };
        review.put("/status", status);
        let mut response = Response::object(review);
        response.code = 201;
        Ok(response)
    }

    /// Everything is allowed, but for what a fault forbids.
    fn access(&mut self, review: &Value) -> Value {
        let asked = |field: &str| review.text(&format!("/spec/resourceAttributes/{field}")).to_owned();
        let (group, plural) = (asked("group"), asked("resource"));
        let mut resource = if group.is_empty() { plural } else { format!("{plural}.{group}") };
        if !asked("subresource").is_empty() {
            resource = format!("{resource}/{}", asked("subresource"));
        }
        let (verb, namespace, name) = (asked("verb"), asked("namespace"), asked("name"));
        let question = Asked { verb: &verb, resource: &resource, namespace: &namespace, name: &name };
        if self.faults.would(&question, Fault::Forbidden) {
            return json!({"allowed": false});
        }
        json!({"allowed": true})
    }
}
