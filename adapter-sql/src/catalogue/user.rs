//! Statements about users.

use super::audit::audit;
use crate::Batch;

/// A user's columns, for other tables to join.
macro_rules! user_columns {
    () => {
        "u.id AS user_id, u.username AS user_username, u.display_name AS user_display_name, \
         u.email AS user_email, u.role AS user_role, u.enabled AS user_enabled, \
         u.must_change_password AS user_must_change_password, \
         u.session_version AS user_session_version, u.granted AS user_granted, \
         u.spent AS user_spent, u.held AS user_held, u.request_count AS user_request_count, \
         u.rpm_limit AS user_rpm_limit, u.tpm_limit AS user_tpm_limit, \
         u.concurrency_limit AS user_concurrency_limit, u.created_at AS user_created_at"
    };
}
pub(super) use user_columns;

/// Makes a user. Username, display name, mail, hash, role, must change, granted, now.
pub const USER_INSERT: &str = "\
INSERT INTO users (username, display_name, email, password_hash, role, must_change_password, granted, created_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
RETURNING id AS id";

/// Makes a user of the highest role if there is none. As [`USER_INSERT`].
pub const USER_INSERT_FIRST_ROOT: &str = "\
INSERT INTO users (username, display_name, email, password_hash, role, must_change_password, granted, created_at)
SELECT ?1, ?2, ?3, ?4, 100, ?6, ?7, ?8
WHERE NOT EXISTS (SELECT 1 FROM users WHERE role = 100)
RETURNING id AS id";

/// A user by id.
pub const USER_BY_ID: &str = concat!("SELECT ", user_columns!(), " FROM users u WHERE u.id = ?1");

/// A user by id, with the password's hash.
pub const USER_CREDENTIAL_BY_ID: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", u.password_hash AS user_password_hash FROM users u WHERE u.id = ?1"
);

/// A user by name, whatever its case, with the password's hash.
pub const USER_CREDENTIAL_BY_USERNAME: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", u.password_hash AS user_password_hash FROM users u WHERE u.username = ?1"
);

/// Users in order of ids. Below which role (or NULL), limit, offset.
pub const USER_LIST: &str = concat!(
    "SELECT ",
    user_columns!(),
    " FROM users u WHERE ?1 IS NULL OR u.role < ?1 ORDER BY u.id \
     LIMIT CAST(?2 AS INTEGER) OFFSET CAST(?3 AS INTEGER)"
);

/// Changes a user. Id, display name, whether the mail changes, mail, hash, role, enabled, whether
/// sessions end, the entry, the three limits; NULL leaves a field as it is.
pub const USER_UPDATE: &str = "\
UPDATE users SET
    display_name = COALESCE(?2, display_name),
    email = CASE WHEN ?3 = 1 THEN ?4 ELSE email END,
    must_change_password = CASE WHEN ?5 IS NULL THEN must_change_password ELSE 0 END,
    password_hash = COALESCE(?5, password_hash),
    role = COALESCE(?6, role),
    enabled = COALESCE(?7, enabled),
    session_version = session_version + CASE WHEN ?8 = 1 THEN 1 ELSE 0 END,
    rpm_limit = COALESCE(?10, rpm_limit),
    tpm_limit = COALESCE(?11, tpm_limit),
    concurrency_limit = COALESCE(?12, concurrency_limit)
WHERE id = ?1
RETURNING id AS id";

/// Writes the entry of [`USER_UPDATE`]. Id, and as `?9` the entry.
pub const USER_UPDATE_AUDIT: &str = audit!("?9", "id", " FROM users WHERE id = ?1");

/// Whether a user of the highest role can work.
pub const USER_HAS_READY_ROOT: &str = "\
SELECT EXISTS (SELECT 1 FROM users WHERE role = 100 AND enabled = 1 AND must_change_password = 0) AS ready";

/// [`USER_INSERT`].
pub static INSERT: Batch = Batch::once(&[USER_INSERT]);
/// [`USER_INSERT_FIRST_ROOT`].
pub static INSERT_FIRST_ROOT: Batch = Batch::once(&[USER_INSERT_FIRST_ROOT]);
/// [`USER_UPDATE`]; not to be repeated, for it may raise the session version.
pub static UPDATE: Batch = Batch::once(&[USER_UPDATE_AUDIT, USER_UPDATE]);

/// All of them.
pub const ALL: &[&str] = &[
    USER_INSERT,
    USER_INSERT_FIRST_ROOT,
    USER_BY_ID,
    USER_CREDENTIAL_BY_ID,
    USER_CREDENTIAL_BY_USERNAME,
    USER_LIST,
    USER_UPDATE,
    USER_UPDATE_AUDIT,
    USER_HAS_READY_ROOT,
];
