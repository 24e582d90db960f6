//! API keys in memory.

use super::{MemoryStore, State};
use crate::{
    AuditEntry, NewToken, Page, Principal, StoreError, TokenChange, TokenChanged, TokenRepository,
};
use async_trait::async_trait;
use gateway_domain::{Credits, KeyDigest, Token, TokenId, UserId};

impl State {
    /// A key with its user.
    fn principal(&self, token: &Token) -> Option<Principal> {
        let user = self.users.get(&token.user_id)?.user.clone();
        Some(Principal { user, token: token.clone() })
    }
}

#[async_trait]
impl TokenRepository for MemoryStore {
    async fn insert(
        &self,
        new: &NewToken,
        most: u64,
        entry: &AuditEntry,
    ) -> Result<Option<TokenId>, StoreError> {
        let mut state = self.state();
        let own = state.tokens.values().filter(|t| t.user_id == new.user_id);
        let full = u64::try_from(own.count()).is_ok_and(|count| count >= most);
        if full || !state.users.contains_key(&new.user_id) {
            return Ok(None);
        }
        if state.tokens.values().any(|t| t.digest == new.digest) {
            return Err(StoreError::Conflict);
        }
        let id = TokenId(state.next_id());
        let new = new.clone();
        let token = Token {
            id,
            user_id: new.user_id,
            name: new.name,
            digest: new.digest,
            key_prefix: new.key_prefix,
            key_last4: new.key_last4,
            enabled: true,
            cap: new.cap,
            spent: Credits::ZERO,
            held: Credits::ZERO,
            request_count: 0,
            models: new.models,
            subnet: new.subnet,
            expires_at: new.expires_at,
            limits: new.limits,
            revision: 0,
            created_at: entry.at,
            updated_at: entry.at,
        };
        state.tokens.insert(id, token);
        state.note(entry, Some(id.0));
        Ok(Some(id))
    }

    async fn find_by_digest(&self, digest: &KeyDigest) -> Result<Option<Principal>, StoreError> {
        let state = self.state();
        let token = state.tokens.values().find(|t| t.digest == *digest);
        Ok(token.and_then(|token| state.principal(token)))
    }

    async fn find(&self, owner: UserId, id: TokenId) -> Result<Option<Token>, StoreError> {
        let state = self.state();
        Ok(state.tokens.get(&id).filter(|t| t.user_id == owner).cloned())
    }

    async fn find_any(&self, id: TokenId) -> Result<Option<Principal>, StoreError> {
        let state = self.state();
        Ok(state.tokens.get(&id).and_then(|token| state.principal(token)))
    }

    async fn list(&self, owner: UserId, page: Page) -> Result<Vec<Token>, StoreError> {
        let state = self.state();
        let own = state.tokens.values().filter(|t| t.user_id == owner);
        Ok(page.of(own).cloned().collect())
    }

    async fn update(
        &self,
        owner: UserId,
        id: TokenId,
        change: &TokenChange,
        entry: &AuditEntry,
    ) -> Result<TokenChanged, StoreError> {
        let mut state = self.state();
        let Some(token) = state.tokens.get_mut(&id).filter(|t| t.user_id == owner) else {
            return Ok(TokenChanged::NotFound);
        };
        let change = change.clone();
        if let Some(cap) = change.cap {
            let used = token.spent.checked_add(token.held);
            if cap.is_some_and(|cap| used.is_none_or(|used| cap < used)) {
                return Ok(TokenChanged::BelowUse);
            }
            token.cap = cap;
        }
        if let Some(name) = change.name {
            token.name = name;
        }
        if let Some(enabled) = change.enabled {
            token.enabled = enabled;
        }
        if let Some(models) = change.models {
            token.models = models;
        }
        if let Some(subnet) = change.subnet {
            token.subnet = subnet;
        }
        if let Some(end) = change.expires_at {
            token.expires_at = end;
        }
        token.limits = token.limits.with(change.limits);
        token.revision += 1;
        token.updated_at = entry.at;
        state.note(entry, Some(id.0));
        Ok(TokenChanged::Changed)
    }

    async fn delete(
        &self,
        owner: UserId,
        id: TokenId,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let own = state.tokens.get(&id).is_some_and(|t| t.user_id == owner);
        if own {
            state.tokens.remove(&id);
            state.note(entry, Some(id.0));
        }
        Ok(own)
    }
}
