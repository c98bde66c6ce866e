//! Small encodings and checksums that need no crate. Pure functions.

/// Base32 with padding.
pub(super) fn base32_encode(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut out = String::new();
    for chunk in bytes.chunks(5) {
        let mut block = [0; 5];
        for (slot, byte) in block.iter_mut().zip(chunk) {
            *slot = *byte;
        }
        let bits = block.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let used = (chunk.len() * 8).div_ceil(5);
        for index in 0..8 {
            let digit = usize::try_from(bits >> (35 - index * 5) & 31).unwrap_or(0);
            out.push(if index < used { char::from(*ALPHABET.get(digit).unwrap_or(&b'A')) } else { '=' });
        }
    }
    out
}

/// Base32 back to bytes, or Go's message.
pub(super) fn base32_decode(text: &[u8]) -> Vec<u8> {
    let illegal = |offset: usize| format!("illegal base32 data at input byte {offset}").into_bytes();
    let clean: Vec<(usize, u8)> =
        text.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).enumerate().collect();
    let mut out = Vec::new();
    for block in clean.chunks(8) {
        if block.len() < 8 {
            let bad = block
                .iter()
                .find(|(_, byte)| digit32(*byte).is_none())
                .map_or(clean.len(), |(index, _)| *index);
            return illegal(bad);
        }
        let digits: Vec<u64> = block.iter().map_while(|(_, byte)| digit32(*byte)).collect();
        let padded = block.iter().skip(digits.len()).all(|(_, byte)| *byte == b'=');
        if !padded || !matches!(digits.len(), 2 | 4 | 5 | 7 | 8) {
            return illegal(block.get(digits.len()).map_or(clean.len(), |(index, _)| *index));
        }
        let bits = (0..8).fold(0_u64, |bits, index| bits << 5 | digits.get(index).copied().unwrap_or(0));
        let bytes = bits.to_be_bytes();
        out.extend_from_slice(bytes.get(3..3 + digits.len() * 5 / 8).unwrap_or(&[]));
    }
    out
}

fn digit32(byte: u8) -> Option<u64> {
    match byte {
        b'A'..=b'Z' => Some(u64::from(byte - b'A')),
        b'2'..=b'7' => Some(u64::from(byte - b'2') + 26),
        _ => None,
    }
}

/// Base64 that a strict decoder refused: Go ignores the bits that do not fit. The error is the
/// offset that Go names.
pub(super) fn base64_lenient(text: &[u8]) -> Result<Vec<u8>, usize> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        b'a'..=b'z' => Some(u32::from(byte - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut out = Vec::new();
    let mut group: Vec<u32> = Vec::with_capacity(4);
    let mut bytes = text.iter().copied().enumerate().filter(|(_, byte)| !matches!(byte, b'\n' | b'\r'));
    while let Some((offset, byte)) = bytes.next() {
        if let Some(digit) = value(byte) {
            group.push(digit);
            if group.len() == 4 {
                flush(&mut group, &mut out);
            }
            continue;
        }
        if byte != b'=' || group.len() < 2 {
            return Err(offset);
        }
        if group.len() == 2 {
            match bytes.next() {
                Some((_, b'=')) => {}
                Some((offset, _)) => return Err(offset),
                None => return Err(text.len()),
            }
        }
        flush(&mut group, &mut out);
        return match bytes.next() {
            None => Ok(out),
            Some((offset, _)) => Err(offset),
        };
    }
    if group.is_empty() { Ok(out) } else { Err(text.len() - group.len()) }
}

fn flush(group: &mut Vec<u32>, out: &mut Vec<u8>) {
    let count = group.len().saturating_sub(1);
    let bits = (0..4).fold(0, |bits, index| bits << 6 | group.get(index).copied().unwrap_or(0));
    out.extend_from_slice(bits.to_be_bytes().get(1..1 + count).unwrap_or(&[]));
    group.clear();
}

/// The Adler-32 checksum.
pub(super) fn adler32(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in bytes {
        low = (low + u32::from(*byte)) % 65521;
        high = (high + low) % 65521;
    }
    high << 16 | low
}

/// SHA-1, for charts that still name things by it.
#[expect(clippy::many_single_char_names, reason = "the names of the standard")]
pub(super) fn sha1(bytes: &[u8]) -> [u8; 20] {
    let mut state = [0x6745_2301_u32, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];
    let mut padded = bytes.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend_from_slice(&(bytes.len() as u64).wrapping_mul(8).to_be_bytes());
    for block in padded.chunks_exact(64) {
        let mut words = [0_u32; 80];
        for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
            *word = bytes.iter().fold(0, |word, byte| word << 8 | u32::from(*byte));
        }
        for index in 16..80 {
            words[index] =
                (words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16]).rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (index, word) in words.iter().enumerate() {
            let (mix, constant) = match index {
                0..20 => ((b & c) | (!b & d), 0x5A82_7999),
                20..40 => (b ^ c ^ d, 0x6ED9_EBA1),
                40..60 => ((b & c) | (b & d) | (c & d), 0x8F1B_BCDC),
                _ => (b ^ c ^ d, 0xCA62_C1D6_u32),
            };
            let next =
                a.rotate_left(5).wrapping_add(mix).wrapping_add(e).wrapping_add(constant).wrapping_add(*word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        }
        for (slot, value) in state.iter_mut().zip([a, b, c, d, e]) {
            *slot = slot.wrapping_add(value);
        }
    }
    let mut out = [0; 20];
    for (slot, byte) in out.iter_mut().zip(state.iter().flat_map(|word| word.to_be_bytes())) {
        *slot = byte;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{adler32, base32_decode, base32_encode, base64_lenient, sha1};
    use crate::functions::encoding::hex;

    #[test]
    fn known_answers() {
        assert_eq!(hex(&sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(adler32(b"Wikipedia"), 0x11E6_0398);
        assert_eq!(base32_encode(b"foobar"), "MZXW6YTBOI======");
        assert_eq!(base32_decode(b"MZXW6YTBOI======"), b"foobar");
        assert_eq!(base64_lenient(b"a"), Err(0));
        assert_eq!(base64_lenient(b"aGk="), Ok(b"hi".to_vec()));
    }
}
