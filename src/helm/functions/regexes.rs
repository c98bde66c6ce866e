//! Regular expressions: RE2 syntax as Go reads it, on bytes, compiled once per render.

use std::rc::Rc;

use regex::bytes::{Regex, RegexBuilder};
use rustc_hash::FxHashMap;

use super::{Function, Outcome, Type, int, text};
use crate::helm::failure::{Failure, Limit};
use crate::helm::template::machine::Machine;
use crate::helm::value::{Text, Value};

use Type::{Int, Text as Str};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("regexMatch", &[Str, Str], |machine, a| {
        Ok(Value::Bool(machine.regex(&text(a, 0)).is_ok_and(|regex| regex.is_match(&text(a, 1)))))
    }),
    Function::new("mustRegexMatch", &[Str, Str], |machine, a| {
        Ok(Value::Bool(must(machine, &text(a, 0))?.is_match(&text(a, 1))))
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

/// Compiled patterns of one render.
#[derive(Default)]
pub(crate) struct RegexCache(FxHashMap<Text, Rc<Regex>>);

impl Machine<'_> {
    /// The compiled pattern; the error is Go's message.
    fn regex(&mut self, pattern: &Text) -> Result<Rc<Regex>, Failure> {
        if let Some(regex) = self.regexes.0.get(pattern) {
            return Ok(Rc::clone(regex));
        }
        if pattern.len() > self.limits.regex {
            let message = format!("regular expression is longer than {} bytes", self.limits.regex);
            return Err(Failure::limit(Limit::Size, message));
        }
        if has_large_repeat(pattern) {
            return Err(Failure::new(format!("error parsing regexp: {}", explain(&pattern.lossy()))));
        }
        let translated = translate(&pattern.lossy());
        let regex =
            RegexBuilder::new(&translated)
                .size_limit(4 << 20)
                .nest_limit(200)
                .build()
                .map(Rc::new)
                .map_err(|_| Failure::new(format!("error parsing regexp: {}", explain(&pattern.lossy()))))?;
        self.regexes.0.insert(pattern.clone(), Rc::clone(&regex));
        Ok(regex)
    }
}

fn must(machine: &mut Machine<'_>, pattern: &Text) -> Result<Rc<Regex>, Failure> {
    machine.regex(pattern)
}

/// The forms that panic in Go say which call failed.
fn compiled(machine: &mut Machine<'_>, pattern: &Text, panics: bool) -> Result<Rc<Regex>, Failure> {
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

/// Rewrites what Go and the regex crate read differently.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut characters = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('d') => out.push_str(if in_class { "0-9" } else { "[0-9]" }),
                Some('D') => out.push_str("[^0-9]"),
                Some('w') => out.push_str(if in_class { "0-9A-Za-z_" } else { "[0-9A-Za-z_]" }),
                Some('W') => out.push_str("[^0-9A-Za-z_]"),
                Some('s') => out.push_str(if in_class { "\\t\\n\\f\\r " } else { "[\\t\\n\\f\\r ]" }),
                Some('S') => out.push_str("[^\\t\\n\\f\\r ]"),
                Some('b') if !in_class => out.push_str("(?-u:\\b)"),
                Some('B') if !in_class => out.push_str("(?-u:\\B)"),
                Some('C') => out.push_str("(?s-u:.)"),
                Some('Q') => {
                    let mut literal = String::new();
                    while let Some(next) = characters.next() {
                        if next == '\\' && characters.peek() == Some(&'E') {
                            characters.next();
                            break;
                        }
                        literal.push(next);
                    }
                    out.push_str(&regex::escape(&literal));
                }
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
                None => out.push('\\'),
            },
            '[' if in_class && characters.peek() != Some(&':') => out.push_str("\\["),
            '[' if in_class => {
                out.push('[');
                for next in characters.by_ref() {
                    out.push(next);
                    if next == ']' {
                        break;
                    }
                }
            }
            '[' => {
                in_class = true;
                out.push('[');
                if characters.peek() == Some(&'^') {
                    characters.next();
                    out.push('^');
                }
                if characters.peek() == Some(&']') {
                    characters.next();
                    out.push_str("\\]");
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(character);
            }
            '-' if in_class && characters.peek() == Some(&'-') => out.push_str("\\-"),
            _ => out.push(character),
        }
    }
    out
}

/// Whether some `{n}` is more than Go allows.
fn has_large_repeat(pattern: &[u8]) -> bool {
    memchr::memchr_iter(b'{', pattern).any(|open| {
        let digits = pattern.get(open + 1..).unwrap_or(&[]);
        let count = digits.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b',').count();
        let text = String::from_utf8_lossy(digits.get(..count).unwrap_or(&[])).into_owned();
        digits.get(count) == Some(&b'}')
            && text.split(',').any(|number| number.parse::<u64>().is_ok_and(|number| number > 1000))
    })
}

/// Go's words for the common mistakes in a pattern.
#[expect(clippy::collapsible_match, reason = "one case per mistake, in the order Go finds them")]
fn explain(pattern: &str) -> String {
    let mut depth = 0_i64;
    let mut characters = pattern.char_indices().peekable();
    let mut previous: Option<char> = None;
    while let Some((index, character)) = characters.next() {
        match character {
            '\\' => match characters.next() {
                None => return "trailing backslash at end of expression: ``".to_owned(),
                Some((_, escaped))
                    if escaped.is_ascii_alphabetic() && !"AzbBdDsSwWpPQEaftnrvxC".contains(escaped) =>
                {
                    return format!("invalid escape sequence: `\\{escaped}`");
                }
                Some((_, escaped)) if matches!(escaped, '1'..='9') => {
                    return format!("invalid escape sequence: `\\{escaped}`");
                }
                Some(_) => {}
            },
            '(' => {
                depth += 1;
                if let Some(rest) = pattern.get(index..)
                    && rest.starts_with("(?")
                    && ["(?=", "(?!", "(?<=", "(?<!"].iter().any(|look| rest.starts_with(look))
                {
                    let shown = if rest.starts_with("(?<") { rest.get(..4) } else { rest.get(..3) };
                    return format!("invalid or unsupported Perl syntax: `{}`", shown.unwrap_or(rest));
                }
            }
            ')' => {
                depth -= 1;
                if depth < 0 {
                    return format!("unexpected ): `{pattern}`");
                }
            }
            '[' => {
                let rest = pattern.get(index..).unwrap_or("");
                let body = rest.get(1..).unwrap_or("");
                let skip = usize::from(body.starts_with('^'));
                let offset =
                    if body.get(skip..).is_some_and(|body| body.starts_with(']')) { skip + 1 } else { skip };
                let Some(close) = body.get(offset..).and_then(|body| body.find(']')) else {
                    return format!("missing closing ]: `{rest}`");
                };
                let inner = body.get(skip..offset + close).unwrap_or("");
                if let Some(range) = bad_range(inner) {
                    return format!("invalid character class range: `{range}`");
                }
                let end = index + 1 + offset + close;
                while characters.peek().is_some_and(|(at, _)| *at <= end) {
                    characters.next();
                }
            }
            '{' => {
                let rest = pattern.get(index..).unwrap_or("");
                let shown = rest.find('}').and_then(|close| rest.get(..=close)).unwrap_or("");
                let large = shown
                    .trim_matches(['{', '}'])
                    .split(',')
                    .any(|number| number.parse::<u64>().is_ok_and(|number| number > 1000));
                if large {
                    return format!("invalid repeat count: `{shown}`");
                }
            }
            '*' | '+' | '?' if previous.is_none() || matches!(previous, Some('(' | '|')) => {
                if !(character == '?' && previous == Some('(')) {
                    return format!("missing argument to repetition operator: `{character}`");
                }
            }
            '*' | '+' if matches!(previous, Some('*' | '+')) => {
                let shown = pattern.get(index - 1..=index).unwrap_or("");
                return format!("invalid nested repetition operator: `{shown}`");
            }
            _ => {}
        }
        previous = Some(character);
    }
    if depth > 0 {
        return format!("missing closing ): `{pattern}`");
    }
    format!("invalid regular expression: `{pattern}`")
}

fn bad_range(class: &str) -> Option<String> {
    let characters: Vec<char> = class.chars().collect();
    characters.windows(3).find_map(|window| match window {
        [low, '-', high] if low > high => Some(format!("{low}-{high}")),
        _ => None,
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
    let found = matches(&regex, &subject, limit(int(arguments, 2)));
    let found =
        found.iter().map(|(start, end)| Text::from(subject.get(*start..*end).unwrap_or(&[]))).collect();
    Ok(Value::texts(found))
}

fn find(machine: &mut Machine<'_>, arguments: &[Value], panics: bool) -> Outcome {
    let regex = compiled(machine, &text(arguments, 0), panics)?;
    let subject = text(arguments, 1);
    machine.charge(subject.len() as u64 / 8)?;
    Ok(Value::text(regex.find(&subject).map_or(&[][..], |hit| hit.as_bytes())))
}

fn replace(machine: &mut Machine<'_>, arguments: &[Value], panics: bool, expand: bool) -> Outcome {
    let regex = compiled(machine, &text(arguments, 0), panics)?;
    let (subject, template) = (text(arguments, 1), text(arguments, 2));
    machine.charge(subject.len() as u64 / 8)?;
    let mut out = Vec::with_capacity(subject.len());
    let mut last = 0;
    for (start, end) in matches(&regex, &subject, usize::MAX) {
        out.extend_from_slice(subject.get(last..start).unwrap_or(&[]));
        if expand {
            if let Some(captures) = regex.captures_at(&subject, start) {
                expand_template(&mut out, &template, &captures);
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
fn expand_template(out: &mut Vec<u8>, template: &[u8], captures: &regex::bytes::Captures<'_>) {
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
        let group = match name.parse::<usize>() {
            Ok(number) => captures.get(number),
            Err(_) => captures.name(&name),
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
        return Ok(Value::texts(Vec::new()));
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
