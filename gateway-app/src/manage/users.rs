//! Other people's accounts, for admins: those below one's own rank.

use super::audit::Detail;
use crate::{ErrorKind, Gateway, GatewayError, RequestContext};
use gateway_domain::{LimitsChange, Role, User, UserId};
use gateway_ports::{AuditAction, BalanceChange, BalanceChanged, Grant, Page, UserChange};

/// What an admin may change of another user.
#[derive(Clone, Debug, Default)]
pub struct UserRequest {
    /// The name for people.
    pub display_name: Option<String>,
    /// What the user may do.
    pub role: Option<Role>,
    /// Whether the user may log in and spend.
    pub enabled: Option<bool>,
    /// How much may be asked for with all keys together.
    pub limits: LimitsChange,
    /// The balance.
    pub balance: Option<BalanceChange>,
    /// The caller's own id of the change of balance: whoever repeats it changes it once.
    pub grant_id: Option<String>,
}

/// The longest id that a caller may give to a change of balance.
const MOST_GRANT_ID: usize = 128;

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
        context: &RequestContext,
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
        super::check_limits(&request.limits)?;
        if let Some(balance) = request.balance {
            self.change_balance(admin, id, balance, request.grant_id, context).await?;
        }
        let change = UserChange {
            display_name: request.display_name,
            role: request.role,
            enabled: request.enabled,
            limits: request.limits,
            // A login that was given under another role or before a disable must not live on.
            end_sessions: request.role.is_some_and(|role| role != user.role)
                || request.enabled == Some(false),
            ..UserChange::default()
        };
        self.store_user_change(admin, id, &change, context).await?;
        self.user(admin, id).await
    }

    /// Changes an account, one's own or another's; without a change nothing happens.
    pub(super) async fn store_user_change(
        &self,
        actor: &User,
        id: UserId,
        change: &UserChange,
        context: &RequestContext,
    ) -> Result<(), GatewayError> {
        if *change == UserChange::default() {
            return Ok(());
        }
        let detail = Detail::default()
            .with("display_name", change.display_name.as_ref())
            .with("email", change.email.as_ref())
            .secret("password", change.password_hash.as_ref())
            .with("role", change.role.map(Role::code))
            .with("status", change.enabled.map(u8::from))
            .limits(&change.limits);
        let entry = context.entry(actor, AuditAction::UserUpdate, detail);
        self.0.store.users.update(id, change, &entry).await?;
        Ok(())
    }

    async fn change_balance(
        &self,
        admin: &User,
        user_id: UserId,
        change: BalanceChange,
        id: Option<String>,
        context: &RequestContext,
    ) -> Result<(), GatewayError> {
        let fits = |id: &String| (1..=MOST_GRANT_ID).contains(&id.len());
        if id.as_ref().is_some_and(|id| !fits(id) || id.chars().any(char::is_control)) {
            let message = format!("a grant's id has 1 to {MOST_GRANT_ID} plain characters");
            return Err(GatewayError::invalid(message).about("quota.id"));
        }
        let detail = match change {
            BalanceChange::Grant(amount) => Detail::default().with("grant", Some(amount)),
            BalanceChange::Set(amount) => Detail::default().with("quota", Some(amount)),
        };
        let detail = detail.with("grant_id", id.as_ref());
        let entry = context.entry(admin, AuditAction::UserBalance, detail);
        // Ids of callers and of the gateway cannot meet.
        let id = match id {
            Some(id) => format!("admin:{id}"),
            None => format!("request:{}", context.request_id),
        };
        let grant = Grant { id, user_id, change };
        let conflict = |code, message| Err(GatewayError::new(ErrorKind::Conflict, code, message));
        match self.0.store.ledger.grant(&grant, &entry).await? {
            BalanceChanged::Changed => Ok(()),
            BalanceChanged::NotFound => Err(GatewayError::not_found()),
            BalanceChanged::OutOfRange => conflict(
                "quota_out_of_range",
                "calls in flight hold more than that, or it is more than can be kept",
            ),
            BalanceChanged::IdTaken => {
                conflict("grant_id_taken", "another change of a balance was made under this id")
            }
        }
    }
}

/// The rank that an admin's eyes end at; root sees everyone.
fn ceiling(admin: &User) -> Option<Role> {
    (admin.role < Role::Root).then_some(admin.role)
}
