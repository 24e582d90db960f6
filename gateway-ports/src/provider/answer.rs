//! Whole answers without a dialect.

use super::{embeddings::Embeddings, json::Json};
use bytes::Bytes;
use gateway_domain::{TokenCounts, policy::estimate::TextSize};

/// A whole answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The answer itself.
    pub body: AnswerBody,
    /// What the provider says it used.
    pub usage: Option<TokenCounts>,
    /// The size of the text in it, for an estimate where no usage is reported.
    pub text: TextSize,
}

/// The answer itself.
#[derive(Clone, Debug, PartialEq)]
pub enum AnswerBody {
    /// It is `OpenAI`'s dialect already: it is passed on as it came.
    Verbatim(Bytes),
    /// An answer to a chat, to be written in `OpenAI`'s dialect.
    Chat(ChatAnswer),
    /// Vectors, to be written in `OpenAI`'s dialect.
    Embeddings(Embeddings),
}

/// An answer to a chat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatAnswer {
    /// The messages: one for each choice, in their order, and at least one.
    pub choices: Vec<Message>,
    /// With which priority it was answered, in `OpenAI`'s words, if the provider says.
    pub service_tier: Option<String>,
}

/// A message of the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The text; `None` if there are only tool calls.
    pub text: Option<String>,
    /// The model's reasoning, where the provider shows it.
    pub reasoning: Option<String>,
    /// Its blocks of reasoning, verbatim, where the provider wants them back.
    pub thinking_blocks: Vec<Json>,
    /// Why it does not answer.
    pub refusal: Option<String>,
    /// The tools that the model wants called.
    pub tool_calls: Vec<ToolCall>,
    /// What it cites, each as `OpenAI` writes an annotation.
    pub annotations: Vec<Json>,
    /// The probabilities of its tokens, as `OpenAI` writes `logprobs`.
    pub logprobs: Option<Json>,
    /// Why it stopped.
    pub finish: FinishReason,
}

impl Message {
    /// The size of the text in it.
    pub fn size(&self) -> TextSize {
        let mut size = TextSize::default();
        for text in [&self.text, &self.reasoning, &self.refusal].into_iter().flatten() {
            size.add(TextSize::of(text));
        }
        for call in &self.tool_calls {
            size.add(TextSize::of(&call.name));
            size.add(TextSize::of(&call.arguments));
        }
        size
    }
}

impl Answer {
    /// An answer of nothing but text.
    pub fn of_text(text: impl Into<String>, usage: Option<TokenCounts>) -> Self {
        let message = Message { text: Some(text.into()), ..Message::default() };
        Self::of_chat(message.into(), usage)
    }

    /// An answer to a chat.
    pub fn of_chat(chat: ChatAnswer, usage: Option<TokenCounts>) -> Self {
        let mut text = TextSize::default();
        for message in &chat.choices {
            text.add(message.size());
        }
        Self { body: AnswerBody::Chat(chat), usage, text }
    }

    /// Vectors. There is no text in them.
    pub fn of_embeddings(vectors: Vec<Vec<f32>>, usage: Option<TokenCounts>) -> Self {
        let body = AnswerBody::Embeddings(Embeddings(vectors));
        Self { body, usage, text: TextSize::default() }
    }

    /// One answer from those to the parts of a call, in their order: all vectors, and the sum of
    /// what was used as far as it was reported. Only vectors come in parts; of other answers the
    /// first one stands.
    #[must_use]
    pub fn join(parts: Vec<Self>) -> Self {
        let mut parts = parts.into_iter();
        let mut whole = parts.next().unwrap_or_else(|| Self::of_embeddings(Vec::new(), None));
        for part in parts {
            let (AnswerBody::Embeddings(all), AnswerBody::Embeddings(these)) =
                (&mut whole.body, part.body)
            else {
                continue;
            };
            all.0.extend(these.0);
            whole.text.add(part.text);
            whole.usage = match (whole.usage, part.usage) {
                (Some(before), Some(more)) => Some(sum(before, more)),
                (before, more) => before.or(more),
            };
        }
        whole
    }
}

fn sum(a: TokenCounts, b: TokenCounts) -> TokenCounts {
    TokenCounts {
        prompt: a.prompt.saturating_add(b.prompt),
        completion: a.completion.saturating_add(b.completion),
        cached: a.cached.saturating_add(b.cached),
        cache_write: a.cache_write.saturating_add(b.cache_write),
        reasoning: a.reasoning.saturating_add(b.reasoning),
    }
}

impl From<Message> for ChatAnswer {
    fn from(message: Message) -> Self {
        Self { choices: vec![message], service_tier: None }
    }
}

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// The call's id.
    pub id: String,
    /// The tool's name, as the caller named it.
    pub name: String,
    /// The arguments, as JSON text.
    pub arguments: String,
    /// What the provider wants back with the call (`google.thought_signature`), verbatim.
    pub extra_content: Option<Json>,
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FinishReason {
    /// It was done.
    #[default]
    Stop,
    /// It reached the limit.
    Length,
    /// It wants tools called.
    ToolCalls,
    /// A filter held it back, or it refused.
    ContentFilter,
}

impl FinishReason {
    /// The name in `OpenAI`'s dialect.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_joined_in_order_and_their_usage_is_added() {
        let part = |n: f32, usage| Answer::of_embeddings(vec![vec![n], vec![n + 0.5]], usage);
        let counts = |prompt| Some(TokenCounts::of(prompt, 0));
        for (name, usages, sum) in [
            ("all report", [counts(3), counts(4), counts(5)], counts(12)),
            ("some report", [None, counts(4), None], counts(4)),
            ("none reports", [None, None, None], None),
        ] {
            let parts = (0u8..).zip(usages).map(|(n, usage)| part(f32::from(n), usage));
            let whole = Answer::join(parts.collect());
            let vectors = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5].map(|n| vec![n]).to_vec();
            assert_eq!(whole, Answer::of_embeddings(vectors, sum), "{name}");
        }
        let text = Answer::of_text("a", None);
        assert_eq!(Answer::join(vec![text.clone(), part(1.0, counts(1))]), text);
        assert_eq!(Answer::join(Vec::new()), Answer::of_embeddings(Vec::new(), None));
    }
}
