//! Which models can be called.

use crate::{Gateway, GatewayError};
use gateway_domain::{ModelName, ModelSet, policy::select};
use gateway_ports::{Principal, Routing};
use std::collections::BTreeMap;

/// A model that can be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The name.
    pub id: String,
    /// Since when a channel serves it, in seconds since the epoch.
    pub created: i64,
    /// The provider's name.
    pub owned_by: String,
}

impl Gateway {
    /// The models that a key may call and some enabled channel serves, by name.
    pub async fn models(&self, principal: &Principal) -> Result<Vec<Model>, GatewayError> {
        let routing = self.0.routing().await?;
        Ok(self.listed(&routing, &principal.token.models))
    }

    /// The models that any key could call.
    pub async fn all_models(&self) -> Result<Vec<Model>, GatewayError> {
        let routing = self.0.routing().await?;
        Ok(self.listed(&routing, &ModelSet::default()))
    }

    /// One model that a key may call, even where only a pattern names it.
    pub async fn model(&self, principal: &Principal, id: &str) -> Result<Model, GatewayError> {
        let unknown = || GatewayError::from(select::NoChannel::UnknownModel);
        let name = ModelName::new(id).map_err(|_| unknown())?;
        let routing = self.0.routing().await?;
        if !principal.token.models.contains(id) {
            return Err(unknown());
        }
        let serving =
            routing.channels.iter().find(|c| c.enabled && c.serves(&name)).ok_or_else(unknown)?;
        Ok(Model {
            id: id.to_owned(),
            created: serving.created_at.as_secs(),
            owned_by: self.provider_name(serving),
        })
    }

    fn listed(&self, routing: &Routing, allowed: &ModelSet) -> Vec<Model> {
        let mut models = BTreeMap::new();
        for channel in routing.channels.iter().filter(|c| c.enabled) {
            for id in channel.listed_models().filter(|id| allowed.contains(id)) {
                models.entry(id.to_owned()).or_insert_with(|| Model {
                    id: id.to_owned(),
                    created: channel.created_at.as_secs(),
                    owned_by: self.provider_name(channel),
                });
            }
        }
        models.into_values().collect()
    }

    fn provider_name(&self, channel: &gateway_domain::Channel) -> String {
        self.0
            .providers
            .get(&channel.kind)
            .map_or_else(|| channel.kind.to_string(), |p| p.name().to_owned())
    }
}
