//! Users: who pays.

use crate::{Credits, Limits, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// The password that the documented default admin starts with, and that nobody may choose.
pub const DEFAULT_PASSWORD: &str = "123456";

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Owns keys and spends a balance.
    User,
    /// Manages channels and the users below.
    Admin,
    /// Manages everything, admins included.
    Root,
}

impl Role {
    /// The number that the API and the stores use: 1, 10 or 100.
    pub fn code(self) -> i64 {
        match self {
            Self::User => 1,
            Self::Admin => 10,
            Self::Root => 100,
        }
    }

    /// The role of a number, if it is one.
    pub fn from_code(code: i64) -> Option<Self> {
        [Self::User, Self::Admin, Self::Root].into_iter().find(|role| role.code() == code)
    }
}

/// Somebody with an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The login name; unique whatever its case.
    pub username: String,
    /// The name for people.
    pub display_name: String,
    /// The mail address, if one was given.
    pub email: Option<String>,
    /// What this user may do.
    pub role: Role,
    /// False: can neither log in nor spend.
    pub enabled: bool,
    /// True: can do nothing but change the password.
    pub must_change_password: bool,
    /// Raised whenever older logins must end.
    pub session_version: i64,
    /// Everything that was ever granted.
    pub granted: Credits,
    /// Everything that was ever charged.
    pub spent: Credits,
    /// What open calls hold.
    pub held: Credits,
    /// Calls that were settled.
    pub request_count: u64,
    /// How much may be asked for with all keys together. A copy from before there were limits has none.
    #[serde(default)]
    pub limits: Limits,
    /// When the account was made.
    pub created_at: Timestamp,
}

impl User {
    /// What is left to spend: granted, less what was charged and what open calls hold.
    pub fn available(&self) -> Credits {
        self.granted.saturating_sub(self.spent).saturating_sub(self.held)
    }

    /// The balance as the API shows it: granted, less what was charged.
    pub fn balance(&self) -> Credits {
        self.granted.saturating_sub(self.spent)
    }
}

/// Why a name or password cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCredentials {
    /// The user name does not fit.
    #[error("a username has 3 to 32 characters: letters, digits, and . _ - @")]
    Username,
    /// The password does not fit.
    #[error("a password has 6 to 128 bytes, and is not the documented default")]
    Password,
}

/// Checks a new user name.
pub fn check_username(name: &str) -> Result<(), BadCredentials> {
    let fits = (3..=32).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-@".contains(&b));
    if fits { Ok(()) } else { Err(BadCredentials::Username) }
}

/// Checks a new password.
pub fn check_password(password: &str) -> Result<(), BadCredentials> {
    let fits = (6..=128).contains(&password.len()) && password != DEFAULT_PASSWORD;
    if fits { Ok(()) } else { Err(BadCredentials::Password) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_have_bounds() {
        for good in ["bob", "a.b-c_d@e", &"x".repeat(32)] {
            assert_eq!(check_username(good), Ok(()), "{good}");
        }
        for bad in ["", "ab", &"x".repeat(33), "a b c", "jos\u{e9}", "a\r\nb"] {
            assert_eq!(check_username(bad), Err(BadCredentials::Username), "{bad}");
        }
        assert_eq!(check_password("test123"), Ok(()));
        for bad in ["", "12345", DEFAULT_PASSWORD, &"x".repeat(129)] {
            assert_eq!(check_password(bad), Err(BadCredentials::Password), "{bad}");
        }
    }

    #[test]
    fn roles_have_the_numbers_of_the_api() {
        for role in [Role::User, Role::Admin, Role::Root] {
            assert_eq!(Role::from_code(role.code()), Some(role));
        }
        assert_eq!(Role::from_code(2), None);
        assert!(Role::User < Role::Admin && Role::Admin < Role::Root);
    }
}
