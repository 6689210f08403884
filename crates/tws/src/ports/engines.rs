//! Engines that an administrator adds: where they are kept, how their secrets are sealed, and what
//! makes a client of them.
//!
//! Invariant: the repository holds no secret in the clear, and a definition prints none.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_kernel::{BoxError, SecretString};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::engines::Engine;
use crate::model::EngineName;

/// How an engine is reached, with its secret in the clear: what a client is made of.
#[derive(Debug, Clone)]
pub struct EngineDefinition {
    /// Its name.
    pub name: EngineName,
    /// The addresses of the master, then of its backups; 1 to 5.
    pub urls: Vec<String>,
    /// Who we are there.
    pub credentials: EngineCredentials,
    /// Certificates in PEM form that alone are trusted; those of the system when `None`.
    pub ca_pem: Option<String>,
    /// Accepts any certificate. For laboratories.
    pub insecure_tls: bool,
    /// No action is ever sent to it.
    pub read_only: bool,
    /// For one call, 1 to 300 s.
    pub timeout: Duration,
    /// How long an action waits for its effect to show, 0 to 120 s; as for all engines when `None`.
    pub verify: Option<Duration>,
}

/// Who we are at an engine.
#[derive(Debug, Clone)]
pub enum EngineCredentials {
    /// A user and their password.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: SecretString,
    },
    /// An API key.
    ApiKey(SecretString),
}

impl EngineCredentials {
    /// The user, when there is one.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        match self {
            Self::Basic { username, .. } => Some(username),
            Self::ApiKey(_) => None,
        }
    }

    /// The password or the key.
    #[must_use]
    pub fn secret(&self) -> &SecretString {
        match self {
            Self::Basic { password, .. } => password,
            Self::ApiKey(key) => key,
        }
    }
}

/// A secret under a key that only the process has, as text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SealedSecret(pub String);

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedSecret(..)")
    }
}

/// An engine as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEngine {
    /// Its name.
    pub name: EngineName,
    /// The addresses.
    pub urls: Vec<String>,
    /// The user; `None` for an API key.
    pub username: Option<String>,
    /// The password or the API key.
    pub secret: SealedSecret,
    /// Certificates in PEM form.
    pub ca_pem: Option<String>,
    /// Accepts any certificate.
    pub insecure_tls: bool,
    /// No action is ever sent to it.
    pub read_only: bool,
    /// For one call, in seconds.
    pub timeout_seconds: u32,
    /// How long an action waits for its effect, in seconds.
    pub verify_seconds: Option<u32>,
    /// When it was last changed, in whole milliseconds.
    pub changed_at: DateTime<Utc>,
}

/// Why the repository of engines did not do it.
#[derive(Debug, Error)]
pub enum EngineRepositoryError {
    /// There is an engine of that name.
    #[error("there is an engine of that name")]
    AlreadyExists,
    /// There is no engine of that name.
    #[error("there is no engine of that name")]
    Missing,
    /// The store failed; nothing was changed.
    #[error("the repository of engines is unavailable")]
    Unavailable(#[source] BoxError),
}

/// Keeps the engines that an administrator added.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait EngineRepository: Send + Sync {
    /// All of them, by name.
    async fn list(&self) -> Result<Vec<StoredEngine>, EngineRepositoryError>;

    /// The engine of that name.
    async fn find(&self, name: &EngineName) -> Result<Option<StoredEngine>, EngineRepositoryError>;

    /// Keeps a new one; [`EngineRepositoryError::AlreadyExists`] when there is one of that name.
    async fn insert(&self, engine: &StoredEngine) -> Result<(), EngineRepositoryError>;

    /// Puts it in the place of the one of its name; [`EngineRepositoryError::Missing`] when there is none.
    async fn update(&self, engine: &StoredEngine) -> Result<(), EngineRepositoryError>;

    /// Forgets it; whether there was one.
    async fn remove(&self, name: &EngineName) -> Result<bool, EngineRepositoryError>;
}

/// A secret that was opened.
#[derive(Debug, Clone)]
pub struct OpenedSecret {
    /// The secret.
    pub secret: SecretString,
    /// It was sealed under an earlier key, and should be sealed anew.
    pub reseal: bool,
}

/// Why a secret could not be sealed or opened.
#[derive(Debug, Error)]
pub enum SealError {
    /// It was sealed under a key that is not known any more, or for another engine, or was changed.
    #[error("the secret cannot be opened with the keys of this server")]
    Unopenable,
    /// It could not be sealed.
    #[error("the secret could not be sealed")]
    Unavailable(#[source] BoxError),
}

/// Seals secrets at rest, each to the engine that it belongs to.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
pub trait CredentialSealer: Send + Sync {
    /// Seals `secret` for the engine, and twice not to the same text.
    ///
    /// # Errors
    /// [`SealError::Unavailable`].
    fn seal(&self, engine: &EngineName, secret: &SecretString) -> Result<SealedSecret, SealError>;

    /// Opens what was sealed for that engine, under the current key or an earlier one.
    ///
    /// # Errors
    /// [`SealError::Unopenable`].
    fn open(&self, engine: &EngineName, sealed: &SealedSecret) -> Result<OpenedSecret, SealError>;
}

/// Why no client could be made of a definition: what is wrong with it, without a secret.
#[derive(Debug, Error)]
#[error("the definition of the engine cannot be used: {0}")]
pub struct ConnectError(pub String);

/// Makes a client of a definition. No call goes out.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
pub trait EngineConnector: Send + Sync {
    /// The engine with its ports.
    ///
    /// # Errors
    /// [`ConnectError`] when an address, a certificate or the credentials cannot be used.
    fn connect(&self, definition: &EngineDefinition) -> Result<Engine, ConnectError>;
}
