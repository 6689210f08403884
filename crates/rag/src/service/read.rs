//! Reading and removing documents.

use std::sync::atomic::Ordering;

use resync_kernel::{Cursor, Limit, Page};

use super::embed::Progress;
use super::{KnowledgeError, KnowledgeService, unavailable};
use crate::model::{Document, DocumentId};
use crate::ports::{DocumentFilter, EmbeddingModel, VectorCount};

/// The knowledge base in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    /// The number of the last change of the store that is in this process's index.
    pub version: u64,
    /// The model that makes vectors, if there is one.
    pub model: Option<EmbeddingModel>,
    /// How many chunks have vectors, by the model that made them.
    pub vectors: Vec<VectorCount>,
    /// How many ready documents were looked at for vectors of another model, while that goes on.
    pub reembedding: Option<Progress>,
}

impl KnowledgeService {
    /// A page of documents that pass `filter`, newest first.
    ///
    /// # Errors
    /// [`KnowledgeError::Cursor`] for a cursor of another list.
    pub async fn list(
        &self,
        filter: &DocumentFilter,
        limit: Limit,
        cursor: Option<&str>,
    ) -> Result<Page<Document>, KnowledgeError> {
        let before = cursor.map(Cursor::decode::<DocumentId>).transpose()?;
        let mut items = self
            .documents()
            .newest(filter, before, limit.get() + 1)
            .await?;
        let size = usize::try_from(limit.get()).unwrap_or(usize::MAX);
        let more = items.len() > size;
        items.truncate(size);
        let next = match items.last() {
            Some(last) if more => Some(Cursor::encode(&last.id)?),
            _ => None,
        };
        let items = items
            .into_iter()
            .map(|document| self.with_trouble(document));
        Ok(Page {
            items: items.collect(),
            next,
        })
    }

    /// The document, or `None`; its stage tells how far an upload has come.
    ///
    /// # Errors
    /// [`KnowledgeError::Unavailable`].
    pub async fn get(&self, id: DocumentId) -> Result<Option<Document>, KnowledgeError> {
        let found = self.documents().get(id).await?;
        Ok(found.map(|document| self.with_trouble(document)))
    }

    /// The stored text, which spans of hits refer to, or `None`.
    ///
    /// # Errors
    /// [`KnowledgeError::Unavailable`].
    pub async fn document_text(&self, id: DocumentId) -> Result<Option<String>, KnowledgeError> {
        Ok(self.documents().text(id).await?)
    }

    /// Removes the document, its text, chunks and vectors, and stops the work on it; `false` when
    /// there is no such document.
    ///
    /// Cancel safe: dropped after the store has changed, the index still loses the document, as
    /// that part runs in a task of its own.
    ///
    /// # Errors
    /// [`KnowledgeError::Unavailable`]; the document is then still there, or gone from the store
    /// and hidden from search at the next look at the feed.
    #[tracing::instrument(name = "rag.delete", skip_all, fields(document.id = %id))]
    pub async fn delete(&self, id: DocumentId) -> Result<bool, KnowledgeError> {
        let service = self.clone();
        let deletion = async move {
            let found = service.documents().delete(id).await?;
            if found {
                service.stop_work(id);
                service.hide(id).await?;
            }
            Ok::<_, KnowledgeError>(found)
        };
        let deletion = self.inner.parts.tasks.spawn(deletion);
        deletion.await.map_err(unavailable)?
    }

    /// The numbers.
    ///
    /// # Errors
    /// [`KnowledgeError::Unavailable`].
    pub async fn stats(&self) -> Result<KnowledgeStats, KnowledgeError> {
        let counts = self.documents().counts().await?;
        let embedder = self.inner.parts.embedder.as_ref();
        Ok(KnowledgeStats {
            documents: counts.documents,
            ready: counts.ready,
            failed: counts.failed,
            chunks: counts.chunks,
            chars: counts.chars,
            indexed_chunks: self.inner.index.chunks(),
            version: self.inner.followed.load(Ordering::Acquire),
            model: embedder.map(|embedder| embedder.model().clone()),
            vectors: self.vectors().models().await?,
            reembedding: self.work().reembedding,
        })
    }

    /// The document with what this process knows of its troubles, where the store has no word of
    /// them: it may be the store that is in trouble.
    fn with_trouble(&self, document: Document) -> Document {
        if document.stage.is_final() || document.waiting.is_some() {
            return document;
        }
        let work = self.work();
        let why = work.troubles.get(&document.id).map(|t| t.why.clone());
        Document {
            waiting: why,
            ..document
        }
    }
}
