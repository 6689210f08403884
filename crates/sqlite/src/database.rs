//! The database file: its pragmas, its pools, its migrations and its one writer.
//!
//! Invariants:
//! - `committed_rows_survive_a_reopen`: WAL with `synchronous=FULL`, so what was acknowledged is there
//!   after a loss of power.
//! - `a_dropped_caller_leaves_nothing_half_done`: a write runs in a task of its own, and ends in a
//!   commit or a rollback before the connection goes back.
//! - `readers_cannot_write`: every change goes through [`SqliteDatabase::write`], one at a time, so no
//!   two writers can wait for each other's locks.
//! - Migrations run before anybody gets the database.

use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use resync_kernel::BoxError;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Sqlite, SqliteConnection, SqlitePool, Transaction};
use thiserror::Error;
use tokio_util::task::TaskTracker;

/// How long one waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one waits for a connection, the writer's included.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/sqlite");

/// What [`SqliteDatabase::write`] runs: a future that borrows the transaction.
pub type Write<'a, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// An open database. Cheap to clone; all clones are one database.
#[derive(Clone)]
pub struct SqliteDatabase {
    readers: SqlitePool,
    writer: SqlitePool,
    writes: TaskTracker,
}

/// Why the database did not do it.
#[derive(Debug, Error)]
pub enum SqliteError {
    /// The file could not be opened or made.
    #[error("the database cannot be opened")]
    Open(#[source] sqlx::Error),
    /// The file could not be made.
    #[error("the database file cannot be made")]
    Make(#[source] std::io::Error),
    /// A migration did not run; the database is as it was before that migration.
    #[error("the database could not be migrated")]
    Migrate(#[from] MigrateError),
    /// A statement failed.
    #[error("the database did not do it")]
    Query(#[from] sqlx::Error),
    /// A write ended without an answer: it panicked, or the runtime is going down. It was not committed.
    #[error("a write ended without an answer")]
    Unfinished(#[source] tokio::task::JoinError),
    /// A column holds what the domain does not take.
    #[error("column {column} of table {table} does not parse in row {id}")]
    Column {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's key.
        id: String,
        /// What is wrong with it.
        #[source]
        source: BoxError,
    },
}

impl SqliteError {
    /// Whether a statement failed because a unique key is taken.
    #[must_use]
    pub fn is_unique_violation(&self) -> bool {
        match self {
            Self::Query(sqlx::Error::Database(error)) => error.is_unique_violation(),
            _ => false,
        }
    }
}

/// `SQLITE_FULL`: the disk or the file's own limit.
#[cfg(feature = "rag")]
const FULL: &str = "13";

#[cfg(feature = "rag")]
impl SqliteError {
    /// Whether a statement failed because there is no room left.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Query(sqlx::Error::Database(error)) => error.code().as_deref() == Some(FULL),
            _ => false,
        }
    }
}

impl fmt::Debug for SqliteDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteDatabase")
            .field("writes", &self.writes.len())
            .finish_non_exhaustive()
    }
}

/// Makes an absent file readable by its owner alone: it holds hashes, sessions and the audit. `SQLite`
/// gives its side files the mode of the file itself. A file that is there keeps its mode.
fn make_private(path: &Path) -> Result<(), SqliteError> {
    match new_private(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(SqliteError::Make(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A new file for its owner alone.
fn new_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Copies into the empty file and reads the copy back.
async fn copy(readers: &SqlitePool, path: &Path) -> Result<(), SqliteError> {
    let from = readers.acquire().await?;
    // This connection may write files of its own, which the others may not; it is closed afterwards.
    let mut from = from.detach();
    sqlx::query("PRAGMA query_only = OFF")
        .execute(&mut from)
        .await?;
    sqlx::query("VACUUM INTO ?")
        .bind(path.to_string_lossy().into_owned())
        .execute(&mut from)
        .await?;
    from.close().await?;
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut back = SqliteConnection::connect_with(&options).await?;
    let said: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut back)
        .await?;
    back.close().await?;
    if said == "ok" {
        Ok(())
    } else {
        Err(SqliteError::Query(sqlx::Error::Protocol(said)))
    }
}

impl SqliteDatabase {
    /// How many readers there are when nobody says.
    pub const DEFAULT_READERS: u32 = 4;

    /// Opens the file at `path`, makes it if it is absent, and migrates it.
    ///
    /// # Errors
    /// [`SqliteError::Make`], [`SqliteError::Open`] or [`SqliteError::Migrate`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, SqliteError> {
        Self::open_with(path, Self::DEFAULT_READERS).await
    }

    /// As [`SqliteDatabase::open`], with at most `readers` connections for reading, at least one.
    ///
    /// # Errors
    /// As [`SqliteDatabase::open`].
    pub async fn open_with(path: impl AsRef<Path>, readers: u32) -> Result<Self, SqliteError> {
        make_private(path.as_ref())?;
        let options = options(SqliteConnectOptions::new().filename(path));
        let writer = pool(1)
            .connect_with(options.clone())
            .await
            .map_err(SqliteError::Open)?;
        migrate(&writer).await?;
        let reading = options.pragma("query_only", "ON");
        let readers = pool(readers.max(1))
            .connect_with(reading)
            .await
            .map_err(SqliteError::Open)?;
        Ok(Self {
            readers,
            writer,
            writes: TaskTracker::new(),
        })
    }

    /// Opens a database that lives in memory and ends with its last clone, for tests and demos. It has
    /// one connection for everything, so a write that reads through [`SqliteDatabase::reader`] would
    /// wait for itself.
    ///
    /// # Errors
    /// As [`SqliteDatabase::open`].
    pub async fn open_in_memory() -> Result<Self, SqliteError> {
        let options = options(SqliteConnectOptions::new().in_memory(true));
        let writer = pool(1)
            .connect_with(options)
            .await
            .map_err(SqliteError::Open)?;
        migrate(&writer).await?;
        Ok(Self {
            readers: writer.clone(),
            writer,
            writes: TaskTracker::new(),
        })
    }

    /// The connections for reading.
    #[must_use]
    pub const fn reader(&self) -> &SqlitePool {
        &self.readers
    }

    /// Runs `work` in the writer's transaction: commits its `Ok`, rolls its `Err` back.
    ///
    /// ```
    /// # async fn example(database: resync_sqlite::SqliteDatabase) -> Result<(), resync_sqlite::SqliteError> {
    /// let deleted = database
    ///     .write(|tx| {
    ///         Box::pin(async move {
    ///             let done = sqlx::query("DELETE FROM sessions").execute(tx).await?;
    ///             Ok::<_, resync_sqlite::SqliteError>(done.rows_affected())
    ///         })
    ///     })
    ///     .await?;
    /// # let _: u64 = deleted;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Cancel safe: the write runs to its end in a task of its own although the caller is gone.
    ///
    /// # Errors
    /// What `work` returns, or a [`SqliteError`] turned into `E`.
    pub async fn write<T, E, W>(&self, work: W) -> Result<T, E>
    where
        W: for<'a> FnOnce(&'a mut SqliteConnection) -> Write<'a, T, E> + Send + 'static,
        T: Send + 'static,
        E: From<SqliteError> + Send + 'static,
    {
        let writer = self.writer.clone();
        let task = self.writes.spawn(async move {
            // IMMEDIATE takes the lock now: a read that later turns into a write could be refused.
            let mut transaction: Transaction<'_, Sqlite> = writer
                .begin_with("BEGIN IMMEDIATE")
                .await
                .map_err(SqliteError::Query)?;
            match work(&mut transaction).await {
                Ok(value) => {
                    transaction.commit().await.map_err(SqliteError::Query)?;
                    Ok(value)
                }
                Err(error) => {
                    // A disk that is full ends the transaction inside SQLite, and the driver, which does
                    // not know, would refuse to begin another one for good. This begins an empty one to
                    // roll back; where the transaction goes on, it is refused and does nothing.
                    let _refused = sqlx::query("BEGIN").execute(&mut *transaction).await;
                    if let Err(cause) = transaction.rollback().await {
                        let cause = &cause as &dyn std::error::Error;
                        tracing::warn!(error = cause, "a rollback failed; SQLite drops the write");
                    }
                    Err(error)
                }
            }
        });
        match task.await {
            Ok(result) => result,
            Err(error) => Err(SqliteError::Unfinished(error).into()),
        }
    }

    /// A number that is another one after each commit by another process; our own commits, all of which go
    /// through the writer that is asked here, leave it as it is. Waits while a write runs.
    ///
    /// # Errors
    /// [`SqliteError::Query`] when the database does not answer, or the writer is held for too long.
    #[cfg(feature = "auth")]
    pub(crate) async fn version(&self) -> Result<i64, SqliteError> {
        let version = sqlx::query_scalar("PRAGMA data_version")
            .fetch_one(&self.writer)
            .await?;
        Ok(version)
    }

    /// The migrations of this program that the file at `path` lacks, in order; all of them where there is
    /// no file. Changes nothing.
    ///
    /// # Errors
    /// [`SqliteError::Open`] or [`SqliteError::Query`] when there is a file that cannot be read.
    pub async fn missing_migrations(path: impl AsRef<Path>) -> Result<Vec<i64>, SqliteError> {
        let mut applied: Vec<i64> = Vec::new();
        if path.as_ref().exists() {
            let options = SqliteConnectOptions::new().filename(path).read_only(true);
            let mut file = SqliteConnection::connect_with(&options)
                .await
                .map_err(SqliteError::Open)?;
            let there = "SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'";
            let there: i64 = sqlx::query_scalar(there).fetch_one(&mut file).await?;
            if there == 1 {
                applied = sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success")
                    .fetch_all(&mut file)
                    .await?;
            }
            file.close().await?;
        }
        let ours = MIGRATIONS.iter().map(|migration| migration.version);
        Ok(ours.filter(|version| !applied.contains(version)).collect())
    }

    /// Copies the database as it is at one moment into a new file at `path`, for its owner alone, while
    /// others read and write. The copy is compact, whole when this returns, and opens as any other.
    ///
    /// Cancel safe: what was begun runs to its end.
    ///
    /// # Errors
    /// [`SqliteError::Make`] when the file is there already or cannot be made, [`SqliteError::Query`] when
    /// the copy failed or does not pass its own check; then no file is left.
    pub async fn back_up_to(&self, path: impl AsRef<Path>) -> Result<(), SqliteError> {
        let path = path.as_ref().to_owned();
        // VACUUM INTO takes an empty file as it takes none; so nobody sees it with another mode.
        new_private(&path).map_err(SqliteError::Make)?;
        let readers = self.readers.clone();
        let copying = self.writes.spawn(async move {
            let copied = copy(&readers, &path).await;
            if copied.is_err()
                && let Err(error) = std::fs::remove_file(&path)
            {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the file of a backup that failed stays behind");
            }
            copied
        });
        copying.await.map_err(SqliteError::Unfinished)?
    }

    /// Whether the database answers, for readiness.
    ///
    /// # Errors
    /// [`SqliteError::Query`] when it does not.
    pub async fn ping(&self) -> Result<(), SqliteError> {
        sqlx::query("SELECT 1 FROM users LIMIT 1")
            .fetch_optional(self.reader())
            .await?;
        Ok(())
    }

    /// Waits for the writes that run, then closes all connections. Later calls fail.
    pub async fn close(&self) {
        self.writes.close();
        self.writes.wait().await;
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn options(base: SqliteConnectOptions) -> SqliteConnectOptions {
    base.journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
}

/// Connections to a file do not age, and one that closes would take an in-memory database along.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

async fn migrate(writer: &SqlitePool) -> Result<(), SqliteError> {
    MIGRATIONS.run(writer).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
