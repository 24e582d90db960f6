//! What people manage: accounts, keys, channels, users, prices, settings. Every change is written to
//! the audit log by the store, together with it.

pub mod accounts;
pub mod audit;
pub mod channel_test;
pub mod channels;
pub mod prices;
pub mod rekey;
pub mod settings;
pub mod tokens;
pub mod users;

use crate::GatewayError;
use gateway_domain::{Limits, LimitsChange};

/// The longest name for people.
const MOST_NAME: usize = 128;

fn check_name(name: &str, field: &str) -> Result<(), GatewayError> {
    let fits = !name.trim().is_empty()
        && name.chars().count() <= MOST_NAME
        && !name.chars().any(char::is_control);
    if fits {
        Ok(())
    } else {
        Err(GatewayError::invalid(format!("{field} has 1 to {MOST_NAME} characters, on one line"))
            .about(field))
    }
}

fn check_limits(change: &LimitsChange) -> Result<(), GatewayError> {
    match change.too_large() {
        None => Ok(()),
        Some(field) => {
            Err(GatewayError::invalid(format!("{field} is at most {}", Limits::MOST)).about(field))
        }
    }
}

fn check_email(email: &str) -> Result<(), GatewayError> {
    let plain = email.len() <= 254 && !email.chars().any(|c| c.is_control() || c.is_whitespace());
    let parts =
        email.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
    if plain && parts {
        Ok(())
    } else {
        Err(GatewayError::invalid("email is not a mail address").about("email"))
    }
}
