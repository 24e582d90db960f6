//! Statements about the audit log.
//!
//! An entry is written by the batch that makes its change, under the guard of that change: before
//! it, while the guard still sees what the change will see, or after it where the change makes the
//! object. The entry travels as one JSON text.

/// Writes an entry, once. The number of the parameter with the entry, the object's id, and from
/// where and under which conditions: no row, no entry.
macro_rules! audit {
    ($entry:literal, $id:expr, $($guard:expr),+) => {
        concat!(
            "INSERT INTO audit_log (request_id, at, actor_id, address, action, object, object_id, detail) SELECT ",
            $entry, " ->> 'request_id', ", $entry, " ->> 'at', ", $entry, " ->> 'actor', ",
            $entry, " ->> 'address', ", $entry, " ->> 'action', ", $entry, " ->> 'object', ",
            $id, ", ", $entry, " ->> 'detail'", $($guard,)+ " ON CONFLICT DO NOTHING"
        )
    };
}
pub(super) use audit;

/// Changes, newest first. By whom, action, object, its id, from, until, before which id, limit;
/// NULL for any.
pub const AUDIT_LIST: &str = "\
SELECT id AS id, request_id AS request_id, at AS at, actor_id AS actor_id, address AS address,
    action AS action, object_id AS object_id, detail AS detail
FROM audit_log
WHERE (?1 IS NULL OR actor_id = ?1) AND (?2 IS NULL OR action = ?2)
    AND (?3 IS NULL OR object = ?3) AND (?4 IS NULL OR object_id = ?4)
    AND (?5 IS NULL OR at >= ?5) AND (?6 IS NULL OR at < ?6) AND (?7 IS NULL OR id < ?7)
ORDER BY id DESC LIMIT CAST(?8 AS INTEGER)";

/// All of them.
pub const ALL: &[&str] = &[AUDIT_LIST];
