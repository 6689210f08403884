//! What turns text into vectors.

use std::fmt;

use async_trait::async_trait;
use resync_kernel::BoxError;
use thiserror::Error;

/// Which model made a vector. Vectors of different models are never compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EmbeddingModel {
    /// The model's name with its revision, 1 to 128 characters.
    pub id: String,
    /// Numbers in each of its vectors, 1 to 4000.
    pub dimensions: u32,
}

impl fmt::Display for EmbeddingModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} dimensions)", self.id, self.dimensions)
    }
}

/// What a text is, as some models treat questions and passages differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EmbeddingKind {
    /// A question.
    Query,
    /// A part of a document, its headings before it.
    Passage,
}

/// No vectors came.
#[derive(Debug, Error)]
pub enum EmbedderError {
    /// The model is away, or answered what cannot be used; another try may work.
    #[error("the embedding model is unavailable")]
    Unavailable(#[source] BoxError),
}

/// Turns texts into vectors whose cosine says how alike they are in meaning, across languages.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait Embedder: Send + Sync {
    /// The model; the same for the life of the embedder.
    fn model(&self) -> &EmbeddingModel;

    /// One vector of length 1 for each of `texts`, in their order. The work happens off the async
    /// workers. A text that the model has no words for is a vector of zeros.
    ///
    /// Cancel safe: dropping it ends the work at the next text.
    async fn embed(
        &self,
        kind: EmbeddingKind,
        texts: Vec<String>,
    ) -> Result<Vec<Vec<f32>>, EmbedderError>;
}
