//! A database for one test, made from a template and gone with its guard.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use resync_kernel::{IdGenerator, SystemIds};
use resync_postgres::{PgConfig, PgDatabase};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// What `scripts/services` hands over under this name.
#[expect(
    clippy::disallowed_methods,
    reason = "a test's services are named by its environment"
)]
pub(crate) fn from_environment(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set; run the tests by scripts/test"))
}

/// Whoever makes the template, over all processes of a test run.
const MAKES_TEMPLATE: &str = "SELECT pg_advisory_lock(4711)";
const TEMPLATE: &str = "resync_test_template";

/// The address of another database on the same server.
pub(crate) fn on_server(url: &str, database: &str) -> String {
    let (server, _) = url.rsplit_once('/').unwrap();
    format!("{server}/{database}")
}

pub(crate) fn config(url: &str) -> PgConfig {
    PgConfig {
        max_connections: 8,
        ..PgConfig::new(url.into())
    }
}

pub(crate) async fn run(connection: &mut PgConnection, sql: impl Into<String>) {
    let sql: String = sql.into();
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .unwrap();
}

/// The migrated database that the others are copies of.
async fn template(server: &mut PgConnection, url: &str) {
    run(server, MAKES_TEMPLATE).await;
    let (there,): (bool,) =
        sqlx::query_as("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
            .bind(TEMPLATE)
            .fetch_one(&mut *server)
            .await
            .unwrap();
    if !there {
        let new = format!("{TEMPLATE}_new");
        run(server, format!("DROP DATABASE IF EXISTS {new}")).await;
        run(server, format!("CREATE DATABASE {new}")).await;
        let database = PgDatabase::open(&config(&on_server(url, &new)))
            .await
            .unwrap();
        database.migrate().await.unwrap();
        database.close().await;
        run(server, format!("ALTER DATABASE {new} RENAME TO {TEMPLATE}")).await;
    }
    run(server, "SELECT pg_advisory_unlock_all()").await;
}

/// A database of this test's own.
pub(crate) struct Own {
    pub(crate) url: String,
    name: String,
}

impl Own {
    /// One that has the schema.
    pub(crate) async fn migrated() -> Self {
        Self::copy_of(Some(TEMPLATE)).await
    }

    /// One with nothing in it.
    pub(crate) async fn empty() -> Self {
        Self::copy_of(None).await
    }

    async fn copy_of(source: Option<&str>) -> Self {
        let url = from_environment("RESYNC_TEST_POSTGRES_URL");
        let mut server = PgConnection::connect(&url).await.unwrap();
        let name = format!("test_{}", SystemIds.next().simple());
        let mut sql = format!("CREATE DATABASE {name}");
        if let Some(source) = source {
            template(&mut server, &url).await;
            sql = format!("{sql} TEMPLATE {source}");
        }
        run(&mut server, sql).await;
        server.close().await.unwrap();
        Self {
            url: on_server(&url, &name),
            name,
        }
    }

    pub(crate) async fn open(&self) -> PgDatabase {
        PgDatabase::open(&config(&self.url)).await.unwrap()
    }

    /// A connection that is not ours, as an administrator has it.
    pub(crate) async fn elsewhere(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let server = on_server(&self.url, "postgres");
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // The test's own runtime is busy with this very call.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut server = PgConnection::connect(&server).await.unwrap();
                run(&mut server, sql).await;
                server.close().await.unwrap();
            });
        });
        // A database that stays behind goes with the server, which is the test run's own.
        if dropped.join().is_err() {
            eprintln!("the database of a test could not be dropped");
        }
    }
}

/// An adapter on a database of its own.
pub(crate) struct On<S> {
    pub(crate) store: S,
    pub(crate) database: PgDatabase,
    pub(crate) own: Own,
}

impl<S> Deref for On<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.store
    }
}

impl<S> On<S> {
    pub(crate) async fn new(store: impl FnOnce(PgDatabase) -> S) -> Self {
        let own = Own::migrated().await;
        let database = own.open().await;
        Self {
            store: store(database.clone()),
            database,
            own,
        }
    }

    /// The store and the guard, as the macros of the laws take them.
    pub(crate) async fn pair(store: impl FnOnce(PgDatabase) -> S) -> (Arc<S>, Own) {
        let Self { store, own, .. } = Self::new(store).await;
        (Arc::new(store), own)
    }
}

/// Asks until it holds, for ten seconds at most; how long that was.
pub(crate) async fn until(mut holds: impl AsyncFnMut() -> bool) -> Duration {
    let began = std::time::Instant::now();
    let holds = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), holds)
        .await
        .unwrap_or_else(|_| panic!("it never held"));
    began.elapsed()
}
