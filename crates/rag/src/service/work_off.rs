//! Working off what waits, for a process that has nothing else to do.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{KnowledgeError, KnowledgeService};
use crate::model::{Document, DocumentId};

/// How often it is looked for more.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Documents that nobody works on are looked for, at most.
const MOST: u32 = 1000;

impl KnowledgeService {
    /// Works on the documents `own`, and on those that nobody works on, whoever uploaded them, until all
    /// are ready, failed or gone, or until `patience` is over; gives those that still wait, oldest
    /// first. What waits for another try is tried when its time comes, and a document of `own` that
    /// another process works on is waited for.
    ///
    /// Cancel safe: the work goes on in tasks of its own.
    ///
    /// # Errors
    /// [`KnowledgeError::Unavailable`].
    pub async fn work_off(
        &self,
        own: &[DocumentId],
        patience: Duration,
    ) -> Result<Vec<Document>, KnowledgeError> {
        let clock = &self.inner.parts.clock;
        let begun = clock.monotonic();
        let free = self.documents().claimable(clock.now(), MOST).await?;
        let mut ids: BTreeSet<DocumentId> = own.iter().copied().chain(free).collect();
        loop {
            self.sweep().await?;
            let mut waiting = Vec::new();
            for id in &ids {
                let document = self.get(*id).await?;
                waiting.extend(document.filter(|document| !document.stage.is_final()));
            }
            if waiting.is_empty() || clock.monotonic() - begun >= patience {
                return Ok(waiting);
            }
            ids = waiting.iter().map(|document| document.id).collect();
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
