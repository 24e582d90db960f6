//! What was used, as Gemini counts it: thoughts and the results of its own tools apart.

use super::wire::UsageMetadata;
use gateway_domain::TokenCounts;

/// The counters so far. Each piece of a stream says all of them again, except those that are zero.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters(UsageMetadata);

impl Counters {
    /// Takes what a piece says. A counter that it leaves out stands as it was.
    pub(super) fn take(&mut self, said: &UsageMetadata) {
        let known = &mut self.0;
        for (known, said) in [
            (&mut known.prompt_token_count, said.prompt_token_count),
            (&mut known.tool_use_prompt_token_count, said.tool_use_prompt_token_count),
            (&mut known.cached_content_token_count, said.cached_content_token_count),
            (&mut known.candidates_token_count, said.candidates_token_count),
            (&mut known.thoughts_token_count, said.thoughts_token_count),
        ] {
            known.0 = said.0.or(known.0);
        }
    }

    /// The counts; `None` if it was never said how long the prompt was.
    pub(super) fn counts(&self) -> Option<TokenCounts> {
        let said = &self.0;
        let tools = said.tool_use_prompt_token_count.0.unwrap_or(0);
        let thoughts = said.thoughts_token_count.0.unwrap_or(0);
        Some(TokenCounts {
            prompt: said.prompt_token_count.0?.saturating_add(tools),
            completion: said.candidates_token_count.0.unwrap_or(0).saturating_add(thoughts),
            cached: said.cached_content_token_count.0.unwrap_or(0),
            cache_write: 0,
            reasoning: thoughts,
        })
    }
}
