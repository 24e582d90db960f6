//! The audit log on an SQL store.

use crate::{
    Row, SqlExecutor,
    catalogue::audit as sql,
    row::Record,
    value::{args, count},
};
use async_trait::async_trait;
use gateway_domain::{RequestId, Timestamp, UserId};
use gateway_ports::{AuditAction, AuditEntry, AuditFilter, AuditLog, AuditRecord, StoreError};
use serde::Serialize;
use serde_json::{Map, Value};
use std::{net::IpAddr, sync::Arc};

/// The audit log on an SQL store.
#[derive(Debug)]
pub struct SqlAudit<E: ?Sized>(Arc<E>);

impl<E: SqlExecutor + ?Sized> SqlAudit<E> {
    /// The audit log of a store.
    pub fn new(executor: Arc<E>) -> Self {
        Self(executor)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<E: SqlExecutor + ?Sized> AuditLog for SqlAudit<E> {
    async fn list(
        &self,
        filter: &AuditFilter,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let arguments = args![
            filter.actor.map(|id| id.0),
            filter.action.map(AuditAction::as_str),
            filter.object.map(gateway_ports::AuditObject::as_str),
            filter.object_id,
            filter.from.map(Timestamp::as_millis),
            filter.until.map(Timestamp::as_millis),
            before,
            count(limit),
        ];
        let rows = self.0.read(sql::AUDIT_LIST, arguments).await?;
        rows.iter().map(record).collect()
    }
}

/// An entry as the parameter of the statement that writes it.
pub(crate) fn parameter(entry: &AuditEntry) -> Result<String, StoreError> {
    #[derive(Serialize)]
    struct Parameter<'a> {
        request_id: &'a RequestId,
        at: Timestamp,
        actor: Option<UserId>,
        address: Option<IpAddr>,
        action: &'static str,
        object: &'static str,
        detail: &'a Map<String, Value>,
    }
    let parameter = Parameter {
        request_id: &entry.request_id,
        at: entry.at,
        actor: entry.actor,
        address: entry.address,
        action: entry.action.as_str(),
        object: entry.action.object().as_str(),
        detail: &entry.detail,
    };
    serde_json::to_string(&parameter).map_err(StoreError::unavailable)
}

fn record(row: &Row) -> Result<AuditRecord, StoreError> {
    let record = row.of("audit_log", "");
    Ok(AuditRecord {
        id: record.int("id")?,
        object_id: record.optional("object_id", Record::int)?,
        entry: AuditEntry {
            request_id: RequestId(record.text("request_id")?),
            at: record.time("at")?,
            actor: record.optional("actor_id", Record::int)?.map(UserId),
            address: record.optional("address", |record, column| {
                record.parsed(column, |text| text.parse().ok())
            })?,
            action: record.parsed("action", |name| AuditAction::parse(&name))?,
            detail: record.parsed("detail", |text| serde_json::from_str(&text).ok())?,
        },
    })
}
