//! What does not fit, and how Helm's schema library prints it.

#![expect(
    clippy::format_push_string,
    reason = "short strings; writing in place would give a result to ignore"
)]

use crate::helm::value::convert;

/// What does not fit, as a tree.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) at: String,
    pub(super) message: Message,
    pub(super) causes: Vec<Misfit>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Message {
    Text(String),
    /// Several misfits of one schema.
    Group,
    /// What a reference led to.
    Reference(String),
}

impl Misfit {
    pub(super) fn new(at: &str, message: impl Into<String>) -> Self {
        Self { at: at.to_owned(), message: Message::Text(message.into()), causes: Vec::new() }
    }

    pub(super) fn with_causes(at: &str, message: impl Into<String>, causes: Vec<Self>) -> Self {
        Self { causes, ..Self::new(at, message) }
    }

    /// The places of the innermost misfits, each once.
    pub(super) fn leaves(&self, out: &mut Vec<String>) {
        if self.causes.is_empty() && !out.contains(&self.at) {
            out.push(self.at.clone());
        }
        for cause in &self.causes {
            cause.leaves(out);
        }
    }

    pub(super) fn print(&self, indent: usize, out: &mut String) {
        let skipped = matches!(self.message, Message::Reference(_)) && self.causes.len() == 1;
        let mut inner = indent;
        if !skipped {
            out.push('\n');
            out.push_str(&"  ".repeat(indent - 1));
            out.push_str(&format!("- at {}: ", single_quoted(&self.at)));
            match &self.message {
                Message::Text(text) => out.push_str(text),
                Message::Group => out.push_str("validation failed"),
                Message::Reference(url) => {
                    out.push_str(&format!("validation failed with {}", single_quoted(url)));
                }
            }
            inner += 1;
        }
        for cause in &self.causes {
            cause.print(inner, out);
        }
    }
}

pub(super) fn single_quoted(text: &str) -> String {
    let quoted = convert::quote_with(text.as_bytes(), '"', false);
    let inner = quoted.trim_start_matches('"').strip_suffix('"').unwrap_or("").replace("\\\"", "\"");
    format!("'{}'", inner.replace('\'', "\\'"))
}
