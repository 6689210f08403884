//! The store: where it lies, and whether it answers.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use async_trait::async_trait;
use resync_api::state::StoreProbe;
use resync_kernel::BoxError;
use resync_sqlite::SqliteDatabase;

use super::StartError;
use crate::config::Config;

/// Where the store is.
pub(super) fn place(config: &Config) -> PathBuf {
    match &config.database.url {
        Some(url) => url.strip_prefix("sqlite://").unwrap_or(url).into(),
        None => config.server.data_dir.join("resync.db"),
    }
}

pub(super) async fn open(config: &Config) -> Result<SqliteDatabase, StartError> {
    let path = place(config);
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
pub(super) struct Probe(pub(super) SqliteDatabase);

#[async_trait]
impl StoreProbe for Probe {
    async fn ping(&self) -> Result<(), BoxError> {
        Ok(self.0.ping().await?)
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
        let database = open(&config).await.unwrap();
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
