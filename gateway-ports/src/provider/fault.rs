//! What went wrong, from any provider's error answer.

mod body;
mod scrub;
mod sort;
mod wait;

pub use scrub::scrub;

use body::ErrorBody;
use gateway_domain::{Fault, FaultKind, Timestamp};
use http::HeaderMap;

/// An answer that is an error.
#[derive(Clone, Copy, Debug)]
pub struct ErrorReply<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body, or its beginning.
    pub body: &'a [u8],
    /// When it came.
    pub now: Timestamp,
}

/// Reads an error answer of any of the usual shapes: an object with `error`, `message` or `detail`,
/// the same in an array, or text.
pub fn fault_of_reply(reply: &ErrorReply<'_>) -> Fault {
    let body = ErrorBody::read(reply.body);
    let wait = wait::retry_after(reply.headers, &body.message, reply.now);
    Fault { retry_after: wait, ..fault(sort::of_reply(reply.status, &body), &body) }
}

/// Reads an error that came in an answer of success: as an event of a stream, or instead of the
/// answer. What it does not say more of is a [`FaultKind::Server`].
pub fn fault_of_event(body: &[u8]) -> Fault {
    let body = ErrorBody::read(body);
    let wait = wait::retry_after(&HeaderMap::new(), &body.message, Timestamp::default());
    Fault { retry_after: wait, ..fault(sort::of_event(&body), &body) }
}

fn fault(kind: FaultKind, body: &ErrorBody) -> Fault {
    let known = sort::code(kind, body);
    let code = known.map(str::to_owned).or_else(|| body.code.as_deref().map(scrub));
    let mut param = body.param.as_deref().map(scrub);
    if known == Some(sort::CONTEXT_LENGTH) {
        param = param.or_else(|| Some(String::from("messages")));
    }
    Fault { kind, message: scrub(&body.message), code, param, retry_after: None }
}
