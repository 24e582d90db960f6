//! Verdicts about channels in memory.

use super::MemoryStore;
use crate::{HealthBoard, StoreError};
use async_trait::async_trait;
use gateway_domain::{
    Timestamp,
    policy::health::{Change, Verdict},
};

#[async_trait]
impl HealthBoard for MemoryStore {
    async fn list(&self, now: Timestamp) -> Result<Vec<Verdict>, StoreError> {
        let state = self.state();
        let all = state.verdicts.values();
        Ok(all.filter(|verdict| verdict.trip.expires_at() > now).cloned().collect())
    }

    async fn write(
        &self,
        change: &Change,
        force: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        Ok(match change {
            Change::Set(verdict, replaced) => {
                let key = (verdict.channel, verdict.model.clone());
                let free = state.verdicts.get(&key).is_none_or(|known| {
                    force
                        || [*replaced, verdict.version].contains(&known.version)
                        || known.trip.expires_at() <= now
                        || known.revision != verdict.revision
                });
                let written = free && state.channels.contains_key(&verdict.channel);
                if written {
                    state.verdicts.insert(key, verdict.clone());
                }
                written
            }
            Change::Clear(channel, model, version) => {
                let key = (*channel, model.clone());
                let known = state.verdicts.get(&key).map(|known| known.version);
                let gone = known.is_none_or(|known| force || known == *version);
                if gone {
                    state.verdicts.remove(&key);
                }
                gone
            }
        })
    }
}
