//! Documents, chunking and retrieval.
//!
//! Invariants:
//! - A hit's text is the stored text's slice at its span, so a citation can always be shown.
//! - One retrieval path: [`KnowledgeService::search`], BM25 over an index in memory that is built
//!   from the [`DocumentRepository`] once, on [`KnowledgeService::load`] or at first use.
//! - A question in Portuguese finds an English document and the other way round, through a glossary
//!   of operations words; there is no embedder yet, so the stage `vectors` is passed over.
//! - Bounded: bytes of an upload, chunks of the index, uploads under way, length of a query, hits.
//! - No domain crate knows HTTP; file names are labels and name no file of ours.
//!
//! ```
//! use std::sync::Arc;
//! use resync_kernel::{CountingIds, ManualClock, UserId};
//! use resync_memory::rag::InMemoryDocumentRepository;
//! use resync_rag::{KnowledgeConfig, KnowledgeParts, KnowledgeService, NewUpload, SearchQuery};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let knowledge = KnowledgeService::new(KnowledgeParts {
//!     documents: Arc::new(InMemoryDocumentRepository::default()),
//!     clock: Arc::new(ManualClock::default()),
//!     ids: Arc::new(CountingIds::default()),
//!     tasks: tokio_util::task::TaskTracker::new(),
//!     config: KnowledgeConfig::default(),
//! });
//! let text = "# Disk full\n\nWhen /var/tmp is full, remove files older than 7 days, then rerun.\n";
//! let document = knowledge
//!     .upload(NewUpload {
//!         file_name: "disk.md".into(),
//!         bytes: text.as_bytes().to_vec(),
//!         collection: None,
//!         tags: vec![],
//!         by: UserId(uuid::Uuid::nil()),
//!     })
//!     .await?;
//! knowledge.settled(document.id).await;
//! let found = knowledge.search(SearchQuery::new("disco cheio")).await?;
//! assert!(found.answerable);
//! assert_eq!(found.items[0].source, "disk.md");
//! # Ok(()) }
//! ```

mod chunk;
pub mod eval;
mod model;
mod ports;
mod search;
mod service;
pub mod text;

#[cfg(feature = "contract")]
pub mod contract;

pub use chunk::{TooManyChunks, chunk, title};
pub use model::{Chunk, Document, DocumentId, Media, Span, Stage};
pub use ports::{
    DocumentCounts, DocumentRepository, DocumentRepositoryError, Embedder, EmbedderError,
    EmbeddingKind, EmbeddingModel, ExtractError, Extracted, Inserted, NearestQuery, Neighbour,
    TextExtractor, VectorCount, VectorRepository, VectorSearch, Walk,
};
#[cfg(any(test, feature = "mocks"))]
pub use ports::{
    MockDocumentRepository, MockEmbedder, MockTextExtractor, MockVectorRepository, MockVectorSearch,
};
pub use search::{
    ExactVectorSearch, Explanation, Fusion, Glossary, GlossaryError, Range, Scores, SearchHit,
    Strategy,
};
pub use service::{
    KnowledgeConfig, KnowledgeError, KnowledgeParts, KnowledgeService, KnowledgeStats, NewUpload,
    SearchError, SearchQuery, SearchResults, UploadError,
};
