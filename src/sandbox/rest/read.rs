//! Reading: one object, lists by pages, and the beginning of watches.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};

use super::super::failure::{Failure, Named, forbidden};
use super::super::object::Fields;
use super::super::objects::Collection;
use super::super::request::{Body, List, Response};
use super::super::selector::{FieldSelector, LabelSelector};
use super::super::store::Store;
use super::super::versions;
use super::super::view::View;
use super::super::watch::{Scope, Watch};
use super::Call;

const PAGE_EXPIRED: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";
const VERSION_EXPIRED: &str = "The resourceVersion for the provided list is too old.";
const PAGE_UNREADABLE: &str = "continue key is not valid: the provided token is no longer valid";

/// Where a page begins.
struct Page {
    version: Option<u64>,
    after: (String, String),
}

impl Page {
    fn token(version: Option<u64>, object: &Value) -> String {
        let version = version.map_or_else(|| "-".to_owned(), |version| version.to_string());
        let text = format!("{version}/{}/{}", object.namespace(), object.name());
        STANDARD_NO_PAD.encode(text)
    }

    fn parse(token: &str) -> Result<Page, Failure> {
        let unreadable = || Failure::bad_request(PAGE_UNREADABLE);
        let bytes = STANDARD_NO_PAD.decode(token).map_err(|_| {
            let place = token.len() / 4 * 4;
            Failure::bad_request(format!(
                "invalid continue token: continue key is not valid: illegal base64 data at input byte {place}"
            ))
        })?;
        let text = String::from_utf8(bytes).map_err(|_| unreadable())?;
        let mut parts = text.splitn(3, '/');
        let (Some(version), Some(namespace), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(unreadable());
        };
        let version = if version == "-" { None } else { Some(version.parse().map_err(|_| unreadable())?) };
        Ok(Page { version, after: (namespace.to_owned(), name.to_owned()) })
    }
}

fn scope(call: &Call<'_>) -> Result<Scope, Failure> {
    let query = &call.request.query;
    let mut fields =
        FieldSelector::parse(query.text("fieldSelector"), &call.resource.named.to_string(), &[])?;
    if !call.name.is_empty() {
        fields = fields.and_name(&call.name);
    }
    Ok(Scope {
        resource: call.resource.clone(),
        namespace: Some(call.namespace.clone()).filter(|namespace| !namespace.is_empty()),
        labels: LabelSelector::parse(query.text("labelSelector"))?,
        fields,
    })
}

fn no_version(text: &str) -> String {
    format!("resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax")
}

fn options_invalid(field: &str, why: &str) -> Failure {
    Failure::invalid(&Named::new("meta.k8s.io", "ListOptions"), "", &[forbidden(field, why)])
}

impl Store {
    pub(super) fn read(&self, call: &Call<'_>) -> Result<Response, Failure> {
        let collection = self.collection(&call.resource.collection);
        let now = collection.and_then(|collection| collection.get(&call.namespace, &call.name)).cloned();
        let found = match collection.filter(|_| call.stale > 0) {
            Some(collection) => match collection.at(self.version().saturating_sub(call.stale)) {
                Ok(past) => past.get(&call.namespace, &call.name).cloned(),
                Err(_) => now,
            },
            None => now,
        };
        let object = found.ok_or_else(|| Failure::not_found(&call.resource.named, &call.name))?;
        Ok(call.answer(200, &object))
    }

    pub(super) fn read_list(&self, call: &Call<'_>) -> Result<Response, Failure> {
        let query = &call.request.query;
        let scope = scope(call)?;
        let limit = query.number::<usize>("limit").filter(|limit| *limit > 0);
        let page = match query.text("continue") {
            "" => None,
            token => Some(Page::parse(token)?),
        };
        if page.is_some() && !matches!(query.text("resourceVersion"), "" | "0") {
            let why = "specifying resource version is not allowed when using continue";
            return Err(Failure::bad_request(why));
        }
        let empty = Collection::default();
        let collection = self.collection(&call.resource.collection).unwrap_or(&empty);
        let past = self.past(call, page.as_ref(), collection)?;
        let (collection, version) =
            past.as_ref().map_or((collection, self.version()), |(past, version)| (past, *version));
        let after = page.as_ref().map(|page| (page.after.0.as_str(), page.after.1.as_str()));
        let mut chosen =
            collection.iter(scope.namespace.as_deref(), after).filter(|object| scope.holds(object));
        let mut items: Vec<Arc<Value>> = Vec::new();
        while limit.is_none_or(|limit| items.len() < limit) {
            let Some(object) = chosen.next() else { break };
            items.push(object.clone());
        }
        let remaining = chosen.count();
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if let Some(last) = items.last().filter(|_| remaining > 0) {
            let kept = page.as_ref().is_none_or(|page| page.version.is_some()).then_some(version);
            metadata.put("/continue", json!(Page::token(kept, last)));
            // Objects that a selector may pass over are not counted.
            if scope.labels.is_empty() && scope.fields.is_empty() {
                metadata.put("/remainingItemCount", json!(remaining));
            }
        }
        // Lists of custom resources say that nothing follows.
        if call.resource.custom && call.view == View::Plain && metadata.get("continue").is_none() {
            metadata.put("/continue", json!(""));
        }
        let items = items.iter().map(|item| versions::read_as(item, &call.resource)).collect();
        let head = json!({"kind": format!("{}List", call.resource.kind.kind),
            "apiVersion": call.resource.api_version, "metadata": metadata});
        let list = List { head, items, typed: call.resource.custom };
        Ok(Response::new(200, call.view.of_list(&call.resource, list, call.now)))
    }

    /// The objects as they were, where that is asked for; nothing if they are to be read as they are.
    fn past(
        &self,
        call: &Call<'_>,
        page: Option<&Page>,
        collection: &Collection,
    ) -> Result<Option<(Collection, u64)>, Failure> {
        let query = &call.request.query;
        if let Some(page) = page {
            let Some(version) = page.version.filter(|version| *version != self.version()) else {
                return Ok(None);
            };
            let past = collection.at(version).map_err(|_| {
                let mut failure = Failure::expired(PAGE_EXPIRED);
                let last = json!({"metadata": {"namespace": page.after.0, "name": page.after.1}});
                failure.continuation = Some(Page::token(None, &last));
                failure
            })?;
            return Ok(Some((past, version)));
        }
        let exact = query.text("resourceVersionMatch") == "Exact";
        if query.has("resourceVersionMatch") && query.text("resourceVersion").is_empty() {
            let why = "resourceVersionMatch is forbidden unless resourceVersion is provided";
            return Err(options_invalid("resourceVersionMatch", why));
        }
        match query.text("resourceVersion") {
            "" | "0" => {}
            text => {
                let version: u64 = text.parse().map_err(|_| {
                    Failure::bad_request(format!("invalid resource version: {}", no_version(text)))
                })?;
                if version > self.version() {
                    return Err(too_large(version, self.version()));
                }
                if exact && version != self.version() {
                    let past = collection.at(version).map_err(|_| Failure::expired(VERSION_EXPIRED))?;
                    return Ok(Some((past, version)));
                }
            }
        }
        if call.stale > 0 {
            let version = self.version().saturating_sub(call.stale);
            return Ok(collection.at(version).ok().map(|past| (past, version)));
        }
        Ok(None)
    }

    pub(super) fn begin_watch(&self, call: &Call<'_>) -> Result<Response, Failure> {
        if !call.resource.allows("watch") {
            return Err(Failure::method_not_allowed());
        }
        let query = &call.request.query;
        let scope = scope(call)?;
        let bookmarks = query.holds("allowWatchBookmarks");
        let wants_initial = query.has("sendInitialEvents");
        let matching = query.text("resourceVersionMatch");
        if wants_initial && matching != "NotOlderThan" {
            let field = "resourceVersionMatch";
            let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            return Err(options_invalid(field, why));
        }
        if !wants_initial && !matching.is_empty() {
            let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            return Err(options_invalid("resourceVersionMatch", why));
        }
        let text = query.text("resourceVersion");
        let from: Option<u64> = match text {
            "" | "0" => None,
            text => Some(text.parse().map_err(|_| {
                let mut failure = Failure::bad_request(no_version(text));
                (failure.code, failure.reason) = (500, "");
                failure
            })?),
        };
        if let Some(version) = from.filter(|version| *version > self.version()) {
            return Err(too_large(version, self.version()));
        }
        let initial = query.holds("sendInitialEvents") || (!wants_initial && from.is_none());
        let position = from.filter(|_| !initial).unwrap_or(self.version());
        let mut objects = Vec::new();
        if initial && let Some(collection) = self.collection(&call.resource.collection) {
            let all = collection.iter(scope.namespace.as_deref(), None);
            objects.extend(all.filter(|object| scope.holds(object)).cloned());
        }
        let mark_end = initial && wants_initial && bookmarks;
        let mut watch = Watch::new(scope, call.view, position)
            .beginning_with(objects, mark_end)
            .with_bookmarks(bookmarks)
            .with_fault(call.watch_fault);
        watch.timeout_seconds = query.number("timeoutSeconds").filter(|seconds| *seconds > 0);
        Ok(Response::new(200, Body::Watch(Box::new(watch))))
    }
}

fn too_large(version: u64, current: u64) -> Failure {
    let mut failure =
        Failure::bad_request(format!("Timeout: Too large resource version: {version}, current: {current}"));
    (failure.code, failure.reason) = (504, "Timeout");
    failure.details = json!({"causes": [{"reason": "ResourceVersionTooLarge",
        "message": "Too large resource version"}], "retryAfterSeconds": 1});
    failure.retry_after = Some(1);
    failure
}
