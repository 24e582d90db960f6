//! The operator's channels.

use super::{audit::Detail, check_name};
use crate::{ErrorKind, Gateway, GatewayError, RequestContext};
use gateway_domain::{
    Channel, ChannelId, ModelMapping, ModelSet, ProviderKind, Role, User,
    egress::{self, Purpose},
};
use gateway_ports::{AuditAction, ChannelChange, NewChannel, Provider, SnapshotKey};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;

const MOST_KEY: usize = 4096;
const MOST_CONFIG: usize = 16 << 10;

/// A channel that somebody wants, or a change to one; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct ChannelRequest {
    /// The name for people.
    pub name: Option<String>,
    /// Which provider.
    pub kind: Option<ProviderKind>,
    /// The provider's key; empty is as good as none.
    pub key: Option<SecretString>,
    /// Where it is; empty is the provider's own place.
    pub base_url: Option<String>,
    /// The models it serves.
    pub models: Option<ModelSet>,
    /// Models that the upstream knows under another name.
    pub model_mapping: Option<ModelMapping>,
    /// Options of this provider.
    pub config: Option<serde_json::Map<String, serde_json::Value>>,
    /// Whether it is used.
    pub enabled: Option<bool>,
    /// Higher is tried first.
    pub priority: Option<i64>,
    /// The share among channels of one priority.
    pub weight: Option<u32>,
}

impl Gateway {
    /// Makes a channel.
    pub async fn create_channel(
        &self,
        admin: &User,
        request: ChannelRequest,
        context: &RequestContext,
    ) -> Result<ChannelId, GatewayError> {
        check(&request)?;
        let needed =
            |field: &str| GatewayError::invalid(format!("{field} is required")).about(field);
        let kind = request.kind.clone().ok_or_else(|| needed("type"))?;
        let key =
            request.key.filter(|k| !k.expose_secret().is_empty()).ok_or_else(|| needed("key"))?;
        let channel = NewChannel {
            name: request.name.ok_or_else(|| needed("name"))?,
            base_url: self.place(admin, &kind, request.base_url.as_deref(), None)?,
            kind,
            models: request.models.unwrap_or_default(),
            model_mapping: request.model_mapping.unwrap_or_default(),
            config: request.config.unwrap_or_default(),
            priority: request.priority.unwrap_or(0),
            weight: request.weight.unwrap_or(1),
        };
        let enabled = request.enabled.unwrap_or(true);
        let entry = context.entry(admin, AuditAction::ChannelCreate, created(&channel, enabled));
        // The key is sealed for the channel's id, so the channel comes first, disabled. Both steps
        // have one entry.
        let id = self.0.store.channels.insert(&channel, &entry).await?;
        let change = ChannelChange {
            key: Some(self.seal(id, &key)?),
            enabled: Some(enabled),
            ..ChannelChange::default()
        };
        self.0.store.channels.update(id, &change, &entry).await?;
        self.0.cache.forget(&SnapshotKey::Routing).await;
        Ok(id)
    }

    /// All channels.
    pub async fn channels(&self) -> Result<Vec<Channel>, GatewayError> {
        Ok(self.0.store.channels.list().await?)
    }

    /// One channel.
    pub async fn channel(&self, id: ChannelId) -> Result<Channel, GatewayError> {
        self.0.store.channels.find(id).await?.ok_or_else(GatewayError::not_found)
    }

    /// Changes a channel. It holds from the next request on.
    pub async fn update_channel(
        &self,
        admin: &User,
        id: ChannelId,
        request: ChannelRequest,
        context: &RequestContext,
    ) -> Result<Channel, GatewayError> {
        check(&request)?;
        let current = self.channel(id).await?;
        let kind = request.kind.clone().unwrap_or_else(|| current.kind.clone());
        let base_url = if request.base_url.is_some() || kind != current.kind {
            Some(self.place(admin, &kind, request.base_url.as_deref(), Some(&current))?)
        } else {
            None
        };
        let key = match request.key.filter(|k| !k.expose_secret().is_empty()) {
            Some(key) => Some(self.seal(id, &key)?),
            None => None,
        };
        let change = ChannelChange {
            name: request.name,
            kind: request.kind,
            base_url,
            key,
            models: request.models,
            model_mapping: request.model_mapping,
            config: request.config,
            enabled: request.enabled,
            priority: request.priority,
            weight: request.weight,
        };
        let entry = context.entry(admin, AuditAction::ChannelUpdate, changed(&change));
        if !self.0.store.channels.update(id, &change, &entry).await? {
            return Err(GatewayError::not_found());
        }
        self.0.cache.forget(&SnapshotKey::Routing).await;
        self.channel(id).await
    }

    /// Deletes a channel. Its usage rows stay.
    pub async fn delete_channel(
        &self,
        admin: &User,
        id: ChannelId,
        context: &RequestContext,
    ) -> Result<(), GatewayError> {
        let entry = context.entry(admin, AuditAction::ChannelDelete, Detail::default());
        if !self.0.store.channels.delete(id, &entry).await? {
            return Err(GatewayError::not_found());
        }
        self.0.cache.forget(&SnapshotKey::Routing).await;
        Ok(())
    }

    /// The registered providers.
    pub fn providers(&self) -> impl Iterator<Item = &Arc<dyn Provider>> {
        self.0.providers.iter()
    }

    /// Where a channel is. A place of one's own choice gets the channel's key and every prompt, so
    /// only the highest role may choose it.
    fn place(
        &self,
        admin: &User,
        kind: &ProviderKind,
        wanted: Option<&str>,
        current: Option<&Channel>,
    ) -> Result<String, GatewayError> {
        let provider = self.0.providers.get(kind).ok_or_else(|| {
            GatewayError::new(
                ErrorKind::Invalid,
                "unknown_provider",
                format!("no provider of type '{kind}' is registered"),
            )
            .about("type")
        })?;
        let default = provider.default_base_url();
        let Some(wanted) = wanted.filter(|url| !url.is_empty()).or(default) else {
            return Err(
                GatewayError::invalid("base_url is required for this type").about("base_url")
            );
        };
        let unsafe_url = |e: gateway_domain::UnsafeUrl| {
            GatewayError::new(ErrorKind::Invalid, "unsafe_base_url", e.to_string())
                .about("base_url")
        };
        let config = &self.0.config;
        let vetted = egress::base_url(wanted, config.allow_loopback).map_err(unsafe_url)?;
        let known = default == Some(vetted.as_str())
            || current.is_some_and(|c| c.base_url == vetted && c.kind == *kind);
        if !known && admin.role < Role::Root {
            return Err(GatewayError::forbidden());
        }
        if !known && !config.custom_hosts.is_empty() {
            let url = egress::vet(&vetted, Purpose::Base, config.allow_loopback);
            if !url.is_ok_and(|url| config.custom_hosts.names(&url)) {
                let why = "base_url names a host that CUSTOM_HOST_SUFFIXES does not";
                return Err(
                    GatewayError::new(ErrorKind::Invalid, "unsafe_base_url", why).about("base_url")
                );
            }
        }
        Ok(vetted)
    }

    fn seal(&self, id: ChannelId, key: &SecretString) -> Result<(String, String), GatewayError> {
        let key = key.expose_secret();
        let sealed =
            self.0.vault.seal(id, key, self.0.nonce()).map_err(|e| {
                GatewayError::new(ErrorKind::Internal, "internal_error", e.to_string())
            })?;
        // Of a short key even four characters would tell too much.
        let hint = if key.len() >= 12 { key.get(key.len() - 4..).unwrap_or_default() } else { "" };
        Ok((sealed, hint.to_owned()))
    }
}

fn created(channel: &NewChannel, enabled: bool) -> Detail {
    let channel = channel.clone();
    changed(&ChannelChange {
        name: Some(channel.name),
        kind: Some(channel.kind),
        base_url: Some(channel.base_url),
        key: Some((String::new(), String::new())),
        models: Some(channel.models),
        model_mapping: Some(channel.model_mapping),
        config: Some(channel.config).filter(|config| !config.is_empty()),
        enabled: Some(enabled),
        priority: Some(channel.priority),
        weight: Some(channel.weight),
    })
}

/// Options are a provider's own, so nobody knows whether there is a secret among them.
fn changed(change: &ChannelChange) -> Detail {
    Detail::default()
        .with("name", change.name.as_ref())
        .with("type", change.kind.as_ref())
        .with("base_url", change.base_url.as_ref())
        .secret("key", change.key.as_ref())
        .with("models", change.models.as_ref())
        .with("model_mapping", change.model_mapping.as_ref())
        .secret("config", change.config.as_ref())
        .with("status", change.enabled.map(u8::from))
        .with("priority", change.priority)
        .with("weight", change.weight)
}

fn check(request: &ChannelRequest) -> Result<(), GatewayError> {
    let wrong =
        |field: &str, why: &str| Err(GatewayError::invalid(format!("{field} {why}")).about(field));
    if let Some(name) = &request.name {
        check_name(name, "name")?;
    }
    if let Some(key) = &request.key {
        let key = key.expose_secret();
        if key.len() > MOST_KEY || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return wrong("key", "has characters that no key has, or is too long");
        }
    }
    if request.model_mapping.as_ref().is_some_and(|m| m.len() > ModelMapping::MOST) {
        return wrong("model_mapping", "has too many entries");
    }
    if let Some(config) = &request.config
        && serde_json::to_string(config).map_or(usize::MAX, |text| text.len()) > MOST_CONFIG
    {
        return wrong("config", "is too large");
    }
    if request.weight.is_some_and(|weight| weight > Channel::MAX_WEIGHT) {
        return wrong("weight", "is at most 1000000");
    }
    if request.priority.is_some_and(|p| p.unsigned_abs() > 1_000_000_000) {
        return wrong("priority", "is too far from zero");
    }
    Ok(())
}
