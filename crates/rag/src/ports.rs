//! What the domain needs from the world.

mod documents;
mod embedder;
mod extractor;
mod vectors;

pub use documents::*;
pub use embedder::*;
pub use extractor::*;
pub use vectors::*;
