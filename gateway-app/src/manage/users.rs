//! Other people's accounts, for admins: those below one's own rank.

use crate::{ErrorKind, Gateway, GatewayError};
use gateway_domain::{Role, User, UserId};
use gateway_ports::{BalanceChange, BalanceChanged, Page, UserChange};

/// What an admin may change of another user.
#[derive(Clone, Debug, Default)]
pub struct UserRequest {
    /// The name for people.
    pub display_name: Option<String>,
    /// What the user may do.
    pub role: Option<Role>,
    /// Whether the user may log in and spend.
    pub enabled: Option<bool>,
    /// The balance.
    pub balance: Option<BalanceChange>,
}

impl Gateway {
    /// The users that an admin may see.
    pub async fn users(&self, admin: &User, page: Page) -> Result<Vec<User>, GatewayError> {
        Ok(self.0.store.users.list(ceiling(admin), page).await?)
    }

    /// A user that an admin may see.
    pub async fn user(&self, admin: &User, id: UserId) -> Result<User, GatewayError> {
        let user = self.0.store.users.find(id).await?.ok_or_else(GatewayError::not_found)?;
        if ceiling(admin).is_some_and(|below| user.role >= below) {
            return Err(GatewayError::not_found());
        }
        Ok(user)
    }

    /// Changes a user. Nobody changes their own role or status, so the last root stays.
    pub async fn update_user(
        &self,
        admin: &User,
        id: UserId,
        request: UserRequest,
    ) -> Result<User, GatewayError> {
        let user = self.user(admin, id).await?;
        let itself = user.id == admin.id;
        let too_high =
            request.role.is_some_and(|role| ceiling(admin).is_some_and(|below| role >= below));
        if too_high || (itself && (request.role.is_some() || request.enabled.is_some())) {
            return Err(GatewayError::forbidden());
        }
        if let Some(name) = &request.display_name {
            super::check_name(name, "display_name")?;
        }
        if let Some(balance) = request.balance {
            match self.0.store.ledger.change_balance(id, balance).await? {
                BalanceChanged::Changed => {}
                BalanceChanged::NotFound => return Err(GatewayError::not_found()),
                BalanceChanged::OutOfRange => {
                    return Err(GatewayError::new(
                        ErrorKind::Conflict,
                        "quota_out_of_range",
                        "calls in flight hold more than that, or it is more than can be kept",
                    ));
                }
            }
        }
        let change = UserChange {
            display_name: request.display_name,
            role: request.role,
            enabled: request.enabled,
            // A login that was given under another role or before a disable must not live on.
            end_sessions: request.role.is_some_and(|role| role != user.role)
                || request.enabled == Some(false),
            ..UserChange::default()
        };
        self.0.store.users.update(id, &change).await?;
        self.user(admin, id).await
    }
}

/// The rank that an admin's eyes end at; root sees everyone.
fn ceiling(admin: &User) -> Option<Role> {
    (admin.role < Role::Root).then_some(admin.role)
}
