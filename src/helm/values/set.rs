//! `--set` expressions: paths, lists and typed scalars. Placeholder grammar lives in one parser.

use super::{Tree, TreeMap, Values};
use crate::helm::value::Text;

/// How the values of an expression are typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetKind {
    /// `--set`: numbers, booleans and null are recognised.
    Typed,
    /// `--set-string`: everything is a string.
    Text,
    /// `--set-json`: values are JSON.
    Json,
    /// `--set-literal`: the rest of the expression is one string.
    Literal,
}

/// An expression that cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct SetError(pub String);

const LARGEST_INDEX: usize = 65_536;
const DEPTH: usize = 30;

impl Values {
    /// Applies an expression such as `image.tag=v2,ports[0]=80` on top of these values.
    ///
    /// ```
    /// use moorline::helm::{SetKind, Values};
    ///
    /// let values = Values::default().set("a.b=1,c={x,y},d[1]=z", SetKind::Typed)?;
    /// assert_eq!(values.to_json(), serde_json::json!({"a": {"b": 1}, "c": ["x", "y"], "d": [null, "z"]}));
    /// # Ok::<(), moorline::helm::SetError>(())
    /// ```
    pub fn set(mut self, expression: &str, kind: SetKind) -> Result<Self, SetError> {
        let mut parser = Parser { text: expression.as_bytes(), position: 0, kind };
        while parser.position < parser.text.len() {
            parser.key(&mut self.0, 0)?;
        }
        Ok(self)
    }
}

struct Parser<'a> {
    text: &'a [u8],
    position: usize,
    kind: SetKind,
}

impl Parser<'_> {
    /// Reads until one of `stops`; a backslash takes the next byte as it is, unless in a literal.
    fn until(&mut self, stops: &[u8]) -> (Vec<u8>, Option<u8>) {
        let mut out = Vec::new();
        while let Some(byte) = self.text.get(self.position).copied() {
            self.position += 1;
            if byte == b'\\' && self.kind != SetKind::Literal {
                if let Some(next) = self.text.get(self.position) {
                    out.push(*next);
                    self.position += 1;
                }
                continue;
            }
            if stops.contains(&byte) {
                return (out, Some(byte));
            }
            out.push(byte);
        }
        (out, None)
    }

    fn key(&mut self, map: &mut TreeMap, depth: usize) -> Result<(), SetError> {
        if depth > DEPTH {
            return Err(SetError(format!(
                "value name nested level is greater than maximum supported nested level of {DEPTH}"
            )));
        }
        let stops: &[u8] = if self.kind == SetKind::Literal { b"=[." } else { b"=[,." };
        let (key, stop) = self.until(stops);
        let key_shown = String::from_utf8_lossy(&key).into_owned();
        let key = Text::from(key);
        match stop {
            None if key.is_empty() => Ok(()),
            None => Err(SetError(format!("key {key_shown:?} has no value"))),
            Some(b'[') => {
                let index = self.index()?;
                let mut list = match map.remove(&key) {
                    Some(Tree::List(items)) => items,
                    _ => Vec::new(),
                };
                self.list_item(&mut list, index, depth)?;
                map.insert(key, Tree::List(list));
                Ok(())
            }
            Some(b'=') => {
                let value = self.value()?;
                map.insert(key, value);
                Ok(())
            }
            Some(b',') => {
                map.insert(key, Tree::Text(Text::from("")));
                Err(SetError(format!("key {key_shown:?} has no value (cannot end with ,)")))
            }
            Some(_) => {
                let mut inner = match map.remove(&key) {
                    Some(Tree::Map(inner)) => inner,
                    _ => TreeMap::default(),
                };
                self.key(&mut inner, depth + 1)?;
                if inner.is_empty() {
                    return Err(SetError(format!("key map {key_shown:?} has no value")));
                }
                map.insert(key, Tree::Map(inner));
                Ok(())
            }
        }
    }

    fn index(&mut self) -> Result<usize, SetError> {
        let (digits, stop) = self.until(b"]");
        let digits = String::from_utf8_lossy(&digits).into_owned();
        if stop.is_none() {
            return Err(SetError("error parsing index: EOF".to_owned()));
        }
        digits.parse::<usize>().map_err(|_| {
            SetError(format!("error parsing index: strconv.Atoi: parsing {digits:?}: invalid syntax"))
        })
    }

    fn list_item(&mut self, list: &mut Vec<Tree>, index: usize, depth: usize) -> Result<(), SetError> {
        if index > LARGEST_INDEX {
            return Err(SetError(format!(
                "index of {index} is greater than maximum supported index of {LARGEST_INDEX}"
            )));
        }
        if depth > DEPTH {
            return Err(SetError(format!(
                "value name nested level is greater than maximum supported nested level of {DEPTH}"
            )));
        }
        if list.len() <= index {
            list.resize(index + 1, Tree::Null);
        }
        let Some(slot) = list.get_mut(index) else {
            return Ok(());
        };
        let (rest, stop) = self.until(b"[.=");
        if !rest.is_empty() {
            return Err(SetError(format!(
                "unexpected data at end of array index: {:?}",
                String::from_utf8_lossy(&rest)
            )));
        }
        match stop {
            Some(b'=') => *slot = self.value()?,
            Some(b'[') => {
                let next = self.index()?;
                let mut inner = match std::mem::replace(slot, Tree::Null) {
                    Tree::List(items) => items,
                    _ => Vec::new(),
                };
                self.list_item(&mut inner, next, depth + 1)?;
                if let Some(slot) = list.get_mut(index) {
                    *slot = Tree::List(inner);
                }
            }
            Some(_) => {
                let mut inner = match std::mem::replace(slot, Tree::Null) {
                    Tree::Map(inner) => inner,
                    _ => TreeMap::default(),
                };
                self.key(&mut inner, depth + 1)?;
                if let Some(slot) = list.get_mut(index) {
                    *slot = Tree::Map(inner);
                }
            }
            None => {}
        }
        Ok(())
    }

    fn value(&mut self) -> Result<Tree, SetError> {
        match self.kind {
            SetKind::Literal => {
                let rest = self.text.get(self.position..).unwrap_or(&[]);
                self.position = self.text.len();
                Ok(Tree::Text(Text::from(rest)))
            }
            SetKind::Json => self.json(),
            SetKind::Typed | SetKind::Text if self.text.get(self.position) == Some(&b'{') => {
                self.position += 1;
                self.list()
            }
            SetKind::Typed | SetKind::Text => {
                let (value, _) = self.until(b",");
                Ok(self.typed(value))
            }
        }
    }

    fn list(&mut self) -> Result<Tree, SetError> {
        let mut items = Vec::new();
        loop {
            let (item, stop) = self.until(b",}");
            match stop {
                Some(b'}') => {
                    if !(item.is_empty() && items.is_empty()) {
                        items.push(self.typed(item));
                    }
                    if self.text.get(self.position) == Some(&b',') {
                        self.position += 1;
                    }
                    return Ok(Tree::List(items));
                }
                Some(_) => items.push(self.typed(item)),
                None => return Err(SetError("list must terminate with '}'".to_owned())),
            }
        }
    }

    fn json(&mut self) -> Result<Tree, SetError> {
        let rest = self.text.get(self.position..).unwrap_or(&[]);
        let mut stream = serde_json::Deserializer::from_slice(rest).into_iter::<serde_json::Value>();
        match stream.next() {
            Some(Ok(json)) => {
                self.position += stream.byte_offset();
                if self.text.get(self.position) == Some(&b',') {
                    self.position += 1;
                }
                Ok(Tree::from_json(&json))
            }
            Some(Err(error)) => Err(SetError(format!("invalid JSON value: {error}"))),
            None => Ok(Tree::Null),
        }
    }

    fn typed(&self, value: Vec<u8>) -> Tree {
        if self.kind != SetKind::Typed {
            return Tree::Text(Text::from(value));
        }
        match value.as_slice() {
            b"true" | b"TRUE" | b"True" => return Tree::Bool(true),
            b"false" | b"FALSE" | b"False" => return Tree::Bool(false),
            b"null" | b"NULL" | b"Null" => return Tree::Null,
            b"0" => return Tree::Int(0),
            _ => {}
        }
        if value.first() != Some(&b'0')
            && let Some(number) = std::str::from_utf8(&value).ok().and_then(|text| text.parse::<i64>().ok())
        {
            return Tree::Int(number);
        }
        Tree::Text(Text::from(value))
    }
}
