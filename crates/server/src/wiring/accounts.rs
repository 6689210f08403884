//! Accounts alone, for the command line beside a running server.
//!
//! - Nothing is remembered of sessions and no request is answered; what is changed is in the store, which
//!   the server follows.
//! - What belongs to a server's start is not done: no first administrator is made, and no action of the
//!   server is taken for one that never ended.

use std::sync::Arc;
use std::time::Duration;

use resync_auth::{
    ApiKeyService, AuthPorts, InProcessLockout, LockoutStore, SessionMemory, SessionService,
    UserService,
};
use resync_kernel::{Clock, IdGenerator, SystemClock, SystemIds};
use resync_tws::AuditService;
use tokio_util::task::TaskTracker;

use super::audit_of_auth::AuditOfAuth;
use super::store::{Database, Stores};
use super::{StartError, auth, redis, store};
use crate::config::Config;

/// The use cases of accounts, on the store of the configuration.
pub struct Accounts {
    /// Users.
    pub users: UserService,
    /// Their sessions.
    pub sessions: SessionService,
    /// Their API keys.
    pub keys: ApiKeyService,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where the store is.
    pub place: String,
    /// For how long an attempt counts, when the server counts them in its own memory, out of reach from here.
    pub counted_in_the_server: Option<Duration>,
    tracker: TaskTracker,
    database: Database,
}

impl Accounts {
    /// Waits for what was begun and closes the store.
    pub async fn close(self) {
        self.tracker.close();
        self.tracker.wait().await;
        self.database.close().await;
    }
}

/// Opens the store of `config` and builds the use cases.
///
/// # Errors
/// [`StartError`] naming what is missing.
pub async fn for_accounts(config: &Config) -> Result<Accounts, StartError> {
    let keys = auth::keys(config)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let ids: Arc<dyn IdGenerator> = Arc::new(SystemIds);
    let policy = auth::password_policy(config)?;
    let stores = Stores::open(config).await?;
    let audit = AuditService::new(stores.audit.clone(), clock.clone(), ids.clone());
    let limits = auth::lockout_limits(config);
    let shared = redis::lockout(config, clock.clone()).await?;
    let counted_in_the_server = shared.is_none().then_some(limits.window);
    let lockout: Arc<dyn LockoutStore> = match shared {
        Some(shared) => shared,
        None => Arc::new(InProcessLockout::new(limits, clock.clone())),
    };
    let tracker = TaskTracker::new();
    let ports = AuthPorts {
        users: stores.users.clone(),
        sessions: stores.sessions.clone(),
        memory: SessionMemory::off(clock.clone()),
        lockout,
        hasher: auth::single_hasher(config)?,
        events: Arc::new(AuditOfAuth(audit)),
        clock: clock.clone(),
        ids,
        tracker: tracker.clone(),
    };
    let (_, sessions, _) = auth::services(config, &keys, &ports)?;
    Ok(Accounts {
        keys: auth::api_keys(&keys, &ports, &stores)?,
        users: UserService::new(ports, policy),
        sessions,
        clock,
        place: store::place(config),
        counted_in_the_server,
        tracker,
        database: stores.database,
    })
}
