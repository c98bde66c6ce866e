//! How Helm words the failure of a template.

use crate::failure::Failure;

/// Helm 3 prints Go's chain, unless the message was marked.
pub(super) fn message_v3(failure: &Failure) -> String {
    marked(&failure.message).unwrap_or_else(|| failure.message.clone())
}

/// `required` and `fail` show their message alone, with the outermost place.
fn marked(message: &str) -> Option<String> {
    let (start_mark, end_mark) = crate::functions::MARKS;
    let mut tokens = message.splitn(3, ": ");
    let (_, location, rest) = (tokens.next()?, tokens.next()?, tokens.next()?);
    let start = rest.find(start_mark)? + start_mark.len();
    let end = rest.rfind(end_mark)?;
    Some(format!("execution error at ({location}): {}", rest.get(start..end)?))
}

/// Helm 4 prints one indented block per link of the chain, if it understands every link.
pub(super) fn message_v4(failure: &Failure) -> String {
    if let Some(message) = marked(&failure.message) {
        return message;
    }
    let mut blocks: Vec<String> = Vec::new();
    let mut current = Some(failure);
    while let Some(link) = current {
        let Some(block) = trace_block(&link.message) else {
            return failure.message.clone();
        };
        if blocks.last() != Some(&block) {
            blocks.push(block);
        }
        current = link.inner.as_ref();
    }
    blocks.concat().trim().to_owned()
}

/// One link in Helm 4's form.
fn trace_block(message: &str) -> Option<String> {
    let rest = message.strip_prefix("template: ")?;
    if rest.starts_with("no template ") {
        return Some(format!("{message}\n"));
    }
    let cut = |text: &str| match text.find(" template:") {
        Some(end) => text.get(..end).unwrap_or(text).to_owned(),
        None => text.to_owned(),
    };
    if let Some((location, after)) = rest.split_once(": executing ") {
        let after = after.strip_prefix('"')?;
        let (function, after) = after.split_once('"')?;
        let after = after.strip_prefix(" at <")?;
        let (place, text) = after.split_once(">: ")?;
        return Some(format!("{location}\n  executing \"{function}\" at <{place}>:\n    {}\n", cut(text)));
    }
    let (location, text) = rest.rsplit_once(": ")?;
    Some(format!("{location}\n  {}\n", cut(text)))
}
