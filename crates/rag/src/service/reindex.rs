//! Cutting ready documents anew: after an update that cuts better, or with another chunk length.
//!
//! Invariants:
//! - A document is found by its old chunks and vectors until the new ones take their place, all at
//!   once; it is ready all along.
//! - What changes goes into the feed, so that every process that searches takes it over.
//! - One process works on a document at a time; one that another works on is passed over and said.

use super::process::Ended;
use super::{KnowledgeError, KnowledgeService, Progress, unavailable};
use crate::chunk::chunk;
use crate::model::{Chunk, Document, DocumentId};
use crate::ports::Recut;

/// Documents read at a time.
const PAGE: u32 = 100;

/// What came of a document when it was cut anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reindexed {
    /// It has new chunks.
    Cut,
    /// Its chunks are the same as before; every index reads it again.
    Same,
    /// It was left as it is: another process works on it, it has just gone, or what is said.
    Left(Option<String>),
}

impl KnowledgeService {
    /// Cuts each ready document anew, makes its vectors where there is a model, and has every index
    /// read it again. Search goes on meanwhile. `told` hears of each document and how far it is.
    ///
    /// Cancel safe: dropped, the documents that were done stay done.
    ///
    /// # Errors
    /// [`KnowledgeError::Unavailable`] when the store or the model is away; what was done is done.
    #[tracing::instrument(name = "rag.reindex", skip_all)]
    pub async fn reindex(
        &self,
        mut told: impl FnMut(&Document, &Reindexed, Progress) + Send,
    ) -> Result<(), KnowledgeError> {
        let total = self.documents().counts().await?.ready;
        let (mut done, mut after) = (0, None);
        loop {
            let page = self.documents().ready(after, PAGE).await?;
            let Some(last) = page.last() else {
                return self.catch_up().await;
            };
            after = Some(last.id);
            for document in page {
                let outcome = self.reindex_one(&document).await?;
                done += 1;
                told(&document, &outcome, Progress { done, total });
            }
        }
    }

    async fn reindex_one(&self, document: &Document) -> Result<Reindexed, KnowledgeError> {
        let id = document.id;
        if !self.claim(id).await? {
            return Ok(Reindexed::Left(None));
        }
        let outcome = self.while_claimed(id, self.recut(document)).await;
        let reason = match outcome {
            Ok(outcome) => return Ok(outcome),
            Err(Ended::Lost) => return Ok(Reindexed::Left(None)),
            Err(Ended::Document(reason)) => Ok(Reindexed::Left(Some(reason))),
            Err(Ended::Closing) => Ok(Reindexed::Left(Some("the process ends".to_owned()))),
            Err(Ended::Later { source, .. }) => Err(KnowledgeError::Unavailable(source)),
        };
        let (worker, now) = (self.inner.worker, self.inner.parts.clock.now());
        self.documents().defer(id, worker, now, None).await?;
        reason
    }

    async fn recut(&self, document: &Document) -> Result<Reindexed, Ended> {
        let id = document.id;
        let old = self.documents().chunks(id).await?;
        let (chunks, same) = self.cut_anew(document, old).await?;
        let vectors = match &self.inner.parts.embedder {
            None => None,
            Some(embedder) => {
                let model = embedder.model();
                let stored = if same {
                    self.vectors().vectors(id, model).await?
                } else {
                    None
                };
                let vectors = match stored {
                    Some(vectors) => vectors,
                    None => self.embed_all(embedder.as_ref(), &chunks).await?,
                };
                Some((model.clone(), vectors))
            }
        };
        let recut = Recut { chunks, vectors };
        if !self.vectors().recut(id, self.inner.worker, &recut).await? {
            return Err(Ended::Lost);
        }
        Ok(if same {
            Reindexed::Same
        } else {
            Reindexed::Cut
        })
    }

    /// The chunks as they are cut now, and whether they are those of before.
    async fn cut_anew(
        &self,
        document: &Document,
        old: Vec<Chunk>,
    ) -> Result<(Vec<Chunk>, bool), Ended> {
        let (id, media): (DocumentId, _) = (document.id, document.media);
        let text = self.documents().text(id).await?.ok_or(Ended::Lost)?;
        let config = self.inner.parts.config;
        let cutting = move || {
            let chunks = chunk(id, &text, media, config.chunk_chars, config.max_chunks)?;
            let same = chunks == old;
            Ok((chunks, same))
        };
        let cut = tokio::task::spawn_blocking(cutting).await;
        let cut: Result<_, crate::chunk::TooManyChunks> = cut.map_err(unavailable)?;
        cut.map_err(|error| Ended::Document(error.to_string()))
    }
}
