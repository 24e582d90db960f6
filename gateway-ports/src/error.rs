//! What the core may act on when a store fails. Drivers hide in `source`.

/// A store's failure.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something with this identity exists already.
    #[error("it exists already")]
    Conflict,
    /// What is stored is not what was ever written: a person has to look.
    #[error("stored data is corrupt: {0}")]
    Corrupt(String),
    /// The store cannot be reached, is full, or is too busy. Trying again later may work.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// A failure that may pass.
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }
}
