//! The store: where it lies, what it keeps, and whether it answers.
//!
//! Invariant: nothing outside this file knows which database it is.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use resync_api::state::StoreProbe;
use resync_auth::{
    ApiKeyRepository, IdentityStore, SessionFeed, SessionStore, SetupTokenStore, UserRepository,
};
use resync_chat::ConversationStore;
use resync_kernel::{BoxError, Clock, ExposeSecret};
use resync_rag::{DocumentRepository, VectorRepository};
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
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::StartError;
use crate::config::{Config, DatabaseUrl};

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
    pub(super) database: Database,
}

/// The database under the stores. Cheap to clone.
#[derive(Clone)]
pub(super) enum Database {
    Sqlite(SqliteDatabase),
}

impl Stores {
    /// Opens the database of the configuration.
    pub(super) async fn open(config: &Config) -> Result<Self, StartError> {
        Ok(Self::in_sqlite(&sqlite(config).await?))
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
            database: Database::Sqlite(db()),
        }
    }
}

impl Database {
    /// Follows what other processes change of users, sessions and API keys, until the end.
    pub(super) fn follow(
        &self,
        clock: &Arc<dyn Clock>,
        tracker: &TaskTracker,
        until: CancellationToken,
    ) -> Arc<dyn SessionFeed> {
        match self {
            Self::Sqlite(database) => {
                let feed = Arc::new(SqliteSessionFeed::new(database.clone(), clock.clone()));
                let following = Arc::clone(&feed);
                tracker.spawn(async move { following.run(until).await });
                feed
            }
        }
    }

    /// Whether other replicas may work on it at the same time.
    pub(super) const fn is_shared(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
        }
    }

    /// Waits for what is being written, then closes.
    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(database) => database.close().await,
        }
    }
}

/// Where the store is, for people; without a password.
pub(super) fn place(config: &Config) -> String {
    file(config).display().to_string()
}

/// The file of a database in SQLite.
fn file(config: &Config) -> PathBuf {
    let url = config
        .database
        .url
        .as_ref()
        .map(ExposeSecret::expose_secret);
    match url.and_then(DatabaseUrl::of) {
        Some(DatabaseUrl::Sqlite(path)) => path.into(),
        _ => config.server.data_dir.join("resync.db"),
    }
}

async fn sqlite(config: &Config) -> Result<SqliteDatabase, StartError> {
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
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

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
