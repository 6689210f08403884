//! The schema and its versions.
//!
//! Invariants:
//! - Migrations only go forward, each in a transaction of its own, one process at a time: an advisory
//!   lock of the session holds the others off, so two replicas may start at once.
//! - A database that a later program made is refused, and nothing is changed in it.
//! - [`PgDatabase::schema`] changes nothing, not even where no migration ever ran.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use tokio::time::timeout;

use super::PgDatabase;
use crate::PgError;

/// Whoever holds it migrates; the first word is that of all our advisory locks.
const LOCK: &str = "SELECT pg_advisory_lock(1919251321, 1)";
/// How long one waits for another process that migrates.
const LOCK_WAIT: Duration = Duration::from_mins(1);
/// How long a migration waits for a table that is in use, before all of its users wait for it.
const TABLE_WAIT: Duration = Duration::from_secs(5);
/// How long one waits for the connection that migrates.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The oldest pgvector that has `halfvec`.
const LEAST_VECTOR: [u32; 2] = [0, 7];

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/postgres");

/// How the database's migrations compare with this program's, each list in ascending order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PgSchema {
    /// Migrations of this program that the database lacks.
    pub missing: Vec<i64>,
    /// Migrations of the database that this program does not know.
    pub unknown: Vec<i64>,
    /// Migrations that ran with another text than this program's.
    pub changed: Vec<i64>,
}

impl PgSchema {
    /// Whether the database is exactly this program's.
    #[must_use]
    pub const fn is_current(&self) -> bool {
        self.missing.is_empty() && self.unknown.is_empty() && self.changed.is_empty()
    }

    /// `Ok` where this program may use the database.
    ///
    /// # Errors
    /// [`PgError::Newer`], [`PgError::Changed`] or [`PgError::Behind`], the gravest first.
    pub fn require_current(self) -> Result<(), PgError> {
        self.refuse()?;
        if self.missing.is_empty() {
            Ok(())
        } else {
            Err(PgError::Behind(self.missing))
        }
    }

    fn refuse(&self) -> Result<(), PgError> {
        if !self.unknown.is_empty() {
            return Err(PgError::Newer(self.unknown.clone()));
        }
        if !self.changed.is_empty() {
            return Err(PgError::Changed(self.changed.clone()));
        }
        Ok(())
    }
}

impl PgDatabase {
    /// How the database's migrations compare with this program's. Changes nothing.
    ///
    /// # Errors
    /// [`PgError::Connect`], [`PgError::Query`] or [`PgError::TimedOut`].
    pub async fn schema(&self) -> Result<PgSchema, PgError> {
        let (there,): (bool,) = self
            .one(sqlx::query_as(
                "SELECT to_regclass('_sqlx_migrations') IS NOT NULL",
            ))
            .await?;
        let rows: Vec<(i64, Vec<u8>)> = if there {
            self.rows(sqlx::query_as(
                "SELECT version, checksum FROM _sqlx_migrations",
            ))
            .await?
        } else {
            Vec::new()
        };
        Ok(compare(rows))
    }

    /// Runs the migrations that the database lacks and says which, in their order. Waits up to a minute
    /// while another process migrates.
    ///
    /// Needs a connection straight to the server, since an advisory lock of a session does not go through
    /// a proxy that pools transactions.
    ///
    /// # Errors
    /// [`PgError::Newer`] and [`PgError::Changed`] for a database that is not ours to migrate,
    /// [`PgError::Vectors`] where pgvector is missing, [`PgError::Connect`] and [`PgError::Migrate`].
    pub async fn migrate(&self) -> Result<Vec<i64>, PgError> {
        self.schema().await?.refuse()?;
        let connect = timeout(CONNECT_WITHIN, self.options().connect());
        let mut connection = connect
            .await
            .map_err(|_elapsed| PgError::TimedOut(CONNECT_WITHIN))?
            .map_err(PgError::Connect)?;
        let result = migrate(&mut connection).await;
        // The lock goes with the session.
        if let Err(error) = connection.close().await {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(error, "the connection that migrated did not close in order");
        }
        let missing = result?;
        self.schema().await?.require_current()?;
        Ok(missing)
    }
}

fn compare(rows: Vec<(i64, Vec<u8>)>) -> PgSchema {
    let mut applied: BTreeMap<i64, Vec<u8>> = rows.into_iter().collect();
    let mut schema = PgSchema::default();
    for migration in MIGRATIONS.iter() {
        match applied.remove(&migration.version) {
            None => schema.missing.push(migration.version),
            Some(checksum) if *checksum != *migration.checksum => {
                schema.changed.push(migration.version);
            }
            Some(_) => {}
        }
    }
    schema.unknown = applied.into_keys().collect();
    schema
}

async fn set(
    connection: &mut PgConnection,
    setting: &str,
    time: Duration,
) -> Result<(), sqlx::Error> {
    let sql = format!("SET {setting} = {}", time.as_millis());
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await?;
    Ok(())
}

async fn migrate(connection: &mut PgConnection) -> Result<Vec<i64>, PgError> {
    // An index over many rows takes its time.
    set(connection, "statement_timeout", Duration::ZERO).await?;
    set(connection, "lock_timeout", LOCK_WAIT).await?;
    sqlx::raw_sql(LOCK).execute(&mut *connection).await?;
    set(connection, "lock_timeout", TABLE_WAIT).await?;
    // Another process may have migrated while we waited.
    let rows: Result<Vec<(i64, Vec<u8>)>, _> =
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations")
            .fetch_all(&mut *connection)
            .await;
    let schema = compare(match rows {
        Ok(rows) => rows,
        // There is no such table: no migration ever ran.
        Err(error) if crate::error::sqlstate(&error).as_deref() == Some("42P01") => Vec::new(),
        Err(error) => return Err(PgError::Query(error)),
    });
    schema.refuse()?;
    if schema.missing.is_empty() {
        return Ok(Vec::new());
    }
    vectors(connection).await?;
    let migrator = Migrator {
        migrations: MIGRATIONS.migrations.clone(),
        // We hold a lock of our own, whose wait has an end.
        locking: false,
        ..Migrator::DEFAULT
    };
    migrator
        .run_direct(None, connection, false)
        .await
        .map_err(explain)?;
    Ok(schema.missing)
}

/// Refuses a server without a pgvector that will do, before anything is changed.
async fn vectors(connection: &mut PgConnection) -> Result<(), PgError> {
    let found: Option<(Option<String>, Option<String>)> = sqlx::query_as(
        "SELECT installed_version, default_version FROM pg_available_extensions WHERE name = 'vector'",
    )
    .fetch_optional(connection)
    .await?;
    let version = found.and_then(|(installed, default)| installed.or(default));
    let Some(version) = version else {
        return Err(PgError::Vectors(
            "the server does not have it; install the package postgresql-<version>-pgvector, 0.7 or later"
                .to_owned(),
        ));
    };
    if parts(&version) < LEAST_VECTOR {
        return Err(PgError::Vectors(format!(
            "the server has version {version}; 0.7 or later is needed"
        )));
    }
    Ok(())
}

/// Major and minor number of a version; what is no number counts as zero.
pub(crate) fn parts(version: &str) -> [u32; 2] {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    [(); 2].map(|()| numbers.next().unwrap_or(0))
}

fn explain(error: MigrateError) -> PgError {
    let refused = match &error {
        MigrateError::ExecuteMigration(cause, _) => {
            let text = cause.to_string();
            crate::error::sqlstate(cause).as_deref() == Some("42501") && text.contains("extension")
        }
        _ => false,
    };
    if refused {
        return PgError::Vectors(
            "this account may not turn it on; let the database's owner run CREATE EXTENSION vector"
                .to_owned(),
        );
    }
    PgError::Migrate(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<(i64, Vec<u8>)> {
        MIGRATIONS
            .iter()
            .map(|migration| (migration.version, migration.checksum.to_vec()))
            .collect()
    }

    #[test]
    fn a_schema_of_this_program_is_current() {
        assert!(compare(all()).is_current());
        compare(all()).require_current().unwrap();
    }

    #[test]
    fn what_is_missing_changed_or_unknown_is_named_and_refused() {
        let mut rows = all();
        let last = rows.pop().unwrap().0;
        let schema = compare(rows.clone());
        assert_eq!(schema.missing, [last]);
        assert!(matches!(schema.require_current(), Err(PgError::Behind(named)) if named == [last]));

        rows[0].1 = vec![0];
        let first = rows[0].0;
        let schema = compare(rows.clone());
        assert_eq!(schema.changed, [first]);
        assert!(
            matches!(schema.require_current(), Err(PgError::Changed(named)) if named == [first])
        );

        rows.push((9_999, vec![0]));
        let schema = compare(rows);
        assert_eq!(schema.unknown, [9_999]);
        let error = schema.require_current().unwrap_err();
        assert_eq!(
            error.to_string(),
            "the database belongs to a later version of this program: it does not know the migrations 9999"
        );
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(parts("0.8.5") >= LEAST_VECTOR);
        assert!(parts("0.10.0") >= LEAST_VECTOR);
        assert!(parts("0.6.2") < LEAST_VECTOR);
    }
}
