//! Where documents are kept.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_kernel::BoxError;
use thiserror::Error;

use crate::model::{Chunk, Document, DocumentId, Language, Media, WorkerId};

/// The store failed.
#[derive(Debug, Error)]
pub enum DocumentRepositoryError {
    /// The store has no room left; nothing was changed.
    #[error("the document store has no room left")]
    Full(#[source] BoxError),
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
    /// The document was stored as this version.
    New {
        /// The version, from 1.
        version: u32,
    },
    /// These bytes were there and had failed: that document begins anew.
    Restarted(Box<Document>),
    /// These bytes are there already; nothing was stored.
    Existing(Box<Document>),
}

/// The text that was read out of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadText {
    /// The text, with `\n` as its only line end.
    pub text: String,
    /// Unicode code points of `text`.
    pub chars: u64,
    /// How it is read.
    pub media: Media,
    /// A better title than the file's name, if there is one.
    pub title: Option<String>,
    /// What kind of file it was, for people.
    pub format: String,
    /// The character encoding that the file was read with, where it is a text file.
    pub encoding: Option<String>,
}

/// Which documents to list; what is `None` is not asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentFilter {
    /// Only of this collection.
    pub collection: Option<String>,
    /// Only with this tag.
    pub tag: Option<String>,
    /// Only of this language.
    pub language: Option<Language>,
    /// Only with this path.
    pub path: Option<String>,
    /// Only in this stage.
    pub stage: Option<StageName>,
}

/// A stage by its name alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StageName {
    /// See [`Stage::Received`](crate::Stage::Received).
    Received,
    /// See [`Stage::Text`](crate::Stage::Text).
    Text,
    /// See [`Stage::Chunks`](crate::Stage::Chunks).
    Chunks,
    /// See [`Stage::Vectors`](crate::Stage::Vectors).
    Vectors,
    /// See [`Stage::Ready`](crate::Stage::Ready).
    Ready,
    /// See [`Stage::Failed`](crate::Stage::Failed).
    Failed,
}

impl StageName {
    /// The word, as [`Stage::as_str`](crate::Stage::as_str) has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Text => "text",
            Self::Chunks => "chunks",
            Self::Vectors => "vectors",
            Self::Ready => "ready",
            Self::Failed => "failed",
        }
    }

    /// Reads [`StageName::as_str`] back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::Received,
            Self::Text,
            Self::Chunks,
            Self::Vectors,
            Self::Ready,
            Self::Failed,
        ]
        .into_iter()
        .find(|stage| stage.as_str() == word)
    }
}

/// What happened to a document, for everyone who keeps an index of the ready ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The place in the feed, from 1; greater is later.
    pub seq: u64,
    /// The document.
    pub document: DocumentId,
    /// Whether it can be found now or is gone.
    pub kind: ChangeKind,
}

/// See [`Change`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It got ready, or got other vectors while ready.
    Ready,
    /// It is no longer there.
    Gone,
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

/// Keeps documents, their files until they are read, their texts and their chunks, and who works on
/// them.
///
/// A document that is not ready is worked on by the one worker that has claimed it. What only that
/// worker may do takes its id, and answers `false` (or `None`), changing nothing, when there is no
/// such document any more or the claim is another's: the worker then lets go.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait DocumentRepository: Send + Sync {
    /// Stores `document` and its `file` in stage `received`. The following and the insertion are one
    /// step, however many insert at once:
    /// - With a path: when the newest version at the same collection and path has the same
    ///   `bytes_sha256`, it is answered; else the document gets the version after it.
    /// - Without a path: a document of the same collection without a path that has the same
    ///   `bytes_sha256` is answered.
    /// - A document to be answered that has failed takes the file, loses its claim, and begins anew
    ///   in stage `received`.
    ///
    /// `document.version`, `stage` and what later stages find out are not read.
    async fn insert(
        &self,
        document: &Document,
        file: &[u8],
    ) -> Result<Inserted, DocumentRepositoryError>;

    /// Gives the document to `worker` until `until`, unless another worker has it beyond `now`, it is
    /// deferred beyond `now`, it has failed or is gone. A worker that has it renews it so. Ready
    /// documents can be claimed, for new vectors.
    async fn claim(
        &self,
        id: DocumentId,
        worker: WorkerId,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<bool, DocumentRepositoryError>;

    /// Gives the claim up. Nobody can claim the document before `until`, and `waiting` says why.
    async fn defer(
        &self,
        id: DocumentId,
        worker: WorkerId,
        until: DateTime<Utc>,
        waiting: Option<String>,
    ) -> Result<bool, DocumentRepositoryError>;

    /// At most `limit` documents, oldest id first, that are neither ready nor failed and that a new
    /// worker could claim at `now`.
    async fn claimable(
        &self,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<DocumentId>, DocumentRepositoryError>;

    /// The uploaded bytes, until the text is stored; `None` afterwards.
    async fn file(&self, id: DocumentId) -> Result<Option<Vec<u8>>, DocumentRepositoryError>;

    /// Stores the text in place of the file, sets what it says of the document, and the stage `text`.
    async fn put_text(
        &self,
        id: DocumentId,
        worker: WorkerId,
        text: &ReadText,
    ) -> Result<bool, DocumentRepositoryError>;

    /// Replaces the document's chunks by `chunks`, sets their number and the stage `chunks`, all
    /// or nothing. Vectors of the old ones go.
    async fn put_chunks(
        &self,
        id: DocumentId,
        worker: WorkerId,
        chunks: &[Chunk],
    ) -> Result<bool, DocumentRepositoryError>;

    /// Makes the document ready, ends the claim, and removes all smaller versions at its collection
    /// and path, all or nothing: a reader sees the old version or the new one. Each removal and the
    /// document itself are entered into the feed, in this order. The ids of what was removed, or
    /// `None` when the claim is lost.
    async fn publish(
        &self,
        id: DocumentId,
        worker: WorkerId,
    ) -> Result<Option<Vec<DocumentId>>, DocumentRepositoryError>;

    /// Sets the stage `failed` with `reason`, ends the claim, and removes file, text, chunks and
    /// vectors.
    async fn fail(
        &self,
        id: DocumentId,
        worker: WorkerId,
        reason: &str,
    ) -> Result<bool, DocumentRepositoryError>;

    /// The document, or `None`.
    async fn get(&self, id: DocumentId) -> Result<Option<Document>, DocumentRepositoryError>;

    /// The stored text, or `None` when there is no such document or it has no text yet.
    async fn text(&self, id: DocumentId) -> Result<Option<String>, DocumentRepositoryError>;

    /// The document's chunks by ordinal; empty when there is none.
    async fn chunks(&self, id: DocumentId) -> Result<Vec<Chunk>, DocumentRepositoryError>;

    /// At most `limit` documents that pass `filter`, newest id first, those older than `before` when
    /// given.
    async fn newest(
        &self,
        filter: &DocumentFilter,
        before: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<Document>, DocumentRepositoryError>;

    /// At most `limit` ready documents, oldest id first, those newer than `after` when given.
    async fn ready(
        &self,
        after: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<Document>, DocumentRepositoryError>;

    /// Removes the document with all that belongs to it, whoever has claimed it, and enters that into
    /// the feed; `false` when there is no such document.
    async fn delete(&self, id: DocumentId) -> Result<bool, DocumentRepositoryError>;

    /// The last change of each document that was changed after `after`, oldest first, at most `limit`.
    /// Who has seen a change is never shown an earlier one: numbers become visible in their order.
    async fn changes(&self, after: u64, limit: u32)
    -> Result<Vec<Change>, DocumentRepositoryError>;

    /// The number of the latest change, 0 before the first.
    async fn last_change(&self) -> Result<u64, DocumentRepositoryError>;

    /// Forgets the removals up to `seq`, which every process is known to have seen.
    async fn trim_changes(&self, seq: u64) -> Result<(), DocumentRepositoryError>;

    /// The numbers.
    async fn counts(&self) -> Result<DocumentCounts, DocumentRepositoryError>;
}
