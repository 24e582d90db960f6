//! The guards of the statements about the books as a whole.

use super::{Mutation, guard};

const FILE: &str = "adapter-sql/src/catalogue/books.rs";

const OF_USERS: &str = r#"'["granted","held","spent","request_count","overdrawn"]'"#;
const OF_KEYS: &str = r#"'["held","spent","request_count","beyond its cap"]'"#;

const fn of(name: &'static str, find: &'static str, with: &'static str) -> Mutation {
    guard(FILE, name, find, with)
}

pub(super) const ALL: &[Mutation] = &[
    of(
        "verify: what is in the sums of days is counted once",
        "\n    FROM calls WHERE state = 'held' OR request_id > (SELECT through FROM usage_mark WHERE id = 1)",
        "\n    FROM calls",
    ),
    of(
        "verify: what is closed counts before it is in the sums of days",
        "WHERE state = 'held' OR request_id > (SELECT through FROM usage_mark WHERE id = 1)",
        "WHERE state = 'held'",
    ),
    of(
        "verify: what is held counts",
        "WHERE state = 'held' OR request_id > (SELECT",
        "WHERE request_id > (SELECT",
    )
    .redundant("the mark stops before the first call that is held, and none begins behind it"),
    of(
        "verify: what users were granted",
        OF_USERS,
        r#"'["held","spent","request_count","overdrawn"]'"#,
    ),
    of("verify: what users hold", OF_USERS, r#"'["granted","spent","request_count","overdrawn"]'"#),
    of(
        "verify: what users have spent",
        OF_USERS,
        r#"'["granted","held","request_count","overdrawn"]'"#,
    ),
    of("verify: calls of users", OF_USERS, r#"'["granted","held","spent","overdrawn"]'"#),
    of(
        "verify: users who are overdrawn",
        OF_USERS,
        r#"'["granted","held","spent","request_count"]'"#,
    ),
    of("verify: what keys hold", OF_KEYS, r#"'["spent","request_count","beyond its cap"]'"#),
    of("verify: what keys have spent", OF_KEYS, r#"'["held","request_count","beyond its cap"]'"#),
    of("verify: calls of keys", OF_KEYS, r#"'["held","spent","beyond its cap"]'"#),
    of("verify: keys beyond their caps", OF_KEYS, r#"'["held","spent","request_count"]'"#),
    of(
        "verify: only what is held is open",
        "FROM calls WHERE state = 'held' AND expires_at + 60000 < ?1",
        "FROM calls WHERE expires_at + 60000 < ?1",
    ),
    of(
        "verify: only what should have ended is wrong",
        "FROM calls WHERE state = 'held' AND expires_at + 60000 < ?1",
        "FROM calls WHERE state = 'held'",
    ),
    of("verify: a sweep may take a minute", "expires_at + 60000 < ?1", "expires_at < ?1"),
    of("verify: only void calls are free", "FROM calls WHERE state = 'void'", "FROM calls"),
    of("verify: void calls are free", "FROM calls WHERE state = 'void'", "FROM calls WHERE false"),
    of(
        "verify: only what differs is wrong",
        "FROM figures WHERE found <> expected",
        "FROM figures",
    ),
    of(
        "roll-up: only what is behind the mark",
        "FROM calls WHERE request_id > (SELECT through FROM usage_mark WHERE id = 1) \\",
        "FROM calls WHERE true \\",
    ),
    of(
        "roll-up: only what is from before the moment",
        "         AND request_id < ?1 \\\n         AND request_id < COALESCE",
        "         AND request_id < COALESCE",
    ),
    of(
        "roll-up: up to the first that is open",
        "AND request_id < COALESCE((SELECT MIN(request_id) FROM calls WHERE state = 'held'), ?1) \\",
        "\\",
    ),
    of(
        "roll-up: only what is held is open",
        "FROM calls WHERE state = 'held'), ?1)",
        "FROM calls), ?1)",
    ),
    of(
        "roll-up: nothing open stops nothing",
        "COALESCE((SELECT MIN(request_id) FROM calls WHERE state = 'held'), ?1)",
        "(SELECT MIN(request_id) FROM calls WHERE state = 'held')",
    ),
    of(
        "roll-up: only these calls",
        "quota FROM calls \\\n     WHERE request_id IN (\"",
        "quota FROM calls \\\n     WHERE true OR request_id IN (\"",
    ),
    of(
        "roll-up: failures of only these calls",
        "AS f WHERE request_id IN (\"",
        "AS f WHERE true OR request_id IN (\"",
    ),
    of(
        "roll-up: calls are added to those of the day",
        "requests = requests + excluded.requests",
        "requests = requests",
    ),
    of(
        "roll-up: failures are added to those of the day",
        "failures = failures + excluded.failures",
        "failures = failures",
    ),
    of(
        "roll-up: prompts are added to those of the day",
        "prompt_tokens = prompt_tokens + excluded.prompt_tokens",
        "prompt_tokens = prompt_tokens",
    ),
    of(
        "roll-up: answers are added to those of the day",
        "completion_tokens = completion_tokens + excluded.completion_tokens",
        "completion_tokens = completion_tokens",
    ),
    of(
        "roll-up: charges are added to those of the day",
        "quota = quota + excluded.quota",
        "quota = quota",
    ),
    of("roll-up: the mark stays where nothing was added", "\")), through)\"", "\")), '')\""),
    of(
        "purge: only what is in the sums of days",
        "WHERE request_id <= (SELECT through FROM usage_mark WHERE id = 1) \\",
        "WHERE true \\",
    ),
    of(
        "purge: only what is from before the moment",
        "AND request_id < ?1 AND state <> 'held'",
        "AND state <> 'held'",
    ),
    of(
        "purge: nothing that is held",
        "AND request_id < ?1 AND state <> 'held'",
        "AND request_id < ?1",
    )
    .redundant("what is held is never behind the mark"),
];
