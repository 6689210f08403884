//! The pool, its transactions and the schema.
//!
//! Invariants:
//! - `a_cancelled_caller_leaves_no_open_transaction`: a change runs in a task of its own, and ends in a
//!   commit or a rollback before its connection goes back.
//! - A connection that is in a transaction, cannot write, or does not answer is closed instead of used:
//!   each is looked at when it comes back, and again before it is used after a second of rest. So a
//!   transaction that was left open meets nobody (the driver's `begin` is not cancel safe), and after a
//!   failover no connection stays with a server that only reads.
//! - Nobody waits without an end: for a connection, on the server for a statement or a lock, and here
//!   for a server that went silent.
//! - What was committed is on the server's disk when we say so, whatever the server's own default is.
//! - [`PgDatabase::open`] changes nothing in the database; [`PgDatabase::migrate`] does.

mod pool;
mod schema;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgRow};
use sqlx::query::{Query, QueryAs};
use sqlx::{Connection as _, FromRow, PgConnection, PgPool, Postgres};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::error::sqlstate;
use crate::{PgConfig, PgError};

pub use schema::PgSchema;
#[cfg(feature = "rag")]
pub(crate) use schema::parts;

/// The oldest major version that will do.
const LEAST_VERSION: u32 = 14;
/// A transaction of several statements is given up after this many times the time of one.
const STATEMENTS: u32 = 6;
/// How long [`PgDatabase::close`] waits for connections that are in use.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// Codes after which a connection is of no use to the next caller: it is in a failed transaction, its
/// server takes no writes, or the server ends it.
const DEAD: [&str; 5] = ["25P02", "25006", "57P01", "57P02", "57P03"];

/// What [`PgDatabase::write`] runs: a future that borrows the transaction.
pub type Write<'a, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// An open database. Cheap to clone; all clones are one pool.
#[derive(Clone)]
pub struct PgDatabase {
    pool: PgPool,
    /// What the pool opens connections with, for those that are not of the pool.
    options: Arc<PgConnectOptions>,
    statement_timeout: Duration,
    writes: TaskTracker,
    waiting: Arc<AtomicUsize>,
}

/// What the pool holds at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PgPoolMetrics {
    /// Connections that are open, those in use included.
    pub size: u32,
    /// Connections that nobody uses.
    pub idle: usize,
    /// Callers that wait for a connection.
    pub waiting: usize,
    /// Most connections that may be open.
    pub max: u32,
}

/// Counts a caller while it waits.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for PgDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgDatabase")
            .field("pool", &self.metrics())
            .field("writes", &self.writes.len())
            .finish_non_exhaustive()
    }
}

impl PgDatabase {
    /// Connects to the database, which it neither makes nor changes.
    ///
    /// # Errors
    /// [`PgError::Config`], [`PgError::Connect`] or [`PgError::TooOld`].
    pub async fn open(config: &PgConfig) -> Result<Self, PgError> {
        let options = config.options()?;
        let pool = pool::options(config)
            .connect_with(options.clone())
            .await
            .map_err(PgError::Connect)?;
        let database = Self {
            pool,
            options: Arc::new(options),
            statement_timeout: config.statement_timeout,
            writes: TaskTracker::new(),
            waiting: Arc::default(),
        };
        let (version,): (i32,) = database
            .one(sqlx::query_as(
                "SELECT current_setting('server_version_num')::int / 10000",
            ))
            .await?;
        let found = version.unsigned_abs();
        if found < LEAST_VERSION {
            database.close().await;
            return Err(PgError::TooOld {
                found,
                least: LEAST_VERSION,
            });
        }
        Ok(database)
    }

    /// The pool, for statements that this crate has no port for. What is taken from it and left in a
    /// transaction is closed, not used again.
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// What every connection is opened with.
    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// What the pool holds now.
    #[must_use]
    pub fn metrics(&self) -> PgPoolMetrics {
        PgPoolMetrics {
            size: self.pool.size(),
            idle: self.pool.num_idle(),
            waiting: self.waiting.load(Ordering::Relaxed),
            max: self.pool.options().get_max_connections(),
        }
    }

    /// A connection that is fit to be used, within the configured wait.
    pub(crate) async fn connection(&self) -> Result<PoolConnection<Postgres>, PgError> {
        let _waits = Waits::begin(&self.waiting);
        self.pool.acquire().await.map_err(PgError::Connect)
    }

    /// Runs `work` on a connection of its own. A connection that failed for good, or did not answer
    /// within `most`, is closed.
    async fn on_connection<T, E: From<PgError>>(
        &self,
        most: Duration,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, E>,
        died: impl FnOnce(&E) -> bool,
    ) -> Result<T, E> {
        let mut connection = self.connection().await?;
        let ended = timeout(most, work(&mut connection)).await;
        match ended {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                if died(&error) {
                    connection.close_on_drop();
                }
                Err(error)
            }
            Err(_elapsed) => {
                connection.close_on_drop();
                Err(PgError::TimedOut(most).into())
            }
        }
    }

    pub(crate) async fn statement<T>(
        &self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, PgError> {
        // The server ends a statement itself; this is for a server that went silent.
        let most = self.statement_timeout + Duration::from_millis(500);
        let work =
            async |connection: &mut PgConnection| work(connection).await.map_err(PgError::Query);
        self.on_connection(most, work, |error| match error {
            PgError::Query(error) => is_dead(error),
            _ => false,
        })
        .await
    }

    /// The rows of one statement. Cancel safe.
    pub(crate) async fn rows<R>(
        &self,
        query: QueryAs<'_, Postgres, R, PgArguments>,
    ) -> Result<Vec<R>, PgError>
    where
        R: Send + Unpin + for<'r> FromRow<'r, PgRow>,
    {
        self.statement(async |connection| query.fetch_all(connection).await)
            .await
    }

    /// The row of one statement, if there is one. Cancel safe.
    pub(crate) async fn row<R>(
        &self,
        query: QueryAs<'_, Postgres, R, PgArguments>,
    ) -> Result<Option<R>, PgError>
    where
        R: Send + Unpin + for<'r> FromRow<'r, PgRow>,
    {
        self.statement(async |connection| query.fetch_optional(connection).await)
            .await
    }

    /// The row of one statement that always has one. Cancel safe.
    pub(crate) async fn one<R>(
        &self,
        query: QueryAs<'_, Postgres, R, PgArguments>,
    ) -> Result<R, PgError>
    where
        R: Send + Unpin + for<'r> FromRow<'r, PgRow>,
    {
        self.statement(async |connection| query.fetch_one(connection).await)
            .await
    }

    /// Runs one statement that changes something and says how many rows it was.
    ///
    /// Cancel safe: it runs to its end in a task of its own although the caller is gone.
    pub(crate) async fn change(
        &self,
        query: Query<'static, Postgres, PgArguments>,
    ) -> Result<u64, PgError> {
        let database = self.clone();
        let task = self.writes.spawn(async move {
            let done = database.statement(async |connection| query.execute(connection).await);
            Ok(done.await?.rows_affected())
        });
        task.await.map_err(PgError::Unfinished)?
    }

    /// Runs `work` in a transaction, READ COMMITTED: commits its `Ok`, rolls its `Err` back.
    ///
    /// ```no_run
    /// # async fn example(database: resync_postgres::PgDatabase) -> Result<(), resync_postgres::PgError> {
    /// let deleted = database
    ///     .write(|tx| {
    ///         Box::pin(async move {
    ///             let done = sqlx::query("DELETE FROM sessions").execute(tx).await?;
    ///             Ok::<_, resync_postgres::PgError>(done.rows_affected())
    ///         })
    ///     })
    ///     .await?;
    /// # let _: u64 = deleted;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Cancel safe: the transaction runs to its end in a task of its own although the caller is gone.
    ///
    /// # Errors
    /// What `work` returns, or a [`PgError`] turned into `E`.
    pub async fn write<T, E, W>(&self, work: W) -> Result<T, E>
    where
        W: for<'a> FnOnce(&'a mut PgConnection) -> Write<'a, T, E> + Send + 'static,
        T: Send + 'static,
        E: From<PgError> + Send + 'static,
    {
        let database = self.clone();
        let task = self
            .writes
            .spawn(async move { database.transaction(work).await });
        match task.await {
            Ok(result) => result,
            Err(error) => Err(PgError::Unfinished(error).into()),
        }
    }

    async fn transaction<T, E, W>(&self, work: W) -> Result<T, E>
    where
        W: for<'a> FnOnce(&'a mut PgConnection) -> Write<'a, T, E> + Send,
        E: From<PgError>,
    {
        let most = self.statement_timeout * STATEMENTS;
        let mut connection = self.connection().await?;
        let ended = timeout(most, run(&mut connection, work)).await;
        match ended {
            Ok((result, fit)) => {
                if !fit {
                    connection.close_on_drop();
                }
                result
            }
            Err(_elapsed) => {
                connection.close_on_drop();
                Err(PgError::TimedOut(most).into())
            }
        }
    }

    /// Whether the database answers, for readiness.
    ///
    /// # Errors
    /// [`PgError::Connect`], [`PgError::Query`] or [`PgError::TimedOut`] when it does not, or has no
    /// schema yet.
    pub async fn ping(&self) -> Result<(), PgError> {
        let query = sqlx::query_as::<_, (i32,)>("SELECT 1 FROM users LIMIT 1");
        self.row(query).await.map(|_| ())
    }

    /// Waits for the changes that run, then closes all connections; a connection that is still in use
    /// after five seconds is left to its end. Later calls fail.
    pub async fn close(&self) {
        self.writes.close();
        self.writes.wait().await;
        if timeout(CLOSE_WITHIN, self.pool.close()).await.is_err() {
            tracing::warn!("connections to the database are still in use while it is closed");
        }
    }
}

fn is_dead(error: &sqlx::Error) -> bool {
    sqlstate(error).is_some_and(|code| DEAD.contains(&code.as_str()))
}

/// A transaction with its end; whether the connection may be used again.
async fn run<T, E, W>(connection: &mut PgConnection, work: W) -> (Result<T, E>, bool)
where
    W: for<'a> FnOnce(&'a mut PgConnection) -> Write<'a, T, E> + Send,
    E: From<PgError>,
{
    let begun = connection
        .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
        .await;
    let mut transaction = match begun {
        Ok(transaction) => transaction,
        Err(error) => return (Err(PgError::Query(error).into()), false),
    };
    match work(&mut transaction).await {
        Ok(value) => match transaction.commit().await {
            Ok(()) => (Ok(value), true),
            Err(error) => (Err(PgError::Query(error).into()), false),
        },
        Err(error) => {
            let rolled_back = transaction.rollback().await;
            if let Err(cause) = &rolled_back {
                let cause = cause as &dyn std::error::Error;
                tracing::warn!(error = cause, "a rollback failed; the connection is closed");
            }
            (Err(error), rolled_back.is_ok())
        }
    }
}
