//! `--set` expressions: paths, lists and typed scalars, read as Helm's strvals reads them, with its
//! messages. One reader for all kinds; only the reading of a value differs.

use super::{Tree, TreeMap, Values};
use crate::Compat;
use crate::functions::json::{self, Wording};
use crate::value::{Text, Value, convert};

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

/// What reads the files that `--set-file` names; the error is the message of its system.
pub type FileReader<'r> = &'r dyn Fn(&str) -> Result<Vec<u8>, String>;

const LARGEST_INDEX: i64 = 65_536;
const DEPTH: usize = 30;

impl Values {
    /// Applies an expression such as `image.tag=v2,ports[0]=80` to these values: what is there is
    /// changed in place, lists included.
    ///
    /// ```
    /// use moorline_helm::{SetKind, Values};
    ///
    /// let values = Values::default().set("a.b=1,c={x,y},d[1]=z", SetKind::Typed)?;
    /// assert_eq!(values.to_json(), serde_json::json!({"a": {"b": 1}, "c": ["x", "y"], "d": [null, "z"]}));
    /// # Ok::<(), moorline_helm::SetError>(())
    /// ```
    pub fn set(self, expression: &str, kind: SetKind) -> Result<Self, SetError> {
        self.set_as(expression, kind, Compat::default())
    }

    /// The same with the forgiveness of a particular Helm.
    pub fn set_as(self, expression: &str, kind: SetKind, compat: Compat) -> Result<Self, SetError> {
        let trimmed = expression.trim();
        if kind == SetKind::Json && trimmed.starts_with('{') && compat > Compat::V3_19 {
            return self.set_object(trimmed, expression);
        }
        let how = match kind {
            SetKind::Typed => How::Typed,
            SetKind::Text => How::Text,
            SetKind::Json => How::Json,
            SetKind::Literal => How::Literal,
        };
        self.apply(expression, how, compat).map_err(|message| {
            SetError(match kind {
                SetKind::Typed => format!("failed parsing --set data: {message}"),
                SetKind::Text => format!("failed parsing --set-string data: {message}"),
                SetKind::Literal => format!("failed parsing --set-literal data: {message}"),
                SetKind::Json => format!("failed parsing --set-json data {expression}"),
            })
        })
    }

    /// Applies an expression whose values are names of files.
    pub fn set_files(self, expression: &str, read: FileReader<'_>, compat: Compat) -> Result<Self, SetError> {
        self.apply(expression, How::File(read), compat)
            .map_err(|message| SetError(format!("failed parsing --set-file data: {message}")))
    }

    /// A whole JSON object is merged.
    fn set_object(self, object: &str, shown: &str) -> Result<Self, SetError> {
        match json::read(object.as_bytes(), Wording::Go1_27) {
            Ok(Value::Map(map)) => Ok(self.merge(&Self(TreeMap::from_value(&map)))),
            _ => Err(SetError(format!("failed parsing --set-json data JSON: {shown}"))),
        }
    }

    fn apply(mut self, expression: &str, how: How<'_>, compat: Compat) -> Result<Self, String> {
        let mut parser = Parser { text: expression, position: 0, how };
        loop {
            match parser.key(&mut self.0, 0) {
                Ok(()) => {}
                Err(Stop::End) => return Ok(self),
                // Helm 4 takes an index that is cut off for the end as well.
                Err(Stop::IndexEnd) if compat > Compat::V3_19 => return Ok(self),
                Err(Stop::IndexEnd) => return Err("error parsing index: EOF".to_owned()),
                Err(Stop::Wrong(message)) => return Err(message),
            }
        }
    }
}

#[derive(Clone, Copy)]
enum How<'r> {
    Typed,
    Text,
    Json,
    Literal,
    File(FileReader<'r>),
}

/// Why reading stops.
enum Stop {
    /// The expression is at its end.
    End,
    /// The end came inside an index.
    IndexEnd,
    Wrong(String),
}

type Step<T> = Result<T, Stop>;

fn wrong<T>(message: String) -> Step<T> {
    Err(Stop::Wrong(message))
}

struct Parser<'a> {
    text: &'a str,
    position: usize,
    how: How<'a>,
}

/// Go's failed type assertion, which strvals turns into an error.
fn assertion<T>(found: &Tree, wanted: &str) -> Step<T> {
    let found = match found {
        Tree::Null => "nil",
        Tree::Bool(_) => "bool",
        Tree::Int(_) => "int64",
        Tree::Float(_) => "float64",
        Tree::Text(_) => "string",
        Tree::List(_) => "[]interface {}",
        Tree::Map(_) => "map[string]interface {}",
    };
    wrong(format!("unable to parse key: interface conversion: interface {{}} is {found}, not {wanted}"))
}

/// An empty key is read and forgotten.
fn store(map: &mut TreeMap, key: &str, value: Tree) {
    if !key.is_empty() {
        map.insert(Text::from(key), value);
    }
}

fn store_at(list: &mut Vec<Tree>, index: i64, value: Tree) -> Step<()> {
    let place = match usize::try_from(index) {
        Ok(place) if index <= LARGEST_INDEX => place,
        Ok(_) => {
            return wrong(format!(
                "index of {index} is greater than maximum supported index of {LARGEST_INDEX}"
            ));
        }
        Err(_) => return wrong(format!("negative {index} index not allowed")),
    };
    if list.len() <= place {
        list.resize(place + 1, Tree::Null);
    }
    if let Some(slot) = list.get_mut(place) {
        *slot = value;
    }
    Ok(())
}

impl Parser<'_> {
    fn next(&mut self) -> Option<char> {
        let character = self.text.get(self.position..)?.chars().next()?;
        self.position += character.len_utf8();
        Some(character)
    }

    fn back(&mut self, character: char) {
        self.position -= character.len_utf8();
    }

    /// Reads until one of `stops`; a backslash takes the next character as it is, unless in a literal.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut out = String::new();
        while let Some(character) = self.next() {
            if stops.contains(&character) {
                return (out, Some(character));
            }
            if character == '\\' && !matches!(self.how, How::Literal) {
                let Some(next) = self.next() else { break };
                out.push(next);
                continue;
            }
            out.push(character);
        }
        (out, None)
    }

    fn key(&mut self, map: &mut TreeMap, level: usize) -> Step<()> {
        let stops: &[char] =
            if matches!(self.how, How::Literal) { &['=', '[', '.'] } else { &['=', '[', ',', '.'] };
        let (key, stop) = self.until(stops);
        let quoted = || convert::quote(key.as_bytes());
        match stop {
            None if key.is_empty() => Err(Stop::End),
            None => wrong(format!("key {} has no value", quoted())),
            Some('[') => {
                let index = self.index()?;
                let mut list =
                    match map.get_mut(key.as_bytes()).map(|found| std::mem::replace(found, Tree::Null)) {
                        None => Vec::new(),
                        Some(Tree::List(items)) => items,
                        Some(other) => return assertion(&other, "[]interface {}"),
                    };
                let result = self.list_item(&mut list, index, level);
                store(map, &key, Tree::List(list));
                result
            }
            Some('=') => self.assign(map, &key),
            Some(',') => wrong(format!("key {} has no value (cannot end with ,)", quoted())),
            Some(_) => {
                if level + 1 > DEPTH {
                    return wrong(format!(
                        "value name nested level is greater than maximum supported nested level of {DEPTH}"
                    ));
                }
                let mut inner =
                    match map.get_mut(key.as_bytes()).map(|found| std::mem::replace(found, Tree::Null)) {
                        None => TreeMap::default(),
                        Some(Tree::Map(inner)) => inner,
                        Some(other) => return assertion(&other, "map[string]interface {}"),
                    };
                let result = self.key(&mut inner, level + 1);
                if result.is_ok() && inner.is_empty() {
                    return wrong(format!("key map {} has no value", quoted()));
                }
                // One that was there stays, empty or not.
                if !inner.is_empty() || map.get(key.as_bytes()).is_some() {
                    store(map, &key, Tree::Map(inner));
                }
                result
            }
        }
    }

    fn assign(&mut self, map: &mut TreeMap, key: &str) -> Step<()> {
        let at_end = self.position == self.text.len();
        let value = self.value()?;
        store(map, key, value);
        let ends = at_end && !matches!(self.how, How::Literal | How::Json);
        if ends { Err(Stop::End) } else { Ok(()) }
    }

    fn index(&mut self) -> Step<i64> {
        let (digits, stop) = self.until(&[']']);
        if stop.is_none() {
            return Err(Stop::IndexEnd);
        }
        let plain = digits.strip_prefix(['+', '-']).unwrap_or(&digits);
        let numeric = !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit());
        match digits.parse::<i64>() {
            Ok(index) if numeric => Ok(index),
            _ => {
                let reason = if numeric { "value out of range" } else { "invalid syntax" };
                let quoted = convert::quote(digits.as_bytes());
                wrong(format!("error parsing index: strconv.Atoi: parsing {quoted}: {reason}"))
            }
        }
    }

    fn list_item(&mut self, list: &mut Vec<Tree>, index: i64, level: usize) -> Step<()> {
        let Ok(place) = usize::try_from(index) else {
            return wrong(format!("negative {index} index not allowed"));
        };
        let (rest, stop) = self.until(&['[', '.', '=']);
        if !rest.is_empty() {
            let shown: Vec<String> =
                rest.chars().map(|c| convert::quote_with(c.to_string().as_bytes(), '\'', false)).collect();
            return wrong(format!("unexpected data at end of array index: [{}]", shown.join(" ")));
        }
        match stop {
            None => Err(Stop::End),
            Some('=') => {
                let value = self.value()?;
                store_at(list, index, value)
            }
            Some('[') => {
                let next = self.index()?;
                let mut inner = match list.get(place) {
                    None | Some(Tree::Null) => Vec::new(),
                    Some(Tree::List(items)) => items.clone(),
                    Some(other) => return assertion(other, "[]interface {}"),
                };
                self.list_item(&mut inner, next, level)?;
                store_at(list, index, Tree::List(inner))
            }
            Some(_) => {
                let mut inner = match list.get(place) {
                    Some(Tree::Map(inner)) => inner.clone(),
                    _ => TreeMap::default(),
                };
                let result = self.key(&mut inner, level);
                if result.is_ok() || list.len() > place {
                    let stored = store_at(list, index, Tree::Map(inner));
                    result.and(stored)
                } else {
                    result
                }
            }
        }
    }

    fn value(&mut self) -> Step<Tree> {
        match self.how {
            How::Literal => {
                let rest = self.text.get(self.position..).unwrap_or("");
                self.position = self.text.len();
                Ok(Tree::Text(Text::from(rest)))
            }
            How::Json => self.json(),
            How::Typed | How::Text | How::File(_) => match self.next() {
                None => Ok(Tree::Text(Text::from(""))),
                Some('{') => self.list(),
                Some(other) => {
                    self.back(other);
                    let (value, _) = self.until(&[',']);
                    self.typed(&value)
                }
            },
        }
    }

    fn list(&mut self) -> Step<Tree> {
        let mut items = Vec::new();
        loop {
            let (item, stop) = self.until(&[',', '}']);
            match stop {
                None => return wrong("list must terminate with '}'".to_owned()),
                Some('}') => {
                    if let Some(next) = self.next()
                        && next != ','
                    {
                        self.back(next);
                    }
                    items.push(self.typed(&item)?);
                    return Ok(Tree::List(items));
                }
                Some(_) => items.push(self.typed(&item)?),
            }
        }
    }

    /// Skips spaces; true at a comma, which is taken, or at the end.
    fn nothing_left(&mut self) -> bool {
        loop {
            match self.next() {
                None | Some(',') => return true,
                Some(other) if !crate::functions::is_space(other) => {
                    self.back(other);
                    return false;
                }
                Some(_) => {}
            }
        }
    }

    fn json(&mut self) -> Step<Tree> {
        if self.nothing_left() {
            return Ok(Tree::Null);
        }
        let rest = self.text.get(self.position..).unwrap_or("");
        let (value, width) = json::read_start(rest.as_bytes(), Wording::Go1_27).map_err(Stop::Wrong)?;
        self.position += width;
        self.nothing_left();
        Ok(Tree::from_value(&value))
    }

    fn typed(&self, value: &str) -> Step<Tree> {
        match self.how {
            How::Typed => {}
            How::File(read) => {
                return read(value).map(|content| Tree::Text(Text::from(content))).map_err(Stop::Wrong);
            }
            _ => return Ok(Tree::Text(Text::from(value))),
        }
        if value.eq_ignore_ascii_case("true") {
            return Ok(Tree::Bool(true));
        }
        // Go folds the long s as well.
        if value.replace('\u{17F}', "s").eq_ignore_ascii_case("false") {
            return Ok(Tree::Bool(false));
        }
        if value.eq_ignore_ascii_case("null") {
            return Ok(Tree::Null);
        }
        if value == "0" {
            return Ok(Tree::Int(0));
        }
        if !value.starts_with('0')
            && let Ok(number) = value.parse::<i64>()
        {
            return Ok(Tree::Int(number));
        }
        Ok(Tree::Text(Text::from(value)))
    }
}
