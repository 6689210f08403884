//! What puts the best hits into a better order.

use async_trait::async_trait;
use resync_kernel::BoxError;
use thiserror::Error;

/// No order was given.
#[derive(Debug, Error)]
pub enum RerankerError {
    /// It did not answer, in time or at all, or not as it should; the order without it holds.
    #[error("the re-ranker is unavailable")]
    Unavailable(#[source] BoxError),
}

/// Reads a question and texts together, and says how well each text answers it.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait Reranker: Send + Sync {
    /// One finite number for each text, in the order of the texts; greater is better, and only
    /// comparable within one call. Cancel safe.
    async fn rerank(&self, question: &str, texts: Vec<String>) -> Result<Vec<f32>, RerankerError>;
}
