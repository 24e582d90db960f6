//! Statements about settled calls. There are two of each, so that a user's own rows are found
//! through their index, however many others there are.

macro_rules! call_columns {
    () => {
        "SELECT request_id AS request_id, user_id AS user_id, token_id AS token_id, \
         channel_id AS channel_id, model AS model, upstream_model AS upstream_model, \
         prompt_tokens AS prompt_tokens, completion_tokens AS completion_tokens, \
         cached_tokens AS cached_tokens, cache_write_tokens AS cache_write_tokens, \
         reasoning_tokens AS reasoning_tokens, quota AS quota, unbilled AS unbilled, \
         estimated AS estimated, stream AS stream, status AS status, end_reason AS end_reason, \
         attempts AS attempts, latency_ms AS latency_ms, first_byte_ms AS first_byte_ms, \
         created_at AS created_at FROM calls WHERE state = 'settled'"
    };
}

/// The conditions of a filter but the user's: key, model, from, until.
macro_rules! filter {
    () => {
        " AND (?2 IS NULL OR token_id = ?2) AND (?3 IS NULL OR model = ?3) \
         AND (?4 IS NULL OR created_at >= ?4) AND (?5 IS NULL OR created_at < ?5)"
    };
}

macro_rules! older {
    () => {
        " AND request_id < ?6 ORDER BY request_id DESC LIMIT CAST(?7 AS INTEGER)"
    };
}

// The day is computed from a column: a division by or of a parameter may be one of floats.
macro_rules! sum_columns {
    () => {
        "SELECT created_at / 86400000 AS day, model AS model, COUNT(*) AS requests, \
         SUM(prompt_tokens) AS prompt_tokens, SUM(completion_tokens) AS completion_tokens, \
         SUM(quota) AS quota FROM calls WHERE state = 'settled'"
    };
}

macro_rules! by_day {
    () => {
        " GROUP BY day, model ORDER BY day DESC, model LIMIT CAST(?6 AS INTEGER)"
    };
}

/// Settled calls, newest first. (Unused), key, model, from, until, before which request, limit.
pub const USAGE_LIST: &str = concat!(call_columns!(), filter!(), older!());

/// A user's settled calls, newest first. User, then as [`USAGE_LIST`].
pub const USAGE_LIST_OF_USER: &str =
    concat!(call_columns!(), " AND user_id = ?1", filter!(), older!());

/// Sums of settled calls. (Unused), key, model, from, until, limit.
pub const USAGE_SUMS: &str = concat!(sum_columns!(), filter!(), by_day!());

/// Sums of a user's settled calls. User, then as [`USAGE_SUMS`].
pub const USAGE_SUMS_OF_USER: &str =
    concat!(sum_columns!(), " AND user_id = ?1", filter!(), by_day!());

/// All of them.
pub const ALL: &[&str] = &[USAGE_LIST, USAGE_LIST_OF_USER, USAGE_SUMS, USAGE_SUMS_OF_USER];
