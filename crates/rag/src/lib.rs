//! Documents, chunking and retrieval.
//!
//! Invariants:
//! - A hit's text is the stored text's slice at its span, so a citation can always be shown.
//! - One retrieval path: [`KnowledgeService::search`], BM25 over an index in memory that is built
//!   from the [`DocumentRepository`] once, on [`KnowledgeService::load`] or at first use, and follows
//!   its feed of changes from there.
//! - A question in Portuguese finds an English document and the other way round, through a glossary
//!   of operations words.
//! - Bounded: bytes of an upload, chunks of the index, uploads under way, length of a query, hits.
//! - No domain crate knows HTTP; file names are labels and name no file of ours.
//!
//! ```
//! use std::sync::Arc;
//! use resync_kernel::{ManualClock, SystemIds, UserId};
//! use resync_memory::rag::InMemoryDocumentRepository;
//! use resync_rag::{Glossary, KnowledgeConfig, KnowledgeParts, KnowledgeService, NewUpload, PlainText, SearchQuery};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Arc::new(InMemoryDocumentRepository::default());
//! let knowledge = KnowledgeService::new(KnowledgeParts {
//!     documents: store.clone(),
//!     vectors: store,
//!     extractor: Arc::new(PlainText),
//!     embedder: None,
//!     nearest: None,
//!     reranker: None,
//!     glossary: Glossary::built_in(),
//!     clock: Arc::new(ManualClock::default()),
//!     ids: Arc::new(SystemIds),
//!     tasks: tokio_util::task::TaskTracker::new(),
//!     config: KnowledgeConfig::default(),
//! });
//! let text = "# Disk full\n\nWhen /var/tmp is full, remove files older than 7 days, then rerun.\n";
//! let by = UserId(uuid::Uuid::nil());
//! let document = knowledge.upload(NewUpload::new("disk.md", text, by)).await?;
//! knowledge.settled(document.id).await;
//! let found = knowledge.search(SearchQuery::new("disco cheio")).await?;
//! assert!(found.answerable);
//! assert_eq!(found.items[0].source, "disk.md");
//! # Ok(()) }
//! ```

mod chunk;
pub mod eval;
mod model;
mod plain;
mod ports;
mod search;
mod service;
pub mod text;

#[cfg(feature = "contract")]
pub mod contract;

pub use chunk::{TooManyChunks, chunk, title};
pub use model::{Chunk, Document, DocumentId, Language, Media, Span, Stage, WorkerId};
pub use plain::PlainText;
pub use ports::{
    Change, ChangeKind, DocumentCounts, DocumentFilter, DocumentRepository,
    DocumentRepositoryError, Embedder, EmbedderError, EmbeddingKind, EmbeddingModel, ExtractError,
    Extracted, Inserted, NearestQuery, Neighbour, ReadText, Recut, Reranker, RerankerError,
    StageName, TextExtractor, VectorCount, VectorRepository, VectorSearch,
};
#[cfg(any(test, feature = "mocks"))]
pub use ports::{
    MockDocumentRepository, MockEmbedder, MockReranker, MockTextExtractor, MockVectorRepository,
    MockVectorSearch,
};
pub use search::{
    ExactVectorSearch, Explanation, Fusion, Glossary, GlossaryError, Range, Scores, SearchHit,
    Strategy, Wide,
};
pub use service::{
    DocumentWatch, KnowledgeConfig, KnowledgeError, KnowledgeParts, KnowledgeService,
    KnowledgeStats, MAX_SECTION_CHARS, MAX_WATCHES, NewUpload, Progress, Reindexed, Reranking,
    SearchError, SearchQuery, SearchResults, SectionLink, SectionView, UploadError, Watched,
};
