//! Refusals: `Status` objects in the words of kube-apiserver.

use serde_json::{Map, Value, json};

pub use super::schema::Cause;
use super::schema::Rejection;

/// What a refused request is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The HTTP status code.
    pub code: u16,
    /// Machine-readable, such as `NotFound`.
    pub reason: &'static str,
    /// The sentence.
    pub message: String,
    /// Seconds after which a repetition may succeed.
    pub retry_after: Option<u32>,
    /// The `details`; null when there are none.
    pub details: Value,
    /// A token to continue an expired list with.
    pub continuation: Option<String>,
}

/// A resource as messages name it: `pods`, `deployments.apps`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Named {
    /// The API group; empty for the core group.
    pub group: String,
    /// The plural, or the kind where a message wants that.
    pub word: String,
}

impl Named {
    /// A resource or kind of a group.
    pub fn new(group: &str, word: &str) -> Named {
        Named { group: group.to_owned(), word: word.to_owned() }
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.group.is_empty() {
            formatter.write_str(&self.word)
        } else {
            write!(formatter, "{}.{}", self.word, self.group)
        }
    }
}

fn details_of(what: &Named, name: &str) -> Value {
    let mut details = Map::new();
    for (key, value) in [("name", name), ("group", &what.group), ("kind", &what.word)] {
        if !value.is_empty() {
            details.insert(key.to_owned(), json!(value));
        }
    }
    Value::Object(details)
}

impl Failure {
    fn new(code: u16, reason: &'static str, message: String) -> Failure {
        Failure { code, reason, message, retry_after: None, details: Value::Null, continuation: None }
    }

    fn about(mut self, what: &Named, name: &str) -> Failure {
        self.details = details_of(what, name);
        self
    }

    /// No such object.
    pub fn not_found(resource: &Named, name: &str) -> Failure {
        Failure::new(404, "NotFound", format!("{resource} \"{name}\" not found")).about(resource, name)
    }

    /// No such path in a group that is served.
    pub fn no_such_resource() -> Failure {
        let mut failure =
            Failure::new(404, "NotFound", "the server could not find the requested resource".to_owned());
        failure.details = json!({});
        failure
    }

    /// The method is not one of the resource's.
    pub fn method_not_allowed() -> Failure {
        let message = "the server does not allow this method on the requested resource".to_owned();
        let mut failure = Failure::new(405, "MethodNotAllowed", message);
        failure.details = json!({});
        failure
    }

    /// An object of that name is there already.
    pub fn already_exists(resource: &Named, name: &str) -> Failure {
        Failure::new(409, "AlreadyExists", format!("{resource} \"{name}\" already exists"))
            .about(resource, name)
    }

    /// Eight generated names were taken.
    pub fn no_free_name(resource: &Named, name: &str) -> Failure {
        let message = format!(
            "{resource} \"{name}\" already exists, the server was not able to generate a unique name for the object"
        );
        Failure::new(409, "AlreadyExists", message).about(resource, name)
    }

    /// The object is not what the request supposes.
    pub fn conflict(resource: &Named, name: &str, why: &str) -> Failure {
        let message = format!("Operation cannot be fulfilled on {resource} \"{name}\": {why}");
        Failure::new(409, "Conflict", message).about(resource, name)
    }

    /// The object changed since it was read.
    pub fn modified(resource: &Named, name: &str) -> Failure {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Failure::conflict(resource, name, why)
    }

    /// Fields that other managers own; `message` is said as it is.
    pub fn field_conflicts(message: String, causes: &[Cause]) -> Failure {
        let mut failure = Failure::new(409, "Conflict", message);
        failure.details = json!({"causes": causes_of(causes)});
        failure
    }

    /// The request makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Failure {
        Failure::new(400, "BadRequest", message.into())
    }

    /// The request is not allowed.
    pub fn forbidden(resource: &Named, name: &str, why: &str) -> Failure {
        let subject = match (resource.word.is_empty(), name.is_empty()) {
            (true, _) => format!("forbidden: {why}"),
            (false, true) => format!("{resource} is forbidden: {why}"),
            (false, false) => format!("{resource} \"{name}\" is forbidden: {why}"),
        };
        Failure::new(403, "Forbidden", subject).about(resource, name)
    }

    /// The object is invalid; every cause is said.
    pub fn invalid(kind: &Named, name: &str, causes: &[Cause]) -> Failure {
        let mut sentences: Vec<String> = Vec::new();
        for cause in causes {
            let sentence = match cause.field.as_str() {
                "" => cause.message.clone(),
                field => format!("{field}: {}", cause.message),
            };
            if !sentences.contains(&sentence) {
                sentences.push(sentence);
            }
        }
        let said = match sentences.as_slice() {
            [] => String::new(),
            [one] => format!(": {one}"),
            many => format!(": [{}]", many.join(", ")),
        };
        let mut failure = Failure::new(422, "Invalid", format!("{kind} \"{name}\" is invalid{said}"));
        failure.details = details_of(kind, name);
        if let Some(details) = failure.details.as_object_mut().filter(|_| !causes.is_empty()) {
            details.insert("causes".to_owned(), causes_of(causes));
        }
        failure
    }

    /// What was asked for is older than what is kept.
    pub fn expired(message: impl Into<String>) -> Failure {
        Failure::new(410, "Expired", message.into())
    }

    /// The body is of a type that is not read.
    pub fn unsupported_media_type(accepted: &str) -> Failure {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {accepted}"
        );
        Failure::new(415, "UnsupportedMediaType", message)
    }

    /// No type that the client accepts can be written.
    pub fn not_acceptable(message: &str) -> Failure {
        let mut failure = Failure::new(406, "NotAcceptable", message.to_owned());
        failure.details = json!({});
        failure
    }

    /// Too much is asked for; come back later.
    pub fn too_many_requests(message: impl Into<String>, retry_after: u32) -> Failure {
        let mut failure = Failure::new(429, "TooManyRequests", message.into());
        failure.retry_after = Some(retry_after).filter(|seconds| *seconds > 0);
        failure.details = match failure.retry_after {
            Some(seconds) => json!({"retryAfterSeconds": seconds}),
            None => json!({}),
        };
        failure
    }

    /// The server's own fault.
    pub fn internal(why: &str) -> Failure {
        let mut failure = Failure::new(500, "InternalError", format!("Internal error occurred: {why}"));
        failure.details = json!({"causes": [{"message": why}]});
        failure
    }

    /// The same with one more cause among the details.
    pub fn with_cause(mut self, reason: &'static str, message: &str, field: &str) -> Failure {
        let cause = Cause { reason, message: message.to_owned(), field: field.to_owned() };
        if let Some(details) = self.details.as_object_mut() {
            details.insert("causes".to_owned(), causes_of(&[cause]));
        }
        self
    }

    /// What the kinds' own rules refuse.
    pub fn rejected(kind: &Named, name: &str, rejection: Rejection) -> Failure {
        match rejection {
            Rejection::BadRequest(message) => Failure::bad_request(message),
            Rejection::Invalid(causes) => Failure::invalid(kind, name, &causes),
        }
    }

    /// The `Status` object.
    pub fn status(&self) -> Value {
        let mut metadata = Map::new();
        if let Some(token) = &self.continuation {
            metadata.insert("continue".to_owned(), json!(token));
        }
        let mut status = json!({"kind": "Status", "apiVersion": "v1", "metadata": metadata, "status": "Failure",
            "message": self.message, "reason": self.reason});
        if let Some(map) = status.as_object_mut() {
            if self.reason.is_empty() {
                map.shift_remove("reason");
            }
            if !self.details.is_null() {
                map.insert("details".to_owned(), self.details.clone());
            }
            map.insert("code".to_owned(), json!(self.code));
        }
        status
    }
}

fn causes_of(causes: &[Cause]) -> Value {
    causes
        .iter()
        .map(|cause| {
            let mut map = Map::new();
            let parts = [("reason", cause.reason), ("message", &cause.message), ("field", &cause.field)];
            for (key, value) in parts {
                if !value.is_empty() {
                    map.insert(key.to_owned(), json!(value));
                }
            }
            Value::Object(map)
        })
        .collect()
}

/// A field that must be there.
pub fn required(field: &str, why: &str) -> Cause {
    let message = if why.is_empty() { "Required value".to_owned() } else { format!("Required value: {why}") };
    Cause { reason: "FieldValueRequired", field: field.to_owned(), message }
}

/// A field whose value is wrong.
pub fn invalid(field: &str, value: &Value, why: &str) -> Cause {
    let message = format!("Invalid value: {value}: {why}");
    Cause { reason: "FieldValueInvalid", field: field.to_owned(), message }
}

/// A field that may not be there, or not be changed.
pub fn forbidden(field: &str, why: &str) -> Cause {
    Cause { reason: "FieldValueForbidden", field: field.to_owned(), message: format!("Forbidden: {why}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_api_server() {
        let deployments = Named::new("apps", "deployments");
        assert_eq!(
            Failure::not_found(&deployments, "web").status(),
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "deployments.apps \"web\" not found", "reason": "NotFound",
                "details": {"name": "web", "group": "apps", "kind": "deployments"}, "code": 404})
        );
        let causes =
            [required("metadata.name", "name or generateName is required"), required("spec.containers", "")];
        assert_eq!(
            Failure::invalid(&Named::new("", "Pod"), "", &causes).message,
            "Pod \"\" is invalid: [metadata.name: Required value: name or generateName is required, spec.containers: Required value]"
        );
    }
}
