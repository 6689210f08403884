//! Why a user was not made, changed or found.

use std::time::Duration;

use resync_kernel::{BoxError, CursorError};
use thiserror::Error;

use crate::model::PasswordPolicyError;
use crate::ports::{AuthEventsError, HasherError, UserRepositoryError};

/// Why no user was created.
#[derive(Debug, Error)]
pub enum CreateUserError {
    /// Another user has the name.
    #[error("the user name is taken")]
    UsernameTaken,
    /// The password is not good enough.
    #[error(transparent)]
    Password(#[from] PasswordPolicyError),
    /// Too many passwords are being hashed.
    #[error("too many passwords are waiting to be hashed")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// The user was created, but the audit log does not have it.
    #[error("the user was created, but not recorded")]
    NotRecorded(#[source] AuthEventsError),
    /// Something needed did not answer.
    #[error("the user could not be created now")]
    Unavailable(#[source] BoxError),
}

/// Why a user was not changed.
#[derive(Debug, Error)]
pub enum ManageUserError {
    /// There is no such user.
    #[error("there is no such user")]
    NotFound,
    /// No admin would be left.
    #[error("the last admin cannot go")]
    LastAdmin,
    /// The cursor is not one that the list gave.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// It was done, but the audit log does not have it.
    #[error("it was done, but not recorded")]
    NotRecorded(#[source] AuthEventsError),
    /// Something needed did not answer.
    #[error("the user could not be changed now")]
    Unavailable(#[source] BoxError),
}

/// Why role and password of a user are as before.
#[derive(Debug, Error)]
pub enum ChangeUserError {
    /// Neither a role nor a password was given.
    #[error("there is nothing to change")]
    Nothing,
    /// There is no such user.
    #[error("there is no such user")]
    NotFound,
    /// No admin would be left.
    #[error("the last admin cannot go")]
    LastAdmin,
    /// The password is not good enough.
    #[error(transparent)]
    Password(#[from] PasswordPolicyError),
    /// Too many passwords are being hashed.
    #[error("too many passwords are waiting to be hashed")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// The user was changed all the same, but the audit log does not have it.
    #[error("the user was changed, but not recorded")]
    NotRecorded(#[source] AuthEventsError),
    /// Something needed did not answer.
    #[error("the user could not be changed now")]
    Unavailable(#[from] BoxError),
}

/// Why a password was not changed.
#[derive(Debug, Error)]
pub enum ChangePasswordError {
    /// The current password is another one.
    #[error("the current password is wrong")]
    WrongPassword,
    /// The new password is not good enough.
    #[error(transparent)]
    Password(#[from] PasswordPolicyError),
    /// There is no such user.
    #[error("there is no such user")]
    NotFound,
    /// Too many attempts; the current password was not looked at.
    #[error("too many attempts")]
    Locked {
        /// When the next attempt will be looked at, at the earliest.
        retry_after: Duration,
    },
    /// Too many passwords are being hashed.
    #[error("too many passwords are waiting to be hashed")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// The password was changed and all sessions ended, but the audit log does not have it.
    #[error("the password was changed, but not recorded")]
    NotRecorded(#[source] AuthEventsError),
    /// Something needed did not answer; the password is as before.
    #[error("the password could not be changed now")]
    Unavailable(#[from] BoxError),
}

impl From<HasherError> for CreateUserError {
    fn from(error: HasherError) -> Self {
        match error {
            HasherError::Overloaded { retry_after } => Self::Overloaded { retry_after },
            other => Self::Unavailable(other.into()),
        }
    }
}

impl From<HasherError> for ChangeUserError {
    fn from(error: HasherError) -> Self {
        match error {
            HasherError::Overloaded { retry_after } => Self::Overloaded { retry_after },
            other => Self::Unavailable(other.into()),
        }
    }
}

impl From<HasherError> for ChangePasswordError {
    fn from(error: HasherError) -> Self {
        match error {
            HasherError::Overloaded { retry_after } => Self::Overloaded { retry_after },
            other => Self::Unavailable(other.into()),
        }
    }
}

impl From<UserRepositoryError> for CreateUserError {
    fn from(error: UserRepositoryError) -> Self {
        match error {
            UserRepositoryError::AlreadyExists => Self::UsernameTaken,
            other => Self::Unavailable(other.into()),
        }
    }
}

impl From<UserRepositoryError> for ManageUserError {
    fn from(error: UserRepositoryError) -> Self {
        match error {
            UserRepositoryError::NotFound => Self::NotFound,
            UserRepositoryError::LastAdmin => Self::LastAdmin,
            other => Self::Unavailable(other.into()),
        }
    }
}

impl From<UserRepositoryError> for ChangeUserError {
    fn from(error: UserRepositoryError) -> Self {
        match error {
            UserRepositoryError::NotFound => Self::NotFound,
            UserRepositoryError::LastAdmin => Self::LastAdmin,
            other => Self::Unavailable(other.into()),
        }
    }
}

impl From<UserRepositoryError> for ChangePasswordError {
    fn from(error: UserRepositoryError) -> Self {
        match error {
            UserRepositoryError::NotFound => Self::NotFound,
            other => Self::Unavailable(other.into()),
        }
    }
}

impl From<BoxError> for ManageUserError {
    fn from(error: BoxError) -> Self {
        Self::Unavailable(error)
    }
}

impl From<BoxError> for CreateUserError {
    fn from(error: BoxError) -> Self {
        Self::Unavailable(error)
    }
}
