//! What a client asks and what it is answered: HTTP's parts as plain values, so that no network is needed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::failure::Failure;
use super::watch::Watch;

/// The method of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// Read, list or watch.
    #[default]
    Get,
    /// Create.
    Post,
    /// Replace.
    Put,
    /// Change.
    Patch,
    /// Delete.
    Delete,
    /// Whatever else; always refused.
    Other,
}

/// The body of a request.
#[derive(Clone, Debug, Default)]
pub enum Payload {
    /// None.
    #[default]
    Empty,
    /// As it came.
    Bytes(Vec<u8>),
    /// An object that needs no reading.
    Object(Value),
}

/// A request.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// What is to be done.
    pub method: Method,
    /// Where, without the query.
    pub path: String,
    /// The query, decoded.
    pub query: Query,
    /// The `Accept` header.
    pub accept: String,
    /// The `Content-Type` header.
    pub content_type: String,
    /// The `User-Agent` header.
    pub agent: String,
    /// Who asks; empty stands for the administrator.
    pub user: String,
    /// What is sent.
    pub body: Payload,
}

impl Request {
    /// A request without a body; the path may carry a query.
    pub fn new(method: Method, uri: &str) -> Request {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        Request { method, path: path.to_owned(), query: Query::parse(query), ..Request::default() }
    }

    /// The same with an object as its body.
    pub fn with(mut self, content_type: &str, object: Value) -> Request {
        content_type.clone_into(&mut self.content_type);
        self.body = Payload::Object(object);
        self
    }
}

/// The query of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    values: BTreeMap<String, String>,
}

impl Query {
    /// Decodes what stands after the question mark.
    pub fn parse(text: &str) -> Query {
        let mut values = BTreeMap::new();
        for (key, value) in form_urlencoded::parse(text.as_bytes()) {
            values.entry(key.into_owned()).or_insert_with(|| value.into_owned());
        }
        Query { values }
    }

    /// One value; empty when it is not there.
    pub fn text(&self, key: &str) -> &str {
        self.values.get(key).map_or("", String::as_str)
    }

    /// Whether a value is true, as Go reads it.
    pub fn holds(&self, key: &str) -> bool {
        matches!(self.text(key), "1" | "t" | "T" | "true" | "TRUE" | "True")
    }

    /// Whether a value is there at all.
    pub fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// A number, if it is one.
    pub fn number<Number: std::str::FromStr>(&self, key: &str) -> Option<Number> {
        self.text(key).parse().ok()
    }
}

/// An answer.
#[derive(Debug)]
pub struct Response {
    /// The HTTP status code.
    pub code: u16,
    /// Texts for people, one `Warning` header each.
    pub warnings: Vec<String>,
    /// Seconds for the `Retry-After` header.
    pub retry_after: Option<u32>,
    /// What is answered.
    pub body: Body,
    /// What becomes of the answer on its way.
    pub fate: Fate,
}

/// What a transport does with an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// How long it waits first.
    pub delay: Duration,
    /// Whether the answer is lost and the connection broken.
    pub lost: bool,
}

/// The body of an answer.
#[derive(Debug)]
pub enum Body {
    /// One object.
    Object(Arc<Value>),
    /// A list.
    List(List),
    /// Text.
    Text {
        /// Its media type.
        media: &'static str,
        /// The text.
        text: String,
    },
    /// Changes as they happen.
    Watch(Box<Watch>),
}

/// A list of objects, written without copying them.
#[derive(Debug)]
pub struct List {
    /// All but the items.
    pub head: Value,
    /// The items.
    pub items: Vec<Arc<Value>>,
    /// Whether items carry apiVersion and kind, as those of custom resources do.
    pub typed: bool,
}

impl List {
    /// The list as one value.
    pub fn value(&self) -> Value {
        let mut head = self.head.clone();
        let items = self.items.iter().map(|item| self.item(item)).collect();
        if let Some(map) = head.as_object_mut() {
            map.insert("items".to_owned(), Value::Array(items));
        }
        head
    }

    fn item(&self, item: &Value) -> Value {
        let mut item = item.clone();
        if let Some(map) = item.as_object_mut().filter(|_| !self.typed) {
            map.shift_remove("apiVersion");
            map.shift_remove("kind");
        }
        item
    }

    /// The list as JSON text.
    pub fn text(&self) -> String {
        let head = self.head.to_string();
        let mut text = head.strip_suffix('}').unwrap_or(&head).to_owned();
        text.push_str(",\"items\":[");
        for (index, item) in self.items.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            self.write_item(item, &mut text);
        }
        text.push_str("]}");
        text
    }

    fn write_item(&self, item: &Value, text: &mut String) {
        let Some(map) = item.as_object().filter(|_| !self.typed) else {
            text.push_str(&item.to_string());
            return;
        };
        text.push('{');
        let fields = map.iter().filter(|(key, _)| !matches!(key.as_str(), "apiVersion" | "kind"));
        for (index, (key, value)) in fields.enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(&Value::from(key.as_str()).to_string());
            text.push(':');
            text.push_str(&value.to_string());
        }
        text.push('}');
    }
}

impl Response {
    /// An answer of that code.
    pub fn new(code: u16, body: Body) -> Response {
        Response { code, warnings: Vec::new(), retry_after: None, body, fate: Fate::default() }
    }

    /// One object, answered with 200.
    pub fn object(value: Value) -> Response {
        Response::new(200, Body::Object(Arc::new(value)))
    }

    /// Text, answered with that code.
    pub fn text(code: u16, text: &str) -> Response {
        Response::new(code, Body::Text { media: "text/plain; charset=utf-8", text: text.to_owned() })
    }

    /// The answered object or list as one value; null for texts and watches.
    pub fn value(&self) -> Value {
        match &self.body {
            Body::Object(object) => object.as_ref().clone(),
            Body::List(list) => list.value(),
            Body::Text { .. } | Body::Watch(_) => Value::Null,
        }
    }
}

impl From<Failure> for Response {
    fn from(failure: Failure) -> Response {
        let mut response = Response::new(failure.code, Body::Object(Arc::new(failure.status())));
        response.retry_after = failure.retry_after;
        response
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_is_written_as_its_value() {
        let items = vec![
            Arc::new(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a \"b\""}})),
            Arc::new(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {"x": [1]}})),
        ];
        for typed in [true, false] {
            let list = List { head: json!({"kind": "PodList", "metadata": {}}), items: items.clone(), typed };
            assert_eq!(serde_json::from_str::<Value>(&list.text()).ok(), Some(list.value()));
        }
    }

    #[test]
    fn queries_are_decoded() {
        let query = Query::parse("labelSelector=a%3Db%2Cc&watch=1&limit=5");
        assert_eq!((query.text("labelSelector"), query.holds("watch")), ("a=b,c", true));
        assert_eq!((query.number::<u64>("limit"), query.has("x")), (Some(5), false));
    }
}
