//! Users on the wire.

use gateway_app::{GatewayError, manage::accounts::Login, manage::users::UserRequest};
use gateway_domain::{Credits, LimitsChange, Role, User};
use gateway_ports::BalanceChange;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use std::fmt;
use utoipa::ToSchema;

/// A user.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserDto {
    id: i64,
    username: String,
    display_name: String,
    email: Option<String>,
    /// 1 user, 10 admin, 100 root.
    role: i64,
    /// 0 disabled, 1 enabled.
    status: i64,
    /// What is left, in units; 500,000 are one US dollar.
    quota: u64,
    /// What was charged, in units.
    used_quota: u64,
    request_count: u64,
    /// Calls in any minute with all keys together; 0: no limit.
    rpm_limit: u64,
    /// Tokens in any minute with all keys together; 0: no limit.
    tpm_limit: u64,
    /// Calls at once with all keys together; 0: no limit.
    concurrency_limit: u64,
    created_at: String,
}

impl UserDto {
    pub(crate) fn new(user: &User) -> Self {
        Self {
            id: user.id.0,
            username: user.username.clone(),
            display_name: user.display_name.clone(),
            email: user.email.clone(),
            role: user.role.code(),
            status: i64::from(user.enabled),
            quota: user.balance().units(),
            used_quota: user.spent.units(),
            request_count: user.request_count,
            rpm_limit: user.limits.rpm,
            tpm_limit: user.limits.tpm,
            concurrency_limit: user.limits.concurrency,
            created_at: user.created_at.to_rfc3339(),
        }
    }
}

/// A user who has just logged in.
#[derive(Serialize, ToSchema)]
pub(crate) struct LoginDto {
    #[serde(flatten)]
    user: UserDto,
    /// Goes into `Authorization: Bearer`.
    token: String,
    /// True: nothing works before the password is changed.
    password_change_required: bool,
}

impl LoginDto {
    pub(crate) fn new(login: &Login) -> Self {
        Self {
            user: UserDto::new(&login.user),
            token: login.token.clone(),
            password_change_required: login.user.must_change_password,
        }
    }
}

/// A change of somebody else's account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserUpdate {
    #[serde(default)]
    display_name: Option<String>,
    /// 1 user, 10 admin, 100 root; below one's own.
    #[serde(default)]
    role: Option<i64>,
    /// 0 disabled, 1 enabled.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1)]
    status: Option<i64>,
    /// A balance, or `{"grant": n}` for so much more; with an `id` of the caller's own, such as
    /// `{"grant": n, "id": "invoice-7"}`, it is granted once however often it is asked for.
    #[serde(default)]
    #[schema(value_type = Option<serde_json::Value>)]
    quota: Option<QuotaChange>,
    /// Calls in any minute with all keys together; 0: no limit.
    #[serde(default)]
    #[schema(maximum = 1_000_000_000)]
    rpm_limit: Option<u64>,
    /// Tokens in any minute with all keys together; 0: no limit.
    #[serde(default)]
    #[schema(maximum = 1_000_000_000)]
    tpm_limit: Option<u64>,
    /// Calls at once with all keys together; 0: no limit.
    #[serde(default)]
    #[schema(maximum = 1_000_000_000)]
    concurrency_limit: Option<u64>,
}

/// A balance: all that is left, or so much more.
pub(crate) enum QuotaChange {
    /// Exactly so much is left.
    Set(u64),
    /// So much more.
    Grant(Grant),
}

/// A number or an object, and nothing else: serde would also take an array for the object.
impl<'de> Deserialize<'de> for QuotaChange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = QuotaChange;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or {\"grant\": a whole number, \"id\": a text}")
            }
            fn visit_u64<E>(self, units: u64) -> Result<QuotaChange, E> {
                Ok(QuotaChange::Set(units))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<QuotaChange, A::Error> {
                Grant::deserialize(MapAccessDeserializer::new(map)).map(QuotaChange::Grant)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// So much more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Grant {
    grant: u64,
    #[serde(default)]
    id: Option<String>,
}

impl UserUpdate {
    pub(crate) fn try_into_domain(self) -> Result<UserRequest, GatewayError> {
        let role = match self.role {
            None => None,
            Some(code) => Some(Role::from_code(code).ok_or_else(|| {
                GatewayError::invalid("role is 1 (user), 10 (admin) or 100 (root)").about("role")
            })?),
        };
        let credits = |units| {
            Credits::new(units)
                .ok_or_else(|| GatewayError::invalid("quota is at most 2^53-1").about("quota"))
        };
        let (balance, grant_id) = match self.quota {
            None => (None, None),
            Some(QuotaChange::Set(units)) => (Some(BalanceChange::Set(credits(units)?)), None),
            Some(QuotaChange::Grant(Grant { grant, id })) => {
                (Some(BalanceChange::Grant(credits(grant)?)), id)
            }
        };
        Ok(UserRequest {
            display_name: self.display_name,
            role,
            enabled: super::enabled(self.status)?,
            limits: LimitsChange {
                rpm: self.rpm_limit,
                tpm: self.tpm_limit,
                concurrency: self.concurrency_limit,
            },
            balance,
            grant_id,
        })
    }
}
