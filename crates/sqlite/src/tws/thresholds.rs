//! Thresholds in SQLite.

use async_trait::async_trait;
use resync_tws::ports::{Threshold, ThresholdError, ThresholdId, ThresholdRepository};
use uuid::Uuid;

use crate::row::RowName;
use crate::{SqliteDatabase, SqliteError};

/// Thresholds in the table `thresholds`.
#[derive(Debug, Clone)]
pub struct SqliteThresholdRepository {
    database: SqliteDatabase,
}

fn unavailable(error: impl Into<SqliteError>) -> ThresholdError {
    ThresholdError::Unavailable(error.into().into())
}

impl SqliteThresholdRepository {
    /// The thresholds of `database`.
    #[must_use]
    pub const fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl ThresholdRepository for SqliteThresholdRepository {
    async fn list(&self) -> Result<Vec<Threshold>, ThresholdError> {
        let rows: Vec<(Uuid, String)> =
            sqlx::query_as("SELECT id, body FROM thresholds ORDER BY id")
                .fetch_all(self.database.reader())
                .await
                .map_err(unavailable)?;
        let read = |(id, body): (Uuid, String)| {
            let row = RowName {
                table: "thresholds",
                id: &id,
            };
            row.json("body", &body).map_err(unavailable)
        };
        rows.into_iter().map(read).collect()
    }

    async fn put(&self, threshold: &Threshold) -> Result<(), ThresholdError> {
        let body = serde_json::to_string(threshold)
            .map_err(|error| ThresholdError::Unavailable(error.into()))?;
        let id = threshold.id.0;
        let put = self.database.write(move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO thresholds (id, body) VALUES (?, ?) \
                     ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                )
                .bind(id)
                .bind(body)
                .execute(tx)
                .await?;
                Ok::<_, SqliteError>(())
            })
        });
        put.await.map_err(unavailable)
    }

    async fn remove(&self, id: ThresholdId) -> Result<bool, ThresholdError> {
        let remove = self.database.write(move |tx| {
            Box::pin(async move {
                let done = sqlx::query("DELETE FROM thresholds WHERE id = ?")
                    .bind(id.0)
                    .execute(tx)
                    .await?;
                Ok::<_, SqliteError>(done.rows_affected())
            })
        });
        Ok(remove.await.map_err(unavailable)? > 0)
    }
}
