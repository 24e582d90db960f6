//! Every route, with its documentation.

use crate::{
    App, HttpOptions, accounts, admin, chat, document, embeddings,
    error::{ApiError, OpenAiError},
    explain, info, logs, models, pipeline, tokens,
};
use axum::{
    Json, Router,
    extract::{Request, State},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use gateway_app::{ErrorKind, Gateway, GatewayError};
use http::Uri;
use serde_json::Value;
use std::sync::Arc;
use tower::ServiceExt;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};

#[derive(OpenApi)]
#[openapi(
    info(title = "Gateway", description = "An LLM API gateway: one OpenAI API, accounts and quota in front of many providers", license(name = "MIT")),
    modifiers(&Credentials)
)]
struct Document;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let components = api.components.get_or_insert_with(Default::default);
        for name in ["login", "api_key"] {
            let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
            components.add_security_scheme(name, scheme);
        }
    }
}

fn documented() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(info::service))
        .routes(routes!(info::health))
        .routes(routes!(info::ready))
        .routes(routes!(accounts::register))
        .routes(routes!(accounts::login))
        .routes(routes!(accounts::me, accounts::change_me))
        .routes(routes!(accounts::my_models))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::show, tokens::update, tokens::remove))
        .routes(routes!(explain::explain))
        .routes(routes!(logs::own))
        .routes(routes!(logs::own_sums))
        .routes(routes!(admin::logs::all))
        .routes(routes!(admin::logs::all_sums))
        .routes(routes!(admin::channels::types))
        .routes(routes!(admin::channels::list, admin::channels::create))
        .routes(routes!(admin::channels::show, admin::channels::update, admin::channels::remove))
        .routes(routes!(admin::channels::test))
        .routes(routes!(admin::users::list))
        .routes(routes!(admin::users::show, admin::users::update))
        .routes(routes!(admin::prices::show, admin::prices::replace))
        .routes(routes!(admin::options::show, admin::options::update))
        .routes(routes!(admin::audit::list))
        .routes(routes!(models::list))
        .routes(routes!(models::show))
        .routes(routes!(chat::complete))
        .routes(routes!(embeddings::embed))
}

/// The OpenAPI document, made from the handlers.
pub fn openapi() -> Value {
    document::finish(&documented().into_openapi())
}

/// The whole API as a router.
pub fn router(gateway: Gateway, options: HttpOptions) -> Router {
    let cors = pipeline::cors(&options.allowed_origins);
    let app = App { gateway, options: Arc::new(options) };
    let (routes, document) = documented().split_for_parts();
    let document = Arc::new(document::finish(&document));
    let routes = routes
        .route("/openapi.json", get(move || std::future::ready(Json(document.clone()))))
        .method_not_allowed_fallback(wrong_method)
        .with_state(app.clone());
    let with_slash = routes.clone().fallback(unknown);
    routes
        .fallback(move |request: Request| without_slash(with_slash, request))
        .layer(cors)
        .layer(middleware::from_fn_with_state(app, pipeline::arrive))
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
