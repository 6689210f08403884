//! A service on a repository whose calls can be counted, stopped and made to fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use resync_kernel::{ManualClock, SystemIds, UserId};
use resync_memory::rag::InMemoryDocumentRepository;
use resync_rag::{
    Chunk, Document, DocumentCounts, DocumentId, DocumentRepository, DocumentRepositoryError,
    Inserted, KnowledgeConfig, KnowledgeParts, KnowledgeService, NewUpload, Stage, Walk,
};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// A repository in memory with switches.
pub(crate) struct Switched {
    pub(crate) inner: InMemoryDocumentRepository,
    /// How many walks over ready documents have begun.
    pub(crate) loads: AtomicU32,
    /// Whether walks and stage changes fail.
    pub(crate) broken: AtomicBool,
    /// A walk takes one permit; close to none to stop it.
    pub(crate) gate: Semaphore,
    /// An insertion takes one permit.
    pub(crate) inserts: Semaphore,
    /// How many insertions have begun.
    pub(crate) inserting: AtomicU32,
    /// Reading a text takes one permit.
    pub(crate) texts: Semaphore,
}

impl Default for Switched {
    fn default() -> Self {
        Self {
            inner: InMemoryDocumentRepository::default(),
            loads: AtomicU32::new(0),
            broken: AtomicBool::new(false),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            inserts: Semaphore::new(Semaphore::MAX_PERMITS),
            inserting: AtomicU32::new(0),
            texts: Semaphore::new(Semaphore::MAX_PERMITS),
        }
    }
}

impl Switched {
    fn check(&self) -> Result<(), DocumentRepositoryError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(DocumentRepositoryError::Unavailable("switched off".into()));
        }
        Ok(())
    }
}

#[async_trait]
impl DocumentRepository for Switched {
    async fn insert(
        &self,
        document: &Document,
        text: &str,
    ) -> Result<Inserted, DocumentRepositoryError> {
        self.inserting.fetch_add(1, Ordering::SeqCst);
        self.inserts.acquire().await.unwrap().forget();
        self.inner.insert(document, text).await
    }

    async fn set_stage(
        &self,
        id: DocumentId,
        stage: &Stage,
    ) -> Result<bool, DocumentRepositoryError> {
        self.check()?;
        self.inner.set_stage(id, stage).await
    }

    async fn put_chunks(
        &self,
        id: DocumentId,
        chunks: &[Chunk],
    ) -> Result<bool, DocumentRepositoryError> {
        self.inner.put_chunks(id, chunks).await
    }

    async fn get(&self, id: DocumentId) -> Result<Option<Document>, DocumentRepositoryError> {
        self.inner.get(id).await
    }

    async fn text(&self, id: DocumentId) -> Result<Option<String>, DocumentRepositoryError> {
        self.texts.acquire().await.unwrap().forget();
        self.inner.text(id).await
    }

    async fn chunks(&self, id: DocumentId) -> Result<Vec<Chunk>, DocumentRepositoryError> {
        self.inner.chunks(id).await
    }

    async fn newest(
        &self,
        before: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<Document>, DocumentRepositoryError> {
        self.inner.newest(before, limit).await
    }

    async fn oldest(
        &self,
        walk: Walk,
        after: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<Document>, DocumentRepositoryError> {
        if walk == Walk::Ready && after.is_none() {
            self.loads.fetch_add(1, Ordering::SeqCst);
        }
        self.gate.acquire().await.unwrap().forget();
        self.check()?;
        self.inner.oldest(walk, after, limit).await
    }

    async fn delete(&self, id: DocumentId) -> Result<bool, DocumentRepositoryError> {
        self.inner.delete(id).await
    }

    async fn counts(&self) -> Result<DocumentCounts, DocumentRepositoryError> {
        self.inner.counts().await
    }
}

/// A service on `documents`, with small bounds where given.
pub(crate) fn service_with(
    documents: Arc<dyn DocumentRepository>,
    config: KnowledgeConfig,
) -> KnowledgeService {
    KnowledgeService::new(KnowledgeParts {
        documents,
        clock: Arc::new(ManualClock::default()),
        ids: Arc::new(SystemIds),
        tasks: TaskTracker::new(),
        config,
    })
}

/// A service on `documents` with the usual bounds.
pub(crate) fn service(documents: Arc<dyn DocumentRepository>) -> KnowledgeService {
    service_with(documents, KnowledgeConfig::default())
}

/// An upload of `text` as `file_name`.
pub(crate) fn upload(file_name: &str, text: impl Into<Vec<u8>>) -> NewUpload {
    NewUpload {
        file_name: file_name.to_owned(),
        bytes: text.into(),
        collection: None,
        tags: Vec::new(),
        by: UserId(Uuid::from_u128(7)),
    }
}

/// Uploads and waits for the end of the processing.
pub(crate) async fn taken_in(knowledge: &KnowledgeService, upload: NewUpload) -> Document {
    let id = knowledge.upload(upload).await.unwrap().id;
    knowledge.settled(id).await;
    knowledge.get(id).await.unwrap().unwrap()
}
