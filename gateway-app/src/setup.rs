//! The first start: an admin who can log in.

use crate::{Gateway, GatewayError};
use gateway_domain::{Credits, Role, user};
use gateway_ports::NewUser;
use secrecy::ExposeSecret;

/// The name of the first admin.
pub const ADMIN_NAME: &str = "admin";

impl Gateway {
    /// Makes the first admin if there is none: with the configured password, or with the documented
    /// default, which opens nothing but its own change. True if one was made.
    pub async fn ensure_admin(&self) -> Result<bool, GatewayError> {
        let parts = &*self.0;
        if parts.store.users.find_by_username(ADMIN_NAME).await?.is_some() {
            return Ok(false);
        }
        let configured = parts.config.admin_password.as_ref().map(|p| p.expose_secret().to_owned());
        if let Some(password) = &configured {
            user::check_password(password)
                .map_err(|e| GatewayError::invalid(format!("ADMIN_PASSWORD: {e}")))?;
        }
        let must_change_password = configured.is_none();
        let password = configured.unwrap_or_else(|| user::DEFAULT_PASSWORD.to_owned());
        let password_hash = self.hash_password(password).await?;
        let admin = NewUser {
            username: ADMIN_NAME.to_owned(),
            display_name: String::from("Admin"),
            email: None,
            password_hash,
            role: Role::Root,
            must_change_password,
            granted: Credits::ZERO,
            created_at: self.now(),
        };
        Ok(parts.store.users.insert_first_root(&admin).await?)
    }

    /// Whether the store answers, and an admin has a password of their own.
    pub async fn is_set_up(&self) -> Result<bool, GatewayError> {
        Ok(self.0.store.users.has_ready_root().await?)
    }
}
