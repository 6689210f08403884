//! Documents and their vectors in PostgreSQL.
//!
//! Invariants:
//! - What must be atomic is one statement or one transaction: bytes that are there already against an
//!   insertion, a claim against what its worker writes, a new version against the old one, each against
//!   its entry in the feed.
//! - Numbers of the feed become visible in their order: who draws one holds the feed until the commit,
//!   and takes it before any document's row, so that no two of them wait for each other in a circle.
//! - A column that does not parse names its table, column and row.

mod feed;
mod nearest;
mod rows;
mod stages;
mod vectors;
mod versions;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_rag::{
    Change, Chunk, Document, DocumentCounts, DocumentFilter, DocumentId, DocumentRepository,
    DocumentRepositoryError, Inserted, Language, ReadText, StageName, WorkerId,
};
use uuid::Uuid;

use crate::failed::Failed;
use crate::row::{RowName, signed, storable};
use crate::{PgDatabase, PgError};
use rows::{ChunkRow, DocumentRow};

pub use nearest::PgVectorSearch;

/// Documents in the tables `documents`, `document_files`, `document_texts`, `document_changes`, `chunks`
/// and `chunk_vectors`.
#[derive(Debug, Clone)]
pub struct PgDocumentRepository {
    database: PgDatabase,
}

impl PgDocumentRepository {
    /// The documents of `database`.
    #[must_use]
    pub const fn new(database: PgDatabase) -> Self {
        Self { database }
    }
}

impl From<PgError> for DocumentRepositoryError {
    fn from(error: PgError) -> Self {
        match error {
            PgError::Column {
                table, column, id, ..
            } => Self::Corrupt { table, column, id },
            // The server's disk is full.
            other if other.sqlstate().as_deref() == Some("53100") => Self::Full(other.into()),
            other => Self::Unavailable(other.into()),
        }
    }
}

/// What a statement of this store fails with.
type Fails = Failed<DocumentRepositoryError>;

fn documents(rows: Vec<DocumentRow>) -> Result<Vec<Document>, DocumentRepositoryError> {
    let documents: Result<_, PgError> = rows.into_iter().map(Document::try_from).collect();
    Ok(documents?)
}

/// A word to look for; one with a NUL is in no row.
fn wanted(word: Option<&str>) -> Option<String> {
    word.map(|word| storable(word).into_owned())
}

#[async_trait]
impl DocumentRepository for PgDocumentRepository {
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
        let query = sqlx::query(
            "UPDATE documents SET claimed_by = $1, claimed_until_ms = $2
             WHERE id = $3 AND stage <> 'failed' AND (claimed_by = $1
                 OR claimed_until_ms IS NULL OR claimed_until_ms <= $4)",
        )
        .bind(worker.0)
        .bind(until.timestamp_millis())
        .bind(id.0)
        .bind(now.timestamp_millis());
        Ok(self.database.change(query).await? > 0)
    }

    async fn defer(
        &self,
        id: DocumentId,
        worker: WorkerId,
        until: DateTime<Utc>,
        waiting: Option<String>,
    ) -> Result<bool, DocumentRepositoryError> {
        let query = sqlx::query(
            "UPDATE documents SET claimed_by = NULL, claimed_until_ms = $1, waiting = $2
             WHERE id = $3 AND claimed_by = $4",
        )
        .bind(until.timestamp_millis())
        .bind(wanted(waiting.as_deref()))
        .bind(id.0)
        .bind(worker.0);
        Ok(self.database.change(query).await? > 0)
    }

    async fn claimable(
        &self,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<DocumentId>, DocumentRepositoryError> {
        let query = sqlx::query_as(
            "SELECT id FROM documents
             WHERE stage IN ('received', 'text', 'chunks', 'vectors')
                 AND (claimed_until_ms IS NULL OR claimed_until_ms <= $1)
             ORDER BY id LIMIT $2",
        )
        .bind(now.timestamp_millis())
        .bind(i64::from(limit));
        let ids: Vec<(Uuid,)> = self.database.rows(query).await?;
        Ok(ids.into_iter().map(|(id,)| DocumentId(id)).collect())
    }

    async fn file(&self, id: DocumentId) -> Result<Option<Vec<u8>>, DocumentRepositoryError> {
        let query =
            sqlx::query_as("SELECT file FROM document_files WHERE document_id = $1").bind(id.0);
        let file: Option<(Vec<u8>,)> = self.database.row(query).await?;
        Ok(file.map(|(file,)| file))
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
        let reason = storable(reason).into_owned();
        let work = self
            .database
            .write(move |tx| Box::pin(async move { stages::fail(tx, id, worker, &reason).await }));
        work.await.map_err(Failed::port)
    }

    async fn get(&self, id: DocumentId) -> Result<Option<Document>, DocumentRepositoryError> {
        let query =
            sqlx::query_as::<_, DocumentRow>("SELECT * FROM documents WHERE id = $1").bind(id.0);
        let row = self.database.row(query).await?;
        Ok(row.map(Document::try_from).transpose()?)
    }

    async fn text(&self, id: DocumentId) -> Result<Option<String>, DocumentRepositoryError> {
        let query =
            sqlx::query_as("SELECT text FROM document_texts WHERE document_id = $1").bind(id.0);
        let text: Option<(String,)> = self.database.row(query).await?;
        Ok(text.map(|(text,)| text))
    }

    async fn chunks(&self, id: DocumentId) -> Result<Vec<Chunk>, DocumentRepositoryError> {
        let query = sqlx::query_as::<_, ChunkRow>(
            "SELECT document_id, ordinal, heading_path::text, text, start_char, end_char, start_line,
                 end_line, context, section_start_char, section_end_char, section_start_line,
                 section_end_line
             FROM chunks WHERE document_id = $1 ORDER BY ordinal",
        )
        .bind(id.0);
        let rows = self.database.rows(query).await?;
        let chunks: Result<_, PgError> = rows.into_iter().map(Chunk::try_from).collect();
        Ok(chunks?)
    }

    async fn newest(
        &self,
        filter: &DocumentFilter,
        before: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<Document>, DocumentRepositoryError> {
        let query = sqlx::query_as(
            "SELECT * FROM documents
             WHERE ($1::uuid IS NULL OR id < $1) AND ($2::text IS NULL OR collection = $2)
                 AND ($3::text IS NULL OR path = $3) AND ($4::text IS NULL OR language = $4)
                 AND ($5::text IS NULL OR stage = $5) AND ($6::text IS NULL OR $6 = ANY (tags))
             ORDER BY id DESC LIMIT $7",
        )
        .bind(before.map(|id| id.0))
        .bind(wanted(filter.collection.as_deref()))
        .bind(wanted(filter.path.as_deref()))
        .bind(filter.language.map(Language::as_str))
        .bind(filter.stage.map(StageName::as_str))
        .bind(wanted(filter.tag.as_deref()))
        .bind(i64::from(limit));
        documents(self.database.rows(query).await?)
    }

    async fn ready(
        &self,
        after: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<Document>, DocumentRepositoryError> {
        let query = sqlx::query_as(
            "SELECT * FROM documents
             WHERE stage = 'ready' AND ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2",
        )
        .bind(after.map(|id| id.0))
        .bind(i64::from(limit));
        documents(self.database.rows(query).await?)
    }

    async fn delete(&self, id: DocumentId) -> Result<bool, DocumentRepositoryError> {
        let work = self.database.write(move |tx| {
            Box::pin(async move {
                feed::hold(tx).await?;
                versions::delete(tx, id).await
            })
        });
        work.await.map_err(Failed::port)
    }

    async fn changes(
        &self,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Change>, DocumentRepositoryError> {
        Ok(feed::changes(&self.database, after, limit).await?)
    }

    async fn last_change(&self) -> Result<u64, DocumentRepositoryError> {
        Ok(feed::last(&self.database).await?)
    }

    async fn trim_changes(&self, seq: u64) -> Result<(), DocumentRepositoryError> {
        let query = sqlx::query("DELETE FROM document_changes WHERE seq <= $1 AND kind = 'gone'")
            .bind(signed(seq));
        self.database.change(query).await?;
        Ok(())
    }

    async fn counts(&self) -> Result<DocumentCounts, DocumentRepositoryError> {
        let query = sqlx::query_as(
            "SELECT count(*), count(*) FILTER (WHERE stage = 'ready'),
                 count(*) FILTER (WHERE stage = 'failed'), coalesce(sum(chunks), 0)::bigint,
                 coalesce(sum(chars), 0)::bigint
             FROM documents",
        );
        let (documents, ready, failed, chunks, chars): (i64, i64, i64, i64, i64) =
            self.database.one(query).await?;
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
