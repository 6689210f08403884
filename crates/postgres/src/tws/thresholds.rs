//! Thresholds in PostgreSQL.

use async_trait::async_trait;
use resync_tws::ports::{Threshold, ThresholdError, ThresholdId, ThresholdRepository};
use uuid::Uuid;

use crate::row::RowName;
use crate::{PgDatabase, PgError};

/// Thresholds in the table `thresholds`.
#[derive(Debug, Clone)]
pub struct PgThresholdRepository {
    database: PgDatabase,
}

impl From<PgError> for ThresholdError {
    fn from(error: PgError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl PgThresholdRepository {
    /// The thresholds of `database`.
    #[must_use]
    pub const fn new(database: PgDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl ThresholdRepository for PgThresholdRepository {
    async fn list(&self) -> Result<Vec<Threshold>, ThresholdError> {
        let query = sqlx::query_as("SELECT id, body::text FROM thresholds ORDER BY id");
        let rows: Vec<(Uuid, String)> = self.database.rows(query).await?;
        let read = |(id, body): (Uuid, String)| {
            let row = RowName {
                table: "thresholds",
                id: &id,
            };
            row.json("body", &body)
        };
        Ok(rows.into_iter().map(read).collect::<Result<_, PgError>>()?)
    }

    async fn put(&self, threshold: &Threshold) -> Result<(), ThresholdError> {
        let body = serde_json::to_string(threshold)
            .map_err(|error| ThresholdError::Unavailable(error.into()))?;
        let query = sqlx::query(
            "INSERT INTO thresholds (id, body) VALUES ($1, $2::json)
             ON CONFLICT (id) DO UPDATE SET body = excluded.body",
        )
        .bind(threshold.id.0)
        .bind(body);
        self.database.change(query).await?;
        Ok(())
    }

    async fn remove(&self, id: ThresholdId) -> Result<bool, ThresholdError> {
        let query = sqlx::query("DELETE FROM thresholds WHERE id = $1").bind(id.0);
        Ok(self.database.change(query).await? > 0)
    }
}
