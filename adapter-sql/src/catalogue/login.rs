//! Statements about failed logins.

use crate::Batch;

/// Failures of a scope and the first of them. Scope, since.
pub const LOGIN_FAILURES: &str = "\
SELECT COUNT(*) AS failures, MIN(at) AS first_at FROM login_failures WHERE scope = ?1 AND at >= ?2";

/// One failure for each scope. Scopes (JSON), now.
pub const LOGIN_RECORD: &str = "\
INSERT INTO login_failures (scope, at) SELECT value, ?2 FROM json_each(?1)";

/// Forgets old failures. (Unused), (unused), since.
pub const LOGIN_FORGET_OLD: &str = "DELETE FROM login_failures WHERE at < ?3";

/// Forgets a scope's failures.
pub const LOGIN_CLEAR: &str = "DELETE FROM login_failures WHERE scope = ?1";

/// Writes failures and forgets old ones.
pub static RECORD: Batch = Batch::once(&[LOGIN_RECORD, LOGIN_FORGET_OLD]);
/// [`LOGIN_CLEAR`].
pub static CLEAR: Batch = Batch::replayable(&[LOGIN_CLEAR]);

/// All of them.
pub const ALL: &[&str] = &[LOGIN_FAILURES, LOGIN_RECORD, LOGIN_FORGET_OLD, LOGIN_CLEAR];
