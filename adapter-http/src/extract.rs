//! Who is calling, and about what.

use crate::{
    App,
    error::{ApiError, OpenAiError},
    wire::Whole,
};
use axum::extract::{FromRequestParts, Path, Query};
use gateway_app::{ErrorKind, GatewayError, RequestContext};
use gateway_domain::{RequestId, Role, Timestamp, User};
use gateway_ports::{Page, Principal};
use http::{HeaderMap, header::AUTHORIZATION, request::Parts};
use serde::{Deserialize, de::DeserializeOwned};
use std::{net::IpAddr, sync::Arc};
use utoipa::IntoParams;

/// The caller's address, as the runtime knows it. Whoever serves the router puts it into every
/// request's extensions; without it, keys that are bound to a network are refused.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

/// What the pipeline knows of every request.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) request_id: RequestId,
    pub(crate) started: Timestamp,
}

/// A caller with an API key.
pub(crate) struct Caller {
    pub(crate) principal: Arc<Principal>,
    pub(crate) context: RequestContext,
}

impl FromRequestParts<App> for Caller {
    type Rejection = OpenAiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, OpenAiError> {
        let idempotency_key = idempotency_key(&parts.headers)?;
        let context = RequestContext { idempotency_key, ..context(parts, app) };
        let key = api_key(&parts.headers)?;
        let principal = app.gateway.authenticate_key(key, &context).await?;
        Ok(Self { principal, context })
    }
}

/// What is known of a request besides its body.
fn context(parts: &Parts, app: &App) -> RequestContext {
    let arrival = parts.extensions.get::<Arrival>().cloned();
    let Arrival { request_id, started } = arrival.unwrap_or_else(|| Arrival {
        request_id: app.gateway.new_request_id(),
        started: app.gateway.now(),
    });
    RequestContext { request_id, address: address(parts), started, idempotency_key: None }
}

pub(crate) fn address(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ClientAddress>().map(|address| address.0)
}

/// The key, from `Authorization: Bearer` or else from `x-api-key` or `api-key`.
fn api_key(headers: &HeaderMap) -> Result<&str, GatewayError> {
    if let Some(token) = bearer(headers)? {
        return token.ok_or_else(GatewayError::invalid_api_key);
    }
    for name in ["x-api-key", "api-key"] {
        if let Some(value) = headers.get(name) {
            return value.to_str().map_err(|_| GatewayError::invalid_api_key());
        }
    }
    Err(GatewayError::new(ErrorKind::Unauthenticated, "missing_api_key", "an API key is required"))
}

/// The bearer token: `None` without the header, `Some(None)` if it holds something else.
fn bearer(headers: &HeaderMap) -> Result<Option<Option<&str>>, GatewayError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    // Two of them may come as one, with a comma between: no token has one.
    if values.next().is_some() || value.as_bytes().contains(&b',') {
        return Err(GatewayError::new(
            ErrorKind::Invalid,
            "ambiguous_credentials",
            "more than one Authorization header",
        ));
    }
    let token = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    Ok(Some(token.filter(|token| !token.is_empty())))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, GatewayError> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(key) if (1..=255).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => Err(GatewayError::invalid("Idempotency-Key has 1 to 255 plain characters")),
    }
}

/// Somebody who is logged in.
pub(crate) struct Session {
    pub(crate) user: User,
    pub(crate) context: RequestContext,
}

/// Somebody who is logged in, and may have to change the password first.
pub(crate) struct AnySession {
    pub(crate) user: User,
    pub(crate) context: RequestContext,
}

/// An admin who is logged in.
pub(crate) struct Admin {
    pub(crate) user: User,
    pub(crate) context: RequestContext,
}

/// Somebody of the highest role who is logged in.
pub(crate) struct Root {
    pub(crate) user: User,
    pub(crate) context: RequestContext,
}

fn session_token(headers: &HeaderMap) -> Result<&str, GatewayError> {
    match bearer(headers)? {
        None => Err(GatewayError::new(ErrorKind::Unauthenticated, "missing_token", "log in first")),
        Some(None) => Err(GatewayError::new(
            ErrorKind::Unauthenticated,
            "invalid_token",
            "the login is not valid",
        )),
        Some(Some(token)) => Ok(token),
    }
}

impl FromRequestParts<App> for Session {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let user = app.gateway.authenticate_session(session_token(&parts.headers)?).await?;
        Ok(Self { user, context: context(parts, app) })
    }
}

impl FromRequestParts<App> for AnySession {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let user = app.gateway.session_user(session_token(&parts.headers)?).await?;
        Ok(Self { user, context: context(parts, app) })
    }
}

impl FromRequestParts<App> for Admin {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let token = session_token(&parts.headers)?;
        let user = app.gateway.authenticate_role(token, Role::Admin).await?;
        Ok(Self { user, context: context(parts, app) })
    }
}

impl FromRequestParts<App> for Root {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let token = session_token(&parts.headers)?;
        let user = app.gateway.authenticate_role(token, Role::Root).await?;
        Ok(Self { user, context: context(parts, app) })
    }
}

/// The number in a path. What is no number names nothing.
pub(crate) struct Id(pub(crate) i64);

impl FromRequestParts<App> for Id {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, app)
            .await
            .map_err(|_| GatewayError::not_found())?;
        let plain = text.bytes().all(|b| b.is_ascii_digit());
        let id = text.parse().ok().filter(|_| plain).and_then(Whole::new);
        Ok(Self(id.ok_or_else(GatewayError::not_found)?.0))
    }
}

/// A query string. Parameters that a route does not know are refused, as unknown fields are: a filter
/// with a slip in its name must not pass for no filter.
pub(crate) struct ApiQuery<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for ApiQuery<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let Query(query) = Query::try_from_uri(&parts.uri)
            .map_err(|error| GatewayError::invalid(format!("the query: {}", error.body_text())))?;
        Ok(Self(query))
    }
}

/// Which part of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// The page, from 0.
    #[param(value_type = Option<u64>)]
    p: Option<Whole>,
    /// Entries on a page: 50, at most 200.
    #[param(value_type = Option<u64>)]
    page_size: Option<Whole>,
    /// Entries to return: 50, at most 200.
    #[param(value_type = Option<u64>)]
    limit: Option<Whole>,
    /// Entries to leave out.
    #[param(value_type = Option<u64>)]
    offset: Option<Whole>,
}

/// The most entries of one answer.
const MOST_ENTRIES: u64 = 200;
/// The entries of one answer if nobody says.
const SOME_ENTRIES: u64 = 50;

/// How many entries an answer has, if somebody asks for so many under either name.
pub(crate) fn entries(limit: Option<Whole>, page_size: Option<Whole>) -> u64 {
    limit.or(page_size).map_or(SOME_ENTRIES, Whole::count).clamp(1, MOST_ENTRIES)
}

impl PageQuery {
    pub(crate) fn page(&self) -> Page {
        let limit = entries(self.limit, self.page_size);
        let page = || self.p.map_or(0, Whole::count).saturating_mul(limit);
        let offset = self.offset.map_or_else(page, Whole::count);
        // Beyond what any store can count there is nothing either.
        Page { offset: offset.min(1 << 50), limit }
    }
}
