//! Passwords as Argon2id hashes. Slow on purpose: a runtime decides where this may run.

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::phc::PasswordHash,
};
use std::sync::OnceLock;

/// 7 MiB, 5 passes: one of OWASP's settings, and the one that also suits a Worker's 128 MiB.
fn argon2() -> Option<Argon2<'static>> {
    let params = Params::new(7168, 5, 1, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a password; the result is a PHC string. `None` only when there is no memory for it.
pub fn hash(password: &[u8]) -> Option<String> {
    argon2()?.hash_password(password).ok().map(|hash| hash.to_string())
}

/// Whether a password fits a hash. Without a hash it is compared with a decoy, so that an unknown
/// user takes as long as a known one, and the answer is false. `None` only without memory.
pub fn verify(password: &[u8], phc: Option<&str>) -> Option<bool> {
    static DECOY: OnceLock<Option<String>> = OnceLock::new();
    let decoy = || DECOY.get_or_init(|| hash(b"nobody has this password")).as_deref();
    let known = phc.is_some();
    let fits = PasswordHash::new(phc.or_else(decoy)?)
        .is_ok_and(|parsed| Argon2::default().verify_password(password, &parsed).is_ok());
    Some(fits && known)
}

/// How a hash with today's parameters begins.
const CURRENT: &str = "$argon2id$v=19$m=7168,t=5,p=1$";

/// Whether a hash was made with other parameters than today's. Of hashes of another make nobody here
/// can say.
pub(crate) fn is_outdated(phc: &str) -> bool {
    phc.starts_with("$argon2") && !phc.starts_with(CURRENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h4_a_password_fits_its_hash_only() {
        let hash = hash(b"secret").unwrap();
        assert!(hash.starts_with(CURRENT), "{hash}");
        assert!(!is_outdated(&hash) && !is_outdated("plain:x"));
        for old in ["$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA", "$argon2i$v=19$m=7168,t=5,p=1$"]
        {
            assert!(is_outdated(old), "{old}");
        }
        assert_eq!(verify(b"secret", Some(&hash)), Some(true));
        assert_eq!(verify(b"Secret", Some(&hash)), Some(false));
        assert_eq!(verify(b"secret", Some("no hash")), Some(false));
        assert_eq!(verify(b"nobody has this password", None), Some(false));
    }
}
