//! What the audit log must know about accounts.

use std::net::IpAddr;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_kernel::{BoxError, UserId};
use thiserror::Error;

use crate::model::{ApiKeyId, Role, SessionId, Username};

/// Takes the events of this domain; the wiring maps it to the audit log.
///
/// A use case whose event is not recorded fails: there is no login without its row.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait AuthEvents: Send + Sync {
    /// Records `event`, durably, before it returns.
    async fn record(&self, event: AuthEvent) -> Result<(), AuthEventsError>;
}

/// The event was not recorded.
#[derive(Debug, Error)]
#[error("the event could not be recorded")]
pub struct AuthEventsError(#[source] pub BoxError);

/// Something that happened to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// Who did it; `None` when nobody is proven: a failed login, the first start.
    pub actor: Option<UserId>,
    /// From where, when it came by the network.
    pub address: Option<IpAddr>,
    /// What.
    pub kind: AuthEventKind,
}

/// What happened to an account.
///
/// A failed login names only users that exist: an unknown name may be a password typed into the
/// wrong field, and is not written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthEventKind {
    /// A user logged in.
    LoginSucceeded {
        /// The user's name.
        username: Username,
        /// The new session.
        session_id: SessionId,
    },
    /// A password did not fit.
    LoginFailed {
        /// The user whose password it should have been, if there is one.
        user: Option<(UserId, Username)>,
    },
    /// An attempt was refused without looking at the password.
    LockedOut,
    /// A user ended a session.
    LoggedOut {
        /// The session.
        session_id: SessionId,
    },
    /// A user ended all own sessions.
    LoggedOutEverywhere {
        /// How many there were.
        sessions: u64,
    },
    /// An administrator ended a session of an account.
    SessionRevoked {
        /// The account.
        user_id: UserId,
        /// The session.
        session_id: SessionId,
    },
    /// An administrator ended all sessions of an account.
    SessionsRevoked {
        /// The account.
        user_id: UserId,
        /// How many there were.
        sessions: u64,
    },
    /// An API key was made.
    ApiKeyCreated {
        /// For whom it speaks.
        user_id: UserId,
        /// The key.
        key_id: ApiKeyId,
    },
    /// An API key was ended.
    ApiKeyRevoked {
        /// For whom it spoke.
        user_id: UserId,
        /// The key.
        key_id: ApiKeyId,
    },
    /// An account was made.
    UserCreated {
        /// The account.
        user_id: UserId,
        /// Its name.
        username: Username,
        /// Its role.
        role: Role,
    },
    /// An account got another password; its sessions ended.
    PasswordChanged {
        /// The account.
        user_id: UserId,
    },
    /// An account got another role; its sessions ended.
    RoleChanged {
        /// The account.
        user_id: UserId,
        /// The new role.
        role: Role,
    },
    /// An account was deleted.
    UserDeleted {
        /// The account.
        user_id: UserId,
    },
    /// The failures counted against an account were forgotten.
    UserUnlocked {
        /// The account.
        user_id: UserId,
    },
}
