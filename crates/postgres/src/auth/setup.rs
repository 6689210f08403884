//! The token of the first start in PostgreSQL.

use async_trait::async_trait;
use resync_auth::{SetupRecord, SetupTokenStore, SetupTokenStoreError};
use sqlx::FromRow;

use crate::row::RowName;
use crate::{PgDatabase, PgError};

/// The one row of the table `setup_token`.
#[derive(Debug, Clone)]
pub struct PgSetupTokenStore {
    database: PgDatabase,
}

impl PgSetupTokenStore {
    /// The setup token of `database`.
    #[must_use]
    pub const fn new(database: PgDatabase) -> Self {
        Self { database }
    }
}

#[derive(FromRow)]
struct Row {
    digest: Vec<u8>,
    expires_at_ms: i64,
}

impl TryFrom<Row> for SetupRecord {
    type Error = PgError;

    fn try_from(row: Row) -> Result<Self, PgError> {
        let name = RowName {
            table: "setup_token",
            id: &1,
        };
        let digest = <[u8; 32]>::try_from(row.digest.as_slice());
        Ok(Self {
            digest: digest.map_err(|error| name.broken("digest", error))?,
            expires_at: name.time("expires_at_ms", row.expires_at_ms)?,
        })
    }
}

impl From<PgError> for SetupTokenStoreError {
    fn from(error: PgError) -> Self {
        Self(error.into())
    }
}

#[async_trait]
impl SetupTokenStore for PgSetupTokenStore {
    async fn replace(&self, record: &SetupRecord) -> Result<(), SetupTokenStoreError> {
        let query = sqlx::query(
            "INSERT INTO setup_token (only_row, digest, expires_at_ms) VALUES (1, $1, $2)
             ON CONFLICT (only_row) DO UPDATE
                 SET digest = excluded.digest, expires_at_ms = excluded.expires_at_ms",
        )
        .bind(record.digest.to_vec())
        .bind(record.expires_at.timestamp_millis());
        self.database.change(query).await?;
        Ok(())
    }

    async fn find(&self) -> Result<Option<SetupRecord>, SetupTokenStoreError> {
        let query = sqlx::query_as::<_, Row>("SELECT digest, expires_at_ms FROM setup_token");
        let row = self.database.row(query).await?;
        Ok(row.map(SetupRecord::try_from).transpose()?)
    }

    async fn clear(&self) -> Result<(), SetupTokenStoreError> {
        self.database
            .change(sqlx::query("DELETE FROM setup_token"))
            .await?;
        Ok(())
    }
}
