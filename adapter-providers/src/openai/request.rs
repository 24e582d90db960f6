//! Requests of this dialect, read into the neutral model and written from it.
//!
//! Reading is strict about types, because what cannot be read cannot be translated, and names the
//! caller's field as `messages.[3].content.[0]`. It loses nothing: what has no place in the model
//! stays as raw JSON, so that a request that is read and written again says the same. What is
//! deliberately not known here: what another provider can do with it.

mod message;
mod object;
mod read;
mod tool;
mod write;

pub use read::{read, read_embeddings};
pub use write::{write, write_embeddings};

#[cfg(test)]
mod tests;
