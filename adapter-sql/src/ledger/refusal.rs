//! Why a call got no hold: read in the same transaction that refused it.

use crate::{Row, row::Record};
use gateway_domain::{
    Credits,
    policy::funds::{Purse, afford},
};
use gateway_ports::{Hold, Refusal, Reserved, StoreError};

/// What became of a call that does not hold what it asked for; `None` if nothing stands against
/// it but its neighbours in the group.
pub(super) fn explain(row: &Row, hold: &Hold) -> Result<Option<Reserved>, StoreError> {
    let call = row.of("calls", "");
    match call.optional("state", Record::text)?.as_deref() {
        None => Ok(refusal(row, hold)?.map(Reserved::Refused)),
        Some("held") => Ok(Some(Reserved::Granted(call.credits("amount")?))),
        // It is closed already: what is over does not begin again.
        Some(_) => Ok(Some(Reserved::Refused(Refusal::Duplicate))),
    }
}

fn refusal(row: &Row, hold: &Hold) -> Result<Option<Refusal>, StoreError> {
    let token = row.of("tokens", "token_");
    let user = row.of("users", "user_");
    if token.is_null("enabled")? || !token.bool("enabled")? {
        return Ok(Some(Refusal::Revoked));
    }
    let end = token.optional("expires_at", Record::time)?;
    if end.is_some_and(|end| end <= hold.created_at) {
        return Ok(Some(Refusal::Expired));
    }
    if user.is_null("enabled")? || !user.bool("enabled")? {
        return Ok(Some(Refusal::UserDisabled));
    }
    if token.int("revision")? != hold.token_revision {
        return Ok(Some(Refusal::Stale));
    }
    if row.of("calls", "").bool("duplicate")? {
        return Ok(Some(Refusal::Duplicate));
    }
    let user = Purse { left: user.credits("left")?, held: user.credits("held")? };
    let token_left = token.optional("left", Record::credits)?.unwrap_or(Credits::MAX);
    let token = Purse { left: token_left, held: token.credits("held")? };
    Ok(afford(user, token, hold.least).err().map(Refusal::from))
}
