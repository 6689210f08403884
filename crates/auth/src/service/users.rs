//! Looking after users.
//!
//! Invariants:
//! - There is no default account; the first admin has the password that the caller gives.
//! - Another password or role ends all sessions of the user.
//! - The last admin cannot go.
//! - `actor` is who does it; `None` stands for the command line on the machine itself.

use std::net::IpAddr;
use std::time::Duration;

use resync_kernel::{BoxError, Cursor, CursorError, Limit, Page, SecretString, UserId};
use thiserror::Error;

use super::AuthPorts;
use crate::model::{
    PasswordPolicy, PasswordPolicyError, Principal, Role, Strength, User, Username,
};
use crate::ports::{
    AccountKey, Attempt, AuthEventKind, AuthEventsError, HasherError, Outcome, ReserveError,
    UserFilter, UserRepositoryError,
};

/// Creates, changes and deletes users. Whether the caller may is checked before.
pub struct UserService {
    ports: AuthPorts,
    policy: PasswordPolicy,
}

/// A user to create.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The name.
    pub username: Username,
    /// The password, checked against the policy.
    pub password: SecretString,
    /// The role.
    pub role: Role,
}

/// What [`UserService::ensure_first_admin`] found or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirstAdmin {
    /// There was no admin, now there is this one.
    Created(User),
    /// There is an admin; nothing was changed, the given password was not used.
    Exists,
}

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
    /// Something needed did not answer; the change may have been made without its audit row.
    #[error("the user could not be changed now")]
    Unavailable(#[source] BoxError),
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
    /// Something needed did not answer.
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

impl UserService {
    /// A service with a rule for new passwords.
    #[must_use]
    pub fn new(ports: AuthPorts, policy: PasswordPolicy) -> Self {
        Self { ports, policy }
    }

    /// Creates a user.
    ///
    /// Cancel safe: once stored, the user gets its audit row although the caller is gone.
    ///
    /// # Errors
    /// [`CreateUserError`].
    #[tracing::instrument(name = "auth.create_user", skip_all)]
    pub async fn create(
        &self,
        new: NewUser,
        actor: Option<&Principal>,
    ) -> Result<User, CreateUserError> {
        let user = self.prepare(new).await?;
        let (ports, actor) = (self.ports.clone(), actor.map(|principal| principal.user_id));
        let work = async move {
            ports.users.insert(&user).await?;
            record_created(&ports, actor, None, &user).await?;
            Ok(user)
        };
        self.ports.to_the_end(work).await
    }

    /// Creates the first admin, if there is no admin at all.
    ///
    /// Cancel safe: as [`UserService::create`]. Of several callers at once, one creates.
    ///
    /// # Errors
    /// [`CreateUserError`]; [`CreateUserError::UsernameTaken`] when a user of that name is no admin.
    pub async fn ensure_first_admin(
        &self,
        username: Username,
        password: SecretString,
    ) -> Result<FirstAdmin, CreateUserError> {
        let new = NewUser {
            username,
            password,
            role: Role::Admin,
        };
        self.make_first_admin(new, None).await
    }

    /// As [`UserService::ensure_first_admin`], for somebody at `address`.
    pub(crate) async fn make_first_admin(
        &self,
        new: NewUser,
        address: Option<IpAddr>,
    ) -> Result<FirstAdmin, CreateUserError> {
        if self.ports.users.count_admins().await? > 0 {
            return Ok(FirstAdmin::Exists);
        }
        let user = self.prepare(new).await?;
        let ports = self.ports.clone();
        let work = async move {
            if !ports.users.insert_first_admin(&user).await? {
                return Ok(FirstAdmin::Exists);
            }
            record_created(&ports, None, address, &user).await?;
            Ok(FirstAdmin::Created(user))
        };
        self.ports.to_the_end(work).await
    }

    /// How good a password is by the rule of this service, for a page that shows it while it is typed.
    /// `about` are words that a guesser knows of its user, such as the name.
    #[must_use]
    pub fn assess(&self, password: &SecretString, about: &[&str]) -> Strength {
        self.policy.assess(password, about)
    }

    async fn prepare(&self, new: NewUser) -> Result<User, CreateUserError> {
        self.policy.check(&new.password, &[new.username.as_str()])?;
        let password_hash = self.ports.hasher.hash(&new.password).await?;
        Ok(User {
            id: UserId(self.ports.ids.next()),
            username: new.username,
            role: new.role,
            password_hash,
            session_version: 1,
            created_at: self.ports.clock.now(),
        })
    }

    /// The user of that id.
    ///
    /// # Errors
    /// [`ManageUserError::NotFound`] or [`ManageUserError::Unavailable`].
    pub async fn get(&self, id: UserId) -> Result<User, ManageUserError> {
        self.ports
            .users
            .find_by_id(id)
            .await?
            .ok_or(ManageUserError::NotFound)
    }

    /// Users by name.
    ///
    /// # Errors
    /// [`ManageUserError::Cursor`] or [`ManageUserError::Unavailable`].
    pub async fn list(
        &self,
        limit: Limit,
        cursor: Option<&str>,
    ) -> Result<Page<User>, ManageUserError> {
        self.search(UserFilter::default(), limit, cursor).await
    }

    /// Users by name that `filter` lets through.
    ///
    /// # Errors
    /// [`ManageUserError::Cursor`] or [`ManageUserError::Unavailable`].
    pub async fn search(
        &self,
        filter: UserFilter,
        limit: Limit,
        cursor: Option<&str>,
    ) -> Result<Page<User>, ManageUserError> {
        let after = match cursor {
            Some(text) => {
                let name = Cursor::decode::<String>(text)?;
                Some(Username::parse(&name).map_err(|_| CursorError)?)
            }
            None => None,
        };
        let items = self.ports.users.list(filter, after, limit).await?;
        let full = u32::try_from(items.len()).is_ok_and(|count| count >= limit.get());
        let next = match items.last() {
            Some(last) if full => Some(Cursor::encode(&last.username)?),
            _ => None,
        };
        Ok(Page { items, next })
    }

    /// Gives a user another role and ends its sessions.
    ///
    /// Cancel safe: runs to its end.
    ///
    /// # Errors
    /// [`ManageUserError`].
    pub async fn set_role(
        &self,
        id: UserId,
        role: Role,
        actor: Option<&Principal>,
    ) -> Result<(), ManageUserError> {
        let (ports, actor) = (self.ports.clone(), actor.map(|actor| actor.user_id));
        let work = async move {
            let changed = ports.users.set_role(id, role).await;
            ports.memory.forget_user(id);
            changed?;
            ports.revoke_all(id).await.map_err(boxed)?;
            let kind = AuthEventKind::RoleChanged { user_id: id, role };
            ports.record(actor, None, kind).await.map_err(boxed)?;
            Ok(())
        };
        self.ports.to_the_end(work).await
    }

    /// Deletes a user and ends its sessions.
    ///
    /// Cancel safe: runs to its end.
    ///
    /// # Errors
    /// [`ManageUserError`].
    pub async fn delete(
        &self,
        id: UserId,
        actor: Option<&Principal>,
    ) -> Result<(), ManageUserError> {
        let (ports, actor) = (self.ports.clone(), actor.map(|actor| actor.user_id));
        let work = async move {
            let deleted = ports.users.delete(id).await;
            ports.memory.forget_user(id);
            deleted?;
            ports.revoke_all(id).await.map_err(boxed)?;
            let kind = AuthEventKind::UserDeleted { user_id: id };
            ports.record(actor, None, kind).await.map_err(boxed)?;
            Ok(())
        };
        self.ports.to_the_end(work).await
    }

    /// Forgets the failures counted against a user.
    ///
    /// # Errors
    /// [`ManageUserError`].
    pub async fn unlock(
        &self,
        id: UserId,
        actor: Option<&Principal>,
    ) -> Result<(), ManageUserError> {
        let user = self.get(id).await?;
        let account = AccountKey::of(user.username.as_str());
        self.ports.lockout.unlock(account).await.map_err(boxed)?;
        let kind = AuthEventKind::UserUnlocked { user_id: id };
        self.ports
            .record(actor.map(|actor| actor.user_id), None, kind)
            .await
            .map_err(boxed)?;
        Ok(())
    }

    /// Changes the principal's own password, which takes the current one, and ends all of its sessions.
    /// A wrong current password counts as a failed login does.
    ///
    /// # Errors
    /// [`ChangePasswordError`].
    #[tracing::instrument(name = "auth.change_password", skip_all, fields(user.id = %principal.user_id))]
    pub async fn change_password(
        &self,
        principal: &Principal,
        current: SecretString,
        new: SecretString,
        address: IpAddr,
    ) -> Result<(), ChangePasswordError> {
        self.policy.check(&new, &[principal.username.as_str()])?;
        let user = self.ports.users.find_by_id(principal.user_id).await?;
        let user = user.ok_or(ChangePasswordError::NotFound)?;
        let attempt = Attempt::new(user.username.as_str(), address);
        let reservation = match self.ports.lockout.reserve(attempt).await {
            Ok(reservation) => reservation,
            Err(ReserveError::Locked { retry_after }) => {
                return Err(ChangePasswordError::Locked { retry_after });
            }
            Err(ReserveError::Store(error)) => return Err(boxed(error).into()),
        };
        let outcome = match self
            .ports
            .hasher
            .verify(&current, Some(user.password_hash))
            .await
        {
            Ok(true) => Ok(Outcome::Succeeded),
            Ok(false) | Err(HasherError::Unhashable) => {
                let kind = AuthEventKind::LoginFailed {
                    user: Some((user.id, user.username)),
                };
                self.ports
                    .record(None, Some(address), kind)
                    .await
                    .map_err(boxed)?;
                return Err(ChangePasswordError::WrongPassword);
            }
            Err(error) => Err(error),
        };
        let settled = outcome.as_ref().copied().unwrap_or(Outcome::NotLooked);
        self.ports
            .lockout
            .settle(reservation, settled)
            .await
            .map_err(boxed)?;
        outcome?;
        self.replace_password(user.id, new, Some(principal.user_id), Some(address))
            .await
    }

    /// Sets another user's password, as an admin does, and ends that user's sessions.
    ///
    /// # Errors
    /// [`ChangePasswordError`].
    pub async fn reset_password(
        &self,
        id: UserId,
        new: SecretString,
        actor: Option<&Principal>,
    ) -> Result<(), ChangePasswordError> {
        let user = self.ports.users.find_by_id(id).await?;
        let user = user.ok_or(ChangePasswordError::NotFound)?;
        self.policy.check(&new, &[user.username.as_str()])?;
        let actor = actor.map(|actor| actor.user_id);
        self.replace_password(id, new, actor, None).await
    }

    async fn replace_password(
        &self,
        id: UserId,
        new: SecretString,
        actor: Option<UserId>,
        address: Option<IpAddr>,
    ) -> Result<(), ChangePasswordError> {
        let hash = self.ports.hasher.hash(&new).await?;
        let ports = self.ports.clone();
        let work = async move {
            let changed = ports.users.set_password(id, &hash).await;
            ports.memory.forget_user(id);
            changed?;
            ports.revoke_all(id).await.map_err(boxed)?;
            let kind = AuthEventKind::PasswordChanged { user_id: id };
            ports.record(actor, address, kind).await.map_err(boxed)?;
            Ok(())
        };
        self.ports.to_the_end(work).await
    }
}

fn boxed(error: impl Into<BoxError>) -> BoxError {
    error.into()
}

async fn record_created(
    ports: &AuthPorts,
    actor: Option<UserId>,
    address: Option<IpAddr>,
    user: &User,
) -> Result<(), CreateUserError> {
    let (user_id, username, role) = (user.id, user.username.clone(), user.role);
    let kind = AuthEventKind::UserCreated {
        user_id,
        username,
        role,
    };
    ports
        .record(actor, address, kind)
        .await
        .map_err(CreateUserError::NotRecorded)
}
