//! Engines as administrators see and change them, and why a change is not made.

use resync_kernel::UserId;
use serde::Serialize;
use thiserror::Error;

use crate::model::EngineName;
use crate::ports::{AuditError, ConnectError, EngineCredentials, EngineRepositoryError, SealError};

/// An engine of the configuration, as far as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredEngine {
    /// Its name.
    pub name: EngineName,
    /// Its addresses.
    pub urls: Vec<String>,
    /// The user; `None` for an API key.
    pub username: Option<String>,
    /// Whether certificates of its own are trusted.
    pub own_ca: bool,
    /// Accepts any certificate.
    pub insecure_tls: bool,
    /// No action is ever sent to it.
    pub read_only: bool,
    /// For one call, in seconds.
    pub timeout_seconds: u32,
}

/// Who changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminActor {
    /// Who.
    pub user: UserId,
    /// As people know them, for the audit.
    pub username: String,
    /// The request that it came with.
    pub request_id: Option<String>,
}

/// Where an engine comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineOrigin {
    /// The configuration: it cannot be changed here.
    Configuration,
    /// An administrator.
    Added,
}

/// How Resync shows an engine who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginKind {
    /// A user with a password.
    Basic,
    /// An API key.
    ApiKey,
}

/// An engine as an administrator sees it: everything but the secret.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent marks, not one state"
)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EngineEntry {
    /// Its name.
    pub name: EngineName,
    /// Where it comes from.
    pub origin: EngineOrigin,
    /// The addresses.
    pub urls: Vec<String>,
    /// How we show who we are.
    pub login: LoginKind,
    /// The user, when there is one.
    pub username: Option<String>,
    /// Whether certificates of its own are trusted.
    pub own_ca: bool,
    /// Accepts any certificate.
    pub insecure_tls: bool,
    /// No action is ever sent to it.
    pub read_only: bool,
    /// For one call, in seconds.
    pub timeout_seconds: u32,
    /// How long an action waits for its effect, in seconds; as for all engines when `None`.
    pub verify_seconds: Option<u32>,
    /// Whether it is among the engines that are asked. One whose secret cannot be opened is not.
    pub running: bool,
}

/// An engine to add, or the whole new state of one to change.
#[derive(Debug, Clone)]
pub struct EngineDraft {
    /// The addresses of the master, then of its backups; 1 to 5.
    pub urls: Vec<String>,
    /// Who we are there; `None` leaves user and secret as they were, and is refused for a new one.
    pub credentials: Option<EngineCredentials>,
    /// Certificates in PEM form that alone are trusted.
    pub ca_pem: Option<String>,
    /// Accepts any certificate. For laboratories.
    pub insecure_tls: bool,
    /// No action is ever sent to it.
    pub read_only: bool,
    /// For one call, 1 to 300 s.
    pub timeout_seconds: u32,
    /// How long an action waits for its effect, 0 to 120 s.
    pub verify_seconds: Option<u32>,
}

/// Why a change was not made.
#[derive(Debug, Error)]
pub enum EngineAdminError {
    /// There is an engine of that name.
    #[error("there is an engine of that name")]
    NameTaken,
    /// There is no engine of that name.
    #[error("there is no engine of that name")]
    Unknown,
    /// It comes from the configuration, and is changed there.
    #[error("the engine comes from the configuration and is changed there")]
    Configured,
    /// A field cannot be used.
    #[error("{field} {problem}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The secret could not be sealed, or the kept one not opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The repository failed; nothing was changed.
    #[error("the engines cannot be read or written")]
    Unavailable(#[source] EngineRepositoryError),
    /// The change was made and its row could not be written to the audit.
    #[error("the change was made, but could not be written to the audit")]
    NotAudited(#[source] AuditError),
}

impl From<EngineRepositoryError> for EngineAdminError {
    fn from(error: EngineRepositoryError) -> Self {
        match error {
            EngineRepositoryError::AlreadyExists => Self::NameTaken,
            EngineRepositoryError::Missing => Self::Unknown,
            other @ EngineRepositoryError::Unavailable(_) => Self::Unavailable(other),
        }
    }
}

impl From<ConnectError> for EngineAdminError {
    fn from(error: ConnectError) -> Self {
        Self::Invalid {
            field: "urls",
            problem: error.0,
        }
    }
}

/// What came of taking the kept engines in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loaded {
    /// How many run.
    pub running: usize,
    /// Those that do not, with why.
    pub broken: Vec<(EngineName, String)>,
}
