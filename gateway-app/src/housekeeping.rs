//! What has to be done from time to time: by a loop, or by a cron.

use crate::Gateway;
use gateway_ports::StoreError;
use std::time::Duration;

/// How old a call is before it is added to the sums of its day: whoever settles late, because the
/// gateway died under a call or the store was away, has settled by then.
const ROLLED_UP_AFTER: Duration = Duration::from_secs(86_400);

impl Gateway {
    /// Closes the calls whose holds have expired: their process or isolate is gone. It is only
    /// logged when that fails, because the next turn does it again.
    pub async fn close_expired_calls(&self) {
        match self.0.store.ledger.sweep(self.now()).await {
            Ok(0) => {}
            Ok(closed) => tracing::warn!(calls = closed, "expired calls were closed"),
            Err(error) => tracing::error!(%error, "expired calls cannot be closed"),
        }
    }

    /// Adds calls of the days before to the sums of their days, and deletes those that are older
    /// than the operator keeps them. The next turn goes on where this one failed.
    pub async fn shorten_log(&self) {
        match self.roll_up_and_purge().await {
            Ok((0, 0)) => {}
            Ok((rolled_up, purged)) => {
                tracing::info!(rolled_up, purged, "the usage log was summed up and shortened");
            }
            Err(error) => tracing::error!(%error, "the usage log cannot be shortened"),
        }
    }

    async fn roll_up_and_purge(&self) -> Result<(u64, u64), StoreError> {
        let store = &self.0.store;
        let now = self.now();
        let rolled_up = store.books.roll_up(now.minus(ROLLED_UP_AFTER)).await?;
        let days = store.settings.load().await?.retention_days;
        let kept = days.map_or(self.0.config.retention, |days| {
            Duration::from_secs(u64::from(days).saturating_mul(86_400))
        });
        let purged = store.books.purge(now.minus(kept)).await?;
        Ok((rolled_up, purged))
    }
}
