//! What channels must be.

use super::fixture::{NOW, at, entry, entry_at};
use crate::{
    AuditAction::{ChannelCreate, ChannelDelete, ChannelRekey, ChannelUpdate},
    ChannelChange, NewChannel, Store,
};
use gateway_domain::{ChannelId, ModelMapping, ModelName, ModelSet, ProviderKind};

fn new_channel(name: &str) -> NewChannel {
    let public = ModelName::new("gpt-4o").unwrap();
    let upstream = ModelName::new("deployment, with comma").unwrap();
    let config = serde_json::json!({"api_version": "2024-10-21", "nested": {"n": 1.5, "s": "ü"}});
    NewChannel {
        name: name.to_owned(),
        kind: ProviderKind::AZURE,
        base_url: "https://example.com/v1".to_owned(),
        models: ModelSet::parse("gpt-*,o3").unwrap(),
        model_mapping: ModelMapping::new([(public, upstream)].into()),
        config: config.as_object().unwrap().clone(),
        priority: -5,
        weight: 10,
    }
}

pub(super) async fn insert_then_find(store: &Store) {
    let new = new_channel("azure");
    let id = store.channels.insert(&new, &entry(ChannelCreate)).await.unwrap();
    let channel = store.channels.find(id).await.unwrap().unwrap();
    assert_eq!(channel.id, id);
    assert_eq!(channel.name, new.name);
    assert_eq!(channel.kind, new.kind);
    assert_eq!(channel.base_url, new.base_url);
    assert_eq!(channel.models, new.models);
    assert_eq!(channel.model_mapping, new.model_mapping);
    assert_eq!(channel.config, new.config);
    assert_eq!((channel.priority, channel.weight), (-5, 10));
    // It is used once it has a key.
    assert!(!channel.enabled);
    assert_eq!((&*channel.sealed_key, &*channel.key_hint), ("", ""));
    assert_eq!((channel.created_at, channel.updated_at), (at(NOW), at(NOW)));
}

pub(super) async fn what_is_not_there_is_none(store: &Store) {
    let id = ChannelId(4711);
    assert_eq!(store.channels.find(id).await.unwrap(), None);
    assert_eq!(store.channels.list().await.unwrap(), []);
    let change = ChannelChange::default();
    let changed = store.channels.update(id, &change, &entry(ChannelUpdate)).await;
    assert!(!changed.unwrap());
    assert!(!store.channels.delete(id, &entry(ChannelDelete)).await.unwrap());
}

pub(super) async fn lists_are_in_order_of_ids(store: &Store) {
    let mut ids = Vec::new();
    for name in ["c", "a", "b"] {
        ids.push(store.channels.insert(&new_channel(name), &entry(ChannelCreate)).await.unwrap());
    }
    let listed = store.channels.list().await.unwrap();
    assert_eq!(listed.iter().map(|c| c.id).collect::<Vec<_>>(), ids);
    let names: Vec<&str> = listed.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["c", "a", "b"]);
}

pub(super) async fn an_update_changes_only_what_it_names(store: &Store) {
    let id = store.channels.insert(&new_channel("azure"), &entry(ChannelCreate)).await.unwrap();
    let mut expected = store.channels.find(id).await.unwrap().unwrap();
    let key = ChannelChange {
        key: Some(("sealed".to_owned(), "last".to_owned())),
        enabled: Some(true),
        ..ChannelChange::default()
    };
    let changed = store.channels.update(id, &key, &entry_at(at(NOW + 1), ChannelUpdate)).await;
    assert!(changed.unwrap());
    expected.sealed_key = "sealed".into();
    expected.key_hint = "last".into();
    expected.enabled = true;
    expected.updated_at = at(NOW + 1);
    let found = store.channels.find(id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&expected));
}

pub(super) async fn everything_can_be_changed(store: &Store) {
    let id = store.channels.insert(&new_channel("azure"), &entry(ChannelCreate)).await.unwrap();
    let other = store.channels.insert(&new_channel("other"), &entry(ChannelCreate)).await.unwrap();
    let untouched = store.channels.find(other).await.unwrap();
    let change = ChannelChange {
        name: Some("acme".to_owned()),
        kind: ProviderKind::new("acme"),
        base_url: Some("https://acme.example".to_owned()),
        key: Some(("sealed".to_owned(), "last".to_owned())),
        models: Some(ModelSet::default()),
        model_mapping: Some(ModelMapping::default()),
        config: Some(serde_json::Map::new()),
        enabled: Some(true),
        priority: Some(0),
        weight: Some(0),
    };
    let changed = store.channels.update(id, &change, &entry_at(at(NOW + 2), ChannelUpdate)).await;
    assert!(changed.unwrap());
    let channel = store.channels.find(id).await.unwrap().unwrap();
    assert_eq!((&*channel.name, channel.kind.as_str()), ("acme", "acme"));
    assert_eq!(channel.base_url, "https://acme.example");
    assert!(channel.models.is_everything() && channel.model_mapping.is_empty());
    assert!(channel.config.is_empty() && channel.enabled);
    assert_eq!((channel.priority, channel.weight), (0, 0));
    assert_eq!(store.channels.find(other).await.unwrap(), untouched);
}

pub(super) async fn a_key_is_resealed_only_if_it_is_the_one_that_was_read(store: &Store) {
    let id = store.channels.insert(&new_channel("azure"), &entry(ChannelCreate)).await.unwrap();
    let key = ChannelChange {
        key: Some(("old".to_owned(), "last".to_owned())),
        ..ChannelChange::default()
    };
    store.channels.update(id, &key, &entry(ChannelUpdate)).await.unwrap();
    let before = store.channels.find(id).await.unwrap().unwrap();
    let rekey = entry(ChannelRekey);
    assert!(!store.channels.reseal(id, "other", "new", &rekey).await.unwrap());
    assert_eq!(store.channels.find(id).await.unwrap().as_ref(), Some(&before));
    assert!(store.channels.reseal(id, "old", "new", &rekey).await.unwrap());
    // Delivered twice, it is done once.
    assert!(store.channels.reseal(id, "old", "new", &rekey).await.unwrap());
    assert!(!store.channels.reseal(ChannelId(4711), "old", "new", &rekey).await.unwrap());
    let after = store.channels.find(id).await.unwrap().unwrap();
    assert_eq!(after, gateway_domain::Channel { sealed_key: "new".to_owned(), ..before });
    let filter = crate::AuditFilter { action: Some(ChannelRekey), ..Default::default() };
    let written = store.audit.list(&filter, None, 10).await.unwrap();
    assert_eq!(written.iter().map(|record| record.object_id).collect::<Vec<_>>(), [Some(id.0)]);
}

pub(super) async fn a_deleted_channel_is_gone(store: &Store) {
    let id = store.channels.insert(&new_channel("azure"), &entry(ChannelCreate)).await.unwrap();
    assert!(store.channels.delete(id, &entry(ChannelDelete)).await.unwrap());
    assert!(!store.channels.delete(id, &entry(ChannelDelete)).await.unwrap());
    assert_eq!(store.channels.find(id).await.unwrap(), None);
    let next = store.channels.insert(&new_channel("azure"), &entry(ChannelCreate)).await.unwrap();
    assert!(next > id, "a sealed key must never fit another channel");
}
