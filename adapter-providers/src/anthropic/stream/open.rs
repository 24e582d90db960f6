//! The blocks of a streamed message that have begun and not ended, and what is kept of them.

use gateway_ports::{Json, provider::Fields};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Blocks that are open at once, at most. The API has one.
const MOST_OPEN: usize = 16;
/// The bytes that are kept of all of them, at most.
const MOST_KEPT: usize = 2 << 20;

/// A block that has begun.
pub(super) enum Block {
    Text,
    Thinking(Thought),
    /// The place among the calls, whether arguments came, and those that it began with.
    Call {
        place: usize,
        told: bool,
        input: Option<String>,
    },
    /// Not for the client.
    Ignored,
}

impl Block {
    fn size(&self) -> usize {
        match self {
            Self::Thinking(thought) => thought.size(),
            Self::Call { input, .. } => input.as_ref().map_or(0, String::len),
            Self::Text | Self::Ignored => 0,
        }
    }
}

/// The blocks that are open, by their places in the message.
#[derive(Default)]
pub(super) struct Open(BTreeMap<u64, Block>);

impl Open {
    /// # Errors
    /// If there are more of them than a message of the API ever has.
    pub(super) fn insert(&mut self, at: u64, block: Block) -> Result<(), &'static str> {
        if self.0.len() >= MOST_OPEN || self.size() + block.size() > MOST_KEPT {
            return Err("too much of the message is open");
        }
        self.0.insert(at, block);
        Ok(())
    }

    pub(super) fn get_mut(&mut self, at: u64) -> Option<&mut Block> {
        self.0.get_mut(&at)
    }

    pub(super) fn remove(&mut self, at: u64) -> Option<Block> {
        self.0.remove(&at)
    }

    /// Takes the first one.
    pub(super) fn pop_first(&mut self) -> Option<Block> {
        self.0.pop_first().map(|(_, block)| block)
    }

    /// Adds a piece to a thought.
    pub(super) fn add(&mut self, at: u64, piece: Piece<'_>) {
        let left = MOST_KEPT.saturating_sub(self.size());
        if let Some(Block::Thinking(thought)) = self.0.get_mut(&at) {
            thought.add(piece, left);
        }
    }

    fn size(&self) -> usize {
        self.0.values().map(Block::size).sum()
    }
}

/// A piece of a thought.
#[derive(Clone, Copy)]
pub(super) enum Piece<'a> {
    Text(&'a str),
    Signature(&'a str),
}

/// A block of reasoning, put together from its pieces.
#[derive(Default)]
pub(super) struct Thought {
    /// The block as it began, with fields that nothing is known of.
    fields: Fields,
    began_with: usize,
    text: String,
    signature: String,
    too_long: bool,
}

impl Thought {
    pub(super) fn begun(block: Option<&RawValue>) -> Self {
        let fields = block.map(Json::from).and_then(|block| block.fields()).unwrap_or_default();
        let text = |name: &str| fields.get(name).and_then(Json::as_text).unwrap_or_default();
        let (text, signature) = (text("thinking"), text("signature"));
        let began_with = block.map_or(0, |block| block.get().len());
        Self { fields, began_with, text, signature, too_long: false }
    }

    fn size(&self) -> usize {
        self.began_with + self.text.len() + self.signature.len()
    }

    fn add(&mut self, piece: Piece<'_>, left: usize) {
        let (Piece::Text(text) | Piece::Signature(text)) = piece;
        if text.len() > left {
            // Half a thought is worth nothing: it is signed as a whole.
            *self = Self { too_long: true, ..Self::default() };
        }
        match piece {
            _ if self.too_long => {}
            Piece::Text(text) => self.text.push_str(text),
            Piece::Signature(signature) => signature.clone_into(&mut self.signature),
        }
    }

    /// The block as it would have come whole.
    pub(super) fn whole(mut self) -> Option<Json> {
        self.fields.set("thinking", Json::of(&self.text));
        self.fields.set("signature", Json::of(&self.signature));
        (!self.too_long).then(|| Json::of(&self.fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_not_kept_without_end() {
        let mut open = Open::default();
        for at in 0..16 {
            assert_eq!(open.insert(at, Block::Text), Ok(()));
        }
        assert!(open.insert(16, Block::Text).is_err());
        let mut open = Open::default();
        open.insert(0, Block::Thinking(Thought::begun(None))).unwrap();
        open.insert(1, Block::Thinking(Thought::begun(None))).unwrap();
        let long = "x".repeat(5 << 18);
        open.add(0, Piece::Text(&long));
        open.add(1, Piece::Text(&long));
        open.add(1, Piece::Signature("s"));
        let input = Some(long);
        assert!(open.insert(2, Block::Call { place: 0, told: false, input }).is_err());
        let whole = |block| match block {
            Some(Block::Thinking(thought)) => thought.whole().is_some(),
            _ => false,
        };
        assert!(whole(open.remove(0)), "the first one had room");
        assert!(!whole(open.remove(1)), "the second one had none");
    }
}
