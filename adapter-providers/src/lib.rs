//! The providers as codecs: bytes and values in, values and bytes out.
//!
//! Every provider here uses only `gateway-ports`, as one of an embedder's own would: there is no
//! back door. What is deliberately not known: clients, runtimes, I/O of any kind.

#![forbid(unsafe_code)]

pub mod anthropic;
pub mod azure;
pub mod gemini;
mod media;
pub mod openai;
pub mod sse;

pub use anthropic::Anthropic;
pub use azure::Azure;
pub use gemini::Gemini;
pub use openai::OpenAi;

use gateway_ports::{KindTaken, Providers};

/// The built-in providers. An embedder adds its own with [`Providers::with`].
///
/// # Errors
/// Never in practice: the kinds differ.
pub fn defaults() -> Result<Providers, KindTaken> {
    Providers::none()
        .with(OpenAi::official())?
        .with(Azure::new())?
        .with(Anthropic)?
        .with(Gemini)?
        .with(OpenAi::custom())
}

#[cfg(test)]
mod tests {
    use gateway_domain::ProviderKind;

    #[test]
    fn the_defaults_have_the_numbers_of_the_api() {
        let providers = super::defaults().unwrap();
        for kind in [
            ProviderKind::OPENAI,
            ProviderKind::AZURE,
            ProviderKind::ANTHROPIC,
            ProviderKind::GEMINI,
            ProviderKind::CUSTOM,
        ] {
            assert_eq!(providers.get(&kind).unwrap().kind(), kind);
        }
        assert!(providers.with(super::OpenAi::custom()).is_err());
    }
}
