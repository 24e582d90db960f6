//! Marks for the cache of prompts, in both ways that clients write them.

use super::{
    Context,
    conversation::Conversation,
    object,
    wire::{Block, Kind, Own, Result as Answered, Tool},
};
use gateway_ports::{
    ChatRequest, Json, ProviderError,
    provider::{Fields, request::CacheMarks},
};

/// The marks that one request may have.
const MOST: usize = 4;

/// The mark of a part: the caller's own in this dialect, to the letter, or one in its stead.
pub(super) fn of(marks: &CacheMarks, context: &Context<'_>) -> Option<Json> {
    own(marks.control.as_ref()).or_else(|| marks.breakpoint.as_ref().map(|_| ephemeral(context)))
}

/// A mark in this dialect, if it is one.
pub(super) fn own(control: Option<&Json>) -> Option<Json> {
    control.filter(|control| control.is_object()).cloned()
}

/// The mark of the request as a whole, which stands for one on its last block.
pub(super) fn automatic(
    asked: &ChatRequest,
    context: &Context<'_>,
) -> Result<Option<Json>, ProviderError> {
    let own = object(asked, "cache_control")?.cloned();
    Ok(own.or_else(|| context.options.auto_cache.then(|| ephemeral(context))))
}

fn ephemeral(context: &Context<'_>) -> Json {
    let mut mark: Fields = [("type".to_owned(), Json::of("ephemeral"))].into_iter().collect();
    if let Some(ttl) = context.options.cache_ttl {
        mark.set("ttl", Json::of(ttl));
    }
    Json::of(&mark)
}

/// Keeps the last marks of a request, as many as it may have.
pub(super) fn limit(automatic: bool, tools: &mut [Tool<'_>], talk: &mut Conversation<'_>) {
    let mut marks: Vec<&mut Option<Json>> = Vec::new();
    for tool in tools {
        if let Tool::Function(function) = tool {
            marks.push(&mut function.cache_control);
        }
    }
    let turns = talk.turns.iter_mut().flat_map(|turn| turn.content.iter_mut());
    for block in talk.system.iter_mut().chain(turns) {
        collect(block, &mut marks);
    }
    marks.retain(|mark| mark.is_some());
    let most = MOST - usize::from(automatic);
    let surplus = marks.len().saturating_sub(most);
    for mark in marks.into_iter().take(surplus) {
        *mark = None;
    }
}

fn collect<'m>(block: &'m mut Block<'_>, marks: &mut Vec<&'m mut Option<Json>>) {
    let Block::Own(Own { kind, cache_control }) = block else { return };
    if let Kind::ToolResult { content: Some(Answered::Blocks(blocks)), .. } = kind {
        for block in blocks {
            collect(block, marks);
        }
    }
    marks.push(cache_control);
}
