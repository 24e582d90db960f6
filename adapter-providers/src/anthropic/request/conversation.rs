//! The messages: who speaks in turns, and what a tool gave stands right behind its call.

use super::{
    Context,
    content::{self, Allowed},
    ids::{Ids, Key},
    marks,
    wire::{Block, Kind, Own, Result as Given, Role, Turn},
};
use crate::anthropic::models::Thinking;
use gateway_ports::{
    ChatRequest, Json, ProviderError,
    provider::request::{CallMade, ChatMessage, Content, Role as Speaker},
};
use std::borrow::Cow;

type Result<T> = std::result::Result<T, ProviderError>;

/// Said where the caller said nothing and the API wants something.
const NOTHING: &str = ".";
const NO_RESULT: &str = "(no result)";

/// A conversation, written.
#[derive(Debug, Default)]
pub(super) struct Conversation<'a> {
    pub(super) system: Vec<Block<'a>>,
    pub(super) turns: Vec<Turn<'a>>,
}

impl Conversation<'_> {
    /// Whether the model's last turn is not over (a tool was called, or the caller has begun the
    /// answer), and began without a thought. A model that thinks with a budget must have its
    /// thoughts back then.
    pub(super) fn ends_without_thought(&self) -> bool {
        let last = self.turns.iter().rposition(|turn| turn.role == Role::Assistant);
        let Some((at, turn)) = last.and_then(|at| Some((at, self.turns.get(at)?))) else {
            return false;
        };
        let open = at + 1 == self.turns.len() || turn.content.iter().any(Block::is_call);
        open && !matches!(turn.content.first(), Some(Block::Verbatim(_)))
    }
}

/// A turn while it is written.
struct Draft<'a> {
    role: Role,
    /// What tools gave, with the place of the call in the model's turn.
    results: Vec<(usize, Block<'a>)>,
    blocks: Vec<Block<'a>>,
    /// The person spoke, not only tools.
    spoken: bool,
}

struct Writer<'a, 'c, 'o> {
    context: &'c mut Context<'o>,
    ids: Ids<'a>,
    system: Vec<Block<'a>>,
    drafts: Vec<Draft<'a>>,
}

/// Writes the messages.
pub(super) fn write<'a>(
    asked: &'a ChatRequest,
    context: &mut Context<'_>,
) -> Result<Conversation<'a>> {
    let ids = Ids::default();
    let mut writer = Writer { context, ids, system: Vec::new(), drafts: Vec::new() };
    for (at, message) in asked.messages.iter().enumerate() {
        writer.context.dropped_fields("messages.[]", &message.other);
        match message.role {
            Speaker::System | Speaker::Developer => writer.system(message, at)?,
            Speaker::User => writer.user(message, at)?,
            Speaker::Assistant => writer.assistant(message, at)?,
            Speaker::Tool | Speaker::Function => writer.tool(message, at)?,
        }
    }
    writer.finish()
}

impl<'a> Writer<'a, '_, '_> {
    fn system(&mut self, message: &'a ChatMessage, at: usize) -> Result<()> {
        let blocks = self.blocks(message, at, Allowed::Text)?;
        self.system.extend(blocks);
        self.drop_name(message);
        Ok(())
    }

    fn user(&mut self, message: &'a ChatMessage, at: usize) -> Result<()> {
        let blocks = self.blocks(message, at, Allowed::All)?;
        self.drop_name(message);
        if let Some(draft) = self.draft(Role::User) {
            draft.blocks.extend(blocks);
            draft.spoken = true;
        }
        Ok(())
    }

    fn assistant(&mut self, message: &'a ChatMessage, at: usize) -> Result<()> {
        let mut blocks: Vec<Block<'a>> = Vec::new();
        for block in &message.thinking_blocks {
            if self.context.model.thinking != Thinking::None && is_signed(block) {
                blocks.push(Block::Verbatim(block));
            } else {
                self.context.dropped_part("messages.[].thinking_blocks");
            }
        }
        blocks.extend(content::blocks(&message.content, at, Allowed::Text, self.context)?);
        blocks.extend(message.refusal.as_deref().and_then(content::said));
        if message.audio.is_some() {
            self.context.dropped_part("messages.[].audio");
        }
        self.drop_name(message);
        let calls = message.tool_calls.iter().enumerate();
        let calls = calls.map(|(i, call)| (Key::Id(&call.id), Some(i), call));
        let old = message.function_call.iter().map(|call| (Key::Name(&call.name), None, call));
        let calls: Vec<_> = calls.chain(old).collect();
        if blocks.is_empty() && calls.is_empty() {
            return Ok(());
        }
        if self.drafts.last().is_none_or(|draft| draft.role != Role::Assistant) {
            self.ids.begin_turn();
        }
        for (key, index, call) in calls {
            let id = self.ids.call(key);
            let input = self.input(call, at, index)?;
            self.context.dropped_fields("messages.[].tool_calls.[]", &call.other);
            let kind = Kind::ToolUse { id, name: &call.name, input };
            blocks.push(Block::new(kind, marks::of(&call.cache, self.context)));
        }
        self.mark(message, &mut blocks);
        if let Some(draft) = self.draft(Role::Assistant) {
            draft.blocks.extend(blocks);
        }
        Ok(())
    }

    /// The arguments of a call as the object that this dialect wants.
    fn input(&mut self, call: &CallMade, at: usize, index: Option<usize>) -> Result<Json> {
        let wrapped = match call.input() {
            Ok(input) => return Ok(input),
            Err(wrapped) => wrapped,
        };
        if !self.context.options.strict {
            self.context.dropped_part("messages.[].tool_calls.[].function.arguments");
            return Ok(wrapped);
        }
        let inside = if call.custom { "custom.input" } else { "function.arguments" };
        let param = match index {
            Some(index) => format!("messages.[{at}].tool_calls.[{index}].{inside}"),
            None => format!("messages.[{at}].function_call.arguments"),
        };
        let message = format!("{param} must be a JSON object");
        Err(ProviderError::unsupported(param, ProviderError::INVALID_VALUE, message))
    }

    fn tool(&mut self, message: &'a ChatMessage, at: usize) -> Result<()> {
        let (key, field) = match message.role {
            Speaker::Function => (message.name.as_deref().map(Key::Name), "name"),
            _ => (message.tool_call_id.as_deref().map(Key::Id), "tool_call_id"),
        };
        let key = key.ok_or_else(|| {
            let param = format!("messages.[{at}].{field}");
            let text = format!("{param} is missing");
            ProviderError::unsupported(param, ProviderError::INVALID_VALUE, text)
        })?;
        let content = match &message.content {
            Content::Text(text) => {
                Some(text.as_str()).filter(|t| !t.trim().is_empty()).map(Given::Text)
            }
            content => {
                let blocks = content::blocks(content, at, Allowed::All, self.context)?;
                Some(blocks).filter(|blocks| !blocks.is_empty()).map(Given::Blocks)
            }
        };
        let (tool_use_id, place) = self.ids.result(key);
        let kind = Kind::ToolResult { tool_use_id, content };
        let block = Block::new(kind, marks::of(&message.cache, self.context));
        if let Some(draft) = self.draft(Role::User) {
            draft.results.push((place, block));
        }
        Ok(())
    }

    /// A message's blocks, with the message's own mark for the cache on the last of them.
    fn blocks(
        &mut self,
        message: &'a ChatMessage,
        at: usize,
        allowed: Allowed,
    ) -> Result<Vec<Block<'a>>> {
        let mut blocks = content::blocks(&message.content, at, allowed, self.context)?;
        self.mark(message, &mut blocks);
        Ok(blocks)
    }

    fn mark(&mut self, message: &ChatMessage, blocks: &mut [Block<'a>]) {
        if let Some(Block::Own(Own { cache_control, .. })) = blocks.last_mut()
            && cache_control.is_none()
        {
            *cache_control = marks::of(&message.cache, self.context);
        }
    }

    fn drop_name(&mut self, message: &ChatMessage) {
        if message.name.is_some() {
            self.context.dropped_part("messages.[].name");
        }
    }

    /// The turn of a speaker: the last one, if it is theirs.
    fn draft(&mut self, role: Role) -> Option<&mut Draft<'a>> {
        if self.drafts.last().is_none_or(|draft| draft.role != role) {
            let (results, blocks) = (Vec::new(), Vec::new());
            self.drafts.push(Draft { role, results, blocks, spoken: false });
        }
        self.drafts.last_mut()
    }

    fn finish(mut self) -> Result<Conversation<'a>> {
        self.answer_the_rest();
        let mut turns: Vec<Turn<'a>> = Vec::with_capacity(self.drafts.len() + 1);
        for mut draft in self.drafts {
            draft.results.sort_by_key(|(place, _)| *place);
            let mut content: Vec<Block<'a>> =
                draft.results.into_iter().map(|(_, block)| block).collect();
            content.extend(draft.blocks);
            if content.is_empty() {
                content.push(Block::text(NOTHING));
            }
            if turns.is_empty() && draft.role == Role::Assistant {
                let content = vec![Block::text(NOTHING)];
                turns.push(Turn { role: Role::User, content });
            }
            turns.push(Turn { role: draft.role, content });
        }
        if turns.is_empty() {
            // Somebody has to speak: the API takes no system text alone.
            let last = self.system.pop().ok_or_else(|| {
                ProviderError::unsupported(
                    "messages",
                    ProviderError::INVALID_VALUE,
                    "messages: nothing is said in them",
                )
            })?;
            turns.push(Turn { role: Role::User, content: vec![last] });
        }
        if let Some(Turn { role: Role::Assistant, content }) = turns.last_mut()
            && let Some(Block::Own(Own { kind: Kind::Text { text }, .. })) = content.last_mut()
        {
            // The beginning of an answer may not end in white space.
            trim_end(text);
        }
        Ok(Conversation { system: self.system, turns })
    }

    /// The person went on without what a tool should have given. The API would refuse that for
    /// good, so it is told that nothing came; a caller that only forgot it is not helped.
    fn answer_the_rest(&mut self) {
        let strict = self.context.options.strict;
        let Some(draft) = self.drafts.last_mut().filter(|draft| draft.spoken && !strict) else {
            return;
        };
        for (tool_use_id, place) in self.ids.unanswered() {
            let kind = Kind::ToolResult { tool_use_id, content: Some(Given::Text(NO_RESULT)) };
            draft.results.push((place, Block::new(kind, None)));
            self.context.dropped_part("messages.[].tool_calls");
        }
    }
}

fn trim_end(text: &mut Cow<'_, str>) {
    match text {
        Cow::Borrowed(text) => *text = text.trim_end(),
        Cow::Owned(text) => text.truncate(text.trim_end().len()),
    }
}

/// Whether a block of reasoning is one that this provider signed, as far as that can be seen.
fn is_signed(block: &Json) -> bool {
    let Some(fields) = block.fields() else { return false };
    let text = |name: &str| fields.get(name).and_then(Json::as_text).unwrap_or_default();
    match text("type").as_str() {
        "thinking" => !text("signature").is_empty(),
        "redacted_thinking" => !text("data").is_empty(),
        _ => false,
    }
}
