//! Statements about failed logins.

use crate::Batch;

/// The scopes that have as many failures as they may have, and when the first of them was.
macro_rules! full {
    () => {
        "SELECT MIN(f.at) AS first_at FROM json_each(?1) AS j \
         CROSS JOIN login_failures AS f ON f.scope = (j.value ->> 0) AND f.at >= ?3 \
         GROUP BY f.scope HAVING COUNT(*) >= MAX(j.value ->> 1)"
    };
}

/// When the first failure was of a scope that is full. Scopes and how many each may have (JSON), now,
/// since.
pub const LOGIN_FULL: &str = concat!(full!(), " LIMIT 1");

/// One failure for each scope, unless one is full. As [`LOGIN_FULL`].
pub const LOGIN_BEGIN: &str = concat!(
    "INSERT INTO login_failures (scope, at) SELECT value ->> 0, ?2 FROM json_each(?1) \
     WHERE NOT EXISTS (",
    full!(),
    ")"
);

/// Forgets old failures. (Unused), (unused), since.
pub const LOGIN_FORGET_OLD: &str = "DELETE FROM login_failures WHERE at < ?3";

/// Takes back one failure of each scope. Scopes (JSON), when they were counted.
pub const LOGIN_TAKE_BACK: &str = "\
DELETE FROM login_failures WHERE rowid IN (
    SELECT MIN(f.rowid) FROM json_each(?1) AS j
    CROSS JOIN login_failures AS f ON f.scope = j.value AND f.at = ?2
    GROUP BY f.scope
)";

/// Forgets a scope's failures.
pub const LOGIN_CLEAR: &str = "DELETE FROM login_failures WHERE scope = ?1";

/// Counts a login that begins, and forgets old ones. The first result says that it may not begin.
pub static BEGIN: Batch = Batch::once(&[LOGIN_FULL, LOGIN_BEGIN, LOGIN_FORGET_OLD]);
/// [`LOGIN_TAKE_BACK`].
pub static TAKE_BACK: Batch = Batch::once(&[LOGIN_TAKE_BACK]);
/// [`LOGIN_CLEAR`].
pub static CLEAR: Batch = Batch::replayable(&[LOGIN_CLEAR]);

/// All of them.
pub const ALL: &[&str] = &[LOGIN_FULL, LOGIN_BEGIN, LOGIN_FORGET_OLD, LOGIN_TAKE_BACK, LOGIN_CLEAR];
