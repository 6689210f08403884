//! What the domain needs from the world.

mod documents;
mod embedder;
mod extractor;
mod reranker;
mod vectors;

pub use documents::*;
pub use embedder::*;
pub use extractor::*;
pub use reranker::*;
pub use vectors::*;
