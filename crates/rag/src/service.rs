//! The knowledge base's use cases.
//!
//! Invariants:
//! - A task that the tracker knows does the work after an upload; dropping the caller stops nothing.
//! - The index is loaded once, see [`load`], and changes by following the store's feed alone, see
//!   [`follow`]: what another process did is done to it as what this one did.
//! - One process works on a document at a time, see [`process`].

mod embed;
mod follow;
mod load;
mod process;
mod read;
mod reindex;
mod run;
mod search;
mod section;
mod steps;
mod upload;
mod watch;
mod work_off;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use resync_kernel::{BoxError, Clock, CursorError, IdGenerator};
use resync_sync::OnceInit;
use thiserror::Error;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::embed::Progress;
pub use self::read::KnowledgeStats;
pub use self::reindex::Reindexed;
pub use self::search::{Reranking, SearchError, SearchQuery, SearchResults};
pub use self::section::{MAX_SECTION_CHARS, SectionLink, SectionView};
pub use self::upload::{NewUpload, UploadError};
pub use self::watch::{DocumentWatch, MAX_WATCHES, Watched};

use crate::model::{DocumentId, WorkerId};
use crate::ports::{
    DocumentRepository, DocumentRepositoryError, Embedder, EmbeddingModel, Reranker, TextExtractor,
    VectorRepository, VectorSearch,
};
use crate::search::{ExactVectorSearch, Glossary, Index, IndexWriter};

/// Bounds of the knowledge base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnowledgeConfig {
    /// Greatest upload, in bytes (25 MiB).
    pub max_upload_bytes: usize,
    /// Target length of a chunk, in Unicode code points (1200); at least 200 is used.
    pub chunk_chars: usize,
    /// Most chunks that the index holds (200,000); a document that would exceed it fails.
    pub max_chunks: usize,
    /// Most uploads under way in this process (64); one more is refused as [`UploadError::Busy`].
    pub max_pending: usize,
    /// How often [`KnowledgeService::run`] asks what other processes did (1 s).
    pub poll: Duration,
}

impl Default for KnowledgeConfig {
    fn default() -> Self {
        Self {
            max_upload_bytes: 25 * 1024 * 1024,
            chunk_chars: 1200,
            max_chunks: 200_000,
            max_pending: 64,
            poll: Duration::from_secs(1),
        }
    }
}

/// What a [`KnowledgeService`] is made of.
#[derive(Clone)]
pub struct KnowledgeParts {
    /// The store.
    pub documents: Arc<dyn DocumentRepository>,
    /// The store of vectors; the same rows as `documents`.
    pub vectors: Arc<dyn VectorRepository>,
    /// Reads the text out of uploaded files; [`PlainText`](crate::PlainText) reads Markdown and text.
    pub extractor: Arc<dyn TextExtractor>,
    /// Makes vectors, if there is a model.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// Finds the nearest of the stored vectors. Without it they are held in this process, and all are
    /// looked at ([`ExactVectorSearch`]).
    pub nearest: Option<Arc<dyn VectorSearch>>,
    /// Puts the best hits into a better order, if there is one.
    pub reranker: Option<Arc<dyn Reranker>>,
    /// Words of the same meaning.
    pub glossary: Glossary,
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

/// Uploads, reads and searches documents. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct KnowledgeService {
    inner: Arc<Inner>,
}

struct Inner {
    parts: KnowledgeParts,
    index: Index,
    /// What looks for a question's meaning, if there is a model.
    nearest: Option<Arc<dyn VectorSearch>>,
    /// The model whose vectors are held in this process, if any are.
    scanned: Option<EmbeddingModel>,
    /// By this name the process claims documents.
    worker: WorkerId,
    /// Guards every change of the index. A lock of tokio, as a load holds it across awaits.
    writer: Arc<tokio::sync::Mutex<IndexWriter>>,
    /// The number of the last change that is in the committed index. Written under the lock above.
    followed: AtomicU64,
    /// Set once the index has been built from the store.
    loaded: OnceInit<(), Arc<KnowledgeError>>,
    /// What tasks of this process work on. A plain lock: only map operations.
    work: Mutex<Work>,
    /// Bumped whenever a document gets on or leaves the work, for [`KnowledgeService::settled`] and
    /// for those who watch.
    settled: tokio::sync::watch::Sender<u64>,
    /// How many watch a document.
    watchers: Arc<Semaphore>,
    /// Wakes [`KnowledgeService::run`] before its time.
    nudged: Notify,
    /// How many documents are processed at the same time.
    workers: Semaphore,
    /// How many searches run at the same time, so that they cannot take every blocking thread.
    searchers: Arc<Semaphore>,
}

#[derive(Default)]
struct Work {
    /// The documents under way, each with what stops it.
    flights: HashMap<DocumentId, CancellationToken>,
    /// How often in a row, and why last, documents could not get on. Bounded: an entry goes when its
    /// document gets on or is gone, and there are no more than unfinished documents.
    troubles: HashMap<DocumentId, Trouble>,
    /// How far the making of new vectors for ready documents is.
    reembedding: Option<Progress>,
}

struct Trouble {
    times: u32,
    why: String,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

impl KnowledgeService {
    /// A service over `parts`; starts nothing and reads nothing. A server also runs
    /// [`KnowledgeService::run`]; without it, what other processes do is seen by the next change here.
    #[must_use]
    pub fn new(parts: KnowledgeParts) -> Self {
        let index = Index::new();
        let model = parts
            .embedder
            .as_ref()
            .map(|embedder| embedder.model().clone());
        let scan = model
            .filter(|_| parts.nearest.is_none())
            .map(ExactVectorSearch::new);
        let nearest = match (&parts.nearest, &scan) {
            (Some(nearest), _) => Some(Arc::clone(nearest)),
            (None, Some(scan)) => Some(Arc::new(scan.clone()) as Arc<dyn VectorSearch>),
            (None, None) => None,
        };
        let scanned = scan.as_ref().map(|scan| scan.model().clone());
        let writer = Arc::new(tokio::sync::Mutex::new(index.writer(scan)));
        Self {
            inner: Arc::new(Inner {
                worker: WorkerId(parts.ids.next()),
                parts,
                index,
                nearest,
                scanned,
                writer,
                followed: AtomicU64::new(0),
                loaded: OnceInit::new(),
                work: Mutex::default(),
                settled: tokio::sync::watch::Sender::new(0),
                watchers: Arc::new(Semaphore::new(MAX_WATCHES)),
                nudged: Notify::new(),
                workers: Semaphore::new(2),
                searchers: Arc::new(Semaphore::new(8)),
            }),
        }
    }

    /// Waits until no task of this process works on the document any more.
    ///
    /// Cancel safe: nothing is lost when dropped.
    pub async fn settled(&self, id: DocumentId) {
        let mut changes = self.inner.settled.subscribe();
        while self.work().flights.contains_key(&id) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn documents(&self) -> &dyn DocumentRepository {
        self.inner.parts.documents.as_ref()
    }

    fn vectors(&self) -> &dyn VectorRepository {
        self.inner.parts.vectors.as_ref()
    }

    fn work(&self) -> std::sync::MutexGuard<'_, Work> {
        self.inner
            .work
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> KnowledgeError {
    KnowledgeError::Unavailable(Box::new(error))
}
