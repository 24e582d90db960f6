//! Where processes tell each other which channels fail.

use crate::StoreError;
use async_trait::async_trait;
use gateway_domain::{Timestamp, policy::health::Change, policy::health::Verdict};
use serde::{Deserialize, Serialize};

/// Whom a process tells what it finds out about channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HealthScope {
    /// Nobody: it is the only one. What must survive it is written to the board, and read once.
    #[default]
    Process,
    /// All others: the board is read with the channels, and asked before a probe.
    Store,
}

/// What the board said, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdicts {
    /// When it was asked.
    pub at: Timestamp,
    /// All that it had.
    pub verdicts: Vec<Verdict>,
}

/// Where verdicts about channels are kept, for as long as they hold. Written when something
/// changes, never by a call as such.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait HealthBoard: Send + Sync {
    /// All verdicts that have not expired.
    async fn list(&self, now: Timestamp) -> Result<Vec<Verdict>, StoreError>;

    /// Writes a change: true if it counts. A verdict MUST NOT replace another than the one that it
    /// names, unless that has expired or is about the channel before it was last saved; so of racing
    /// writers one wins. Delivered twice it MUST count as once. `force` replaces whatever is there.
    ///
    /// Verdicts MUST be gone when their channel is saved or deleted, and nothing is written about a
    /// channel that is not there.
    async fn write(&self, change: &Change, force: bool, now: Timestamp)
    -> Result<bool, StoreError>;
}
