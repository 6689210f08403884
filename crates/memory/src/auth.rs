//! Ports of `resync-auth`.
//!
//! Each store is one mutex around plain data, held for a few lines without `await`; what a port
//! promises to do in one step is done under it. The lockout needs no module here: the one of
//! `resync-auth` itself lives in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_auth::{
    ApiKey, ApiKeyDigest, ApiKeyId, ApiKeyRepository, ApiKeyRepositoryError, AuthEvent, AuthEvents,
    AuthEventsError, AuthPorts, ExternalAccount, IdentityStore, IdentityStoreError,
    InProcessLockout, LockoutLimits, PasswordHash, PasswordHasher, Role, Session, SessionId,
    SessionMemory, SessionStore, SessionStoreError, SetupRecord, SetupTokenStore,
    SetupTokenStoreError, SoleWriter, TokenId, User, UserFilter, UserRepository,
    UserRepositoryError, UserUpdate, Username,
};
use resync_kernel::{Clock, IdGenerator, Limit, UserId};
use tokio_util::task::TaskTracker;

/// No code panics under these locks, so a poisoned one still holds whole data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The ports of a service that lives in memory and ends with the process, for tests, demos and examples:
/// the usual limits of the lockout, and a memory of sessions that nobody else changes.
#[must_use]
pub fn ports(
    hasher: Arc<dyn PasswordHasher>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
) -> AuthPorts {
    let limits = LockoutLimits::default();
    AuthPorts {
        users: Arc::new(InMemoryUserRepository::default()),
        sessions: Arc::new(InMemorySessionStore::default()),
        memory: SessionMemory::new(Arc::new(SoleWriter), Arc::clone(&clock)),
        lockout: Arc::new(InProcessLockout::new(limits, Arc::clone(&clock))),
        hasher,
        events: Arc::new(InMemoryAuthEvents::default()),
        clock,
        ids,
        tracker: TaskTracker::new(),
    }
}

/// Users in memory.
#[derive(Debug, Default)]
pub struct InMemoryUserRepository {
    users: Mutex<BTreeMap<UserId, User>>,
}

type Users = BTreeMap<UserId, User>;

fn insert(users: &mut Users, user: &User) -> Result<(), UserRepositoryError> {
    let taken = users
        .values()
        .any(|other| other.id == user.id || other.username == user.username);
    if taken {
        return Err(UserRepositoryError::AlreadyExists);
    }
    users.insert(user.id, user.clone());
    Ok(())
}

fn admins(users: &Users) -> usize {
    users
        .values()
        .filter(|user| user.role == Role::Admin)
        .count()
}

/// The user `id`, refused when it is the last admin and would be none: `stays_admin` is told its role.
fn demotable(
    users: &mut Users,
    id: UserId,
    stays_admin: impl FnOnce(Role) -> bool,
) -> Result<&mut User, UserRepositoryError> {
    let admins = admins(users);
    let user = users.get_mut(&id).ok_or(UserRepositoryError::NotFound)?;
    if user.role == Role::Admin && !stays_admin(user.role) && admins == 1 {
        return Err(UserRepositoryError::LastAdmin);
    }
    Ok(user)
}

#[async_trait]
impl UserRepository for InMemoryUserRepository {
    async fn find_by_username(
        &self,
        username: &Username,
    ) -> Result<Option<User>, UserRepositoryError> {
        Ok(lock(&self.users)
            .values()
            .find(|user| user.username == *username)
            .cloned())
    }

    async fn find_by_id(&self, id: UserId) -> Result<Option<User>, UserRepositoryError> {
        Ok(lock(&self.users).get(&id).cloned())
    }

    async fn list(
        &self,
        filter: UserFilter,
        after: Option<Username>,
        limit: Limit,
    ) -> Result<Vec<User>, UserRepositoryError> {
        let mut users: Vec<_> = lock(&self.users)
            .values()
            .filter(|user| after.as_ref().is_none_or(|after| user.username > *after))
            .filter(|user| filter.lets_through(user))
            .cloned()
            .collect();
        users.sort_by(|a, b| a.username.cmp(&b.username));
        users.truncate(usize::try_from(limit.get()).unwrap_or(usize::MAX));
        Ok(users)
    }

    async fn count_admins(&self) -> Result<u64, UserRepositoryError> {
        Ok(u64::try_from(admins(&lock(&self.users))).unwrap_or(u64::MAX))
    }

    async fn insert(&self, user: &User) -> Result<(), UserRepositoryError> {
        insert(&mut lock(&self.users), user)
    }

    async fn insert_first_admin(&self, user: &User) -> Result<bool, UserRepositoryError> {
        let mut users = lock(&self.users);
        if admins(&users) > 0 {
            return Ok(false);
        }
        insert(&mut users, user).map(|()| true)
    }

    async fn update_password_hash(
        &self,
        id: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, UserRepositoryError> {
        let mut users = lock(&self.users);
        let Some(user) = users.get_mut(&id).filter(|user| user.password_hash == *old) else {
            return Ok(false);
        };
        user.password_hash = new.clone();
        Ok(true)
    }

    async fn update(&self, id: UserId, update: UserUpdate) -> Result<User, UserRepositoryError> {
        let mut users = lock(&self.users);
        let user = demotable(&mut users, id, |role| {
            update.role.unwrap_or(role) == Role::Admin
        })?;
        user.role = update.role.unwrap_or(user.role);
        if let Some(hash) = update.password_hash {
            user.password_hash = hash;
        }
        user.session_version += 1;
        Ok(user.clone())
    }

    async fn delete(&self, id: UserId) -> Result<(), UserRepositoryError> {
        let mut users = lock(&self.users);
        demotable(&mut users, id, |_| false)?;
        users.remove(&id);
        Ok(())
    }
}

/// Which user of `users` an account at an identity provider is, in memory.
#[derive(Debug)]
pub struct InMemoryIdentityStore {
    users: Arc<InMemoryUserRepository>,
    links: Mutex<BTreeMap<ExternalAccount, UserId>>,
}

impl InMemoryIdentityStore {
    /// Links with `users`.
    #[must_use]
    pub fn new(users: Arc<InMemoryUserRepository>) -> Self {
        Self {
            users,
            links: Mutex::default(),
        }
    }
}

#[async_trait]
impl IdentityStore for InMemoryIdentityStore {
    async fn find(&self, account: &ExternalAccount) -> Result<Option<User>, IdentityStoreError> {
        let Some(id) = lock(&self.links).get(account).copied() else {
            return Ok(None);
        };
        // A link whose user was deleted is none.
        Ok(lock(&self.users.users).get(&id).cloned())
    }

    async fn provision(
        &self,
        account: &ExternalAccount,
        user: &User,
    ) -> Result<(), IdentityStoreError> {
        // Both at once, in this order and nowhere in the other one.
        let (mut links, mut users) = (lock(&self.links), lock(&self.users.users));
        if links.get(account).is_some_and(|id| users.contains_key(id)) {
            return Err(IdentityStoreError::AlreadyLinked);
        }
        insert(&mut users, user).map_err(|error| match error {
            UserRepositoryError::AlreadyExists => IdentityStoreError::NameTaken,
            other => IdentityStoreError::Unavailable(other.into()),
        })?;
        links.insert(account.clone(), user.id);
        Ok(())
    }
}

/// Sessions in memory; they end with the process.
#[derive(Debug, Default)]
pub struct InMemorySessionStore {
    sessions: Mutex<BTreeMap<SessionId, Session>>,
}

impl InMemorySessionStore {
    fn remove_where(&self, gone: impl Fn(&Session) -> bool) -> u64 {
        let mut sessions = lock(&self.sessions);
        let before = sessions.len();
        sessions.retain(|_, session| !gone(session));
        u64::try_from(before - sessions.len()).unwrap_or(u64::MAX)
    }
}

#[async_trait]
impl SessionStore for InMemorySessionStore {
    async fn create(&self, session: &Session) -> Result<(), SessionStoreError> {
        lock(&self.sessions).insert(session.id, session.clone());
        Ok(())
    }

    async fn find_active(
        &self,
        id: SessionId,
        token_id: TokenId,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>, SessionStoreError> {
        let sessions = lock(&self.sessions);
        let session = sessions.get(&id);
        Ok(session
            .filter(|one| one.token_id == token_id && now < one.expires_at)
            .cloned())
    }

    async fn touch(&self, id: SessionId, now: DateTime<Utc>) -> Result<(), SessionStoreError> {
        if let Some(session) = lock(&self.sessions).get_mut(&id) {
            session.last_seen_at = session.last_seen_at.max(now);
        }
        Ok(())
    }

    async fn revoke(&self, user_id: UserId, id: SessionId) -> Result<bool, SessionStoreError> {
        Ok(self.remove_where(|session| session.id == id && session.user_id == user_id) > 0)
    }

    async fn revoke_all(&self, user_id: UserId) -> Result<u64, SessionStoreError> {
        Ok(self.remove_where(|session| session.user_id == user_id))
    }

    async fn list_active(
        &self,
        user_id: UserId,
        now: DateTime<Utc>,
    ) -> Result<Vec<Session>, SessionStoreError> {
        let mut sessions: Vec<_> = lock(&self.sessions)
            .values()
            .filter(|session| session.user_id == user_id && now < session.expires_at)
            .cloned()
            .collect();
        sessions.sort_by_key(|session| (session.created_at, session.id));
        Ok(sessions)
    }

    async fn remove_expired(&self, now: DateTime<Utc>) -> Result<u64, SessionStoreError> {
        Ok(self.remove_where(|session| session.expires_at <= now))
    }
}

/// API keys in memory.
#[derive(Debug, Default)]
pub struct InMemoryApiKeyRepository {
    keys: Mutex<Vec<ApiKey>>,
}

#[async_trait]
impl ApiKeyRepository for InMemoryApiKeyRepository {
    async fn insert(&self, key: &ApiKey, most: u32) -> Result<bool, ApiKeyRepositoryError> {
        let mut keys = lock(&self.keys);
        let owned = keys
            .iter()
            .filter(|other| other.user_id == key.user_id)
            .count();
        let room = u32::try_from(owned).is_ok_and(|owned| owned < most);
        if room {
            keys.push(key.clone());
        }
        Ok(room)
    }

    async fn find(&self, digest: ApiKeyDigest) -> Result<Option<ApiKey>, ApiKeyRepositoryError> {
        Ok(lock(&self.keys)
            .iter()
            .find(|key| key.digest == digest)
            .cloned())
    }

    async fn list(&self, user_id: UserId) -> Result<Vec<ApiKey>, ApiKeyRepositoryError> {
        let mut keys: Vec<_> = lock(&self.keys)
            .iter()
            .filter(|key| key.user_id == user_id)
            .cloned()
            .collect();
        keys.sort_by_key(|key| (key.created_at, key.id));
        Ok(keys)
    }

    async fn note_use(&self, id: ApiKeyId, at: DateTime<Utc>) -> Result<(), ApiKeyRepositoryError> {
        if let Some(key) = lock(&self.keys).iter_mut().find(|key| key.id == id) {
            key.last_used_at = Some(key.last_used_at.map_or(at, |last| last.max(at)));
        }
        Ok(())
    }

    async fn renew_digest(
        &self,
        id: ApiKeyId,
        old: ApiKeyDigest,
        new: ApiKeyDigest,
    ) -> Result<bool, ApiKeyRepositoryError> {
        let mut keys = lock(&self.keys);
        let key = keys
            .iter_mut()
            .find(|key| key.id == id && key.digest == old);
        Ok(key.map(|key| key.digest = new).is_some())
    }

    async fn delete(&self, user_id: UserId, id: ApiKeyId) -> Result<bool, ApiKeyRepositoryError> {
        let mut keys = lock(&self.keys);
        let before = keys.len();
        keys.retain(|key| !(key.id == id && key.user_id == user_id));
        Ok(keys.len() < before)
    }
}

/// Keeps what was recorded, for a test to read.
#[derive(Debug, Default)]
pub struct InMemoryAuthEvents {
    events: Mutex<Vec<AuthEvent>>,
}

impl InMemoryAuthEvents {
    /// What was recorded so far, in its order.
    #[must_use]
    pub fn recorded(&self) -> Vec<AuthEvent> {
        lock(&self.events).clone()
    }
}

#[async_trait]
impl AuthEvents for InMemoryAuthEvents {
    async fn record(&self, event: AuthEvent) -> Result<(), AuthEventsError> {
        lock(&self.events).push(event);
        Ok(())
    }
}

/// The token of the first start in memory; it ends with the process.
#[derive(Debug, Default)]
pub struct InMemorySetupTokenStore {
    record: Mutex<Option<SetupRecord>>,
}

#[async_trait]
impl SetupTokenStore for InMemorySetupTokenStore {
    async fn replace(&self, record: &SetupRecord) -> Result<(), SetupTokenStoreError> {
        *lock(&self.record) = Some(record.clone());
        Ok(())
    }

    async fn find(&self) -> Result<Option<SetupRecord>, SetupTokenStoreError> {
        Ok(lock(&self.record).clone())
    }

    async fn clear(&self) -> Result<(), SetupTokenStoreError> {
        *lock(&self.record) = None;
        Ok(())
    }
}
