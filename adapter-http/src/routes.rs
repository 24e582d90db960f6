//! Every route, with its documentation.

use crate::{
    App, HttpOptions, accounts, admin, chat, embeddings,
    error::{ApiError, OpenAiError},
    explain, info, logs, metrics, models, pipeline, tokens,
};
use axum::{
    Router,
    extract::{Request, State},
    middleware,
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use gateway_app::{ErrorKind, Gateway, GatewayError};
use http::{Uri, header::CONTENT_TYPE};
use std::sync::Arc;
use tower::ServiceExt;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The document as `examples/openapi.rs` wrote it: a runtime links none of what makes it.
const DOCUMENT: &str = include_str!("../openapi.json");

/// A route is named here and nowhere else. What serves it and what documents it are two functions,
/// because a runtime needs only the first.
macro_rules! api {
    ($($path:literal => { $($method:ident: $($handler:ident)::+),+ })+) => {
        fn served() -> Router<App> {
            Router::new()
                $(.route($path, MethodRouter::new()$(.$method($($handler)::+))+))+
        }

        /// The same routes, as their handlers document themselves.
        pub(crate) fn documented() -> OpenApiRouter<App> {
            OpenApiRouter::new()$(.routes(routes!($($($handler)::+),+)))+
        }

        #[cfg(test)]
        const TABLE: &[(&str, &[&str])] = &[$(($path, &[$(stringify!($method)),+])),+];
    };
}

api! {
    "/" => { get: info::service }
    "/health" => { get: info::health }
    "/ready" => { get: info::ready }
    "/api/user/register" => { post: accounts::register }
    "/api/user/login" => { post: accounts::login }
    "/api/user/self" => { get: accounts::me, put: accounts::change_me }
    "/api/user/self/models" => { get: accounts::my_models }
    "/api/token" => { get: tokens::list, post: tokens::create }
    "/api/token/{id}" => { get: tokens::show, put: tokens::update, delete: tokens::remove }
    "/api/explain" => { post: explain::explain }
    "/api/log/self" => { get: logs::own }
    "/api/log/self/stat" => { get: logs::own_sums }
    "/api/log" => { get: admin::logs::all }
    "/api/log/stat" => { get: admin::logs::all_sums }
    "/api/channel/types/list" => { get: admin::channels::types }
    "/api/channel" => { get: admin::channels::list, post: admin::channels::create }
    "/api/channel/{id}" => { get: admin::channels::show, put: admin::channels::update, delete: admin::channels::remove }
    "/api/channel/{id}/test" => { post: admin::channels::test }
    "/api/user" => { get: admin::users::list }
    "/api/user/{id}" => { get: admin::users::show, put: admin::users::update }
    "/api/price" => { get: admin::prices::show, put: admin::prices::replace }
    "/api/option" => { get: admin::options::show, put: admin::options::update }
    "/api/rekey" => { post: admin::rekey::rekey }
    "/api/audit" => { get: admin::audit::list }
    "/v1/models" => { get: models::list }
    "/v1/models/{*id}" => { get: models::show }
    "/v1/chat/completions" => { post: chat::complete }
    "/v1/embeddings" => { post: embeddings::embed }
}

/// The whole API as a router.
pub fn router(gateway: Gateway, options: HttpOptions) -> Router {
    let cors = pipeline::cors(&options.allowed_origins);
    let app = App { gateway, options: Arc::new(options) };
    let mut routes = served().route("/openapi.json", get(document));
    // Not in the document, because not every runtime has it.
    if app.options.metrics.is_some() {
        routes = routes.route("/metrics", get(metrics::for_admins));
    }
    let routes = routes.method_not_allowed_fallback(wrong_method).with_state(app.clone());
    let with_slash = routes.clone().fallback(unknown);
    routes
        .fallback(move |request: Request| without_slash(with_slash, request))
        .layer(cors)
        .layer(middleware::from_fn_with_state(app, pipeline::arrive))
}

async fn document() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT)
}

/// A path with a slash at its end means the one without.
async fn without_slash(routes: Router, mut request: Request) -> Response {
    let path = request.uri().path();
    let trimmed = path.trim_end_matches('/');
    if trimmed.len() == path.len() || trimmed.is_empty() {
        return unknown(request.uri().clone()).await;
    }
    let target = match request.uri().query() {
        Some(query) => format!("{trimmed}?{query}"),
        None => trimmed.to_owned(),
    };
    match target.parse() {
        Ok(uri) => *request.uri_mut() = uri,
        Err(_) => return unknown(request.uri().clone()).await,
    }
    match routes.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

async fn unknown(uri: Uri) -> Response {
    let error = GatewayError::new(ErrorKind::NotFound, "not_found", "there is no such route");
    error_response(uri.path(), error)
}

async fn wrong_method(State(_): State<App>, uri: Uri) -> Response {
    let error = GatewayError::new(
        ErrorKind::Invalid,
        "method_not_allowed",
        "this route does not take this method",
    );
    error_response(uri.path(), error)
}

/// An error in the shape that its route has: `OpenAI`'s below `/v1`, the envelope elsewhere.
pub fn error_response(path: &str, error: GatewayError) -> Response {
    if path.starts_with("/v1") {
        OpenAiError(error).into_response()
    } else {
        ApiError(error).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi;
    use serde_json::Value;
    use std::collections::BTreeSet;

    #[test]
    fn the_served_document_is_what_the_handlers_say() {
        let served: Value = serde_json::from_str(DOCUMENT).unwrap();
        assert!(
            served == openapi(),
            "adapter-http/openapi.json is not up to date: it is written by \
             `cargo run -q -p adapter-http --example openapi -- adapter-http/openapi.json`"
        );
    }

    #[test]
    fn what_is_served_is_what_is_documented() {
        let openapi = openapi();
        let mut documented = BTreeSet::new();
        for (path, methods) in openapi["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                documented.insert((path.clone(), method.clone()));
            }
        }
        let table = TABLE.iter().flat_map(|(path, methods)| {
            // To callers a parameter that takes the rest of the path is one like the others.
            methods.iter().map(|method| (path.replace("{*", "{"), (*method).to_owned()))
        });
        assert_eq!(table.collect::<BTreeSet<_>>(), documented);
    }
}
