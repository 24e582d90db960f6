//! Statements about the operator's prices.

use super::audit::audit;
use crate::Batch;

/// The newest table.
pub const PRICES_LOAD: &str = "\
SELECT version AS version, entries AS entries FROM price_tables ORDER BY version DESC LIMIT 1";

// The newest version; a table is never deleted, so the one behind it is free.
macro_rules! newest {
    () => {
        "COALESCE((SELECT MAX(version) FROM price_tables), 0)"
    };
}

/// Adds a version, if nobody has added one since. Entries, by whom, now, the version before.
pub const PRICES_REPLACE: &str = concat!(
    "INSERT INTO price_tables (version, entries, created_by, created_at) SELECT ",
    newest!(),
    " + 1, ?1, ?2, CAST(?3 AS INTEGER) WHERE ",
    newest!(),
    " = ?4 RETURNING version AS version"
);

/// Writes the entry of [`PRICES_REPLACE`]. As `?4` the version before, as `?5` the entry.
pub const PRICES_REPLACE_AUDIT: &str =
    audit!("?5", concat!(newest!(), " + 1"), " WHERE ", newest!(), " = ?4");

/// [`PRICES_REPLACE`]; delivered twice, the second finds another version before it.
pub static REPLACE: Batch = Batch::once(&[PRICES_REPLACE_AUDIT, PRICES_REPLACE]);

/// All of them.
pub const ALL: &[&str] = &[PRICES_LOAD, PRICES_REPLACE, PRICES_REPLACE_AUDIT];
