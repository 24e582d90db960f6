//! The ports' contract and the model of the ledger on D1: the same cases as on every other store. `/__test/contract` lists
//! them, `/__test/contract/<name>?db=<binding>` runs one, on an empty database of its own.
//! `/__test/life?db=<binding>` takes a life as JSON and lives it.

use adapter_worker::isolate;
use futures_util::FutureExt;
use gateway_ports::{Store, contract};
use std::{cell::RefCell, panic::AssertUnwindSafe};
use worker::{Env, Response};

thread_local! {
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

pub(crate) async fn live(
    request: web_sys::Request,
    query: Option<&str>,
    env: &Env,
) -> worker::Result<web_sys::Response> {
    let steps: Vec<contract::model::Step> = worker::Request::from(request).json().await?;
    Ok(match contract::model::run(&store(query, env)?, &steps).await {
        Ok(()) => Response::ok("lived")?,
        Err(why) => Response::error(why, 500)?,
    }
    .into())
}

fn store(query: Option<&str>, env: &Env) -> worker::Result<Store> {
    let database = query.and_then(|query| query.strip_prefix("db=")).unwrap_or("DB");
    Ok(isolate::store(env.d1(database)?))
}

pub(crate) async fn run(
    name: &str,
    query: Option<&str>,
    env: &Env,
) -> worker::Result<web_sys::Response> {
    if name.is_empty() {
        let names: Vec<&str> = contract::CASES.iter().map(|case| case.name).collect();
        return Ok(Response::from_json(&names)?.into());
    }
    let Some(case) = contract::CASES.iter().find(|case| case.name == name) else {
        return Ok(Response::error("no such case", 404)?.into());
    };
    let store = store(query, env)?;
    std::panic::set_hook(Box::new(|panic| SAID.set(panic.to_string())));
    let outcome = AssertUnwindSafe((case.run)(&store)).catch_unwind().await;
    Ok(match outcome {
        Ok(()) => Response::ok("passed")?,
        Err(_) => Response::error(SAID.take(), 500)?,
    }
    .into())
}
