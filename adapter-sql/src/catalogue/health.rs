//! Statements about channels that fail.

use crate::Batch;

/// All verdicts that have not expired. Now.
pub const HEALTH_LIST: &str = "\
SELECT channel_id AS channel_id, model AS model, revision AS revision, trip AS trip, version AS version
FROM channel_health WHERE expires_at > ?1 ORDER BY channel_id, model";

/// Writes a verdict, if it may replace what is there and its channel is. Channel, model, revision,
/// trip (JSON), version, expiry, the version that it replaces, whether it replaces any, now.
pub const HEALTH_SET: &str = "\
INSERT INTO channel_health (channel_id, model, revision, trip, version, expires_at)
SELECT id, ?2, ?3, ?4, ?5, ?6 FROM channels WHERE id = ?1
ON CONFLICT (channel_id, model) DO UPDATE SET
    revision = excluded.revision,
    trip = excluded.trip,
    version = excluded.version,
    expires_at = excluded.expires_at
WHERE ?8 = 1
    OR channel_health.version IN (?5, ?7)
    OR channel_health.expires_at <= ?9
    OR channel_health.revision <> excluded.revision
RETURNING version AS version";

/// Forgets what has expired. (Others unused), and as `?9` now.
pub const HEALTH_FORGET: &str = "DELETE FROM channel_health WHERE expires_at <= ?9";

/// Takes a verdict back, unless it is another by now. Channel, model, version, whether any.
pub const HEALTH_CLEAR: &str = "\
DELETE FROM channel_health WHERE channel_id = ?1 AND model = ?2 AND (?4 = 1 OR version = ?3)";

/// Takes back all that was said of a channel: it was saved. Id.
pub const HEALTH_CLEAR_CHANNEL: &str = "DELETE FROM channel_health WHERE channel_id = ?1";

/// [`HEALTH_SET`].
pub static SET: Batch = Batch::replayable(&[HEALTH_SET, HEALTH_FORGET]);
/// [`HEALTH_CLEAR`].
pub static CLEAR: Batch = Batch::replayable(&[HEALTH_CLEAR]);

/// All of them.
pub const ALL: &[&str] =
    &[HEALTH_LIST, HEALTH_SET, HEALTH_FORGET, HEALTH_CLEAR, HEALTH_CLEAR_CHANNEL];
