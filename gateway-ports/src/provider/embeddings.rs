//! Embeddings without a dialect: what is asked, and what is answered.

use super::json::Fields;

/// A request for embeddings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddingsRequest {
    /// The model, as the caller named it.
    pub model: String,
    /// What is embedded.
    pub input: EmbeddingsInput,
    /// How long the vectors are to be.
    pub dimensions: Option<u64>,
    /// How they are to be written: `float` or `base64`.
    pub encoding_format: Option<String>,
    /// Who asks, in the caller's own terms.
    pub user: Option<String>,
    /// Every other field, as it came.
    pub other: Fields,
}

impl EmbeddingsRequest {
    /// The fields that the request has and that are not among those that a codec passes on. The
    /// model, the input and the way of writing vectors are not named: they always count.
    pub fn dropped(&self, passed_on: &[&str]) -> Vec<String> {
        let known = [("dimensions", self.dimensions.is_some()), ("user", self.user.is_some())];
        let known = known.into_iter().filter(|(_, there)| *there).map(|(name, _)| name);
        let present = known.chain(self.other.names());
        present.filter(|name| !passed_on.contains(name)).map(str::to_owned).collect()
    }
}

/// What is embedded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmbeddingsInput {
    /// One text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// One list of tokens.
    Tokens(Vec<u32>),
    /// Several lists of tokens.
    TokenLists(Vec<Vec<u32>>),
}

impl EmbeddingsInput {
    /// The texts; `None` for tokens, which only their own model understands.
    pub fn texts(&self) -> Option<&[String]> {
        match self {
            Self::Text(text) => Some(std::slice::from_ref(text)),
            Self::Texts(texts) => Some(texts),
            Self::Tokens(_) | Self::TokenLists(_) => None,
        }
    }
}

/// Vectors, in the order of what was embedded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embeddings(pub Vec<Vec<f32>>);
