//! A service on a repository whose calls can be counted, stopped and made to fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_kernel::{ManualClock, SystemIds, UserId};
use resync_memory::rag::InMemoryDocumentRepository;
use resync_rag::{
    Change, Chunk, Document, DocumentCounts, DocumentFilter, DocumentId, DocumentRepository,
    DocumentRepositoryError, Embedder, EmbedderError, EmbeddingKind, EmbeddingModel, Glossary,
    Inserted, KnowledgeConfig, KnowledgeParts, KnowledgeService, NewUpload, PlainText, ReadText,
    Recut, VectorCount, VectorRepository, WorkerId,
};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// A repository in memory with switches.
pub(crate) struct Switched {
    pub(crate) inner: Arc<InMemoryDocumentRepository>,
    /// How many walks over ready documents have begun.
    pub(crate) loads: AtomicU32,
    /// Whether walks, claims and changes of stage fail.
    pub(crate) broken: AtomicBool,
    /// A walk takes one permit; close to none to stop it.
    pub(crate) gate: Semaphore,
    /// An insertion takes one permit.
    pub(crate) inserts: Semaphore,
    /// How many insertions have begun.
    pub(crate) inserting: AtomicU32,
    /// Reading a text takes one permit.
    pub(crate) texts: Semaphore,
    /// How often a document was to be published.
    pub(crate) published: AtomicU32,
}

impl Default for Switched {
    fn default() -> Self {
        Self {
            inner: Arc::default(),
            loads: AtomicU32::new(0),
            broken: AtomicBool::new(false),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            inserts: Semaphore::new(Semaphore::MAX_PERMITS),
            inserting: AtomicU32::new(0),
            texts: Semaphore::new(Semaphore::MAX_PERMITS),
            published: AtomicU32::new(0),
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
        file: &[u8],
    ) -> Result<Inserted, DocumentRepositoryError> {
        self.inserting.fetch_add(1, Ordering::SeqCst);
        self.inserts.acquire().await.unwrap().forget();
        self.inner.insert(document, file).await
    }

    async fn claim(
        &self,
        id: DocumentId,
        worker: WorkerId,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<bool, DocumentRepositoryError> {
        self.check()?;
        self.inner.claim(id, worker, now, until).await
    }

    async fn defer(
        &self,
        id: DocumentId,
        worker: WorkerId,
        until: DateTime<Utc>,
        waiting: Option<String>,
    ) -> Result<bool, DocumentRepositoryError> {
        self.check()?;
        self.inner.defer(id, worker, until, waiting).await
    }

    async fn claimable(
        &self,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<DocumentId>, DocumentRepositoryError> {
        self.inner.claimable(now, limit).await
    }

    async fn file(&self, id: DocumentId) -> Result<Option<Vec<u8>>, DocumentRepositoryError> {
        self.inner.file(id).await
    }

    async fn put_text(
        &self,
        id: DocumentId,
        worker: WorkerId,
        text: &ReadText,
    ) -> Result<bool, DocumentRepositoryError> {
        self.check()?;
        self.inner.put_text(id, worker, text).await
    }

    async fn put_chunks(
        &self,
        id: DocumentId,
        worker: WorkerId,
        chunks: &[Chunk],
    ) -> Result<bool, DocumentRepositoryError> {
        self.inner.put_chunks(id, worker, chunks).await
    }

    async fn publish(
        &self,
        id: DocumentId,
        worker: WorkerId,
    ) -> Result<Option<Vec<DocumentId>>, DocumentRepositoryError> {
        self.published.fetch_add(1, Ordering::SeqCst);
        self.inner.publish(id, worker).await
    }

    async fn fail(
        &self,
        id: DocumentId,
        worker: WorkerId,
        reason: &str,
    ) -> Result<bool, DocumentRepositoryError> {
        self.inner.fail(id, worker, reason).await
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
        filter: &DocumentFilter,
        before: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<Document>, DocumentRepositoryError> {
        self.inner.newest(filter, before, limit).await
    }

    async fn ready(
        &self,
        after: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<Document>, DocumentRepositoryError> {
        if after.is_none() {
            self.loads.fetch_add(1, Ordering::SeqCst);
        }
        self.gate.acquire().await.unwrap().forget();
        self.check()?;
        self.inner.ready(after, limit).await
    }

    async fn delete(&self, id: DocumentId) -> Result<bool, DocumentRepositoryError> {
        self.inner.delete(id).await
    }

    async fn changes(
        &self,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Change>, DocumentRepositoryError> {
        self.inner.changes(after, limit).await
    }

    async fn last_change(&self) -> Result<u64, DocumentRepositoryError> {
        self.inner.last_change().await
    }

    async fn trim_changes(&self, seq: u64) -> Result<(), DocumentRepositoryError> {
        self.inner.trim_changes(seq).await
    }

    async fn counts(&self) -> Result<DocumentCounts, DocumentRepositoryError> {
        self.inner.counts().await
    }
}

#[async_trait]
impl VectorRepository for Switched {
    async fn put_vectors(
        &self,
        id: DocumentId,
        worker: WorkerId,
        model: &EmbeddingModel,
        first: u32,
        vectors: &[Vec<f32>],
    ) -> Result<bool, DocumentRepositoryError> {
        self.inner
            .put_vectors(id, worker, model, first, vectors)
            .await
    }

    async fn recut(
        &self,
        id: DocumentId,
        worker: WorkerId,
        recut: &Recut,
    ) -> Result<bool, DocumentRepositoryError> {
        self.check()?;
        self.inner.recut(id, worker, recut).await
    }

    async fn embedded(
        &self,
        id: DocumentId,
        model: &EmbeddingModel,
    ) -> Result<u32, DocumentRepositoryError> {
        self.inner.embedded(id, model).await
    }

    async fn vectors(
        &self,
        id: DocumentId,
        model: &EmbeddingModel,
    ) -> Result<Option<Vec<Vec<f32>>>, DocumentRepositoryError> {
        self.inner.vectors(id, model).await
    }

    async fn models(&self) -> Result<Vec<VectorCount>, DocumentRepositoryError> {
        self.inner.models().await
    }
}

/// What a service on `store` is made of, without a model.
pub(crate) fn parts<S>(store: Arc<S>, clock: Arc<ManualClock>) -> KnowledgeParts
where
    S: DocumentRepository + VectorRepository + 'static,
{
    KnowledgeParts {
        documents: store.clone(),
        vectors: store,
        extractor: Arc::new(PlainText),
        embedder: None,
        nearest: None,
        reranker: None,
        glossary: Glossary::built_in(),
        clock,
        ids: Arc::new(SystemIds),
        tasks: TaskTracker::new(),
        config: KnowledgeConfig::default(),
    }
}

/// A service on `documents`, with small bounds where given.
pub(crate) fn service_with(store: Arc<Switched>, config: KnowledgeConfig) -> KnowledgeService {
    KnowledgeService::new(KnowledgeParts {
        config,
        ..parts(store, Arc::default())
    })
}

/// A service on `documents` with the usual bounds.
pub(crate) fn service(store: Arc<Switched>) -> KnowledgeService {
    service_with(store, KnowledgeConfig::default())
}

/// An upload of `text` as `file_name`.
pub(crate) fn upload(file_name: &str, text: impl Into<Vec<u8>>) -> NewUpload {
    NewUpload::new(file_name, text, UserId(Uuid::from_u128(7)))
}

/// Uploads and waits for the end of the processing.
pub(crate) async fn taken_in(knowledge: &KnowledgeService, upload: NewUpload) -> Document {
    let id = knowledge.upload(upload).await.unwrap().id;
    knowledge.settled(id).await;
    knowledge.get(id).await.unwrap().unwrap()
}

/// A model of three numbers that can be away.
pub(crate) struct Model {
    pub(crate) named: EmbeddingModel,
    pub(crate) away: AtomicBool,
    /// How many texts it has read.
    pub(crate) made: AtomicU32,
    /// A batch of texts takes one permit.
    pub(crate) gate: Semaphore,
    /// How many batches have begun.
    pub(crate) begun: AtomicU32,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            named: EmbeddingModel {
                id: "test".to_owned(),
                dimensions: 3,
            },
            away: AtomicBool::new(false),
            made: AtomicU32::new(0),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            begun: AtomicU32::new(0),
        }
    }
}

#[async_trait]
impl Embedder for Model {
    fn model(&self) -> &EmbeddingModel {
        &self.named
    }

    async fn embed(
        &self,
        kind: EmbeddingKind,
        texts: Vec<String>,
    ) -> Result<Vec<Vec<f32>>, EmbedderError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(EmbedderError::Unavailable("away".into()));
        }
        if kind == EmbeddingKind::Passage {
            self.begun.fetch_add(1, Ordering::SeqCst);
            self.gate.acquire().await.unwrap().forget();
            let made = u32::try_from(texts.len()).unwrap();
            self.made.fetch_add(made, Ordering::SeqCst);
        }
        Ok(texts.iter().map(|_| vec![0.6, 0.8, 0.0]).collect())
    }
}
