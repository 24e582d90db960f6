//! Statements about the books as a whole.

use crate::Batch;

/// Everything that a balance is made of, beside the balance. One statement, so that it sees one
/// moment. No more than five selects stand in one UNION, which is all that D1 takes. Now.
pub const VERIFY: &str = r#"
WITH open_and_closed AS (
    SELECT user_id, token_id,
        SUM(CASE state WHEN 'held' THEN amount ELSE 0 END) AS held,
        SUM(quota) AS spent,
        SUM(state <> 'held') AS requests
    FROM calls WHERE state = 'held' OR request_id > (SELECT through FROM usage_mark WHERE id = 1)
    GROUP BY user_id, token_id
    UNION ALL
    SELECT user_id, token_id, 0, SUM(quota), SUM(requests) FROM usage_days
    GROUP BY user_id, token_id
),
of_users AS (
    SELECT user_id, SUM(held) AS held, SUM(spent) AS spent, SUM(requests) AS requests
    FROM open_and_closed GROUP BY user_id
),
of_tokens AS (
    SELECT token_id, SUM(held) AS held, SUM(spent) AS spent, SUM(requests) AS requests
    FROM open_and_closed GROUP BY token_id
),
of_grants AS (SELECT user_id, SUM(amount) AS granted FROM grants GROUP BY user_id),
users_should AS (
    SELECT u.id AS id, u.granted AS granted, u.held AS held, u.spent AS spent,
        u.request_count AS requests, COALESCE(g.granted, 0) AS granted_sum,
        COALESCE(o.held, 0) AS held_sum, COALESCE(o.spent, 0) AS spent_sum,
        COALESCE(o.requests, 0) AS requests_sum
    FROM users AS u LEFT JOIN of_grants AS g ON g.user_id = u.id
    LEFT JOIN of_users AS o ON o.user_id = u.id
),
tokens_should AS (
    SELECT t.id AS id, t.cap AS cap, t.held AS held, t.spent AS spent,
        t.request_count AS requests, COALESCE(o.held, 0) AS held_sum,
        COALESCE(o.spent, 0) AS spent_sum, COALESCE(o.requests, 0) AS requests_sum
    FROM tokens AS t LEFT JOIN of_tokens AS o ON o.token_id = t.id
),
figures AS (
    SELECT 'user ' || s.id AS subject, f.value AS what,
        CASE f.value WHEN 'granted' THEN granted WHEN 'held' THEN held WHEN 'spent' THEN spent
            WHEN 'request_count' THEN requests ELSE MAX(spent + held - granted, 0) END AS found,
        CASE f.value WHEN 'granted' THEN granted_sum WHEN 'held' THEN held_sum
            WHEN 'spent' THEN spent_sum WHEN 'request_count' THEN requests_sum ELSE 0 END AS expected
    FROM users_should AS s
    CROSS JOIN json_each('["granted","held","spent","request_count","overdrawn"]') AS f
    UNION ALL
    SELECT 'key ' || s.id, f.value,
        CASE f.value WHEN 'held' THEN held WHEN 'spent' THEN spent
            WHEN 'request_count' THEN requests ELSE MAX(spent + held - COALESCE(cap, spent + held), 0) END,
        CASE f.value WHEN 'held' THEN held_sum WHEN 'spent' THEN spent_sum
            WHEN 'request_count' THEN requests_sum ELSE 0 END
    FROM tokens_should AS s
    CROSS JOIN json_each('["held","spent","request_count","beyond its cap"]') AS f
    UNION ALL
    SELECT 'call ' || request_id, 'open calls that should have ended', 1, 0
    FROM calls WHERE state = 'held' AND expires_at + 60000 < ?1
    UNION ALL
    SELECT 'call ' || request_id, 'charge of what no upstream accepted', quota, 0
    FROM calls WHERE state = 'void'
)
SELECT subject AS subject, what AS what, found AS found, expected AS expected
FROM figures WHERE found <> expected
LIMIT 100"#;

// The calls that a turn adds to the sums of days: closed ones behind the mark, from before a
// moment, in their order, up to the first that is still open. Before which request.
macro_rules! next_calls {
    () => {
        "SELECT request_id FROM calls WHERE request_id > (SELECT through FROM usage_mark WHERE id = 1) \
         AND request_id < ?1 \
         AND request_id < COALESCE((SELECT MIN(request_id) FROM calls WHERE state = 'held'), ?1) \
         ORDER BY request_id LIMIT 1000"
    };
}

/// How many calls this turn adds. Before which request.
pub const ROLL_UP_COUNT: &str = concat!("SELECT COUNT(*) AS calls FROM (", next_calls!(), ")");

/// Adds them to the sums of their days, and their failed attempts to those of the channels that
/// failed. Before which request.
pub const ROLL_UP: &str = concat!(
    "INSERT INTO usage_days (day, user_id, token_id, channel_id, model, requests, failures, \
     prompt_tokens, completion_tokens, quota) \
     SELECT day, user_id, token_id, channel_id, model, SUM(requests), SUM(failures), \
     SUM(prompt_tokens), SUM(completion_tokens), SUM(quota) FROM (\
     SELECT created_at / 86400000 AS day, user_id, token_id, COALESCE(channel_id, 0) AS channel_id, \
     model, 1 AS requests, 0 AS failures, prompt_tokens, completion_tokens, quota FROM calls \
     WHERE request_id IN (",
    next_calls!(),
    ") UNION ALL SELECT created_at / 86400000, user_id, token_id, f.value ->> 0, model, 0, 1, 0, 0, \
     0 FROM calls CROSS JOIN json_each(calls.failures) AS f WHERE request_id IN (",
    next_calls!(),
    ")) WHERE true GROUP BY day, user_id, token_id, channel_id, model \
     ON CONFLICT (day, user_id, token_id, channel_id, model) DO UPDATE SET \
     requests = requests + excluded.requests, failures = failures + excluded.failures, \
     prompt_tokens = prompt_tokens + excluded.prompt_tokens, \
     completion_tokens = completion_tokens + excluded.completion_tokens, \
     quota = quota + excluded.quota"
);

/// Moves the mark behind them. Before which request.
pub const ROLL_UP_MARK: &str = concat!(
    "UPDATE usage_mark SET through = COALESCE((SELECT MAX(request_id) FROM (",
    next_calls!(),
    ")), through)"
);

// The oldest calls up to the mark, from before a moment.
macro_rules! purged {
    () => {
        "SELECT request_id FROM calls WHERE request_id <= (SELECT through FROM usage_mark WHERE id = 1) \
         AND request_id < ?1 AND state <> 'held' ORDER BY request_id LIMIT 1000"
    };
}

/// How many calls this turn deletes. Before which request.
pub const PURGE_COUNT: &str = concat!("SELECT COUNT(*) AS calls FROM (", purged!(), ")");

/// Deletes the oldest calls that are in the sums of their days. Before which request.
pub const PURGE: &str = concat!("DELETE FROM calls WHERE request_id IN (", purged!(), ")");

/// Adds up to a thousand calls to the sums of their days. Delivered twice it adds the next ones,
/// each once.
pub static ROLL_UP_TURN: Batch = Batch::once(&[ROLL_UP_COUNT, ROLL_UP, ROLL_UP_MARK]);

/// Deletes up to a thousand calls. Delivered twice it deletes the next ones.
pub static PURGE_TURN: Batch = Batch::once(&[PURGE_COUNT, PURGE]);

/// All of them.
pub const ALL: &[&str] = &[VERIFY, ROLL_UP_COUNT, ROLL_UP, ROLL_UP_MARK, PURGE_COUNT, PURGE];
