//! The knowledge base's use cases.
//!
//! Invariants:
//! - A task that the tracker knows does the work after an upload; dropping the caller stops nothing.
//! - The index is loaded once: see [`load`].
//! - A deleted document never comes back: the repository is changed first, the index after it, and
//!   every change of the index is made under one lock.

mod load;
mod process;
mod search;
mod upload;

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex};

use resync_kernel::{BoxError, Clock, Cursor, CursorError, IdGenerator, Limit, Page};
use resync_sync::OnceInit;
use thiserror::Error;
use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;

pub use search::{SearchError, SearchQuery, SearchResults};
pub use upload::{NewUpload, UploadError};

use crate::model::{Document, DocumentId};
use crate::ports::{DocumentRepository, DocumentRepositoryError};
use crate::search::{Glossary, Index, IndexWriter};

/// Bounds of the knowledge base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnowledgeConfig {
    /// Greatest upload, in bytes (25 MiB).
    pub max_upload_bytes: usize,
    /// Target length of a chunk, in Unicode code points (1200); at least 200 is used.
    pub chunk_chars: usize,
    /// Most chunks that the index holds (200,000); a document that would exceed it fails.
    pub max_chunks: usize,
    /// Most uploads under way (64); one more is refused as [`UploadError::Busy`].
    pub max_pending: usize,
}

impl Default for KnowledgeConfig {
    fn default() -> Self {
        Self {
            max_upload_bytes: 25 * 1024 * 1024,
            chunk_chars: 1200,
            max_chunks: 200_000,
            max_pending: 64,
        }
    }
}

/// What a [`KnowledgeService`] is made of.
#[derive(Clone)]
pub struct KnowledgeParts {
    /// The store.
    pub documents: Arc<dyn DocumentRepository>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn IdGenerator>,
    /// Where the work after an upload runs; shutdown waits for it.
    pub tasks: TaskTracker,
    /// Bounds.
    pub config: KnowledgeConfig,
}

impl fmt::Debug for KnowledgeParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnowledgeParts")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// A read or a deletion failed.
#[derive(Debug, Error)]
pub enum KnowledgeError {
    /// The cursor is not one of [`KnowledgeService::list`].
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The store or the index failed.
    #[error("the knowledge base is unavailable")]
    Unavailable(#[source] BoxError),
}

impl From<DocumentRepositoryError> for KnowledgeError {
    fn from(error: DocumentRepositoryError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

/// The knowledge base in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KnowledgeStats {
    /// All documents.
    pub documents: u64,
    /// Searchable ones.
    pub ready: u64,
    /// Those given up.
    pub failed: u64,
    /// Stored chunks.
    pub chunks: u64,
    /// Code points of all stored texts.
    pub chars: u64,
    /// Chunks in this process's index; 0 before it is loaded.
    pub indexed_chunks: u64,
}

/// Uploads, reads and searches documents. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct KnowledgeService {
    inner: Arc<Inner>,
}

struct Inner {
    parts: KnowledgeParts,
    index: Index,
    glossary: Glossary,
    /// Guards every change of the index. A lock of tokio, as a load holds it across awaits.
    writer: Arc<tokio::sync::Mutex<IndexWriter>>,
    /// Set once the index has been built from the store.
    loaded: OnceInit<(), Arc<KnowledgeError>>,
    /// The documents that tasks of this process work on. A plain lock: only set operations.
    in_flight: Mutex<HashSet<DocumentId>>,
    /// Bumped whenever a document leaves `in_flight`, for [`KnowledgeService::settled`].
    settled: watch::Sender<u64>,
    /// How many documents are parsed at the same time.
    parsers: Semaphore,
    /// How many searches run at the same time, so that they cannot take every blocking thread.
    searchers: Arc<Semaphore>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

impl KnowledgeService {
    /// A service over `parts`; starts nothing and reads nothing.
    #[must_use]
    pub fn new(parts: KnowledgeParts) -> Self {
        let index = Index::new();
        let writer = Arc::new(tokio::sync::Mutex::new(index.writer()));
        Self {
            inner: Arc::new(Inner {
                parts,
                index,
                glossary: Glossary::built_in(),
                writer,
                loaded: OnceInit::new(),
                in_flight: Mutex::default(),
                settled: watch::Sender::new(0),
                parsers: Semaphore::new(2),
                searchers: Arc::new(Semaphore::new(8)),
            }),
        }
    }

    /// A page of documents, newest first.
    ///
    /// # Errors
    /// [`KnowledgeError::Cursor`] for a cursor of another list.
    pub async fn list(
        &self,
        limit: Limit,
        cursor: Option<&str>,
    ) -> Result<Page<Document>, KnowledgeError> {
        let before = cursor.map(Cursor::decode::<DocumentId>).transpose()?;
        let mut items = self.documents().newest(before, limit.get() + 1).await?;
        let size = usize::try_from(limit.get()).unwrap_or(usize::MAX);
        let more = items.len() > size;
        items.truncate(size);
        let next = match items.last() {
            Some(last) if more => Some(Cursor::encode(&last.id)?),
            _ => None,
        };
        Ok(Page { items, next })
    }

    /// The document, or `None`; its stage tells how far an upload has come.
    ///
    /// # Errors
    /// [`KnowledgeError::Unavailable`].
    pub async fn get(&self, id: DocumentId) -> Result<Option<Document>, KnowledgeError> {
        Ok(self.documents().get(id).await?)
    }

    /// The stored text, which spans of hits refer to, or `None`.
    ///
    /// # Errors
    /// [`KnowledgeError::Unavailable`].
    pub async fn document_text(&self, id: DocumentId) -> Result<Option<String>, KnowledgeError> {
        Ok(self.documents().text(id).await?)
    }

    /// Removes the document, its text and its chunks; `false` when there is no such document.
    ///
    /// Cancel safe: dropped after the store has changed, the index still loses the document, as
    /// that part runs in a task of its own.
    ///
    /// # Errors
    /// [`KnowledgeError::Unavailable`]; the document is then still there, or gone from the store
    /// and hidden from search at the latest at the next start.
    #[tracing::instrument(name = "rag.delete", skip_all, fields(document.id = %id))]
    pub async fn delete(&self, id: DocumentId) -> Result<bool, KnowledgeError> {
        let service = self.clone();
        let deletion = async move {
            let found = service.documents().delete(id).await?;
            if found {
                service.write_index(move |writer| writer.remove(id)).await?;
            }
            Ok::<_, KnowledgeError>(found)
        };
        self.inner
            .parts
            .tasks
            .spawn(deletion)
            .await
            .map_err(|error| KnowledgeError::Unavailable(Box::new(error)))?
    }

    /// The numbers.
    ///
    /// # Errors
    /// [`KnowledgeError::Unavailable`].
    pub async fn stats(&self) -> Result<KnowledgeStats, KnowledgeError> {
        let counts = self.documents().counts().await?;
        Ok(KnowledgeStats {
            documents: counts.documents,
            ready: counts.ready,
            failed: counts.failed,
            chunks: counts.chunks,
            chars: counts.chars,
            indexed_chunks: self.inner.index.chunks(),
        })
    }

    /// Waits until no task of this process works on the document any more.
    ///
    /// Cancel safe: nothing is lost when dropped.
    pub async fn settled(&self, id: DocumentId) {
        let mut changes = self.inner.settled.subscribe();
        while self.is_in_flight(id) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn documents(&self) -> &dyn DocumentRepository {
        self.inner.parts.documents.as_ref()
    }

    /// Runs a change of the index off the async workers, alone.
    async fn write_index<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut IndexWriter) -> Result<T, crate::search::IndexError> + Send + 'static,
    ) -> Result<T, KnowledgeError> {
        let mut writer = Arc::clone(&self.inner.writer).lock_owned().await;
        tokio::task::spawn_blocking(move || change(&mut writer))
            .await
            .map_err(|error| KnowledgeError::Unavailable(Box::new(error)))?
            .map_err(|error| KnowledgeError::Unavailable(Box::new(error)))
    }
}
