//! YAML 1.1 in and out as Helm's libraries do it: libyaml's scanner and error words, go-yaml's
//! resolution of scalars, go-yaml's writing style.
//!
//! Reading is bounded in size, depth, nodes and alias expansion; nothing here panics on input.

use std::borrow::Cow;
use std::fmt;

use super::values::{Tree, TreeMap, merge_maps};

mod emitter;
mod lines;
mod reader;
pub(crate) mod resolve;
mod scanner;

pub(crate) use emitter::Emitter;
pub(crate) use reader::{Build, Number, Reader, SeenKey};

/// Bounds on what is read from YAML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YamlLimits {
    /// Bytes of the whole input.
    pub bytes: usize,
    /// Nested collections.
    pub depth: usize,
    /// Nodes of one document, aliases counted as often as they are used.
    pub nodes: usize,
    /// Documents of one stream.
    pub documents: usize,
}

impl Default for YamlLimits {
    fn default() -> Self {
        Self { bytes: 32 << 20, depth: 100, nodes: 2_000_000, documents: 20_000 }
    }
}

/// YAML that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlError {
    /// The line of the problem, from 1; 0 if it has no place.
    pub line: usize,
    /// The column of the problem, from 1; 0 if it has no place.
    pub column: usize,
    /// What is wrong, without the place.
    pub message: String,
    /// The sentence that Helm's YAML library prints.
    pub helm: String,
    /// Whether a limit of this reader was hit, not a rule of YAML.
    pub limit: bool,
}

impl fmt::Display for YamlError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return formatter.write_str(&self.message);
        }
        write!(formatter, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for YamlError {}

impl YamlError {
    /// A problem with a place, in Helm's words `helm`.
    pub(crate) fn at(line: usize, column: usize, message: impl Into<String>, helm: String) -> Self {
        Self { line, column, message: message.into(), helm, limit: false }
    }

    /// The sentence of Helm's `Unmarshal`.
    pub(crate) fn unmarshal(&self) -> String {
        if self.helm.starts_with("error unmarshaling") {
            return self.helm.clone();
        }
        format!("error converting YAML to JSON: {}", self.helm)
    }

    /// A limit of this reader.
    pub(crate) fn limit(line: usize, column: usize, message: String) -> Self {
        let helm = format!("yaml: {message}");
        Self { line, column, message, helm, limit: true }
    }
}

/// Reads all documents of a stream of plain manifests; empty documents are left out.
///
/// ```
/// let documents = moorline_helm::parse_documents(b"kind: A\n---\nkind: B\n")?;
/// assert_eq!(documents.len(), 2);
/// # Ok::<(), moorline_helm::YamlError>(())
/// ```
pub fn parse_documents(bytes: &[u8]) -> Result<Vec<serde_json::Value>, YamlError> {
    parse_documents_within(bytes, YamlLimits::default())
}

/// Like [`parse_documents`], with other limits.
pub fn parse_documents_within(bytes: &[u8], limits: YamlLimits) -> Result<Vec<serde_json::Value>, YamlError> {
    let mut reader = Reader::new(bytes, limits, false)?;
    let mut documents = Vec::new();
    while let Some(document) = reader.document::<serde_json::Value>()? {
        if documents.len() >= limits.documents {
            let (line, column) = reader.place();
            return Err(YamlError::limit(line, column, format!("more than {} documents", limits.documents)));
        }
        if !document.is_null() {
            documents.push(document);
        }
    }
    Ok(documents)
}

/// Writes a JSON value as go-yaml does: keys in natural order, lists not indented under their
/// key, folded at 80 columns.
///
/// ```
/// let json = serde_json::json!({"b": ["x", 1.5], "a": "yes"});
/// assert_eq!(moorline_helm::to_yaml(&json), "a: \"yes\"\nb:\n- x\n- 1.5\n");
/// ```
pub fn to_string(value: &serde_json::Value) -> String {
    let mut emitter = Emitter::new();
    emitter.json(value);
    String::from_utf8_lossy(&emitter.finish()).into_owned()
}

/// Reads the values of a `-f` file or of a chart as Helm 4 does: cut at lines that start with
/// `---`, each part a map or empty, all of them merged. The error's `helm` is its whole sentence.
pub(crate) fn read_values(bytes: &[u8], strict: bool) -> Result<TreeMap, YamlError> {
    let mut values = TreeMap::default();
    let (parts, fault) = value_parts(bytes);
    for (part, lines_before) in parts.iter().map(|(part, lines)| (part.as_ref(), *lines)) {
        let read = read_map(part, strict).map_err(|mut error| {
            error.helm = format!("cannot unmarshal yaml document: {}", error.unmarshal());
            if error.line > 0 {
                error.line += lines_before;
            }
            error
        })?;
        if values.is_empty() {
            values = read;
        } else {
            merge_maps(&mut values, &read);
        }
    }
    fault.map_or(Ok(values), Err)
}

/// Reads the first document as a map, as Helm 3 reads a values file.
pub(crate) fn read_map(bytes: &[u8], strict: bool) -> Result<TreeMap, YamlError> {
    let read = if strict {
        Reader::new(bytes, YamlLimits::default(), strict)?.document()?.unwrap_or(Tree::Null)
    } else {
        read_first(bytes, YamlLimits::default())?
    };
    match read {
        Tree::Null => Ok(TreeMap::default()),
        Tree::Map(map) => Ok(map),
        other => {
            let found = json_type(&other);
            Err(YamlError::at(
                1,
                1,
                format!("values must be a map, not {found}"),
                format!(
                    "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
                ),
            ))
        }
    }
}

/// A document of a values file, and how many lines stand before it.
type ValuePart<'a> = (Cow<'a, [u8]>, usize);

/// The parts between lines that start with `---`, and how many lines are before each. Line ends
/// become plain ones, and the last line gets one. What is wrong with such a line ends them.
fn value_parts(bytes: &[u8]) -> (Vec<ValuePart<'_>>, Option<YamlError>) {
    let has_marker = bytes.starts_with(b"---") || memchr::memmem::find(bytes, b"\n---").is_some();
    if !has_marker && bytes.last() == Some(&b'\n') && memchr::memchr(b'\r', bytes).is_none() {
        return (vec![(Cow::Borrowed(bytes), 0)], None);
    }
    let mut parts = Vec::new();
    let (mut part, mut before) = (Vec::with_capacity(bytes.len() + 1), 0);
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let last = lines.len() - usize::from(lines.last().is_some_and(|line| line.is_empty()));
    for (number, line) in lines.into_iter().take(last).enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(rest) = line.strip_prefix(b"---") {
            let rest = super::functions::trim_space(rest);
            if !rest.is_empty() && !rest.starts_with(b"#") {
                let shown = String::from_utf8_lossy(rest);
                let helm = format!("error reading yaml document: invalid Yaml document separator: {shown}");
                let message = format!("`---` must stand alone, not before {shown}");
                return (parts, Some(YamlError::at(number + 1, 4, message, helm)));
            }
            if !part.is_empty() {
                parts.push((Cow::Owned(std::mem::take(&mut part)), before));
                before = number + 1;
                continue;
            }
        }
        part.extend_from_slice(line);
        part.push(b'\n');
    }
    if !part.is_empty() {
        parts.push((Cow::Owned(part), before));
    }
    (parts, None)
}

/// Reads the first document only, as Go's `Unmarshal` does.
pub(crate) fn read_first<N: Build>(bytes: &[u8], limits: YamlLimits) -> Result<N, YamlError> {
    if let Some(node) = lines::read(bytes, limits, Keep::Everything) {
        return Ok(node);
    }
    read_by_grammar(bytes, limits)
}

fn read_by_grammar<N: Build>(bytes: &[u8], limits: YamlLimits) -> Result<N, YamlError> {
    Ok(Reader::new(bytes, limits, false)?.document::<N>()?.unwrap_or_else(N::null))
}

/// What is kept of a value that is read; the rest is only checked.
#[derive(Clone, Copy)]
enum Keep {
    Nothing,
    Everything,
    /// Of a map these keys, in any case.
    Keys(&'static [(&'static [u8], Keep)]),
}

impl Keep {
    /// What is kept of a key's value.
    fn of(self, key: &[u8]) -> Self {
        match self {
            Self::Keys(keys) => {
                let kept = keys.iter().find(|(kept, _)| kept.eq_ignore_ascii_case(key));
                kept.map_or(Self::Nothing, |(_, keep)| *keep)
            }
            other => other,
        }
    }
}

/// What Helm asks of a manifest.
const HEAD: Keep = Keep::Keys(&[
    (b"apiVersion", Keep::Everything),
    (b"kind", Keep::Everything),
    (b"metadata", Keep::Keys(&[(b"annotations", Keep::Everything), (b"name", Keep::Everything)])),
]);

/// Reads the first document as far as a manifest's head goes: `apiVersion`, `kind`, and of `metadata` at least the name
/// and the annotations; everything else is checked, and not in the result, or null.
pub(crate) fn read_head(bytes: &[u8], limits: YamlLimits) -> Result<serde_json::Value, YamlError> {
    let linked = memchr::memchr2(b'&', b'*', bytes).is_some() || memchr::memmem::find(bytes, b"<<").is_some();
    if !linked && let Ok(Some(head)) = Reader::new(bytes, limits, false)?.keeping(HEAD).document() {
        return Ok(head);
    }
    // Also for the exact words of an error, which may show what was not kept.
    read_by_grammar(bytes, limits)
}

/// The same of a document that is plain enough for the short way, which comes first; `None` says nothing about any other.
pub(crate) fn read_plain_head<N: Build>(bytes: &[u8], limits: YamlLimits) -> Option<N> {
    lines::read(bytes, limits, HEAD)
}

/// The word of Go's JSON decoder for a value that it did not expect.
pub(crate) fn json_type(tree: &Tree) -> &'static str {
    match tree {
        Tree::Null => "null",
        Tree::Bool(_) => "bool",
        Tree::Int(_) | Tree::Float(_) => "number",
        Tree::Text(_) => "string",
        Tree::List(_) => "array",
        Tree::Map(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::read_values;

    /// As helm 4.3.1 says it.
    #[test]
    fn parts_before_a_wrong_separator_are_read_first() {
        for (text, sentence) in [
            ("a: 1\n--- b\n", "error reading yaml document: invalid Yaml document separator: b"),
            (
                "a: 1\nb\n---\n--- b\n",
                "cannot unmarshal yaml document: error converting YAML to JSON: yaml: line 3: could not find expected ':'",
            ),
            ("a: 1\nb\n--- b\n", "error reading yaml document: invalid Yaml document separator: b"),
        ] {
            assert_eq!(read_values(text.as_bytes(), false).unwrap_err().helm, sentence, "{text}");
        }
    }
}
