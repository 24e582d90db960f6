//! Statements about settings.

use super::audit::audit;
use crate::Batch;

/// The settings, as JSON.
pub const SETTINGS_LOAD: &str = "SELECT value AS value FROM settings WHERE key = 'settings'";

/// Replaces the settings. JSON.
pub const SETTINGS_SAVE: &str = "\
INSERT INTO settings (key, value) VALUES ('settings', ?1)
ON CONFLICT (key) DO UPDATE SET value = excluded.value";

/// Writes the entry of [`SETTINGS_SAVE`], which is always made. As `?2` the entry.
pub const SETTINGS_SAVE_AUDIT: &str = audit!("?2", "NULL", " WHERE true");

/// [`SETTINGS_SAVE`].
pub static SAVE: Batch = Batch::replayable(&[SETTINGS_SAVE_AUDIT, SETTINGS_SAVE]);

/// All of them.
pub const ALL: &[&str] = &[SETTINGS_LOAD, SETTINGS_SAVE, SETTINGS_SAVE_AUDIT];
