//! Where documents are kept.

use async_trait::async_trait;
use resync_kernel::BoxError;
use thiserror::Error;

use crate::model::{Chunk, Document, DocumentId, Stage};

/// The store failed.
#[derive(Debug, Error)]
pub enum DocumentRepositoryError {
    /// The store did not answer.
    #[error("the document store is unavailable")]
    Unavailable(#[source] BoxError),
    /// A stored value cannot be read; it is named so that someone can repair it.
    #[error("the document store holds an unreadable {column} in {table} at {id}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's id.
        id: String,
    },
}

/// What an insertion met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inserted {
    /// The document was stored.
    New,
    /// A document with the same bytes is there already; nothing was stored.
    Existing(Box<Document>),
}

/// Which documents a walk visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// Those in stage `ready`.
    Ready,
    /// Those in no final stage: `received`, `text`, `chunks`, `vectors`.
    Unfinished,
}

/// The whole knowledge base in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DocumentCounts {
    /// All documents.
    pub documents: u64,
    /// Those in stage `ready`.
    pub ready: u64,
    /// Those in stage `failed`.
    pub failed: u64,
    /// Chunks of all documents.
    pub chunks: u64,
    /// Code points of all stored texts.
    pub chars: u64,
}

/// Keeps documents, their texts and their chunks.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait DocumentRepository: Send + Sync {
    /// Stores `document` and its `text`, unless a document with the same `bytes_sha256` exists.
    /// The test and the insertion are one step.
    async fn insert(
        &self,
        document: &Document,
        text: &str,
    ) -> Result<Inserted, DocumentRepositoryError>;

    /// Sets the stage; `false` when there is no such document.
    async fn set_stage(
        &self,
        id: DocumentId,
        stage: &Stage,
    ) -> Result<bool, DocumentRepositoryError>;

    /// Replaces the document's chunks by `chunks`, sets their number and the stage `chunks`, all
    /// or nothing; `false` when there is no such document.
    async fn put_chunks(
        &self,
        id: DocumentId,
        chunks: &[Chunk],
    ) -> Result<bool, DocumentRepositoryError>;

    /// The document, or `None`.
    async fn get(&self, id: DocumentId) -> Result<Option<Document>, DocumentRepositoryError>;

    /// The stored text, or `None` when there is no such document.
    async fn text(&self, id: DocumentId) -> Result<Option<String>, DocumentRepositoryError>;

    /// The document's chunks by ordinal; empty when there is none.
    async fn chunks(&self, id: DocumentId) -> Result<Vec<Chunk>, DocumentRepositoryError>;

    /// At most `limit` documents, newest id first, those older than `before` when given.
    async fn newest(
        &self,
        before: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<Document>, DocumentRepositoryError>;

    /// At most `limit` documents of `walk`, oldest id first, those newer than `after` when given.
    async fn oldest(
        &self,
        walk: Walk,
        after: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<Document>, DocumentRepositoryError>;

    /// Removes the document with its text and chunks; `false` when there is no such document.
    async fn delete(&self, id: DocumentId) -> Result<bool, DocumentRepositoryError>;

    /// The numbers.
    async fn counts(&self) -> Result<DocumentCounts, DocumentRepositoryError>;
}
