//! The audit in SQLite. Triggers refuse to change or remove a row; the chain shows who did it anyway.

use async_trait::async_trait;
use resync_tws::ports::{AuditEntry, AuditError, AuditId, AuditLog, SealedRow, Tip};
use sqlx::FromRow;
use uuid::Uuid;

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
        let seq = u64::try_from(row.seq).map_err(|error| AuditError::Unavailable(error.into()))?;
        Ok(Self {
            seq,
            id: AuditId(row.id),
            action: row.action,
            action_id: row.action_id,
            body: row.body,
            prev_hash: row.prev_hash,
            hash: row.hash,
        })
    }
}

/// What a write may end with.
enum Failure {
    Audit(AuditError),
    Sqlite(SqliteError),
}

impl From<SqliteError> for Failure {
    fn from(error: SqliteError) -> Self {
        Self::Sqlite(error)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Sqlite(error.into())
    }
}

fn unavailable(error: impl Into<SqliteError>) -> AuditError {
    AuditError::Unavailable(error.into().into())
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
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
                    Some((seq, hash)) => Tip {
                        seq: u64::try_from(seq).unwrap_or(0),
                        hash,
                    },
                };
                let row = SealedRow::seal(&tip, &entry).map_err(Failure::Audit)?;
                sqlx::query(
                    "INSERT INTO audit (seq, id, action, action_id, body, prev_hash, hash)
                     VALUES (?, ?, ?, ?, ?, ?, ?)",
                )
                .bind(number(row.seq))
                .bind(row.id.0)
                .bind(row.action.as_str())
                .bind(row.action_id)
                .bind(&row.body)
                .bind(&row.prev_hash)
                .bind(&row.hash)
                .execute(tx)
                .await?;
                Ok::<_, Failure>(row)
            })
        });
        append.await.map_err(|failure| match failure {
            Failure::Audit(error) => error,
            Failure::Sqlite(error) if error.is_unique_violation() => AuditError::OutcomeExists,
            Failure::Sqlite(error) => unavailable(error),
        })
    }

    async fn after(&self, after: u64, limit: u32) -> Result<Vec<SealedRow>, AuditError> {
        let rows = sqlx::query_as("SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT ?")
            .bind(number(after))
            .bind(limit)
            .fetch_all(self.database.reader())
            .await
            .map_err(unavailable)?;
        sealed(rows)
    }

    async fn before(&self, before: Option<u64>, limit: u32) -> Result<Vec<SealedRow>, AuditError> {
        let rows = sqlx::query_as("SELECT * FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ?")
            .bind(before.map_or(i64::MAX, number))
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
