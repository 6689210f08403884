//! The schema of the store, for the command line.

use std::path::Path;

use resync_kernel::BoxError;
use resync_postgres::PgDatabase;
use resync_sqlite::SqliteDatabase;

use super::{StartError, store};
use crate::config::Config;

/// The migrations that the store lacks. Changes nothing, makes no file.
pub(crate) async fn missing_migrations(config: &Config) -> Result<Vec<i64>, StartError> {
    let unreadable =
        |error: BoxError| StartError::failed("database.url: the schema cannot be read", error);
    if !config.database.is_postgres() {
        let missing = SqliteDatabase::missing_migrations(store::file(config)).await;
        return missing.map_err(|error| unreadable(error.into()));
    }
    let database = store::postgres(config).await?;
    let schema = database.schema().await;
    database.close().await;
    let schema = schema.map_err(|error| unreadable(error.into()))?;
    let missing = schema.missing.clone();
    // Another version's database is no question of what is missing.
    let ours = resync_postgres::PgSchema {
        missing: Vec::new(),
        ..schema
    };
    ours.require_current()
        .map_err(|error| StartError::failed("database.url", error))?;
    Ok(missing)
}

/// Runs the migrations that the store lacks, and says which.
pub(crate) async fn migrate(config: &Config) -> Result<Vec<i64>, StartError> {
    if !config.database.is_postgres() {
        let missing = missing_migrations(config).await?;
        store::sqlite(config).await?.close().await;
        return Ok(missing);
    }
    let database = store::postgres(config).await?;
    let applied = database.migrate().await;
    database.close().await;
    applied.map_err(|error| StartError::failed("database.url: cannot be migrated", error))
}

/// The file and the database of a move.
pub(crate) async fn open_both(
    file: &Path,
    config: &Config,
) -> Result<(SqliteDatabase, PgDatabase), StartError> {
    let from = SqliteDatabase::open(file).await;
    let from = from.map_err(|error| StartError::failed("--from cannot be opened", error))?;
    Ok((from, store::postgres(config).await?))
}
