//! The guards.

mod books;
mod ledger;
mod schema;

use super::Mutation;

/// All of them, by file.
pub(super) const ALL: [&[Mutation]; 5] =
    [ledger::ALL, books::ALL, schema::ALL, &schema::OF_USERS, &schema::OF_TOKENS];

/// A guard that a test must miss.
const fn guard(
    file: &'static str,
    guard: &'static str,
    find: &'static str,
    with: &'static str,
) -> Mutation {
    Mutation { file, guard, find, with, redundant: None }
}

impl Mutation {
    /// One that nothing can miss, and why.
    const fn redundant(self, why: &'static str) -> Self {
        Self { redundant: Some(why), ..self }
    }
}
