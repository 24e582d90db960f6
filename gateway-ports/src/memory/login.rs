//! Failed logins in memory.

use super::MemoryStore;
use crate::{LoginAttempts, StoreError};
use async_trait::async_trait;
use gateway_domain::Timestamp;

#[async_trait]
impl LoginAttempts for MemoryStore {
    async fn failures(
        &self,
        scope: &str,
        since: Timestamp,
    ) -> Result<(u64, Option<Timestamp>), StoreError> {
        let state = self.state();
        let of_scope = state.failures.iter().filter(|(known, _)| known == scope);
        Ok(of_scope.map(|(_, at)| *at).filter(|at| *at >= since).fold(
            (0, None),
            |(count, first), at| {
                let first = first.map_or(at, |first: Timestamp| first.min(at));
                (count + 1, Some(first))
            },
        ))
    }

    async fn record(
        &self,
        scopes: &[String],
        at: Timestamp,
        since: Timestamp,
    ) -> Result<(), StoreError> {
        let mut state = self.state();
        let new = scopes.iter().map(|scope| (scope.clone(), at));
        state.failures.extend(new);
        state.failures.retain(|(_, at)| *at >= since);
        Ok(())
    }

    async fn clear(&self, scope: &str) -> Result<(), StoreError> {
        self.state().failures.retain(|(known, _)| known != scope);
        Ok(())
    }
}
