//! Services on a SQLite file and in memory, with one user who is logged in.

use std::num::NonZeroUsize;
use std::sync::Arc;

use resync_auth::{
    Actor, AuthKeys, AuthPorts, BcryptConfig, BcryptPool, Client, CsrfTokens, InProcessLockout,
    LockoutLimits, LoginService, NewUser, Origin, PasswordHasher, PasswordPolicy, Role,
    SessionMemory, SessionPolicy, SessionService, SoleWriter, TokenConfig, TokenMinter,
    TokenVerifier, UserService, Username,
};
use resync_kernel::{BoxError, Clock, SecretString, SystemClock, SystemIds, random_token};
use resync_memory::auth::{InMemoryAuthEvents, InMemorySessionStore, InMemoryUserRepository};
use resync_sqlite::SqliteDatabase;
use resync_sqlite::auth::{SqliteSessionFeed, SqliteSessionStore, SqliteUserRepository};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) const PASSWORD: &str = "a password for benches";

/// What the services share.
pub(crate) struct Common {
    pub(crate) keys: AuthKeys,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tracker: TaskTracker,
    hasher: Arc<dyn PasswordHasher>,
}

impl Common {
    /// A secret of this run, and a hasher of one thread a core.
    pub(crate) fn new(cost: u32) -> Result<Self, BoxError> {
        let cores = std::thread::available_parallelism()?;
        let queue = NonZeroUsize::new(64).ok_or("64 is not zero")?;
        Ok(Self {
            keys: AuthKeys::derive(&SecretString::from(random_token(48)?))?,
            clock: Arc::new(SystemClock::new()),
            tracker: TaskTracker::new(),
            hasher: Arc::new(BcryptPool::start(BcryptConfig {
                cost,
                workers: cores,
                queue,
            })?),
        })
    }

    fn in_memory(&self) -> AuthPorts {
        let clock = &self.clock;
        // The storm comes from addresses and on accounts of its own, each once a round.
        let limits = LockoutLimits {
            per_account: 1_000_000,
            per_account_and_address: 1_000_000,
            per_address: 1_000_000,
            ..LockoutLimits::default()
        };
        AuthPorts {
            users: Arc::new(InMemoryUserRepository::default()),
            sessions: Arc::new(InMemorySessionStore::default()),
            memory: SessionMemory::new(Arc::new(SoleWriter), Arc::clone(clock)),
            lockout: Arc::new(InProcessLockout::new(limits, Arc::clone(clock))),
            hasher: Arc::clone(&self.hasher),
            events: Arc::new(InMemoryAuthEvents::default()),
            clock: Arc::clone(clock),
            ids: Arc::new(SystemIds),
            tracker: self.tracker.clone(),
        }
    }

    pub(crate) fn verifier(&self) -> Result<TokenVerifier, BoxError> {
        let clock = Arc::clone(&self.clock);
        let verifier = TokenVerifier::new(&self.keys, &TokenConfig::default(), clock)?;
        Ok(verifier)
    }

    pub(crate) fn login(&self, ports: &AuthPorts) -> Result<LoginService, BoxError> {
        let clock = Arc::clone(&self.clock);
        let minter = TokenMinter::new(&self.keys, TokenConfig::default(), clock)?;
        let csrf = CsrfTokens::new(&self.keys)?;
        Ok(LoginService::new(ports.clone(), minter, csrf))
    }

    fn sessions(&self, ports: AuthPorts) -> Result<SessionService, BoxError> {
        Ok(SessionService::new(
            ports,
            self.verifier()?,
            SessionPolicy::default(),
        ))
    }
}

/// One user's session on a file, by way of the memory and without it.
pub(crate) struct OnFile {
    pub(crate) warm: Arc<SessionService>,
    pub(crate) cold: SessionService,
    pub(crate) token: SecretString,
    pub(crate) until: CancellationToken,
    _folder: TempDir,
}

impl OnFile {
    pub(crate) async fn new(common: &Common) -> Result<Self, BoxError> {
        let folder = tempfile::tempdir()?;
        let database = SqliteDatabase::open(folder.path().join("resync.db")).await?;
        let feed = SqliteSessionFeed::new(database.clone(), Arc::clone(&common.clock));
        let feed = Arc::new(feed);
        feed.poll().await?;
        let until = CancellationToken::new();
        let (following, end) = (Arc::clone(&feed), until.clone());
        common
            .tracker
            .spawn(async move { following.run(end).await });
        let ports = AuthPorts {
            users: Arc::new(SqliteUserRepository::new(database.clone())),
            sessions: Arc::new(SqliteSessionStore::new(database)),
            memory: SessionMemory::new(feed, Arc::clone(&common.clock)),
            ..common.in_memory()
        };
        add_user(&ports, "ana").await?;
        let address = "192.0.2.1".parse::<std::net::IpAddr>()?;
        let login = common.login(&ports)?;
        let logged_in = login
            .log_in("ana", PASSWORD.into(), Client::from(address))
            .await?;
        let forgetful = AuthPorts {
            memory: SessionMemory::off(Arc::clone(&common.clock)),
            ..ports.clone()
        };
        Ok(Self {
            warm: Arc::new(common.sessions(ports)?),
            cold: common.sessions(forgetful)?,
            token: logged_in.token,
            until,
            _folder: folder,
        })
    }
}

/// Users in memory, for the storm.
pub(crate) async fn crowd(common: &Common, size: usize) -> Result<Arc<LoginService>, BoxError> {
    let ports = common.in_memory();
    for number in 0..size {
        add_user(&ports, &format!("user{number}")).await?;
    }
    Ok(Arc::new(common.login(&ports)?))
}

async fn add_user(ports: &AuthPorts, name: &str) -> Result<(), BoxError> {
    let new = NewUser {
        username: Username::parse(name)?,
        password: PASSWORD.into(),
        role: Role::Operator,
    };
    UserService::new(ports.clone(), PasswordPolicy::default())
        .create(new, Origin::of(Actor::Configuration))
        .await?;
    Ok(())
}
