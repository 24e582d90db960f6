//! One's own account.

use crate::{
    App,
    body::ApiJson,
    envelope::{Envelope, ok},
    error::ApiError,
    extract::{AnySession, ClientAddress, Session},
    models::ModelObject,
    wire::{
        present,
        user::{LoginDto, UserDto},
    },
};
use axum::{Extension, extract::State};
use gateway_app::manage::accounts::{AccountChange, Registration};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Somebody who wants an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegisterRequest {
    /// 3 to 32 characters: letters, digits, and . _ - @
    #[schema(min_length = 3, max_length = 32, pattern = "^[A-Za-z0-9._@-]+$")]
    username: String,
    /// 6 to 128 bytes.
    #[schema(max_length = 128)]
    password: String,
    #[serde(default)]
    email: Option<String>,
}

/// A new account.
#[derive(Serialize, ToSchema)]
pub(crate) struct Registered {
    user_id: i64,
}

/// Name and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginRequest {
    username: String,
    password: String,
}

/// A change of one's own account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountRequest {
    #[serde(default)]
    display_name: Option<String>,
    /// `null` removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    email: Option<Option<String>>,
    /// A new password; it ends every other login.
    #[serde(default)]
    password: Option<String>,
    /// Needed for a new password.
    #[serde(default)]
    current_password: Option<String>,
}

/// Make an account
#[utoipa::path(post, path = "/api/user/register", tag = "public", request_body = RegisterRequest,
    responses((status = 200, body = Envelope<Registered>), (status = 400), (status = 403), (status = 409)))]
pub(crate) async fn register(
    State(app): State<App>,
    ApiJson(request): ApiJson<RegisterRequest>,
) -> Result<Envelope<Registered>, ApiError> {
    let registration = Registration {
        username: request.username,
        password: request.password,
        email: request.email.filter(|email| !email.is_empty()),
    };
    let id = app.gateway.register(registration).await?;
    Ok(ok(Registered { user_id: id.0 }))
}

/// Log in
#[utoipa::path(post, path = "/api/user/login", tag = "public", request_body = LoginRequest,
    responses((status = 200, body = Envelope<LoginDto>), (status = 400), (status = 401), (status = 429)))]
pub(crate) async fn login(
    State(app): State<App>,
    address: Option<Extension<ClientAddress>>,
    ApiJson(request): ApiJson<LoginRequest>,
) -> Result<Envelope<LoginDto>, ApiError> {
    let address = address.map(|Extension(address)| address.0);
    let login = app.gateway.login(&request.username, request.password, address).await?;
    Ok(ok(LoginDto::new(&login)))
}

/// One's own account
#[utoipa::path(get, path = "/api/user/self", tag = "account", security(("login" = [])),
    responses((status = 200, body = Envelope<UserDto>), (status = 401), (status = 403)))]
pub(crate) async fn me(Session { user, .. }: Session) -> Envelope<UserDto> {
    ok(UserDto::new(&user))
}

/// Change one's own account; the answer has a new token
#[utoipa::path(put, path = "/api/user/self", tag = "account", security(("login" = [])), request_body = AccountRequest,
    responses((status = 200, body = Envelope<LoginDto>), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn change_me(
    State(app): State<App>,
    AnySession { user, context }: AnySession,
    ApiJson(request): ApiJson<AccountRequest>,
) -> Result<Envelope<LoginDto>, ApiError> {
    let change = AccountChange {
        display_name: request.display_name,
        email: request.email.map(|email| email.filter(|email| !email.is_empty())),
        password: request.password,
        current_password: request.current_password,
    };
    let login = app.gateway.change_account(&user, change, &context).await?;
    Ok(ok(LoginDto::new(&login)))
}

/// The models that one can call
#[utoipa::path(get, path = "/api/user/self/models", tag = "account", security(("login" = [])),
    responses((status = 200, body = Envelope<Vec<ModelObject>>), (status = 401)))]
pub(crate) async fn my_models(
    State(app): State<App>,
    _: Session,
) -> Result<Envelope<Vec<ModelObject>>, ApiError> {
    let models = app.gateway.all_models().await?;
    Ok(ok(models.into_iter().map(ModelObject::from).collect()))
}
