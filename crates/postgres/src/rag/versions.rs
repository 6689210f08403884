//! Documents as they come and go.

use resync_rag::{ChangeKind, Document, DocumentId, Inserted, Language, Media, Stage, WorkerId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::rows::DocumentRow;
use super::{Fails, feed, wanted};
use crate::lock::Lock;
use crate::row::{signed, storable};

pub(super) async fn insert(
    tx: &mut PgConnection,
    document: &Document,
    file: Vec<u8>,
) -> Result<Inserted, Fails> {
    let collection = wanted(document.collection.as_deref());
    let path = wanted(document.path.as_deref());
    // Whoever inserts at the same place waits here, so that versions count on.
    let place = path.as_ref().unwrap_or(&document.bytes_sha256);
    Lock::Place(format!(
        "{}/{place}",
        collection.as_deref().unwrap_or_default()
    ))
    .take(tx)
    .await?;
    let newest: Option<DocumentRow> = if let Some(path) = &path {
        sqlx::query_as(
            "SELECT * FROM documents
             WHERE coalesce(collection, '') = coalesce($1, '') AND path = $2
             ORDER BY version DESC LIMIT 1",
        )
        .bind(&collection)
        .bind(path)
        .fetch_optional(&mut *tx)
        .await?
    } else {
        sqlx::query_as(
            "SELECT * FROM documents
             WHERE coalesce(collection, '') = coalesce($1, '') AND path IS NULL AND bytes_sha256 = $2",
        )
        .bind(&collection)
        .bind(&document.bytes_sha256)
        .fetch_optional(&mut *tx)
        .await?
    };
    let version = match newest.map(Document::try_from).transpose()? {
        Some(known) if known.bytes_sha256 == document.bytes_sha256 => {
            return match known.stage {
                Stage::Failed { .. } => restart(tx, known, file).await,
                _ => Ok(Inserted::Existing(Box::new(known))),
            };
        }
        Some(known) => known.version.saturating_add(1),
        None => 1,
    };
    let tags: Vec<_> = document.tags.iter().map(|tag| storable(tag)).collect();
    sqlx::query(
        "INSERT INTO documents (id, source, path, title, collection, tags, language, version,
             bytes_sha256, bytes, media, chars, chunks, vectors, stage, created_at_ms, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, 0, 0, 'received', $12, $13)",
    )
    .bind(document.id.0)
    .bind(storable(&document.source))
    .bind(&path)
    .bind(storable(&document.title))
    .bind(&collection)
    .bind(tags)
    .bind(document.language.map(Language::as_str))
    .bind(i64::from(version))
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
async fn restart(tx: &mut PgConnection, known: Document, file: Vec<u8>) -> Result<Inserted, Fails> {
    sqlx::query(
        "UPDATE documents
         SET stage = 'received', reason = NULL, format = NULL, encoding = NULL, media = $1,
             waiting = NULL, claimed_by = NULL, claimed_until_ms = NULL
         WHERE id = $2",
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

async fn put_file(tx: &mut PgConnection, id: DocumentId, file: Vec<u8>) -> Result<(), Fails> {
    sqlx::query(
        "INSERT INTO document_files (document_id, file) VALUES ($1, $2)
         ON CONFLICT (document_id) DO UPDATE SET file = excluded.file",
    )
    .bind(id.0)
    .bind(file)
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn publish(
    tx: &mut PgConnection,
    id: DocumentId,
    worker: WorkerId,
) -> Result<Option<Vec<DocumentId>>, Fails> {
    feed::hold(tx).await?;
    let done = sqlx::query(
        "UPDATE documents
         SET stage = 'ready', waiting = NULL, claimed_by = NULL, claimed_until_ms = NULL
         WHERE id = $1 AND claimed_by = $2",
    )
    .bind(id.0)
    .bind(worker.0)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(None);
    }
    let smaller: Vec<(Uuid,)> = sqlx::query_as(
        "SELECT old.id FROM documents AS new
         JOIN documents AS old ON coalesce(old.collection, '') = coalesce(new.collection, '')
             AND old.path = new.path AND old.version < new.version
         WHERE new.id = $1 AND new.path IS NOT NULL ORDER BY old.version",
    )
    .bind(id.0)
    .fetch_all(&mut *tx)
    .await?;
    let smaller: Vec<DocumentId> = smaller.into_iter().map(|(id,)| DocumentId(id)).collect();
    for old in &smaller {
        delete(tx, *old).await?;
    }
    feed::record(tx, id, ChangeKind::Ready).await?;
    Ok(Some(smaller))
}

/// Removes the document. The transaction holds the feed.
pub(super) async fn delete(tx: &mut PgConnection, id: DocumentId) -> Result<bool, Fails> {
    let done = sqlx::query("DELETE FROM documents WHERE id = $1")
        .bind(id.0)
        .execute(&mut *tx)
        .await?;
    let found = done.rows_affected() > 0;
    if found {
        feed::record(tx, id, ChangeKind::Gone).await?;
    }
    Ok(found)
}
