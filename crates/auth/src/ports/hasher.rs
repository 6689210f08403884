//! The one password hash.

use std::time::Duration;

use async_trait::async_trait;
use resync_kernel::{BoxError, SecretString};
use thiserror::Error;

use crate::model::PasswordHash;

/// Hashes and verifies passwords, away from the async workers.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// A new hash of `password`, with a salt of its own.
    async fn hash(&self, password: &SecretString) -> Result<PasswordHash, HasherError>;

    /// Whether `password` has the hash `stored`. `None` stands for an unknown user: the answer is
    /// `false`, after the same work.
    async fn verify(
        &self,
        password: &SecretString,
        stored: Option<PasswordHash>,
    ) -> Result<bool, HasherError>;

    /// Whether `stored` was made with less work than new hashes are.
    fn needs_rehash(&self, stored: &PasswordHash) -> bool;
}

/// Why there is no answer about a password.
#[derive(Debug, Error)]
pub enum HasherError {
    /// More passwords wait than the queue takes.
    #[error("too many passwords are waiting to be checked")]
    Overloaded {
        /// When there is room again, as an estimate.
        retry_after: Duration,
    },
    /// The hash would not see the whole password, so it is refused.
    #[error("the password is longer than 72 bytes or holds a NUL character")]
    Unhashable,
    /// The hasher stopped, or a stored hash is not one.
    #[error("the password could not be checked")]
    Unavailable(#[source] BoxError),
}
