//! Vectors of chunks, kept as the model gave them and as half-precision numbers for the search.

use async_trait::async_trait;
use resync_rag::{
    ChangeKind, DocumentId, DocumentRepositoryError, EmbeddingModel, Recut, VectorCount,
    VectorRepository, WorkerId,
};
use sqlx::PgConnection;

use super::{Fails, PgDocumentRepository, feed, stages};
use crate::failed::Failed;
use crate::row::RowName;
use crate::{PgDatabase, PgError};

/// Vectors that one statement takes.
const BATCH: usize = 256;

const EMBEDDED: &str = "SELECT count(*) FROM chunk_vectors
    JOIN embedding_models ON embedding_models.id = chunk_vectors.model_id
    WHERE document_id = $1 AND name = $2 AND dimensions = $3";

/// Dimensions for PostgreSQL; what no model has is refused by the table.
pub(super) fn size_of(model: &EmbeddingModel) -> i32 {
    i32::try_from(model.dimensions).unwrap_or(i32::MAX)
}

/// Refuses a vector that is not the model's.
pub(super) fn check(model: &EmbeddingModel, vector: &[f32]) -> Result<(), PgError> {
    if u32::try_from(vector.len()) == Ok(model.dimensions) {
        return Ok(());
    }
    Err(PgError::Dimensions {
        model: model.id.clone(),
        expected: model.dimensions,
        found: vector.len(),
    })
}

/// The model's number in the database, if it has one yet.
pub(super) async fn number_of(
    database: &PgDatabase,
    model: &EmbeddingModel,
) -> Result<Option<i32>, PgError> {
    let query =
        sqlx::query_as("SELECT id FROM embedding_models WHERE name = $1 AND dimensions = $2")
            .bind(&model.id)
            .bind(size_of(model));
    let number: Option<(i32,)> = database.row(query).await?;
    Ok(number.map(|(number,)| number))
}

/// The model's number, which it gets now with an index of its own, if it has none.
async fn number(database: &PgDatabase, model: &EmbeddingModel) -> Result<i32, PgError> {
    if let Some(number) = number_of(database, model).await? {
        return Ok(number);
    }
    let (name, size) = (model.id.clone(), size_of(model));
    database
        .write(move |tx| {
            Box::pin(async move {
                // A look at a great table takes longer than other statements may.
                sqlx::raw_sql("SET LOCAL statement_timeout = '25s'")
                    .execute(&mut *tx)
                    .await?;
                let (number,): (i32,) = sqlx::query_as("SELECT embedding_model($1, $2)")
                    .bind(name)
                    .bind(size)
                    .fetch_one(tx)
                    .await?;
                Ok::<_, PgError>(number)
            })
        })
        .await
}

async fn put(
    tx: &mut PgConnection,
    id: DocumentId,
    worker: WorkerId,
    (model, number): (&EmbeddingModel, i32),
    first: u32,
    vectors: &[Vec<f32>],
) -> Result<bool, Fails> {
    // Held, so that no other batch and no other chunks come between.
    let chunks: Option<(i64,)> = sqlx::query_as(
        "SELECT chunks FROM documents WHERE id = $1 AND claimed_by = $2 FOR NO KEY UPDATE",
    )
    .bind(id.0)
    .bind(worker.0)
    .fetch_optional(&mut *tx)
    .await?;
    let (embedded,): (i64,) = sqlx::query_as(EMBEDDED)
        .bind(id.0)
        .bind(&model.id)
        .bind(size_of(model))
        .fetch_one(&mut *tx)
        .await?;
    let added = i64::try_from(vectors.len()).unwrap_or(i64::MAX);
    let end = i64::from(first).saturating_add(added);
    if chunks.is_none_or(|(chunks,)| end > chunks) || embedded != i64::from(first) {
        return Ok(false);
    }
    // All in one array, since PostgreSQL has no array of arrays.
    sqlx::query(
        "INSERT INTO chunk_vectors (document_id, ordinal, model_id, vector)
         SELECT $1, $2 + place, $3, ($4::real[])[place * $5 + 1 : (place + 1) * $5]
         FROM generate_series(0, $6 - 1) AS place
         ON CONFLICT (document_id, ordinal)
             DO UPDATE SET model_id = excluded.model_id, vector = excluded.vector",
    )
    .bind(id.0)
    .bind(i64::from(first))
    .bind(number)
    .bind(vectors.concat())
    .bind(size_of(model))
    .bind(i32::try_from(added).unwrap_or(i32::MAX))
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "UPDATE documents
         SET vectors = $1, stage = CASE stage WHEN 'ready' THEN stage ELSE 'vectors' END,
             waiting = NULL
         WHERE id = $2",
    )
    .bind(end)
    .bind(id.0)
    .execute(tx)
    .await?;
    Ok(true)
}

/// The steps to a ready document again, in one transaction: nobody sees the stages between.
async fn recut(
    tx: &mut PgConnection,
    id: DocumentId,
    worker: WorkerId,
    number: Option<i32>,
    recut: &Recut,
) -> Result<bool, Fails> {
    feed::hold(tx).await?;
    let ready: Option<(i32,)> = sqlx::query_as(
        "SELECT 1 FROM documents WHERE id = $1 AND claimed_by = $2 AND stage = 'ready'
         FOR NO KEY UPDATE",
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
    if let Some(((model, vectors), number)) = vectors.zip(number) {
        // As many at a time as a batch of other work has, so that no array gets too long.
        for (batch, first) in vectors.chunks(BATCH).zip((0..).step_by(BATCH)) {
            put(tx, id, worker, (model, number), first, batch).await?;
        }
    }
    sqlx::query(
        "UPDATE documents SET stage = 'ready', claimed_by = NULL, claimed_until_ms = NULL
         WHERE id = $1",
    )
    .bind(id.0)
    .execute(&mut *tx)
    .await?;
    feed::record(tx, id, ChangeKind::Ready).await?;
    Ok(true)
}

#[async_trait]
impl VectorRepository for PgDocumentRepository {
    async fn put_vectors(
        &self,
        id: DocumentId,
        worker: WorkerId,
        model: &EmbeddingModel,
        first: u32,
        vectors: &[Vec<f32>],
    ) -> Result<bool, DocumentRepositoryError> {
        for vector in vectors {
            check(model, vector)?;
        }
        let number = number(&self.database, model).await?;
        let (model, vectors) = (model.clone(), vectors.to_vec());
        let work = self.database.write(move |tx| {
            Box::pin(async move { put(tx, id, worker, (&model, number), first, &vectors).await })
        });
        work.await.map_err(Failed::port)
    }

    async fn recut(
        &self,
        id: DocumentId,
        worker: WorkerId,
        new: &Recut,
    ) -> Result<bool, DocumentRepositoryError> {
        let mut model_number = None;
        if let Some((model, vectors)) = &new.vectors {
            for vector in vectors {
                check(model, vector)?;
            }
            model_number = Some(number(&self.database, model).await?);
        }
        let new = new.clone();
        let work = self.database.write(move |tx| {
            Box::pin(async move { recut(tx, id, worker, model_number, &new).await })
        });
        work.await.map_err(Failed::port)
    }

    async fn embedded(
        &self,
        id: DocumentId,
        model: &EmbeddingModel,
    ) -> Result<u32, DocumentRepositoryError> {
        let query = sqlx::query_as(EMBEDDED)
            .bind(id.0)
            .bind(&model.id)
            .bind(size_of(model));
        let (count,): (i64,) = self.database.one(query).await?;
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
        let query = sqlx::query_as(
            "SELECT vector FROM chunks
             LEFT JOIN (
                 SELECT document_id, ordinal, vector FROM chunk_vectors
                 JOIN embedding_models ON embedding_models.id = chunk_vectors.model_id
                 WHERE name = $1 AND dimensions = $2
             ) AS stored USING (document_id, ordinal)
             WHERE document_id = $3 ORDER BY ordinal",
        )
        .bind(&model.id)
        .bind(size_of(model))
        .bind(id.0);
        let rows: Vec<(Option<Vec<f32>>,)> = self.database.rows(query).await?;
        let stored: Option<Vec<Vec<f32>>> = rows.into_iter().map(|(vector,)| vector).collect();
        let Some(stored) = stored.filter(|stored| !stored.is_empty()) else {
            return Ok(None);
        };
        let name = RowName {
            table: "chunk_vectors",
            id: &id,
        };
        for vector in &stored {
            check(model, vector).map_err(|error| name.broken("vector", error))?;
        }
        Ok(Some(stored))
    }

    async fn models(&self) -> Result<Vec<VectorCount>, DocumentRepositoryError> {
        let query = sqlx::query_as(
            "SELECT id, name, dimensions, count(*) FROM chunk_vectors
             JOIN embedding_models ON embedding_models.id = chunk_vectors.model_id
             GROUP BY id, name, dimensions ORDER BY name, dimensions",
        );
        let rows: Vec<(i32, String, i32, i64)> = self.database.rows(query).await?;
        let counts: Result<_, PgError> = rows
            .into_iter()
            .map(|(id, name, dimensions, vectors)| {
                let row = RowName {
                    table: "embedding_models",
                    id: &id,
                };
                Ok(VectorCount {
                    model: EmbeddingModel {
                        id: name,
                        dimensions: row.number("dimensions", i64::from(dimensions))?,
                    },
                    vectors: row.number("count", vectors)?,
                })
            })
            .collect();
        Ok(counts?)
    }
}
