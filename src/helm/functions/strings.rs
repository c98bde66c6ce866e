//! Functions on strings: byte based where Go's are, by rune where Go's are. No state.

#![expect(clippy::unnecessary_wraps, reason = "every function of the tables has one signature")]

use super::{Function, Outcome, Type, int, strval, text, value};
use crate::failure::{Failure, Limit};
use crate::template::format;
use crate::template::machine::Machine;
use crate::value::{Text, Value, convert};

use Type::{Any, Int, Text as Str};

mod words;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("hello", &[], |_, _| Ok(Value::text("Hello!"))),
    Function::new("trim", &[Str], |_, a| Ok(Value::text(trim_space(&text(a, 0))))),
    Function::new("trimAll", &[Str, Str], |_, a| Ok(Value::text(trim_set(&text(a, 1), &text(a, 0))))),
    Function::new("trimall", &[Str, Str], |_, a| Ok(Value::text(trim_set(&text(a, 1), &text(a, 0))))),
    Function::new("trimSuffix", &[Str, Str], |_, a| {
        let whole = text(a, 1);
        Ok(Value::text(whole.strip_suffix(text(a, 0).bytes()).unwrap_or(&whole)))
    }),
    Function::new("trimPrefix", &[Str, Str], |_, a| {
        let whole = text(a, 1);
        Ok(Value::text(whole.strip_prefix(text(a, 0).bytes()).unwrap_or(&whole)))
    }),
    Function::new("upper", &[Str], |_, a| Ok(Value::text(map_runes(&text(a, 0), upper)))),
    Function::new("lower", &[Str], |_, a| Ok(Value::text(map_runes(&text(a, 0), lower)))),
    Function::new("title", &[Str], |_, a| Ok(Value::text(words::title(&text(a, 0).lossy())))),
    Function::new("untitle", &[Str], |_, a| Ok(Value::text(words::untitle(&text(a, 0).lossy())))),
    Function::new("repeat", &[Int, Str], repeat),
    Function::new("substr", &[Int, Int, Str], substr),
    Function::new("nospace", &[Str], |_, a| {
        Ok(Value::text(text(a, 0).lossy().chars().filter(|c| !is_space(*c)).collect::<String>()))
    }),
    Function::new("trunc", &[Int, Str], |_, a| Ok(Value::text(trunc(int(a, 0), &text(a, 1))))),
    Function::new("abbrev", &[Int, Str], |_, a| {
        Ok(Value::text(words::abbreviate(&text(a, 1), 0, int(a, 0))))
    }),
    Function::new("abbrevboth", &[Int, Int, Str], |_, a| {
        let (left, right) = (int(a, 0), int(a, 1));
        if right < 4 || left > 0 && right < 7 {
            return Ok(value(a, 2));
        }
        Ok(Value::text(words::abbreviate(&text(a, 2), left, right)))
    }),
    Function::new("initials", &[Str], |_, a| Ok(Value::text(words::initials(&text(a, 0))))),
    Function::new("wrap", &[Int, Str], |_, a| {
        Ok(Value::text(words::wrap(&text(a, 1), int(a, 0), b"\n", false)))
    }),
    Function::new("wrapWith", &[Int, Str, Str], |_, a| {
        Ok(Value::text(words::wrap(&text(a, 2), int(a, 0), &text(a, 1), true)))
    }),
    Function::new("contains", &[Str, Str], |_, a| {
        Ok(Value::Bool(memchr::memmem::find(&text(a, 1), &text(a, 0)).is_some()))
    }),
    Function::new("hasPrefix", &[Str, Str], |_, a| Ok(Value::Bool(text(a, 1).starts_with(&text(a, 0))))),
    Function::new("hasSuffix", &[Str, Str], |_, a| Ok(Value::Bool(text(a, 1).ends_with(&text(a, 0))))),
    Function::variadic("quote", &[Any], quote),
    Function::variadic("squote", &[Any], squote),
    Function::variadic("cat", &[Any], cat),
    Function::new("indent", &[Int, Str], |machine, a| indent(machine, a, b"")),
    Function::new("nindent", &[Int, Str], |machine, a| indent(machine, a, b"\n")),
    Function::new("replace", &[Str, Str, Str], replace),
    Function::new("plural", &[Str, Str, Int], |_, a| Ok(value(a, usize::from(int(a, 2) != 1)))),
    Function::new("snakecase", &[Str], |_, a| Ok(Value::text(words::separated(&text(a, 0).lossy(), '_')))),
    Function::new("kebabcase", &[Str], |_, a| Ok(Value::text(words::separated(&text(a, 0).lossy(), '-')))),
    Function::new("camelcase", &[Str], |_, a| Ok(Value::text(words::camel(&text(a, 0).lossy())))),
    Function::new("swapcase", &[Str], |_, a| Ok(Value::text(words::swap_case(&text(a, 0).lossy())))),
    Function::new("toString", &[Any], |machine, a| Ok(Value::Text(strval(&value(a, 0), machine.v3())))),
];

/// Go's `unicode.IsSpace`.
pub(crate) fn is_space(character: char) -> bool {
    matches!(character, '\t'..='\r' | ' ' | '\u{85}' | '\u{A0}' | '\u{1680}' | '\u{2000}'..='\u{200A}'
        | '\u{2028}' | '\u{2029}' | '\u{202F}' | '\u{205F}' | '\u{3000}')
}

/// Go's `strings.TrimSpace`.
pub(crate) fn trim_space(text: &[u8]) -> &[u8] {
    let space = |byte: &u8| matches!(byte, b'\t'..=b'\r' | b' ');
    let start = text.iter().position(|byte| !space(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !space(byte)).map_or(start, |last| last + 1);
    match text.get(start..end).unwrap_or(&[]) {
        // There are more spaces beyond ASCII.
        trimmed @ ([0x80..=0xFF, ..] | [.., 0x80..=0xFF]) => trim_where(trimmed, is_space),
        trimmed => trimmed,
    }
}

/// Takes off runes at both ends; invalid bytes count as U+FFFD.
fn trim_where(text: &[u8], drop: impl Fn(char) -> bool) -> &[u8] {
    let mut start = 0;
    while start < text.len() {
        let (character, width) = decode_rune(text.get(start..).unwrap_or(&[]));
        if !drop(character) {
            break;
        }
        start += width;
    }
    let mut end = text.len();
    while end > start {
        let (character, width) = decode_last(text.get(start..end).unwrap_or(&[]));
        if !drop(character) {
            break;
        }
        end -= width;
    }
    text.get(start..end).unwrap_or(&[])
}

/// The first rune and its width; an invalid byte is U+FFFD of width 1.
pub(super) fn decode_rune(text: &[u8]) -> (char, usize) {
    let head = text.get(..text.len().min(4)).unwrap_or(&[]);
    let valid = match std::str::from_utf8(head) {
        Ok(valid) => valid,
        Err(error) => std::str::from_utf8(head.get(..error.valid_up_to()).unwrap_or(&[])).unwrap_or(""),
    };
    valid.chars().next().map_or(('\u{FFFD}', 1), |character| (character, character.len_utf8()))
}

fn decode_last(text: &[u8]) -> (char, usize) {
    for width in 1..=text.len().min(4) {
        let tail = text.get(text.len() - width..).unwrap_or(&[]);
        if let Ok(tail) = std::str::from_utf8(tail)
            && let Some(character) = tail.chars().next()
        {
            return (character, width);
        }
    }
    ('\u{FFFD}', 1)
}

fn trim_set(text: &[u8], set: &[u8]) -> Vec<u8> {
    let set: Vec<char> = String::from_utf8_lossy(set).chars().collect();
    trim_where(text, |character| set.contains(&character)).to_vec()
}

fn upper(character: char, out: &mut String) {
    let mut changed = character.to_uppercase();
    // Go maps rune by rune: a rune that would become several stays.
    match (changed.next(), changed.next()) {
        (Some(single), None) => out.push(single),
        _ => out.push(character),
    }
}

fn lower(character: char, out: &mut String) {
    let mut changed = character.to_lowercase();
    match (changed.next(), changed.next()) {
        (Some(single), None) => out.push(single),
        (Some(first), Some(_)) => out.push(first),
        _ => out.push(character),
    }
}

fn map_runes(text: &[u8], change: fn(char, &mut String)) -> Vec<u8> {
    if text.is_ascii() {
        let mut sample = String::new();
        change('a', &mut sample);
        return if sample == "A" { text.to_ascii_uppercase() } else { text.to_ascii_lowercase() };
    }
    let mut out = String::with_capacity(text.len());
    for character in String::from_utf8_lossy(text).chars() {
        change(character, &mut out);
    }
    out.into_bytes()
}

fn repeat(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let (count, text) = (int(arguments, 0), text(arguments, 1));
    let Ok(count) = usize::try_from(count) else {
        return Err("strings: negative Repeat count".into());
    };
    let size = count.saturating_mul(text.len());
    if i64::try_from(size).is_err() {
        return Err("strings: Repeat output length overflow".into());
    }
    if size > machine.limits.bytes {
        return Err(Failure::limit(Limit::Size, format!("repeat makes {size} bytes")));
    }
    machine.charge_bytes(size)?;
    Ok(Value::text(text.repeat(count)))
}

fn substr(_: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let (start, end, text) = (int(arguments, 0), int(arguments, 1), text(arguments, 2));
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let (from, to) = if start < 0 {
        (0, end)
    } else if end < 0 || end > length {
        (start, length)
    } else {
        (start, end)
    };
    let cut =
        usize::try_from(from).ok().zip(usize::try_from(to).ok()).and_then(|(from, to)| text.get(from..to));
    match cut {
        Some(cut) => Ok(Value::text(cut)),
        None if to < 0 || to > length => Err(Failure::new(format!(
            "runtime error: slice bounds out of range [:{to}]{}",
            with_length(to, length)
        ))),
        None => Err(Failure::new(format!("runtime error: slice bounds out of range [{from}:{to}]"))),
    }
}

fn with_length(end: i64, length: i64) -> String {
    if end < 0 { String::new() } else { format!(" with length {length}") }
}

/// sprig's `trunc`: from the front, or from the back for a negative count.
pub(super) fn trunc(count: i64, text: &[u8]) -> Vec<u8> {
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    if count < 0 {
        let from = length.saturating_add(count);
        if from > 0 {
            return text.get(usize::try_from(from).unwrap_or(0)..).unwrap_or(text).to_vec();
        }
    } else if length > count {
        return text.get(..usize::try_from(count).unwrap_or(0)).unwrap_or(text).to_vec();
    }
    text.to_vec()
}

fn quote(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let mut out = String::new();
    for value in arguments.iter().filter(|value| !matches!(value, Value::Nil)) {
        if !out.is_empty() {
            out.push(' ');
        }
        convert::push_quote(&mut out, &strval(value, machine.v3()), '"', false);
    }
    Ok(Value::text(out))
}

fn squote(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let shown: Vec<Vec<u8>> = arguments
        .iter()
        .filter(|value| !matches!(value, Value::Nil))
        .map(|value| [b"'".as_slice(), &format::display(value, machine.v3()), b"'"].concat())
        .collect();
    Ok(Value::text(shown.join(b" ".as_slice())))
}

fn cat(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let shown: Vec<Vec<u8>> = arguments
        .iter()
        .filter(|value| !matches!(value, Value::Nil))
        .map(|value| format::display(value, machine.v3()))
        .collect();
    Ok(Value::text(shown.join(b" ".as_slice())))
}

fn indent(machine: &mut Machine<'_>, arguments: &[Value], prefix: &[u8]) -> Outcome {
    let (spaces, text) = (int(arguments, 0), text(arguments, 1));
    let Ok(spaces) = usize::try_from(spaces) else {
        return Err("strings: negative Repeat count".into());
    };
    let lines = memchr::memchr_iter(b'\n', &text).count() + 1;
    let size = text.len() + spaces.saturating_mul(lines) + prefix.len();
    if size > machine.limits.bytes {
        return Err(Failure::limit(Limit::Size, format!("indent makes {size} bytes")));
    }
    machine.charge_bytes(size)?;
    let mut out = Vec::with_capacity(size);
    out.extend_from_slice(prefix);
    let mut from = 0;
    for end in memchr::memchr_iter(b'\n', &text).map(|end| end + 1).chain([text.len()]) {
        out.resize(out.len() + spaces, b' ');
        out.extend_from_slice(text.get(from..end).unwrap_or(&[]));
        from = end;
    }
    Ok(Value::text(out))
}

/// Go's `strings.Replace` of all occurrences.
pub(super) fn replace_all(text: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    if old.is_empty() {
        let mut index = 0;
        while index < text.len() {
            let (_, width) = decode_rune(text.get(index..).unwrap_or(&[]));
            out.extend_from_slice(new);
            out.extend_from_slice(text.get(index..index + width).unwrap_or(&[]));
            index += width;
        }
        out.extend_from_slice(new);
        return out;
    }
    let mut from = 0;
    for found in memchr::memmem::find_iter(text, old) {
        out.extend_from_slice(text.get(from..found).unwrap_or(&[]));
        out.extend_from_slice(new);
        from = found + old.len();
    }
    out.extend_from_slice(text.get(from..).unwrap_or(&[]));
    out
}

fn replace(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let replaced = replace_all(&text(arguments, 2), &text(arguments, 0), &text(arguments, 1));
    machine.charge_bytes(replaced.len())?;
    Ok(Value::Text(Text::from(replaced)))
}
