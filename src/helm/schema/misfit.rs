//! What does not fit, and how Helm's schema library prints it.

use crate::value::convert;

/// What does not fit, as a tree.
#[derive(Debug)]
pub(super) struct Misfit {
    /// JSON pointer to the value.
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
    Reference,
    /// A key that does not fit, at a place so many steps deep; where that is turns out at the end.
    Key(String, usize),
}

impl Misfit {
    pub(super) fn new(at: String, message: impl Into<String>) -> Self {
        Self { at, message: Message::Text(message.into()), causes: Vec::new() }
    }

    /// The misfits of a group, or the one that there is.
    pub(super) fn ungrouped(self) -> Vec<Self> {
        if self.message == Message::Group { self.causes } else { vec![self] }
    }

    /// Calls `place` for the places of keys.
    pub(super) fn place_keys(&mut self, place: &impl Fn(usize) -> Option<String>) {
        if let Message::Key(_, depth) = self.message
            && let Some(at) = place(depth)
        {
            self.at = at;
        }
        for cause in &mut self.causes {
            cause.place_keys(place);
        }
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

    /// Appends a line for each misfit, each after a line break.
    pub(super) fn print(&self, indent: usize, out: &mut String) {
        let skipped = self.message == Message::Reference && self.causes.len() == 1;
        let mut inner = indent;
        if !skipped {
            out.push('\n');
            out.push_str(&"  ".repeat(indent));
            out.push_str("- at ");
            out.push_str(&single_quoted(&self.at));
            out.push_str(": ");
            match &self.message {
                Message::Text(text) | Message::Key(text, _) => out.push_str(text),
                Message::Group | Message::Reference => out.push_str("validation failed"),
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
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or("");
    format!("'{}'", inner.replace("\\\"", "\"").replace('\'', "\\'"))
}

pub(super) fn listed<'j>(names: impl IntoIterator<Item = &'j str>) -> String {
    names.into_iter().map(single_quoted).collect::<Vec<_>>().join(", ")
}
