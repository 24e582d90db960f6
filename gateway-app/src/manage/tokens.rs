//! One's own API keys.

use super::{audit::Detail, check_limits, check_name};
use crate::{ErrorKind, Gateway, GatewayError, RequestContext};
use gateway_domain::{
    ApiKey, Credits, Limits, LimitsChange, ModelSet, Role, SubnetList, Timestamp, Token, TokenId,
    User,
};
use gateway_ports::{AuditAction, NewToken, Page, SnapshotKey, TokenChange, TokenChanged};

/// A key that somebody wants.
#[derive(Clone, Debug, Default)]
pub struct TokenRequest {
    /// The name for people.
    pub name: String,
    /// The most it may spend.
    pub cap: Option<Credits>,
    /// The models it may call.
    pub models: ModelSet,
    /// The networks it may be used from.
    pub subnet: SubnetList,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// How much may be asked for with it; what is not named has no limit.
    pub limits: LimitsChange,
}

impl Gateway {
    /// Makes a key. This is the only time that the whole key is known.
    pub async fn create_token(
        &self,
        owner: &User,
        request: TokenRequest,
        context: &RequestContext,
    ) -> Result<(TokenId, ApiKey), GatewayError> {
        check_name(&request.name, "name")?;
        check_end(request.expires_at, context.started)?;
        check_limits(&request.limits)?;
        let entry = context.entry(owner, AuditAction::TokenCreate, created(&request));
        let key = ApiKey::from_random(&self.0.runtime.entropy.bytes());
        let token = NewToken {
            user_id: owner.id,
            name: request.name,
            digest: key.digest(),
            key_prefix: key.prefix().to_owned(),
            key_last4: key.last4().to_owned(),
            cap: request.cap,
            models: request.models,
            subnet: request.subnet,
            expires_at: request.expires_at,
            limits: Limits::default().with(request.limits),
        };
        let made = self.0.store.tokens.insert(&token, Token::MOST_PER_USER, &entry).await?;
        let id = made.ok_or_else(|| {
            GatewayError::new(
                ErrorKind::Conflict,
                "token_limit",
                format!("a user has at most {} keys", Token::MOST_PER_USER),
            )
        })?;
        Ok((id, key))
    }

    /// One's own keys.
    pub async fn tokens(&self, owner: &User, page: Page) -> Result<Vec<Token>, GatewayError> {
        Ok(self.0.store.tokens.list(owner.id, page).await?)
    }

    /// One of one's own keys.
    pub async fn token(&self, owner: &User, id: TokenId) -> Result<Token, GatewayError> {
        self.0.store.tokens.find(owner.id, id).await?.ok_or_else(GatewayError::not_found)
    }

    /// Changes one of one's own keys. It holds from the next request on.
    pub async fn update_token(
        &self,
        owner: &User,
        id: TokenId,
        change: &TokenChange,
        context: &RequestContext,
    ) -> Result<Token, GatewayError> {
        if let Some(name) = &change.name {
            check_name(name, "name")?;
        }
        if let Some(end) = change.expires_at {
            check_end(end, context.started)?;
        }
        check_limits(&change.limits)?;
        let entry = context.entry(owner, AuditAction::TokenUpdate, changed(change));
        match self.0.store.tokens.update(owner.id, id, change, &entry).await? {
            TokenChanged::Changed => {}
            TokenChanged::NotFound => return Err(GatewayError::not_found()),
            TokenChanged::BelowUse => {
                return Err(GatewayError::new(
                    ErrorKind::Conflict,
                    "quota_below_use",
                    "the key has already spent or holds more than that",
                ));
            }
        }
        let token = self.token(owner, id).await?;
        self.0.cache.forget(&SnapshotKey::Principal(token.digest)).await;
        Ok(token)
    }

    /// Deletes one of one's own keys, or for the highest role anybody's: a key that got out must go at
    /// once. It spends nothing from the next request on.
    pub async fn delete_token(
        &self,
        actor: &User,
        id: TokenId,
        context: &RequestContext,
    ) -> Result<(), GatewayError> {
        let found = self.0.store.tokens.find_any(id).await?.map(|principal| principal.token);
        let may = |token: &Token| token.user_id == actor.id || actor.role == Role::Root;
        let token = found.filter(may).ok_or_else(GatewayError::not_found)?;
        let entry = context.entry(actor, AuditAction::TokenDelete, Detail::default());
        self.0.store.tokens.delete(token.user_id, id, &entry).await?;
        self.0.cache.forget(&SnapshotKey::Principal(token.digest)).await;
        Ok(())
    }
}

fn created(request: &TokenRequest) -> Detail {
    changed(&TokenChange {
        name: Some(request.name.clone()),
        enabled: None,
        cap: Some(request.cap),
        models: Some(request.models.clone()),
        subnet: Some(request.subnet.clone()),
        expires_at: Some(request.expires_at),
        limits: request.limits,
    })
}

fn changed(change: &TokenChange) -> Detail {
    Detail::default()
        .with("name", change.name.as_ref())
        .with("status", change.enabled.map(u8::from))
        .with("quota", change.cap.map(Option::unwrap_or_default))
        .with("models", change.models.as_ref())
        .with("subnet", change.subnet.as_ref())
        .with("expired_at", change.expires_at.map(|end| end.map(Timestamp::to_rfc3339)))
        .limits(&change.limits)
}

fn check_end(end: Option<Timestamp>, now: Timestamp) -> Result<(), GatewayError> {
    if end.is_some_and(|end| end <= now) {
        return Err(GatewayError::invalid("expired_at lies in the past").about("expired_at"));
    }
    Ok(())
}
