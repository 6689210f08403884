//! The client of OpenAI-compatible model servers: embeddings, and chat completions in a stream.
//!
//! - A call ends by its deadline, whatever the server does; what may be tried again is tried within
//!   it.
//! - An answer is believed when it has the right shape, and not in part.
//! - Neither the key nor a text is in a log, an error or a `Debug` form.
//!
//! ```no_run
//! use resync_llm::{HttpEmbedder, HttpEmbedderConfig};
//! use resync_rag::{Embedder, EmbeddingKind};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config = HttpEmbedderConfig::new("http://127.0.0.1:8080/v1", "bge-m3");
//! let embedder = HttpEmbedder::connect(config).await?;
//! let question = vec!["disco cheio em FINAPP01".to_owned()];
//! let vectors = embedder.embed(EmbeddingKind::Query, question).await?;
//! assert_eq!(vectors.len(), 1);
//! # Ok(()) }
//! ```

mod call;
mod chat;
mod embedder;
mod rerank;
mod retry;
mod wire;

pub use call::CallError;
pub use chat::{HttpLanguageModel, HttpLanguageModelConfig, LanguageModelError, ModelCounts};
pub use embedder::{ConnectError, HttpEmbedder, HttpEmbedderConfig};
pub use rerank::{HttpReranker, HttpRerankerConfig};
