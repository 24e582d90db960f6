//! The audit log in memory.

use super::{MemoryStore, State};
use crate::{AuditEntry, AuditFilter, AuditLog, AuditRecord, StoreError};
use async_trait::async_trait;

impl State {
    /// Writes the entry of a change that is made, unless it is written already.
    pub(super) fn note(&mut self, entry: &AuditEntry, object_id: Option<i64>) {
        let same = |known: &AuditRecord| {
            known.object_id == object_id
                && known.entry.request_id == entry.request_id
                && known.entry.action == entry.action
        };
        if !self.audit.iter().any(same) {
            let id = self.next_id();
            self.audit.push(AuditRecord { id, object_id, entry: entry.clone() });
        }
    }
}

impl AuditFilter {
    fn takes(&self, record: &AuditRecord) -> bool {
        let entry = &record.entry;
        self.actor.is_none_or(|id| entry.actor == Some(id))
            && self.action.is_none_or(|action| entry.action == action)
            && self.object.is_none_or(|object| entry.action.object() == object)
            && self.object_id.is_none_or(|id| record.object_id == Some(id))
            && self.from.is_none_or(|from| entry.at >= from)
            && self.until.is_none_or(|end| entry.at < end)
    }
}

#[async_trait]
impl AuditLog for MemoryStore {
    async fn list(
        &self,
        filter: &AuditFilter,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let state = self.state();
        let records = state.audit.iter().rev();
        let older = records.filter(|record| before.is_none_or(|id| record.id < id));
        let found = older.filter(|record| filter.takes(record));
        Ok(found.take(usize::try_from(limit).unwrap_or(usize::MAX)).cloned().collect())
    }
}
