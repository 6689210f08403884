//! The store: where it lies, what it keeps, and whether it answers.
//!
//! Invariant: nothing outside this file knows which database it is.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use resync_api::state::StoreProbe;
use resync_auth::{
    ApiKeyRepository, IdentityStore, SessionFeed, SessionStore, SetupTokenStore, UserRepository,
};
use resync_chat::ConversationStore;
use resync_kernel::{BoxError, Clock};
use resync_postgres::auth::{
    PgApiKeyRepository, PgIdentityStore, PgSessionFeed, PgSessionStore, PgSetupTokenStore,
    PgUserRepository,
};
use resync_postgres::chat::PgConversationStore;
use resync_postgres::rag::{PgDocumentRepository, PgVectorSearch};
use resync_postgres::tws::{
    PgAuditLog, PgEngineRepository, PgProposalStore, PgRunHistory, PgThresholdRepository,
};
use resync_postgres::{PgChannel, PgConfig, PgDatabase, PgNotices};
use resync_rag::{DocumentRepository, VectorRepository, VectorSearch};
use resync_sqlite::SqliteDatabase;
use resync_sqlite::auth::{
    SqliteApiKeyRepository, SqliteIdentityStore, SqliteSessionFeed, SqliteSessionStore,
    SqliteSetupTokenStore, SqliteUserRepository,
};
use resync_sqlite::chat::SqliteConversationStore;
use resync_sqlite::rag::SqliteDocumentRepository;
use resync_sqlite::tws::{
    SqliteAuditLog, SqliteEngineRepository, SqliteProposalStore, SqliteRunHistory,
    SqliteThresholdRepository,
};
use resync_tws::ports::{
    AuditLog, EngineRepository, ProposalStore, RunHistory, ThresholdRepository,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::StartError;
use crate::config::{Config, ConfigError, DatabaseUrl};

/// Everything that is kept, as the domains see it.
pub(super) struct Stores {
    pub(super) users: Arc<dyn UserRepository>,
    pub(super) sessions: Arc<dyn SessionStore>,
    pub(super) api_keys: Arc<dyn ApiKeyRepository>,
    pub(super) setup_tokens: Arc<dyn SetupTokenStore>,
    pub(super) identities: Arc<dyn IdentityStore>,
    pub(super) audit: Arc<dyn AuditLog>,
    pub(super) proposals: Arc<dyn ProposalStore>,
    pub(super) engines: Arc<dyn EngineRepository>,
    pub(super) runs: Arc<dyn RunHistory>,
    pub(super) thresholds: Arc<dyn ThresholdRepository>,
    pub(super) conversations: Arc<dyn ConversationStore>,
    pub(super) documents: Arc<dyn DocumentRepository>,
    pub(super) vectors: Arc<dyn VectorRepository>,
    /// Where the store itself finds the nearest vectors.
    pub(super) nearest: Option<Arc<dyn VectorSearch>>,
    pub(super) database: Database,
}

/// The database under the stores. Cheap to clone.
#[derive(Clone)]
pub(super) enum Database {
    Sqlite(SqliteDatabase),
    Postgres(PgDatabase),
}

/// What tells of changes by other processes.
pub(super) struct Followed {
    /// Of users, sessions and API keys.
    pub(super) sessions: Arc<dyn SessionFeed>,
    /// Of engines; `None` where no other process changes them.
    pub(super) engines: Option<watch::Receiver<u64>>,
    /// Of documents; `None` where they are only asked for now and then.
    pub(super) documents: Option<watch::Receiver<u64>>,
}

impl Stores {
    /// Opens the database of the configuration.
    pub(super) async fn open(config: &Config) -> Result<Self, StartError> {
        if config.database.is_postgres() {
            let database = postgres(config).await?;
            let schema = database.schema().await;
            let current = schema.and_then(resync_postgres::PgSchema::require_current);
            current.map_err(|error| StartError::failed("database.url", error))?;
            let unfinished = database.unfinished_transfer().await;
            let unfinished =
                unfinished.map_err(|error| StartError::failed("database.url", error))?;
            if let Some(source) = unfinished {
                return Err(ConfigError::new(
                    "database.url",
                    format!("the move from {source} is not finished; run `resync migrate --from sqlite://{source}` again"),
                )
                .into());
            }
            return Ok(Self::in_postgres(&database));
        }
        Ok(Self::in_sqlite(&sqlite(config).await?))
    }

    fn in_postgres(database: &PgDatabase) -> Self {
        let db = || database.clone();
        Self {
            users: Arc::new(PgUserRepository::new(db())),
            sessions: Arc::new(PgSessionStore::new(db())),
            api_keys: Arc::new(PgApiKeyRepository::new(db())),
            setup_tokens: Arc::new(PgSetupTokenStore::new(db())),
            identities: Arc::new(PgIdentityStore::new(db())),
            audit: Arc::new(PgAuditLog::new(db())),
            proposals: Arc::new(PgProposalStore::new(db())),
            engines: Arc::new(PgEngineRepository::new(db())),
            runs: Arc::new(PgRunHistory::new(db())),
            thresholds: Arc::new(PgThresholdRepository::new(db())),
            conversations: Arc::new(PgConversationStore::new(db())),
            documents: Arc::new(PgDocumentRepository::new(db())),
            vectors: Arc::new(PgDocumentRepository::new(db())),
            nearest: Some(Arc::new(PgVectorSearch::new(db()))),
            database: Database::Postgres(db()),
        }
    }

    fn in_sqlite(database: &SqliteDatabase) -> Self {
        let db = || database.clone();
        Self {
            users: Arc::new(SqliteUserRepository::new(db())),
            sessions: Arc::new(SqliteSessionStore::new(db())),
            api_keys: Arc::new(SqliteApiKeyRepository::new(db())),
            setup_tokens: Arc::new(SqliteSetupTokenStore::new(db())),
            identities: Arc::new(SqliteIdentityStore::new(db())),
            audit: Arc::new(SqliteAuditLog::new(db())),
            proposals: Arc::new(SqliteProposalStore::new(db())),
            engines: Arc::new(SqliteEngineRepository::new(db())),
            runs: Arc::new(SqliteRunHistory::new(db())),
            thresholds: Arc::new(SqliteThresholdRepository::new(db())),
            conversations: Arc::new(SqliteConversationStore::new(db())),
            documents: Arc::new(SqliteDocumentRepository::new(db())),
            vectors: Arc::new(SqliteDocumentRepository::new(db())),
            nearest: None,
            database: Database::Sqlite(db()),
        }
    }
}

impl Database {
    /// Follows what other processes change, until the end.
    pub(super) fn follow(
        &self,
        clock: &Arc<dyn Clock>,
        tracker: &TaskTracker,
        until: CancellationToken,
    ) -> Followed {
        match self {
            Self::Sqlite(database) => {
                let feed = Arc::new(SqliteSessionFeed::new(database.clone(), clock.clone()));
                let following = Arc::clone(&feed);
                tracker.spawn(async move { following.run(until).await });
                Followed {
                    sessions: feed,
                    engines: None,
                    documents: None,
                }
            }
            Self::Postgres(database) => {
                let notices = Arc::new(PgNotices::new(database.clone(), clock.clone()));
                let following = Arc::clone(&notices);
                tracker.spawn(async move { following.run(until).await });
                Followed {
                    engines: Some(notices.watch(PgChannel::Engines)),
                    documents: Some(notices.watch(PgChannel::Documents)),
                    sessions: Arc::new(PgSessionFeed::new(notices)),
                }
            }
        }
    }

    /// Whether other replicas may work on it at the same time.
    pub(super) const fn is_shared(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(_) => true,
        }
    }

    /// Waits for what is being written, then closes.
    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(database) => database.close().await,
            Self::Postgres(database) => database.close().await,
        }
    }
}

/// Where the store is, for people; without a password.
pub(super) fn place(config: &Config) -> String {
    match config.database.named() {
        Some(DatabaseUrl::Postgres(url)) => without_password(url),
        _ => file(config).display().to_string(),
    }
}

/// The address alone: no user, no password, no options.
fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    let rest = rest.split('?').next().unwrap_or_default();
    let address = rest.rsplit_once('@').map_or(rest, |(_, address)| address);
    format!("{scheme}://{address}")
}

/// The file of a database in SQLite.
pub(super) fn file(config: &Config) -> PathBuf {
    match config.database.named() {
        Some(DatabaseUrl::Sqlite(path)) => path.into(),
        _ => config.server.data_dir.join("resync.db"),
    }
}

/// Connects to the server of `database.url`, whatever its schema is.
pub(super) async fn postgres(config: &Config) -> Result<PgDatabase, StartError> {
    let keys = &config.database;
    let ca_pem = keys.ca_file.as_ref().map(std::fs::read).transpose();
    let ca_pem = ca_pem.map_err(|error| {
        ConfigError::new("database.ca_file", format!("cannot be read: {error}"))
    })?;
    let statement_timeout = Duration::from_millis(keys.statement_timeout_ms);
    let defaults = PgConfig::new(keys.url.clone().unwrap_or_default());
    let config = PgConfig {
        ca_pem,
        max_connections: keys.max_connections,
        acquire_timeout: Duration::from_millis(keys.acquire_timeout_ms),
        statement_timeout,
        lock_timeout: defaults.lock_timeout.min(statement_timeout),
        ..defaults
    };
    PgDatabase::open(&config)
        .await
        .map_err(|error| StartError::failed("database.url: cannot be used", error))
}

/// Opens the file, which is made and migrated where that is needed.
pub(super) async fn sqlite(config: &Config) -> Result<SqliteDatabase, StartError> {
    let path = file(config);
    if config.database.url.is_none() {
        let folder = &config.server.data_dir;
        // What lies in it tells who signed in and what was asked: nobody else's to read.
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| {
            StartError::failed(
                format!("server.data_dir: {} cannot be made", folder.display()),
                error,
            )
        })?;
    }
    SqliteDatabase::open(&path).await.map_err(|error| {
        StartError::failed(
            format!("database.url: {} cannot be opened", path.display()),
            error,
        )
    })
}

/// Readiness asks the store through this.
pub(super) struct Probe(pub(super) Database);

#[async_trait]
impl StoreProbe for Probe {
    async fn ping(&self) -> Result<(), BoxError> {
        match &self.0 {
            Database::Sqlite(database) => Ok(database.ping().await?),
            Database::Postgres(database) => Ok(database.ping().await?),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_place_is_shown_without_its_password() {
        let mut config = Config::default();
        config.database.url =
            Some("postgres://resync:p@ss@db.example:5432/resync?sslmode=require".into());
        assert_eq!(place(&config), "postgres://db.example:5432/resync");
        config.database.url = Some("sqlite:///var/lib/resync.db".into());
        assert_eq!(place(&config), "/var/lib/resync.db");
    }

    #[tokio::test]
    async fn a_data_dir_that_we_make_is_for_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.server.data_dir = folder.path().join("data");
        let database = Stores::open(&config).await.unwrap().database;
        let mode = std::fs::metadata(&config.server.data_dir)
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        Probe(database.clone()).ping().await.unwrap();
        database.close().await;
        assert!(Probe(database).ping().await.is_err());
    }
}
