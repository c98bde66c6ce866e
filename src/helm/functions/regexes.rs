//! Regular expressions: RE2 syntax as Go reads it, on bytes, compiled once per render.

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use foldhash::HashMap;
use regex_automata::Input;
use regex_automata::meta::Regex;

use super::{Function, Outcome, Type, int, text};
use crate::RenderLimits;
use crate::failure::{Failure, Limit};
use crate::template::machine::Machine;
use crate::value::{Text, Value};

use Type::{Int, Text as Str};
use matcher::{DFA, LARGEST, Matcher, USUAL};

mod matcher;
mod pattern;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("regexMatch", &[Str, Str], |machine, a| {
        let subject = text(a, 1);
        let search = machine.regex(&text(a, 0), &subject);
        Ok(Value::Bool(search.is_ok_and(|search| search.regex.is_match(&*subject))))
    }),
    Function::new("mustRegexMatch", &[Str, Str], |machine, a| {
        let subject = text(a, 1);
        Ok(Value::Bool(machine.regex(&text(a, 0), &subject)?.regex.is_match(&*subject)))
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

/// A pattern with the names of its groups.
struct Pattern {
    matcher: Matcher,
    names: Rc<[String]>,
}

/// What searches a text for a pattern.
struct Search {
    regex: Arc<Regex>,
    /// The names of the groups.
    names: Rc<[String]>,
}

/// A pattern that is compiled once something is matched.
#[derive(Debug)]
pub(crate) struct LazyRegex {
    pattern: String,
    matcher: Matcher,
}

impl LazyRegex {
    /// Reads a pattern; the error is Go's message.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        if pattern.len() > RenderLimits::default().regex {
            return Err(format!("error parsing regexp: expression too large: `{pattern}`"));
        }
        let read = pattern::read(pattern.as_bytes())
            .map_err(|message| format!("error parsing regexp: {message}"))?;
        Ok(Self { pattern: pattern.to_owned(), matcher: Matcher::new(read.translated) })
    }

    pub(crate) fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whether a text matches. A pattern that is larger than regular expressions may be matches nothing.
    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        let program = self.matcher.program(text, || Ok::<_, Infallible>(()));
        program.is_ok_and(|regex| regex.is_some_and(|regex| regex.is_match(text)))
    }
}

/// Patterns of one render, as many as fit.
#[derive(Default)]
pub(crate) struct RegexCache {
    patterns: HashMap<Text, Rc<Pattern>>,
    bytes: usize,
}

impl RegexCache {
    /// Bytes of all programs.
    const BYTES: usize = 128 << 20;

    /// Makes room for programs of so many bytes.
    fn reserve(&mut self, bytes: usize) {
        if self.bytes + bytes > Self::BYTES {
            *self = Self::default();
        }
        self.bytes += bytes;
    }
}

impl Machine<'_> {
    /// What searches a text for a pattern; the error is Go's message.
    fn regex(&mut self, pattern: &Text, subject: &[u8]) -> Result<Search, Failure> {
        let known = self.pattern(pattern)?;
        let larger = || {
            self.regexes.reserve(LARGEST);
            self.charge(50_000)
        };
        let too_large =
            || Failure::new(format!("error parsing regexp: expression too large: `{}`", pattern.lossy()));
        let regex = known.matcher.program(subject, larger)?.ok_or_else(too_large)?;
        Ok(Search { regex, names: Rc::clone(&known.names) })
    }

    fn pattern(&mut self, pattern: &Text) -> Result<Rc<Pattern>, Failure> {
        if let Some(known) = self.regexes.patterns.get(pattern) {
            return Ok(Rc::clone(known));
        }
        if pattern.len() > self.limits.regex {
            let message = format!("regular expression is longer than {} bytes", self.limits.regex);
            return Err(Failure::limit(Limit::Size, message));
        }
        let read = pattern::read(pattern)
            .map_err(|message| Failure::new(format!("error parsing regexp: {message}")))?;
        self.charge(1_000)?;
        let known = Rc::new(Pattern { matcher: Matcher::new(read.translated), names: read.names.into() });
        self.regexes.reserve(2 * USUAL + DFA);
        self.regexes.patterns.insert(pattern.clone(), Rc::clone(&known));
        Ok(known)
    }
}

/// The forms that panic in Go say which call failed.
fn search(
    machine: &mut Machine<'_>,
    pattern: &Text,
    subject: &[u8],
    panics: bool,
) -> Result<Search, Failure> {
    machine.regex(pattern, subject).map_err(|inner| {
        if panics && inner.limit_hit().is_none() {
            let quoted = if pattern.contains(&b'`') {
                crate::value::convert::quote(pattern)
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
        let Some(hit) = regex.search(&Input::new(text).range(at..)) else { break };
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
    let subject = text(arguments, 1);
    let regex = search(machine, &text(arguments, 0), &subject, panics)?.regex;
    machine.charge(subject.len() as u64 / 8)?;
    let found = matches(&regex, &subject, limit(int(arguments, 2)));
    if found.is_empty() {
        return Ok(Value::nil_slice("[]string"));
    }
    let found =
        found.iter().map(|(start, end)| Text::from(subject.get(*start..*end).unwrap_or(&[]))).collect();
    Ok(Value::texts(found))
}

fn find(machine: &mut Machine<'_>, arguments: &[Value], panics: bool) -> Outcome {
    let subject = text(arguments, 1);
    let regex = search(machine, &text(arguments, 0), &subject, panics)?.regex;
    machine.charge(subject.len() as u64 / 8)?;
    let found = regex.find(&*subject).and_then(|hit| subject.get(hit.range()));
    Ok(Value::text(found.unwrap_or(&[])))
}

fn replace(machine: &mut Machine<'_>, arguments: &[Value], panics: bool, expand: bool) -> Outcome {
    let (subject, template) = (text(arguments, 1), text(arguments, 2));
    let Search { regex, names } = search(machine, &text(arguments, 0), &subject, panics)?;
    machine.charge(subject.len() as u64 / 8)?;
    let mut out = Vec::with_capacity(subject.len());
    let (mut last, mut captures) = (0, regex.create_captures());
    for (start, end) in matches(&regex, &subject, usize::MAX) {
        out.extend_from_slice(subject.get(last..start).unwrap_or(&[]));
        if expand {
            regex.search_captures(&Input::new(&*subject).range(start..), &mut captures);
            let group = |number| captures.get_group(number).and_then(|span| subject.get(span.range()));
            expand_template(&mut out, &template, group, &names);
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
fn expand_template<'t>(
    out: &mut Vec<u8>,
    template: &[u8],
    group: impl Fn(usize) -> Option<&'t [u8]>,
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
        let found = match name.parse::<usize>() {
            Ok(number) if !zeros => group(number),
            // Several groups may have one name: the first that took part counts.
            _ => {
                let mut named = names.iter().enumerate().filter(|(_, known)| **known == name);
                named.find_map(|(index, _)| group(index + 1))
            }
        };
        out.extend_from_slice(found.unwrap_or(&[]));
        rest = body.get(length + usize::from(braced)..).unwrap_or(&[]);
    }
    out.extend_from_slice(rest);
}

fn split(machine: &mut Machine<'_>, arguments: &[Value], panics: bool) -> Outcome {
    let (subject, count) = (text(arguments, 1), int(arguments, 2));
    let regex = search(machine, &text(arguments, 0), &subject, panics)?.regex;
    if count == 0 {
        return Ok(Value::nil_slice("[]string"));
    }
    if !text(arguments, 0).is_empty() && subject.is_empty() {
        return Ok(Value::texts(vec![Text::from("")]));
    }
    let mut parts = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for (start, stop) in matches(&regex, &subject, limit(count)) {
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
