//! What `lookup` in a chart may read (RULES §2): the application's own namespace, and what `allow.lookup` of its
//! services file names; never moorline's own namespace.

use super::{RenderError, RenderInput};
use crate::desired::Application;
use crate::helm::Lookup;
use crate::model::kinds::built_in_scope;
use crate::model::resource::{ApiVersion, GroupKind};

/// Refuses a question that the application may not ask.
pub(super) fn check(input: &RenderInput<'_>, question: &Lookup) -> Result<(), RenderError> {
    let application = input.application;
    if question.namespace == input.own_namespace.as_str() {
        return Err(RenderError::LookupNotAllowed { question: words(question), line: None });
    }
    // Helm ignores the namespace of a kind that lives in none.
    let mut question = question.clone();
    if !is_namespaced(input, &question) {
        question.namespace.clear();
    }
    if question.namespace == application.namespace.as_str() || is_allowed(application, &question) {
        return Ok(());
    }
    Err(RenderError::LookupNotAllowed { question: words(&question), line: Some(line(&question)) })
}

/// A kind that nobody knows is refused by the API server when it is asked for.
fn is_namespaced(input: &RenderInput<'_>, question: &Lookup) -> bool {
    let Some(version) = ApiVersion::parse(&question.api_version) else { return true };
    let kind = GroupKind { group: version.group, kind: question.kind.as_str().into() };
    input.kinds.and_then(|kinds| kinds.is_namespaced(&kind)).or_else(|| built_in_scope(&kind)).unwrap_or(true)
}

fn is_allowed(application: &Application, question: &Lookup) -> bool {
    application.allow.lookup.iter().any(|(kind, namespace, name)| {
        *kind == question.kind
            && namespace.as_deref().unwrap_or("") == question.namespace
            && name.as_deref().is_none_or(|name| name == question.name)
    })
}

fn words(question: &Lookup) -> String {
    let what = match question.name.as_str() {
        "" => format!("every {}", question.kind),
        name => format!("{} {name}", question.kind),
    };
    match question.namespace.as_str() {
        "" => what,
        namespace => format!("{what} in namespace {namespace}"),
    }
}

fn line(question: &Lookup) -> String {
    let mut parts = vec![format!("kind: {}", question.kind)];
    if !question.namespace.is_empty() {
        parts.push(format!("namespace: {}", question.namespace));
    }
    if !question.name.is_empty() {
        parts.push(format!("name: {}", question.name));
    }
    format!("allow: {{lookup: [{{{}}}]}}", parts.join(", "))
}
