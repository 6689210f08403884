//! The embedding models that ship in the binary, in plain Rust: no download, no service, no code in C.
//!
//! - Every vector has length 1, or is all zeros when the models know none of a text's pieces; two
//!   vectors of one [`BundledModel`] compare by their cosine.
//! - Tokens are those of the reference implementations, and vectors agree with theirs to a cosine
//!   of 0.999 (`a_thousand_sentences_have_the_references_tokens_and_vectors`, for each model).
//! - The work happens on blocking threads: as many as the machine has cores for passages, and as
//!   many for questions, which so never stand behind a document that is being taken in.
//! - Nothing is read before the first text. The weights are pages of the executable; what is
//!   unpacked from them stays for the life of the embedder.
//!
//! ```
//! use resync_embed::{BundledEmbedder, BundledModel};
//! use resync_rag::{Embedder, EmbeddingKind};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let embedder = BundledEmbedder::new(BundledModel::Multilingual);
//! let texts = ["disk full on FINAPP01", "disco cheio", "payroll is late"];
//! let vectors = embedder
//!     .embed(EmbeddingKind::Passage, texts.map(str::to_owned).to_vec())
//!     .await?;
//! let cosine = |a: usize, b: usize| -> f32 {
//!     vectors[a].iter().zip(&vectors[b]).map(|(a, b)| a * b).sum()
//! };
//! assert!(cosine(0, 1) > cosine(1, 2));
//! # Ok(()) }
//! ```

mod bundled;
mod files;
mod math;
mod matmul;
mod minilm;
mod models;
mod pieces;
#[cfg(test)]
mod reference;
mod unigram;
mod use_multilingual;
mod weights;
mod wordpiece;

pub use bundled::BundledEmbedder;
pub use models::BundledModel;
pub use weights::WeightsError;
