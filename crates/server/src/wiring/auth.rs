//! Signing in and sessions: keys, ports, services and the first administrator.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use resync_api::metrics::Seconds;
use resync_api::state::{App, SingleSignOn};
use resync_auth::{
    ApiKeyService, AuthKeys, AuthKeysError, AuthPorts, BcryptConfig, BcryptPool, BcryptPoolError,
    BreachList, CsrfTokens, FirstAdmin, InProcessLockout, LockoutLimits, LoginService,
    PasswordPolicy, SessionFeed, SessionMemory, SessionPolicy, SessionService, SetupService,
    TokenConfig, TokenMinter, TokenVerifier, UserService, Username,
};
use resync_kernel::{BoxError, Clock, ExposeSecret, IdGenerator};
use resync_tws::AuditService;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::audit_of_auth::AuditOfAuth;
use super::store::Stores;
use super::{StartError, oidc};
use crate::config::{Config, ConfigError};

/// How often expired sessions are taken out of the store.
const SESSION_SWEEP: Duration = Duration::from_mins(10);

/// The keys of `auth.secret_key`, which has no default (P1-05).
pub(super) fn keys(config: &Config) -> Result<AuthKeys, StartError> {
    let secret = config.auth.secret_key.as_ref().ok_or_else(|| {
        ConfigError::new(
            "auth.secret_key",
            "is missing; make one with `openssl rand -base64 48` and set AUTH_SECRET_KEY or the key in resync.toml",
        )
    })?;
    // An error names `auth.secret_key` itself, and the fix.
    let wrong = |key: &'static str, error: AuthKeysError| {
        let text = error.to_string();
        ConfigError::new(key, text.strip_prefix("auth.secret_key ").unwrap_or(&text))
    };
    AuthKeys::derive(secret).map_err(|error| wrong("auth.secret_key", error))?;
    let keys = AuthKeys::derive_with_previous(secret, &config.auth.previous_secret_keys)
        .map_err(|error| wrong("auth.previous_secret_keys", error))?;
    Ok(keys)
}

/// The rule for new passwords, with the list of leaked ones if the configuration names its file.
pub(super) fn password_policy(config: &Config) -> Result<PasswordPolicy, StartError> {
    let policy = PasswordPolicy::default();
    let Some(path) = &config.auth.breach_list else {
        return Ok(policy);
    };
    let wrong = |error: &dyn std::fmt::Display| {
        ConfigError::new("auth.breach_list", format!("{}: {error}", path.display()))
    };
    let file = std::fs::File::open(path).map_err(|error| wrong(&error))?;
    let list = BreachList::read(std::io::BufReader::new(file)).map_err(|error| wrong(&error))?;
    tracing::info!(entries = list.len(), "read the list of leaked passwords");
    Ok(policy.with_breach_list(list))
}

/// How passwords are hashed.
fn hashing(config: &Config) -> Result<BcryptConfig, StartError> {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    Ok(BcryptConfig {
        cost: config.auth.bcrypt_cost,
        workers: NonZeroUsize::new(config.auth.hash_workers).unwrap_or(cores),
        queue: NonZeroUsize::new(config.auth.hash_queue)
            .ok_or_else(|| ConfigError::new("auth.hash_queue", "must be at least 1"))?,
    })
}

fn no_threads(error: BcryptPoolError) -> StartError {
    StartError::failed("the threads that hash passwords did not start", error)
}

/// The threads that hash passwords; `waits` is told how long each password waited for one.
pub(super) fn hasher(config: &Config, waits: Seconds) -> Result<Arc<BcryptPool>, StartError> {
    let pool = BcryptPool::start_observed(hashing(config)?, move |waited| waits.observe(waited));
    pool.map(Arc::new).map_err(no_threads)
}

/// One thread that hashes passwords, for a process that has one to hash.
pub(super) fn single_hasher(config: &Config) -> Result<Arc<BcryptPool>, StartError> {
    let one = BcryptConfig {
        workers: NonZeroUsize::MIN,
        ..hashing(config)?
    };
    BcryptPool::start(one).map(Arc::new).map_err(no_threads)
}

/// What the ports are made of.
pub(super) struct Parts<'a> {
    pub(super) config: &'a Config,
    pub(super) stores: &'a Stores,
    pub(super) audit: &'a AuditService,
    pub(super) hasher: &'a Arc<BcryptPool>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn IdGenerator>,
    pub(super) tracker: TaskTracker,
    pub(super) feed: Arc<dyn SessionFeed>,
}

pub(super) fn ports(parts: Parts<'_>) -> AuthPorts {
    let Parts {
        config,
        stores,
        audit,
        hasher,
        clock,
        ids,
        tracker,
        feed,
    } = parts;
    AuthPorts {
        memory: SessionMemory::new(feed, clock.clone()),
        users: stores.users.clone(),
        sessions: stores.sessions.clone(),
        lockout: Arc::new(InProcessLockout::new(lockout_limits(config), clock.clone())),
        hasher: hasher.clone(),
        events: Arc::new(AuditOfAuth(audit.clone())),
        clock,
        ids,
        tracker,
    }
}

pub(super) fn lockout_limits(config: &Config) -> LockoutLimits {
    LockoutLimits {
        per_account_and_address: config.auth.lockout_attempts,
        per_account: config.auth.lockout_account_attempts,
        per_address: config.auth.lockout_address_attempts,
        window: Duration::from_secs(config.auth.lockout_seconds),
    }
}

/// The use cases of accounts, each built once.
pub(super) struct Accounts {
    pub(super) logins: LoginService,
    pub(super) sessions: SessionService,
    pub(super) csrf: CsrfTokens,
    pub(super) keys: ApiKeyService,
    pub(super) users: Arc<UserService>,
    pub(super) setup: SetupService,
    pub(super) oidc: Option<SingleSignOn>,
}

/// Builds them, and the administrator of the configuration when there is none yet.
pub(super) async fn accounts(
    config: &Config,
    keys: &AuthKeys,
    ports: &AuthPorts,
    stores: &Stores,
) -> Result<Accounts, StartError> {
    let (logins, sessions, csrf) = services(config, keys, ports)?;
    let users = Arc::new(UserService::new(ports.clone(), password_policy(config)?));
    first_admin(config, &users).await?;
    Ok(Accounts {
        logins,
        sessions,
        csrf,
        keys: api_keys(keys, ports, stores)?,
        users,
        setup: setup(ports, stores),
        oidc: oidc::sign_in(config, keys, ports, stores)?,
    })
}

pub(super) fn services(
    config: &Config,
    keys: &AuthKeys,
    ports: &AuthPorts,
) -> Result<(LoginService, SessionService, CsrfTokens), StartError> {
    let token = TokenConfig {
        issuer: config.auth.issuer.clone(),
        audience: config.auth.audience.clone(),
        lifetime: Duration::from_secs(u64::from(config.auth.session_minutes) * 60),
    };
    let wrong = |error: BoxError| StartError::failed("session tokens cannot be made", error);
    let minter = TokenMinter::new(keys, token.clone(), ports.clock.clone())
        .map_err(|error| wrong(error.into()))?;
    let verifier = TokenVerifier::new(keys, &token, ports.clock.clone())
        .map_err(|error| wrong(error.into()))?;
    let csrf = CsrfTokens::new(keys).map_err(|error| wrong(error.into()))?;
    let policy = SessionPolicy {
        idle: Duration::from_secs(u64::from(config.auth.idle_minutes) * 60),
    };
    Ok((
        LoginService::new(ports.clone(), minter, csrf.clone()),
        SessionService::new(ports.clone(), verifier, policy),
        csrf,
    ))
}

pub(super) fn api_keys(
    keys: &AuthKeys,
    ports: &AuthPorts,
    stores: &Stores,
) -> Result<ApiKeyService, StartError> {
    ApiKeyService::new(ports.clone(), stores.api_keys.clone(), keys)
        .map_err(|error| StartError::failed("API keys cannot be checked", error))
}

fn setup(ports: &AuthPorts, stores: &Stores) -> SetupService {
    SetupService::new(ports.clone(), stores.setup_tokens.clone())
}

/// While there is no administrator: one line for a person, with a link that makes one and works once.
/// It is no log line, for logs are kept and read by many. The token stands behind the `#`, which a
/// browser sends to nobody.
///
/// # Errors
/// [`StartError`] when the store does not answer.
pub(crate) async fn setup_notice(config: &Config, app: &App) -> Result<Option<String>, StartError> {
    let ticket = app
        .setup
        .open()
        .await
        .map_err(|error| StartError::failed("no setup link could be made", error))?;
    let own = format!("http://{}", config.server.listen);
    let url = config.server.public_url.as_deref().unwrap_or(&own);
    Ok(ticket.map(|ticket| {
        format!(
            "There is no administrator yet. Make one within 24 hours, with this link, which works once:\n  {}/setup#token={}",
            url.trim_end_matches('/'),
            ticket.token.expose_secret()
        )
    }))
}

/// The administrator of the first start. Without one in the configuration the server starts all the
/// same, and says how to make one.
async fn first_admin(config: &Config, users: &UserService) -> Result<(), StartError> {
    let (Some(name), Some(password)) = (&config.auth.admin_username, &config.auth.admin_password)
    else {
        return Ok(());
    };
    let username = Username::parse(name)
        .map_err(|error| ConfigError::new("auth.admin_username", error.to_string()))?;
    match users.ensure_first_admin(username, password.clone()).await {
        Ok(FirstAdmin::Created(user)) => {
            tracing::info!(user.name = %user.username, "made the first administrator");
        }
        Ok(FirstAdmin::Exists) => {}
        Err(resync_auth::CreateUserError::Password(error)) => {
            return Err(ConfigError::new("auth.admin_password", error.to_string()).into());
        }
        Err(error) => {
            return Err(StartError::failed(
                "the first administrator could not be made",
                error,
            ));
        }
    }
    Ok(())
}

/// Takes expired sessions out of the store now and then, until the end.
pub(super) async fn sweep_sessions(app: App, until: CancellationToken) {
    let mut tick = tokio::time::interval(SESSION_SWEEP);
    loop {
        tokio::select! {
            () = until.cancelled() => return,
            _ = tick.tick() => {
                if let Err(error) = app.sessions.remove_expired().await {
                    tracing::warn!(error = %error, "expired sessions stay in the store for now");
                }
            }
        }
    }
}
