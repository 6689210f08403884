//! Documents in SQLite.
//!
//! Invariants:
//! - Ids are 16-byte blobs, times milliseconds since 1970, lists of words JSON.
//! - What must be atomic is one transaction: bytes that are there already against an insertion, a
//!   claim against what its worker writes, a new version against the old one, each against its entry
//!   in the feed.
//! - A column that does not parse names its table, column and row.

mod feed;
mod lists;
mod rows;
mod stages;
mod vectors;
mod versions;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_rag::{
    Change, Chunk, Document, DocumentCounts, DocumentFilter, DocumentId, DocumentRepository,
    DocumentRepositoryError, Inserted, ReadText, WorkerId,
};

use crate::failed::Failed;
use crate::row::RowName;
use crate::{SqliteDatabase, SqliteError};
use rows::{ChunkRow, DocumentRow};

/// Documents in the tables `documents`, `document_files`, `document_texts`, `document_changes`, `chunks`
/// and `chunk_vectors`.
#[derive(Debug, Clone)]
pub struct SqliteDocumentRepository {
    database: SqliteDatabase,
}

impl SqliteDocumentRepository {
    /// The documents of `database`.
    #[must_use]
    pub const fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }
}

impl From<SqliteError> for DocumentRepositoryError {
    fn from(error: SqliteError) -> Self {
        match error {
            SqliteError::Column {
                table, column, id, ..
            } => Self::Corrupt { table, column, id },
            other if other.is_full() => Self::Full(other.into()),
            other => Self::Unavailable(other.into()),
        }
    }
}

fn unavailable(error: sqlx::Error) -> DocumentRepositoryError {
    SqliteError::from(error).into()
}

/// What a statement of this store fails with.
type Fails = Failed<DocumentRepositoryError>;

#[async_trait]
impl DocumentRepository for SqliteDocumentRepository {
    async fn insert(
        &self,
        document: &Document,
        file: &[u8],
    ) -> Result<Inserted, DocumentRepositoryError> {
        let (document, file) = (document.clone(), file.to_vec());
        let work = self
            .database
            .write(move |tx| Box::pin(async move { versions::insert(tx, &document, file).await }));
        work.await.map_err(Failed::port)
    }

    async fn claim(
        &self,
        id: DocumentId,
        worker: WorkerId,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<bool, DocumentRepositoryError> {
        let work = self.database.write(move |tx| {
            Box::pin(async move {
                let done = sqlx::query(
                    "UPDATE documents SET claimed_by = ?1, claimed_until_ms = ?2
                     WHERE id = ?3 AND stage <> 'failed' AND (claimed_by = ?1
                         OR claimed_until_ms IS NULL OR claimed_until_ms <= ?4)",
                )
                .bind(worker.0)
                .bind(until.timestamp_millis())
                .bind(id.0)
                .bind(now.timestamp_millis())
                .execute(tx)
                .await?;
                Ok::<_, Fails>(done.rows_affected() > 0)
            })
        });
        work.await.map_err(Failed::port)
    }

    async fn defer(
        &self,
        id: DocumentId,
        worker: WorkerId,
        until: DateTime<Utc>,
        waiting: Option<String>,
    ) -> Result<bool, DocumentRepositoryError> {
        let work = self.database.write(move |tx| {
            Box::pin(async move {
                let done = sqlx::query(
                    "UPDATE documents
                     SET claimed_by = NULL, claimed_until_ms = ?, waiting = ?
                     WHERE id = ? AND claimed_by = ?",
                )
                .bind(until.timestamp_millis())
                .bind(waiting)
                .bind(id.0)
                .bind(worker.0)
                .execute(tx)
                .await?;
                Ok::<_, Fails>(done.rows_affected() > 0)
            })
        });
        work.await.map_err(Failed::port)
    }

    async fn claimable(
        &self,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<DocumentId>, DocumentRepositoryError> {
        let ids: Vec<uuid::Uuid> = sqlx::query_scalar(
            "SELECT id FROM documents
             WHERE stage IN ('received', 'text', 'chunks', 'vectors')
                 AND (claimed_until_ms IS NULL OR claimed_until_ms <= ?)
             ORDER BY id LIMIT ?",
        )
        .bind(now.timestamp_millis())
        .bind(limit)
        .fetch_all(self.database.reader())
        .await
        .map_err(unavailable)?;
        Ok(ids.into_iter().map(DocumentId).collect())
    }

    async fn file(&self, id: DocumentId) -> Result<Option<Vec<u8>>, DocumentRepositoryError> {
        sqlx::query_scalar("SELECT file FROM document_files WHERE document_id = ?")
            .bind(id.0)
            .fetch_optional(self.database.reader())
            .await
            .map_err(unavailable)
    }

    async fn put_text(
        &self,
        id: DocumentId,
        worker: WorkerId,
        text: &ReadText,
    ) -> Result<bool, DocumentRepositoryError> {
        let text = text.clone();
        let work = self.database.write(move |tx| {
            Box::pin(async move { stages::put_text(tx, id, worker, &text).await })
        });
        work.await.map_err(Failed::port)
    }

    async fn put_chunks(
        &self,
        id: DocumentId,
        worker: WorkerId,
        chunks: &[Chunk],
    ) -> Result<bool, DocumentRepositoryError> {
        let chunks = chunks.to_vec();
        let work = self.database.write(move |tx| {
            Box::pin(async move { stages::put_chunks(tx, id, worker, &chunks).await })
        });
        work.await.map_err(Failed::port)
    }

    async fn publish(
        &self,
        id: DocumentId,
        worker: WorkerId,
    ) -> Result<Option<Vec<DocumentId>>, DocumentRepositoryError> {
        let work = self
            .database
            .write(move |tx| Box::pin(async move { versions::publish(tx, id, worker).await }));
        work.await.map_err(Failed::port)
    }

    async fn fail(
        &self,
        id: DocumentId,
        worker: WorkerId,
        reason: &str,
    ) -> Result<bool, DocumentRepositoryError> {
        let reason = reason.to_owned();
        let work = self
            .database
            .write(move |tx| Box::pin(async move { stages::fail(tx, id, worker, &reason).await }));
        work.await.map_err(Failed::port)
    }

    async fn get(&self, id: DocumentId) -> Result<Option<Document>, DocumentRepositoryError> {
        let row: Option<DocumentRow> = sqlx::query_as("SELECT * FROM documents WHERE id = ?")
            .bind(id.0)
            .fetch_optional(self.database.reader())
            .await
            .map_err(unavailable)?;
        row.map(Document::try_from).transpose()
    }

    async fn text(&self, id: DocumentId) -> Result<Option<String>, DocumentRepositoryError> {
        sqlx::query_scalar("SELECT text FROM document_texts WHERE document_id = ?")
            .bind(id.0)
            .fetch_optional(self.database.reader())
            .await
            .map_err(unavailable)
    }

    async fn chunks(&self, id: DocumentId) -> Result<Vec<Chunk>, DocumentRepositoryError> {
        let rows: Vec<ChunkRow> =
            sqlx::query_as("SELECT * FROM chunks WHERE document_id = ? ORDER BY ordinal")
                .bind(id.0)
                .fetch_all(self.database.reader())
                .await
                .map_err(unavailable)?;
        rows.into_iter().map(Chunk::try_from).collect()
    }

    async fn newest(
        &self,
        filter: &DocumentFilter,
        before: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<Document>, DocumentRepositoryError> {
        let rows = lists::newest(self.database.reader(), filter, before, limit).await;
        let rows = rows.map_err(unavailable)?;
        rows.into_iter().map(Document::try_from).collect()
    }

    async fn ready(
        &self,
        after: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<Document>, DocumentRepositoryError> {
        let rows: Vec<DocumentRow> = sqlx::query_as(
            "SELECT * FROM documents
             WHERE stage = 'ready' AND (?1 IS NULL OR id > ?1) ORDER BY id LIMIT ?2",
        )
        .bind(after.map(|id| id.0))
        .bind(limit)
        .fetch_all(self.database.reader())
        .await
        .map_err(unavailable)?;
        rows.into_iter().map(Document::try_from).collect()
    }

    async fn delete(&self, id: DocumentId) -> Result<bool, DocumentRepositoryError> {
        let work = self
            .database
            .write(move |tx| Box::pin(async move { versions::delete(tx, id).await }));
        work.await.map_err(Failed::port)
    }

    async fn changes(
        &self,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Change>, DocumentRepositoryError> {
        feed::changes(self.database.reader(), after, limit).await
    }

    async fn last_change(&self) -> Result<u64, DocumentRepositoryError> {
        feed::last(self.database.reader()).await
    }

    async fn trim_changes(&self, seq: u64) -> Result<(), DocumentRepositoryError> {
        let work = self
            .database
            .write(move |tx| Box::pin(async move { feed::trim(tx, seq).await }));
        work.await.map_err(Failed::port)
    }

    async fn counts(&self) -> Result<DocumentCounts, DocumentRepositoryError> {
        let (documents, ready, failed, chunks, chars): (i64, i64, i64, i64, i64) = sqlx::query_as(
            "SELECT count(*), count(*) FILTER (WHERE stage = 'ready'),
                 count(*) FILTER (WHERE stage = 'failed'), coalesce(sum(chunks), 0),
                 coalesce(sum(chars), 0)
             FROM documents",
        )
        .fetch_one(self.database.reader())
        .await
        .map_err(unavailable)?;
        let all = RowName {
            table: "documents",
            id: &"all",
        };
        let number = |stored| all.number("counts", stored);
        Ok(DocumentCounts {
            documents: number(documents)?,
            ready: number(ready)?,
            failed: number(failed)?,
            chunks: number(chunks)?,
            chars: number(chars)?,
        })
    }
}
