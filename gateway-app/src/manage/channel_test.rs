//! One small real call through a channel, to see whether it works.

use crate::{Gateway, GatewayError, relay::attempt::try_once};
use gateway_domain::{Channel, ChannelId, Fault, ModelCall};
use serde_json::json;
use std::time::Duration;

/// The completion tokens of a test. Fewer are refused by some models, and reasoning ones think.
const MOST_TOKENS: u32 = 16;

/// What a test came to.
#[derive(Clone, Debug)]
pub struct ChannelTest {
    /// The model that was asked, as callers name it.
    pub model: String,
    /// How long it took.
    pub latency: Duration,
    /// What went wrong, as the upstream said it, without anything secret.
    pub fault: Option<Fault>,
}

impl Gateway {
    /// Asks a channel's model for a few words, for nobody's account. Without a model it is the
    /// first that the channel names. The channel may be disabled.
    pub async fn test_channel(
        &self,
        id: ChannelId,
        model: Option<String>,
    ) -> Result<ChannelTest, GatewayError> {
        let channel = self.channel(id).await?;
        let model = model.or_else(|| first_model(&channel)).ok_or_else(|| {
            GatewayError::invalid("the channel names no model: say which").about("model")
        })?;
        let messages = json!([{"role": "user", "content": "Say hi."}]);
        let body = json!({"model": model, "messages": messages, "max_tokens": MOST_TOKENS});
        let call = ModelCall::chat(body.to_string().into())
            .map_err(|error| GatewayError::invalid(error.to_string()).about("model"))?;
        let started = self.now();
        let answer = try_once(&self.0, &channel, &call).await;
        Ok(ChannelTest { model, latency: self.now().since(started), fault: answer.err() })
    }
}

fn first_model(channel: &Channel) -> Option<String> {
    channel.models.names().find(|name| !name.contains('*')).map(str::to_owned)
}
