//! A whole service in memory, with a clock that the test moves.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use async_trait::async_trait;
use resync_auth::*;
use resync_kernel::{CountingIds, ExposeSecret, ManualClock, SecretString, UserId};
use resync_memory::auth::{InMemoryAuthEvents, InMemorySessionStore, InMemoryUserRepository};
use tokio_util::task::TaskTracker;

pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const HOME: IpAddr = host(1);

pub(crate) const fn host(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, number))
}

/// What somebody does on the server's own machine.
pub(crate) fn local() -> Origin {
    Origin::of(Actor::Local(LocalUser::of("root")))
}

/// What `principal` does from home.
pub(crate) fn by(principal: &Principal) -> Origin {
    Origin::of(principal).at(HOME)
}

pub(crate) fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

pub(crate) fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

/// A feed that a test turns off and on, and that hears of what the test changes behind our back.
#[derive(Debug, Default)]
pub(crate) struct ManualFeed {
    away: AtomicBool,
    changes: AtomicU64,
}

impl ManualFeed {
    /// Somebody else changed the stores.
    pub(crate) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }
}

impl SessionFeed for ManualFeed {
    fn generation(&self) -> Option<u64> {
        (!self.away.load(Ordering::SeqCst)).then(|| self.changes.load(Ordering::SeqCst))
    }
}

/// The real hasher, and how often it looked at a password.
pub(crate) struct CountedHasher {
    pool: BcryptPool,
    pub(crate) looks: AtomicU32,
}

impl CountedHasher {
    pub(crate) fn with_cost(cost: u32) -> Arc<Self> {
        let workers = NonZeroUsize::new(2).unwrap();
        let queue = NonZeroUsize::new(64).unwrap();
        let pool = BcryptPool::start(BcryptConfig {
            cost,
            workers,
            queue,
        })
        .unwrap();
        Arc::new(Self {
            pool,
            looks: AtomicU32::new(0),
        })
    }
}

#[async_trait]
impl PasswordHasher for CountedHasher {
    async fn hash(&self, password: &SecretString) -> Result<PasswordHash, HasherError> {
        self.pool.hash(password).await
    }

    async fn verify(
        &self,
        password: &SecretString,
        stored: Option<PasswordHash>,
    ) -> Result<bool, HasherError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.pool.verify(password, stored).await
    }

    fn needs_rehash(&self, stored: &PasswordHash) -> bool {
        self.pool.needs_rehash(stored)
    }
}

pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) feed: Arc<ManualFeed>,
    pub(crate) hasher: Arc<CountedHasher>,
    pub(crate) events: Arc<InMemoryAuthEvents>,
    pub(crate) ports: AuthPorts,
    pub(crate) login: Arc<LoginService>,
    pub(crate) sessions: Arc<SessionService>,
    pub(crate) users: UserService,
    pub(crate) csrf: CsrfTokens,
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let hasher = CountedHasher::with_cost(4);
        let events = Arc::new(InMemoryAuthEvents::default());
        let limits = LockoutLimits::default();
        let feed = Arc::new(ManualFeed::default());
        let ports = AuthPorts {
            users: Arc::new(InMemoryUserRepository::default()),
            sessions: Arc::new(InMemorySessionStore::default()),
            memory: SessionMemory::new(Arc::clone(&feed) as _, Arc::clone(&clock) as _),
            lockout: Arc::new(InProcessLockout::new(limits, Arc::clone(&clock) as _)),
            hasher: Arc::clone(&hasher) as _,
            events: Arc::clone(&events) as _,
            clock: Arc::clone(&clock) as _,
            ids: Arc::new(CountingIds::default()),
            tracker: TaskTracker::new(),
        };
        Self::on(ports, clock, feed, hasher, events)
    }

    /// The same world with other ports.
    pub(crate) fn with_ports(self, change: impl FnOnce(&mut AuthPorts)) -> Self {
        let mut ports = self.ports;
        change(&mut ports);
        Self::on(ports, self.clock, self.feed, self.hasher, self.events)
    }

    /// The same stores with another hasher, as after a change of configuration.
    pub(crate) fn with_cost(self, cost: u32) -> Self {
        let hasher = CountedHasher::with_cost(cost);
        let ports = AuthPorts {
            hasher: Arc::clone(&hasher) as _,
            ..self.ports
        };
        Self::on(ports, self.clock, self.feed, hasher, self.events)
    }

    fn on(
        ports: AuthPorts,
        clock: Arc<ManualClock>,
        feed: Arc<ManualFeed>,
        hasher: Arc<CountedHasher>,
        events: Arc<InMemoryAuthEvents>,
    ) -> Self {
        let keys = AuthKeys::derive(&secret("an example of thirty-two bytes or more")).unwrap();
        let config = TokenConfig::default();
        let verifier = TokenVerifier::new(&keys, &config, Arc::clone(&clock) as _).unwrap();
        let minter = TokenMinter::new(&keys, config, Arc::clone(&clock) as _).unwrap();
        let csrf = CsrfTokens::new(&keys).unwrap();
        Self {
            login: Arc::new(LoginService::new(ports.clone(), minter, csrf.clone())),
            sessions: Arc::new(SessionService::new(
                ports.clone(),
                verifier,
                SessionPolicy::default(),
            )),
            users: UserService::new(ports.clone(), PasswordPolicy::default()),
            clock,
            feed,
            hasher,
            events,
            ports,
            csrf,
        }
    }

    pub(crate) async fn user(&self, username: &str, role: Role) -> User {
        let new = NewUser {
            username: name(username),
            password: secret(PASSWORD),
            role,
        };
        self.users.create(new, local()).await.unwrap()
    }

    pub(crate) async fn try_log_in(
        &self,
        username: &str,
        password: &str,
        address: IpAddr,
    ) -> Result<LoggedIn, LoginError> {
        self.login.log_in(username, secret(password), address).await
    }

    pub(crate) async fn log_in(&self, username: &str) -> LoggedIn {
        self.try_log_in(username, PASSWORD, HOME).await.unwrap()
    }

    pub(crate) async fn who(&self, logged_in: &LoggedIn) -> Result<Principal, AuthenticateError> {
        self.sessions
            .authenticate(logged_in.token.expose_secret())
            .await
    }

    pub(crate) async fn is_dead(&self, logged_in: &LoggedIn) -> bool {
        matches!(self.who(logged_in).await, Err(AuthenticateError::Invalid))
    }

    pub(crate) fn looks(&self) -> u32 {
        self.hasher.looks.load(Ordering::SeqCst)
    }

    pub(crate) fn last_event(&self) -> AuthEventKind {
        self.events.recorded().pop().unwrap().kind
    }

    /// Who the last event says did it.
    pub(crate) fn last_actor(&self) -> Option<UserId> {
        let last = self.events.recorded().pop().unwrap();
        last.origin.actor.user_id()
    }
}
