//! An answer's body on its way back: as it comes, and no longer than it may.

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use gateway_ports::{ByteStream, UpstreamError};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long an answer may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    idle: Duration,
    end: Instant,
}

impl Limits {
    /// From now on.
    pub(super) fn new(idle: Duration, total: Duration) -> Self {
        Self { idle, end: Instant::now() + total }
    }

    /// The body; one that takes too long ends as a connection that broke, never as if it were
    /// whole. It is read only as fast as it is taken.
    pub(super) fn of(
        self,
        body: ByteStream,
    ) -> impl Stream<Item = Result<Bytes, UpstreamError>> + Send {
        stream::unfold(Some(body), move |body| async move {
            let mut body = body?;
            let until = self.end.min(Instant::now() + self.idle);
            match timeout_at(until, body.next()).await {
                Ok(None) => None,
                Ok(Some(Ok(bytes))) => Some((Ok(bytes), Some(body))),
                Ok(Some(Err(error))) => Some((Err(error), None)),
                Err(_) => Some((Err(UpstreamError::Broken("it took too long".into())), None)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn test_90_an_answer_without_end_is_ended() {
        let endless = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok(Bytes::from_static(b"x")), ()))
        });
        let limits = Limits::new(Duration::from_secs(5), Duration::from_secs(60));
        let pieces: Vec<_> = limits.of(Box::pin(endless)).collect().await;
        assert!((59..=61).contains(&pieces.len()), "{}", pieces.len());
        assert!(pieces.last().unwrap().is_err());
        assert!(pieces.iter().rev().skip(1).all(Result::is_ok));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_stalls_is_ended() {
        let silent = stream::iter([Ok(Bytes::from_static(b"x"))]).chain(stream::pending());
        let limits = Limits::new(Duration::from_secs(5), Duration::from_secs(60));
        let start = Instant::now();
        let pieces: Vec<_> = limits.of(Box::pin(silent)).collect().await;
        assert_eq!(pieces.len(), 2);
        assert!(pieces.last().unwrap().is_err() && start.elapsed() < Duration::from_secs(6));
    }
}
