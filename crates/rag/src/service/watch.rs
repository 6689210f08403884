//! How a document gets on, as it happens.
//!
//! Invariants:
//! - Who watches is told each state that a look at the store finds, once, and the last one: a document
//!   that is ready, has failed or is gone is told before the watch ends.
//! - What another process does is seen within [`KnowledgeConfig::poll`](crate::KnowledgeConfig), what
//!   this one does at once.
//! - At most [`MAX_WATCHES`] watch at a time in a process.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, watch};

use super::{KnowledgeError, KnowledgeService};
use crate::model::{Document, DocumentId};

/// Most watches at a time.
pub const MAX_WATCHES: usize = 128;

/// Watches a document; see [`KnowledgeService::watch`].
#[derive(Debug)]
pub struct DocumentWatch {
    service: KnowledgeService,
    id: DocumentId,
    moves: watch::Receiver<u64>,
    /// What was told last.
    told: Option<Document>,
    over: bool,
    _place: OwnedSemaphorePermit,
}

/// What a watch tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// How far the document is now.
    State(Box<Document>),
    /// It is gone: it was deleted, or a newer version took its place.
    Gone,
}

impl KnowledgeService {
    /// Watches the document from now on, or `None` when too many watch already.
    #[must_use]
    pub fn watch(&self, id: DocumentId) -> Option<DocumentWatch> {
        let place = Arc::clone(&self.inner.watchers).try_acquire_owned().ok()?;
        Some(DocumentWatch {
            service: self.clone(),
            id,
            moves: self.inner.settled.subscribe(),
            told: None,
            over: false,
            _place: place,
        })
    }
}

impl DocumentWatch {
    /// The state at first, then each other one; `None` after the last.
    ///
    /// Cancel safe: what was not told is told by the next call.
    ///
    /// # Errors
    /// [`KnowledgeError::Unavailable`]; the next call looks again.
    pub async fn next(&mut self) -> Result<Option<Watched>, KnowledgeError> {
        if self.over {
            return Ok(None);
        }
        loop {
            self.moves.borrow_and_update();
            let Some(now) = self.service.get(self.id).await? else {
                self.over = true;
                return Ok(Some(Watched::Gone));
            };
            if self.told.as_ref().is_none_or(|told| differs(told, &now)) {
                self.over = now.stage.is_final();
                self.told = Some(now.clone());
                return Ok(Some(Watched::State(Box::new(now))));
            }
            let poll = self.service.inner.parts.config.poll;
            tokio::select! {
                // The sender lives as long as the service that is held here.
                _ = self.moves.changed() => {}
                () = tokio::time::sleep(poll) => {}
            }
        }
    }
}

fn differs(told: &Document, now: &Document) -> bool {
    told.stage != now.stage
        || told.waiting != now.waiting
        || (told.vectors, told.chunks) != (now.vectors, now.chunks)
}
