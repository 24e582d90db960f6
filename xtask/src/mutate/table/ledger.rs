//! The guards of the statements about money.

use super::{Mutation, guard};

const FILE: &str = "adapter-sql/src/catalogue/ledger.rs";

const fn of(name: &'static str, find: &'static str, with: &'static str) -> Mutation {
    guard(FILE, name, find, with)
}

pub(super) const ALL: &[Mutation] = &[
    // What is charged.
    of(
        "settle: no charge beyond the hold",
        "WHEN 'held' THEN MIN(amount, j.value ->> 1)",
        "WHEN 'held' THEN (j.value ->> 1)",
    ),
    of(
        "settle: no late charge beyond the hold",
        "ELSE MIN(amount, j.value ->> 1, quota",
        "ELSE MIN(j.value ->> 1, quota",
    ),
    of(
        "settle: no late charge beyond the cost",
        "ELSE MIN(amount, j.value ->> 1, quota",
        "ELSE MIN(amount, quota",
    ),
    of(
        "settle: no late charge beyond what is free",
        "quota + MAX(0, (SELECT",
        "quota + MAX(9007199254740991 - quota, (SELECT",
    ),
    of(
        "settle: no late charge beyond what the user has free",
        "(SELECT MIN(u.granted - u.spent - u.held,",
        "(SELECT MIN(9007199254740991,",
    ),
    of(
        "settle: others of the user hold something when a charge is late",
        "(SELECT MIN(u.granted - u.spent - u.held,",
        "(SELECT MIN(u.granted - u.spent,",
    ),
    of(
        "settle: no late charge beyond what the key has free",
        "COALESCE(t.cap - t.spent - t.held, 9007199254740991)) FROM users",
        "9007199254740991) FROM users",
    ),
    of(
        "settle: others of the key hold something when a charge is late",
        "COALESCE(t.cap - t.spent - t.held, 9007199254740991)) FROM users",
        "COALESCE(t.cap - t.spent, 9007199254740991)) FROM users",
    ),
    of(
        "settle: late, by a key without a cap",
        "COALESCE(t.cap - t.spent - t.held, 9007199254740991)) FROM users",
        "t.cap - t.spent - t.held) FROM users",
    ),
    of(
        "settle: late, by a key that is gone",
        "LEFT JOIN tokens AS t ON t.id = calls.token_id WHERE u.id = calls.user_id",
        "JOIN tokens AS t ON t.id = calls.token_id WHERE u.id = calls.user_id",
    ),
    of(
        "settle: late, what the call's own key has free",
        "ON t.id = calls.token_id WHERE u.id",
        "ON true WHERE u.id",
    ),
    of(
        "settle: late, what the call's own user has free",
        "ON t.id = calls.token_id WHERE u.id = calls.user_id)))",
        "ON t.id = calls.token_id WHERE true)))",
    ),
    of(
        "settle: what is free is not below nothing",
        "quota + MAX(0, (SELECT",
        "quota + MAX(-9007199254740991, (SELECT",
    )
    .redundant("spent + held never pass the balance or the cap"),
    of(
        "settle: the cost is kept beside the charge",
        "cost = MAX(j.value ->> 1, ",
        "cost = MAX(0, ",
    ),
    of(
        "settle: the cost is no less than the charge",
        "\", cost = MAX(j.value ->> 1, \",\n    charge!(),\n    \"), state",
        "\", cost = (j.value ->> 1), state",
    )
    .redundant("a charge is the least of some numbers of which the cost is one"),
    // What is settled.
    of(
        "settle: only the calls of the group",
        "FROM json_each(?2) AS j WHERE calls.request_id = (j.value ->> 0)",
        "FROM json_each(?2) AS j WHERE true",
    ),
    of(
        "settle: only what is held or expired",
        "AND (calls.state = 'held' OR (calls.state = 'expired'",
        "AND (true OR (calls.state = 'expired'",
    ),
    of("settle: only what is expired is put right", "OR (calls.state = 'expired'", "OR (true"),
    of("settle: what is expired is put right", "OR (calls.state = 'expired'", "OR (false"),
    of(
        "settle: what is in the sums of days is not put right",
        "AND calls.request_id > (SELECT through FROM usage_mark WHERE id = 1)))",
        "AND true))",
    ),
    of(
        "settle: what is still held is not counted as charged",
        "WHERE c.state <> 'held' AND c.quota = (j.value ->> 1)",
        "WHERE c.quota = (j.value ->> 1)",
    )
    .redundant("the statement before it in the batch leaves none of the group held"),
    of(
        "settle: only who was charged the cost is counted",
        "WHERE c.state <> 'held' AND c.quota = (j.value ->> 1)",
        "WHERE c.state <> 'held'",
    ),
    of(
        "settle: who never held anything was charged nothing",
        "CASE WHEN c.state <> 'held' THEN c.quota ELSE 0 END",
        "c.quota",
    ),
    of(
        "settle: who never held anything is answered",
        "WHERE c.state IS NULL OR c.state = 'held' OR c.quota",
        "WHERE c.state = 'held' OR c.quota",
    ),
    of(
        "settle: who is still held is answered",
        "WHERE c.state IS NULL OR c.state = 'held' OR c.quota",
        "WHERE c.state IS NULL OR c.quota",
    )
    .redundant("the first statement of the batch leaves none of the group held"),
    of(
        "settle: who was charged less is answered",
        "OR c.state = 'held' OR c.quota <> (j.value ->> 1)",
        "OR c.state = 'held'",
    ),
    // What is held.
    of(
        "reserve: no more than the user has free",
        "MIN(j.value ->> 4, u.granted - u.spent - u.held,",
        "MIN(j.value ->> 4, 9007199254740991,",
    ),
    of(
        "reserve: no more than the key has free",
        "COALESCE(t.cap - t.spent - t.held, 9007199254740991)),",
        "9007199254740991),",
    ),
    of(
        "reserve: by a key without a cap",
        "COALESCE(t.cap - t.spent - t.held, 9007199254740991)),",
        "t.cap - t.spent - t.held),",
    ),
    of("reserve: no more than is asked for", "MIN(j.value ->> 4, u.granted", "MIN(u.granted"),
    of(
        "reserve: of the user who asks",
        "CROSS JOIN users AS u ON u.id = (j.value ->> 1)",
        "CROSS JOIN users AS u",
    ),
    of(
        "reserve: with a key of the user's own",
        "ON t.id = (j.value ->> 2) AND t.user_id = u.id",
        "ON t.id = (j.value ->> 2)",
    ),
    of(
        "reserve: with the key that asks",
        "ON t.id = (j.value ->> 2) AND t.user_id = u.id",
        "ON t.user_id = u.id",
    ),
    of("reserve: the user is enabled", "WHERE u.enabled = 1 AND t.enabled", "WHERE t.enabled"),
    of("reserve: the key is enabled", "u.enabled = 1 AND t.enabled = 1", "u.enabled = 1"),
    of("reserve: the key has not changed", " AND t.revision = (j.value ->> 3)", ""),
    of(
        "reserve: the key has not ended",
        "\n    AND (t.expires_at IS NULL OR t.expires_at > (j.value ->> 10))",
        "",
    ),
    of(
        "reserve: a key has ended at its end",
        "t.expires_at > (j.value ->> 10)",
        "t.expires_at >= (j.value ->> 10)",
    ),
    of(
        "reserve: the user has enough free",
        "\n    AND u.granted - u.spent - u.held >= (j.value ->> 12)",
        "",
    ),
    of(
        "reserve: other calls of the user hold something",
        "AND u.granted - u.spent - u.held >= (j.value ->> 12)",
        "AND u.granted - u.spent >= (j.value ->> 12)",
    ),
    of(
        "reserve: the key has enough free",
        "\n    AND (t.cap IS NULL OR t.cap - t.spent - t.held >= (j.value ->> 13))",
        "",
    ),
    of(
        "reserve: other calls of the key hold something",
        "OR t.cap - t.spent - t.held >= (j.value ->> 13)",
        "OR t.cap - t.spent >= (j.value ->> 13)",
    ),
    of(
        "reserve: what is over does not begin again",
        "\n    AND (j.value ->> 0) > (SELECT through FROM usage_mark WHERE id = 1)",
        "",
    ),
    of("reserve: once", "\nON CONFLICT DO NOTHING\";", "\";"),
    of(
        "reserve: only what is held is counted as held",
        "WHERE c.state = 'held' AND c.amount = (j.value ->> 4)",
        "WHERE c.amount = (j.value ->> 4)",
    ),
    of(
        "reserve: only who holds all is counted as such",
        "WHERE c.state = 'held' AND c.amount = (j.value ->> 4)",
        "WHERE c.state = 'held'",
    ),
    of(
        "reserve: a duplicate is one of the same key",
        "WHERE o.token_id = (j.value ->> 2) AND o.idempotency_key",
        "WHERE o.idempotency_key",
    ),
    of(
        "reserve: a duplicate has the same idempotency key",
        " AND o.idempotency_key = (j.value ->> 9)",
        "",
    ),
    of("reserve: a duplicate is open", "\n            AND o.state = 'held'", ""),
    of(
        "reserve: what is over is a duplicate",
        " OR (j.value ->> 0) <= (SELECT through FROM usage_mark WHERE id = 1) AS duplicate",
        " AS duplicate",
    ),
    of(
        "reserve: another user's key is no key",
        "ON t.id = (j.value ->> 2) AND t.user_id = (j.value ->> 1)",
        "ON t.id = (j.value ->> 2)",
    ),
    of(
        "reserve: who holds nothing is answered",
        "WHERE c.state IS NOT 'held' OR c.amount <> (j.value ->> 4)",
        "WHERE c.amount <> (j.value ->> 4)",
    ),
    of(
        "reserve: who holds less is answered",
        "WHERE c.state IS NOT 'held' OR c.amount <> (j.value ->> 4)",
        "WHERE c.state IS NOT 'held'",
    ),
    // What happens on the way.
    of(
        "checkpoint: floors do not sink",
        "SET floor = MAX(floor, j.value ->> 1)",
        "SET floor = (j.value ->> 1)",
    ),
    of(
        "checkpoint: only the calls of the group",
        "WHERE calls.request_id = (j.value ->> 0) AND calls.state = 'held'",
        "WHERE calls.state = 'held'",
    ),
    of(
        "checkpoint: only what is held",
        "WHERE calls.request_id = (j.value ->> 0) AND calls.state = 'held'",
        "WHERE calls.request_id = (j.value ->> 0)",
    )
    .redundant("nothing reads the floor of a call that is closed"),
    of(
        "checkpoint: only who holds nothing any more is told",
        "\nWHERE c.state IS NOT 'held'\";",
        "\";",
    ),
    of(
        "sweep: only what is held",
        "WHERE state = 'held' AND expires_at <= ?1",
        "WHERE expires_at <= ?1",
    ),
    of(
        "sweep: only what has expired",
        "WHERE state = 'held' AND expires_at <= ?1",
        "WHERE state = 'held'",
    ),
    of("sweep: what expires now has expired", "expires_at <= ?1", "expires_at < ?1"),
    of(
        "sweep: no charge beyond the hold",
        "quota = MIN(floor, amount), cost",
        "quota = floor, cost",
    ),
    of("sweep: what is not charged was not used", "cost = MIN(floor, amount)", "cost = floor"),
    // Balances.
    of("grant: to one user", "WHERE u.id = ?2 AND CASE ?3", "WHERE CASE ?3"),
    of(
        "grant: not below what is held",
        "THEN u.held <= CAST(?4 AS INTEGER) \\\n         AND",
        "THEN",
    ),
    of(
        "grant: no balance beyond what can be kept",
        "u.spent + CAST(?4 AS INTEGER) <= 9007199254740991",
        "true",
    ),
    of(
        "grant: no more than can be kept",
        "ELSE u.granted + CAST(?4 AS INTEGER) <= 9007199254740991 END",
        "ELSE true END",
    ),
    of("grant: once", " ON CONFLICT (id) DO NOTHING\"", "\""),
    of(
        "grant: of a user who is known",
        "FROM users WHERE id = ?2) AS known",
        "FROM users) AS known",
    ),
    of("grant: taken is this id", "FROM grants WHERE id = ?1) AS taken", "FROM grants) AS taken"),
    of(
        "grant: made under this id",
        "WHERE id = ?1 AND user_id = ?2 AND kind",
        "WHERE user_id = ?2 AND kind",
    ),
    of(
        "grant: made for this user",
        "WHERE id = ?1 AND user_id = ?2 AND kind",
        "WHERE id = ?1 AND kind",
    ),
    of("grant: made of this kind", "AND user_id = ?2 AND kind = ?3", "AND user_id = ?2"),
    of("grant: made of this size", "\n        AND asked = CAST(?4 AS INTEGER)", ""),
];
