//! Statements about closed calls. There are two of each, so that a user's own rows are found
//! through their index, however many others there are.

macro_rules! call_columns {
    () => {
        "SELECT request_id AS request_id, user_id AS user_id, token_id AS token_id, \
         channel_id AS channel_id, model AS model, upstream_model AS upstream_model, \
         state AS state, prompt_tokens AS prompt_tokens, completion_tokens AS completion_tokens, \
         cached_tokens AS cached_tokens, cache_write_tokens AS cache_write_tokens, \
         reasoning_tokens AS reasoning_tokens, price AS price, quota AS quota, \
         cost - quota AS unbilled, estimated AS estimated, stream AS stream, status AS status, \
         end_reason AS end_reason, attempts AS attempts, failures AS failures, dropped AS dropped, \
         latency_ms AS latency_ms, first_byte_ms AS first_byte_ms, created_at AS created_at \
         FROM calls WHERE state <> 'held'"
    };
}

/// The conditions of a filter but the user's: key, model, from, until, channel.
macro_rules! filter {
    () => {
        " AND (?2 IS NULL OR token_id = ?2) AND (?3 IS NULL OR model = ?3) \
         AND (?4 IS NULL OR created_at >= ?4) AND (?5 IS NULL OR created_at < ?5) \
         AND (?6 IS NULL OR channel_id = ?6)"
    };
}

macro_rules! older {
    () => {
        " AND request_id < ?7 ORDER BY request_id DESC LIMIT CAST(?8 AS INTEGER)"
    };
}

// Calls behind the mark where they stand, their failed attempts by the channel that failed, and
// the sums of days of all that came before. A day is computed from a column: a division by or of a
// parameter may be one of floats.
macro_rules! sums {
    ($user:literal) => {
        concat!(
            "SELECT day AS day, CASE ?7 WHEN 'model' THEN model WHEN 'user' THEN user_id \
             WHEN 'token' THEN token_id ELSE channel_id END || '' AS key, \
             SUM(requests) AS requests, SUM(failures) AS failures, \
             SUM(prompt_tokens) AS prompt_tokens, SUM(completion_tokens) AS completion_tokens, \
             SUM(quota) AS quota FROM (\
             SELECT created_at / 86400000 AS day, user_id, token_id, \
             COALESCE(channel_id, 0) AS channel_id, model, 1 AS requests, 0 AS failures, \
             prompt_tokens, completion_tokens, quota FROM calls WHERE state <> 'held' \
             AND request_id > (SELECT through FROM usage_mark WHERE id = 1)",
            $user,
            filter!(),
            " UNION ALL SELECT created_at / 86400000, user_id, token_id, f.value ->> 0, model, 0, \
             1, 0, 0, 0 FROM calls CROSS JOIN json_each(calls.failures) AS f \
             WHERE state <> 'held' AND request_id > (SELECT through FROM usage_mark WHERE id = 1) \
             AND failures <> '[]'",
            $user,
            " AND (?2 IS NULL OR token_id = ?2) AND (?3 IS NULL OR model = ?3) \
             AND (?4 IS NULL OR created_at >= ?4) AND (?5 IS NULL OR created_at < ?5) \
             AND (?6 IS NULL OR f.value ->> 0 = ?6) \
             UNION ALL SELECT day, user_id, token_id, channel_id, model, requests, failures, \
             prompt_tokens, completion_tokens, quota FROM usage_days WHERE true",
            $user,
            " AND (?2 IS NULL OR token_id = ?2) AND (?3 IS NULL OR model = ?3) \
             AND (?4 IS NULL OR day * 86400000 + 86400000 > ?4) \
             AND (?5 IS NULL OR day * 86400000 < ?5) AND (?6 IS NULL OR channel_id = ?6)\
             ) GROUP BY 1, 2 ORDER BY 1 DESC, 2 LIMIT CAST(?8 AS INTEGER)"
        )
    };
}

/// Closed calls, newest first. (Unused), key, model, from, until, channel, before which request,
/// limit.
pub const USAGE_LIST: &str = concat!(call_columns!(), filter!(), older!());

/// A user's closed calls, newest first. User, then as [`USAGE_LIST`].
pub const USAGE_LIST_OF_USER: &str =
    concat!(call_columns!(), " AND user_id = ?1", filter!(), older!());

/// Sums of closed calls. (Unused), key, model, from, until, channel, by what, limit.
pub const USAGE_SUMS: &str = sums!("");

/// Sums of a user's closed calls. User, then as [`USAGE_SUMS`].
pub const USAGE_SUMS_OF_USER: &str = sums!(" AND user_id = ?1");

/// All of them.
pub const ALL: &[&str] = &[USAGE_LIST, USAGE_LIST_OF_USER, USAGE_SUMS, USAGE_SUMS_OF_USER];
