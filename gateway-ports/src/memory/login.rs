//! Failed logins in memory.

use super::MemoryStore;
use crate::{LoginAttempts, StoreError};
use async_trait::async_trait;
use gateway_domain::Timestamp;

#[async_trait]
impl LoginAttempts for MemoryStore {
    async fn begin(
        &self,
        scopes: &[(String, u64)],
        at: Timestamp,
        since: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let mut state = self.state();
        for (scope, most) in scopes {
            let times = || {
                let of_scope = state.failures.iter().filter(|(known, _)| known == scope);
                of_scope.map(|(_, at)| *at).filter(|at| *at >= since)
            };
            if u64::try_from(times().count()).is_ok_and(|count| count >= *most) {
                return Ok(Some(times().min().unwrap_or(at)));
            }
        }
        state.failures.extend(scopes.iter().map(|(scope, _)| (scope.clone(), at)));
        state.failures.retain(|(_, at)| *at >= since);
        Ok(None)
    }

    async fn take_back(&self, scopes: &[String], at: Timestamp) -> Result<(), StoreError> {
        let failures = &mut self.state().failures;
        for scope in scopes {
            if let Some(one) = failures.iter().position(|known| *known == (scope.clone(), at)) {
                failures.remove(one);
            }
        }
        Ok(())
    }

    async fn clear(&self, scope: &str) -> Result<(), StoreError> {
        self.state().failures.retain(|(known, _)| known != scope);
        Ok(())
    }
}
