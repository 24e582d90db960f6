//! Provider keys at rest: AES-256-GCM, bound to their channel, with a key id for rotation.

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use gateway_domain::ChannelId;
use secrecy::SecretString;
use std::fmt;
use zeroize::Zeroizing;

/// A text is no list of master keys, or a sealed value cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// Not of the form `id:base64[,id:base64...]`, with 32 bytes each.
    #[error("master keys have the form id:base64, separated by commas, with 32 bytes each")]
    Keys,
    /// Two keys with one id.
    #[error("master key id '{0}' occurs twice")]
    Twice(String),
    /// Sealed with a key that is not there, or changed since, or for another channel.
    #[error("a sealed value cannot be opened with the master keys at hand")]
    Sealed,
}

/// The keys that provider keys are encrypted with. The first one seals; all of them open.
pub struct MasterKeys(Vec<(String, Aes256Gcm)>);

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(id, _)| id)).finish()
    }
}

impl MasterKeys {
    /// Reads `id:base64[,id:base64...]`.
    pub fn parse(text: &str) -> Result<Self, VaultError> {
        let mut keys: Vec<(String, Aes256Gcm)> = Vec::new();
        for entry in text.split(',').map(str::trim).filter(|e| !e.is_empty()) {
            let (id, key) = entry.split_once(':').ok_or(VaultError::Keys)?;
            let plain_id = (1..=32).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            let key = Zeroizing::new(STANDARD.decode(key).map_err(|_| VaultError::Keys)?);
            let cipher = Aes256Gcm::new_from_slice(&key).map_err(|_| VaultError::Keys)?;
            if !plain_id {
                return Err(VaultError::Keys);
            }
            if keys.iter().any(|(known, _)| known == id) {
                return Err(VaultError::Twice(id.to_owned()));
            }
            keys.push((id.to_owned(), cipher));
        }
        if keys.is_empty() { Err(VaultError::Keys) } else { Ok(Self(keys)) }
    }

    /// Writes one key in the form that [`MasterKeys::parse`] reads.
    pub fn format(id: &str, key: &[u8; 32]) -> Zeroizing<String> {
        Zeroizing::new(format!("{id}:{}", STANDARD.encode(key)))
    }
}

/// Seals and opens provider keys.
#[derive(Debug)]
pub struct Vault {
    keys: MasterKeys,
}

impl Vault {
    /// A vault with these keys.
    pub fn new(keys: MasterKeys) -> Self {
        Self { keys }
    }

    /// Encrypts a channel's key. `nonce` must be random.
    pub fn seal(
        &self,
        channel: ChannelId,
        key: &str,
        nonce: [u8; 12],
    ) -> Result<String, VaultError> {
        let (id, cipher) = self.keys.0.first().ok_or(VaultError::Keys)?;
        let aad = aad(channel);
        let payload = Payload { msg: key.as_bytes(), aad: aad.as_bytes() };
        let sealed =
            cipher.encrypt(&Nonce::from(nonce), payload).map_err(|_| VaultError::Sealed)?;
        Ok(format!("v1:{id}:{}", STANDARD.encode([nonce.as_slice(), &sealed].concat())))
    }

    /// Whether a sealed value names the key that seals now.
    pub(crate) fn is_current(&self, sealed: &str) -> bool {
        let id = sealed.strip_prefix("v1:").and_then(|rest| rest.split_once(':'));
        self.keys.0.first().map(|(newest, _)| newest.as_str()) == id.map(|(id, _)| id)
    }

    /// Decrypts a channel's key.
    pub fn open(&self, channel: ChannelId, sealed: &str) -> Result<SecretString, VaultError> {
        let (id, text) = sealed
            .strip_prefix("v1:")
            .and_then(|rest| rest.split_once(':'))
            .ok_or(VaultError::Sealed)?;
        let (_, cipher) =
            self.keys.0.iter().find(|(known, _)| known == id).ok_or(VaultError::Sealed)?;
        let bytes = STANDARD.decode(text).map_err(|_| VaultError::Sealed)?;
        let (nonce, body) = bytes.split_first_chunk::<12>().ok_or(VaultError::Sealed)?;
        let aad = aad(channel);
        let payload = Payload { msg: body, aad: aad.as_bytes() };
        let key = cipher.decrypt(&Nonce::from(*nonce), payload).map_err(|_| VaultError::Sealed)?;
        String::from_utf8(key).map(SecretString::from).map_err(|_| VaultError::Sealed)
    }
}

fn aad(channel: ChannelId) -> String {
    format!("channel:{channel}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_key_opens_only_for_its_channel_and_its_master_key() {
        let old = MasterKeys::format("a", &[1; 32]);
        let new = format!("{},{}", *MasterKeys::format("b", &[2; 32]), *old);
        let vault = Vault::new(MasterKeys::parse(&old).unwrap());
        let sealed = vault.seal(ChannelId(7), "sk-provider", [9; 12]).unwrap();
        assert!(!sealed.contains("provider"));
        assert_eq!(vault.open(ChannelId(7), &sealed).unwrap().expose_secret(), "sk-provider");
        assert_eq!(vault.open(ChannelId(8), &sealed).unwrap_err(), VaultError::Sealed);
        let rotated = Vault::new(MasterKeys::parse(&new).unwrap());
        assert_eq!(rotated.open(ChannelId(7), &sealed).unwrap().expose_secret(), "sk-provider");
        assert!(rotated.seal(ChannelId(7), "x", [0; 12]).unwrap().starts_with("v1:b:"));
        let other = Vault::new(MasterKeys::parse(&MasterKeys::format("a", &[3; 32])).unwrap());
        assert!(other.open(ChannelId(7), &sealed).is_err());
        for broken in ["", "v1:a:", "v1:a:AAAA", "v1:zz:AAAA", "plain"] {
            assert!(vault.open(ChannelId(7), broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn master_keys_are_checked_and_never_printed() {
        for bad in
            ["", "a", "a:short", "a:AAAA", &format!("{0},{0}", *MasterKeys::format("a", &[1; 32]))]
        {
            assert!(MasterKeys::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            format!("{:?}", MasterKeys::parse(&MasterKeys::format("a", &[1; 32])).unwrap()),
            "[\"a\"]"
        );
    }
}
