//! Content addresses: public SHA-256 digests, and keyed fingerprints that tell that a value changed without
//! telling what it is.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest, printed as `sha256:<64 hex>`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of parts, each preceded by its length so that moving a boundary changes the digest.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut builder = DigestBuilder::default();
        for part in parts {
            builder.add(part);
        }
        builder.finish()
    }

    /// The first twelve hex digits: enough for people to tell two apart.
    pub fn short(&self) -> String {
        hex(&self.0[..6])
    }

    /// All sixty-four hex digits, without the algorithm's name.
    pub fn hex(&self) -> String {
        hex(&self.0)
    }
}

/// Collects length-prefixed parts into one [`Digest`].
#[derive(Default)]
pub struct DigestBuilder(Sha256);

impl DigestBuilder {
    /// Adds one part.
    pub fn add(&mut self, part: &[u8]) -> &mut Self {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    /// The digest of all parts added.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Why a text is not a digest.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a digest of the form sha256:<64 hex digits>")]
pub struct InvalidDigest(String);

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidDigest(text.chars().take(80).collect());
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        let bytes = unhex(digits).ok_or_else(invalid)?;
        Ok(Self(bytes.try_into().map_err(|_| invalid())?))
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The secret key of an instance's fingerprints; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct HashKey([u8; 32]);

impl HashKey {
    /// Takes 32 bytes of entropy.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw key, for the Secret that keeps it.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Starts a fingerprint.
    pub fn hasher(&self) -> KeyedHasher {
        // HMAC pads a shorter key with zeros to its block of 64 bytes (RFC 2104), so this is the same key.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.0);
        KeyedHasher(Hmac::new(&block.into()))
    }

    /// The fingerprint of a JSON value, independent of the order of its keys.
    pub fn of_value(&self, value: &Value) -> KeyedHash {
        let mut hasher = self.hasher();
        hasher.value(value);
        hasher.finish()
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HashKey(…)")
    }
}

/// A keyed fingerprint of 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct KeyedHash([u8; 16]);

impl KeyedHash {
    /// The raw sixteen bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Eight hex digits for people.
    pub fn short(&self) -> String {
        hex(&self.0[..4])
    }
}

impl fmt::Display for KeyedHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for KeyedHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for KeyedHash {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        unhex(text)
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| InvalidDigest(text.chars().take(80).collect()))
    }
}

impl serde::Serialize for KeyedHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for KeyedHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Feeds bytes and JSON values into a [`KeyedHash`].
pub struct KeyedHasher(Hmac<Sha256>);

impl KeyedHasher {
    /// Adds bytes, preceded by a tag and their length.
    pub fn bytes(&mut self, tag: u8, bytes: &[u8]) {
        self.0.update(&[tag]);
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// Adds a JSON value; maps are read in the order of their keys.
    pub fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.bytes(b'n', b""),
            Value::Bool(flag) => self.bytes(b'b', &[u8::from(*flag)]),
            Value::Number(number) => self.bytes(b'd', number.to_string().as_bytes()),
            Value::String(text) => self.bytes(b's', text.as_bytes()),
            Value::Array(items) => {
                self.bytes(b'[', &(items.len() as u64).to_le_bytes());
                items.iter().for_each(|item| self.value(item));
            }
            Value::Object(map) => {
                self.bytes(b'{', &(map.len() as u64).to_le_bytes());
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_unstable_by_key(|(key, _)| *key);
                for (key, item) in entries {
                    self.bytes(b'k', key.as_bytes());
                    self.value(item);
                }
            }
        }
    }

    /// The fingerprint of all that was added.
    pub fn finish(self) -> KeyedHash {
        let full = self.0.finalize().into_bytes();
        let mut short = [0; 16];
        short.copy_from_slice(&full[..16]);
        KeyedHash(short)
    }
}

/// The digest of a JSON value, independent of the order of its keys.
pub fn digest_of_value(value: &Value) -> Digest {
    Digest::of(canonical_json(value).as_bytes())
}

/// JSON text with sorted keys and no white space.
pub fn canonical_json(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            text.push('{');
            for (index, (key, item)) in entries.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::String(key.clone()).to_string());
                text.push(':');
                write_canonical(item, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_canonical(item, text);
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits
        .chunks_exact(2)
        .map(|pair| {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            u8::try_from(high * 16 + low).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_digest_is_printed_and_read_back() {
        let digest = Digest::of(b"moorline");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!("sha256:zz".parse::<Digest>().is_err());
        assert!("sha256:é".parse::<Digest>().is_err());
    }

    #[test]
    fn parts_do_not_run_together() {
        let one = Digest::of_parts([b"ab".as_slice(), b"c"]);
        let two = Digest::of_parts([b"a".as_slice(), b"bc"]);
        assert_ne!(one, two);
    }

    #[test]
    fn the_order_of_keys_does_not_matter_but_the_key_does() {
        let key = HashKey::new([7; 32]);
        let forth = key.of_value(&json!({"a": 1, "b": [true, null]}));
        let back = key.of_value(&json!({"b": [true, null], "a": 1}));
        assert_eq!(forth, back);
        assert_ne!(forth, key.of_value(&json!({"a": "1", "b": [true, null]})));
        assert_ne!(forth, HashKey::new([8; 32]).of_value(&json!({"a": 1, "b": [true, null]})));
        assert_eq!(canonical_json(&json!({"b": {"d": 1, "c": 2}, "a": []})), r#"{"a":[],"b":{"c":2,"d":1}}"#);
    }
}
