//! Time, chance, tasks and slow computation: what a runtime gives.

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use gateway_domain::Timestamp;
use std::time::Duration;

/// What time it is.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Waiting.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait Timer: Send + Sync {
    /// Completes after a while. Dropping it cancels it.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// Randomness that nobody can predict.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait Entropy: Send + Sync {
    /// 32 random bytes.
    fn bytes(&self) -> [u8; 32];
}

/// Work that outlives the response: a spawned task, or `waitUntil`.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait Background: Send + Sync {
    /// Runs a task to its end.
    fn spawn(&self, task: BoxFuture<'static, ()>);
}

/// Passwords: slow on purpose, so not on the threads that serve requests.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// Hashes a password; the result is a PHC string. `None` when there is no capacity for it now.
    async fn hash(&self, password: String) -> Option<String>;

    /// Whether a password fits a hash. Without a hash it takes as long, and is false: nobody can
    /// tell an unknown user by the time. `None` when there is no capacity for it now.
    async fn verify(&self, password: String, hash: Option<String>) -> Option<bool>;
}
