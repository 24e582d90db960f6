//! Users in memory.

use super::{MemoryStore, State, StoredUser};
use crate::{AuditEntry, Credential, NewUser, Page, StoreError, UserChange, UserRepository};
use async_trait::async_trait;
use gateway_domain::{Credits, Limits, Role, User, UserId};

impl State {
    fn insert_user(&mut self, new: &NewUser, role: Role) -> Result<UserId, StoreError> {
        if self.user_named(&new.username).is_some() {
            return Err(StoreError::Conflict);
        }
        let id = UserId(self.next_id());
        let user = User {
            id,
            username: new.username.clone(),
            display_name: new.display_name.clone(),
            email: new.email.clone(),
            role,
            enabled: true,
            must_change_password: new.must_change_password,
            session_version: 0,
            granted: new.granted,
            spent: Credits::ZERO,
            held: Credits::ZERO,
            request_count: 0,
            limits: Limits::default(),
            created_at: new.created_at,
        };
        let password_hash = new.password_hash.clone();
        self.users.insert(id, StoredUser { user, password_hash });
        Ok(id)
    }

    fn user_named(&self, name: &str) -> Option<&StoredUser> {
        self.users.values().find(|stored| stored.user.username.eq_ignore_ascii_case(name))
    }
}

impl StoredUser {
    fn credential(&self) -> Credential {
        Credential { user: self.user.clone(), password_hash: self.password_hash.clone() }
    }
}

#[async_trait]
impl UserRepository for MemoryStore {
    async fn insert(&self, user: &NewUser) -> Result<UserId, StoreError> {
        self.state().insert_user(user, user.role)
    }

    async fn insert_first_root(&self, user: &NewUser) -> Result<bool, StoreError> {
        let mut state = self.state();
        if state.users.values().any(|u| u.user.role == Role::Root) {
            return Ok(false);
        }
        state.insert_user(user, Role::Root).map(|_| true)
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.state().users.get(&id).map(|stored| stored.user.clone()))
    }

    async fn credential(&self, id: UserId) -> Result<Option<Credential>, StoreError> {
        Ok(self.state().users.get(&id).map(StoredUser::credential))
    }

    async fn find_by_username(&self, username: &str) -> Result<Option<Credential>, StoreError> {
        Ok(self.state().user_named(username).map(StoredUser::credential))
    }

    async fn list(&self, below: Option<Role>, page: Page) -> Result<Vec<User>, StoreError> {
        let state = self.state();
        let users = state.users.values().map(|stored| &stored.user);
        let below = users.filter(|user| below.is_none_or(|role| user.role < role));
        Ok(page.of(below).cloned().collect())
    }

    async fn update(
        &self,
        id: UserId,
        change: &UserChange,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(stored) = state.users.get_mut(&id) else {
            return Ok(false);
        };
        let change = change.clone();
        let user = &mut stored.user;
        if let Some(name) = change.display_name {
            user.display_name = name;
        }
        if let Some(email) = change.email {
            user.email = email;
        }
        if let Some(hash) = change.password_hash {
            stored.password_hash = hash;
            user.must_change_password = false;
        }
        if let Some(role) = change.role {
            user.role = role;
        }
        if let Some(enabled) = change.enabled {
            user.enabled = enabled;
        }
        user.limits = user.limits.with(change.limits);
        if change.end_sessions {
            user.session_version += 1;
        }
        state.note(entry, Some(id.0));
        Ok(true)
    }

    async fn has_ready_root(&self) -> Result<bool, StoreError> {
        let state = self.state();
        let mut users = state.users.values().map(|stored| &stored.user);
        Ok(users.any(|u| u.role == Role::Root && u.enabled && !u.must_change_password))
    }
}
