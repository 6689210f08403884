//! What the audit log must know about accounts.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_kernel::{BoxError, UserId};
use thiserror::Error;

use crate::model::{ApiKeyId, Origin, Role, SessionId, Username};

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
    /// Who did it, from where and in which request.
    pub origin: Origin,
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
        /// The new session.
        session_id: SessionId,
    },
    /// A password did not fit.
    LoginFailed {
        /// The user whose password it should have been, if there is one.
        user: Option<(UserId, Username)>,
    },
    /// An attempt on a password, at a login or at a change of it, was refused without looking at it.
    LockedOut,
    /// A sign-in at the identity provider opened no session.
    ExternalLoginFailed {
        /// Why.
        reason: ExternalRefusal,
    },
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
    /// A change of accounts that somebody asked for was refused; nothing was changed.
    Refused {
        /// Which change.
        change: AccountChange,
        /// The account, if there is one.
        user_id: Option<UserId>,
        /// Why.
        reason: AccountRefusal,
    },
}

/// A change of accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountChange {
    /// Making an account.
    Create,
    /// Another role or password.
    Update,
    /// Deleting it.
    Delete,
    /// Making an API key.
    CreateApiKey,
}

/// Why a change of accounts was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountRefusal {
    /// No administrator would be left.
    LastAdmin,
    /// Another account has the name.
    NameTaken,
    /// An API key was to do more than its user may, or to confirm actions.
    BeyondRole,
    /// An API key was to make another one.
    ByApiKey,
}

impl AccountRefusal {
    /// The reason in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LastAdmin => "the last administrator cannot go",
            Self::NameTaken => "the name is taken",
            Self::BeyondRole => "the scopes are more than its user has",
            Self::ByApiKey => "an API key cannot make one",
        }
    }
}

/// Why a sign-in at the identity provider opened no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExternalRefusal {
    /// It did not begin in that browser, or took too long.
    NotBegun,
    /// The person was refused, or refused, at the provider.
    Denied,
    /// The provider refused the code, or its answer does not hold.
    NotProven,
    /// The provider tells no name that an account may have.
    NoName,
    /// A local account has the name.
    NameTaken,
    /// None of the groups has a role here.
    NoRole,
    /// The groups would take the role of the last administrator.
    LastAdmin,
    /// The provider or a store did not answer.
    Unavailable,
}

impl ExternalRefusal {
    /// The reason in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotBegun => "it did not begin in this browser, or took too long",
            Self::Denied => "denied at the identity provider",
            Self::NotProven => "the identity provider proved nobody",
            Self::NoName => "the identity provider tells no usable name",
            Self::NameTaken => "a local account has the name",
            Self::NoRole => "none of the groups has a role",
            Self::LastAdmin => "the groups would take the last administrator's role",
            Self::Unavailable => "something needed did not answer",
        }
    }
}
