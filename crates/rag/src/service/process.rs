//! What happens to a stored document until it can be found.
//!
//! Invariants:
//! - One task of a process works on a document at a time, and at most `max_pending` uploads are
//!   under way.
//! - A document that was stored ends in a final stage, at the latest after the next start, unless
//!   it is deleted.

use std::sync::{Arc, PoisonError};

use resync_kernel::BoxError;

use super::upload::UploadError;
use super::{KnowledgeError, KnowledgeService};
use crate::chunk::{TooManyChunks, chunk};
use crate::model::{DocumentId, Stage};
use crate::ports::DocumentRepositoryError;

impl KnowledgeService {
    /// A place among the documents under way, given back when dropped.
    pub(super) fn reserve(&self, id: DocumentId) -> Result<Flight, UploadError> {
        let mut flights = self
            .inner
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if flights.len() >= self.inner.parts.config.max_pending || !flights.insert(id) {
            return Err(UploadError::Busy);
        }
        drop(flights);
        Ok(Flight {
            id,
            service: self.clone(),
        })
    }

    pub(super) fn is_in_flight(&self, id: DocumentId) -> bool {
        self.inner
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&id)
    }

    pub(super) fn process_in_background(&self, flight: Flight) {
        let service = self.clone();
        self.inner
            .parts
            .tasks
            .spawn(async move { service.process(&flight).await });
    }

    /// Takes up documents that an earlier process left in no final stage, one after the other.
    pub(super) fn resume_in_background(&self, unfinished: Vec<DocumentId>) {
        if unfinished.is_empty() {
            return;
        }
        tracing::info!(
            documents = unfinished.len(),
            "unfinished documents are taken up again"
        );
        let service = self.clone();
        self.inner.parts.tasks.spawn(async move {
            for id in unfinished {
                if service.inner.parts.tasks.is_closed() {
                    return;
                }
                let fresh = {
                    let mut flights = service
                        .inner
                        .in_flight
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner);
                    flights.insert(id)
                };
                if fresh {
                    service
                        .process(&Flight {
                            id,
                            service: service.clone(),
                        })
                        .await;
                }
            }
        });
    }

    /// Brings one document to a final stage, and says so in the log when that fails.
    #[tracing::instrument(name = "rag.process", skip_all, fields(document.id = %flight.id))]
    async fn process(&self, flight: &Flight) {
        let id = flight.id;
        let outcome = match self.inner.parsers.acquire().await {
            Ok(_permit) => self.run_stages(id).await,
            Err(closed) => Err(ProcessError::Store(Box::new(closed))),
        };
        let reason = match outcome {
            Ok(()) => return,
            Err(ProcessError::Store(error)) => {
                tracing::error!(error = %error, "a document stays unfinished until the next start");
                return;
            }
            Err(ProcessError::Document(reason)) => reason,
        };
        tracing::warn!(reason, "a document could not be processed");
        let failed = Stage::Failed {
            reason: reason.to_owned(),
        };
        if let Err(error) = self.documents().set_stage(id, &failed).await {
            tracing::error!(error = %error, "a document's failure could not be stored");
        }
    }

    /// `received → text → chunks → ready`; returns early when the document has been deleted.
    async fn run_stages(&self, id: DocumentId) -> Result<(), ProcessError> {
        // A load that came later would do the work on this document again.
        self.load().await?;
        let documents = self.documents();
        let Some(document) = documents.get(id).await? else {
            return Ok(());
        };
        if !documents.set_stage(id, &Stage::Text).await? {
            return Ok(());
        }
        let Some(text) = documents.text(id).await? else {
            return Ok(());
        };
        let config = self.inner.parts.config;
        let indexed = usize::try_from(self.inner.index.chunks()).unwrap_or(usize::MAX);
        let room = config.max_chunks.saturating_sub(indexed);
        let media = document.media;
        let cutting = move || chunk(id, &text, media, config.chunk_chars, room);
        let chunks = tokio::task::spawn_blocking(cutting)
            .await
            .map_err(|_| ProcessError::Document("the text could not be cut into chunks"))?
            .map_err(|TooManyChunks { .. }| ProcessError::Document("the knowledge base is full"))?;
        if !documents.put_chunks(id, &chunks).await? {
            return Ok(());
        }
        let document = Arc::new(document);
        self.write_index(move |writer| writer.replace(&document, &chunks))
            .await?;
        if !documents.set_stage(id, &Stage::Ready).await? {
            // Deleted meanwhile: the deletion may have cleaned the index before our change.
            self.write_index(move |writer| writer.remove(id)).await?;
        }
        Ok(())
    }
}

/// Why processing ended early.
enum ProcessError {
    /// The store or the index failed: the document is taken up at the next start.
    Store(BoxError),
    /// The document itself cannot be processed.
    Document(&'static str),
}

impl From<DocumentRepositoryError> for ProcessError {
    fn from(error: DocumentRepositoryError) -> Self {
        Self::Store(Box::new(error))
    }
}

impl From<KnowledgeError> for ProcessError {
    fn from(error: KnowledgeError) -> Self {
        Self::Store(Box::new(error))
    }
}

/// A document that a task of this process works on.
pub(super) struct Flight {
    pub(super) id: DocumentId,
    service: KnowledgeService,
}

impl Drop for Flight {
    fn drop(&mut self) {
        let inner = &self.service.inner;
        inner
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.id);
        inner.settled.send_modify(|count| *count += 1);
    }
}
