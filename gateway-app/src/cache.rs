//! Copies of keys and channels in memory: of a process, or of a Worker's isolate.

use async_trait::async_trait;
use gateway_domain::Timestamp;
use gateway_ports::{Clock, Snapshot, SnapshotCache, SnapshotKey};
use quick_cache::sync::Cache;
use std::{sync::Arc, time::Duration};

/// Keys that are remembered at most.
const MOST: usize = 10_000;

/// Copies in memory, the least used dropped first.
pub struct MemoryCache {
    clock: Arc<dyn Clock>,
    entries: Cache<SnapshotKey, (Snapshot, Timestamp)>,
}

impl MemoryCache {
    /// An empty cache.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, entries: Cache::new(MOST) }
    }
}

#[async_trait]
impl SnapshotCache for MemoryCache {
    async fn get(&self, key: &SnapshotKey) -> Option<Snapshot> {
        let (snapshot, end) = self.entries.get(key)?;
        (self.clock.now() < end).then_some(snapshot)
    }

    async fn put(&self, key: SnapshotKey, snapshot: Snapshot, ttl: Duration) {
        self.entries.insert(key, (snapshot, self.clock.now().plus(ttl)));
    }

    async fn forget(&self, key: &SnapshotKey) {
        self.entries.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_domain::PriceTable;
    use gateway_ports::{Routing, Settings, memory::ManualClock};

    #[tokio::test]
    async fn a_copy_ends_with_its_time_or_when_it_is_forgotten() {
        let clock = Arc::new(ManualClock::default());
        let cache = MemoryCache::new(clock.clone());
        let copy = Snapshot::Routing(Arc::new(Routing {
            channels: Vec::new(),
            settings: Settings::default(),
            prices: PriceTable::default(),
            health: gateway_ports::Verdicts::default(),
        }));
        let ttl = Duration::from_secs(10);
        cache.put(SnapshotKey::Routing, copy.clone(), ttl).await;
        assert!(cache.get(&SnapshotKey::Routing).await.is_some());
        clock.advance(ttl);
        assert!(cache.get(&SnapshotKey::Routing).await.is_none());
        cache.put(SnapshotKey::Routing, copy, ttl).await;
        cache.forget(&SnapshotKey::Routing).await;
        assert!(cache.get(&SnapshotKey::Routing).await.is_none());
    }
}
