//! Statements about API keys.

use super::{audit::audit, user::user_columns};
use crate::Batch;

macro_rules! token_columns {
    () => {
        "t.id AS token_id, t.user_id AS token_user_id, t.name AS token_name, \
         t.digest AS token_digest, t.key_prefix AS token_key_prefix, \
         t.key_last4 AS token_key_last4, t.enabled AS token_enabled, t.cap AS token_cap, \
         t.spent AS token_spent, t.held AS token_held, t.request_count AS token_request_count, \
         t.models AS token_models, t.subnet AS token_subnet, t.expires_at AS token_expires_at, \
         t.rpm_limit AS token_rpm_limit, t.tpm_limit AS token_tpm_limit, \
         t.concurrency_limit AS token_concurrency_limit, t.revision AS token_revision, t.created_at AS token_created_at, \
         t.updated_at AS token_updated_at"
    };
}

/// Makes a key unless its user has too many. User, name, digest, prefix, last four, cap, models,
/// subnet, end, now, how many keys are too many, the entry, the three limits.
pub const TOKEN_INSERT: &str = "\
INSERT INTO tokens (user_id, name, digest, key_prefix, key_last4, cap, models, subnet, expires_at, created_at, updated_at,
    rpm_limit, tpm_limit, concurrency_limit)
SELECT u.id, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?13, ?14, ?15 FROM users u
WHERE u.id = ?1 AND (SELECT COUNT(*) FROM tokens WHERE user_id = ?1) < ?11
RETURNING id AS id";

/// Writes the entry of [`TOKEN_INSERT`] behind it. As `?3` the digest, which no other key has; as
/// `?12` the entry.
pub const TOKEN_INSERT_AUDIT: &str =
    audit!("?12", "id", " FROM tokens WHERE digest = ?3 AND user_id = ?1");

/// A key and its user, by the key's digest.
pub const TOKEN_BY_DIGEST: &str = concat!(
    "SELECT ",
    token_columns!(),
    ", ",
    user_columns!(),
    " FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.digest = ?1"
);

/// A key and its user, by the key's id.
pub const TOKEN_OF_ANYBODY: &str = concat!(
    "SELECT ",
    token_columns!(),
    ", ",
    user_columns!(),
    " FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.id = ?1"
);

/// One of a user's keys. User, id.
pub const TOKEN_BY_ID: &str =
    concat!("SELECT ", token_columns!(), " FROM tokens t WHERE t.id = ?2 AND t.user_id = ?1");

/// A user's keys in order of ids. User, limit, offset.
pub const TOKEN_LIST: &str = concat!(
    "SELECT ",
    token_columns!(),
    " FROM tokens t WHERE t.user_id = ?1 ORDER BY t.id \
     LIMIT CAST(?2 AS INTEGER) OFFSET CAST(?3 AS INTEGER)"
);

/// One of a user's keys, unless its new cap lies below its use.
macro_rules! changed {
    () => {
        " WHERE id = ?2 AND user_id = ?1 AND (?6 = 0 OR ?7 IS NULL OR spent + held <= ?7)"
    };
}

/// One of a user's keys.
macro_rules! own {
    () => {
        " WHERE id = ?2 AND user_id = ?1"
    };
}

/// Changes one of a user's keys. User, id, now, name, enabled, whether the cap changes, cap,
/// models, subnet, whether the end changes, end, the entry, the three limits; NULL leaves a field as
/// it is.
pub const TOKEN_UPDATE: &str = concat!(
    "UPDATE tokens SET name = COALESCE(?4, name), enabled = COALESCE(?5, enabled), \
     cap = CASE WHEN ?6 = 1 THEN ?7 ELSE cap END, models = COALESCE(?8, models), \
     subnet = COALESCE(?9, subnet), \
     expires_at = CASE WHEN ?10 = 1 THEN ?11 ELSE expires_at END, \
     rpm_limit = COALESCE(?13, rpm_limit), tpm_limit = COALESCE(?14, tpm_limit), \
     concurrency_limit = COALESCE(?15, concurrency_limit), revision = revision + 1, \
     updated_at = ?3",
    changed!(),
    " RETURNING id AS id"
);

/// Writes the entry of [`TOKEN_UPDATE`]. As it, and as `?12` the entry.
pub const TOKEN_UPDATE_AUDIT: &str = audit!("?12", "id", " FROM tokens", changed!());

/// Whether a user has this key. User, id.
pub const TOKEN_EXISTS: &str = concat!("SELECT id AS id FROM tokens", own!());

/// Deletes one of a user's keys. User, id.
pub const TOKEN_DELETE: &str = concat!("DELETE FROM tokens", own!(), " RETURNING id AS id");

/// Writes the entry of [`TOKEN_DELETE`]. User, id, the entry.
pub const TOKEN_DELETE_AUDIT: &str = audit!("?3", "id", " FROM tokens", own!());

/// [`TOKEN_INSERT`].
pub static INSERT: Batch = Batch::once(&[TOKEN_INSERT, TOKEN_INSERT_AUDIT]);
/// [`TOKEN_UPDATE`], and why it did nothing. A repetition only raises the revision once more.
pub static UPDATE: Batch = Batch::replayable(&[TOKEN_UPDATE_AUDIT, TOKEN_UPDATE, TOKEN_EXISTS]);
/// [`TOKEN_DELETE`].
pub static DELETE: Batch = Batch::once(&[TOKEN_DELETE_AUDIT, TOKEN_DELETE]);

/// All of them.
pub const ALL: &[&str] = &[
    TOKEN_INSERT,
    TOKEN_INSERT_AUDIT,
    TOKEN_BY_DIGEST,
    TOKEN_OF_ANYBODY,
    TOKEN_BY_ID,
    TOKEN_LIST,
    TOKEN_UPDATE,
    TOKEN_UPDATE_AUDIT,
    TOKEN_EXISTS,
    TOKEN_DELETE,
    TOKEN_DELETE_AUDIT,
];
