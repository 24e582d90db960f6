//! Statements about money. They work on sets, so that one transaction serves a whole group of
//! calls: `?1` is a JSON array of holds, `?2` one of settlements; the layouts stand in
//! `ledger::wire`.
//!
//! A call's row is the truth about its money. Triggers of the schema carry every change of it to
//! its user and its key, so a statement that finds nothing left to change moves nothing, and each
//! transaction may be delivered again.
//!
//! Answers name the exceptions and count the rest, because a row costs a trip between threads; the
//! two together must be the whole group.
//!
//! `CROSS JOIN` fixes the order of the loops: the array outside, look-ups by key inside.

use super::audit::audit;
use crate::Batch;

/// A charge: what the call cost, or what was held for it if that is less. A call that a sweep
/// closed holds nothing any more, so it is charged only what is still free above what the sweep
/// charged.
macro_rules! charge {
    () => {
        "CASE calls.state WHEN 'held' THEN MIN(amount, j.value ->> 1) \
         ELSE MIN(amount, j.value ->> 1, quota + MAX(0, (SELECT MIN(u.granted - u.spent - u.held, \
         COALESCE(t.cap - t.spent - t.held, 9007199254740991)) FROM users AS u \
         LEFT JOIN tokens AS t ON t.id = calls.token_id WHERE u.id = calls.user_id))) END"
    };
}

/// Turns calls that are held, or were swept and are in no sum of days yet, into usage rows. `?2`.
pub const SETTLE_CLOSE: &str = concat!(
    "UPDATE calls SET quota = ",
    charge!(),
    ", cost = MAX(j.value ->> 1, ",
    charge!(),
    "), state = j.value ->> 2, channel_id = j.value ->> 3, upstream_model = j.value ->> 4, \
     prompt_tokens = j.value ->> 5, completion_tokens = j.value ->> 6, \
     cached_tokens = j.value ->> 7, cache_write_tokens = j.value ->> 8, \
     reasoning_tokens = j.value ->> 9, estimated = j.value ->> 10, status = j.value ->> 11, \
     end_reason = j.value ->> 12, attempts = j.value ->> 13, failures = j.value ->> 14, \
     latency_ms = j.value ->> 15, first_byte_ms = j.value ->> 16, dropped = j.value ->> 17 \
     FROM json_each(?2) AS j WHERE calls.request_id = (j.value ->> 0) \
     AND (calls.state = 'held' OR (calls.state = 'expired' \
     AND calls.request_id > (SELECT through FROM usage_mark WHERE id = 1)))"
);

/// How many calls were charged what they cost. `?2`.
pub const SETTLE_COUNT: &str = "\
SELECT COUNT(*) AS calls
FROM json_each(?2) AS j CROSS JOIN calls AS c ON c.request_id = (j.value ->> 0)
WHERE c.state <> 'held' AND c.quota = (j.value ->> 1)";

/// What the others were charged: less, because less was held or they were closed before; or
/// nothing, because they never held anything. `?2`.
pub const SETTLE_OTHERS: &str = "\
SELECT j.value ->> 0 AS request_id, CASE WHEN c.state <> 'held' THEN c.quota ELSE 0 END AS quota
FROM json_each(?2) AS j LEFT JOIN calls AS c ON c.request_id = (j.value ->> 0)
WHERE c.state IS NULL OR c.state = 'held' OR c.quota <> (j.value ->> 1)";

/// The only decision about money: makes the calls that their user and key can pay for, each
/// together with those before it in the group. A neighbour that is refused itself is counted too;
/// so a call may be refused because of it, and has to be tried again without it. The first call of
/// a user and key may get less than it asks for, if it says so. What is older than the sums of
/// days is over: it may have been in them. `?1`.
pub const RESERVE: &str = "\
INSERT INTO calls (request_id, state, user_id, token_id, amount, floor, price, model, stream,
    idempotency_key, created_at, expires_at, upstream_model)
SELECT j.value ->> 0, 'held', u.id, t.id,
    MIN(j.value ->> 4, u.granted - u.spent - u.held,
        COALESCE(t.cap - t.spent - t.held, 9007199254740991)),
    j.value ->> 5, j.value ->> 6, j.value ->> 7, j.value ->> 8, j.value ->> 9, j.value ->> 10,
    j.value ->> 11, j.value ->> 7
FROM json_each(?1) AS j
CROSS JOIN users AS u ON u.id = (j.value ->> 1)
CROSS JOIN tokens AS t ON t.id = (j.value ->> 2) AND t.user_id = u.id
WHERE u.enabled = 1 AND t.enabled = 1 AND t.revision = (j.value ->> 3)
    AND (t.expires_at IS NULL OR t.expires_at > (j.value ->> 10))
    AND u.granted - u.spent - u.held >= (j.value ->> 12)
    AND (t.cap IS NULL OR t.cap - t.spent - t.held >= (j.value ->> 13))
    AND (j.value ->> 0) > (SELECT through FROM usage_mark WHERE id = 1)
ON CONFLICT DO NOTHING";

/// How many calls hold what they asked for. `?1`.
pub const RESERVE_COUNT: &str = "\
SELECT COUNT(*) AS calls
FROM json_each(?1) AS j CROSS JOIN calls AS c ON c.request_id = (j.value ->> 0)
WHERE c.state = 'held' AND c.amount = (j.value ->> 4)";

/// Of the others: what they hold, or all that explains why they hold nothing. `?1`.
pub const RESERVE_OTHERS: &str = "\
SELECT j.value ->> 0 AS request_id, c.state AS state, c.amount AS amount,
    u.enabled AS user_enabled, u.granted - u.spent AS user_left, u.held AS user_held,
    t.enabled AS token_enabled, t.expires_at AS token_expires_at, t.revision AS token_revision,
    t.cap - t.spent AS token_left, t.held AS token_held,
    EXISTS (
        SELECT 1 FROM calls AS o
        WHERE o.token_id = (j.value ->> 2) AND o.idempotency_key = (j.value ->> 9)
            AND o.state = 'held'
    ) OR (j.value ->> 0) <= (SELECT through FROM usage_mark WHERE id = 1) AS duplicate
FROM json_each(?1) AS j
LEFT JOIN calls AS c ON c.request_id = (j.value ->> 0)
LEFT JOIN users AS u ON u.id = (j.value ->> 1)
LEFT JOIN tokens AS t ON t.id = (j.value ->> 2) AND t.user_id = (j.value ->> 1)
WHERE c.state IS NOT 'held' OR c.amount <> (j.value ->> 4)";

/// Raises floors. A JSON array of requests and floors.
pub const CHECKPOINT: &str = "\
UPDATE calls SET floor = MAX(floor, j.value ->> 1)
FROM json_each(?1) AS j
WHERE calls.request_id = (j.value ->> 0) AND calls.state = 'held'";

/// Those that are not held. The same.
pub const CHECKPOINT_LOST: &str = "\
SELECT j.value ->> 0 AS request_id
FROM json_each(?1) AS j LEFT JOIN calls AS c ON c.request_id = (j.value ->> 0)
WHERE c.state IS NOT 'held'";

// The same rows in both statements of one sweep.
macro_rules! expired {
    () => {
        "SELECT request_id FROM calls WHERE state = 'held' AND expires_at <= ?1 \
         ORDER BY expires_at, request_id LIMIT 500"
    };
}

/// How many calls this sweep closes. Now.
pub const SWEEP_COUNT: &str = concat!("SELECT COUNT(*) AS swept FROM (", expired!(), ")");

/// Closes expired calls at their floors. Now.
pub const SWEEP_CLOSE: &str = concat!(
    "UPDATE calls SET state = 'expired', quota = MIN(floor, amount), cost = MIN(floor, amount), \
     estimated = 1, end_reason = 'orphan' WHERE request_id IN (",
    expired!(),
    ")"
);

// The user whose balance changes, if what is asked for can be.
macro_rules! grantee {
    () => {
        " FROM users AS u WHERE u.id = ?2 AND CASE ?3 \
         WHEN 'set' THEN u.held <= CAST(?4 AS INTEGER) \
         AND u.spent + CAST(?4 AS INTEGER) <= 9007199254740991 \
         ELSE u.granted + CAST(?4 AS INTEGER) <= 9007199254740991 END"
    };
}

/// Changes a balance, once for each id: `grant` adds what is asked, `set` leaves so much. Id, user,
/// kind, what is asked, by whom, now.
pub const GRANT: &str = concat!(
    "INSERT INTO grants (id, user_id, kind, asked, amount, granted_by, created_at) \
     SELECT ?1, u.id, ?3, CAST(?4 AS INTEGER), CASE ?3 \
     WHEN 'set' THEN u.spent + CAST(?4 AS INTEGER) - u.granted ELSE CAST(?4 AS INTEGER) END, \
     ?5, CAST(?6 AS INTEGER)",
    grantee!(),
    " ON CONFLICT (id) DO NOTHING"
);

/// Writes the entry of [`GRANT`], unless something was granted under its id before. As it, and as
/// `?7` the entry.
pub const GRANT_AUDIT: &str =
    audit!("?7", "u.id", grantee!(), " AND NOT EXISTS (SELECT 1 FROM grants WHERE id = ?1)");

/// What was made under this id, and whether there is such a user. As [`GRANT`].
pub const GRANTED: &str = "\
SELECT EXISTS (SELECT 1 FROM users WHERE id = ?2) AS known,
    EXISTS (SELECT 1 FROM grants WHERE id = ?1) AS taken,
    EXISTS (SELECT 1 FROM grants WHERE id = ?1 AND user_id = ?2 AND kind = ?3
        AND asked = CAST(?4 AS INTEGER)) AS made";

/// Settles, then reserves: what is given back can be held again at once.
pub static SETTLE_AND_RESERVE: Batch = Batch::replayable(&[
    SETTLE_CLOSE,
    SETTLE_COUNT,
    SETTLE_OTHERS,
    RESERVE,
    RESERVE_COUNT,
    RESERVE_OTHERS,
]);

/// Only settles.
pub static ONLY_SETTLE: Batch = Batch::replayable(&[SETTLE_CLOSE, SETTLE_COUNT, SETTLE_OTHERS]);

/// Only reserves.
pub static ONLY_RESERVE: Batch = Batch::replayable(&[RESERVE, RESERVE_COUNT, RESERVE_OTHERS]);

/// [`CHECKPOINT`], and those it came too late for.
pub static CHECK: Batch = Batch::replayable(&[CHECKPOINT, CHECKPOINT_LOST]);

/// Closes up to 500 expired calls. A repetition closes none of them again, but counts the wrong
/// ones, and the next sweep comes anyway.
pub static SWEEP: Batch = Batch::once(&[SWEEP_COUNT, SWEEP_CLOSE]);

/// [`GRANT`], and what came of it.
pub static CHANGE_BALANCE: Batch = Batch::replayable(&[GRANT_AUDIT, GRANT, GRANTED]);

/// All of them.
pub const ALL: &[&str] = &[
    SETTLE_CLOSE,
    SETTLE_COUNT,
    SETTLE_OTHERS,
    RESERVE,
    RESERVE_COUNT,
    RESERVE_OTHERS,
    CHECKPOINT,
    CHECKPOINT_LOST,
    SWEEP_COUNT,
    SWEEP_CLOSE,
    GRANT,
    GRANT_AUDIT,
    GRANTED,
];
