//! Looking after users.
//!
//! Invariants:
//! - There is no default account; the first admin has the password that the caller gives.
//! - Another password or role ends all sessions of the user.
//! - The last admin cannot go.
//! - What was done, and what was refused by a rule, is in the audit log before the caller is told.

mod errors;

pub use errors::{ChangePasswordError, ChangeUserError, CreateUserError, ManageUserError};

use resync_kernel::{BoxError, Cursor, CursorError, Limit, Page, SecretString, UserId};

use super::{AuthPorts, ProvenUser};
use crate::model::{
    Actor, Client, Origin, PasswordPolicy, Principal, Role, Strength, User, Username,
};
use crate::ports::{
    AccountChange, AccountKey, AccountRefusal, Attempt, AuthEventKind, HasherError, Outcome,
    ReserveError, UserFilter, UserRepositoryError, UserUpdate,
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

/// What to change of a user; what is `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// Another role.
    pub role: Option<Role>,
    /// Another password, checked against the policy.
    pub password: Option<SecretString>,
}

/// What [`UserService::ensure_first_admin`] found or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirstAdmin {
    /// There was no admin, now there is this one.
    Created(User),
    /// There is an admin; nothing was changed, the given password was not used.
    Exists,
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
    pub async fn create(&self, new: NewUser, origin: Origin) -> Result<User, CreateUserError> {
        let user = self.prepare(new).await?;
        let ports = self.ports.clone();
        let work = async move {
            let inserted = ports.users.insert(&user).await;
            if let Err(UserRepositoryError::AlreadyExists) = inserted {
                let (change, reason) = (AccountChange::Create, AccountRefusal::NameTaken);
                let recorded = ports.refuse(change, None, reason, origin).await;
                recorded.map_err(boxed)?;
                return Err(CreateUserError::UsernameTaken);
            }
            inserted?;
            record_created(&ports, origin, &user).await?;
            Ok(user)
        };
        self.ports.to_the_end(work).await
    }

    /// Creates the first admin, if there is no admin at all, as the configuration says.
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
        self.make_first_admin(new, Origin::of(Actor::Configuration))
            .await
    }

    /// As [`UserService::ensure_first_admin`], for somebody else.
    pub(crate) async fn make_first_admin(
        &self,
        new: NewUser,
        origin: Origin,
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
            record_created(&ports, origin, &user).await?;
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

    /// The user of that name.
    ///
    /// # Errors
    /// [`ManageUserError::NotFound`] or [`ManageUserError::Unavailable`].
    pub async fn named(&self, name: &Username) -> Result<User, ManageUserError> {
        let found = self.ports.users.find_by_username(name).await?;
        found.ok_or(ManageUserError::NotFound)
    }

    /// Gives a user another role, another password or both, all of it or nothing, and ends its sessions.
    ///
    /// Cancel safe: nothing is changed before the password is hashed; from then on it runs to its end.
    ///
    /// # Errors
    /// [`ChangeUserError`].
    #[tracing::instrument(name = "auth.change_user", skip_all, fields(user.id = %id))]
    pub async fn change(
        &self,
        id: UserId,
        change: UserChange,
        origin: Origin,
    ) -> Result<User, ChangeUserError> {
        let UserChange { role, password } = change;
        if role.is_none() && password.is_none() {
            return Err(ChangeUserError::Nothing);
        }
        let password_hash = match password {
            Some(password) => {
                let user = self.ports.users.find_by_id(id).await?;
                let user = user.ok_or(ChangeUserError::NotFound)?;
                self.policy.check(&password, &[user.username.as_str()])?;
                Some(self.ports.hasher.hash(&password).await?)
            }
            None => None,
        };
        let update = UserUpdate {
            role,
            password_hash,
        };
        let ports = self.ports.clone();
        let work = async move {
            let updated = update_and_record(&ports, id, update, &origin).await;
            if let Err(ChangeUserError::LastAdmin) = updated {
                let (change, reason) = (AccountChange::Update, AccountRefusal::LastAdmin);
                let recorded = ports.refuse(change, Some(id), reason, origin).await;
                recorded.map_err(boxed)?;
            }
            updated
        };
        self.ports.to_the_end(work).await
    }

    /// Deletes a user and ends its sessions.
    ///
    /// Cancel safe: runs to its end.
    ///
    /// # Errors
    /// [`ManageUserError`].
    pub async fn delete(&self, id: UserId, origin: Origin) -> Result<(), ManageUserError> {
        let ports = self.ports.clone();
        let work = async move {
            let deleted = ports.users.delete(id).await;
            ports.memory.forget_user(id);
            if let Err(UserRepositoryError::LastAdmin) = deleted {
                let (change, reason) = (AccountChange::Delete, AccountRefusal::LastAdmin);
                let recorded = ports.refuse(change, Some(id), reason, origin).await;
                recorded.map_err(boxed)?;
                return Err(ManageUserError::LastAdmin);
            }
            deleted?;
            ports.sweep(id).await;
            let kind = AuthEventKind::UserDeleted { user_id: id };
            let recorded = ports.record(origin, kind).await;
            recorded.map_err(ManageUserError::NotRecorded)
        };
        self.ports.to_the_end(work).await
    }

    /// Forgets the failures counted against a user.
    ///
    /// # Errors
    /// [`ManageUserError`].
    pub async fn unlock(&self, id: UserId, origin: Origin) -> Result<(), ManageUserError> {
        let user = self.get(id).await?;
        let account = AccountKey::of(user.username.as_str());
        self.ports.lockout.unlock(account).await.map_err(boxed)?;
        let kind = AuthEventKind::UserUnlocked { user_id: id };
        let recorded = self.ports.record(origin, kind).await;
        recorded.map_err(ManageUserError::NotRecorded)
    }

    /// Changes the principal's own password, which takes the current one, and ends all of its sessions.
    /// A wrong current password counts as a failed login does. Who changed it has proven who they are, so
    /// that [`LoginService::open_for`](super::LoginService::open_for) opens a session in the place of this one.
    ///
    /// Cancel safe: an attempt whose password was looked at is recorded; from the change on it runs to its end.
    ///
    /// # Errors
    /// [`ChangePasswordError`]; the password is as before, but for [`ChangePasswordError::NotRecorded`].
    #[tracing::instrument(name = "auth.change_password", skip_all, fields(user.id = %principal.user_id))]
    pub async fn change_password(
        &self,
        principal: &Principal,
        current: SecretString,
        new: SecretString,
        client: &Client,
    ) -> Result<ProvenUser, ChangePasswordError> {
        let origin = client.origin(principal);
        self.policy.check(&new, &[principal.username.as_str()])?;
        let user = self.ports.users.find_by_id(principal.user_id).await?;
        let user = user.ok_or(ChangePasswordError::NotFound)?;
        let attempt = Attempt::new(user.username.as_str(), client.address);
        let reservation = match self.ports.lockout.reserve(attempt).await {
            Ok(reservation) => reservation,
            Err(ReserveError::Locked { retry_after }) => {
                self.record_attempt(origin, AuthEventKind::LockedOut)
                    .await?;
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
                self.record_attempt(origin, kind).await?;
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
        let update = self.ports.hasher.hash(&new).await?.into();
        let (ports, id) = (self.ports.clone(), principal.user_id);
        let work = async move {
            let updated = update_and_record(&ports, id, update, &origin).await;
            updated.map(ProvenUser).map_err(|error| match error {
                ChangeUserError::NotFound => ChangePasswordError::NotFound,
                ChangeUserError::NotRecorded(source) => ChangePasswordError::NotRecorded(source),
                other => ChangePasswordError::Unavailable(other.into()),
            })
        };
        self.ports.to_the_end(work).await
    }

    /// Runs to its end: hanging up at the right moment must not keep a guess out of the audit log.
    async fn record_attempt(
        &self,
        origin: Origin,
        kind: AuthEventKind,
    ) -> Result<(), ChangePasswordError> {
        let ports = self.ports.clone();
        let work = async move { ports.record(origin, kind).await.map_err(boxed) };
        self.ports.to_the_end(work).await.map_err(Into::into)
    }
}

/// Changes a user in one step, which makes its sessions dead, and records what was changed.
async fn update_and_record(
    ports: &AuthPorts,
    id: UserId,
    update: UserUpdate,
    origin: &Origin,
) -> Result<User, ChangeUserError> {
    let (role, password) = (update.role, update.password_hash.is_some());
    let updated = ports.users.update(id, update).await;
    ports.memory.forget_user(id);
    let user = updated?;
    ports.sweep(id).await;
    let role = role.map(|role| AuthEventKind::RoleChanged { user_id: id, role });
    let password = password.then_some(AuthEventKind::PasswordChanged { user_id: id });
    for kind in [role, password].into_iter().flatten() {
        let recorded = ports.record(origin.clone(), kind).await;
        recorded.map_err(ChangeUserError::NotRecorded)?;
    }
    Ok(user)
}

fn boxed(error: impl Into<BoxError>) -> BoxError {
    error.into()
}

async fn record_created(
    ports: &AuthPorts,
    origin: Origin,
    user: &User,
) -> Result<(), CreateUserError> {
    let (user_id, username, role) = (user.id, user.username.clone(), user.role);
    let kind = AuthEventKind::UserCreated {
        user_id,
        username,
        role,
    };
    ports
        .record(origin, kind)
        .await
        .map_err(CreateUserError::NotRecorded)
}
