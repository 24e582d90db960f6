//! Who changed what: what is written of a change, and the log of all.

use crate::{Gateway, GatewayError, RequestContext, report::check_range};
use gateway_domain::{LimitsChange, User};
use gateway_ports::{AuditAction, AuditEntry, AuditFilter, AuditRecord};
use serde::Serialize;
use serde_json::{Map, Value};

/// Changes, and where to go on.
#[derive(Clone, Debug)]
pub struct AuditPage {
    /// The changes, newest first.
    pub items: Vec<AuditRecord>,
    /// What to ask with for the next ones; `None` if these were the last.
    pub next_cursor: Option<i64>,
}

impl Gateway {
    /// Changes, newest first.
    pub async fn audit(
        &self,
        filter: &AuditFilter,
        before: Option<i64>,
        limit: u64,
    ) -> Result<AuditPage, GatewayError> {
        check_range(filter.from, filter.until)?;
        let mut items = self.0.store.audit.list(filter, before, limit.saturating_add(1)).await?;
        let more = u64::try_from(items.len()).is_ok_and(|n| n > limit);
        items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next_cursor = if more { items.last().map(|record| record.id) } else { None };
        Ok(AuditPage { items, next_cursor })
    }
}

impl RequestContext {
    /// The entry of a change that somebody makes with this request.
    pub(crate) fn entry(&self, actor: &User, action: AuditAction, detail: Detail) -> AuditEntry {
        AuditEntry {
            request_id: self.request_id.clone(),
            at: self.started,
            actor: Some(actor.id),
            address: self.address,
            action,
            detail: detail.0,
        }
    }
}

/// What is written of a change: what it names, under the names that the API has for it, and never
/// a secret. Whoever makes one says of a key or a password with [`Detail::secret`] that it changed.
#[derive(Debug, Default)]
pub(crate) struct Detail(Map<String, Value>);

impl Detail {
    /// With this field, if it changes.
    pub(crate) fn with(mut self, name: &str, value: Option<impl Serialize>) -> Self {
        if let Some(value) = value {
            // What cannot be written as JSON is not worth failing the change for.
            self.0.insert(name.to_owned(), serde_json::to_value(value).unwrap_or_default());
        }
        self
    }

    /// With the fact that this field changes, if it does.
    pub(crate) fn secret<T>(self, name: &str, value: Option<&T>) -> Self {
        self.with(name, value.map(|_| "changed"))
    }

    /// With the limits that change.
    pub(crate) fn limits(self, change: &LimitsChange) -> Self {
        self.with("rpm_limit", change.rpm)
            .with("tpm_limit", change.tpm)
            .with("concurrency_limit", change.concurrency)
    }

    /// The fields of a value that it has.
    pub(crate) fn of(value: &impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(Value::Object(mut fields)) => {
                fields.retain(|_, value| !value.is_null());
                Self(fields)
            }
            Ok(_) | Err(_) => Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_detail_has_what_changes_and_of_secrets_only_that() {
        let detail = Detail::default()
            .with("name", Some("n"))
            .with("email", Some(None::<&str>))
            .with("role", None::<i64>)
            .secret("password", Some(&"$argon2id$"))
            .secret("key", None::<&String>);
        let expected = json!({"name": "n", "email": null, "password": "changed"});
        assert_eq!(Value::Object(detail.0), expected);
    }

    #[test]
    fn a_value_is_written_without_what_it_does_not_have() {
        let detail = Detail::of(&json!({"a": 1, "b": null, "c": {"d": null}}));
        assert_eq!(Value::Object(detail.0), json!({"a": 1, "c": {"d": null}}));
        assert_eq!(Detail::of(&7).0, Map::new());
    }
}
