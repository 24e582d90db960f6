//! The audit log on the wire.

use super::{
    Whole,
    usage::{check_zone, moment},
};
use crate::extract::entries;
use gateway_app::{GatewayError, manage::audit::AuditPage};
use gateway_domain::UserId;
use gateway_ports::{AuditAction, AuditFilter, AuditObject, AuditRecord};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::net::IpAddr;
use utoipa::{IntoParams, ToSchema};

/// Which changes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// Who made them.
    #[param(value_type = Option<i64>)]
    actor_id: Option<Whole>,
    /// What was done, such as `token.create`.
    action: Option<String>,
    /// What it was done to: `user`, `token`, `channel`, `prices` or `settings`.
    object: Option<String>,
    /// The id of that.
    #[param(value_type = Option<i64>)]
    object_id: Option<Whole>,
    /// From this moment on: RFC 3339, a day as `2026-11-22`, or seconds since 1970.
    from: Option<String>,
    /// Before this moment.
    to: Option<String>,
    /// Days are in UTC, and nothing else.
    tz: Option<String>,
    /// Where the last answer ended: its `next_cursor`.
    cursor: Option<String>,
    /// Entries to return: 50, at most 200.
    #[param(value_type = Option<u64>)]
    limit: Option<Whole>,
    /// The same.
    #[param(value_type = Option<u64>)]
    page_size: Option<Whole>,
}

impl AuditQuery {
    pub(crate) fn filter(&self) -> Result<AuditFilter, GatewayError> {
        check_zone(self.tz.as_deref())?;
        Ok(AuditFilter {
            actor: self.actor_id.map(|id| UserId(id.0)),
            action: known(self.action.as_deref(), "action", AuditAction::parse)?,
            object: known(self.object.as_deref(), "object", AuditObject::parse)?,
            object_id: self.object_id.map(|id| id.0),
            from: self.from.as_deref().map(|text| moment(text, "from")).transpose()?,
            until: self.to.as_deref().map(|text| moment(text, "to")).transpose()?,
        })
    }

    pub(crate) fn before(&self) -> Result<Option<i64>, GatewayError> {
        let cursor = self.cursor.as_deref().filter(|cursor| !cursor.is_empty());
        known(cursor, "cursor", |text| text.parse().ok().and_then(Whole::new).map(|id| id.0))
    }

    pub(crate) fn entries(&self) -> u64 {
        entries(self.limit, self.page_size)
    }
}

/// What a text stands for, if there is one: anything else would silently find nothing.
fn known<T>(
    text: Option<&str>,
    field: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, GatewayError> {
    let unknown = || GatewayError::invalid(format!("{field} is not known")).about(field);
    text.map(|text| read(text).ok_or_else(unknown)).transpose()
}

/// A change that was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditRow {
    id: i64,
    /// The request that made it: its `X-Request-Id`.
    request_id: String,
    created_at: String,
    /// Who made it; `null`: the gateway itself.
    actor_id: Option<i64>,
    /// From where.
    #[schema(value_type = Option<String>)]
    address: Option<IpAddr>,
    /// What was done, such as `token.create`.
    action: &'static str,
    /// What it was done to: `user`, `token`, `channel`, `prices` or `settings`.
    object: &'static str,
    /// The id of that, or the version of the prices; the settings have none.
    object_id: Option<i64>,
    /// What changed, under the names of the API. Of a password, a key or the options of a channel
    /// only that they did.
    #[schema(value_type = Object)]
    detail: Map<String, Value>,
}

impl From<AuditRecord> for AuditRow {
    fn from(AuditRecord { id, object_id, entry }: AuditRecord) -> Self {
        Self {
            id,
            request_id: entry.request_id.0,
            created_at: entry.at.to_rfc3339(),
            actor_id: entry.actor.map(|id| id.0),
            address: entry.address,
            action: entry.action.as_str(),
            object: entry.action.object().as_str(),
            object_id,
            detail: entry.detail,
        }
    }
}

/// Changes, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditList {
    items: Vec<AuditRow>,
    /// Goes into `cursor` for the next ones; `null`: these were the last.
    next_cursor: Option<String>,
}

impl From<AuditPage> for AuditList {
    fn from(page: AuditPage) -> Self {
        Self {
            items: page.items.into_iter().map(AuditRow::from).collect(),
            next_cursor: page.next_cursor.map(|id| id.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_refused_rather_than_not_found() {
        let query = |change: fn(&mut AuditQuery)| {
            let mut query = AuditQuery::default();
            change(&mut query);
            query.filter().is_ok() && query.before().is_ok()
        };
        let good: [fn(&mut AuditQuery); 5] = [
            |_| {},
            |q| q.action = Some("token.create".into()),
            |q| q.object = Some("settings".into()),
            |q| q.cursor = Some("9007199254740991".into()),
            |q| q.cursor = Some(String::new()),
        ];
        let bad: [fn(&mut AuditQuery); 6] = [
            |q| q.action = Some("token".into()),
            |q| q.object = Some("Token".into()),
            |q| q.cursor = Some("-1".into()),
            |q| q.cursor = Some("9007199254740992".into()),
            |q| q.from = Some("tomorrow".into()),
            |q| q.tz = Some("Mars".into()),
        ];
        assert!(good.into_iter().all(query));
        assert!(!bad.into_iter().any(query));
    }
}
