//! Documents in SQLite.
//!
//! Invariants:
//! - Ids are 16-byte blobs, times milliseconds since 1970, lists of words JSON.
//! - What must be atomic is one transaction: bytes that are there already against an insertion,
//!   and the chunks of a document against its stage.
//! - A column that does not parse names its table, column and row.

use async_trait::async_trait;
use resync_kernel::UserId;
use resync_rag::{
    Chunk, Document, DocumentCounts, DocumentId, DocumentRepository, DocumentRepositoryError,
    Inserted, Media, Span, Stage, Walk,
};
use sqlx::SqliteConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::failed::Failed;
use crate::row::{RowName, signed};
use crate::{SqliteDatabase, SqliteError};

/// Documents in the tables `documents`, `document_texts` and `chunks`.
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
            other => Self::Unavailable(other.into()),
        }
    }
}

fn unavailable(error: sqlx::Error) -> DocumentRepositoryError {
    SqliteError::from(error).into()
}

#[derive(sqlx::FromRow)]
struct DocumentRow {
    id: Uuid,
    source: String,
    title: String,
    collection: Option<String>,
    tags: String,
    bytes_sha256: String,
    media: String,
    chars: i64,
    chunks: i64,
    stage: String,
    reason: Option<String>,
    created_at_ms: i64,
    created_by: Uuid,
}

impl TryFrom<DocumentRow> for Document {
    type Error = DocumentRepositoryError;

    fn try_from(row: DocumentRow) -> Result<Self, DocumentRepositoryError> {
        let name = RowName {
            table: "documents",
            id: &row.id,
        };
        let media = Media::parse(&row.media).ok_or_else(|| name.broken("media", "no such kind"));
        let stage = Stage::parse(&row.stage, row.reason.as_deref());
        Ok(Self {
            id: DocumentId(row.id),
            source: row.source,
            title: row.title,
            collection: row.collection,
            tags: name.json("tags", &row.tags)?,
            bytes_sha256: row.bytes_sha256,
            media: media?,
            chars: name.number("chars", row.chars)?,
            chunks: name.number("chunks", row.chunks)?,
            stage: stage.ok_or_else(|| name.broken("stage", "no such stage"))?,
            created_at: name.time("created_at_ms", row.created_at_ms)?,
            created_by: UserId(row.created_by),
        })
    }
}

#[derive(sqlx::FromRow)]
struct ChunkRow {
    document_id: Uuid,
    ordinal: i64,
    heading_path: String,
    text: String,
    start_char: i64,
    end_char: i64,
    start_line: i64,
    end_line: i64,
}

impl TryFrom<ChunkRow> for Chunk {
    type Error = DocumentRepositoryError;

    fn try_from(row: ChunkRow) -> Result<Self, DocumentRepositoryError> {
        let id = format_args!("{}/{}", row.document_id, row.ordinal);
        let name = RowName {
            table: "chunks",
            id: &id,
        };
        Ok(Self {
            document: DocumentId(row.document_id),
            ordinal: name.number("ordinal", row.ordinal)?,
            heading_path: name.json("heading_path", &row.heading_path)?,
            span: Span {
                start_char: name.number("start_char", row.start_char)?,
                end_char: name.number("end_char", row.end_char)?,
                start_line: name.number("start_line", row.start_line)?,
                end_line: name.number("end_line", row.end_line)?,
            },
            text: row.text,
        })
    }
}

async fn insert(
    connection: &mut SqliteConnection,
    document: &Document,
    text: &str,
) -> Result<Inserted, Failed<DocumentRepositoryError>> {
    let known: Option<DocumentRow> =
        sqlx::query_as("SELECT * FROM documents WHERE bytes_sha256 = ?")
            .bind(&document.bytes_sha256)
            .fetch_optional(&mut *connection)
            .await?;
    if let Some(row) = known {
        return Ok(Inserted::Existing(Box::new(
            row.try_into().map_err(Failed)?,
        )));
    }
    sqlx::query(
        "INSERT INTO documents (id, source, title, collection, tags, bytes_sha256, media, chars,
             chunks, stage, reason, created_at_ms, created_by)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(document.id.0)
    .bind(&document.source)
    .bind(&document.title)
    .bind(&document.collection)
    .bind(Json(&document.tags))
    .bind(&document.bytes_sha256)
    .bind(document.media.as_str())
    .bind(signed(document.chars))
    .bind(document.chunks)
    .bind(document.stage.as_str())
    .bind(document.stage.reason())
    .bind(document.created_at.timestamp_millis())
    .bind(document.created_by.0)
    .execute(&mut *connection)
    .await?;
    sqlx::query("INSERT INTO document_texts (document_id, text) VALUES (?, ?)")
        .bind(document.id.0)
        .bind(text)
        .execute(connection)
        .await?;
    Ok(Inserted::New)
}

async fn set_stage(
    connection: &mut SqliteConnection,
    id: DocumentId,
    stage: &Stage,
) -> Result<bool, Failed<DocumentRepositoryError>> {
    let done = sqlx::query("UPDATE documents SET stage = ?, reason = ? WHERE id = ?")
        .bind(stage.as_str())
        .bind(stage.reason())
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

async fn put_chunks(
    connection: &mut SqliteConnection,
    id: DocumentId,
    chunks: &[Chunk],
) -> Result<bool, Failed<DocumentRepositoryError>> {
    if !set_stage(connection, id, &Stage::Chunks).await? {
        return Ok(false);
    }
    sqlx::query("UPDATE documents SET chunks = ? WHERE id = ?")
        .bind(signed(u64::try_from(chunks.len()).unwrap_or(u64::MAX)))
        .bind(id.0)
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM chunks WHERE document_id = ?")
        .bind(id.0)
        .execute(&mut *connection)
        .await?;
    for chunk in chunks {
        sqlx::query(
            "INSERT INTO chunks (document_id, ordinal, heading_path, text, start_char, end_char,
                 start_line, end_line)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(id.0)
        .bind(chunk.ordinal)
        .bind(Json(&chunk.heading_path))
        .bind(&chunk.text)
        .bind(signed(chunk.span.start_char))
        .bind(signed(chunk.span.end_char))
        .bind(signed(chunk.span.start_line))
        .bind(signed(chunk.span.end_line))
        .execute(&mut *connection)
        .await?;
    }
    Ok(true)
}

#[async_trait]
impl DocumentRepository for SqliteDocumentRepository {
    async fn insert(
        &self,
        document: &Document,
        text: &str,
    ) -> Result<Inserted, DocumentRepositoryError> {
        let (document, text) = (document.clone(), text.to_owned());
        let work = self
            .database
            .write(move |tx| Box::pin(async move { insert(tx, &document, &text).await }));
        work.await.map_err(Failed::port)
    }

    async fn set_stage(
        &self,
        id: DocumentId,
        stage: &Stage,
    ) -> Result<bool, DocumentRepositoryError> {
        let stage = stage.clone();
        let work = self
            .database
            .write(move |tx| Box::pin(async move { set_stage(tx, id, &stage).await }));
        work.await.map_err(Failed::port)
    }

    async fn put_chunks(
        &self,
        id: DocumentId,
        chunks: &[Chunk],
    ) -> Result<bool, DocumentRepositoryError> {
        let chunks = chunks.to_vec();
        let work = self
            .database
            .write(move |tx| Box::pin(async move { put_chunks(tx, id, &chunks).await }));
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
        before: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<Document>, DocumentRepositoryError> {
        let rows: Vec<DocumentRow> = sqlx::query_as(
            "SELECT * FROM documents WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2",
        )
        .bind(before.map(|id| id.0))
        .bind(limit)
        .fetch_all(self.database.reader())
        .await
        .map_err(unavailable)?;
        rows.into_iter().map(Document::try_from).collect()
    }

    async fn oldest(
        &self,
        walk: Walk,
        after: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<Document>, DocumentRepositoryError> {
        let query = match walk {
            Walk::Ready => {
                "SELECT * FROM documents
                 WHERE stage = 'ready' AND (?1 IS NULL OR id > ?1) ORDER BY id LIMIT ?2"
            }
            Walk::Unfinished => {
                "SELECT * FROM documents
                 WHERE stage IN ('received', 'text', 'chunks', 'vectors')
                     AND (?1 IS NULL OR id > ?1) ORDER BY id LIMIT ?2"
            }
        };
        let rows: Vec<DocumentRow> = sqlx::query_as(query)
            .bind(after.map(|id| id.0))
            .bind(limit)
            .fetch_all(self.database.reader())
            .await
            .map_err(unavailable)?;
        rows.into_iter().map(Document::try_from).collect()
    }

    async fn delete(&self, id: DocumentId) -> Result<bool, DocumentRepositoryError> {
        let work = self.database.write(move |tx| {
            Box::pin(async move {
                let done = sqlx::query("DELETE FROM documents WHERE id = ?")
                    .bind(id.0)
                    .execute(tx)
                    .await?;
                Ok::<_, Failed<DocumentRepositoryError>>(done.rows_affected() > 0)
            })
        });
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
