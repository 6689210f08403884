//! What the worker that has claimed a document writes.

use resync_rag::{Chunk, DocumentId, ReadText, WorkerId};
use sqlx::PgConnection;

use super::Fails;
use crate::PgError;
use crate::row::{signed, storable};

pub(super) async fn put_text(
    tx: &mut PgConnection,
    id: DocumentId,
    worker: WorkerId,
    text: &ReadText,
) -> Result<bool, Fails> {
    let done = sqlx::query(
        "UPDATE documents
         SET title = coalesce($1, title), media = $2, format = $3, encoding = $4, chars = $5,
             stage = 'text', waiting = NULL
         WHERE id = $6 AND claimed_by = $7",
    )
    .bind(text.title.as_deref().map(storable))
    .bind(text.media.as_str())
    .bind(storable(&text.format))
    .bind(text.encoding.as_deref().map(storable))
    .bind(signed(text.chars))
    .bind(id.0)
    .bind(worker.0)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO document_texts (document_id, text) VALUES ($1, $2)
         ON CONFLICT (document_id) DO UPDATE SET text = excluded.text",
    )
    .bind(id.0)
    .bind(storable(&text.text))
    .execute(&mut *tx)
    .await?;
    sqlx::query("DELETE FROM document_files WHERE document_id = $1")
        .bind(id.0)
        .execute(tx)
        .await?;
    Ok(true)
}

/// Chunks by their columns, as one statement takes them however many they are.
#[derive(Default)]
struct Columns {
    ordinal: Vec<i64>,
    heading_path: Vec<String>,
    text: Vec<String>,
    context: Vec<String>,
    /// Start and end by characters and by lines, of the chunk and of its section.
    spans: [Vec<i64>; 8],
}

impl Columns {
    fn of(chunks: &[Chunk]) -> Result<Self, serde_json::Error> {
        let mut columns = Self::default();
        for chunk in chunks {
            columns.ordinal.push(i64::from(chunk.ordinal));
            columns
                .heading_path
                .push(serde_json::to_string(&chunk.heading_path)?);
            columns.text.push(storable(&chunk.text).into_owned());
            columns.context.push(storable(&chunk.context).into_owned());
            let ends = [chunk.span, chunk.section].map(|span| {
                [
                    span.start_char,
                    span.end_char,
                    span.start_line,
                    span.end_line,
                ]
            });
            for (column, end) in columns.spans.iter_mut().zip(ends.as_flattened()) {
                column.push(signed(*end));
            }
        }
        Ok(columns)
    }
}

pub(super) async fn put_chunks(
    tx: &mut PgConnection,
    id: DocumentId,
    worker: WorkerId,
    chunks: &[Chunk],
) -> Result<bool, Fails> {
    let done = sqlx::query(
        "UPDATE documents SET chunks = $1, vectors = 0, stage = 'chunks', waiting = NULL
         WHERE id = $2 AND claimed_by = $3",
    )
    .bind(signed(u64::try_from(chunks.len()).unwrap_or(u64::MAX)))
    .bind(id.0)
    .bind(worker.0)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("DELETE FROM chunks WHERE document_id = $1")
        .bind(id.0)
        .execute(&mut *tx)
        .await?;
    let columns =
        Columns::of(chunks).map_err(|error| PgError::Query(sqlx::Error::Encode(error.into())))?;
    let mut query = sqlx::query(
        "INSERT INTO chunks (document_id, ordinal, heading_path, text, context, start_char, end_char,
             start_line, end_line, section_start_char, section_end_char, section_start_line,
             section_end_line)
         SELECT $1, ordinal, heading_path::json, text, context, start_char, end_char, start_line,
             end_line, section_start_char, section_end_char, section_start_line, section_end_line
         FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
             $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[])
             AS chunk (ordinal, heading_path, text, context, start_char, end_char, start_line, end_line,
                 section_start_char, section_end_char, section_start_line, section_end_line)",
    )
    .bind(id.0)
    .bind(columns.ordinal)
    .bind(columns.heading_path)
    .bind(columns.text)
    .bind(columns.context);
    for column in columns.spans {
        query = query.bind(column);
    }
    query.execute(tx).await?;
    Ok(true)
}

pub(super) async fn fail(
    tx: &mut PgConnection,
    id: DocumentId,
    worker: WorkerId,
    reason: &str,
) -> Result<bool, Fails> {
    let done = sqlx::query(
        "UPDATE documents
         SET stage = 'failed', reason = $1, chars = 0, chunks = 0, vectors = 0, waiting = NULL,
             claimed_by = NULL, claimed_until_ms = NULL
         WHERE id = $2 AND claimed_by = $3",
    )
    .bind(reason)
    .bind(id.0)
    .bind(worker.0)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    for emptied in [
        "DELETE FROM document_files WHERE document_id = $1",
        "DELETE FROM document_texts WHERE document_id = $1",
        "DELETE FROM chunks WHERE document_id = $1",
    ] {
        sqlx::query(emptied).bind(id.0).execute(&mut *tx).await?;
    }
    Ok(true)
}
