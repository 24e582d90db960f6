//! What happens in a life: data, so that one life can be lived on every store.

use serde::{Deserialize, Serialize};

/// What becomes of a delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// It arrives, and so does its answer.
    #[default]
    None,
    /// It never arrives.
    Before,
    /// It arrives, and its answer does not.
    After,
    /// It arrives twice.
    Twice,
}

/// One thing that happens. Numbers are taken modulo what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// A call begins.
    Reserve {
        /// With which key.
        key: u8,
        /// The most that it may cost.
        amount: u16,
        /// The least, as a part of 255 of the most.
        least: u8,
        /// Its floor, as a part of 255 of the least.
        floor: u8,
        /// How long it is held, in seconds.
        life: u8,
        /// A caller's own id, if it is below 4.
        once: u8,
        /// Whether the key was read before it changed.
        stale: bool,
        /// What becomes of the delivery.
        fault: Fault,
    },
    /// The hold of a call is delivered again.
    Again {
        /// Which call.
        call: u16,
    },
    /// So many calls of one key begin at the same time.
    Race {
        /// With which key.
        key: u8,
        /// How many.
        calls: u8,
        /// What each may cost.
        amount: u16,
    },
    /// A call ends.
    Settle {
        /// Which, or one that never was.
        call: u16,
        /// What it cost.
        cost: u16,
        /// Whether no upstream had accepted it.
        void: bool,
        /// What becomes of the delivery.
        fault: Fault,
    },
    /// A call says what it has cost so far.
    Checkpoint {
        /// Which call.
        call: u16,
        /// What it has cost.
        floor: u16,
        /// What becomes of the delivery.
        fault: Fault,
    },
    /// Time passes.
    Wait {
        /// Seconds.
        seconds: u16,
    },
    /// Expired calls are closed.
    Sweep {
        /// What becomes of the delivery.
        fault: Fault,
    },
    /// A balance is changed.
    Grant {
        /// Whose.
        user: u8,
        /// By, or to, how much.
        amount: u16,
        /// Whether it is set.
        set: bool,
        /// The id, of a few, so that ids meet.
        id: u8,
        /// What becomes of the delivery.
        fault: Fault,
    },
    /// A key is revoked, allowed again, or gets another cap.
    Key {
        /// Which.
        key: u8,
        /// Whether it may be used.
        enabled: bool,
        /// Another cap, if it is not 0.
        cap: u16,
    },
    /// A user is disabled or enabled.
    User {
        /// Who.
        user: u8,
        /// Whether they may spend.
        enabled: bool,
    },
    /// Closed calls are added to the sums of their days.
    RollUp,
    /// Calls that are in those sums are deleted.
    Purge,
}
