//! Vectors in SQLite, as little-endian 32-bit floats.

use async_trait::async_trait;
use resync_rag::{
    ChangeKind, DocumentId, DocumentRepositoryError, EmbeddingModel, Recut, VectorCount,
    VectorRepository, WorkerId,
};
use sqlx::SqliteConnection;

use super::{Fails, SqliteDocumentRepository, feed, stages, unavailable};
use crate::failed::Failed;
use crate::row::RowName;

const EMBEDDED: &str = "SELECT count(*) FROM chunk_vectors
    JOIN embedding_models ON embedding_models.id = chunk_vectors.model_id
    WHERE document_id = ? AND name = ? AND dimensions = ?";

fn bytes_of(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|n| n.to_le_bytes()).collect()
}

/// The numbers of a vector, unless there are not as many as the model has.
fn numbers_of(bytes: &[u8], dimensions: u32) -> Option<Vec<f32>> {
    let (numbers, rest) = bytes.as_chunks::<4>();
    let whole = rest.is_empty() && u32::try_from(numbers.len()) == Ok(dimensions);
    whole.then(|| numbers.iter().map(|n| f32::from_le_bytes(*n)).collect())
}

async fn put(
    tx: &mut SqliteConnection,
    id: DocumentId,
    worker: WorkerId,
    model: &EmbeddingModel,
    first: u32,
    vectors: &[Vec<f32>],
) -> Result<bool, Fails> {
    let chunks: Option<i64> =
        sqlx::query_scalar("SELECT chunks FROM documents WHERE id = ? AND claimed_by = ?")
            .bind(id.0)
            .bind(worker.0)
            .fetch_optional(&mut *tx)
            .await?;
    let embedded: i64 = sqlx::query_scalar(EMBEDDED)
        .bind(id.0)
        .bind(&model.id)
        .bind(model.dimensions)
        .fetch_one(&mut *tx)
        .await?;
    let added = i64::try_from(vectors.len()).unwrap_or(i64::MAX);
    let end = i64::from(first).saturating_add(added);
    if chunks.is_none_or(|chunks| end > chunks) || embedded != i64::from(first) {
        return Ok(false);
    }
    sqlx::query("INSERT OR IGNORE INTO embedding_models (name, dimensions) VALUES (?, ?)")
        .bind(&model.id)
        .bind(model.dimensions)
        .execute(&mut *tx)
        .await?;
    let model_id: i64 =
        sqlx::query_scalar("SELECT id FROM embedding_models WHERE name = ? AND dimensions = ?")
            .bind(&model.id)
            .bind(model.dimensions)
            .fetch_one(&mut *tx)
            .await?;
    for (ordinal, vector) in (first..).zip(vectors) {
        sqlx::query(
            "INSERT OR REPLACE INTO chunk_vectors (document_id, ordinal, model_id, vector)
             VALUES (?, ?, ?, ?)",
        )
        .bind(id.0)
        .bind(ordinal)
        .bind(model_id)
        .bind(bytes_of(vector))
        .execute(&mut *tx)
        .await?;
    }
    sqlx::query(
        "UPDATE documents
         SET vectors = ?, stage = iif(stage = 'ready', stage, 'vectors'), waiting = NULL
         WHERE id = ?",
    )
    .bind(end)
    .bind(id.0)
    .execute(tx)
    .await?;
    Ok(true)
}

/// The steps to a ready document again, in one transaction: nobody sees the stages between.
async fn recut(
    tx: &mut SqliteConnection,
    id: DocumentId,
    worker: WorkerId,
    recut: &Recut,
) -> Result<bool, Fails> {
    let ready: Option<i64> = sqlx::query_scalar(
        "SELECT 1 FROM documents WHERE id = ? AND claimed_by = ? AND stage = 'ready'",
    )
    .bind(id.0)
    .bind(worker.0)
    .fetch_optional(&mut *tx)
    .await?;
    let vectors = recut.vectors.as_ref();
    let fits = vectors.is_none_or(|(_, vectors)| vectors.len() == recut.chunks.len());
    if ready.is_none() || !fits {
        return Ok(false);
    }
    stages::put_chunks(tx, id, worker, &recut.chunks).await?;
    if let Some((model, vectors)) = vectors {
        put(tx, id, worker, model, 0, vectors).await?;
    }
    sqlx::query(
        "UPDATE documents SET stage = 'ready', claimed_by = NULL, claimed_until_ms = NULL
         WHERE id = ?",
    )
    .bind(id.0)
    .execute(&mut *tx)
    .await?;
    feed::record(tx, id, ChangeKind::Ready).await?;
    Ok(true)
}

#[async_trait]
impl VectorRepository for SqliteDocumentRepository {
    async fn put_vectors(
        &self,
        id: DocumentId,
        worker: WorkerId,
        model: &EmbeddingModel,
        first: u32,
        vectors: &[Vec<f32>],
    ) -> Result<bool, DocumentRepositoryError> {
        let (model, vectors) = (model.clone(), vectors.to_vec());
        let work = self.database.write(move |tx| {
            Box::pin(async move { put(tx, id, worker, &model, first, &vectors).await })
        });
        work.await.map_err(Failed::port)
    }

    async fn recut(
        &self,
        id: DocumentId,
        worker: WorkerId,
        new: &Recut,
    ) -> Result<bool, DocumentRepositoryError> {
        let new = new.clone();
        let work = self
            .database
            .write(move |tx| Box::pin(async move { recut(tx, id, worker, &new).await }));
        work.await.map_err(Failed::port)
    }

    async fn embedded(
        &self,
        id: DocumentId,
        model: &EmbeddingModel,
    ) -> Result<u32, DocumentRepositoryError> {
        let count: i64 = sqlx::query_scalar(EMBEDDED)
            .bind(id.0)
            .bind(&model.id)
            .bind(model.dimensions)
            .fetch_one(self.database.reader())
            .await
            .map_err(unavailable)?;
        let row = RowName {
            table: "chunk_vectors",
            id: &id,
        };
        Ok(row.number("count", count)?)
    }

    async fn vectors(
        &self,
        id: DocumentId,
        model: &EmbeddingModel,
    ) -> Result<Option<Vec<Vec<f32>>>, DocumentRepositoryError> {
        // One statement, so that chunks and vectors are those of one moment.
        let rows: Vec<Option<Vec<u8>>> = sqlx::query_scalar(
            "SELECT vector FROM chunks
             LEFT JOIN (
                 SELECT document_id, ordinal, vector FROM chunk_vectors
                 JOIN embedding_models ON embedding_models.id = chunk_vectors.model_id
                 WHERE name = ? AND dimensions = ?
             ) USING (document_id, ordinal)
             WHERE document_id = ? ORDER BY ordinal",
        )
        .bind(&model.id)
        .bind(model.dimensions)
        .bind(id.0)
        .fetch_all(self.database.reader())
        .await
        .map_err(unavailable)?;
        let stored: Option<Vec<Vec<u8>>> = rows.into_iter().collect();
        let Some(stored) = stored.filter(|stored| !stored.is_empty()) else {
            return Ok(None);
        };
        let name = RowName {
            table: "chunk_vectors",
            id: &id,
        };
        let read = stored.iter().map(|bytes| {
            numbers_of(bytes, model.dimensions).ok_or_else(|| {
                name.broken("vector", "not as long as the model says")
                    .into()
            })
        });
        read.collect::<Result<_, _>>().map(Some)
    }

    async fn models(&self) -> Result<Vec<VectorCount>, DocumentRepositoryError> {
        let rows: Vec<(i64, String, i64, i64)> = sqlx::query_as(
            "SELECT id, name, dimensions, count(*) FROM chunk_vectors
             JOIN embedding_models ON embedding_models.id = chunk_vectors.model_id
             GROUP BY id, name, dimensions ORDER BY name, dimensions",
        )
        .fetch_all(self.database.reader())
        .await
        .map_err(unavailable)?;
        rows.into_iter()
            .map(|(id, name, dimensions, vectors)| {
                let row = RowName {
                    table: "embedding_models",
                    id: &id,
                };
                Ok(VectorCount {
                    model: EmbeddingModel {
                        id: name,
                        dimensions: row.number("dimensions", dimensions)?,
                    },
                    vectors: row.number("count", vectors)?,
                })
            })
            .collect()
    }
}
