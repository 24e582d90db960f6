//! The way of a request through a Worker.
//!
//! The whole of it runs as a task that the event is kept alive for, because the runtime forgets a
//! handler, without dropping it, when the client leaves. Here a client that leaves drops the call,
//! and a call that is dropped is settled.

use crate::{
    convert,
    event::Event,
    gone::Gone,
    isolate::{Extras, Isolate, Unusable},
    pump::{End, pipe, pump},
    runtime::DelayTimer,
};
use axum::{body::Body, response::Response};
use futures_channel::oneshot;
use futures_util::{
    FutureExt,
    future::{Either, select},
};
use gateway_app::{ErrorKind, GatewayError};
use gateway_ports::Timer;
use http_body::Body as _;
use http_body_util::BodyExt;
use std::{panic::AssertUnwindSafe, pin::pin, rc::Rc, time::Duration};
use tower::ServiceExt;
use worker::{Context, Env, ScheduleContext};

/// Answers a request.
///
/// # Errors
/// When the runtime refuses the answer.
pub async fn serve(
    request: web_sys::Request,
    env: &Env,
    context: Context,
    extras: &Extras,
) -> worker::Result<web_sys::Response> {
    let event = Event::Fetch(Rc::new(context));
    let isolate = Isolate::of(env, extras);
    let path = convert::path(&request);
    let (reply, answer) = oneshot::channel();
    event.wait_until(async move {
        // A panic ends this request only.
        let answered = AssertUnwindSafe(answer_request(&request, isolate, reply)).catch_unwind();
        if answered.await.is_err() {
            tracing::error!("a request panicked");
        }
    });
    answer.await.unwrap_or_else(|_| {
        let error = GatewayError::new(
            ErrorKind::Internal,
            "internal_error",
            "the gateway made a mistake: the request was not completed",
        );
        let (head, body) = adapter_http::error_response(&path, error).into_parts();
        let body = body.collect().now_or_never().and_then(Result::ok);
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        convert::whole(head.status, &head.headers, &body)
    })
}

/// Does what has to be done from time to time.
pub async fn scheduled(env: &Env, context: ScheduleContext, extras: &Extras) {
    let event = Event::Scheduled(Rc::new(context));
    match Isolate::of(env, extras) {
        Ok(isolate) => {
            let work = async move {
                isolate.gateway().close_expired_calls().await;
                isolate.gateway().shorten_log().await;
            };
            event.run(work).await;
        }
        Err(unusable) => worker::console_error!("this Worker cannot work: {unusable}"),
    }
}

/// How long the rest of a request that was answered early is waited for.
const PATIENCE: Duration = Duration::from_millis(200);

type Reply = oneshot::Sender<worker::Result<web_sys::Response>>;

async fn answer_request(
    request: &web_sys::Request,
    isolate: Result<Rc<Isolate>, Unusable>,
    reply: Reply,
) {
    let mut gone = Gone::listen(request.signal());
    let response = {
        let routed = pin!(route(request, &isolate));
        match select(routed, &mut gone).await {
            Either::Left((response, _)) => response,
            // Nobody waits for an answer; dropping the call settles it.
            Either::Right(((), _)) => return,
        }
    };
    // Its rest has a moment; a client that is slow with it loses its connection, and nothing else.
    select(pin!(convert::read_to_end(request)), DelayTimer.sleep(PATIENCE)).await;
    let (head, body) = response.into_parts();
    if body.size_hint().exact().is_some() {
        // It is here already: nothing is waited for.
        let bytes = body.collect().await.map(http_body_util::Collected::to_bytes);
        let bytes = bytes.unwrap_or_default();
        let _ = reply.send(convert::whole(head.status, &head.headers, &bytes));
        return;
    }
    let (client, pieces) = pipe();
    let _ = reply.send(convert::streamed(head.status, &head.headers, pieces));
    let patience = isolate.map(|isolate| isolate.client_timeout()).unwrap_or_default();
    let end = pump(body, client, &mut gone, &DelayTimer, patience).await;
    if end != End::Delivered {
        tracing::debug!(?end, "a stream did not reach its client");
    }
}

async fn route(request: &web_sys::Request, isolate: &Result<Rc<Isolate>, Unusable>) -> Response {
    let path = convert::path(request);
    let isolate = match isolate {
        Ok(isolate) => isolate,
        Err(unusable) => return misconfigured(&path, unusable),
    };
    let ready = match convert::request(request) {
        Ok(request) => isolate.prepare(&path).await.map(|()| request),
        Err(error) => Err(error),
    };
    match ready {
        Ok(request) => match isolate.router().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
        Err(error) => adapter_http::error_response(&path, error),
    }
}

/// The operator is told what to change; nobody else can.
fn misconfigured(path: &str, unusable: &Unusable) -> Response<Body> {
    worker::console_error!("this Worker cannot serve: {unusable}");
    let error = GatewayError::new(
        ErrorKind::Unavailable,
        "misconfigured",
        "this gateway is not configured yet: its log says what is missing",
    );
    adapter_http::error_response(path, error)
}
