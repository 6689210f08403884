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

use super::follow::change;
use super::{KnowledgeError, KnowledgeService, unavailable};
use crate::search::IndexWriter;

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

    async fn build(&self) -> Result<(), KnowledgeError> {
        self.rebuild().await?;
        let service = self.clone();
        self.inner.parts.tasks.spawn(async move {
            if let Err(error) = service.sweep().await {
                tracing::error!(error = %error, "unfinished documents could not be taken up");
            }
        });
        Ok(())
    }

    /// Builds the index anew; searches see the old one until the new one is whole.
    #[tracing::instrument(name = "rag.load", skip_all)]
    pub(super) async fn rebuild(&self) -> Result<(), KnowledgeError> {
        let mut held = self.writer().await;
        // What changes while the documents are read is read again by following the feed from here.
        let seq = self.documents().last_change().await?;
        held = change(held, IndexWriter::begin).await?;
        held = change(held, IndexWriter::clear).await?;
        let mut after = None;
        loop {
            let page = self.documents().ready(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for document in page {
                held = self.put(held, document.id).await?;
            }
        }
        self.commit(held, seq).await?;
        tracing::info!(
            chunks = self.inner.index.chunks(),
            "the knowledge index is loaded"
        );
        Ok(())
    }
}
