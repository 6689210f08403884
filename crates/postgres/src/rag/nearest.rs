//! The nearest chunks, by pgvector.
//!
//! Invariants:
//! - A question meets the vectors of its own model alone, by the index of that model.
//! - How far the index is searched is set in the transaction of the question, so it holds whatever the
//!   server's own setting is and nobody else gets it.
//! - With a collection of few chunks, and where the index gave fewer answers than were asked for, the
//!   answers are exact: nothing is left out because the index stopped looking.
//! - A vector of zeros has no direction: it is no answer, and as a question it has none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use resync_rag::{
    DocumentId, DocumentRepositoryError, EmbeddingModel, NearestQuery, Neighbour, VectorSearch,
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Postgres, Transaction};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::{vectors, wanted};
use crate::database::parts;
use crate::row::RowName;
use crate::{PgDatabase, PgError};

/// How many candidates the index keeps while it looks, at least.
const CANDIDATES: usize = 128;
/// The most that pgvector takes.
const MOST_CANDIDATES: usize = 1_000;
/// How many more than asked for the index is asked for.
const TIES: usize = 16;
/// The most answers.
const MOST: usize = 200;
/// Whose index can go on looking when a filter takes answers away.
const ITERATES: [u32; 2] = [0, 8];

/// Finds chunks in the table `chunk_vectors`.
#[derive(Debug, Clone)]
pub struct PgVectorSearch {
    database: PgDatabase,
    /// Up to so many vectors of a collection are compared one by one.
    exact_up_to: u32,
    /// Whether the server's index can go on looking; asked once.
    iterates: Arc<OnceCell<bool>>,
    /// The numbers of models, which never change; locked for a look or an entry.
    numbers: Arc<Mutex<HashMap<EmbeddingModel, i32>>>,
}

impl PgVectorSearch {
    /// Up to so many vectors of a collection are compared one by one when nobody says otherwise.
    pub const EXACT_UP_TO: u32 = 4_000;

    /// The vectors of `database`.
    #[must_use]
    pub fn new(database: PgDatabase) -> Self {
        Self {
            database,
            exact_up_to: Self::EXACT_UP_TO,
            iterates: Arc::default(),
            numbers: Arc::default(),
        }
    }

    /// As it is, but for collections of up to `vectors` the index is left out, and beyond it is not.
    #[must_use]
    pub fn exact_up_to(self, vectors: u32) -> Self {
        Self {
            exact_up_to: vectors,
            ..self
        }
    }

    async fn iterates(&self) -> Result<bool, PgError> {
        let ask = async || {
            let query =
                sqlx::query_as("SELECT extversion FROM pg_extension WHERE extname = 'vector'");
            let version: Option<(String,)> = self.database.row(query).await?;
            Ok(version.is_some_and(|(version,)| parts(&version) >= ITERATES))
        };
        self.iterates.get_or_try_init(ask).await.copied()
    }
}

impl PgVectorSearch {
    /// The model's number, if it has one yet.
    async fn number_of(&self, model: &EmbeddingModel) -> Result<Option<i32>, PgError> {
        let known = || self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = known().get(model) {
            return Ok(Some(*number));
        }
        let number = vectors::number_of(&self.database, model).await?;
        if let Some(number) = number {
            known().insert(model.clone(), number);
        }
        Ok(number)
    }
}

/// A question as the statements take it.
struct Question {
    vector: Vec<f32>,
    collection: Option<String>,
    /// Its model's number in the database.
    model: i32,
    dimensions: u32,
    limit: usize,
    /// See [`PgVectorSearch::exact_up_to`].
    exact_up_to: u32,
}

/// A row of an answer.
type Row = (Uuid, i64, f64);

impl Question {
    /// The first lines of the transaction. All that goes into the text are numbers.
    fn begin(&self, iterates: bool) -> String {
        let candidates = ((self.limit + TIES) * 2).clamp(CANDIDATES, MOST_CANDIDATES);
        let iterate = if iterates {
            "; SET LOCAL hnsw.iterative_scan = strict_order"
        } else {
            ""
        };
        format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
             SET LOCAL hnsw.ef_search = {candidates}{iterate}"
        )
    }

    /// What both statements have in common.
    fn rows(&self) -> String {
        let Self {
            model, dimensions, ..
        } = self;
        let filter = if self.collection.is_some() {
            "AND d.collection = $2"
        } else {
            ""
        };
        format!(
            "SELECT v.document_id, v.ordinal,
                 (v.embedding::halfvec({dimensions})) <=> ($1::real[]::halfvec({dimensions})) AS distance
             FROM chunk_vectors AS v JOIN documents AS d ON d.id = v.document_id
             WHERE v.model_id = {model} AND d.stage = 'ready' {filter}"
        )
    }

    /// By the index, which knows distances alone: so some more than asked for, to sort equal ones.
    fn by_index(&self) -> String {
        let limit = self.limit + TIES;
        format!("{} ORDER BY distance LIMIT {limit}", self.rows())
    }

    /// One by one. `OFFSET 0` keeps the index out of it.
    fn exact(&self) -> String {
        let (rows, limit) = (self.rows(), self.limit);
        format!(
            "SELECT * FROM ({rows} OFFSET 0) AS near
             ORDER BY distance, document_id, ordinal LIMIT {limit}"
        )
    }

    async fn ask(&self, tx: &mut PgConnection, sql: String) -> Result<Vec<Row>, sqlx::Error> {
        let mut query = sqlx::query_as(AssertSqlSafe(sql)).bind(&self.vector);
        if let Some(collection) = &self.collection {
            query = query.bind(collection);
        }
        query.fetch_all(tx).await
    }

    /// The answers in their order, or `None` where the index did not show enough to know them.
    fn sorted(&self, mut rows: Vec<Row>) -> Option<Vec<Row>> {
        rows.sort_by(
            |(doc, ordinal, distance), (other_doc, other_ordinal, other_distance)| {
                distance
                    .total_cmp(other_distance)
                    .then_with(|| (doc, ordinal).cmp(&(other_doc, other_ordinal)))
            },
        );
        // The index stops after some thousands of rows, though a filter takes them all away; and where
        // all that follow the last answer are as near as it, others may be as well.
        let last = rows.get(self.limit.checked_sub(1)?)?.2;
        let cut = rows.len() == self.limit + TIES;
        if cut && rows.last()?.2.total_cmp(&last).is_eq() {
            return None;
        }
        rows.truncate(self.limit);
        Some(rows)
    }

    /// Whether the collection is so small that comparing all of it is cheaper than the index.
    async fn is_small(&self, tx: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let Some(collection) = &self.collection else {
            return Ok(false);
        };
        let (vectors,): (i64,) = sqlx::query_as(
            "SELECT coalesce(sum(vectors), 0)::bigint FROM documents
             WHERE collection = $1 AND stage = 'ready'",
        )
        .bind(collection)
        .fetch_one(tx)
        .await?;
        Ok(vectors <= i64::from(self.exact_up_to))
    }

    async fn answers(
        &self,
        connection: &mut PgConnection,
        iterates: bool,
    ) -> Result<Vec<Row>, sqlx::Error> {
        // Only reads, so it may be cut anywhere: dropped, it is rolled back behind the answer's back.
        let mut tx: Transaction<'_, Postgres> = connection
            .begin_with(AssertSqlSafe(self.begin(iterates)))
            .await?;
        if !self.is_small(&mut tx).await? {
            let found = self.ask(&mut tx, self.by_index()).await?;
            if let Some(answers) = self.sorted(found) {
                return Ok(answers);
            }
        }
        self.ask(&mut tx, self.exact()).await
    }
}

fn neighbour((document, ordinal, distance): Row) -> Option<Result<Neighbour, PgError>> {
    if distance.is_nan() {
        return None;
    }
    let name = RowName {
        table: "chunk_vectors",
        id: &document,
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cosine has no use for more digits"
    )]
    let cosine = (1.0 - distance).clamp(-1.0, 1.0) as f32;
    Some(name.number("ordinal", ordinal).map(|ordinal| Neighbour {
        document: DocumentId(document),
        ordinal,
        cosine,
    }))
}

#[async_trait]
impl VectorSearch for PgVectorSearch {
    async fn nearest(
        &self,
        query: NearestQuery,
    ) -> Result<Vec<Neighbour>, DocumentRepositoryError> {
        vectors::check(&query.model, &query.vector)?;
        if query.vector.iter().all(|number| *number == 0.0) {
            return Ok(Vec::new());
        }
        let Some(model) = self.number_of(&query.model).await? else {
            return Ok(Vec::new());
        };
        let question = Question {
            collection: wanted(query.collection.as_deref()),
            model,
            dimensions: query.model.dimensions,
            limit: query.limit.clamp(1, MOST),
            exact_up_to: self.exact_up_to,
            vector: query.vector,
        };
        let iterates = self.iterates().await?;
        let rows = self
            .database
            .statement(async |connection| question.answers(connection, iterates).await)
            .await?;
        let found: Result<_, PgError> = rows.into_iter().filter_map(neighbour).collect();
        Ok(found?)
    }
}
