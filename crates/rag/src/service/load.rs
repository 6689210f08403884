//! One build of the index, however many callers.
//!
//! 1. `rag_init_once_under_100_tasks`: while the index is being built, no second build starts, and
//!    none after it.
//! 2. `rag_init_retries_after_error`: a failed build reaches its caller and is not kept.
//! 3. `rag_init_survives_cancelled_first_caller`: dropping the caller that builds hands the build
//!    over to one of those who wait; nothing half-built is ever searched.
//!
//! The tests of these names are in `tests/init.rs`.

use std::sync::Arc;

use super::{KnowledgeError, KnowledgeService};
use crate::ports::Walk;

/// Documents read at a time.
const PAGE: u32 = 100;

impl KnowledgeService {
    /// Builds the index from the store unless that is done, and takes up documents that an earlier
    /// process left unfinished. The server calls it before traffic; the first search does, too.
    ///
    /// Cancel safe: another caller starts the build anew.
    ///
    /// # Errors
    /// [`KnowledgeError::Unavailable`]; the next call tries again.
    pub async fn load(&self) -> Result<(), KnowledgeError> {
        let build = || async { self.build().await.map_err(Arc::new) };
        // Those who waited for a failed build share its error.
        let loaded = self.inner.loaded.get_or_try_init(build).await;
        loaded.copied().map_err(unavailable)
    }

    #[tracing::instrument(name = "rag.load", skip_all)]
    async fn build(&self) -> Result<(), KnowledgeError> {
        let documents = Arc::clone(&self.inner.parts.documents);
        let mut writer = Arc::clone(&self.inner.writer).lock_owned().await;
        writer.begin().map_err(unavailable)?;
        let mut after = None;
        loop {
            let page = documents.oldest(Walk::Ready, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for document in page {
                let chunks = documents.chunks(document.id).await?;
                let adding = tokio::task::spawn_blocking(move || {
                    let added = writer.add(&document, &chunks);
                    (writer, added)
                });
                let (back, added) = adding.await.map_err(unavailable)?;
                writer = back;
                added.map_err(unavailable)?;
            }
        }
        tokio::task::spawn_blocking(move || writer.commit())
            .await
            .map_err(unavailable)?
            .map_err(unavailable)?;
        let mut unfinished = Vec::new();
        let mut after = None;
        loop {
            let page = documents.oldest(Walk::Unfinished, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            unfinished.extend(page.iter().map(|document| document.id));
        }
        self.resume_in_background(unfinished);
        tracing::info!(
            chunks = self.inner.index.chunks(),
            "the knowledge index is loaded"
        );
        Ok(())
    }
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> KnowledgeError {
    KnowledgeError::Unavailable(Box::new(error))
}
