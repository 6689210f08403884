//! The index follows the store's feed.
//!
//! Invariants:
//! - All that a look at the feed gives is committed at once, so a search sees the old version of a
//!   document or the new one.
//! - The place in the feed moves with the commit: what failed is looked at again.
//! - A document is added as the store has it now, and removed when it is not ready there: an entry
//!   that is out of date does no harm.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{KnowledgeError, KnowledgeService, unavailable};
use crate::model::{DocumentId, Stage};
use crate::ports::{Change, ChangeKind};
use crate::search::{IndexError, IndexWriter};

/// Changes read at a time.
const PAGE: u32 = 256;

/// The writer, held while its index changes.
type Held = tokio::sync::OwnedMutexGuard<IndexWriter>;

impl KnowledgeService {
    pub(super) async fn writer(&self) -> Held {
        Arc::clone(&self.inner.writer).lock_owned().await
    }

    /// Brings the index up to the end of the feed. Does nothing before the index is loaded.
    ///
    /// Cancel safe: what was not committed is taken back by the next change.
    pub(super) async fn catch_up(&self) -> Result<(), KnowledgeError> {
        if self.inner.loaded.get().is_none() {
            return Ok(());
        }
        let mut held = self.writer().await;
        let mut seq = self.inner.followed.load(Ordering::Acquire);
        let mut begun = false;
        loop {
            let changes = self.documents().changes(seq, PAGE).await?;
            let Some(last) = changes.last() else { break };
            seq = last.seq;
            if !begun {
                held = change(held, IndexWriter::begin).await?;
                begun = true;
            }
            for change in changes {
                held = self.apply(held, change).await?;
            }
        }
        if begun {
            self.commit(held, seq).await?;
        }
        Ok(())
    }

    /// Shows the changes, which bring the index to `seq`.
    pub(super) async fn commit(&self, held: Held, seq: u64) -> Result<(), KnowledgeError> {
        let _held = change(held, IndexWriter::commit).await?;
        self.inner.followed.store(seq, Ordering::Release);
        Ok(())
    }

    async fn apply(&self, held: Held, change: Change) -> Result<Held, KnowledgeError> {
        let id = change.document;
        match change.kind {
            ChangeKind::Ready => self.put(held, id).await,
            ChangeKind::Gone => {
                self.stop_work(id);
                self::change(held, move |writer| writer.delete(id)).await
            }
        }
    }

    /// Adds the document as the store has it, or removes it, without a commit.
    pub(super) async fn put(&self, held: Held, id: DocumentId) -> Result<Held, KnowledgeError> {
        let ready = self.documents().get(id).await?;
        let Some(document) = ready.filter(|document| document.stage == Stage::Ready) else {
            return change(held, move |writer| writer.delete(id)).await;
        };
        let chunks = self.documents().chunks(id).await?;
        // A document without vectors of the model is found by its words until it gets them.
        let vectors = match &self.inner.scanned {
            Some(model) => self.vectors().vectors(id, model).await?,
            None => None,
        };
        change(held, move |writer| writer.add(&document, &chunks, vectors)).await
    }

    /// Takes a document out of the index at once.
    pub(super) async fn hide(&self, id: DocumentId) -> Result<(), KnowledgeError> {
        let held = self.writer().await;
        change(held, move |writer| writer.remove(id)).await?;
        Ok(())
    }
}

/// Runs a change of the index off the async workers.
pub(super) async fn change(
    mut held: Held,
    change: impl FnOnce(&mut IndexWriter) -> Result<(), IndexError> + Send + 'static,
) -> Result<Held, KnowledgeError> {
    tokio::task::spawn_blocking(move || change(&mut held).map(|()| held))
        .await
        .map_err(unavailable)?
        .map_err(unavailable)
}
