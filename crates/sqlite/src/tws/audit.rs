//! The audit in SQLite. Triggers refuse to change or remove a row; the chain shows who did it anyway.

use async_trait::async_trait;
use resync_tws::ports::{AuditEntry, AuditError, AuditId, AuditLog, SealedRow, Tip};
use sqlx::FromRow;
use uuid::Uuid;

use crate::failed::Failed;
use crate::row::{RowName, signed};
use crate::{SqliteDatabase, SqliteError};

/// The audit in the table `audit`.
#[derive(Debug, Clone)]
pub struct SqliteAuditLog {
    database: SqliteDatabase,
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
    type Error = AuditError;

    fn try_from(row: Row) -> Result<Self, AuditError> {
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

impl From<SqliteError> for AuditError {
    fn from(error: SqliteError) -> Self {
        // The one unique key that a caller can meet is that of an intent's outcome.
        if error.is_unique_violation() {
            Self::OutcomeExists
        } else {
            Self::Unavailable(error.into())
        }
    }
}

fn unavailable(error: sqlx::Error) -> AuditError {
    SqliteError::from(error).into()
}

fn seq(stored: i64, id: &dyn std::fmt::Display) -> Result<u64, SqliteError> {
    RowName { table: "audit", id }.number("seq", stored)
}

fn sealed(rows: Vec<Row>) -> Result<Vec<SealedRow>, AuditError> {
    rows.into_iter().map(SealedRow::try_from).collect()
}

impl SqliteAuditLog {
    /// The audit of `database`.
    #[must_use]
    pub const fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl AuditLog for SqliteAuditLog {
    async fn append(&self, entry: AuditEntry) -> Result<SealedRow, AuditError> {
        let append = self.database.write(move |tx| {
            Box::pin(async move {
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
                     VALUES (?, ?, ?, ?, ?, ?, ?)",
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
        let rows = sqlx::query_as("SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT ?")
            .bind(signed(after))
            .bind(limit)
            .fetch_all(self.database.reader())
            .await
            .map_err(unavailable)?;
        sealed(rows)
    }

    async fn before(&self, before: Option<u64>, limit: u32) -> Result<Vec<SealedRow>, AuditError> {
        let rows = sqlx::query_as("SELECT * FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ?")
            .bind(before.map_or(i64::MAX, signed))
            .bind(limit)
            .fetch_all(self.database.reader())
            .await
            .map_err(unavailable)?;
        sealed(rows)
    }

    async fn unfinished(&self, limit: u32) -> Result<Vec<SealedRow>, AuditError> {
        let rows = sqlx::query_as(
            "SELECT * FROM audit AS intent WHERE action = 'action.intent' AND NOT EXISTS (
                 SELECT 1 FROM audit AS outcome
                 WHERE outcome.action = 'action.outcome' AND outcome.action_id = intent.action_id
             ) ORDER BY seq LIMIT ?",
        )
        .bind(limit)
        .fetch_all(self.database.reader())
        .await
        .map_err(unavailable)?;
        sealed(rows)
    }
}
