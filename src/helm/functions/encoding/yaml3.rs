//! `toYamlPretty`: yaml.v3's style, where lists are indented under their key.

use crate::helm::value::Value;

/// Writes a value; what cannot be written is empty.
pub(super) fn write(value: &Value) -> Vec<u8> {
    let plain = super::yaml_text(value);
    indent_lists(&plain)
}

/// Indents the items of every list under a key by two more columns.
fn indent_lists(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 64);
    // Columns of keys whose list items stand in the same column, with the shift they add.
    let mut open: Vec<usize> = Vec::new();
    let mut previous_key: Option<usize> = None;
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if index > 0 {
            out.push(b'\n');
        }
        let column = line.iter().take_while(|byte| **byte == b' ').count();
        let body = line.get(column..).unwrap_or(&[]);
        if !body.is_empty() {
            let item = body.starts_with(b"- ") || body == b"-";
            open.retain(|key| column > *key || (column == *key && item));
            if item && previous_key == Some(column) && !open.contains(&column) {
                open.push(column);
            }
            let key_column = {
                let mut at = column;
                let mut rest = body;
                while let Some(after) = rest.strip_prefix(b"- ") {
                    at += 2;
                    rest = after;
                }
                at
            };
            previous_key = body.ends_with(b":").then_some(key_column);
            out.resize(out.len() + open.len() * 2, b' ');
        }
        out.extend_from_slice(line);
    }
    out
}
