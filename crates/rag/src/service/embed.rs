//! Vectors for chunks, of new documents and, after a change of model, of ready ones.
//!
//! Invariants:
//! - Vectors come in batches, each stored as it comes: work goes on where it ended, and the number of
//!   stored vectors tells how far it is.
//! - What a model gives is checked before it is stored: as many vectors as texts, as long as the model
//!   says, of finite numbers.
//! - A ready document stays ready while its vectors are replaced; it is found by its words all along.

use std::sync::Arc;
use std::time::Duration;

use resync_kernel::BoxError;

use super::KnowledgeService;
use super::process::Ended;
use crate::model::{Chunk, Document};
use crate::ports::{Embedder, EmbeddingKind};

/// Chunks embedded at a time; small enough to tell how far it is, and to stop soon.
const BATCH: usize = 32;
/// Documents read at a time.
const PAGE: u32 = 100;
/// How long the making of new vectors waits when the model or the store is away.
const PAUSE: Duration = Duration::from_secs(10);

/// How far something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Done so far.
    pub done: u64,
    /// To be done in all.
    pub total: u64,
}

impl KnowledgeService {
    /// Makes the vectors that the claimed document lacks, if there is a model.
    pub(super) async fn embed(&self, document: &Document) -> Result<(), Ended> {
        let Some(embedder) = self.inner.parts.embedder.clone() else {
            return Ok(());
        };
        let (id, model) = (document.id, embedder.model());
        let mut first = self.vectors().embedded(id, model).await?;
        if first >= document.chunks {
            return Ok(());
        }
        let chunks = self.documents().chunks(id).await?;
        let skipped = usize::try_from(first).unwrap_or(usize::MAX);
        for batch in chunks.get(skipped..).unwrap_or_default().chunks(BATCH) {
            if self.inner.parts.tasks.is_closed() {
                return Err(Ended::Closing);
            }
            let vectors = made(embedder.as_ref(), batch).await?;
            let worker = self.inner.worker;
            let stored = self.vectors();
            let stored = stored.put_vectors(id, worker, model, first, &vectors);
            if !stored.await? {
                return Err(Ended::Lost);
            }
            first = first.saturating_add(u32::try_from(batch.len()).unwrap_or(u32::MAX));
            self.moved();
        }
        Ok(())
    }

    /// The vectors of all `chunks`.
    pub(super) async fn embed_all(
        &self,
        embedder: &dyn Embedder,
        chunks: &[Chunk],
    ) -> Result<Vec<Vec<f32>>, Ended> {
        let mut vectors = Vec::with_capacity(chunks.len());
        for batch in chunks.chunks(BATCH) {
            if self.inner.parts.tasks.is_closed() {
                return Err(Ended::Closing);
            }
            vectors.extend(made(embedder, batch).await?);
        }
        Ok(vectors)
    }

    /// Makes new vectors, in the background, for the ready documents whose vectors are of another
    /// model or absent; [`KnowledgeService::stats`] tells how far it is. Search goes on with what
    /// fits. Does nothing without a model or while it is under way in this process; of several
    /// processes each takes documents that no other has.
    ///
    /// [`KnowledgeService::run`] does so at its start.
    pub fn reembed(&self) {
        let begins = {
            let mut work = self.work();
            let begins = work.reembedding.is_none() && self.inner.parts.embedder.is_some();
            if begins {
                work.reembedding = Some(Progress { done: 0, total: 0 });
            }
            begins
        };
        if begins {
            let guard = Reembedding(self.clone());
            self.inner.parts.tasks.spawn(async move {
                let Reembedding(service) = &guard;
                service.reembed_all().await;
            });
        }
    }

    async fn reembed_all(&self) {
        while !self.inner.parts.tasks.is_closed() {
            match self.reembed_once().await {
                Ok(()) | Err(Ended::Closing) => return,
                Err(Ended::Lost | Ended::Document(_)) => {}
                Err(Ended::Later { why, source }) => {
                    tracing::warn!(error = %source, why, "the making of new vectors waits");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// One walk over all ready documents; `Ok` when it came to the end.
    #[tracing::instrument(name = "rag.reembed", skip_all)]
    async fn reembed_once(&self) -> Result<(), Ended> {
        let Some(embedder) = self.inner.parts.embedder.clone() else {
            return Ok(());
        };
        let total = self.documents().counts().await?.ready;
        let mut done = 0;
        let mut after = None;
        loop {
            let page = self.documents().ready(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for document in page {
                self.work().reembedding = Some(Progress { done, total });
                self.reembed_one(&embedder, &document).await?;
                done += 1;
            }
        }
        Ok(())
    }

    async fn reembed_one(
        &self,
        embedder: &Arc<dyn Embedder>,
        document: &Document,
    ) -> Result<(), Ended> {
        let (id, worker) = (document.id, self.inner.worker);
        let present = self.vectors().embedded(id, embedder.model()).await?;
        if present >= document.chunks || !self.claim(id).await? {
            return Ok(());
        }
        let outcome = self.while_claimed(id, self.embed(document)).await;
        match outcome {
            Ok(()) => {
                self.documents().publish(id, worker).await?;
                Ok(self.catch_up().await?)
            }
            Err(Ended::Lost) => Ok(()),
            Err(ended) => {
                let now = self.inner.parts.clock.now();
                self.documents().defer(id, worker, now, None).await?;
                Err(ended)
            }
        }
    }
}

/// Says that the making of new vectors has ended, however it ended.
struct Reembedding(KnowledgeService);

impl Drop for Reembedding {
    fn drop(&mut self) {
        self.0.work().reembedding = None;
    }
}

/// What a model reads of a chunk: its context, which its text does not say, and its text.
fn passage(chunk: &Chunk) -> String {
    if chunk.context.is_empty() {
        return chunk.text.clone();
    }
    format!("{}\n\n{}", chunk.context, chunk.text)
}

async fn made(embedder: &dyn Embedder, batch: &[Chunk]) -> Result<Vec<Vec<f32>>, Ended> {
    let texts = batch.iter().map(passage).collect();
    let away = |source: BoxError| Ended::Later {
        why: "the embedding model is away",
        source,
    };
    let vectors = embedder.embed(EmbeddingKind::Passage, texts).await;
    let vectors = vectors.map_err(|error| away(Box::new(error)))?;
    let dimensions = usize::try_from(embedder.model().dimensions).unwrap_or(usize::MAX);
    let fits = |vector: &Vec<f32>| {
        vector.len() == dimensions && vector.iter().all(|number| number.is_finite())
    };
    if vectors.len() != batch.len() || !vectors.iter().all(fits) {
        return Err(away("the model gave vectors that do not fit".into()));
    }
    Ok(vectors)
}
