//! What a worker stores on the way to `ready`.
//!
//! Invariant: the claim is tested in the transaction that writes.

use resync_rag::{Chunk, DocumentId, ReadText, Stage, WorkerId};
use sqlx::SqliteConnection;
use sqlx::types::Json;

use super::Fails;
use crate::row::signed;

pub(super) async fn put_text(
    tx: &mut SqliteConnection,
    id: DocumentId,
    worker: WorkerId,
    text: &ReadText,
) -> Result<bool, Fails> {
    let done = sqlx::query(
        "UPDATE documents
         SET title = coalesce(?, title), media = ?, format = ?, encoding = ?, chars = ?,
             stage = 'text', waiting = NULL
         WHERE id = ? AND claimed_by = ?",
    )
    .bind(&text.title)
    .bind(text.media.as_str())
    .bind(&text.format)
    .bind(&text.encoding)
    .bind(signed(text.chars))
    .bind(id.0)
    .bind(worker.0)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("INSERT OR REPLACE INTO document_texts (document_id, text) VALUES (?, ?)")
        .bind(id.0)
        .bind(&text.text)
        .execute(&mut *tx)
        .await?;
    sqlx::query("DELETE FROM document_files WHERE document_id = ?")
        .bind(id.0)
        .execute(tx)
        .await?;
    Ok(true)
}

pub(super) async fn put_chunks(
    tx: &mut SqliteConnection,
    id: DocumentId,
    worker: WorkerId,
    chunks: &[Chunk],
) -> Result<bool, Fails> {
    let done = sqlx::query(
        "UPDATE documents SET chunks = ?, vectors = 0, stage = 'chunks', waiting = NULL
         WHERE id = ? AND claimed_by = ?",
    )
    .bind(signed(u64::try_from(chunks.len()).unwrap_or(u64::MAX)))
    .bind(id.0)
    .bind(worker.0)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("DELETE FROM chunks WHERE document_id = ?")
        .bind(id.0)
        .execute(&mut *tx)
        .await?;
    for chunk in chunks {
        let (span, section) = (chunk.span, chunk.section);
        sqlx::query(
            "INSERT INTO chunks (document_id, ordinal, heading_path, text, start_char, end_char,
                 start_line, end_line, context, section_start_char, section_end_char,
                 section_start_line, section_end_line)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(id.0)
        .bind(chunk.ordinal)
        .bind(Json(&chunk.heading_path))
        .bind(&chunk.text)
        .bind(signed(span.start_char))
        .bind(signed(span.end_char))
        .bind(signed(span.start_line))
        .bind(signed(span.end_line))
        .bind(&chunk.context)
        .bind(signed(section.start_char))
        .bind(signed(section.end_char))
        .bind(signed(section.start_line))
        .bind(signed(section.end_line))
        .execute(&mut *tx)
        .await?;
    }
    Ok(true)
}

pub(super) async fn fail(
    tx: &mut SqliteConnection,
    id: DocumentId,
    worker: WorkerId,
    reason: &str,
) -> Result<bool, Fails> {
    let failed = Stage::Failed {
        reason: reason.to_owned(),
    };
    let done = sqlx::query(
        "UPDATE documents
         SET stage = ?, reason = ?, chars = 0, chunks = 0, vectors = 0, waiting = NULL,
             claimed_by = NULL, claimed_until_ms = NULL
         WHERE id = ? AND claimed_by = ?",
    )
    .bind(failed.as_str())
    .bind(failed.reason())
    .bind(id.0)
    .bind(worker.0)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    for emptied in [
        "DELETE FROM document_files WHERE document_id = ?",
        "DELETE FROM document_texts WHERE document_id = ?",
        "DELETE FROM chunks WHERE document_id = ?",
    ] {
        sqlx::query(emptied).bind(id.0).execute(&mut *tx).await?;
    }
    Ok(true)
}
