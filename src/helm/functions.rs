//! The functions that charts may call: Go's builtins, sprig's and Helm's, by groups.
//!
//! A function sees its arguments after Go's type check and the machine for counters, entropy and
//! time. None does IO.

use std::rc::Rc;

use super::Compat;
use super::failure::Failure;
use super::template::machine::Machine;
use super::value::{Map, MapKind, Object, Text, Value};

mod builtin;
mod crypto;
pub(crate) mod dates;
mod dicts;
mod encoding;
mod files;
pub(crate) mod glob;
mod helm;
pub(crate) mod json;
mod lists;
mod numbers;
mod paths;
pub(crate) mod regexes;
pub(crate) mod semver;
mod strings;
mod toml;

pub(crate) use crypto::Entropy;
pub(crate) use helm::{MARKS, without_no_value};
pub(crate) use regexes::RegexCache;
pub(crate) use strings::{is_space, trim_space};

/// The static Go type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// `interface {}` and reflect.Value
    Any,
    /// `string`
    Text,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `uint32`
    Uint,
    /// `float64`
    Float,
    /// `[]interface {}`
    List,
    /// `map[string]interface {}`
    Dict,
    /// `time.Time`
    Time,
    /// `*semver.Version`
    Version,
    /// `sprig.certificate`
    Certificate,
    /// `time.Duration`
    Duration,
}

impl Type {
    /// The type in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Text => "string",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint32",
            Self::Float => "float64",
            Self::List => "[]interface {}",
            Self::Dict => "map[string]interface {}",
            Self::Time => "time.Time",
            Self::Version => "*semver.Version",
            Self::Certificate => "sprig.certificate",
            Self::Duration => "time.Duration",
        }
    }

    /// Whether a value is assignable as it is.
    pub(crate) fn accepts(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Any, _)
            | (Self::Text, Value::Text(_))
            | (Self::Bool, Value::Bool(_))
            | (Self::Int, Value::Int(_))
            | (Self::Float, Value::Float(_))
            | (Self::List, Value::List(_))
            | (Self::Dict, Value::Map(_)) => true,
            (_, Value::Object(object)) => match (self, &**object) {
                (Self::List, Object::NilSlice(name)) => *name == self.name(),
                (Self::Time, Object::Time(_))
                | (Self::Version, Object::Version(_))
                | (Self::Duration, Object::Duration(_)) => true,
                (Self::Certificate, Object::Record(record)) => record.type_name == "sprig.certificate",
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether Go lets nil stand for this type.
    pub(crate) fn can_be_nil(self) -> bool {
        matches!(self, Self::Any | Self::List | Self::Dict | Self::Version)
    }

    /// The zero value that nil stands for.
    pub(crate) fn zero(self) -> Value {
        match self {
            Self::List => Value::list(Vec::new()),
            Self::Dict => Value::Map(Map::new().with_kind(MapKind::Nil)),
            _ => Value::Nil,
        }
    }
}

/// Functions that the executor itself carries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Special {
    None,
    And,
    Or,
    /// `len` tells a missing value from no value.
    Length,
    /// `call` names what cannot be called as it is written.
    Call,
}

/// What a function's code looks like.
pub(crate) type Code = fn(&mut Machine<'_>, &[Value]) -> Result<Value, Failure>;

/// The result of a function.
pub(crate) type Outcome = Result<Value, Failure>;

/// A function with its Go signature.
#[derive(Debug)]
pub(crate) struct Function {
    /// The name in templates and messages.
    pub(crate) name: &'static str,
    /// Types of the parameters; the last one repeats if `variadic`.
    pub(crate) parameters: &'static [Type],
    /// Whether the last parameter repeats.
    pub(crate) variadic: bool,
    /// Whether the executor treats it specially.
    pub(crate) special: Special,
    /// Whether it draws on entropy or time, and so has to know where it is called.
    pub(crate) draws: bool,
    /// The first Helm that has it.
    pub(crate) since: Compat,
    /// The code.
    pub(crate) call: Code,
}

impl Function {
    /// A function with a fixed number of parameters.
    const fn new(name: &'static str, parameters: &'static [Type], call: Code) -> Self {
        Self {
            name,
            parameters,
            variadic: false,
            special: Special::None,
            draws: false,
            since: Compat::V3_19,
            call,
        }
    }

    /// A function whose last parameter repeats.
    const fn variadic(name: &'static str, parameters: &'static [Type], call: Code) -> Self {
        Self {
            name,
            parameters,
            variadic: true,
            special: Special::None,
            draws: false,
            since: Compat::V3_19,
            call,
        }
    }

    /// The same, drawing on entropy or time.
    const fn drawing(mut self) -> Self {
        self.draws = true;
        self
    }

    /// The same, but only known from this Helm on.
    const fn since(mut self, since: Compat) -> Self {
        self.since = since;
        self
    }

    /// How many parameters do not repeat.
    pub(crate) fn fixed(&self) -> usize {
        self.parameters.len() - usize::from(self.variadic)
    }

    /// The type of an argument by its place.
    pub(crate) fn parameter(&self, index: usize) -> Type {
        self.parameters.get(index).copied().unwrap_or_else(|| self.variable_type())
    }

    /// The type of the repeated parameter.
    pub(crate) fn variable_type(&self) -> Type {
        self.parameters.last().copied().unwrap_or(Type::Any)
    }
}

const GROUPS: [&[Function]; 12] = [
    strings::FUNCTIONS,
    lists::FUNCTIONS,
    dicts::FUNCTIONS,
    numbers::FUNCTIONS,
    encoding::FUNCTIONS,
    dates::FUNCTIONS,
    semver::FUNCTIONS,
    regexes::FUNCTIONS,
    paths::FUNCTIONS,
    crypto::FUNCTIONS,
    builtin::FUNCTIONS,
    helm::FUNCTIONS,
];

/// Some three times as many places as there are functions.
const PLACES: usize = 1024;

/// Where a function stands: its group, counted from 1, and its place in there.
type Place = (u8, u8);

/// By the hashes of their names; a place that is taken leads to the next one. It is made by the compiler: a process
/// that renders one small chart would need a twentieth of its time for it.
static TABLE: [Place; PLACES] = {
    let mut table = [(0, 0); PLACES];
    let mut group = 0;
    while group < GROUPS.len() {
        let mut index = 0;
        while index < GROUPS[group].len() {
            let mut place = hash(GROUPS[group][index].name.as_bytes());
            while table[place].0 > 0 {
                place = (place + 1) % PLACES;
            }
            assert!(index <= u8::MAX as usize);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "both are small: the compiler has just seen it"
            )]
            {
                table[place] = (group as u8 + 1, index as u8);
            }
            index += 1;
        }
        group += 1;
    }
    table
};

/// The place of a name in the table (FNV-1a).
const fn hash(name: &[u8]) -> usize {
    let mut hash = 0x811C_9DC5_u32;
    let mut index = 0;
    while index < name.len() {
        hash = (hash ^ name[index] as u32).wrapping_mul(0x0100_0193);
        index += 1;
    }
    (hash ^ (hash >> 16)) as usize % PLACES
}

/// The function of a name, if this Helm has it.
pub(crate) fn find(name: &[u8], compat: Compat) -> Option<&'static Function> {
    static GROUPED: [&[Function]; 12] = GROUPS;
    let mut place = hash(name);
    loop {
        // A free place ends the search, and two of three are free.
        let (group, index) = *TABLE.get(place)?;
        let group = GROUPED.get(usize::from(group).checked_sub(1)?)?;
        let function = group.get(usize::from(index))?;
        if function.name.as_bytes() == name {
            return Some(function).filter(|function| function.since <= compat);
        }
        place = (place + 1) % PLACES;
    }
}

/// A method of an object; its code gets the object as first argument.
pub(crate) fn method(object: &Rc<Object>, name: &[u8]) -> Option<&'static Function> {
    let methods = match &**object {
        Object::Files(_) => files::METHODS,
        Object::VersionSet(_) => files::VERSION_SET_METHODS,
        Object::Version(_) => semver::METHODS,
        Object::Time(_) => dates::TIME_METHODS,
        Object::Duration(_) => dates::DURATION_METHODS,
        Object::Record(record) if record.shown.is_some() => files::SHOWN_METHODS,
        Object::Record(_) | Object::Complex(..) | Object::NilSlice(_) => return None,
    };
    methods.iter().find(|method| method.name.as_bytes() == name)
}

/// A method of Helm's values type.
pub(crate) fn values_method(name: &[u8]) -> Option<&'static Function> {
    if !matches!(name, b"AsMap" | b"Table" | b"PathValue" | b"YAML") {
        return None;
    }
    dicts::VALUES_METHODS.iter().find(|method| method.name.as_bytes() == name)
}

/// The string argument at a place; the type check has made sure that it is one.
pub(crate) fn text(arguments: &[Value], index: usize) -> Text {
    match arguments.get(index) {
        Some(Value::Text(text)) => text.clone(),
        _ => Text::from(""),
    }
}

/// The integer argument at a place.
pub(crate) fn int(arguments: &[Value], index: usize) -> i64 {
    match arguments.get(index) {
        Some(Value::Int(number) | Value::Int64(number)) => *number,
        _ => 0,
    }
}

/// The argument at a place.
pub(crate) fn value(arguments: &[Value], index: usize) -> Value {
    arguments.get(index).cloned().unwrap_or(Value::Nil)
}

/// Go's `strval` of sprig: strings, byte strings and Stringers as they are, else `%v`.
pub(crate) fn strval(value: &Value, compat_v3: bool) -> Text {
    match value {
        Value::Text(text) | Value::Bytes(text) => text.clone(),
        other => Text::from(super::template::format::display(other, compat_v3)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Compat, GROUPS, find};

    #[test]
    fn every_function_is_found_by_its_name() {
        for function in GROUPS.into_iter().flatten() {
            let found = find(function.name.as_bytes(), Compat::V4_3).map(|found| found.name);
            assert_eq!(found, Some(function.name));
        }
        let mut names: Vec<&str> = GROUPS.into_iter().flatten().map(|function| function.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), GROUPS.into_iter().flatten().count(), "each has one name");
        assert!(find(b"", Compat::V4_3).is_none() && find(b"quot", Compat::V4_3).is_none());
    }
}
