//! The token of the first start in SQLite.

use async_trait::async_trait;
use resync_auth::{SetupRecord, SetupTokenStore, SetupTokenStoreError};
use sqlx::FromRow;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;

use crate::row::RowName;
use crate::{SqliteDatabase, SqliteError};

/// The one row of the table `setup_token`.
#[derive(Debug, Clone)]
pub struct SqliteSetupTokenStore {
    database: SqliteDatabase,
}

impl SqliteSetupTokenStore {
    /// The setup token of `database`.
    #[must_use]
    pub const fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }

    async fn change(
        &self,
        query: Query<'static, sqlx::Sqlite, SqliteArguments>,
    ) -> Result<(), SetupTokenStoreError> {
        let work = self.database.write(move |tx| {
            Box::pin(async move {
                query.execute(tx).await?;
                Ok::<_, SqliteError>(())
            })
        });
        work.await.map_err(unavailable)
    }
}

#[derive(FromRow)]
struct Row {
    digest: Vec<u8>,
    expires_at_ms: i64,
}

impl TryFrom<Row> for SetupRecord {
    type Error = SqliteError;

    fn try_from(row: Row) -> Result<Self, SqliteError> {
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

fn unavailable(error: impl Into<SqliteError>) -> SetupTokenStoreError {
    SetupTokenStoreError(error.into().into())
}

#[async_trait]
impl SetupTokenStore for SqliteSetupTokenStore {
    async fn replace(&self, record: &SetupRecord) -> Result<(), SetupTokenStoreError> {
        let sql =
            "INSERT OR REPLACE INTO setup_token (only_row, digest, expires_at_ms) VALUES (1, ?, ?)";
        let query = sqlx::query(sql)
            .bind(record.digest.to_vec())
            .bind(record.expires_at.timestamp_millis());
        self.change(query).await
    }

    async fn find(&self) -> Result<Option<SetupRecord>, SetupTokenStoreError> {
        let row: Option<Row> = sqlx::query_as("SELECT digest, expires_at_ms FROM setup_token")
            .fetch_optional(self.database.reader())
            .await
            .map_err(unavailable)?;
        row.map(SetupRecord::try_from)
            .transpose()
            .map_err(unavailable)
    }

    async fn clear(&self) -> Result<(), SetupTokenStoreError> {
        self.change(sqlx::query("DELETE FROM setup_token")).await
    }
}
