//! Snapshots in memory.

use crate::{Clock, Snapshot, SnapshotCache, SnapshotKey};
use async_trait::async_trait;
use gateway_domain::Timestamp;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A cache of snapshots that goes by a clock of the test's.
pub struct MemorySnapshots {
    clock: Arc<dyn Clock>,
    kept: Mutex<HashMap<SnapshotKey, (Snapshot, Timestamp)>>,
}

impl MemorySnapshots {
    /// An empty cache.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<SnapshotKey, (Snapshot, Timestamp)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SnapshotCache for MemorySnapshots {
    async fn get(&self, key: &SnapshotKey) -> Option<Snapshot> {
        let now = self.clock.now();
        let kept = self.kept();
        let (snapshot, _) = kept.get(key).filter(|(_, end)| now < *end)?;
        Some(snapshot.clone())
    }

    async fn put(&self, key: SnapshotKey, snapshot: Snapshot, ttl: Duration) {
        let end = self.clock.now().plus(ttl);
        self.kept().insert(key, (snapshot, end));
    }

    async fn forget(&self, key: &SnapshotKey) {
        self.kept().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Routing, memory::ManualClock};
    use futures_util::FutureExt;

    #[test]
    fn a_copy_is_kept_until_its_time_or_until_it_is_forgotten() {
        let clock = ManualClock::default();
        let cache = MemorySnapshots::new(Arc::new(clock.clone()));
        let found = || {
            let got = cache.get(&SnapshotKey::Routing).now_or_never();
            got.flatten().is_some()
        };
        let put = || {
            let routing = Routing::default();
            let snapshot = Snapshot::Routing(Arc::new(routing));
            let ttl = Duration::from_secs(5);
            cache.put(SnapshotKey::Routing, snapshot, ttl).now_or_never()
        };
        assert!(!found());
        assert_eq!(put(), Some(()));
        assert!(found());
        clock.advance(Duration::from_secs(5));
        assert!(!found());
        assert_eq!(put(), Some(()));
        assert!(found());
        let forgotten = cache.forget(&SnapshotKey::Routing).now_or_never();
        assert_eq!(forgotten, Some(()));
        assert!(!found());
    }
}
