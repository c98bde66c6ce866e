//! Addresses of the internet: IP addresses as Go's net/netip reads them, host names, e-mail.

use super::{Check, integer, no, quoted};
use crate::value::convert::quote;

pub(super) fn version_4(text: &str) -> Check {
    let groups: Vec<&str> = text.split('.').collect();
    if groups.len() != 4 {
        return no("expected four decimals");
    }
    for group in groups {
        if group.len() > 1 && group.starts_with('0') {
            return no("leading zeros");
        }
        if !(0..=255).contains(&integer(group)?) {
            return no("decimal must be between 0 and 255");
        }
    }
    Ok(())
}

pub(super) fn version_6(text: &str) -> Check {
    if !text.contains(':') {
        return no("missing colon");
    }
    parse(text)?;
    if text.contains('%') { no("zone id is not a part of ipv6 address") } else { Ok(()) }
}

/// Reads an IP address of either version.
pub(in super::super) fn parse(text: &str) -> Check {
    let complain = |message: &str, at: &str| {
        let at = if at.is_empty() { String::new() } else { format!(" (at {})", quote(at.as_bytes())) };
        Err(format!("ParseAddr({}): {message}{at}", quote(text.as_bytes())))
    };
    let outcome = match text.bytes().find(|byte| matches!(byte, b'.' | b':' | b'%')) {
        Some(b'.') => fields(text),
        Some(b':') => groups(text),
        Some(_) => Err(("missing IPv6 address", "")),
        None => Err(("unable to parse IP", "")),
    };
    outcome.or_else(|(message, at)| complain(message, at))
}

/// What is wrong, and from where on.
type Parsed<'t> = Result<(), (&'static str, &'t str)>;

/// Four decimals.
fn fields(text: &str) -> Parsed<'_> {
    let bytes = text.as_bytes();
    let (mut value, mut digits, mut position) = (0_u32, 0, 0);
    for (index, byte) in bytes.iter().enumerate() {
        let rest = text.get(index..).unwrap_or("");
        match byte {
            b'0'..=b'9' => {
                if digits == 1 && value == 0 {
                    return Err(("IPv4 field has octet with leading zero", ""));
                }
                value = value * 10 + u32::from(byte - b'0');
                digits += 1;
                if value > 255 {
                    return Err(("IPv4 field has value >255", ""));
                }
            }
            b'.' => {
                let before = index.checked_sub(1).and_then(|before| bytes.get(before));
                if before.is_none_or(|before| *before == b'.') || index + 1 == bytes.len() {
                    return Err(("IPv4 field must have at least one digit", rest));
                }
                if position == 3 {
                    return Err(("IPv4 address too long", ""));
                }
                position += 1;
                (value, digits) = (0, 0);
            }
            _ => return Err(("unexpected character", rest)),
        }
    }
    if position < 3 { Err(("IPv4 address too short", "")) } else { Ok(()) }
}

/// Groups of hexadecimal digits between colons.
fn groups(text: &str) -> Parsed<'_> {
    let mut rest = match text.split_once('%') {
        Some((_, "")) => return Err(("zone must be a non-empty string", "")),
        Some((address, _)) => address,
        None => text,
    };
    let mut ellipsis = None;
    if let Some(after) = rest.strip_prefix("::") {
        (ellipsis, rest) = (Some(0), after);
        if rest.is_empty() {
            return Ok(());
        }
    }
    // Bytes of the address so far.
    let mut length = 0;
    while length < 16 {
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        if digits > 4 {
            return Err(("each group must have 4 or less digits", rest));
        }
        if digits == 0 {
            return Err(("each colon-separated field must have at least one digit", rest));
        }
        if rest.as_bytes().get(digits) == Some(&b'.') {
            if ellipsis.is_none() && length != 12 {
                return Err(("embedded IPv4 address must replace the final 2 fields of the address", rest));
            }
            if length + 4 > 16 {
                return Err(("too many hex fields to fit an embedded IPv4 at the end of the address", rest));
            }
            fields(rest)?;
            (rest, length) = ("", length + 4);
            break;
        }
        length += 2;
        rest = rest.get(digits..).unwrap_or("");
        if rest.is_empty() {
            break;
        }
        let Some(after) = rest.strip_prefix(':') else {
            return Err(("unexpected character, want colon", rest));
        };
        if after.is_empty() {
            return Err(("colon must be followed by more characters", rest));
        }
        rest = after;
        if let Some(after) = rest.strip_prefix(':') {
            if ellipsis.is_some() {
                return Err(("multiple :: in address", rest));
            }
            (ellipsis, rest) = (Some(length), after);
            if rest.is_empty() {
                break;
            }
        }
    }
    match (rest.is_empty(), length < 16, ellipsis) {
        (false, ..) => Err(("trailing garbage after address", rest)),
        (true, true, None) => Err(("address string too short", "")),
        (true, false, Some(_)) => Err(("the :: must expand to at least one field of zeros", "")),
        _ => Ok(()),
    }
}

pub(super) fn host(text: &str) -> Check {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.len() > 253 {
        return no("more than 253 characters long");
    }
    for label in text.split('.') {
        if label.is_empty() || label.len() > 63 {
            return no("label must be 1 to 63 characters long");
        }
        if label.starts_with('-') {
            return no("label starts with hyphen");
        }
        if label.ends_with('-') {
            return no("label ends with hyphen");
        }
        let stranger =
            label.chars().find(|character| !character.is_ascii_alphanumeric() && *character != '-');
        if let Some(character) = stranger {
            return Err(format!("invalid character {}", quoted(character)));
        }
    }
    Ok(())
}

pub(super) fn email(text: &str, old: bool) -> Check {
    if text.len() > 254 {
        return no("more than 255 characters long");
    }
    let Some((local, domain)) = text.rsplit_once('@') else { return no("missing @") };
    if local.len() > 64 {
        return no("local part more than 64 characters long");
    }
    local_part(local, old)?;
    let Some(address) = domain.strip_prefix('[').and_then(|domain| domain.strip_suffix(']')) else {
        return host(domain).map_err(|message| format!("invalid domain: {message}"));
    };
    match address.strip_prefix("IPv6:") {
        Some(address) => version_6(address).map_err(|message| format!("invalid ipv6 address: {message}")),
        None => version_4(address).map_err(|message| format!("invalid ipv4 address: {message}")),
    }
}

fn local_part(local: &str, old: bool) -> Check {
    // The older library did not look for the second quote.
    if local.len() > 1 && local.starts_with('"') && (old || local.ends_with('"')) {
        let mut inner = local.chars();
        inner.next();
        inner.next_back();
        let stranger = inner.as_str().contains(['\\', '"']);
        return if stranger {
            no("backslash and quote are not allowed within quoted local part")
        } else {
            Ok(())
        };
    }
    if local.starts_with('.') {
        return no("starts with dot");
    }
    if local.ends_with('.') {
        return no("ends with dot");
    }
    if local.contains("..") {
        return no("consecutive dots");
    }
    let stranger = local
        .chars()
        .find(|character| !character.is_ascii_alphanumeric() && !".!#$%&'*+-/=?^_`{|}~".contains(*character));
    match stranger {
        Some(character) => Err(format!("invalid character {}", quoted(character))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn addresses_are_read_as_by_go() {
        for text in ["::", "1::", "::1", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4", "fe80::1%eth0", "1.2.3.4"] {
            assert_eq!(parse(text), Ok(()), "{text}");
        }
        for (text, expected) in [
            (
                "1::x",
                "ParseAddr(\"1::x\"): each colon-separated field must have at least one digit (at \"x\")",
            ),
            ("1:2:3", "ParseAddr(\"1:2:3\"): address string too short"),
            ("1::2::3", "ParseAddr(\"1::2::3\"): multiple :: in address (at \":3\")"),
            ("::1.2.3", "ParseAddr(\"::1.2.3\"): IPv4 address too short"),
            ("12345::", "ParseAddr(\"12345::\"): each group must have 4 or less digits (at \"12345::\")"),
            ("x", "ParseAddr(\"x\"): unable to parse IP"),
        ] {
            assert_eq!(parse(text), Err(expected.to_owned()));
        }
    }
}
