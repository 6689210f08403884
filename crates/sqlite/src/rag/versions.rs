//! Documents as they come and go.

use resync_rag::{ChangeKind, Document, DocumentId, Inserted, Language, Media, Stage, WorkerId};
use sqlx::SqliteConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::rows::DocumentRow;
use super::{Fails, feed};
use crate::failed::Failed;
use crate::row::signed;

pub(super) async fn insert(
    tx: &mut SqliteConnection,
    document: &Document,
    file: Vec<u8>,
) -> Result<Inserted, Fails> {
    let newest: Option<DocumentRow> = if document.path.is_some() {
        sqlx::query_as(
            "SELECT * FROM documents WHERE ifnull(collection, '') = ifnull(?, '') AND path = ?
             ORDER BY version DESC LIMIT 1",
        )
        .bind(&document.collection)
        .bind(&document.path)
        .fetch_optional(&mut *tx)
        .await?
    } else {
        sqlx::query_as(
            "SELECT * FROM documents
             WHERE ifnull(collection, '') = ifnull(?, '') AND path IS NULL AND bytes_sha256 = ?",
        )
        .bind(&document.collection)
        .bind(&document.bytes_sha256)
        .fetch_optional(&mut *tx)
        .await?
    };
    let newest = newest.map(Document::try_from).transpose();
    let newest = newest.map_err(Failed)?;
    let version = match newest {
        Some(known) if known.bytes_sha256 == document.bytes_sha256 => {
            return match known.stage {
                Stage::Failed { .. } => restart(tx, known, file).await,
                _ => Ok(Inserted::Existing(Box::new(known))),
            };
        }
        Some(known) => known.version + 1,
        None => 1,
    };
    sqlx::query(
        "INSERT INTO documents (id, source, path, title, collection, tags, language, version,
             bytes_sha256, bytes, media, chars, chunks, vectors, stage, created_at_ms, created_by)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 'received', ?, ?)",
    )
    .bind(document.id.0)
    .bind(&document.source)
    .bind(&document.path)
    .bind(&document.title)
    .bind(&document.collection)
    .bind(Json(&document.tags))
    .bind(document.language.map(Language::as_str))
    .bind(version)
    .bind(&document.bytes_sha256)
    .bind(signed(document.bytes))
    .bind(Media::Text.as_str())
    .bind(document.created_at.timestamp_millis())
    .bind(document.created_by.0)
    .execute(&mut *tx)
    .await?;
    put_file(tx, document.id, file).await?;
    Ok(Inserted::New { version })
}

/// A failed document begins anew with its file.
async fn restart(
    tx: &mut SqliteConnection,
    known: Document,
    file: Vec<u8>,
) -> Result<Inserted, Fails> {
    sqlx::query(
        "UPDATE documents
         SET stage = 'received', reason = NULL, format = NULL, encoding = NULL, media = ?,
             waiting = NULL, claimed_by = NULL, claimed_until_ms = NULL
         WHERE id = ?",
    )
    .bind(Media::Text.as_str())
    .bind(known.id.0)
    .execute(&mut *tx)
    .await?;
    put_file(tx, known.id, file).await?;
    Ok(Inserted::Restarted(Box::new(Document {
        stage: Stage::Received,
        format: None,
        encoding: None,
        media: Media::Text,
        waiting: None,
        ..known
    })))
}

async fn put_file(tx: &mut SqliteConnection, id: DocumentId, file: Vec<u8>) -> Result<(), Fails> {
    sqlx::query("INSERT OR REPLACE INTO document_files (document_id, file) VALUES (?, ?)")
        .bind(id.0)
        .bind(file)
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn publish(
    tx: &mut SqliteConnection,
    id: DocumentId,
    worker: WorkerId,
) -> Result<Option<Vec<DocumentId>>, Fails> {
    let done = sqlx::query(
        "UPDATE documents
         SET stage = 'ready', waiting = NULL, claimed_by = NULL, claimed_until_ms = NULL
         WHERE id = ? AND claimed_by = ?",
    )
    .bind(id.0)
    .bind(worker.0)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(None);
    }
    let smaller: Vec<Uuid> = sqlx::query_scalar(
        "SELECT old.id FROM documents AS new
         JOIN documents AS old ON ifnull(old.collection, '') = ifnull(new.collection, '')
             AND old.path = new.path AND old.version < new.version
         WHERE new.id = ? AND new.path IS NOT NULL ORDER BY old.version",
    )
    .bind(id.0)
    .fetch_all(&mut *tx)
    .await?;
    let smaller: Vec<DocumentId> = smaller.into_iter().map(DocumentId).collect();
    for old in &smaller {
        delete(tx, *old).await?;
    }
    feed::record(tx, id, ChangeKind::Ready).await?;
    Ok(Some(smaller))
}

pub(super) async fn delete(tx: &mut SqliteConnection, id: DocumentId) -> Result<bool, Fails> {
    let done = sqlx::query("DELETE FROM documents WHERE id = ?")
        .bind(id.0)
        .execute(&mut *tx)
        .await?;
    let found = done.rows_affected() > 0;
    if found {
        feed::record(tx, id, ChangeKind::Gone).await?;
    }
    Ok(found)
}
