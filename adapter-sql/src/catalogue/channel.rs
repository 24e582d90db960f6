//! Statements about channels.

use super::{audit::audit, health::HEALTH_CLEAR_CHANNEL};
use crate::Batch;

macro_rules! channel_columns {
    () => {
        "c.id AS id, c.name AS name, c.kind AS kind, c.base_url AS base_url, \
         c.sealed_key AS sealed_key, c.key_hint AS key_hint, c.models AS models, \
         c.model_mapping AS model_mapping, c.config AS config, c.enabled AS enabled, \
         c.priority AS priority, c.weight AS weight, c.created_at AS created_at, \
         c.updated_at AS updated_at"
    };
}

/// Makes a channel, disabled and without a key. Name, kind, address, models, mapping, options,
/// priority, weight, now.
pub const CHANNEL_INSERT: &str = "\
INSERT INTO channels (name, kind, base_url, models, model_mapping, config, priority, weight, created_at, updated_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)
RETURNING id AS id";

/// Writes the entry of [`CHANNEL_INSERT`] behind it: the newest id is the new channel's, because
/// none is used again. As `?10` the entry.
pub const CHANNEL_INSERT_AUDIT: &str =
    audit!("?10", "id", " FROM channels WHERE id = (SELECT MAX(id) FROM channels)");

/// A channel by id.
pub const CHANNEL_BY_ID: &str =
    concat!("SELECT ", channel_columns!(), " FROM channels c WHERE c.id = ?1");

/// All channels in order of ids.
pub const CHANNEL_LIST: &str =
    concat!("SELECT ", channel_columns!(), " FROM channels c ORDER BY c.id");

/// Changes a channel. Id, now, name, kind, address, key, hint, models, mapping, options, enabled,
/// priority, weight; NULL leaves a field as it is.
pub const CHANNEL_UPDATE: &str = "\
UPDATE channels SET
    name = COALESCE(?3, name),
    kind = COALESCE(?4, kind),
    base_url = COALESCE(?5, base_url),
    sealed_key = COALESCE(?6, sealed_key),
    key_hint = COALESCE(?7, key_hint),
    models = COALESCE(?8, models),
    model_mapping = COALESCE(?9, model_mapping),
    config = COALESCE(?10, config),
    enabled = COALESCE(?11, enabled),
    priority = COALESCE(?12, priority),
    weight = COALESCE(?13, weight),
    updated_at = ?2
WHERE id = ?1
RETURNING id AS id";

/// Writes the entry of [`CHANNEL_UPDATE`]. Id, and as `?14` the entry.
pub const CHANNEL_UPDATE_AUDIT: &str = audit!("?14", "id", " FROM channels WHERE id = ?1");

/// Replaces an encrypted key that is still the one that was read. Id, old, new; delivered again, it
/// finds the new one.
pub const CHANNEL_RESEAL: &str = "\
UPDATE channels SET sealed_key = ?3
WHERE id = ?1 AND sealed_key IN (?2, ?3)
RETURNING id AS id";

/// Writes the entry of [`CHANNEL_RESEAL`]. Id, old, new, the entry.
pub const CHANNEL_RESEAL_AUDIT: &str =
    audit!("?4", "id", " FROM channels WHERE id = ?1 AND sealed_key IN (?2, ?3)");

/// Deletes a channel.
pub const CHANNEL_DELETE: &str = "DELETE FROM channels WHERE id = ?1 RETURNING id AS id";

/// Writes the entry of [`CHANNEL_DELETE`]. Id, the entry.
pub const CHANNEL_DELETE_AUDIT: &str = audit!("?2", "id", " FROM channels WHERE id = ?1");

/// [`CHANNEL_INSERT`].
pub static INSERT: Batch = Batch::once(&[CHANNEL_INSERT, CHANNEL_INSERT_AUDIT]);
/// [`CHANNEL_UPDATE`].
pub static UPDATE: Batch =
    Batch::replayable(&[CHANNEL_UPDATE_AUDIT, CHANNEL_UPDATE, HEALTH_CLEAR_CHANNEL]);
/// [`CHANNEL_RESEAL`].
pub static RESEAL: Batch = Batch::replayable(&[CHANNEL_RESEAL_AUDIT, CHANNEL_RESEAL]);
/// [`CHANNEL_DELETE`].
pub static DELETE: Batch = Batch::once(&[CHANNEL_DELETE_AUDIT, CHANNEL_DELETE]);

/// All of them.
pub const ALL: &[&str] = &[
    CHANNEL_INSERT,
    CHANNEL_INSERT_AUDIT,
    CHANNEL_BY_ID,
    CHANNEL_LIST,
    CHANNEL_UPDATE,
    CHANNEL_UPDATE_AUDIT,
    CHANNEL_RESEAL,
    CHANNEL_RESEAL_AUDIT,
    CHANNEL_DELETE,
    CHANNEL_DELETE_AUDIT,
];
