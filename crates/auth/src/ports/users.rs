//! Where users are kept.

use async_trait::async_trait;
use resync_kernel::{BoxError, Limit, UserId};
use thiserror::Error;

use crate::model::{PasswordHash, Role, User, Username};

/// Keeps users. No two share an id or a name, and the last admin cannot go.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait UserRepository: Send + Sync {
    /// The user of that name.
    async fn find_by_username(
        &self,
        username: &Username,
    ) -> Result<Option<User>, UserRepositoryError>;

    /// The user of that id.
    async fn find_by_id(&self, id: UserId) -> Result<Option<User>, UserRepositoryError>;

    /// Users by name, those after `after` that `filter` lets through, at most `limit`.
    async fn list(
        &self,
        filter: UserFilter,
        after: Option<Username>,
        limit: Limit,
    ) -> Result<Vec<User>, UserRepositoryError>;

    /// How many admins there are.
    async fn count_admins(&self) -> Result<u64, UserRepositoryError>;

    /// Adds a user; [`UserRepositoryError::AlreadyExists`] when the name or the id is taken.
    async fn insert(&self, user: &User) -> Result<(), UserRepositoryError>;

    /// Adds `user` if there is no admin yet; `false` when there is one. One step: of two callers at
    /// once, one gets `true`.
    async fn insert_first_admin(&self, user: &User) -> Result<bool, UserRepositoryError>;

    /// Replaces the hash of the same password, only while it still is `old`; `false` when it is not,
    /// so that a change of password in between stays. Tokens live on.
    async fn update_password_hash(
        &self,
        id: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, UserRepositoryError>;

    /// Sets what `update` names, all of it or nothing, raises the session version by one, so that the user's
    /// tokens are dead, and gives the user as it is then. [`UserRepositoryError::LastAdmin`] when no admin
    /// would be left, [`UserRepositoryError::NotFound`] without such a user.
    async fn update(&self, id: UserId, update: UserUpdate) -> Result<User, UserRepositoryError>;

    /// Deletes a user and whatever is kept for it alone, with the same errors as [`UserRepository::update`].
    async fn delete(&self, id: UserId) -> Result<(), UserRepositoryError>;
}

/// What to set of a user; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserUpdate {
    /// Another role.
    pub role: Option<Role>,
    /// The hash of another password.
    pub password_hash: Option<PasswordHash>,
}

impl From<Role> for UserUpdate {
    fn from(role: Role) -> Self {
        Self {
            role: Some(role),
            password_hash: None,
        }
    }
}

impl From<PasswordHash> for UserUpdate {
    fn from(hash: PasswordHash) -> Self {
        Self {
            role: None,
            password_hash: Some(hash),
        }
    }
}

/// Which users to list; the default is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Those with this role.
    pub role: Option<Role>,
    /// Those whose name holds this text, in any case of its letters.
    pub name: Option<String>,
}

impl UserFilter {
    /// Whether `user` is let through.
    #[must_use]
    pub fn lets_through(&self, user: &User) -> bool {
        self.role.is_none_or(|role| user.role == role)
            && self.name.as_ref().is_none_or(|part| {
                let part = part.to_ascii_lowercase();
                user.username.as_str().contains(&part)
            })
    }
}

/// What went wrong with users.
#[derive(Debug, Error)]
pub enum UserRepositoryError {
    /// The name or the id is taken.
    #[error("the user exists already")]
    AlreadyExists,
    /// There is no such user.
    #[error("there is no such user")]
    NotFound,
    /// No admin would be left.
    #[error("the last admin cannot go")]
    LastAdmin,
    /// The store did not do it.
    #[error("the user store is unavailable")]
    Unavailable(#[source] BoxError),
}
