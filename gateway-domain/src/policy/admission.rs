//! Who may call what, before any money is asked for.

use crate::{ModelName, Timestamp, Token, User};
use std::net::IpAddr;

/// Why a call is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The key was revoked.
    Revoked,
    /// The key has ended.
    Expired,
    /// The user is disabled.
    UserDisabled,
    /// The user must change the password first.
    PasswordChangeRequired,
    /// The caller's address is not one that the key may be used from.
    Subnet,
    /// The key may not call this model.
    Model,
}

/// Whether this key may be used now, from here.
pub fn admit_key(
    user: &User,
    token: &Token,
    address: Option<IpAddr>,
    now: Timestamp,
) -> Result<(), Denied> {
    key_rules(user, token, address, now).into_iter().try_for_each(|(_, rule)| rule)
}

/// The rules about a key and its user, by name, in the order in which they are asked, each by itself.
pub fn key_rules(
    user: &User,
    token: &Token,
    address: Option<IpAddr>,
    now: Timestamp,
) -> [(&'static str, Result<(), Denied>); 5] {
    let rule = |fits: bool, denied: Denied| if fits { Ok(()) } else { Err(denied) };
    [
        ("key_status", rule(token.enabled, Denied::Revoked)),
        ("key_expiry", rule(!token.expired(now), Denied::Expired)),
        ("user_status", rule(user.enabled, Denied::UserDisabled)),
        ("password_change", rule(!user.must_change_password, Denied::PasswordChangeRequired)),
        ("subnet", rule(token.subnet.admits(address), Denied::Subnet)),
    ]
}

/// Whether this key may call this model.
pub fn admit_model(token: &Token, model: &ModelName) -> Result<(), Denied> {
    if token.models.contains(model.as_str()) { Ok(()) } else { Err(Denied::Model) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ApiKey, Credits, Limits, ModelSet, Role, SubnetList, TokenId, UserId};

    fn parties() -> (User, Token) {
        let at = Timestamp::from_millis(1000);
        let user = User {
            id: UserId(1),
            username: "u".into(),
            display_name: String::new(),
            email: None,
            role: Role::User,
            enabled: true,
            must_change_password: false,
            session_version: 0,
            granted: Credits::ZERO,
            spent: Credits::ZERO,
            held: Credits::ZERO,
            request_count: 0,
            limits: Limits::default(),
            created_at: at,
        };
        let token = Token {
            id: TokenId(1),
            user_id: UserId(1),
            name: "t".into(),
            digest: ApiKey::from_random(&[0; 32]).digest(),
            key_prefix: String::new(),
            key_last4: String::new(),
            enabled: true,
            cap: None,
            spent: Credits::ZERO,
            held: Credits::ZERO,
            request_count: 0,
            models: ModelSet::parse("gpt-4*").unwrap(),
            subnet: SubnetList::parse("10.0.0.0/8").unwrap(),
            expires_at: Some(Timestamp::from_millis(5000)),
            limits: Limits::default(),
            revision: 0,
            created_at: at,
            updated_at: at,
        };
        (user, token)
    }

    #[test]
    fn each_rule_denies_by_itself() {
        type Change = fn(&mut User, &mut Token);
        let cases: [(Change, Result<(), Denied>); 5] = [
            (|_, _| (), Ok(())),
            (|_, t| t.enabled = false, Err(Denied::Revoked)),
            (|_, t| t.expires_at = Some(Timestamp::from_millis(2000)), Err(Denied::Expired)),
            (|u, _| u.enabled = false, Err(Denied::UserDisabled)),
            (|u, _| u.must_change_password = true, Err(Denied::PasswordChangeRequired)),
        ];
        let now = Timestamp::from_millis(2000);
        let home = "10.1.1.1".parse().ok();
        for (i, (change, expected)) in cases.into_iter().enumerate() {
            let (mut user, mut token) = parties();
            change(&mut user, &mut token);
            assert_eq!(admit_key(&user, &token, home, now), expected, "case {i}");
        }
        let (user, token) = parties();
        assert_eq!(admit_key(&user, &token, "11.1.1.1".parse().ok(), now), Err(Denied::Subnet));
        assert_eq!(admit_key(&user, &token, None, now), Err(Denied::Subnet));
    }

    #[test]
    fn models_are_compared_exactly() {
        let (_, token) = parties();
        for (model, expected) in
            [("gpt-4o", Ok(())), ("GPT-4o", Err(Denied::Model)), ("claude", Err(Denied::Model))]
        {
            assert_eq!(admit_model(&token, &ModelName::new(model).unwrap()), expected);
        }
    }
}
