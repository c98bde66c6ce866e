//! Regular expressions: RE2 syntax as Go reads it, on bytes, compiled once per render.

use std::rc::Rc;
use std::sync::OnceLock;

use foldhash::HashMap;
use regex::bytes::{Regex, RegexBuilder};

use super::{Function, Outcome, Type, int, text};
use crate::helm::RenderLimits;
use crate::helm::failure::{Failure, Limit};
use crate::helm::template::machine::Machine;
use crate::helm::value::{Text, Value};

use Type::{Int, Text as Str};

mod pattern;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("regexMatch", &[Str, Str], |machine, a| {
        Ok(Value::Bool(machine.regex(&text(a, 0)).is_ok_and(|regex| regex.regex.is_match(&text(a, 1)))))
    }),
    Function::new("mustRegexMatch", &[Str, Str], |machine, a| {
        Ok(Value::Bool(must(machine, &text(a, 0))?.regex.is_match(&text(a, 1))))
    }),
    Function::new("regexFindAll", &[Str, Str, Int], |machine, a| find_all(machine, a, true)),
    Function::new("mustRegexFindAll", &[Str, Str, Int], |machine, a| find_all(machine, a, false)),
    Function::new("regexFind", &[Str, Str], |machine, a| find(machine, a, true)),
    Function::new("mustRegexFind", &[Str, Str], |machine, a| find(machine, a, false)),
    Function::new("regexReplaceAll", &[Str, Str, Str], |machine, a| replace(machine, a, true, true)),
    Function::new("mustRegexReplaceAll", &[Str, Str, Str], |machine, a| replace(machine, a, false, true)),
    Function::new("regexReplaceAllLiteral", &[Str, Str, Str], |machine, a| replace(machine, a, true, false)),
    Function::new("mustRegexReplaceAllLiteral", &[Str, Str, Str], |machine, a| {
        replace(machine, a, false, false)
    }),
    Function::new("regexSplit", &[Str, Str, Int], |machine, a| split(machine, a, true)),
    Function::new("mustRegexSplit", &[Str, Str, Int], |machine, a| split(machine, a, false)),
    Function::new("regexQuoteMeta", &[Str], |_, a| Ok(Value::text(quote_meta(&text(a, 0))))),
];

/// A compiled pattern with the names of its groups.
pub(crate) struct Compiled {
    regex: Regex,
    names: Vec<String>,
}

/// A pattern that is compiled once something is matched.
#[derive(Debug)]
pub(crate) struct LazyRegex {
    pattern: String,
    translated: String,
    /// `None` inside: it is larger than regular expressions may be, and matches nothing.
    compiled: OnceLock<Option<Regex>>,
}

impl LazyRegex {
    /// Reads a pattern; the error is Go's message.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        if pattern.len() > RenderLimits::default().regex {
            return Err(format!("error parsing regexp: expression too large: `{pattern}`"));
        }
        let read = pattern::read(pattern.as_bytes())
            .map_err(|message| format!("error parsing regexp: {message}"))?;
        Ok(Self { pattern: pattern.to_owned(), translated: read.translated, compiled: OnceLock::new() })
    }

    pub(crate) fn pattern(&self) -> &str {
        &self.pattern
    }

    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        let compiled = self.compiled.get_or_init(|| compile(&self.translated).ok());
        compiled.as_ref().is_some_and(|regex| regex.is_match(text))
    }
}

/// Bytes that the program of a usual pattern does not exceed, and that none may.
const USUAL: usize = 128 << 10;
const LARGEST: usize = 8 << 20;
/// Bytes that a pattern takes while it is used.
const DFA: usize = 512 << 10;

fn compile(translated: &str) -> Result<Regex, regex::Error> {
    compile_within(translated, LARGEST)
}

fn compile_within(translated: &str, bytes: usize) -> Result<Regex, regex::Error> {
    RegexBuilder::new(translated).size_limit(bytes).dfa_size_limit(DFA).nest_limit(250).build()
}

/// Compiled patterns of one render, as many as fit.
#[derive(Default)]
pub(crate) struct RegexCache {
    patterns: HashMap<Text, Rc<Compiled>>,
    bytes: usize,
}

impl RegexCache {
    /// Bytes of all programs.
    const BYTES: usize = 128 << 20;

    fn keep(&mut self, pattern: &Text, compiled: &Rc<Compiled>, bytes: usize) {
        let bytes = bytes + DFA;
        if self.bytes + bytes > Self::BYTES {
            *self = Self::default();
        }
        self.bytes += bytes;
        self.patterns.insert(pattern.clone(), Rc::clone(compiled));
    }
}

impl Machine<'_> {
    /// The compiled pattern; the error is Go's message.
    fn regex(&mut self, pattern: &Text) -> Result<Rc<Compiled>, Failure> {
        if let Some(regex) = self.regexes.patterns.get(pattern) {
            return Ok(Rc::clone(regex));
        }
        if pattern.len() > self.limits.regex {
            let message = format!("regular expression is longer than {} bytes", self.limits.regex);
            return Err(Failure::limit(Limit::Size, message));
        }
        let read = pattern::read(pattern)
            .map_err(|message| Failure::new(format!("error parsing regexp: {message}")))?;
        self.charge(1_000)?;
        let (regex, bytes) = match compile_within(&read.translated, USUAL) {
            Ok(regex) => (regex, USUAL),
            Err(_) => {
                self.charge(50_000)?;
                let regex = compile(&read.translated).map_err(|_| {
                    Failure::new(format!("error parsing regexp: expression too large: `{}`", pattern.lossy()))
                })?;
                (regex, LARGEST)
            }
        };
        let compiled = Rc::new(Compiled { regex, names: read.names });
        self.regexes.keep(pattern, &compiled, bytes);
        Ok(compiled)
    }
}

fn must(machine: &mut Machine<'_>, pattern: &Text) -> Result<Rc<Compiled>, Failure> {
    machine.regex(pattern)
}

/// The forms that panic in Go say which call failed.
fn compiled(machine: &mut Machine<'_>, pattern: &Text, panics: bool) -> Result<Rc<Compiled>, Failure> {
    machine.regex(pattern).map_err(|inner| {
        if panics && inner.limit_hit().is_none() {
            let quoted = if pattern.contains(&b'`') {
                crate::helm::value::convert::quote(pattern)
            } else {
                format!("`{}`", pattern.lossy())
            };
            Failure::new(format!("regexp: Compile({quoted}): {}", inner.message))
        } else {
            inner
        }
    })
}

/// All matches as Go finds them: an empty match right after a match does not count.
fn matches(regex: &Regex, text: &[u8], most: usize) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut previous_end = None;
    let mut at = 0;
    while at <= text.len() && found.len() < most {
        let Some(hit) = regex.find_at(text, at) else { break };
        let empty = hit.start() == hit.end();
        if !(empty && Some(hit.start()) == previous_end) {
            found.push((hit.start(), hit.end()));
        }
        previous_end = Some(hit.end());
        at = if empty { hit.end() + next_width(text, hit.end()) } else { hit.end() };
    }
    found
}

fn next_width(text: &[u8], at: usize) -> usize {
    match text.get(at..) {
        Some(rest) if !rest.is_empty() => super::strings::decode_rune(rest).1,
        _ => 1,
    }
}

fn limit(count: i64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn find_all(machine: &mut Machine<'_>, arguments: &[Value], panics: bool) -> Outcome {
    let regex = compiled(machine, &text(arguments, 0), panics)?;
    let subject = text(arguments, 1);
    machine.charge(subject.len() as u64 / 8)?;
    let found = matches(&regex.regex, &subject, limit(int(arguments, 2)));
    if found.is_empty() {
        return Ok(Value::nil_slice("[]string"));
    }
    let found =
        found.iter().map(|(start, end)| Text::from(subject.get(*start..*end).unwrap_or(&[]))).collect();
    Ok(Value::texts(found))
}

fn find(machine: &mut Machine<'_>, arguments: &[Value], panics: bool) -> Outcome {
    let regex = compiled(machine, &text(arguments, 0), panics)?;
    let subject = text(arguments, 1);
    machine.charge(subject.len() as u64 / 8)?;
    Ok(Value::text(regex.regex.find(&subject).map_or(&[][..], |hit| hit.as_bytes())))
}

fn replace(machine: &mut Machine<'_>, arguments: &[Value], panics: bool, expand: bool) -> Outcome {
    let regex = compiled(machine, &text(arguments, 0), panics)?;
    let (subject, template) = (text(arguments, 1), text(arguments, 2));
    machine.charge(subject.len() as u64 / 8)?;
    let mut out = Vec::with_capacity(subject.len());
    let mut last = 0;
    for (start, end) in matches(&regex.regex, &subject, usize::MAX) {
        out.extend_from_slice(subject.get(last..start).unwrap_or(&[]));
        if expand {
            if let Some(captures) = regex.regex.captures_at(&subject, start) {
                expand_template(&mut out, &template, &captures, &regex.names);
            }
        } else {
            out.extend_from_slice(&template);
        }
        last = end;
        if out.len() > machine.limits.bytes {
            return Err(Failure::limit(Limit::Bytes, "replacement is too large".to_owned()));
        }
    }
    out.extend_from_slice(subject.get(last..).unwrap_or(&[]));
    machine.charge_bytes(out.len())?;
    Ok(Value::text(out))
}

/// Go's `Expand`: `$name` takes as many word characters as there are.
fn expand_template(
    out: &mut Vec<u8>,
    template: &[u8],
    captures: &regex::bytes::Captures<'_>,
    names: &[String],
) {
    let mut rest = template;
    while let Some(dollar) = memchr::memchr(b'$', rest) {
        out.extend_from_slice(rest.get(..dollar).unwrap_or(&[]));
        rest = rest.get(dollar + 1..).unwrap_or(&[]);
        if rest.first() == Some(&b'$') {
            out.push(b'$');
            rest = rest.get(1..).unwrap_or(&[]);
            continue;
        }
        let braced = rest.first() == Some(&b'{');
        let body = if braced { rest.get(1..).unwrap_or(&[]) } else { rest };
        let length = body.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        let closed = !braced || body.get(length) == Some(&b'}');
        if length == 0 || !closed {
            out.push(b'$');
            continue;
        }
        let name = String::from_utf8_lossy(body.get(..length).unwrap_or(&[])).into_owned();
        let zeros = name.len() > 1 && name.starts_with('0');
        let group = match name.parse::<usize>() {
            Ok(number) if !zeros => captures.get(number),
            // Several groups may have one name: the first that took part counts.
            _ => {
                let mut named = names.iter().enumerate().filter(|(_, known)| **known == name);
                named.find_map(|(index, _)| captures.get(index + 1))
            }
        };
        out.extend_from_slice(group.map_or(&[][..], |group| group.as_bytes()));
        rest = body.get(length + usize::from(braced)..).unwrap_or(&[]);
    }
    out.extend_from_slice(rest);
}

fn split(machine: &mut Machine<'_>, arguments: &[Value], panics: bool) -> Outcome {
    let regex = compiled(machine, &text(arguments, 0), panics)?;
    let (subject, count) = (text(arguments, 1), int(arguments, 2));
    if count == 0 {
        return Ok(Value::nil_slice("[]string"));
    }
    if !text(arguments, 0).is_empty() && subject.is_empty() {
        return Ok(Value::texts(vec![Text::from("")]));
    }
    let mut parts = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for (start, stop) in matches(&regex.regex, &subject, limit(count)) {
        if count > 0 && parts.len() + 1 == limit(count) {
            break;
        }
        end = start;
        if stop != 0 {
            parts.push(Text::from(subject.get(begin..end).unwrap_or(&[])));
        }
        begin = stop;
    }
    if end != subject.len() {
        parts.push(Text::from(subject.get(begin..).unwrap_or(&[])));
    }
    Ok(Value::texts(parts))
}

fn quote_meta(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if br"\.+*?()|[]{}^$".contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out
}
