//! The feed of changes.

use resync_rag::{Change, ChangeKind, DocumentId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::row::{RowName, signed};
use crate::{PgDatabase, PgError};

/// Holds the feed for the rest of the transaction; before any document's row.
pub(super) async fn hold(tx: &mut PgConnection) -> Result<(), PgError> {
    sqlx::query("SELECT seq FROM document_feed FOR UPDATE")
        .execute(tx)
        .await?;
    Ok(())
}

/// Enters a change. The transaction holds the feed.
pub(super) async fn record(
    tx: &mut PgConnection,
    id: DocumentId,
    kind: ChangeKind,
) -> Result<(), PgError> {
    let kind = match kind {
        ChangeKind::Ready => "ready",
        ChangeKind::Gone => "gone",
    };
    sqlx::query(
        "WITH drawn AS (UPDATE document_feed SET seq = seq + 1 RETURNING seq)
         INSERT INTO document_changes (document_id, seq, kind) SELECT $1, seq, $2 FROM drawn
         ON CONFLICT (document_id) DO UPDATE SET seq = excluded.seq, kind = excluded.kind",
    )
    .bind(id.0)
    .bind(kind)
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn changes(
    database: &PgDatabase,
    after: u64,
    limit: u32,
) -> Result<Vec<Change>, PgError> {
    let query = sqlx::query_as(
        "SELECT document_id, seq, kind FROM document_changes WHERE seq > $1 ORDER BY seq LIMIT $2",
    )
    .bind(signed(after))
    .bind(i64::from(limit));
    let rows: Vec<(Uuid, i64, String)> = database.rows(query).await?;
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
                    _ => return Err(name.broken("kind", "no such kind")),
                },
            })
        })
        .collect()
}

pub(super) async fn last(database: &PgDatabase) -> Result<u64, PgError> {
    let (seq,): (i64,) = database
        .one(sqlx::query_as("SELECT seq FROM document_feed"))
        .await?;
    let feed = RowName {
        table: "document_feed",
        id: &1,
    };
    feed.number("seq", seq)
}
