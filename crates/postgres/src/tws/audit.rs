//! The audit in PostgreSQL. Triggers refuse to change or remove a row; the chain shows who did it anyway.
//!
//! Invariant: rows are appended one after the other, over all replicas, under [`Lock::Audit`], so that no
//! two of them are tied to one end.

use async_trait::async_trait;
use resync_tws::ports::{AuditEntry, AuditError, AuditId, AuditLog, SealedRow, Tip};
use sqlx::FromRow;
use uuid::Uuid;

use crate::failed::Failed;
use crate::lock::Lock;
use crate::row::{RowName, signed};
use crate::{PgDatabase, PgError};

/// The audit in the table `audit`.
#[derive(Debug, Clone)]
pub struct PgAuditLog {
    database: PgDatabase,
}

/// A row as it stands in the table. Its action is read from the sealed text alone.
#[derive(FromRow)]
struct Row {
    seq: i64,
    id: Uuid,
    action: String,
    action_id: Option<Uuid>,
    body: String,
    prev_hash: String,
    hash: String,
}

impl TryFrom<Row> for SealedRow {
    type Error = PgError;

    fn try_from(row: Row) -> Result<Self, PgError> {
        Ok(Self {
            seq: seq(row.seq, &row.id)?,
            id: AuditId(row.id),
            action: row.action,
            action_id: row.action_id,
            body: row.body,
            prev_hash: row.prev_hash,
            hash: row.hash,
        })
    }
}

impl From<PgError> for AuditError {
    fn from(error: PgError) -> Self {
        match error.constraint() {
            Some("audit_outcomes") => Self::OutcomeExists,
            _ => Self::Unavailable(error.into()),
        }
    }
}

fn seq(stored: i64, id: &dyn std::fmt::Display) -> Result<u64, PgError> {
    RowName { table: "audit", id }.number("seq", stored)
}

fn sealed(rows: Vec<Row>) -> Result<Vec<SealedRow>, AuditError> {
    let rows: Result<_, PgError> = rows.into_iter().map(SealedRow::try_from).collect();
    Ok(rows?)
}

impl PgAuditLog {
    /// The audit of `database`.
    #[must_use]
    pub const fn new(database: PgDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl AuditLog for PgAuditLog {
    async fn append(&self, entry: AuditEntry) -> Result<SealedRow, AuditError> {
        let append = self.database.write(move |tx| {
            Box::pin(async move {
                // Also behind a proxy whose connections are not opened by us.
                sqlx::raw_sql("SET LOCAL synchronous_commit = on")
                    .execute(&mut *tx)
                    .await?;
                Lock::Audit.take(tx).await?;
                let last: Option<(i64, String)> =
                    sqlx::query_as("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
                        .fetch_optional(&mut *tx)
                        .await?;
                let tip = match last {
                    None => Tip::default(),
                    Some((last, hash)) => Tip {
                        seq: seq(last, &last)?,
                        hash,
                    },
                };
                let row = SealedRow::seal(&tip, &entry).map_err(Failed)?;
                sqlx::query(
                    "INSERT INTO audit (seq, id, action, action_id, body, prev_hash, hash)
                     VALUES ($1, $2, $3, $4, $5, $6, $7)",
                )
                .bind(signed(row.seq))
                .bind(row.id.0)
                .bind(row.action.as_str())
                .bind(row.action_id)
                .bind(&row.body)
                .bind(&row.prev_hash)
                .bind(&row.hash)
                .execute(tx)
                .await?;
                Ok::<_, Failed<AuditError>>(row)
            })
        });
        append.await.map_err(Failed::port)
    }

    async fn after(&self, after: u64, limit: u32) -> Result<Vec<SealedRow>, AuditError> {
        let query = sqlx::query_as("SELECT * FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2")
            .bind(signed(after))
            .bind(i64::from(limit));
        sealed(self.database.rows(query).await?)
    }

    async fn before(&self, before: Option<u64>, limit: u32) -> Result<Vec<SealedRow>, AuditError> {
        let query = sqlx::query_as("SELECT * FROM audit WHERE seq < $1 ORDER BY seq DESC LIMIT $2")
            .bind(before.map_or(i64::MAX, signed))
            .bind(i64::from(limit));
        sealed(self.database.rows(query).await?)
    }

    async fn unfinished(&self, limit: u32) -> Result<Vec<SealedRow>, AuditError> {
        let query = sqlx::query_as(
            "SELECT * FROM audit AS intent WHERE action = 'action.intent' AND NOT EXISTS (
                 SELECT 1 FROM audit AS outcome
                 WHERE outcome.action = 'action.outcome' AND outcome.action_id = intent.action_id
             ) ORDER BY seq LIMIT $1",
        )
        .bind(i64::from(limit));
        sealed(self.database.rows(query).await?)
    }
}
