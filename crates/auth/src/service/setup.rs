//! Making the first administrator with a link that the server shows once.
//!
//! Invariants:
//! - There is a good token only while there is no administrator; with the first one it is dead, whoever
//!   made that one and however.
//! - A token has 256 random bits, is stored as its SHA-256, and lives for 24 hours; a new one ends the one
//!   before.
//! - Of several who use a token at once, one becomes the administrator.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use resync_kernel::{BoxError, EntropyError, SecretString, random_token};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::AuthPorts;
use super::users::{CreateUserError, FirstAdmin, NewUser, UserService};
use crate::model::{Origin, Role, User, Username};
use crate::ports::{SetupRecord, SetupTokenStore, SetupTokenStoreError, UserRepositoryError};

/// Makes the first administrator.
pub struct SetupService {
    ports: AuthPorts,
    tokens: Arc<dyn SetupTokenStore>,
}

/// A token that was made. `Debug` does not show it.
#[derive(Debug, Clone)]
pub struct SetupTicket {
    /// The token: 43 characters, for the link that is shown on the server's own terminal.
    pub token: SecretString,
    /// From when on it is over.
    pub expires_at: DateTime<Utc>,
}

/// Why the first administrator was not made.
#[derive(Debug, Error)]
pub enum SetupError {
    /// The token is unknown, used or over, or there is an administrator; there is no telling which.
    #[error("the setup link is not valid")]
    Invalid,
    /// The user could not be made as asked for; the token is as good as before.
    #[error(transparent)]
    User(#[from] CreateUserError),
    /// Something needed did not answer.
    #[error("the first administrator cannot be made now")]
    Unavailable(#[source] BoxError),
}

impl From<SetupTokenStoreError> for SetupError {
    fn from(error: SetupTokenStoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<UserRepositoryError> for SetupError {
    fn from(error: UserRepositoryError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<EntropyError> for SetupError {
    fn from(error: EntropyError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl SetupService {
    /// How long a token lives.
    pub const LIFETIME: Duration = Duration::from_hours(24);
    /// 43 characters for 32 random bytes.
    const TOKEN_LEN: usize = 43;

    /// A service that keeps its token in `tokens`.
    #[must_use]
    pub fn new(ports: AuthPorts, tokens: Arc<dyn SetupTokenStore>) -> Self {
        Self { ports, tokens }
    }

    /// A new token, which ends the one before; `None`, and no token at all, when there is an administrator.
    ///
    /// # Errors
    /// [`SetupError::Unavailable`].
    pub async fn open(&self) -> Result<Option<SetupTicket>, SetupError> {
        if self.ports.users.count_admins().await? > 0 {
            self.tokens.clear().await?;
            return Ok(None);
        }
        let token = random_token(32)?;
        let expires_at = self.ports.clock.now() + Self::LIFETIME;
        let digest = Sha256::digest(&token).into();
        self.tokens
            .replace(&SetupRecord { digest, expires_at })
            .await?;
        Ok(Some(SetupTicket {
            token: token.into(),
            expires_at,
        }))
    }

    /// Whether somebody with the token could make the first administrator now.
    ///
    /// # Errors
    /// [`SetupError::Unavailable`].
    pub async fn is_open(&self) -> Result<bool, SetupError> {
        let record = self.tokens.find().await?;
        let now = self.ports.clock.now();
        let alive = record.is_some_and(|record| now < record.expires_at);
        Ok(alive && self.ports.users.count_admins().await? == 0)
    }

    /// Makes the first administrator for whoever shows the token, by the rules of `users`.
    ///
    /// Cancel safe: as [`UserService::create`].
    ///
    /// # Errors
    /// [`SetupError`].
    #[tracing::instrument(name = "auth.set_up", skip_all)]
    pub async fn complete(
        &self,
        token: &str,
        username: Username,
        password: SecretString,
        users: &UserService,
        origin: Origin,
    ) -> Result<User, SetupError> {
        if !self.fits(token).await? {
            return Err(SetupError::Invalid);
        }
        let new = NewUser {
            username,
            password,
            role: Role::Admin,
        };
        match users.make_first_admin(new, origin).await? {
            FirstAdmin::Created(user) => {
                // The token is dead already, for there is an administrator; its record is only litter.
                if let Err(error) = self.tokens.clear().await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "a used setup token stays in the store");
                }
                Ok(user)
            }
            FirstAdmin::Exists => Err(SetupError::Invalid),
        }
    }

    async fn fits(&self, token: &str) -> Result<bool, SetupError> {
        if token.len() != Self::TOKEN_LEN {
            return Ok(false);
        }
        let Some(record) = self.tokens.find().await? else {
            return Ok(false);
        };
        // Digests are compared, so how long that takes says nothing about the token.
        let digest: [u8; 32] = Sha256::digest(token).into();
        Ok(digest == record.digest && self.ports.clock.now() < record.expires_at)
    }
}
