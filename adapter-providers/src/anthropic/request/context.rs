//! What the parts of a request are written by: the channel's options, what the model can do, and
//! notes of what was left out.

use crate::anthropic::{models::Model, options::Options};
use gateway_ports::provider::Fields;

/// Names inside of messages and tools that are noted, at most: a caller may invent any number.
const MOST_PARTS: usize = 32;

/// The longest name of a field that is noted.
const MOST_NAME: usize = 64;

/// What is known while a request is written, and what is noted.
#[derive(Debug)]
pub(super) struct Context<'o> {
    pub(super) options: &'o Options<'o>,
    pub(super) model: &'o Model,
    fields: Vec<&'static str>,
    parts: Vec<String>,
    needed: Vec<&'static str>,
}

impl<'o> Context<'o> {
    pub(super) fn new(options: &'o Options<'o>, model: &'o Model) -> Self {
        Self { options, model, fields: Vec::new(), parts: Vec::new(), needed: Vec::new() }
    }

    /// One of the caller's fields is not in the request, or not as it came.
    pub(super) fn dropped(&mut self, field: &'static str) {
        self.fields.push(field);
    }

    /// Something inside of a message or a tool is not in the request, or not as it came. Its name
    /// says `[]` for every place, because a conversation has many.
    pub(super) fn dropped_part(&mut self, name: &str) {
        if self.parts.len() < MOST_PARTS && !self.parts.iter().any(|part| part == name) {
            self.parts.push(name.to_owned());
        }
    }

    /// Fields that nothing is known of are not in the request. Empty ones say nothing.
    pub(super) fn dropped_fields(&mut self, place: &str, fields: &Fields) {
        for (name, value) in fields.iter() {
            let says_something = !matches!(value.get(), "[]" | "{}" | "\"\"");
            if says_something && name.len() <= MOST_NAME {
                self.dropped_part(&format!("{place}.{name}"));
            }
        }
    }

    /// The request has something that is a beta.
    pub(super) fn needs_beta(&mut self, beta: &'static str) {
        self.needed.push(beta);
    }

    /// All betas, each once.
    pub(super) fn betas(&self) -> Vec<String> {
        let mut betas: Vec<String> = Vec::new();
        for beta in self.options.betas.iter().chain(&self.needed) {
            if !betas.iter().any(|known| known == beta) {
                betas.push((*beta).to_owned());
            }
        }
        betas
    }

    /// What was noted: the caller's fields, and names inside of them.
    pub(super) fn notes(self) -> (Vec<&'static str>, Vec<String>) {
        (self.fields, self.parts)
    }
}
