//! The triggers that carry what becomes of a call to its user and its key, and the index that
//! keeps a key of a caller's own unique.

use super::{Mutation, guard};

const FILE: &str = "migrations/0002_accounting.sql";

const fn of(name: &'static str, find: &'static str, with: &'static str) -> Mutation {
    guard(FILE, name, find, with)
}

/// What happens to one table when a call is closed.
macro_rules! close {
    ($table:literal, $id:literal) => {
        close!(
            $table,
            "held - iif(OLD.state = 'held', OLD.amount, 0)",
            "spent + NEW.quota - OLD.quota",
            "request_count + (OLD.state = 'held')",
            concat!("\n    WHERE id = NEW.", $id)
        )
    };
    ($table:literal, $held:expr, $spent:expr, $count:expr, $which:expr) => {
        concat!(
            "UPDATE ",
            $table,
            " SET held = ",
            $held,
            ", spent = ",
            $spent,
            ",\n        request_count = ",
            $count,
            $which,
            ";"
        )
    };
}

/// The guards of what happens to one table when a call is closed.
macro_rules! closes {
    ($table:literal, $id:literal) => {
        [
            of(
                concat!("close: ", $table, " hold no more"),
                close!($table, $id),
                close!(
                    $table,
                    "held",
                    "spent + NEW.quota - OLD.quota",
                    "request_count + (OLD.state = 'held')",
                    concat!("\n    WHERE id = NEW.", $id)
                ),
            ),
            of(
                concat!("close: what was not held is not given back to ", $table),
                close!($table, $id),
                close!(
                    $table,
                    "held - OLD.amount",
                    "spent + NEW.quota - OLD.quota",
                    "request_count + (OLD.state = 'held')",
                    concat!("\n    WHERE id = NEW.", $id)
                ),
            ),
            of(
                concat!("close: ", $table, " have spent it"),
                close!($table, $id),
                close!(
                    $table,
                    "held - iif(OLD.state = 'held', OLD.amount, 0)",
                    "spent",
                    "request_count + (OLD.state = 'held')",
                    concat!("\n    WHERE id = NEW.", $id)
                ),
            ),
            of(
                concat!("close: ", $table, " have not spent twice what was put right"),
                close!($table, $id),
                close!(
                    $table,
                    "held - iif(OLD.state = 'held', OLD.amount, 0)",
                    "spent + NEW.quota",
                    "request_count + (OLD.state = 'held')",
                    concat!("\n    WHERE id = NEW.", $id)
                ),
            ),
            of(
                concat!("close: calls of ", $table, " are counted"),
                close!($table, $id),
                close!(
                    $table,
                    "held - iif(OLD.state = 'held', OLD.amount, 0)",
                    "spent + NEW.quota - OLD.quota",
                    "request_count",
                    concat!("\n    WHERE id = NEW.", $id)
                ),
            ),
            of(
                concat!("close: calls of ", $table, " are counted once"),
                close!($table, $id),
                close!(
                    $table,
                    "held - iif(OLD.state = 'held', OLD.amount, 0)",
                    "spent + NEW.quota - OLD.quota",
                    "request_count + 1",
                    concat!("\n    WHERE id = NEW.", $id)
                ),
            ),
            of(
                concat!("close: one of the ", $table),
                close!($table, $id),
                close!(
                    $table,
                    "held - iif(OLD.state = 'held', OLD.amount, 0)",
                    "spent + NEW.quota - OLD.quota",
                    "request_count + (OLD.state = 'held')",
                    ""
                ),
            ),
        ]
    };
}

pub(super) const OF_USERS: [Mutation; 7] = closes!("users", "user_id");
pub(super) const OF_TOKENS: [Mutation; 7] = closes!("tokens", "token_id");

pub(super) const ALL: &[Mutation] = &[
    of(
        "grant: balances follow grants",
        "SET granted = granted + NEW.amount WHERE",
        "SET granted = granted WHERE",
    ),
    of("grant: of one user", "granted + NEW.amount WHERE id = NEW.user_id", "granted + NEW.amount"),
    of(
        "grant: an opening balance counts once",
        "AFTER INSERT ON grants WHEN NEW.kind <> 'opening' BEGIN",
        "AFTER INSERT ON grants BEGIN",
    ),
    of(
        "hold: users hold it",
        "\n    UPDATE users SET held = held + NEW.amount WHERE id = NEW.user_id;",
        "",
    ),
    of(
        "hold: keys hold it",
        "\n    UPDATE tokens SET held = held + NEW.amount WHERE id = NEW.token_id;",
        "",
    ),
    of(
        "hold: one user",
        "SET held = held + NEW.amount WHERE id = NEW.user_id",
        "SET held = held + NEW.amount",
    ),
    of(
        "hold: one key",
        "SET held = held + NEW.amount WHERE id = NEW.token_id",
        "SET held = held + NEW.amount",
    ),
    of(
        "hold: only what is held",
        "AFTER INSERT ON calls WHEN NEW.state = 'held' BEGIN",
        "AFTER INSERT ON calls BEGIN",
    )
    .redundant("a call is never inserted in another state"),
    of(
        "once: among open calls of a key",
        "CREATE UNIQUE INDEX calls_once",
        "CREATE INDEX calls_once",
    ),
    of(
        "once: only among open calls",
        "WHERE state = 'held' AND idempotency_key IS NOT NULL",
        "WHERE idempotency_key IS NOT NULL",
    ),
];
