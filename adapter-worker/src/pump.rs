//! Moves an answer's stream to the client, piece by piece, whatever becomes of the client.
//!
//! Workers neither drop a response's body when its client leaves nor fail what is written to it,
//! and a task that waits for nothing but such a write is killed without being dropped: a call
//! would never be settled. So the body is not given to the runtime but pumped by a task that
//! always has a timer or a read under way; when the client is gone or takes nothing any more, the
//! body is dropped here, and that settles the call.

use crate::gone::Gone;
use axum::body::Body;
use bytes::Bytes;
use futures_channel::mpsc::{Receiver, Sender};
use futures_util::{FutureExt, SinkExt, future::BoxFuture, select_biased};
use gateway_ports::Timer;
use http_body_util::BodyExt;
use std::time::Duration;

/// Pieces that may wait for the client: a short answer fits, so that it is delivered whole to the
/// runtime, which does not say whether the client is still there.
const WAITING: usize = 4;

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was delivered to its end.
    Delivered,
    /// The request was cancelled.
    Cancelled,
    /// The client's end was closed.
    Closed,
    /// The client took nothing for too long.
    Stalled,
}

/// A way for pieces to the client.
pub fn pipe() -> (Sender<Bytes>, Receiver<Bytes>) {
    futures_channel::mpsc::channel(WAITING)
}

/// Pumps a body until it ends or the client is gone. The body's own reads are limited by the
/// relay; writes are limited here.
pub async fn pump(
    mut body: Body,
    mut client: Sender<Bytes>,
    gone: &mut Gone,
    timer: &dyn Timer,
    patience: Duration,
) -> End {
    let mut gone = gone.fuse();
    loop {
        let frame = select_biased! {
            () = gone => return End::Cancelled,
            frame = body.frame().fuse() => frame,
        };
        // Our bodies do not fail: what goes wrong in them is written into them.
        let Some(Ok(frame)) = frame else {
            return End::Delivered;
        };
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        // Nearly always there is room, and no timer is needed.
        let piece = match client.try_send(piece) {
            Ok(()) => continue,
            Err(refused) if refused.is_disconnected() => return End::Closed,
            Err(full) => full.into_inner(),
        };
        let mut late: futures_util::future::Fuse<BoxFuture<'_, ()>> = timer.sleep(patience).fuse();
        let sent = select_biased! {
            () = gone => return End::Cancelled,
            sent = client.send(piece).fuse() => sent,
            () = late => return End::Stalled,
        };
        if sent.is_err() {
            return End::Closed;
        }
    }
}
