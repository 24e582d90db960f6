//! Verdicts about channels on an SQL store.

use crate::{Row, SqlExecutor, catalogue::health as sql, row::Record, value::args, value::count};
use async_trait::async_trait;
use gateway_domain::{
    ChannelId, ModelName, Timestamp,
    policy::health::{Change, Verdict},
};
use gateway_ports::{HealthBoard, StoreError};
use std::sync::Arc;

/// Verdicts about channels on an SQL store.
#[derive(Debug)]
pub struct SqlHealth<E: ?Sized>(Arc<E>);

impl<E: SqlExecutor + ?Sized> SqlHealth<E> {
    /// The verdicts of a store.
    pub fn new(executor: Arc<E>) -> Self {
        Self(executor)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<E: SqlExecutor + ?Sized> HealthBoard for SqlHealth<E> {
    async fn list(&self, now: Timestamp) -> Result<Vec<Verdict>, StoreError> {
        let rows = self.0.read(sql::HEALTH_LIST, args![now.as_millis()]).await?;
        rows.iter().map(verdict).collect()
    }

    async fn write(
        &self,
        change: &Change,
        force: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        match change {
            Change::Set(verdict, replaced) => {
                let trip = serde_json::to_string(&verdict.trip).map_err(StoreError::unavailable)?;
                let arguments = args![
                    verdict.channel.0,
                    name(verdict.model.as_ref()),
                    verdict.revision.as_millis(),
                    trip,
                    count(verdict.version),
                    verdict.trip.expires_at().as_millis(),
                    count(*replaced),
                    force,
                    now.as_millis(),
                ];
                let results = self.0.batch(&sql::SET, arguments).await?;
                Ok(results.first().is_some_and(|rows| !rows.is_empty()))
            }
            Change::Clear(channel, model, version) => {
                let arguments = args![channel.0, name(model.as_ref()), count(*version), force];
                self.0.batch(&sql::CLEAR, arguments).await?;
                Ok(true)
            }
        }
    }
}

/// A model as it is stored; the whole channel has no name.
fn name(model: Option<&ModelName>) -> &str {
    model.map_or("", ModelName::as_str)
}

fn verdict(row: &Row) -> Result<Verdict, StoreError> {
    let record = row.of("channel_health", "");
    let model = |record: &Record<'_>| match record.text("model")? {
        name if name.is_empty() => Ok(None),
        _ => record.parsed("model", |name| ModelName::new(name).ok()).map(Some),
    };
    Ok(Verdict {
        channel: ChannelId(record.int("channel_id")?),
        model: model(&record)?,
        revision: record.time("revision")?,
        trip: record.parsed("trip", |json| serde_json::from_str(&json).ok())?,
        version: record.number("version")?,
    })
}
