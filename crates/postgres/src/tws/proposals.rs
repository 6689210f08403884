//! Proposals in PostgreSQL.
//!
//! Invariant: of any number of replicas that use a proposal at once, one does: it is one statement, and
//! whoever waited for its row finds it used.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_tws::ports::{ProposalError, ProposalId, ProposalStore, Redemption, StoredProposal};
use sqlx::FromRow;
use uuid::Uuid;

use crate::row::RowName;
use crate::{PgDatabase, PgError};

/// Proposals in the table `proposals`.
#[derive(Debug, Clone)]
pub struct PgProposalStore {
    database: PgDatabase,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    body: String,
    used_at_ms: Option<i64>,
}

impl TryFrom<Row> for StoredProposal {
    type Error = PgError;

    fn try_from(row: Row) -> Result<Self, PgError> {
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

impl From<PgError> for ProposalError {
    fn from(error: PgError) -> Self {
        if error.is_unique_violation() {
            Self::AlreadyExists
        } else {
            Self::Unavailable(error.into())
        }
    }
}

impl PgProposalStore {
    /// The proposals of `database`.
    #[must_use]
    pub const fn new(database: PgDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl ProposalStore for PgProposalStore {
    async fn insert(&self, proposal: &StoredProposal) -> Result<(), ProposalError> {
        let body = serde_json::to_string(proposal)
            .map_err(|error| ProposalError::Unavailable(error.into()))?;
        let query = sqlx::query(
            "INSERT INTO proposals (id, body, expires_at_ms) VALUES ($1, $2::json, $3)",
        )
        .bind(proposal.id.0)
        .bind(body)
        .bind(proposal.expires_at.timestamp_millis());
        self.database.change(query).await?;
        Ok(())
    }

    async fn find(&self, id: ProposalId) -> Result<Option<StoredProposal>, ProposalError> {
        let query = sqlx::query_as::<_, Row>(
            "SELECT id, body::text, used_at_ms FROM proposals WHERE id = $1",
        )
        .bind(id.0);
        let row = self.database.row(query).await?;
        Ok(row.map(StoredProposal::try_from).transpose()?)
    }

    async fn redeem(
        &self,
        id: ProposalId,
        now: DateTime<Utc>,
    ) -> Result<Redemption, ProposalError> {
        let now = now.timestamp_millis();
        let redeem = sqlx::query(
            "UPDATE proposals SET used_at_ms = $1
             WHERE id = $2 AND used_at_ms IS NULL AND expires_at_ms > $1",
        )
        .bind(now)
        .bind(id.0);
        if self.database.change(redeem).await? > 0 {
            return Ok(Redemption::Redeemed);
        }
        let query =
            sqlx::query_as("SELECT used_at_ms IS NOT NULL FROM proposals WHERE id = $1").bind(id.0);
        Ok(match self.database.row(query).await? {
            None => Redemption::Unknown,
            Some((true,)) => Redemption::AlreadyUsed,
            Some((false,)) => Redemption::Expired,
        })
    }

    async fn purge(&self, before: DateTime<Utc>) -> Result<u64, ProposalError> {
        let query = sqlx::query("DELETE FROM proposals WHERE expires_at_ms < $1")
            .bind(before.timestamp_millis());
        Ok(self.database.change(query).await?)
    }
}
