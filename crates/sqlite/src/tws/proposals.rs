//! Proposals in SQLite.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_tws::ports::{ProposalError, ProposalId, ProposalStore, Redemption, StoredProposal};
use sqlx::FromRow;
use uuid::Uuid;

use crate::row::RowName;
use crate::{SqliteDatabase, SqliteError};

/// Proposals in the table `proposals`.
#[derive(Debug, Clone)]
pub struct SqliteProposalStore {
    database: SqliteDatabase,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    body: String,
    used_at_ms: Option<i64>,
}

impl TryFrom<Row> for StoredProposal {
    type Error = SqliteError;

    fn try_from(row: Row) -> Result<Self, SqliteError> {
        let name = RowName {
            table: "proposals",
            id: &row.id,
        };
        let body: Self = name.json("body", &row.body)?;
        Ok(Self {
            used: row.used_at_ms.is_some(),
            ..body
        })
    }
}

fn unavailable(error: impl Into<SqliteError>) -> ProposalError {
    ProposalError::Unavailable(error.into().into())
}

impl SqliteProposalStore {
    /// The proposals of `database`.
    #[must_use]
    pub const fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl ProposalStore for SqliteProposalStore {
    async fn insert(&self, proposal: &StoredProposal) -> Result<(), ProposalError> {
        let body = serde_json::to_string(proposal)
            .map_err(|error| ProposalError::Unavailable(error.into()))?;
        let (id, ends) = (proposal.id.0, proposal.expires_at.timestamp_millis());
        let insert = self.database.write(move |tx| {
            Box::pin(async move {
                sqlx::query("INSERT INTO proposals (id, body, expires_at_ms) VALUES (?, ?, ?)")
                    .bind(id)
                    .bind(body)
                    .bind(ends)
                    .execute(tx)
                    .await?;
                Ok::<_, SqliteError>(())
            })
        });
        insert.await.map_err(|error| {
            if error.is_unique_violation() {
                ProposalError::AlreadyExists
            } else {
                unavailable(error)
            }
        })
    }

    async fn find(&self, id: ProposalId) -> Result<Option<StoredProposal>, ProposalError> {
        let row: Option<Row> =
            sqlx::query_as("SELECT id, body, used_at_ms FROM proposals WHERE id = ?")
                .bind(id.0)
                .fetch_optional(self.database.reader())
                .await
                .map_err(unavailable)?;
        row.map(StoredProposal::try_from)
            .transpose()
            .map_err(unavailable)
    }

    async fn redeem(
        &self,
        id: ProposalId,
        now: DateTime<Utc>,
    ) -> Result<Redemption, ProposalError> {
        let now = now.timestamp_millis();
        let redeem = self.database.write(move |tx| {
            Box::pin(async move {
                let state: Option<(i64, Option<i64>)> =
                    sqlx::query_as("SELECT expires_at_ms, used_at_ms FROM proposals WHERE id = ?")
                        .bind(id.0)
                        .fetch_optional(&mut *tx)
                        .await?;
                match state {
                    None => Ok(Redemption::Unknown),
                    Some((_, Some(_))) => Ok(Redemption::AlreadyUsed),
                    Some((ends, None)) if ends <= now => Ok(Redemption::Expired),
                    Some(_) => {
                        sqlx::query("UPDATE proposals SET used_at_ms = ? WHERE id = ?")
                            .bind(now)
                            .bind(id.0)
                            .execute(tx)
                            .await?;
                        Ok::<_, SqliteError>(Redemption::Redeemed)
                    }
                }
            })
        });
        redeem.await.map_err(unavailable)
    }

    async fn purge(&self, before: DateTime<Utc>) -> Result<u64, ProposalError> {
        let before = before.timestamp_millis();
        let purge = self.database.write(move |tx| {
            Box::pin(async move {
                let done = sqlx::query("DELETE FROM proposals WHERE expires_at_ms < ?")
                    .bind(before)
                    .execute(tx)
                    .await?;
                Ok::<_, SqliteError>(done.rows_affected())
            })
        });
        purge.await.map_err(unavailable)
    }
}
