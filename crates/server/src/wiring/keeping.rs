//! The store alone, for the command line: to copy it and to prove its audit.

use std::path::Path;
use std::sync::Arc;

use resync_kernel::{SystemClock, SystemIds};
use resync_sqlite::SqliteError;
use resync_tws::AuditService;
use thiserror::Error;

use super::store::{Database, Stores};
use super::{StartError, store};
use crate::config::Config;

/// The store of a configuration, and its audit. No secret is needed for it.
pub struct Keeping {
    /// The audit.
    pub audit: AuditService,
    /// Where the store is.
    pub place: String,
    database: Database,
}

/// Why there is no backup.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The store is in PostgreSQL, which has its own tools.
    #[error("PostgreSQL is backed up by its own tools, such as pg_dump --format=custom")]
    NotAFile,
    /// SQLite did not do it; no file is left.
    #[error("the backup was not made")]
    Sqlite(#[from] SqliteError),
}

impl Keeping {
    /// Copies the store into a new file, while a server goes on writing to it.
    ///
    /// # Errors
    /// [`BackupError`].
    pub async fn back_up(&self, file: &Path) -> Result<(), BackupError> {
        match &self.database {
            Database::Sqlite(database) => Ok(database.back_up_to(file).await?),
            Database::Postgres(_) => Err(BackupError::NotAFile),
        }
    }

    /// Closes the store.
    pub async fn close(self) {
        self.database.close().await;
    }
}

/// Opens the store of `config`.
///
/// # Errors
/// [`StartError`] naming what is missing.
pub async fn for_keeping(config: &Config) -> Result<Keeping, StartError> {
    let stores = Stores::open(config).await?;
    let (clock, ids) = (Arc::new(SystemClock::default()), Arc::new(SystemIds));
    Ok(Keeping {
        audit: AuditService::new(stores.audit, clock, ids),
        place: store::place(config),
        database: stores.database,
    })
}
