//! API keys: how they are made, checked and remembered.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

const PREFIX: &str = "sk-";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 32 bytes in base 62.
const SECRET_LEN: usize = 43;
/// A CRC32 in base 62.
const CHECK_LEN: usize = 6;

/// A whole API key: `sk-`, 32 random bytes in base 62, and six check characters (CRC32), so that a
/// mistyped key is refused before any store is asked. It cannot be serialised, and prints masked.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// Makes a key of 32 random bytes.
    pub fn from_random(bytes: &[u8; 32]) -> Self {
        let mut key = String::from(PREFIX);
        push_base62(&mut key, bytes, SECRET_LEN);
        let check = crc32fast::hash(key.as_bytes());
        push_base62(&mut key, &check.to_be_bytes(), CHECK_LEN);
        Self(key)
    }

    /// Takes a text that has the form of a key; `None` if it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let (body, check) = text.split_at_checked(PREFIX.len() + SECRET_LEN)?;
        let secret = body.strip_prefix(PREFIX)?;
        if !secret.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return None;
        }
        let mut expected = String::with_capacity(CHECK_LEN);
        push_base62(&mut expected, &crc32fast::hash(body.as_bytes()).to_be_bytes(), CHECK_LEN);
        (check == expected).then(|| Self(text.to_owned()))
    }

    /// What is stored of the key.
    pub fn digest(&self) -> KeyDigest {
        KeyDigest(Sha256::digest(self.0.as_bytes()).into())
    }

    /// The first characters, for display.
    pub fn prefix(&self) -> &str {
        self.0.get(..7).unwrap_or_default()
    }

    /// The last four characters, for display.
    pub fn last4(&self) -> &str {
        self.0.get(self.0.len().saturating_sub(4)..).unwrap_or_default()
    }

    /// The whole key: to be shown once, to its owner.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey(sk-…{})", self.last4())
    }
}

/// The SHA-256 of a key. A key has 256 random bits, so a fast digest is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct KeyDigest([u8; 32]);

/// A text is not the hexadecimal form of a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key digest has 64 hexadecimal digits")]
pub struct BadDigest;

impl KeyDigest {
    /// The digest in lower-case hexadecimal, as stores keep it.
    pub fn to_hex(&self) -> String {
        use fmt::Write as _;
        self.0.iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

impl From<KeyDigest> for String {
    fn from(digest: KeyDigest) -> Self {
        digest.to_hex()
    }
}

impl TryFrom<String> for KeyDigest {
    type Error = BadDigest;
    fn try_from(hex: String) -> Result<Self, BadDigest> {
        let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
        let mut bytes = [0; 32];
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return Err(BadDigest);
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
            *byte = digit(*high).ok_or(BadDigest)? * 16 + digit(*low).ok_or(BadDigest)?;
        }
        Ok(Self(bytes))
    }
}

/// Appends a big-endian number in base 62, padded to `len` digits.
fn push_base62(out: &mut String, number: &[u8], len: usize) {
    let mut number = number.to_vec();
    let mut digits = Vec::with_capacity(len);
    for _ in 0..len {
        let mut rest = 0u32;
        for byte in &mut number {
            let value = rest * 256 + u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            rest = value % 62;
        }
        digits.push(usize::try_from(rest).unwrap_or(0));
    }
    out.extend(digits.iter().rev().filter_map(|d| ALPHABET.get(*d)).map(|b| char::from(*b)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_key_is_taken_again() {
        for bytes in [[0u8; 32], [255; 32], [7; 32]] {
            let key = ApiKey::from_random(&bytes);
            assert_eq!(key.reveal().len(), 52);
            assert_eq!(ApiKey::parse(key.reveal()), Some(key.clone()));
            assert_eq!(KeyDigest::try_from(key.digest().to_hex()), Ok(key.digest()));
        }
    }

    #[test]
    fn what_cannot_be_a_key_is_refused() {
        let key = ApiKey::from_random(&[9; 32]);
        let mut typo = key.reveal().to_owned();
        typo.replace_range(10..11, if typo.as_bytes()[10] == b'a' { "b" } else { "a" });
        let long = format!("sk-{}", "a".repeat(10_000));
        for bad in [
            "",
            "sk-",
            "' OR '1'='1",
            &typo,
            &long,
            &key.reveal()[..51],
            "sk-\u{1f600}",
            &key.reveal().to_lowercase(),
        ] {
            assert_eq!(ApiKey::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_key_prints_masked() {
        let key = ApiKey::from_random(&[3; 32]);
        let shown = format!("{key:?}");
        assert!(shown.len() < 20 && !shown.contains(&key.reveal()[..12]), "{shown}");
    }
}
