//! A server of one's own, in this process.

use std::error::Error;

use anyhow::Result;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

type Cause = Box<dyn Error + Send + Sync>;

/// Answers whoever connects, until it is dropped.
pub(crate) async fn serve<F, R, B, E>(listener: TcpListener, answer: F) -> Result<()>
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
    R: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Cause>,
    E: Into<Cause>,
{
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answer = answer.clone();
        tokio::spawn(async move {
            let connection =
                http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
            // A peer that goes away ends its connection, and that is all.
            let _ = connection.await;
        });
    }
}
