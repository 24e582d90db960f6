//! Who is calling: an API key's owner on `/v1`, a login on `/api`.

use crate::{ErrorKind, Gateway, GatewayError, gateway::Parts};
use gateway_domain::{ApiKey, KeyDigest, RequestId, Role, Timestamp, User, policy::admission};
use gateway_ports::{Principal, Snapshot, SnapshotKey};
use std::{net::IpAddr, sync::Arc};

/// What is known of a request besides its body.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The gateway's id of it.
    pub request_id: RequestId,
    /// The caller's address.
    pub address: Option<IpAddr>,
    /// When it came.
    pub started: Timestamp,
    /// The caller's own key for "this once".
    pub idempotency_key: Option<String>,
}

impl Gateway {
    /// The owner of an API key, if it may be used now, from here.
    pub async fn authenticate_key(
        &self,
        key: &str,
        context: &RequestContext,
    ) -> Result<Arc<Principal>, GatewayError> {
        let found = self.owner(key, context).await;
        found.inspect_err(|error| self.0.refused(None, context, error))
    }

    async fn owner(
        &self,
        key: &str,
        context: &RequestContext,
    ) -> Result<Arc<Principal>, GatewayError> {
        let key = ApiKey::parse(key).ok_or_else(GatewayError::invalid_api_key)?;
        let principal = self.0.principal(&key.digest()).await?;
        let Principal { user, token } = &*principal;
        admission::admit_key(user, token, context.address, context.started)?;
        Ok(principal)
    }

    /// The user of a login.
    pub async fn authenticate_session(&self, token: &str) -> Result<User, GatewayError> {
        let user = self.session_user(token).await?;
        if user.must_change_password {
            return Err(admission::Denied::PasswordChangeRequired.into());
        }
        Ok(user)
    }

    /// The user of a login, even one who can do nothing yet but change the password.
    pub async fn session_user(&self, token: &str) -> Result<User, GatewayError> {
        let invalid = || {
            GatewayError::new(ErrorKind::Unauthenticated, "invalid_token", "the login is not valid")
        };
        let session = self.0.sessions.check(token, self.now()).ok_or_else(invalid)?;
        let user = self.0.store.users.find(session.user).await?.ok_or_else(invalid)?;
        if user.session_version != session.version {
            return Err(GatewayError::new(
                ErrorKind::Unauthenticated,
                "token_revoked",
                "the login was ended: log in again",
            ));
        }
        if !user.enabled {
            return Err(admission::Denied::UserDisabled.into());
        }
        Ok(user)
    }

    /// The user of a login who has at least this role.
    pub async fn authenticate_role(&self, token: &str, role: Role) -> Result<User, GatewayError> {
        let user = self.authenticate_session(token).await?;
        if user.role < role { Err(GatewayError::forbidden()) } else { Ok(user) }
    }
}

impl Parts {
    /// A key and its user: a copy if one is at hand.
    pub(crate) async fn principal(
        &self,
        digest: &KeyDigest,
    ) -> Result<Arc<Principal>, GatewayError> {
        let key = SnapshotKey::Principal(*digest);
        if let Some(Snapshot::Principal(principal)) = self.cache.get(&key).await {
            return Ok(principal);
        }
        let found = self.store.tokens.find_by_digest(digest).await?;
        let principal = found.ok_or_else(GatewayError::invalid_api_key)?;
        let principal = Arc::new(principal.for_copies());
        self.cache.put(key, Snapshot::Principal(principal.clone()), self.config.snapshot_ttl).await;
        Ok(principal)
    }
}
