//! Where vectors are kept, and where the nearest ones are found.

use async_trait::async_trait;

use super::{DocumentRepositoryError, EmbeddingModel};
use crate::model::{Chunk, DocumentId, WorkerId};

/// How many chunks have vectors of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorCount {
    /// The model.
    pub model: EmbeddingModel,
    /// Its vectors.
    pub vectors: u64,
}

/// What takes the place of a ready document's chunks.
#[derive(Debug, Clone, PartialEq)]
pub struct Recut {
    /// The chunks, by ordinal.
    pub chunks: Vec<Chunk>,
    /// A vector for each of them, and the model that made them, where there is one.
    pub vectors: Option<(EmbeddingModel, Vec<Vec<f32>>)>,
}

/// Keeps the vectors of documents' chunks, at most one for each chunk. They go away with their
/// document and when its chunks are replaced.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait VectorRepository: Send + Sync {
    /// Stores `vectors` for the chunks from ordinal `first` on, in place of what these have from
    /// other models, and sets the stage `vectors` unless the document is ready; all or nothing.
    /// Batches come in order, so that work can go on where it ended: `false`, and nothing is changed,
    /// unless `worker` has claimed the document, `first` is the number of vectors of `model` that it
    /// has ([`VectorRepository::embedded`]), and each vector has its chunk.
    async fn put_vectors(
        &self,
        id: DocumentId,
        worker: WorkerId,
        model: &EmbeddingModel,
        first: u32,
        vectors: &[Vec<f32>],
    ) -> Result<bool, DocumentRepositoryError>;

    /// Replaces the chunks and the vectors of a ready document that `worker` has claimed, ends the
    /// claim, and enters the document into the feed, all or nothing: a reader sees the old ones or the
    /// new ones. `false`, and nothing is changed, unless the claim holds, the document is ready, and
    /// there is a vector for each chunk or none at all.
    async fn recut(
        &self,
        id: DocumentId,
        worker: WorkerId,
        recut: &Recut,
    ) -> Result<bool, DocumentRepositoryError>;

    /// How many of the document's chunks have vectors of `model`: those of the first ordinals.
    async fn embedded(
        &self,
        id: DocumentId,
        model: &EmbeddingModel,
    ) -> Result<u32, DocumentRepositoryError>;

    /// The document's vectors of `model` by ordinal; `None` unless each of its chunks has one and
    /// there is at least one.
    async fn vectors(
        &self,
        id: DocumentId,
        model: &EmbeddingModel,
    ) -> Result<Option<Vec<Vec<f32>>>, DocumentRepositoryError>;

    /// The models that stored vectors come from, by id, then dimensions.
    async fn models(&self) -> Result<Vec<VectorCount>, DocumentRepositoryError>;
}

/// What to look for among vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct NearestQuery {
    /// Which model made `vector`.
    pub model: EmbeddingModel,
    /// The question's vector, of length 1.
    pub vector: Vec<f32>,
    /// Only documents of this collection.
    pub collection: Option<String>,
    /// Most answers, 1 to 200.
    pub limit: usize,
}

/// A chunk and how near it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// The chunk's document.
    pub document: DocumentId,
    /// The chunk's place in it.
    pub ordinal: u32,
    /// The cosine of the angle between both vectors, −1 to 1.
    pub cosine: f32,
}

/// Finds the chunks of ready documents whose vectors are nearest.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait VectorSearch: Send + Sync {
    /// The nearest chunks, best first, equal ones by document, then ordinal. Recall against an exact
    /// scan at ten answers is at least 0.98. Cancel safe.
    async fn nearest(&self, query: NearestQuery)
    -> Result<Vec<Neighbour>, DocumentRepositoryError>;
}
