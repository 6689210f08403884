//! The only place where a port meets its adapter.
//!
//! Everything is built once, in order, before the listener takes a request, and ended in the
//! opposite order by [`Built::close`].

mod audit_of_auth;
mod engines;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use resync_api::edge::cookies::CookieStyle;
use resync_api::edge::origin::Origins;
use resync_api::routes::router;
use resync_api::state::{App, EdgeSettings, Parts, StoreProbe, WsSettings};
use resync_api::ws::Sockets;
use resync_auth::{
    AuthKeys, AuthPorts, BcryptConfig, BcryptPool, CsrfTokens, FirstAdmin, InProcessLockout,
    LockoutLimits, LoginService, PasswordPolicy, SessionPolicy, SessionService, TokenConfig,
    TokenMinter, TokenVerifier, UserService, Username,
};
use resync_chat::{ChatConfig, ChatParts, ChatService};
use resync_kernel::{BoxError, Clock, IdGenerator, SecretString, SystemClock, SystemIds};
use resync_rag::{KnowledgeConfig, KnowledgeParts, KnowledgeService};
use resync_sqlite::SqliteDatabase;
use resync_sqlite::auth::{SqliteSessionStore, SqliteUserRepository};
use resync_sqlite::chat::SqliteConversationStore;
use resync_sqlite::rag::SqliteDocumentRepository;
use resync_sqlite::tws::{SqliteAuditLog, SqliteProposalStore};
use resync_tws::ports::{AuditLog, ProposalStore};
use resync_tws::{
    ActionParts, ActionService, AuditService, CacheLimits, CachePolicy, ConfirmationKey, PlanParts,
    PlanService, Windows,
};
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{CacheConfig, Config, ConfigError};
use audit_of_auth::AuditOfAuth;

/// How often an open WebSocket's session is looked at again.
const SESSION_CHECK: Duration = Duration::from_secs(5);
/// How often expired sessions are taken out of the store.
const SESSION_SWEEP: Duration = Duration::from_mins(10);

/// Why the server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A key is missing or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Something it needs did not work.
    #[error("{what}")]
    Failed {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        source: BoxError,
    },
}

impl StartError {
    pub(crate) fn failed(what: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::Failed {
            what: what.into(),
            source: source.into(),
        }
    }
}

/// A server that is ready to take requests.
pub struct Built {
    /// What the handlers share.
    pub app: App,
    /// The routes and the pages.
    pub router: axum::Router,
    /// The users, for whoever makes some before the first request.
    pub users: UserService,
    /// Cancel it to end the server.
    pub shutdown: CancellationToken,
    background: CancellationToken,
    tracker: TaskTracker,
    database: SqliteDatabase,
}

impl Built {
    /// Ends what runs beside the requests, waits for it as long as `grace`, and closes the store.
    pub async fn close(self, grace: Duration) {
        self.background.cancel();
        self.tracker.close();
        if tokio::time::timeout(grace, self.tracker.wait())
            .await
            .is_err()
        {
            tracing::warn!(tasks = self.tracker.len(), "some work did not end in time");
        }
        self.database.close().await;
    }
}

/// The engine that `resync demo` feeds.
#[derive(Debug, Clone)]
pub struct DemoEngine {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub url: String,
    /// Its user.
    pub username: String,
    /// Its password.
    pub password: SecretString,
}

/// Builds the server of a configuration; `demo` is an engine whose data are invented (I-03: only
/// the command `demo` gives one).
///
/// # Errors
/// [`StartError`] naming what is missing.
pub async fn build(config: &Config, demo: Option<DemoEngine>) -> Result<Built, StartError> {
    let keys = keys(config)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let ids: Arc<dyn IdGenerator> = Arc::new(SystemIds);
    let (tracker, shutdown, background) = (
        TaskTracker::new(),
        CancellationToken::new(),
        CancellationToken::new(),
    );
    let database = open_database(config).await?;

    let audit_log: Arc<dyn AuditLog> = Arc::new(SqliteAuditLog::new(database.clone()));
    let audit = AuditService::new(audit_log.clone(), clock.clone(), ids.clone());
    let engines = engines::build(&config.tws, demo)?;
    let plan = PlanService::new(PlanParts {
        engines,
        clock: clock.clone(),
        tracker: tracker.clone(),
        policy: policy(&config.cache),
        limits: CacheLimits {
            max_entries: config.cache.max_entries,
            max_bytes: config.cache.max_bytes,
        },
    });
    let actions = ActionService::new(ActionParts {
        plan: plan.clone(),
        proposals: Arc::new(SqliteProposalStore::new(database.clone())) as Arc<dyn ProposalStore>,
        audit: audit_log,
        key: ConfirmationKey::new(*keys.confirmation().expose()),
        clock: clock.clone(),
        ids: ids.clone(),
        tracker: tracker.clone(),
        verify: Duration::from_secs(config.tws.verify_seconds),
    });
    let unfinished = audit.reconcile_unfinished().await.map_err(|error| {
        StartError::failed(
            "the audit log cannot be completed after the last run",
            error,
        )
    })?;
    if unfinished > 0 {
        tracing::warn!(
            actions = unfinished,
            "actions of the last run ended without an outcome; audited as unknown"
        );
    }
    let knowledge = KnowledgeService::new(KnowledgeParts {
        documents: Arc::new(SqliteDocumentRepository::new(database.clone())),
        clock: clock.clone(),
        ids: ids.clone(),
        tasks: tracker.clone(),
        config: KnowledgeConfig {
            max_upload_bytes: config.rag.max_upload_bytes,
            chunk_chars: config.rag.chunk_chars,
            ..KnowledgeConfig::default()
        },
    });
    knowledge
        .load()
        .await
        .map_err(|error| StartError::failed("the documents cannot be loaded", error))?;
    let chat = ChatService::new(ChatParts {
        plan: Arc::new(plan.clone()),
        knowledge: Arc::new(knowledge.clone()),
        conversations: Arc::new(SqliteConversationStore::new(database.clone())),
        clock: clock.clone(),
        ids: ids.clone(),
        config: ChatConfig::default(),
    });
    let ports = auth_ports(
        config,
        &database,
        &audit,
        clock.clone(),
        ids.clone(),
        tracker.clone(),
    )?;
    let (logins, sessions, csrf) = auth_services(config, &keys, &ports)?;
    let users = UserService::new(ports.clone(), PasswordPolicy::default());
    first_admin(config, &users).await?;

    let app = App::new(Parts {
        logins,
        sessions,
        csrf,
        plan: plan.clone(),
        actions,
        audit,
        chat,
        knowledge,
        store: Arc::new(Probe(database.clone())),
        edge: edge(config),
        sockets: Sockets::default(),
        clock,
        ids,
        tracker: tracker.clone(),
        shutdown: shutdown.clone(),
    });
    let maintenance = background.clone();
    tracker.spawn(async move { plan.run_maintenance(maintenance).await });
    tracker.spawn(sweep_sessions(app.clone(), background.clone()));
    let router = router(app.clone(), resync_web::router());
    Ok(Built {
        app,
        router,
        users,
        shutdown,
        background,
        tracker,
        database,
    })
}

/// The keys of `auth.secret_key`, which has no default (P1-05).
fn keys(config: &Config) -> Result<AuthKeys, StartError> {
    let secret = config.auth.secret_key.as_ref().ok_or_else(|| {
        ConfigError::new(
            "auth.secret_key",
            "is missing; make one with `openssl rand -base64 48` and set AUTH_SECRET_KEY or the key in resync.toml",
        )
    })?;
    let keys = AuthKeys::derive(secret).map_err(|error| {
        ConfigError::new(
            "auth.secret_key",
            format!("{error}; make one with `openssl rand -base64 48`"),
        )
    })?;
    Ok(keys)
}

async fn open_database(config: &Config) -> Result<SqliteDatabase, StartError> {
    let path = if let Some(url) = &config.database.url {
        url.trim_start_matches("sqlite://").into()
    } else {
        let folder = &config.server.data_dir;
        std::fs::create_dir_all(folder).map_err(|error| {
            StartError::failed(
                format!("server.data_dir: {} cannot be made", folder.display()),
                error,
            )
        })?;
        folder.join("resync.db")
    };
    SqliteDatabase::open(&path).await.map_err(|error| {
        StartError::failed(
            format!("database.url: {} cannot be opened", path.display()),
            error,
        )
    })
}

fn auth_ports(
    config: &Config,
    database: &SqliteDatabase,
    audit: &AuditService,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    tracker: TaskTracker,
) -> Result<AuthPorts, StartError> {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let hasher = BcryptPool::start(BcryptConfig {
        cost: config.auth.bcrypt_cost,
        workers: NonZeroUsize::new(config.auth.hash_workers).unwrap_or(cores),
        queue: NonZeroUsize::new(config.auth.hash_queue)
            .ok_or_else(|| ConfigError::new("auth.hash_queue", "must be at least 1"))?,
    })
    .map_err(|error| StartError::failed("the threads that hash passwords did not start", error))?;
    let limits = LockoutLimits {
        per_account_and_address: config.auth.lockout_attempts,
        per_account: config.auth.lockout_account_attempts,
        per_address: config.auth.lockout_address_attempts,
        window: Duration::from_secs(config.auth.lockout_seconds),
    };
    Ok(AuthPorts {
        users: Arc::new(SqliteUserRepository::new(database.clone())),
        sessions: Arc::new(SqliteSessionStore::new(database.clone())),
        lockout: Arc::new(InProcessLockout::new(limits, clock.clone())),
        hasher: Arc::new(hasher),
        events: Arc::new(AuditOfAuth(audit.clone())),
        clock,
        ids,
        tracker,
    })
}

fn auth_services(
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
            tracing::info!(user.name = %user.username, "made the first administrator")
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

fn edge(config: &Config) -> EdgeSettings {
    let server = &config.server;
    // Plain names and no `Secure` only where nobody else can listen in, or where the operator says so.
    let plain = server.insecure_cookies
        || (server.listen.ip().is_loopback()
            && server
                .public_url
                .as_ref()
                .is_none_or(|url| url.starts_with("http://")));
    let port = server.listen.port();
    let own = [
        format!("http://{}", server.listen),
        format!("http://localhost:{port}"),
        format!("http://127.0.0.1:{port}"),
    ];
    let origins = own
        .into_iter()
        .chain(server.public_url.clone())
        .chain(server.allowed_origins.iter().cloned());
    EdgeSettings {
        origins: Origins::new(origins),
        cookies: if plain {
            CookieStyle::Plain
        } else {
            CookieStyle::Secure
        },
        trusted_proxies: server.trusted_proxies,
        max_upload_bytes: config.rag.max_upload_bytes,
        handler_timeout: Duration::from_secs(server.body_timeout_seconds),
        ws: WsSettings {
            idle_timeout: Duration::from_secs(config.ws.idle_timeout_seconds),
            max_message_bytes: config.ws.max_message_bytes,
            send_timeout: Duration::from_secs(config.ws.send_timeout_seconds),
            max_connections_per_user: config.ws.max_connections_per_user,
            max_connections: config.ws.max_connections,
            session_check: SESSION_CHECK,
        },
    }
}

fn policy(cache: &CacheConfig) -> CachePolicy {
    let windows = |fresh, stale| Windows {
        fresh: Duration::from_secs(fresh),
        stale: Duration::from_secs(stale),
    };
    CachePolicy {
        job_status: windows(
            cache.job_status_fresh_seconds,
            cache.job_status_stale_seconds,
        ),
        job_logs: windows(cache.job_logs_fresh_seconds, cache.job_logs_stale_seconds),
        graph: windows(cache.graph_fresh_seconds, cache.graph_stale_seconds),
        statics: windows(cache.static_fresh_seconds, cache.static_stale_seconds),
        default: windows(cache.default_fresh_seconds, cache.default_stale_seconds),
    }
}

/// Takes expired sessions out of the store now and then, until the end.
async fn sweep_sessions(app: App, until: CancellationToken) {
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

/// Readiness asks the store through this.
struct Probe(SqliteDatabase);

#[async_trait]
impl StoreProbe for Probe {
    async fn ping(&self) -> Result<(), BoxError> {
        Ok(self.0.ping().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn complaint(adjust: fn(&mut Config)) -> String {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.server.data_dir = folder.path().to_path_buf();
        config.auth.secret_key = Some("a secret of more than thirty-two bytes".into());
        config.auth.bcrypt_cost = 4;
        adjust(&mut config);
        match build(&config, None).await {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    /// P1-05
    #[tokio::test]
    async fn production_without_secret_fails_boot() {
        let missing = complaint(|config| config.auth.secret_key = None).await;
        assert!(
            missing.starts_with("auth.secret_key: is missing; make one with"),
            "{missing}"
        );
        let short = complaint(|config| config.auth.secret_key = Some("short".into())).await;
        assert!(
            short.starts_with("auth.secret_key: ") && short.contains("32"),
            "{short}"
        );
    }

    #[tokio::test]
    async fn each_part_that_cannot_start_names_its_key() {
        let weak = complaint(|config| {
            config.auth.admin_username = Some("ana".to_owned());
            config.auth.admin_password = Some("short".into());
        })
        .await;
        assert!(weak.starts_with("auth.admin_password: "), "{weak}");
        let nowhere =
            complaint(|config| config.database.url = Some("sqlite:///no/such/folder/x.db".into()))
                .await;
        assert!(
            nowhere.starts_with("database.url: /no/such/folder/x.db"),
            "{nowhere}"
        );
        assert_eq!(complaint(|_| {}).await, "");
    }

    #[test]
    fn plain_cookies_are_for_plain_http_on_loopback_only() {
        let style = |adjust: fn(&mut Config)| {
            let mut config = Config::default();
            adjust(&mut config);
            edge(&config).cookies
        };
        assert_eq!(style(|_| {}), CookieStyle::Plain);
        assert_eq!(
            style(|config| config.server.listen = ([0, 0, 0, 0], 8080).into()),
            CookieStyle::Secure
        );
        assert_eq!(
            style(|config| config.server.public_url = Some("https://resync.example".to_owned())),
            CookieStyle::Secure
        );
        assert_eq!(
            style(|config| {
                config.server.listen = ([0, 0, 0, 0], 8080).into();
                config.server.insecure_cookies = true;
            }),
            CookieStyle::Plain
        );
    }
}
