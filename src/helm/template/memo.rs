//! What named templates made, kept for the rest of the render: one that gets the same once more is not run again. Charts
//! include their names and labels hundreds of times.
//!
//! What a template makes is decided by what it reads of its dot ([`Uses`]), as long as nothing is written in place and
//! nothing is drawn meanwhile. Maps and lists are known by their identity, and held, so that no other one gets it.

mod uses;

use std::rc::Rc;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use super::Template;
use super::machine::{Machine, RECURSION};
use crate::failure::Failure;
use crate::value::{Map, MapKind, Text, Value};
use uses::Uses;

type Run<T> = Result<T, Failure>;

/// A longer text is known by its identity.
const LONG: usize = 256;
/// What an output takes beside its bytes, about.
const ENTRY: usize = 160;
/// How many outputs are expected. A table of its final size spares its predecessors, each in a region of the heap of
/// its own.
const MANY: usize = 448;
/// What is kept may take this part of the bytes that a render may make, beside them: no render fails of it.
const SHARE: usize = 8;

/// The outputs so far.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    /// What templates read, by their addresses: the scope holds them.
    uses: HashMap<usize, Rc<Uses>>,
    kept: HashMap<Rc<[u8]>, Kept>,
    /// The key of the call that is asked about.
    key: Vec<u8>,
    /// The values whose identities stand in the key.
    held: Vec<Value>,
    /// The keys of what is kept, in the order in which it was.
    order: Vec<Rc<[u8]>>,
    /// Counts what happens: maps that are made, calls that begin, outputs that are kept.
    clock: u64,
    /// When the oldest of the maps was made that were written since the innermost call began.
    oldest_written: u64,
    /// When the file began.
    file: u64,
    /// Maps that are not the same from file to file, by their identities: a file's root says which file it is.
    changing: HashSet<usize>,
    /// Whether such a map may be somewhere inside others.
    hidden: bool,
    /// What is kept takes so many bytes, about, with what was forgotten meanwhile.
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    text: Text,
    /// When it was kept.
    at: u64,
    /// So many levels deeper it went.
    levels: usize,
    /// Keeps identities from being given again.
    _held: Box<[Value]>,
}

/// A call whose output is not known, and is worth keeping.
pub(super) struct Asked {
    key: Rc<[u8]>,
    held: Box<[Value]>,
    /// When it began.
    at: u64,
    /// What was written before it, in the call around it.
    oldest_written: u64,
    depth: usize,
    /// The deepest level before it.
    deepest: usize,
}

/// What is known about a call.
pub(super) enum Recall {
    Known(Text),
    Unknown(Option<Asked>),
}

/// By whom the dot is held while it is asked about, beside whoever made it.
#[derive(Clone, Copy)]
pub(super) enum Holder {
    /// By the statement alone.
    Statement,
    /// By the arguments of a function too.
    Arguments,
}

impl Memo {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Begins a file.
    pub(crate) fn enter_file(&mut self) {
        self.file = self.tick();
    }

    /// Names a map that is not the same from file to file.
    pub(crate) fn changes_by_file(&mut self, identity: usize) {
        self.changing.insert(identity);
    }

    /// A function made a value: nothing that began before can know it.
    pub(super) fn note_made(&mut self, value: &Value) {
        if let Value::Map(map) = value
            && !map.is_held_beyond(1)
        {
            map.made_at(self.tick());
        }
    }

    /// A map is written in place; what was made of it is forgotten.
    pub(crate) fn note_write(&mut self, map: &Map, handles: usize) {
        if !map.is_held_beyond(handles) {
            return;
        }
        let made = map.made();
        self.oldest_written = self.oldest_written.min(made);
        // A map of the file's own ends with it; in others, the root of a file may come to lie.
        self.hidden |= made < self.file;
        while let Some(key) = self.order.pop_if(|key| self.kept.get(key).is_none_or(|kept| kept.at > made)) {
            self.kept.remove(&key);
        }
    }

    /// Something was drawn, or asked of the cluster.
    pub(crate) fn note_draw(&mut self) {
        self.oldest_written = 0;
    }

    /// Writes the key of a call. False if no later call can have it.
    fn ask(&mut self, template: &Arc<Template>, uses: &Uses, data: &Value, holder: Holder) -> bool {
        self.key.clear();
        self.held.clear();
        self.key.extend_from_slice(&address(template).to_le_bytes());
        let file_at = self.key.len();
        self.key.extend_from_slice(&[0; 8]);
        let mut by_file = self.hidden || uses.whole;
        let mut again = true;
        let fresh = data.handles() <= 1 + usize::from(matches!(holder, Holder::Arguments));
        match data {
            Value::Map(map) if !uses.whole => {
                map.read(|entries| {
                    for name in &uses.names {
                        let value = entries.get(name);
                        again &= !(fresh && value.is_some_and(|value| value.handles() == 1));
                        by_file |= self.part(value);
                    }
                });
            }
            _ => {
                again = !fresh;
                by_file |= self.part(Some(data));
            }
        }
        if by_file && let Some(place) = self.key.get_mut(file_at..file_at + 8) {
            place.copy_from_slice(&self.file.to_le_bytes());
        }
        again
    }

    /// Adds a value to the key; tells whether it is another one in every file.
    fn part(&mut self, value: Option<&Value>) -> bool {
        let Some(value) = value else {
            self.key.push(u8::MAX);
            return false;
        };
        let number = match value {
            Value::Nil => 0,
            Value::Bool(flag) => u64::from(*flag),
            Value::Int(number) | Value::Int64(number) => number.cast_unsigned(),
            Value::Uint64(number) => *number,
            Value::Byte(byte) => u64::from(*byte),
            Value::Float(number) => number.to_bits(),
            Value::Text(text) if text.len() <= LONG => text.len() as u64,
            held => {
                self.held.push(held.clone());
                held.identity() as u64
            }
        };
        self.key.push(tag(value));
        self.key.extend_from_slice(&number.to_le_bytes());
        if let Value::Text(text) = value {
            self.key.push(u8::from(text.len() <= LONG));
            if text.len() <= LONG {
                self.key.extend_from_slice(text);
            }
        }
        matches!(value, Value::Map(map) if self.changing.contains(&map.identity()))
    }
}

/// Tells types apart that a template can tell apart.
fn tag(value: &Value) -> u8 {
    match value {
        Value::Nil => 0,
        Value::Bool(_) => 1,
        Value::Int(_) => 2,
        Value::Int64(_) => 3,
        Value::Uint64(_) => 4,
        Value::Byte(_) => 5,
        Value::Float(_) => 6,
        Value::Text(_) => 7,
        Value::List(_) => 8,
        Value::Lists(_) => 9,
        Value::Map(map) => match map.kind() {
            MapKind::Plain => 10,
            MapKind::Values => 11,
            MapKind::Nil => 12,
        },
        Value::Texts(_) => 13,
        Value::Ints(_) => 14,
        Value::Bytes(_) => 15,
        Value::TextMap(_) => 16,
        Value::Object(_) => 17,
    }
}

fn address(template: &Arc<Template>) -> usize {
    Arc::as_ptr(template).addr()
}

impl Machine<'_> {
    /// What a named template makes of `data`, if it is known.
    pub(super) fn recall(&mut self, template: &Arc<Template>, data: &Value, holder: Holder) -> Run<Recall> {
        // Definitions of a `tpl` come and go, and who asks what is read wants to see it.
        if self.scope.parent.is_some() || self.reads.is_some() {
            return Ok(Recall::Unknown(None));
        }
        let uses = match self.memo.uses.get(&address(template)) {
            Some(uses) => Rc::clone(uses),
            None => {
                let uses = Rc::new(Uses::of(template, &self.scope));
                self.charge(uses.words / 16)?;
                self.memo.uses.insert(address(template), Rc::clone(&uses));
                uses
            }
        };
        let again = self.memo.ask(template, &uses, data, holder);
        if let Some(kept) = self.memo.kept.get(self.memo.key.as_slice()) {
            let reached = self.depth + 1 + kept.levels;
            // What is not run is not counted: below so many levels nothing comes to its end.
            if reached < RECURSION.min(self.depth_limit) {
                let text = kept.text.clone();
                self.memo.held.clear();
                self.deepest = self.deepest.max(reached);
                self.charge(1)?;
                return Ok(Recall::Known(text));
            }
        }
        if !again {
            self.memo.held.clear();
            return Ok(Recall::Unknown(None));
        }
        let asked = Asked {
            key: self.memo.key.as_slice().into(),
            held: std::mem::take(&mut self.memo.held).into(),
            at: self.memo.tick(),
            oldest_written: std::mem::replace(&mut self.memo.oldest_written, u64::MAX),
            depth: self.depth,
            deepest: std::mem::replace(&mut self.deepest, self.depth),
        };
        Ok(Recall::Unknown(Some(asked)))
    }

    /// Keeps what a call made, while there is room.
    pub(super) fn keep(&mut self, asked: Asked, text: &Text) {
        let levels = self.deepest.saturating_sub(asked.depth + 1);
        self.deepest = self.deepest.max(asked.deepest);
        let written = self.memo.oldest_written;
        self.memo.oldest_written = written.min(asked.oldest_written);
        if written < asked.at {
            return;
        }
        let bytes = ENTRY + asked.key.len() + size_of_val(&*asked.held) + text.len();
        if self.memo.bytes + bytes > self.limits.bytes / SHARE {
            return;
        }
        self.memo.bytes += bytes;
        let at = self.memo.tick();
        if self.memo.kept.is_empty() {
            self.memo.kept.reserve(MANY);
        }
        self.memo.order.push(Rc::clone(&asked.key));
        self.memo.kept.insert(asked.key, Kept { text: text.clone(), at, levels, _held: asked.held });
    }

    /// Runs a template, unless what it makes is known, appending to `out`.
    pub(super) fn execute_or_recall(
        &mut self,
        template: &Arc<Template>,
        data: Value,
        out: &mut Vec<u8>,
    ) -> Run<()> {
        let asked = match self.recall(template, &data, Holder::Statement)? {
            Recall::Known(text) => {
                out.extend_from_slice(&text);
                return self.charge_bytes(text.len());
            }
            Recall::Unknown(asked) => asked,
        };
        let before = out.len();
        self.execute(template, data, out)?;
        if let Some(asked) = asked {
            self.keep(asked, &Text::from(out.get(before..).unwrap_or(&[])));
        }
        Ok(())
    }

    /// Runs a file's own template; it may be known where others included it before.
    pub(crate) fn execute_file(
        &mut self,
        template: &Arc<Template>,
        root: Value,
        out: &mut Vec<u8>,
    ) -> Run<()> {
        if self.memo.uses.contains_key(&address(template)) {
            return self.execute_or_recall(template, root, out);
        }
        self.execute(template, root, out)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::{Chart, Engine, RenderInput, RenderLimits};

    const HELPERS: &str = r#"
{{- define "long" }}{{ range until 100 }}{{ $.Values.a }}{{ end }}{{ end }}
{{- define "down" }}{{ if gt (int .left) 0 }}{{ include "down" (dict "left" (sub (int .left) 1)) }}{{ end }}{{ end }}
"#;

    fn render(template: &str, steps: u64) -> Result<String, String> {
        let files = [
            ("Chart.yaml", "apiVersion: v2\nname: memo\nversion: 1.0.0\n"),
            ("values.yaml", "a: b\n"),
            ("templates/_helpers.tpl", HELPERS),
            ("templates/a.yaml", template),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), Arc::from(text.as_bytes())));
        let chart = Chart::from_files(files).map_err(|error| error.to_string())?;
        let engine = Engine::default().with_limits(RenderLimits { steps, ..RenderLimits::default() });
        let rendered = engine.render(&chart, &RenderInput::default()).map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&rendered.to_helm_output()).into_owned())
    }

    #[test]
    fn what_is_included_again_is_not_run_again() {
        const STEPS: u64 = 20_000;
        let same = r#"a: {{ range until 1000 }}{{ include "long" $ | sha256sum | trunc 1 }}{{ end }}"#;
        assert!(render(same, STEPS).is_ok(), "a hundred thousand rounds if each is run");
        // A map of the loop's own is written: nobody else knows it.
        let own = r#"a: {{ range until 1000 }}{{ $own := dict }}{{ $_ := set $own "a" . }}{{ include "long" $ | sha256sum | trunc 1 }}{{ end }}"#;
        assert!(render(own, STEPS).is_ok());
        let written = r#"a: {{ range until 1000 }}{{ $_ := set $.Values "a" . }}{{ include "long" $ | sha256sum | trunc 1 }}{{ end }}"#;
        assert!(render(written, STEPS).is_err());
        let drawn = r#"{{ range until 9 }}{{ include "drawn" $ }} {{ end }}{{ define "drawn" }}{{ randNumeric 9 }}{{ end }}"#;
        let drawn = render(&format!("a: {drawn}"), STEPS).unwrap();
        let numbers: std::collections::HashSet<&str> =
            drawn.lines().last().unwrap().split(' ').filter(|word| word.len() == 9).collect();
        assert_eq!(numbers.len(), 9, "{drawn}");
    }

    #[test]
    fn what_nests_too_deep_still_does() {
        let deep = r#"a: "{{ include "down" (dict "left" 500) }}{{ include "down" (dict "left" 1200) }}""#;
        let error = render(deep, u64::MAX).unwrap_err();
        assert!(error.contains("rendering template has a nested reference name: down"), "{error}");
        let wide = r#"a: "{{ include "down" (dict "left" 500) }}{{ include "down" (dict "left" 900) }}""#;
        assert!(render(wide, u64::MAX).is_ok());
    }
}
