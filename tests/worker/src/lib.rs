//! A Worker for tests only: the whole gateway, routes that panic, and the contract suite of the
//! ports on D1. It is never deployed, and the Worker that is has none of this.

mod contract;
mod panics;

use adapter_worker::Extras;
use worker::{Context, Env, ScheduleContext, ScheduledEvent, event};

const EXTRAS: Extras = Extras { providers: panics::providers, routes: panics::routes };

#[event(fetch)]
async fn fetch(
    request: web_sys::Request,
    env: Env,
    context: Context,
) -> worker::Result<web_sys::Response> {
    let url = worker::Url::parse(&request.url())?;
    if let Some(case) = url.path().strip_prefix("/__test/contract") {
        return contract::run(case.trim_start_matches('/'), url.query(), &env).await;
    }
    if url.path() == "/__test/life" {
        return contract::live(request, url.query(), &env).await;
    }
    adapter_worker::serve(request, &env, context, &EXTRAS).await
}

#[event(scheduled)]
async fn scheduled(_: ScheduledEvent, env: Env, context: ScheduleContext) {
    adapter_worker::scheduled(&env, context, &EXTRAS).await;
}
