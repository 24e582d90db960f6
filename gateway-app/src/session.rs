//! Logins: signed tokens (JWT, HS256) that say who, and which version of their session.
//!
//! The role is never in the token: it is read from the store each time.

use gateway_domain::{Timestamp, UserId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

const ISSUER: &str = "gateway";
const AUDIENCE: &str = "gateway-api";
const LEEWAY_SECS: i64 = 5;
/// Secrets that stand in too many examples to be one.
const WELL_KNOWN: [&str; 5] =
    ["secret", "changeme", "change-me", "your-jwt-secret", "your-secret-key"];

/// A text cannot sign logins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("JWT_SECRET must have at least 32 bytes, and must not be one from an example")]
pub struct WeakSecret;

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    iat: i64,
    exp: i64,
    ver: i64,
}

/// Who a token says it is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The user.
    pub user: UserId,
    /// The version of the user's session that the token belongs to.
    pub version: i64,
}

/// Signs and checks logins.
pub struct SessionKey {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey")
    }
}

impl SessionKey {
    /// A key from a secret.
    ///
    /// # Errors
    /// [`WeakSecret`] if it is short or well known.
    pub fn new(secret: &SecretString) -> Result<Self, WeakSecret> {
        let secret = secret.expose_secret();
        let lower = secret.to_ascii_lowercase();
        let repeated = secret.bytes().all(|b| Some(b) == secret.bytes().next());
        if secret.len() < 32 || repeated || WELL_KNOWN.iter().any(|known| lower.starts_with(known))
        {
            return Err(WeakSecret);
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Time is checked here against the gateway's own clock: the library's may not exist.
        validation.validate_exp = false;
        Ok(Self {
            encoding: EncodingKey::from_secret(secret.as_bytes()),
            decoding: DecodingKey::from_secret(secret.as_bytes()),
            validation,
        })
    }

    /// Signs a login; `None` if that fails.
    pub fn issue(&self, session: Session, now: Timestamp, life: Duration) -> Option<String> {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: session.user.to_string(),
            iat: now.as_secs(),
            exp: now.plus(life).as_secs(),
            ver: session.version,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding).ok()
    }

    /// Checks a token; `None` whatever is wrong with it.
    pub fn check(&self, token: &str, now: Timestamp) -> Option<Session> {
        if token.len() > 4096 {
            return None;
        }
        let claims =
            jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation).ok()?.claims;
        let expired = claims.exp.saturating_add(LEEWAY_SECS) < now.as_secs();
        let user = claims.sub.parse().ok().map(UserId)?;
        (!expired).then_some(Session { user, version: claims.ver })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn key(secret: &str) -> SessionKey {
        SessionKey::new(&SecretString::from(secret)).unwrap()
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(secs * 1000)
    }

    #[test]
    fn a_login_holds_until_it_ends() {
        let session = Session { user: UserId(3), version: 7 };
        let token = key(SECRET).issue(session, at(1000), Duration::from_secs(60)).unwrap();
        assert_eq!(key(SECRET).check(&token, at(1059)), Some(session));
        assert_eq!(key(SECRET).check(&token, at(1064)), Some(session));
        assert_eq!(key(SECRET).check(&token, at(1070)), None);
        assert_eq!(key("another secret of thirty-two bytes").check(&token, at(1000)), None);
    }

    #[test]
    fn other_algorithms_issuers_and_claims_are_refused() {
        let encode = |alg: Algorithm, claims: serde_json::Value| {
            jsonwebtoken::encode(
                &Header::new(alg),
                &claims,
                &EncodingKey::from_secret(SECRET.as_bytes()),
            )
            .unwrap()
        };
        let good = serde_json::json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "3", "iat": 1, "exp": 9999, "ver": 0});
        assert!(key(SECRET).check(&encode(Algorithm::HS256, good.clone()), at(1)).is_some());
        assert!(key(SECRET).check(&encode(Algorithm::HS512, good.clone()), at(1)).is_none());
        for field in ["iss", "aud", "sub", "exp"] {
            let mut claims = good.clone();
            claims.as_object_mut().unwrap().remove(field);
            assert!(
                key(SECRET).check(&encode(Algorithm::HS256, claims.clone()), at(1)).is_none(),
                "no {field}"
            );
            claims[field] = serde_json::json!("wrong");
            assert!(
                key(SECRET).check(&encode(Algorithm::HS256, claims), at(1)).is_none(),
                "wrong {field}"
            );
        }
        // alg: none
        assert!(key(SECRET).check("eyJhbGciOiJub25lIn0.eyJzdWIiOiIzIn0.", at(1)).is_none());
        assert!(key(SECRET).check("", at(1)).is_none());
    }

    #[test]
    fn weak_secrets_are_refused() {
        for weak in [
            "",
            "short",
            &"a".repeat(40),
            "your-jwt-secret-change-in-production",
            "changeme-changeme-changeme-changeme",
        ] {
            assert!(SessionKey::new(&SecretString::from(weak)).is_err(), "{weak}");
        }
    }
}
