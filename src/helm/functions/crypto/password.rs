//! bcrypt, the master password algorithm, and AES of strings. Pure functions.

use aes::cipher::{Block, BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac as _;

/// bcrypt of cost 10, as `htpasswd` files have it.
pub(super) fn bcrypt(password: &[u8], salt: [u8; 16]) -> String {
    const COST: u32 = 10;
    let mut key = password.get(..password.len().min(72)).unwrap_or(password).to_vec();
    key.push(0);
    let mut state = blowfish::Blowfish::bc_init_state();
    state.salted_expand_key(&salt, &key);
    for _ in 0..1_u32 << COST {
        state.bc_expand_key(&key);
        state.bc_expand_key(&salt);
    }
    let mut words = *b"OrpheanBeholderScryDoubt";
    for block in words.chunks_exact_mut(8) {
        let (left, right) = block.split_at(4);
        let word = |bytes: &[u8]| bytes.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
        let mut pair = [word(left), word(right)];
        for _ in 0..64 {
            pair = state.bc_encrypt(pair);
        }
        for (slot, byte) in block.iter_mut().zip(pair.iter().flat_map(|word| word.to_be_bytes())) {
            *slot = byte;
        }
    }
    let hash = words.get(..23).unwrap_or(&words);
    format!("$2a${COST}${}{}", radix64(&salt), radix64(hash))
}

fn radix64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            (0..3).fold(0_u32, |bits, index| bits << 8 | u32::from(chunk.get(index).copied().unwrap_or(0)));
        for index in 0..=chunk.len() {
            let digit = usize::try_from(bits >> (18 - 6 * index) & 63).unwrap_or(0);
            out.push(char::from(ALPHABET.get(digit).copied().unwrap_or(b'.')));
        }
    }
    out
}

/// The templates of a kind of password.
fn templates(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        "long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        "medium" => &["CvcnoCvc", "CvcCvcno"],
        "short" => &["Cvcn"],
        "basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        "pin" => &["nnnn"],
        _ => return None,
    })
}

fn characters(class: u8) -> &'static [u8] {
    match class {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'A' => b"AEIOUBCDFGHJKLMNPQRSTVWXYZ",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

/// The master password algorithm.
pub(super) fn derive(counter: u32, kind: &str, password: &[u8], user: &[u8], site: &[u8]) -> String {
    const SEED: &[u8] = b"com.lyndir.masterpassword";
    let Some(templates) = templates(kind) else {
        return format!("cannot find password template {kind}");
    };
    let length = |text: &[u8]| u32::try_from(text.len()).unwrap_or(0).to_be_bytes();
    let salt = [SEED, &length(user), user].concat();
    let mut key = [0; 64];
    let derived = scrypt::Params::new(15, 8, 2).map_err(|error| error.to_string()).and_then(|params| {
        scrypt::scrypt(password, &salt, &params, &mut key).map_err(|error| error.to_string())
    });
    if let Err(error) = derived {
        return format!("failed to derive password: {error}");
    }
    let message = [SEED, &length(site), site, &counter.to_be_bytes()].concat();
    let Ok(mut mac) = <hmac::Hmac<sha2::Sha256> as hmac::KeyInit>::new_from_slice(&key) else {
        return "failed to derive password: key length".to_owned();
    };
    mac.update(&message);
    let seed = mac.finalize().into_bytes();
    let pick = |index: usize| usize::from(seed.get(index).copied().unwrap_or(0));
    let template = templates.get(pick(0) % templates.len()).copied().unwrap_or("");
    template
        .bytes()
        .enumerate()
        .map(|(index, class)| {
            let set = characters(class);
            char::from(set.get(pick(index + 1) % set.len()).copied().unwrap_or(b'?'))
        })
        .collect()
}

fn cipher(password: &[u8]) -> aes::Aes256 {
    let mut key = [0; 32];
    for (slot, byte) in key.iter_mut().zip(password) {
        *slot = *byte;
    }
    aes::Aes256::new(&key.into())
}

/// AES-256 in CBC mode, the start vector in front, in base64; nothing for an empty text.
pub(super) fn encrypt(password: &[u8], plain: &[u8], start: [u8; 16]) -> String {
    if plain.is_empty() {
        return String::new();
    }
    let cipher = cipher(password);
    let padding = 16 - plain.len() % 16;
    let mut padded = plain.to_vec();
    padded.resize(plain.len() + padding, u8::try_from(padding).unwrap_or(16));
    let mut out = start.to_vec();
    let mut previous = start;
    for chunk in padded.chunks_exact(16) {
        let mixed: [u8; 16] = std::array::from_fn(|index| {
            chunk.get(index).copied().unwrap_or(0) ^ previous.get(index).copied().unwrap_or(0)
        });
        let mut block = Block::<aes::Aes256>::from(mixed);
        cipher.encrypt_block(&mut block);
        previous = block.into();
        out.extend_from_slice(&previous);
    }
    STANDARD.encode(out)
}

/// What [`encrypt`] made, back to text; the error is Go's message.
pub(super) fn decrypt(password: &[u8], encoded: &[u8]) -> Result<Vec<u8>, String> {
    if encoded.is_empty() {
        return Ok(Vec::new());
    }
    let sealed = STANDARD.decode(encoded).map_err(|_| {
        format!("illegal base64 data at input byte {}", encoded.len().saturating_sub(encoded.len() % 4))
    })?;
    let Some((start, body)) = sealed.split_at_checked(16) else {
        return Err("runtime error: slice bounds out of range".to_owned());
    };
    if body.is_empty() || body.len() % 16 != 0 {
        return Err("crypto/cipher: input not full blocks".to_owned());
    }
    let cipher = cipher(password);
    let mut out = Vec::with_capacity(body.len());
    let mut previous = start;
    for chunk in body.chunks_exact(16) {
        let bytes: [u8; 16] = std::array::from_fn(|index| chunk.get(index).copied().unwrap_or(0));
        let mut block = Block::<aes::Aes256>::from(bytes);
        cipher.decrypt_block(&mut block);
        out.extend(block.iter().zip(previous).map(|(left, right)| left ^ right));
        previous = chunk;
    }
    let padding = usize::from(out.last().copied().unwrap_or(0));
    if padding > out.len() {
        return Err("runtime error: slice bounds out of range".to_owned());
    }
    out.truncate(out.len() - padding);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{bcrypt, decrypt, derive, encrypt};

    #[test]
    fn known_answers() {
        let salt =
            [0x71, 0xd7, 0x9f, 0x82, 0x18, 0xa3, 0x92, 0x59, 0xa7, 0xa2, 0x9a, 0xab, 0xb2, 0xdb, 0xaf, 0xc3];
        assert_eq!(
            bcrypt(b"abc", salt).get(..29),
            Some("$2a$10$abcdefghijklmnopqrstuu".get(..29).expect("text"))
        );
        assert_eq!(derive(1, "long", b"password", b"user", b"example.com"), "ZedaFaxcZaso9*");
        let sealed = encrypt(b"k", b"plain", [1; 16]);
        assert_eq!(decrypt(b"k", sealed.as_bytes()), Ok(b"plain".to_vec()));
    }
}
