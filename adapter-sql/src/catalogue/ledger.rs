//! Statements about money. They work on sets, so that one transaction serves a whole group of
//! calls: `?1` is a JSON array of holds, `?2` one of their ids, `?3` one of settlements; the
//! layouts stand in `ledger::wire`.
//!
//! A call's row is its own guard. Settling moves the money of rows that are `held` and closes them
//! last; reserving makes rows `new`, moves the money of those, and calls them `held` last. So each
//! transaction finds nothing left to do when it is delivered again.
//!
//! Answers name the exceptions and count the rest, because a row costs a trip between threads; the
//! two together must be the whole group.
//!
//! `CROSS JOIN` fixes the order of the loops: the array outside, look-ups by key inside.

use crate::Batch;

// Users and keys are moved alike: `$table`, and the column of `calls` that names its rows.
macro_rules! settle {
    ($table:literal, $owner:literal) => {
        concat!(
            "UPDATE ",
            $table,
            " SET held = held - s.amount, spent = spent + s.quota, \
             request_count = request_count + s.calls \
             FROM (SELECT c.",
            $owner,
            " AS owner, SUM(c.amount) AS amount, \
             SUM(MIN(c.amount, j.value ->> 1)) AS quota, COUNT(*) AS calls \
             FROM json_each(?3) AS j CROSS JOIN calls AS c ON c.request_id = (j.value ->> 0) \
             WHERE c.state = 'held' GROUP BY c.",
            $owner,
            ") AS s WHERE ",
            $table,
            ".id = s.owner"
        )
    };
}

/// Gives holds back and charges users. `?3`.
pub const SETTLE_USERS: &str = settle!("users", "user_id");

/// The same for keys; one that was deleted meanwhile is simply not there. `?3`.
pub const SETTLE_TOKENS: &str = settle!("tokens", "token_id");

/// Turns held calls into usage rows. `?3`.
pub const SETTLE_CLOSE: &str = "\
UPDATE calls SET
    state = 'settled',
    quota = MIN(amount, j.value ->> 1),
    unbilled = MAX(0, (j.value ->> 1) - amount),
    channel_id = j.value ->> 2,
    upstream_model = j.value ->> 3,
    prompt_tokens = j.value ->> 4,
    completion_tokens = j.value ->> 5,
    cached_tokens = j.value ->> 6,
    cache_write_tokens = j.value ->> 7,
    reasoning_tokens = j.value ->> 8,
    estimated = j.value ->> 9,
    status = j.value ->> 10,
    end_reason = j.value ->> 11,
    attempts = j.value ->> 12,
    latency_ms = j.value ->> 13,
    first_byte_ms = j.value ->> 14
FROM json_each(?3) AS j
WHERE calls.request_id = (j.value ->> 0) AND calls.state = 'held'";

/// How many calls were charged what they cost. `?3`.
pub const SETTLE_COUNT: &str = "\
SELECT COUNT(*) AS calls
FROM json_each(?3) AS j CROSS JOIN calls AS c ON c.request_id = (j.value ->> 0)
WHERE c.state = 'settled' AND c.quota = (j.value ->> 1)";

/// What the others were charged: less, because less was held or they were settled before; or
/// nothing, because they never held anything. `?3`.
pub const SETTLE_OTHERS: &str = "\
SELECT j.value ->> 0 AS request_id, CASE WHEN c.state = 'settled' THEN c.quota ELSE 0 END AS quota
FROM json_each(?3) AS j LEFT JOIN calls AS c ON c.request_id = (j.value ->> 0)
WHERE c.state IS NOT 'settled' OR c.quota <> (j.value ->> 1)";

/// The only decision about money: makes the calls that their user and key can pay for, each
/// together with those before it in the group. A neighbour that is refused itself is counted too;
/// so a call may be refused because of it, and has to be tried again without it. `?1`.
pub const RESERVE_INSERT: &str = "\
INSERT INTO calls (request_id, state, user_id, token_id, amount, floor, model, stream,
    idempotency_key, created_at, expires_at, upstream_model)
SELECT j.value ->> 0, 'new', u.id, t.id, j.value ->> 4, j.value ->> 5, j.value ->> 6,
    j.value ->> 7, j.value ->> 8, j.value ->> 9, j.value ->> 10, j.value ->> 6
FROM json_each(?1) AS j
CROSS JOIN users AS u ON u.id = (j.value ->> 1)
CROSS JOIN tokens AS t ON t.id = (j.value ->> 2) AND t.user_id = u.id
WHERE u.enabled = 1 AND t.enabled = 1 AND t.revision = (j.value ->> 3)
    AND (t.expires_at IS NULL OR t.expires_at > (j.value ->> 9))
    AND u.granted - u.spent - u.held >= (j.value ->> 11)
    AND (t.cap IS NULL OR t.cap - t.spent - t.held >= (j.value ->> 12))
ON CONFLICT DO NOTHING";

macro_rules! hold {
    ($table:literal, $owner:literal) => {
        concat!(
            "UPDATE ",
            $table,
            " SET held = held + s.amount \
             FROM (SELECT c.",
            $owner,
            " AS owner, SUM(c.amount) AS amount \
             FROM json_each(?2) AS j CROSS JOIN calls AS c ON c.request_id = j.value \
             WHERE c.state = 'new' GROUP BY c.",
            $owner,
            ") AS s WHERE ",
            $table,
            ".id = s.owner"
        )
    };
}

/// Holds the users' credits for new calls. `?2`.
pub const RESERVE_USERS: &str = hold!("users", "user_id");

/// The same for keys. `?2`.
pub const RESERVE_TOKENS: &str = hold!("tokens", "token_id");

/// New calls are held ones from here on. `?2`.
pub const RESERVE_OPEN: &str = "\
UPDATE calls SET state = 'held'
FROM json_each(?2) AS j
WHERE calls.request_id = j.value AND calls.state = 'new'";

/// How many calls are held. `?2`.
pub const RESERVE_COUNT: &str = "\
SELECT COUNT(*) AS calls
FROM json_each(?2) AS j CROSS JOIN calls AS c ON c.request_id = j.value
WHERE c.state = 'held'";

/// Of the others: all that explains it. `?1`.
pub const RESERVE_REFUSALS: &str = "\
SELECT j.value ->> 0 AS request_id, c.state AS state,
    u.enabled AS user_enabled, u.granted - u.spent AS user_left, u.held AS user_held,
    t.enabled AS token_enabled, t.expires_at AS token_expires_at, t.revision AS token_revision,
    t.cap - t.spent AS token_left, t.held AS token_held,
    EXISTS (
        SELECT 1 FROM calls AS o
        WHERE o.token_id = (j.value ->> 2) AND o.idempotency_key = (j.value ->> 8)
            AND o.state <> 'settled'
    ) AS duplicate
FROM json_each(?1) AS j
LEFT JOIN calls AS c ON c.request_id = (j.value ->> 0)
LEFT JOIN users AS u ON u.id = (j.value ->> 1)
LEFT JOIN tokens AS t ON t.id = (j.value ->> 2) AND t.user_id = (j.value ->> 1)
WHERE c.state IS NOT 'held'";

// The same rows in every statement of one sweep: money is moved before they are closed.
macro_rules! expired {
    () => {
        "SELECT request_id, user_id, token_id, amount, MIN(floor, amount) AS quota FROM calls \
         WHERE state = 'held' AND expires_at <= ?1 ORDER BY expires_at, request_id LIMIT 500"
    };
}

/// How many calls this sweep closes. Now.
pub const SWEEP_COUNT: &str = concat!("SELECT COUNT(*) AS swept FROM (", expired!(), ")");

macro_rules! sweep {
    ($table:literal, $owner:literal) => {
        concat!(
            "UPDATE ",
            $table,
            " SET held = held - s.amount, spent = spent + s.quota, \
             request_count = request_count + s.calls \
             FROM (SELECT ",
            $owner,
            " AS owner, SUM(amount) AS amount, SUM(quota) AS quota, \
             COUNT(*) AS calls FROM (",
            expired!(),
            ") GROUP BY ",
            $owner,
            ") AS s \
             WHERE ",
            $table,
            ".id = s.owner"
        )
    };
}

/// Gives expired holds back and charges users their floors. Now.
pub const SWEEP_USERS: &str = sweep!("users", "user_id");

/// The same for keys. Now.
pub const SWEEP_TOKENS: &str = sweep!("tokens", "token_id");

/// Turns expired calls into usage rows. Now.
pub const SWEEP_CLOSE: &str = concat!(
    "UPDATE calls SET state = 'settled', quota = MIN(floor, amount), \
     estimated = 1, end_reason = 'orphan' \
     WHERE request_id IN (SELECT request_id FROM (",
    expired!(),
    "))"
);

/// So much more. User, amount.
pub const BALANCE_GRANT: &str = "\
UPDATE users SET granted = granted + CAST(?2 AS INTEGER)
WHERE id = ?1 AND granted + CAST(?2 AS INTEGER) <= 9007199254740991
RETURNING id AS id";

/// Exactly so much left. User, amount.
pub const BALANCE_SET: &str = "\
UPDATE users SET granted = spent + CAST(?2 AS INTEGER)
WHERE id = ?1 AND held <= CAST(?2 AS INTEGER) AND spent + CAST(?2 AS INTEGER) <= 9007199254740991
RETURNING id AS id";

/// Whether there is such a user.
pub const BALANCE_USER: &str = "SELECT id AS id FROM users WHERE id = ?1";

/// Settles, then reserves: what is given back can be held again at once.
pub static SETTLE_AND_RESERVE: Batch = Batch::replayable(&[
    SETTLE_USERS,
    SETTLE_TOKENS,
    SETTLE_CLOSE,
    SETTLE_COUNT,
    SETTLE_OTHERS,
    RESERVE_INSERT,
    RESERVE_USERS,
    RESERVE_TOKENS,
    RESERVE_OPEN,
    RESERVE_COUNT,
    RESERVE_REFUSALS,
]);

/// Only settles.
pub static SETTLE: Batch =
    Batch::replayable(&[SETTLE_USERS, SETTLE_TOKENS, SETTLE_CLOSE, SETTLE_COUNT, SETTLE_OTHERS]);

/// Only reserves.
pub static RESERVE: Batch = Batch::replayable(&[
    RESERVE_INSERT,
    RESERVE_USERS,
    RESERVE_TOKENS,
    RESERVE_OPEN,
    RESERVE_COUNT,
    RESERVE_REFUSALS,
]);

/// Closes up to 500 expired calls. A repetition closes none of them again, but counts the wrong
/// ones, and the next sweep comes anyway.
pub static SWEEP: Batch = Batch::once(&[SWEEP_COUNT, SWEEP_USERS, SWEEP_TOKENS, SWEEP_CLOSE]);

/// [`BALANCE_GRANT`]; delivered twice it grants twice.
pub static GRANT: Batch = Batch::once(&[BALANCE_GRANT, BALANCE_USER]);

/// [`BALANCE_SET`]; delivered twice it pays for what was charged in between.
pub static SET: Batch = Batch::once(&[BALANCE_SET, BALANCE_USER]);

/// All of them.
pub const ALL: &[&str] = &[
    SETTLE_USERS,
    SETTLE_TOKENS,
    SETTLE_CLOSE,
    SETTLE_COUNT,
    SETTLE_OTHERS,
    RESERVE_INSERT,
    RESERVE_USERS,
    RESERVE_TOKENS,
    RESERVE_OPEN,
    RESERVE_COUNT,
    RESERVE_REFUSALS,
    SWEEP_COUNT,
    SWEEP_USERS,
    SWEEP_TOKENS,
    SWEEP_CLOSE,
    BALANCE_GRANT,
    BALANCE_SET,
    BALANCE_USER,
];
