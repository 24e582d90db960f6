//! Whoever watches calls: metrics, traces, an embedder's own books.
//!
//! ```
//! use gateway_ports::{Observer, observer::{CallEnded, CallSeen}};
//! use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
//!
//! /// Counts what was charged.
//! #[derive(Debug, Default)]
//! struct Till(AtomicU64);
//!
//! impl Observer for Till {
//!     fn ended(&self, _: &CallSeen, end: &CallEnded<'_>) {
//!         self.0.fetch_add(end.charged.units(), Relaxed);
//!     }
//! }
//! ```

use gateway_domain::{
    CallRecord, ChannelId, Credits, FaultKind, Operation, ProviderKind, RequestId,
};
use std::fmt::Debug;

/// A call that was admitted: what of it does not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSeen {
    /// Its id, which is the key of its usage row.
    pub request_id: RequestId,
    /// What is asked.
    pub operation: Operation,
    /// The model, as the caller named it: whoever may call any model makes up any name.
    pub model: String,
    /// The entry of a channel's models that the name stands for, as `gpt-4*`, and `other` if
    /// channels serve it without naming it: there are only so many.
    pub served_as: String,
    /// Whether the answer is streamed.
    pub stream: bool,
}

/// A call, or its key, that was not let in: no upstream has it, and it has no usage row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused<'a> {
    /// The request.
    pub request_id: &'a RequestId,
    /// What was asked, if it was looked at.
    pub operation: Option<Operation>,
    /// The stable code that the caller is told.
    pub code: &'a str,
    /// The HTTP status.
    pub status: u16,
}

/// One channel's turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Which channel.
    pub channel: ChannelId,
    /// Its provider.
    pub provider: ProviderKind,
    /// What it calls the model.
    pub upstream_model: String,
}

/// How a call ended, when its settlement is written.
#[derive(Clone, Debug, PartialEq)]
pub struct CallEnded<'a> {
    /// Its usage row: reason, status, tokens, milliseconds to the first byte and in all.
    pub record: &'a CallRecord,
    /// What was charged, in units.
    pub charged: Credits,
}

/// Whoever watches calls. Each method is one event; what is not of interest is left out.
///
/// Events come from within calls, so a method MUST be quick and MUST NOT wait for anything. One that
/// panics harms no call.
pub trait Observer: Debug + Send + Sync {
    /// A call was let in, and the most that it may cost is held.
    fn admitted(&self, call: &CallSeen) {
        let _ = call;
    }

    /// A call or a key was not let in.
    fn refused(&self, refused: &Refused<'_>) {
        let _ = refused;
    }

    /// A channel's turn begins.
    fn attempt_began(&self, call: &CallSeen, attempt: &Attempt) {
        let _ = (call, attempt);
    }

    /// A channel failed: before its answer began, so that another may be tried, or in mid-stream.
    fn attempt_failed(&self, call: &CallSeen, attempt: &Attempt, kind: FaultKind) {
        let _ = (call, attempt, kind);
    }

    /// The answer began: nothing but this channel's answer comes now.
    fn first_byte(&self, call: &CallSeen) {
        let _ = call;
    }

    /// A stream to a client is open.
    fn stream_opened(&self, call: &CallSeen) {
        let _ = call;
    }

    /// A stream to a client is closed, by whomever.
    fn stream_closed(&self, call: &CallSeen) {
        let _ = call;
    }

    /// A call is over and settled, once.
    fn ended(&self, call: &CallSeen, end: &CallEnded<'_>) {
        let _ = (call, end);
    }

    /// An upstream is listened to although its client is gone.
    fn drain_began(&self) {}

    /// That has ended.
    fn drain_ended(&self) {}
}

/// What [`CallSeen::served_as`] is for models that no channel names.
pub const OTHER: &str = "other";
