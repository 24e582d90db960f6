//! The neutral request, written in this dialect.

mod message;
mod tool;

use bytes::Bytes;
use gateway_ports::{
    ChatRequest, EmbeddingsRequest,
    provider::{
        EmbeddingsInput, Fields,
        request::{CacheMarks, JsonSchema, ResponseFormat, Stop},
    },
};
use serde::{Serialize, Serializer, ser::SerializeMap};
use tool::Choice;

/// Writes a request for a chat completion.
pub fn write(request: &ChatRequest) -> Bytes {
    // Only a map with keys that are no strings could fail, and there is none.
    serde_json::to_vec(&Wire(request)).unwrap_or_default().into()
}

/// Writes a request for embeddings.
pub fn write_embeddings(request: &EmbeddingsRequest) -> Bytes {
    serde_json::to_vec(&Wire(request)).unwrap_or_default().into()
}

/// Something in this dialect.
struct Wire<'a, T: ?Sized>(&'a T);

/// The fields of an object, one after the other.
struct Map<S: Serializer>(S::SerializeMap);

type Written<S> = Result<Map<S>, <S as Serializer>::Error>;

impl<S: Serializer> Map<S> {
    fn new(s: S) -> Written<S> {
        s.serialize_map(None).map(Self)
    }

    fn put<T: Serialize + ?Sized>(mut self, name: &str, value: &T) -> Written<S> {
        self.0.serialize_entry(name, value)?;
        Ok(self)
    }

    /// A field that may not be there.
    fn maybe<T: Serialize>(self, name: &str, value: Option<&T>) -> Written<S> {
        match value {
            Some(value) => self.put(name, value),
            None => Ok(self),
        }
    }

    /// An array that is not written when it is empty.
    fn list<'a, T: 'a>(self, name: &str, items: impl IntoIterator<Item = &'a T>) -> Written<S>
    where
        Wire<'a, T>: Serialize,
    {
        let items: Vec<Wire<'a, T>> = items.into_iter().map(Wire).collect();
        self.maybe(name, Some(&items).filter(|items| !items.is_empty()))
    }

    fn marks(self, marks: &CacheMarks) -> Written<S> {
        self.maybe("cache_control", marks.control.as_ref())?
            .maybe("prompt_cache_breakpoint", marks.breakpoint.as_ref())
    }

    fn end(mut self, other: &Fields) -> Result<S::Ok, S::Error> {
        for (name, value) in other.iter() {
            self.0.serialize_entry(name, value)?;
        }
        self.0.end()
    }
}

impl Serialize for Wire<'_, ChatRequest> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let r = self.0;
        let choice = if r.legacy_choice { "function_call" } else { "tool_choice" };
        let choice_value = r.tool_choice.as_ref().map(|choice| Choice(choice, r.legacy_choice));
        Map::new(s)?
            .put("model", &r.model)?
            .put("messages", &r.messages.iter().map(Wire).collect::<Vec<_>>())?
            .list("tools", r.tools.iter().filter(|tool| !tool.legacy))?
            .list("functions", r.tools.iter().filter(|tool| tool.legacy))?
            .maybe(choice, choice_value.as_ref())?
            .maybe("parallel_tool_calls", r.parallel_tool_calls.as_ref())?
            .maybe("response_format", r.response_format.as_ref().map(Wire).as_ref())?
            .maybe("temperature", r.temperature.as_ref())?
            .maybe("top_p", r.top_p.as_ref())?
            .maybe("frequency_penalty", r.frequency_penalty.as_ref())?
            .maybe("presence_penalty", r.presence_penalty.as_ref())?
            .maybe("seed", r.seed.as_ref())?
            .maybe("logit_bias", r.logit_bias.as_ref())?
            .maybe("logprobs", r.logprobs.as_ref())?
            .maybe("top_logprobs", r.top_logprobs.as_ref())?
            .maybe("stop", r.stop.as_ref().map(Wire).as_ref())?
            .maybe("n", r.n.as_ref())?
            .maybe("max_tokens", r.max_tokens.as_ref())?
            .maybe("max_completion_tokens", r.max_completion_tokens.as_ref())?
            .maybe("reasoning_effort", r.reasoning_effort.as_ref())?
            .maybe("stream", r.stream.as_ref())?
            .maybe("stream_options", r.stream_options.as_ref())?
            .maybe("user", r.user.as_ref())?
            .maybe("safety_identifier", r.safety_identifier.as_ref())?
            .maybe("service_tier", r.service_tier.as_ref())?
            .maybe("metadata", r.metadata.as_ref())?
            .maybe("modalities", r.modalities.as_ref())?
            .maybe("audio", r.audio.as_ref())?
            .maybe("prompt_cache_key", r.prompt_cache_key.as_ref())?
            .maybe("prompt_cache_options", r.prompt_cache_options.as_ref())?
            .maybe("prompt_cache_retention", r.prompt_cache_retention.as_ref())?
            .maybe("web_search_options", r.web_search_options.as_ref())?
            .end(&r.other)
    }
}

impl Serialize for Wire<'_, EmbeddingsRequest> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let r = self.0;
        let map = Map::new(s)?.put("model", &r.model)?;
        let map = match &r.input {
            EmbeddingsInput::Text(text) => map.put("input", text)?,
            EmbeddingsInput::Texts(texts) => map.put("input", texts)?,
            EmbeddingsInput::Tokens(tokens) => map.put("input", tokens)?,
            EmbeddingsInput::TokenLists(lists) => map.put("input", lists)?,
        };
        map.maybe("dimensions", r.dimensions.as_ref())?
            .maybe("encoding_format", r.encoding_format.as_ref())?
            .maybe("user", r.user.as_ref())?
            .end(&r.other)
    }
}

impl Serialize for Wire<'_, Stop> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Stop::One(text) => text.serialize(s),
            Stop::Many(texts) => texts.serialize(s),
        }
    }
}

impl Serialize for Wire<'_, ResponseFormat> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let none = Fields::default();
        match self.0 {
            ResponseFormat::Text => Map::new(s)?.put("type", "text")?.end(&none),
            ResponseFormat::JsonObject => Map::new(s)?.put("type", "json_object")?.end(&none),
            ResponseFormat::JsonSchema(schema) => Map::new(s)?
                .put("type", "json_schema")?
                .put("json_schema", &Wire(schema))?
                .end(&none),
            ResponseFormat::Other(json) => json.serialize(s),
        }
    }
}

impl Serialize for Wire<'_, JsonSchema> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        Map::new(s)?
            .maybe("name", self.0.name.as_ref())?
            .maybe("description", self.0.description.as_ref())?
            .maybe("strict", self.0.strict.as_ref())?
            .maybe("schema", self.0.schema.as_ref())?
            .end(&self.0.other)
    }
}

/// An object of texts and other fields.
struct Object<'a>(&'a [(&'a str, Option<&'a String>)], &'a Fields);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = Map::new(s)?;
        for (name, value) in self.0 {
            map = map.maybe(name, value.as_ref())?;
        }
        map.end(self.1)
    }
}
