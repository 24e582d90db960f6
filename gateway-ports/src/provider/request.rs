//! What is asked of a chat model, without a dialect.
//!
//! A dialect reads a request into this and another writes it from this. It holds everything that
//! the dialects have between them; what none of them shares stays as raw JSON in `other`, so that a
//! codec can pass a field on by name, and name the fields that it does not pass on. What is
//! deliberately not known here: how anything is spelled on the wire.

mod message;
mod tool;

pub use message::{
    AudioPart, CacheMarks, CallMade, ChatMessage, Content, FilePart, ImagePart, Media, Part,
    PartKind, Role,
};
pub use tool::{CustomTool, FunctionTool, Tool, ToolChoice, ToolKind};

use super::json::{Fields, Json};
use serde_json::Number;

/// A request for a chat completion. A field that the caller left out, or set to null, is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatRequest {
    /// The model, as the caller named it.
    pub model: String,
    /// The conversation.
    pub messages: Vec<ChatMessage>,
    /// The tools that the model may call.
    pub tools: Vec<Tool>,
    /// Which tools it may or must call.
    pub tool_choice: Option<ToolChoice>,
    /// The choice came in the old field `function_call`.
    pub legacy_choice: bool,
    /// Whether several calls may come in one answer.
    pub parallel_tool_calls: Option<bool>,
    /// The shape that the answer must have.
    pub response_format: Option<ResponseFormat>,
    /// The sampling temperature, from 0 to 2.
    pub temperature: Option<Number>,
    /// The nucleus of probability.
    pub top_p: Option<Number>,
    /// A penalty on frequent tokens.
    pub frequency_penalty: Option<Number>,
    /// A penalty on tokens that were there.
    pub presence_penalty: Option<Number>,
    /// The seed of chance.
    pub seed: Option<Number>,
    /// Biases of tokens.
    pub logit_bias: Option<Json>,
    /// Whether probabilities of the answer's tokens are wanted.
    pub logprobs: Option<bool>,
    /// Of how many alternatives.
    pub top_logprobs: Option<u64>,
    /// Where the answer must stop.
    pub stop: Option<Stop>,
    /// How many answers are wanted.
    pub n: Option<u64>,
    /// The limit of completion tokens, under its old name.
    pub max_tokens: Option<u64>,
    /// The limit of completion tokens, under its new name.
    pub max_completion_tokens: Option<u64>,
    /// How much the model should think: `none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`,
    /// or a word that came later.
    pub reasoning_effort: Option<String>,
    /// Whether the answer is to be streamed.
    pub stream: Option<bool>,
    /// What else is asked of the stream.
    pub stream_options: Option<Json>,
    /// Who asks, in the caller's own terms.
    pub user: Option<String>,
    /// Who asks, for the provider's safety checks.
    pub safety_identifier: Option<String>,
    /// With which priority.
    pub service_tier: Option<String>,
    /// The caller's own notes.
    pub metadata: Option<Json>,
    /// The kinds of output: `text`, `audio`, `image`.
    pub modalities: Option<Vec<String>>,
    /// How audio output sounds.
    pub audio: Option<Json>,
    /// Which cache of prompts is used.
    pub prompt_cache_key: Option<String>,
    /// How prompts are cached.
    pub prompt_cache_options: Option<Json>,
    /// How long prompts are cached.
    pub prompt_cache_retention: Option<Json>,
    /// Asks the provider to search the web.
    pub web_search_options: Option<Json>,
    /// Every other field, as it came.
    pub other: Fields,
}

impl ChatRequest {
    /// The limit of completion tokens, whichever field has it.
    pub fn limit(&self) -> Option<u64> {
        self.max_completion_tokens.or(self.max_tokens)
    }

    /// Whether the caller uses the old `functions` and expects the old `function_call`.
    pub fn is_legacy(&self) -> bool {
        self.tools.iter().any(|tool| tool.legacy)
    }

    /// The call that the message at this place answers: the nearest one before it with this id.
    pub fn call_answered(&self, at: usize, id: &str) -> Option<&CallMade> {
        let before = self.messages.get(..at)?.iter().rev();
        before.flat_map(|message| message.tool_calls.iter().rev()).find(|call| call.id == id)
    }

    /// The names of the fields that the request has, under the names of the gateway's own API.
    /// Those that say nothing by themselves are left out: the model, the messages and the stream.
    pub fn present(&self) -> Vec<&str> {
        let legacy = self.tools.iter().any(|tool| tool.legacy);
        let fields = [
            ("tools", self.tools.iter().any(|tool| !tool.legacy)),
            ("functions", legacy),
            ("tool_choice", self.tool_choice.is_some() && !self.legacy_choice),
            ("function_call", self.tool_choice.is_some() && self.legacy_choice),
            ("parallel_tool_calls", self.parallel_tool_calls.is_some()),
            ("response_format", self.response_format.is_some()),
            ("temperature", self.temperature.is_some()),
            ("top_p", self.top_p.is_some()),
            ("frequency_penalty", self.frequency_penalty.is_some()),
            ("presence_penalty", self.presence_penalty.is_some()),
            ("seed", self.seed.is_some()),
            ("logit_bias", self.logit_bias.is_some()),
            ("logprobs", self.logprobs.is_some()),
            ("top_logprobs", self.top_logprobs.is_some()),
            ("stop", self.stop.is_some()),
            ("n", self.n.is_some()),
            ("max_tokens", self.max_tokens.is_some()),
            ("max_completion_tokens", self.max_completion_tokens.is_some()),
            ("reasoning_effort", self.reasoning_effort.is_some()),
            ("user", self.user.is_some()),
            ("safety_identifier", self.safety_identifier.is_some()),
            ("service_tier", self.service_tier.is_some()),
            ("metadata", self.metadata.is_some()),
            ("modalities", self.modalities.is_some()),
            ("audio", self.audio.is_some()),
            ("prompt_cache_key", self.prompt_cache_key.is_some()),
            ("prompt_cache_options", self.prompt_cache_options.is_some()),
            ("prompt_cache_retention", self.prompt_cache_retention.is_some()),
            ("web_search_options", self.web_search_options.is_some()),
        ];
        let known = fields.into_iter().filter(|(_, there)| *there).map(|(name, _)| name);
        known.chain(self.other.names()).collect()
    }

    /// The fields that the request has and that are not among those that a codec passes on.
    pub fn dropped(&self, passed_on: &[&str]) -> Vec<String> {
        let dropped = self.present().into_iter().filter(|name| !passed_on.contains(name));
        dropped.map(str::to_owned).collect()
    }
}

/// The texts at which an answer must stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// One, written as a string.
    One(String),
    /// An array of them.
    Many(Vec<String>),
}

impl Stop {
    /// All of them.
    pub fn texts(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

/// The shape that an answer must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseFormat {
    /// Any text.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON of a schema.
    JsonSchema(JsonSchema),
    /// A format that is not known, as it came.
    Other(Json),
}

/// A schema that an answer must fulfil.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonSchema {
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The schema itself.
    pub schema: Option<Json>,
    /// Whether it must be fulfilled exactly.
    pub strict: Option<bool>,
    /// Every other field of it.
    pub other: Fields,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_passed_on_is_named() {
        let request = ChatRequest {
            seed: Some(7.into()),
            n: Some(1),
            other: [("top_k".to_owned(), Json::null())].into_iter().collect(),
            ..ChatRequest::default()
        };
        assert_eq!(request.present(), ["seed", "n", "top_k"]);
        assert_eq!(request.dropped(&["n", "top_k"]), ["seed"]);
        assert_eq!(request.dropped(&[]), ["seed", "n", "top_k"]);
    }
}
