//! The feed of changes.
//!
//! Invariant: a number is drawn in the transaction that makes its change, and writers come one after
//! the other, so numbers become visible in their order.

use resync_rag::{Change, ChangeKind, DocumentId, DocumentRepositoryError};
use sqlx::{SqliteConnection, SqlitePool};
use uuid::Uuid;

use super::{Fails, unavailable};
use crate::row::{RowName, signed};

pub(super) async fn record(
    tx: &mut SqliteConnection,
    id: DocumentId,
    kind: ChangeKind,
) -> Result<(), Fails> {
    sqlx::query("UPDATE document_feed SET seq = seq + 1")
        .execute(&mut *tx)
        .await?;
    let kind = match kind {
        ChangeKind::Ready => "ready",
        ChangeKind::Gone => "gone",
    };
    sqlx::query(
        "INSERT INTO document_changes (document_id, seq, kind)
         VALUES (?, (SELECT seq FROM document_feed), ?)
         ON CONFLICT (document_id) DO UPDATE SET seq = excluded.seq, kind = excluded.kind",
    )
    .bind(id.0)
    .bind(kind)
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn changes(
    reader: &SqlitePool,
    after: u64,
    limit: u32,
) -> Result<Vec<Change>, DocumentRepositoryError> {
    let rows: Vec<(Uuid, i64, String)> = sqlx::query_as(
        "SELECT document_id, seq, kind FROM document_changes WHERE seq > ? ORDER BY seq LIMIT ?",
    )
    .bind(signed(after))
    .bind(limit)
    .fetch_all(reader)
    .await
    .map_err(unavailable)?;
    rows.into_iter()
        .map(|(id, seq, kind)| {
            let name = RowName {
                table: "document_changes",
                id: &id,
            };
            Ok(Change {
                seq: name.number("seq", seq)?,
                document: DocumentId(id),
                kind: match kind.as_str() {
                    "ready" => ChangeKind::Ready,
                    "gone" => ChangeKind::Gone,
                    _ => return Err(name.broken("kind", "no such kind").into()),
                },
            })
        })
        .collect()
}

pub(super) async fn last(reader: &SqlitePool) -> Result<u64, DocumentRepositoryError> {
    let seq = sqlx::query_scalar("SELECT seq FROM document_feed")
        .fetch_one(reader)
        .await
        .map_err(unavailable)?;
    let feed = RowName {
        table: "document_feed",
        id: &1,
    };
    Ok(feed.number("seq", seq)?)
}

pub(super) async fn trim(tx: &mut SqliteConnection, seq: u64) -> Result<(), Fails> {
    sqlx::query("DELETE FROM document_changes WHERE seq <= ? AND kind = 'gone'")
        .bind(signed(seq))
        .execute(tx)
        .await?;
    Ok(())
}
