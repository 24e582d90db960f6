//! A new master key takes the place of an older one: every stored provider key is encrypted anew.
//!
//! Channel by channel, each in one act that fails if the channel got another key meanwhile: it can
//! be interrupted and begun again, and whoever changes a channel at the same time wins.

use super::audit::Detail;
use crate::{ErrorKind, Gateway, GatewayError, RequestContext, Vault};
use gateway_domain::{Channel, ChannelId, User};
use gateway_ports::{AuditAction, AuditEntry, ChannelRepository, Entropy, SnapshotKey, StoreError};
use secrecy::ExposeSecret;

/// How often a channel that changes all the time is looked at.
const MOST_LOOKS: u32 = 5;

/// What became of the stored provider keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rekeyed {
    /// Encrypted with the newest master key now.
    pub rekeyed: u64,
    /// Encrypted with it before.
    pub current: u64,
    /// Channels whose keys cannot be opened: their master key is missing, or is another now.
    pub unreadable: Vec<ChannelId>,
}

enum Outcome {
    Rekeyed,
    Current,
    Unreadable,
    Nothing,
}

impl Gateway {
    /// Encrypts every stored provider key with the newest master key.
    ///
    /// # Errors
    /// `master_key_missing` names the channels whose keys cannot be opened; all others are done.
    pub async fn rekey(
        &self,
        root: &User,
        context: &RequestContext,
    ) -> Result<Rekeyed, GatewayError> {
        let entry = context.entry(root, AuditAction::ChannelRekey, Detail::default());
        let parts = &self.0;
        let entropy = &*parts.runtime.entropy;
        let done = rekey(&*parts.store.channels, &parts.vault, entropy, &entry).await;
        // Copies of channels have the old texts.
        parts.cache.forget(&SnapshotKey::Routing).await;
        done?.complete()
    }
}

impl Rekeyed {
    /// An error if some keys could not be opened.
    ///
    /// # Errors
    /// `master_key_missing` names their channels.
    pub fn complete(self) -> Result<Self, GatewayError> {
        if self.unreadable.is_empty() {
            return Ok(self);
        }
        let ids: Vec<String> = self.unreadable.iter().map(ToString::to_string).collect();
        let message = format!(
            "the keys of these channels cannot be opened with any of MASTER_KEYS: {}. {} others \
             were rekeyed, {} were current. Add the old master key again, or give the channels \
             new keys",
            ids.join(", "),
            self.rekeyed,
            self.current
        );
        Err(GatewayError::new(ErrorKind::Conflict, "master_key_missing", message))
    }
}

/// Encrypts every stored provider key with the newest key of a vault. `entry` is written for each
/// channel that changes.
///
/// # Errors
/// When the store fails. What is done stays done, and the next time goes on from there.
pub async fn rekey(
    channels: &dyn ChannelRepository,
    vault: &Vault,
    entropy: &dyn Entropy,
    entry: &AuditEntry,
) -> Result<Rekeyed, StoreError> {
    let mut done = Rekeyed::default();
    for channel in channels.list().await? {
        let id = channel.id;
        match one(channels, vault, entropy, entry, channel).await? {
            Outcome::Rekeyed => done.rekeyed += 1,
            Outcome::Current => done.current += 1,
            Outcome::Unreadable => done.unreadable.push(id),
            Outcome::Nothing => {}
        }
    }
    Ok(done)
}

async fn one(
    channels: &dyn ChannelRepository,
    vault: &Vault,
    entropy: &dyn Entropy,
    entry: &AuditEntry,
    mut channel: Channel,
) -> Result<Outcome, StoreError> {
    let id = channel.id;
    for _ in 0..MOST_LOOKS {
        if channel.sealed_key.is_empty() {
            return Ok(Outcome::Nothing);
        }
        let Ok(key) = vault.open(id, &channel.sealed_key) else {
            return Ok(Outcome::Unreadable);
        };
        if vault.is_current(&channel.sealed_key) {
            return Ok(Outcome::Current);
        }
        let nonce = entropy.bytes().first_chunk().copied().unwrap_or_default();
        let sealed = vault.seal(id, key.expose_secret(), nonce).map_err(StoreError::unavailable)?;
        if channels.reseal(id, &channel.sealed_key, &sealed, entry).await? {
            return Ok(Outcome::Rekeyed);
        }
        // It was changed or deleted since it was read.
        match channels.find(id).await? {
            Some(now) => channel = now,
            None => return Ok(Outcome::Nothing),
        }
    }
    Err(StoreError::unavailable(format!("channel {id} changes all the time")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MasterKeys;
    use async_trait::async_trait;
    use gateway_domain::{ModelMapping, ModelSet, ProviderKind, RequestId, Timestamp};
    use gateway_ports::{
        ChannelChange, NewChannel, Store,
        memory::{self, SeededEntropy},
    };

    fn vault(keys: &[(&str, u8)]) -> Vault {
        let keys: Vec<_> = keys
            .iter()
            .map(|(id, byte)| MasterKeys::format(id, &[*byte; 32]).to_string())
            .collect();
        Vault::new(MasterKeys::parse(&keys.join(",")).unwrap())
    }

    fn entry(request: &str, action: AuditAction) -> AuditEntry {
        AuditEntry::new(RequestId(request.into()), Timestamp::from_millis(7), action)
    }

    async fn channel(store: &Store, sealer: Option<&Vault>, key: &str) -> ChannelId {
        let new = NewChannel {
            name: "n".into(),
            kind: ProviderKind::CUSTOM,
            base_url: "https://example.com".into(),
            models: ModelSet::default(),
            model_mapping: ModelMapping::default(),
            config: serde_json::Map::new(),
            priority: 0,
            weight: 1,
        };
        let made = entry("made", AuditAction::ChannelCreate);
        let id = store.channels.insert(&new, &made).await.unwrap();
        if let Some(vault) = sealer {
            let change = ChannelChange {
                key: Some((vault.seal(id, key, [3; 12]).unwrap(), String::new())),
                ..ChannelChange::default()
            };
            store.channels.update(id, &change, &made).await.unwrap();
        }
        id
    }

    async fn opened(store: &Store, vault: &Vault, id: ChannelId) -> String {
        let channel = store.channels.find(id).await.unwrap().unwrap();
        vault.open(id, &channel.sealed_key).unwrap().expose_secret().to_owned()
    }

    #[tokio::test]
    async fn every_key_is_encrypted_anew_once_and_a_lost_master_key_names_its_channel() {
        let store = memory::store();
        let (old, both, new) =
            (vault(&[("a", 1)]), vault(&[("b", 2), ("a", 1)]), vault(&[("b", 2)]));
        let first = channel(&store, Some(&old), "sk-first").await;
        let second = channel(&store, Some(&old), "sk-second").await;
        let current = channel(&store, Some(&both), "sk-current").await;
        channel(&store, None, "").await;
        let lost = channel(&store, Some(&vault(&[("c", 9)])), "sk-lost").await;
        let wrong = channel(&store, Some(&vault(&[("a", 9)])), "sk-wrong").await;
        let entropy = SeededEntropy::default();
        let run = async |request: &str| {
            let entry = entry(request, AuditAction::ChannelRekey);
            rekey(&*store.channels, &both, &entropy, &entry).await.unwrap()
        };
        let done = run("one").await;
        assert_eq!((done.rekeyed, done.current), (2, 1));
        assert_eq!(done.unreadable, [lost, wrong]);
        let error = done.complete().unwrap_err();
        assert_eq!((error.kind.status(), &*error.code), (409, "master_key_missing"));
        assert!(error.message.contains(&format!(": {lost}, {wrong}.")), "{}", error.message);
        assert!(!error.message.contains("sk-"));
        // Again: there is nothing left to do.
        let again = run("two").await;
        assert_eq!((again.rekeyed, again.current), (0, 3));
        for (id, key) in [(first, "sk-first"), (second, "sk-second"), (current, "sk-current")] {
            assert_eq!(opened(&store, &new, id).await, key);
        }
        let filter = gateway_ports::AuditFilter {
            action: Some(AuditAction::ChannelRekey),
            ..Default::default()
        };
        let written = store.audit.list(&filter, None, 10).await.unwrap();
        let ids: Vec<_> = written.iter().map(|record| record.object_id).collect();
        assert_eq!(ids, [Some(second.0), Some(first.0)]);
    }

    /// Channels that somebody gives new keys between a look and a write.
    struct Racing(Store, Vault);

    #[async_trait]
    impl ChannelRepository for Racing {
        async fn insert(&self, new: &NewChannel, e: &AuditEntry) -> Result<ChannelId, StoreError> {
            self.0.channels.insert(new, e).await
        }
        async fn find(&self, id: ChannelId) -> Result<Option<Channel>, StoreError> {
            self.0.channels.find(id).await
        }
        async fn list(&self) -> Result<Vec<Channel>, StoreError> {
            let listed = self.0.channels.list().await?;
            let made = entry("meanwhile", AuditAction::ChannelUpdate);
            let (changed, deleted) = (listed[0].id, listed[1].id);
            let sealed = self.1.seal(changed, "sk-meanwhile", [5; 12]).unwrap();
            let change =
                ChannelChange { key: Some((sealed, "ile".into())), ..ChannelChange::default() };
            self.0.channels.update(changed, &change, &made).await?;
            self.0.channels.delete(deleted, &made).await?;
            Ok(listed)
        }
        async fn update(
            &self,
            id: ChannelId,
            change: &ChannelChange,
            entry: &AuditEntry,
        ) -> Result<bool, StoreError> {
            self.0.channels.update(id, change, entry).await
        }
        async fn reseal(
            &self,
            id: ChannelId,
            old: &str,
            new: &str,
            entry: &AuditEntry,
        ) -> Result<bool, StoreError> {
            self.0.channels.reseal(id, old, new, entry).await
        }
        async fn delete(&self, id: ChannelId, entry: &AuditEntry) -> Result<bool, StoreError> {
            self.0.channels.delete(id, entry).await
        }
    }

    #[tokio::test]
    async fn a_key_that_is_changed_meanwhile_is_not_lost() {
        let store = memory::store();
        let (old, both, new) =
            (vault(&[("a", 1)]), vault(&[("b", 2), ("a", 1)]), vault(&[("b", 2)]));
        let changed = channel(&store, Some(&old), "sk-before").await;
        channel(&store, Some(&old), "sk-deleted").await;
        let racing = Racing(store.clone(), old);
        let entry = entry("one", AuditAction::ChannelRekey);
        let done = rekey(&racing, &both, &SeededEntropy::default(), &entry).await.unwrap();
        assert_eq!(done, Rekeyed { rekeyed: 1, ..Rekeyed::default() });
        assert_eq!(opened(&store, &new, changed).await, "sk-meanwhile");
        let found = store.channels.find(changed).await.unwrap().unwrap();
        assert_eq!(found.key_hint, "ile");
    }

    #[tokio::test]
    async fn a_channel_that_changes_all_the_time_is_an_error_and_no_endless_loop() {
        let store = memory::store();
        let old = vault(&[("a", 1)]);
        let id = channel(&store, Some(&old), "sk-key").await;
        let listed = store.channels.list().await.unwrap();
        let mut channels = gateway_ports::channel::MockChannelRepository::new();
        let again = listed[0].clone();
        channels.expect_list().returning(move || Ok(listed.clone()));
        channels.expect_find().returning(move |_| Ok(Some(again.clone())));
        channels.expect_reseal().times(5).returning(|_, _, _, _| Ok(false));
        let both = vault(&[("b", 2), ("a", 1)]);
        let entry = entry("one", AuditAction::ChannelRekey);
        let done = rekey(&channels, &both, &SeededEntropy::default(), &entry).await;
        let error = format!("{:?}", done.unwrap_err());
        assert!(error.contains(&format!("channel {id}")) && !error.contains("sk-"), "{error}");
    }
}
