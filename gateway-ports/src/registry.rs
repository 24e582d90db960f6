//! The providers that a gateway knows.

use crate::Provider;
use gateway_domain::ProviderKind;
use std::{collections::BTreeMap, sync::Arc};

/// Two providers with one kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("provider kind '{0}' is taken")]
pub struct KindTaken(pub ProviderKind);

/// The providers that a gateway knows, each under its kind.
#[derive(Clone, Debug, Default)]
pub struct Providers(BTreeMap<ProviderKind, Arc<dyn Provider>>);

impl Providers {
    /// None at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// These and one more.
    ///
    /// # Errors
    /// [`KindTaken`] if its kind is registered already.
    pub fn with(mut self, provider: impl Provider + 'static) -> Result<Self, KindTaken> {
        let kind = provider.kind();
        if self.0.contains_key(&kind) {
            return Err(KindTaken(kind));
        }
        self.0.insert(kind, Arc::new(provider));
        Ok(self)
    }

    /// The provider of a kind.
    pub fn get(&self, kind: &ProviderKind) -> Option<&Arc<dyn Provider>> {
        self.0.get(kind)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Provider>> {
        self.0.values()
    }
}
